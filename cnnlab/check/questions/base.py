"""What a question is, and what its cases are made of."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cnnlab.check.mistakes import MISTAKES, Mistake
from cnnlab.check.record import Case, RecordError


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


def eighths(rng, *shape):
    """Multiples of 1/8 add and multiply without rounding: the same digits on every machine."""
    return rng.integers(-16, 17, shape) / 8


def out_of_pair(value):
    """The first of the two things that a forward function returns."""
    if not isinstance(value, tuple | list):
        raise RecordError(f"return two things, out and cache; this returned {type(value).__name__}")
    if len(value) != 2:
        raise RecordError(f"return two things, out and cache; this returned {len(value)}")
    return value[0]
