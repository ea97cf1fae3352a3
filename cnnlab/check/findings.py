"""What can be wrong with any result, whatever was asked: seen from the numbers alone."""

from typing import NamedTuple

import numpy as np

from cnnlab.check.record import is_error, numbers, same


class Finding(NamedTuple):
    """What is wrong, in words, and where to look."""

    name: str
    look: str


# What NumPy says in words of its own, in words of the course.
ERRORS = {
    "setting an array element with a sequence": Finding(
        "Several numbers are put into one place",
        "One place of an array takes one number, and the right side has several. Is an index or a "
        "sum missing?",
    ),
    "Cannot cast ufunc": Finding(
        "An array of whole numbers is to take fractions",
        "What is changed in place keeps its type: an array that begins with whole numbers holds "
        "nothing else. Let it begin with floats.",
    ),
}


def find_any(part: str, cases, outcomes, rights, tolerances) -> Finding | None:
    """What explains the outcomes of one part in all cases, or None.

    First what is wrong with the form, then with all numbers, then with their order.
    """
    if _one_too_many(outcomes, rights, tolerances):
        return Finding(
            "Several things are returned where one is asked for",
            "The first of them is right: return it alone. A cache is not asked for here.",
        )
    if _refuses(cases, outcomes):
        return Finding(
            "It raises an error where there is a right answer",
            "The error is meant for other cases than this one. Which of the conditions is too "
            "strict?",
        )
    for words, finding in ERRORS.items():
        if any(is_error(one, Exception) and words in str(one.get("message")) for one in outcomes):
            return finding
    if any(_no_number(*pair) for pair in zip(outcomes, rights, strict=True)):
        return Finding(
            "There is nan or inf among the numbers",
            "They come out of a division by zero, a number that is too large, or memory that "
            "nobody has written to. Is there such a division? Or does it begin with np.empty?",
        )
    if all(map(_zero, outcomes)):
        return Finding("It is zero", f"Is there a line that adds to {part or 'the result'}?")
    if _channels_first(outcomes, rights, tolerances):
        return Finding(
            "Channels first",
            "Everything here is channels last: images and their outputs are (N, H, W, C), filters "
            "(FH, FW, C, K). The axes have to be brought into this order, and reshape never "
            "changes an order.",
        )
    return None


def _one_too_many(outcomes, rights, tolerances) -> bool:
    firsts = [outcome.get("parts") for outcome in outcomes]
    return all(isinstance(parts, dict) and len(parts) > 1 for parts in firsts) and all(
        right["kind"] != "parts" and _agrees(parts.get("0"), right, tolerances)
        for parts, right in zip(firsts, rights, strict=True)
    )


def _refuses(cases, outcomes) -> bool:
    wanted = {case.raises for case in cases if case.raises}
    return any(
        case.raises is None and is_error(outcome, kind)
        for case, outcome in zip(cases, outcomes, strict=True)
        for kind in wanted
    )


def _no_number(outcome, right) -> bool:
    got, expected = numbers(outcome), numbers(right)
    if got is None or expected is None:
        return False
    return bool(np.isfinite(expected).all() and not np.isfinite(got).all())


def _zero(outcome) -> bool:
    got = numbers(outcome)
    return got is not None and got.ndim > 0 and not got.any()


def _channels_first(outcomes, rights, tolerances) -> bool:
    """Transposed, or with the shape that it has transposed and the numbers as they were."""
    pairs = [
        (got, right)
        for got, right in zip(map(numbers, outcomes), map(numbers, rights), strict=True)
        if got is not None and right is not None and got.ndim == right.ndim == 4
    ]
    if len(pairs) < len(outcomes):
        return False
    return any(
        all(
            got.shape == right.transpose(order).shape
            and np.allclose(got, reordered(right, order), **tolerances)
            for got, right in pairs
        )
        for order in ((0, 3, 1, 2), (3, 2, 0, 1))
        for reordered in (np.transpose, _reshaped)
    )


def _reshaped(array, order):
    return array.reshape(array.transpose(order).shape)


def _agrees(outcome, right, tolerances) -> bool:
    return isinstance(outcome, dict) and same(outcome, right, **tolerances)
