"""The one question of page 00."""

from cnnlab.check.questions.base import Question, eighths
from cnnlab.check.record import Case


def _patch_cases(rng):
    shapes = ((3, 3), (5, 5), (2, 4))
    return [Case(f"{h}×{w} window", (eighths(rng, h, w), eighths(rng, h, w))) for h, w in shapes]


QUESTIONS = (
    Question(
        "s0.patch_response",
        lambda patch, kernel: (patch * kernel).sum(),
        _patch_cases,
        "patch_response",
    ),
)
