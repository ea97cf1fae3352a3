"""What a question is, and what its cases are made of."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from cnnlab.check.identities import Identity
from cnnlab.check.mistakes import MISTAKES, Mistake
from cnnlab.check.record import Case, Difference, RecordError, compare, compare_most, listed

PRIVATE = "cache"  # the part of a result that belongs to the learner's own pair of functions


@dataclass(frozen=True)
class Question:
    """What is asked, how it is tried, and what counts as right.

    `returns` names what a learner's function returns where that is more than one thing, such as
    ("dx", "dw", "db") or ("out", "cache"); each is compared on its own, but for the cache, which
    is private. `reference` and the known mistakes return just what is compared. The tolerances
    leave room for float32 and for another order of summation. `seconds` is what all calls together
    may take. Where it `keeps_dtype`, the last case is tried in float32 too, and the result has to
    be float32. `identities` are what every right result keeps.

    `no_loops` gives a small and a large case, alike but for height and width, and at least 36 rows
    and columns of output apart: code without loops over positions runs the same Python for both.
    `loop_at_most` says what may be looped over, where it does not.

    `ask` puts a function to use where its own result is not what is compared: called with a
    learner's function, or a known mistake, and the arguments of a case. Where a network learns,
    `least` says how many of its answers have to be those of the reference.

    `library` names what an answer may use of the library, modules or their members; whatever else
    it uses is flagged for a person to look at.
    """

    id: str
    reference: Callable
    cases: Callable[[np.random.Generator], list[Case]]
    operation: str
    returns: tuple[str, ...] = ()
    rtol: float = 1e-4
    atol: float = 1e-5
    seconds: float = 10.0
    keeps_dtype: bool = False
    identities: tuple[Identity, ...] = ()
    no_loops: Callable[[np.random.Generator], tuple[Case, Case]] | None = None
    loop_at_most: str = (
        "Loop over the FH × FW places of a window at most; everything else goes into array "
        "operations."
    )
    ask: Callable | None = None
    least: int = 0
    library: tuple[str, ...] = ("shapes.output_size",)

    @property
    def parts(self) -> tuple[str, ...]:
        """What is compared: the names of several things, or one without a name."""
        compared = tuple(name for name in self.returns if name != PRIVATE)
        return compared if len(compared) > 1 else ("",)

    @property
    def mistakes(self) -> list[Mistake]:
        """The known wrong versions, those of the whole first."""
        keys = [self.operation, *(f"{self.operation}.{part}" for part in self.parts)]
        return [wrong for key in keys for wrong in MISTAKES.get(key, [])]

    @property
    def tolerances(self) -> dict[str, float]:
        return {"rtol": self.rtol, "atol": self.atol}

    def drawn(self, seed: int) -> tuple[Case, ...]:
        """The cases that a seed draws, for our own functions: learners' code gets fresh ones."""
        return _drawn(self, seed)

    def asked(self, function: Callable) -> Callable:
        """What is called with the arguments of a case, for this function."""
        return partial(self.ask, function) if self.ask else function

    def compare(self, got: dict, expected: dict, case: Case) -> Difference | None:
        """The first difference between two outcomes of a case, or None where they agree."""
        if self.least:
            return compare_most(got, expected, case, least=self.least)
        return compare(got, expected, case, **self.tolerances)

    def view(self, returned):
        """What is compared of a learner's return value.

        Raises
        ------
        RecordError
            If it is not as many things as were asked for.
        """
        if not self.returns:
            return returned
        if isinstance(returned, np.ndarray) and returned.ndim == 1:
            returned = list(returned)  # of numbers: it can be unpacked as a tuple can
        if not isinstance(returned, tuple | list):
            kind = "None" if returned is None else type(returned).__name__
            what = "one array" if isinstance(returned, np.ndarray) else kind
        elif len(returned) != len(self.returns):
            what = f"{len(returned)} thing{'s' * (len(returned) != 1)}"
        elif self._turned(returned):
            what = "them in the other order"
        else:
            pairs = zip(self.returns, returned, strict=True)
            compared = [part for name, part in pairs if name != PRIVATE]
            return self.named(compared if len(compared) > 1 else compared[0])
        count = _COUNT.get(len(self.returns), len(self.returns))
        raise RecordError(f"return {count} things, {listed(self.returns)}; this returned {what}")

    def _turned(self, returned) -> bool:
        """Whether the cache stands where the result belongs, and the other way round."""
        if len(self.returns) != 2 or self.returns[1] != PRIVATE:
            return False
        return isinstance(returned[0], tuple | list | dict) and isinstance(returned[1], np.ndarray)

    def named(self, value):
        """What the right function or a known mistake returned, part by part."""
        return value if self.parts == ("",) else dict(zip(self.parts, value, strict=True))

    def returned(self, value):
        """The inverse of `view`: what a learner's function returns where this is compared."""
        if not self.returns:
            return value
        compared = iter((value,) if self.parts == ("",) else value)
        return tuple(None if name == PRIVATE else next(compared) for name in self.returns)


@lru_cache(maxsize=8)
def _drawn(question, seed):
    return tuple(question.cases(np.random.default_rng(seed)))


_COUNT = {2: "two", 3: "three", 4: "four", 5: "five"}


def eighths(rng, *shape):
    """Multiples of 1/8 add and multiply without rounding: the same digits on every machine."""
    return rng.integers(-16, 17, shape) / 8
