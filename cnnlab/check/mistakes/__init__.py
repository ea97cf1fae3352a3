"""Wrong versions that learners really write: a file for each family of operations."""

from cnnlab.check.mistakes import (  # noqa: F401 - they fill MISTAKES
    conv,
    conv_backward,
    patch,
    pool_backward,
    sizes,
)
from cnnlab.check.mistakes.base import MISTAKES, Mistake, Undecided, WrongNumbers, mistake

__all__ = ["MISTAKES", "Mistake", "Undecided", "WrongNumbers", "mistake"]
