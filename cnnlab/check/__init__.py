"""Instant feedback: `check` runs a learner's function and says what it finds.

The page shows the verdict. A grader reads only the numbers that come with it, and
compares them itself.
"""

import os
from contextlib import contextmanager

from cnnlab.check.questions import find
from cnnlab.check.record import MIME, listed
from cnnlab.check.verdict import RIGHT, Verdict, judge, make_record, reference_record

__all__ = ["check", "when_written"]

SEED_VARIABLE = "CNNLAB_CHECK_SEED"
NEEDS = "This cell needs"  # so begins what a cell says that could not use an answer
# Set by nbgrader while it runs a notebook. A cell counts as passed there unless it raises an error.
NBGRADER_VARIABLE = "NBGRADER_EXECUTION"


class NotRightError(AssertionError):
    """An answer is not right: what nbgrader, and only nbgrader, is told by an error."""


def check(question_id: str, answer) -> None:
    """Try a learner's answer and show whether it is right, wrong, or not attempted yet.

    Parameters
    ----------
    question_id : which question, such as "a1.output_size".
    answer : the learner's function; None counts as not attempted.

    Raises
    ------
    ValueError
        If there is no such question.

    Examples
    --------
    >>> check("a1.output_size", lambda size, kernel_size, *, stride=1, pad=0: 3)
    Not right yet.
    First seen in case 1 of 14 (7, window 3): the number is not the expected one. 2 of 14 cases
    are right.
    Expected 5, got 3.
    """
    question = find(question_id)
    seed = int(os.environ.get(SEED_VARIABLE, "0"))
    record = make_record(question, answer, seed)
    verdict = judge(question, record, reference_record(question, seed), seed)
    _show(record, verdict)
    if os.environ.get(NBGRADER_VARIABLE) and verdict.status != RIGHT:
        raise NotRightError(verdict.title)


@contextmanager
def when_written(*names: str):
    """Run a block that uses the learner's functions, and say so kindly where one is missing or
    wrong.

    Examples
    --------
    >>> with when_written("conv_loops"):
    ...     raise NotImplementedError
    This cell runs once you have written conv_loops.
    >>> with when_written("conv_loops"):
    ...     out, cache = None
    This cell needs conv_loops to be right first: run its cell, then its check.
    Here it stopped with TypeError: cannot unpack non-iterable NoneType object.
    """
    needed = listed(names)
    try:
        yield
    except NotImplementedError:
        print(f"This cell runs once you have written {needed}.")
    except Exception as error:
        print(
            f"{NEEDS} {needed} to be right first: run its cell, then its check.\n"
            f"Here it stopped with {type(error).__name__}: {str(error).rstrip('.')}."
        )


def _show(record: dict, verdict: Verdict) -> None:
    try:
        from IPython import get_ipython
        from IPython.display import display
    except ImportError:
        get_ipython = None
    if get_ipython is None or get_ipython() is None:
        print(verdict)
    else:
        bundle = {MIME: record, "text/html": verdict.html(), "text/plain": str(verdict)}
        display(bundle, raw=True)
