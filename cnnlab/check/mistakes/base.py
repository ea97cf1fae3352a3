"""Wrong versions that learners really write, each with a name and where to look.

A mistake is recognized when a learner's function gives the same results as the wrong
version on every case, or stops with the same error, and these are not the right results.
Where a wrong version raises `Undecided`, learners' code goes wrong in too many ways to tell.
Adding a mistake is adding one function under `@mistake`, in the file of its operation.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Mistake:
    """A wrong version of a function, its name in words, and where the learner should look.

    `part` says which of several results it gives; without one it gives what the function gives.
    One that is made `together`, such as an exchange of results, explains all of them or none.
    """

    name: str
    look: str
    function: Callable
    part: str = ""
    together: bool = False


class Undecided(Exception):  # noqa: N818 - it is no error, it says that all is possible
    """What this mistake leads to here depends on how the rest of the code is written."""


class WrongNumbers(Undecided):
    """The same, but it is numbers in any case, and no error."""


class SizesClash(Undecided, ValueError):  # noqa: N818
    """The same, but sizes do not fit and it stops: with what words depends on how it is written."""


MISTAKES: dict[str, list[Mistake]] = {}


def mistake(operation: str, name: str, look: str, *, together: bool = False):
    """Register the decorated wrong version under an operation, or under one part of its result.

    "conv_backward" takes wrong versions of all gradients together, "conv_backward.dx" those that
    take the same arguments and return dx alone.
    """

    def register(function):
        part = operation.partition(".")[2]
        MISTAKES.setdefault(operation, []).append(Mistake(name, look, function, part, together))
        return function

    return register
