"""Every question of the course that is checked by running the learner's function.

A question says which calls are made, what the right function is, and which known
mistakes apply. The calls are drawn from a seed: the page uses a fixed one, each
grading run a fresh one. There is a file for each page and assignment with questions.
"""

from cnnlab.check.questions import (
    a1_convolution,
    a2_variants_pooling,
    a3_backpropagation,
    a4_conv_backward,
    a5_signals,
    a6_training,
    a7_alexnet,
    s0_start,
)
from cnnlab.check.questions.base import Question

__all__ = ["QUESTIONS", "Question", "find"]

_PAPERS = (
    s0_start,
    a1_convolution,
    a2_variants_pooling,
    a3_backpropagation,
    a4_conv_backward,
    a5_signals,
    a6_training,
    a7_alexnet,
)

QUESTIONS = {question.id: question for paper in _PAPERS for question in paper.QUESTIONS}


def find(question_id: str) -> Question:
    """The question with this id.

    Raises
    ------
    ValueError
        If there is none; the message lists those there are.
    """
    try:
        return QUESTIONS[question_id]
    except KeyError:
        known = ", ".join(sorted(QUESTIONS))
        raise ValueError(f"no question {question_id!r}; there are: {known}.") from None
