"""Every question of the course that is checked by running the learner's function.

A question says which calls are made, what the right function is, and which known
mistakes apply. The calls are drawn from a seed: the page uses a fixed one, each
grading run a fresh one.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cnnlab.check.mistakes import MISTAKES, Mistake
from cnnlab.check.record import Case, RecordError
from cnnlab.ops import conv_forward
from cnnlab.shapes import output_size


@dataclass(frozen=True)
class Question:
    """What is asked, how it is tried, and what counts as right.

    `reference` and the known mistakes return just what is compared; `view` picks that
    from the learner's return value. The tolerances leave room for float32 and for another
    order of summation. `no_loops` gives a small and a large case; code without loops over
    positions runs the same lines for both.
    """

    id: str
    reference: Callable
    cases: Callable[[np.random.Generator], list[Case]]
    operation: str
    view: Callable = lambda value: value
    rtol: float = 1e-4
    atol: float = 1e-5
    no_loops: Callable[[np.random.Generator], tuple[Case, Case]] | None = None

    @property
    def mistakes(self) -> list[Mistake]:
        return MISTAKES.get(self.operation, [])

    @property
    def tolerances(self) -> dict[str, float]:
        return {"rtol": self.rtol, "atol": self.atol}


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


def _eighths(rng, *shape):
    # Multiples of 1/8 add and multiply without rounding: the same digits on every machine.
    return rng.integers(-16, 17, shape) / 8


def _conv_case(rng, name, x, w, **options):
    return Case(name, (_eighths(rng, *x), _eighths(rng, *w), _eighths(rng, w[3])), options)


def _conv_cases(rng):
    # All extents differ where they can: a swapped axis has nowhere to hide.
    return [
        _conv_case(rng, "one filter, one channel", (1, 4, 4, 1), (3, 3, 1, 1)),
        _conv_case(rng, "a batch, all sizes different", (2, 5, 7, 3), (3, 2, 3, 4)),
        _conv_case(rng, "square filters, padded", (2, 5, 4, 3), (3, 3, 3, 2), pad=1),
        _conv_case(rng, "stride 2", (2, 7, 9, 2), (3, 3, 2, 4), stride=2),
        _conv_case(rng, "stride 2 and padding", (3, 6, 10, 2), (2, 4, 2, 3), stride=2, pad=1),
        _conv_case(rng, "1×1 filters", (2, 3, 4, 5), (1, 1, 5, 3)),
    ]


def _small_and_large(rng):
    small = _conv_case(rng, "9 positions", (1, 4, 4, 2), (2, 2, 2, 3))
    return small, _conv_case(rng, "1444 positions", (4, 20, 20, 2), (2, 2, 2, 3))


def _output_size_cases(rng):
    def case(name, size, kernel_size, raises=None, **options):
        return Case(name, (size, kernel_size), options, raises)

    kernel_size, stride, pad, count = (int(rng.integers(low, 9)) for low in (3, 2, 1, 2))
    fits = (count - 1) * stride + kernel_size - 2 * pad
    # A stride drawn here may exceed the drawn count: keep the input at least one pixel.
    fits += stride * max(0, -(-(1 - fits) // stride))
    return [
        case("7, window 3", 7, 3),
        case("7, window 3, stride 2", 7, 3, stride=2),
        case("7, window 3, stride 3: does not fit", 7, 3, ValueError, stride=3),
        case("7, window 3, pad 1", 7, 3, pad=1),
        case("32, window 5, pad 2", 32, 5, pad=2),
        case("227, window 11, stride 4", 227, 11, stride=4),
        case("the window is the input", 5, 5),
        case("the window is larger: does not fit", 2, 5, ValueError),
        case("the window is larger, until zeros are added", 2, 3, pad=1),
        case("drawn at random", fits, kernel_size, stride=stride, pad=pad),
        case("one pixel more", fits + 1, kernel_size, ValueError, stride=stride, pad=pad),
    ]


def _patch_cases(rng):
    shapes = ((3, 3), (5, 5), (2, 4))
    return [Case(f"{h}×{w} window", (_eighths(rng, h, w), _eighths(rng, h, w))) for h, w in shapes]


def _out_of_pair(value):
    if not isinstance(value, tuple | list):
        raise RecordError(f"return two things, out and cache; this returned {type(value).__name__}")
    if len(value) != 2:
        raise RecordError(f"return two things, out and cache; this returned {len(value)}")
    return value[0]


def _conv_out(x, w, b, *, stride=1, pad=0):
    return conv_forward(x, w, b, stride=stride, pad=pad)[0]


QUESTIONS = {
    question.id: question
    for question in (
        Question(
            "s0.patch_response",
            lambda patch, kernel: (patch * kernel).sum(),
            _patch_cases,
            "patch_response",
        ),
        Question("a1.output_size", output_size, _output_size_cases, "output_size"),
        Question("a1.conv_loops", _conv_out, _conv_cases, "conv_forward"),
        Question(
            "a1.conv_forward",
            _conv_out,
            _conv_cases,
            "conv_forward",
            view=_out_of_pair,
            no_loops=_small_and_large,
        ),
    )
}
