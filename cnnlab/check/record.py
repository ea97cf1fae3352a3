"""What a function did, as plain numbers that can cross from one process to another.

A record is JSON and nothing else, so whoever reads it never has to run or unpickle
what a learner made.
"""

import contextlib
import copy
import math
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

MIME = "application/vnd.cnnlab.check+json"
LARGEST = 20_000  # numbers of one array that a record carries; cases are far smaller
MOST = 100  # parts of a list, a tuple or a dict that a record carries
# Decimals that a record keeps: machines differ in the last places of a root or an exponential, and
# what is stored in the solutions is compared with what any of them computes.
DECIMALS = 9
HALF = 2.0**-10  # the distance of neighboring numbers in half precision, relative to them
LONGEST = 300  # letters of an error's message


PRINTED = {"kind": "printed", "type": "NoneType"}  # it returned None, and printed something


class RecordError(TypeError):
    """The function's return value does not have the form the question asks for."""


@dataclass(frozen=True)
class Case:
    """One call of a learner's function: its arguments, and the error it should raise, if any.

    Where chance has a say, so that many results are right, `measure` makes of a result what all
    right ones have in common. It is called with the result and what the function was given, in the
    state in which it left it.
    """

    name: str
    args: tuple
    options: dict = field(default_factory=dict)
    raises: type[Exception] | None = None
    measure: Callable | None = None


@dataclass(frozen=True)
class Difference:
    """The first way in which an outcome is not the expected one.

    `text` can be shown to anyone; `detail` also gives expected values. `title` stands above a
    verdict instead of "Not right yet."; `mistake` does too, where the difference tells by itself
    what is wrong.
    """

    text: str
    detail: str = ""
    title: str = ""
    mistake: str = ""


def run_case(function: Callable, case: Case, view: Callable = lambda value: value) -> dict:
    """Call the function on copies of the arguments and write down what came out."""
    # Together: what two arguments share, their copies share too.
    args, options = copy.deepcopy((case.args, case.options))
    listening = _Listening(sys.stdout)
    try:
        with contextlib.redirect_stdout(listening):
            value = function(*args, **options)
        if value is None and listening.heard:
            outcome = PRINTED
        else:
            seen = view(value)
            outcome = encode(case.measure(seen, *args, **options) if case.measure else seen)
    except (Exception, SystemExit) as error:
        outcome = _encode_error(error)
    changed = [*_changes(case.args, args), *_changes(case.options, options)]
    return {"name": case.name, "outcome": outcome, "changed": changed}


class _Listening:
    """Hands on what is printed, and remembers that something was."""

    def __init__(self, stream):
        self._stream, self.heard = stream, False

    def write(self, text):
        self.heard = self.heard or not text.isspace()
        return self._stream.write(text)

    def __getattr__(self, name):
        return getattr(self._stream, name)


def _changes(before, after, place=()):
    """Where something has been changed in place, also inside tuples, lists and dicts, and how.

    A place is the way there: [1, 0] is the first thing in the second argument. Generators change
    when they are used, and objects and functions are their own affair.
    """
    changed = {"place": list(place), "reshaped": False}
    if isinstance(before, np.ndarray):
        if np.shape(before) != np.shape(after) and np.array_equal(
            np.ravel(before), np.ravel(after)
        ):
            yield changed | {"reshaped": True}
        elif not np.array_equal(before, after, equal_nan=before.dtype.kind in "fc"):
            yield changed
    elif isinstance(before, dict | tuple | list):
        if type(before) is not type(after) or _keys(before) != _keys(after):
            yield changed
        else:
            for key in _keys(before):
                yield from _changes(before[key], after[key], (*place, key))


def _keys(held) -> list:
    return list(held) if isinstance(held, dict) else list(range(len(held)))


def encode(value, depth: int = 3) -> dict:
    """A value as JSON: arrays and numbers with shape, dtype and data, and lists, tuples and dicts
    of them; anything else by its type.

    Examples
    --------
    >>> encode(np.array([0.5, np.nan]))
    {'kind': 'array', 'type': 'ndarray', 'shape': [2], 'dtype': 'float64', 'data': [0.5, 'nan']}
    >>> encode({"a": "text"})
    {'kind': 'parts', 'type': 'dict', 'parts': {'a': {'kind': 'other', 'type': 'str'}}}
    >>> encode("text")
    {'kind': 'other', 'type': 'str'}
    """
    if isinstance(value, bool | int | float | np.number | np.bool_ | np.ndarray):
        array = np.asarray(value)
        if array.dtype.kind in "biuf" and array.size <= LARGEST:
            plain = array.astype(np.float64) if array.dtype.kind == "f" else array
            data = [_number(item) for item in plain.ravel().tolist()]
            return {
                "kind": "array",
                "type": type(value).__name__,
                "shape": list(array.shape),
                "dtype": array.dtype.name,  # without the order of the bytes
                "data": data,
            }
        kind = "too large" if array.dtype.kind in "biuf" else "other"
        return {"kind": kind, "type": f"array of {array.dtype}, shape {array.shape}"}
    if depth and isinstance(value, dict | tuple | list) and len(value) <= MOST:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return {
            "kind": "parts",
            "type": type(value).__name__,
            "parts": {str(key): encode(part, depth - 1) for key, part in items},
        }
    return {"kind": "other", "type": type(value).__name__}


def split(outcome: dict, names: tuple[str, ...]) -> dict[str, dict]:
    """The outcome of each part by its name; an error is that of every part.

    Examples
    --------
    >>> split({"kind": "parts", "parts": {"dx": {"kind": "other"}}}, ("dx", "dw"))
    {'dx': {'kind': 'other'}, 'dw': {}}
    >>> split({"kind": "other"}, ("dx",))
    {'dx': {'kind': 'other'}}
    """
    if outcome.get("kind") != "parts" or names == ("",):
        return dict.fromkeys(names, outcome)
    return {name: _part_of(outcome, name) for name in names}


def _part_of(outcome, name) -> dict:
    parts = outcome.get("parts")
    part = parts.get(name) if isinstance(parts, dict) else None
    return part if isinstance(part, dict) else {}


def compare(
    got: dict, expected: dict, case: Case, *, rtol: float, atol: float
) -> Difference | None:
    """The first difference between two outcomes of a case, or None where they agree.

    `got` may come from anywhere, so nothing about its form is taken for granted.
    """
    if case.raises is not None:
        return _compare_error(got, case.raises)
    if got.get("kind") == "error":
        if _first(got.get("type")) == RecordError.__name__:
            return Difference(_said(got))
        name = _first(got.get("type"))
        line = f"\nin line {got['line']}:  {got.get('source')}" if got.get("line") else ""
        return Difference(
            f"it stopped with {name}: {_said(got)}{line}", title=f"It stops with {name}."
        )
    if got.get("kind") == PRINTED["kind"]:
        return Difference(
            "it printed something and returned None",
            mistake="It prints the result instead of returning it",
        )
    if got.get("kind") != expected["kind"]:
        objects = _type(got).startswith("array of object")
        mistake = "An array of objects where numbers are expected" if objects else ""
        return Difference(_unexpected_type(got, expected), mistake=mistake)
    if expected["kind"] == "parts":
        return _compare_parts(got, expected, case, rtol=rtol, atol=atol)
    shape, wanted = got.get("shape"), expected["shape"]
    if shape != wanted:
        return Difference(
            f"the shape is {_shape(shape)}, expected {_shape(wanted)}"
            if wanted
            else f"expected one number, got an array of shape {_shape(shape)}",
            title="The shape is not the expected one.",
        )
    if expected["dtype"].startswith("int") and "int" not in str(got.get("dtype")):
        return Difference(f"it returned a {_type(got)}, expected a whole number (int)")
    dtype = str(got.get("dtype"))
    if wanted and expected["dtype"].startswith("float") and not dtype.startswith("float"):
        what = "Truth values" if dtype == "bool" else "Whole numbers"
        return Difference(
            f"the numbers are {dtype[:LONGEST]}, expected {expected['dtype']}",
            mistake=f"{what} where floats are expected",
        )
    if got.get("data") == expected["data"]:
        return None
    mine, theirs = numbers(got), numbers(expected)
    if mine is None or theirs is None:
        return Difference("the record does not hold as many numbers as its shape says")
    mine, theirs = mine.ravel(), theirs.ravel()
    if expected["dtype"].startswith("int"):
        rtol = atol = 0  # a count is right or wrong, however large
    close = np.isclose(mine, theirs, rtol=rtol, atol=atol, equal_nan=True)
    if close.all():
        return None
    if not wanted:
        return Difference(
            "the number is not the expected one",
            f"expected {_plain(theirs[0])}, got {_plain(mine[0])}",
        )
    with np.errstate(invalid="ignore"):
        error = np.nan_to_num(np.abs(mine - theirs), nan=np.inf)
    count = (~close).sum()
    worst = int(np.argmax(np.where(close, -1.0, error)))
    index = ", ".join(str(i) for i in np.unravel_index(worst, wanted))
    return Difference(
        f"{count} of {close.size} numbers differ{'s' if count == 1 else ''}"
        if close.size > 1
        else "its number differs",
        f"the worst is [{index}]: expected {_plain(theirs[worst])}, got {_plain(mine[worst])}",
    )


def compare_most(got: dict, expected: dict, case: Case, *, least: int) -> Difference | None:
    """As `compare`, where `least` of the numbers have to be the expected ones."""
    found, right = compare(got, expected, case, rtol=0, atol=0), count_right(got, expected)
    if found is None or right is None:
        return found
    if right >= least:
        return None
    return Difference(f"{right} of {len(expected['data'])} are right, and {least} were asked for")


def count_right(got: dict, expected: dict) -> int | None:
    """How many numbers are exactly the expected ones; None where it is no such array."""
    mine, theirs = numbers(got), numbers(expected)
    if mine is None or theirs is None or mine.shape != theirs.shape:
        return None
    return int((mine == theirs).sum())


def numbers(outcome: dict) -> np.ndarray | None:
    """The array that an outcome holds, or None where it does not hold one."""
    try:
        data = np.array([float(item) for item in outcome["data"]], np.float64)
        return data.reshape(outcome["shape"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def nearly(got: dict, expected: dict) -> bool:
    """Whether what differs is no more than half precision explains, or is no number in both."""
    if expected["kind"] == "parts":
        return _names(got) == _names(expected) and all(
            nearly(_part_of(got, name), part) for name, part in expected["parts"].items()
        )
    if "float" not in str(got.get("dtype")) or "float" not in str(expected.get("dtype")):
        return got == expected
    mine, theirs = numbers(got), numbers(expected)
    if mine is None or theirs is None or mine.shape != theirs.shape:
        return False
    finite = np.isfinite(theirs)
    largest = np.abs(theirs[finite]).max(initial=0)
    with np.errstate(invalid="ignore"):
        close = np.abs(mine - theirs) <= HALF * largest
    return bool(np.where(finite, close, ~np.isfinite(mine)).all())


def _compare_parts(got, expected, case, **tolerances) -> Difference | None:
    mine, theirs = got.get("parts"), expected["parts"]
    if not isinstance(mine, dict) or mine.keys() != theirs.keys():
        return Difference(_unexpected_type(got, expected))
    for name in theirs:
        if found := compare(_part_of(got, name), theirs[name], case, **tolerances):
            at = name if expected["type"] == "dict" else f"[{name}]"
            return replace(found, text=f"{at}: {found.text}")
    return None


def same(a: dict, b: dict, *, rtol: float, atol: float) -> bool:
    """Whether two outcomes are values, and alike. The second is one of ours.

    A single number of ours may come as a whole one where it is a float: 1 for 1.0.
    """
    if a.get("kind") == b.get("kind") == "parts":
        parts = b["parts"]
        return _names(a) == list(parts) and all(
            same(_part_of(a, name), parts[name], rtol=rtol, atol=atol) for name in parts
        )
    if a.get("kind") != "array" or b.get("kind") != "array":
        return False
    whole = ["int" in str(outcome.get("dtype")) for outcome in (a, b)]
    alike = whole[0] == whole[1] or (whole[0] and b["shape"] == [])
    return alike and compare(a, b, Case("", ()), rtol=rtol, atol=atol) is None


def is_error(outcome: dict, kind: type[Exception]) -> bool:
    """Whether an outcome is an error of this type, or of one derived from it."""
    types = outcome.get("type")
    return outcome.get("kind") == "error" and isinstance(types, list) and kind.__name__ in types


def same_error(a: dict, b: dict) -> bool:
    """Whether two outcomes are errors of the same type with the same words."""
    return a.get("kind") == b.get("kind") == "error" and (
        (_first(a.get("type")), a.get("message")) == (_first(b.get("type")), b.get("message"))
    )


def _number(item):
    if isinstance(item, int):
        return item
    # Of the two zeros one is enough.
    return round(item, DECIMALS) + 0.0 if math.isfinite(item) else str(item)


def _plain(number: float) -> str:
    """A whole number with all its digits, however large, as far as float64 holds them."""
    whole = abs(number) < 2**53 and number == round(number)
    return f"{number:,.0f}" if whole else f"{number:g}"


def _shape(shape) -> str:
    if not isinstance(shape, list):
        return "unknown"
    return f"({', '.join(str(side) for side in shape)}{',' if len(shape) == 1 else ''})"


def _said(got: dict) -> str:
    return str(got.get("message"))[:LONGEST].rstrip(".") or "(no words)"


def _type(got: dict) -> str:
    return str(got.get("type"))[:LONGEST]


def _first(types) -> str:
    return str(types[0])[:LONGEST] if isinstance(types, list) and types else "an error"


def _encode_error(error: BaseException) -> dict:
    # The last frame outside this package is the learner's own line.
    frames = [f for f in traceback.extract_tb(error.__traceback__) if _is_learners(f.filename)]
    frame = frames[-1] if frames else None
    return {
        "kind": "error",
        "type": [kind.__name__ for kind in type(error).__mro__],
        "message": _words(error),
        "line": frame.lineno if frame else None,
        "source": (frame.line or "") if frame else "",
    }


def _words(error: BaseException) -> str:
    try:
        return str(error)[:LONGEST]
    except Exception:
        return "an error that cannot be printed"


def _is_learners(filename: str) -> bool:
    # IPython names its cells <ipython-input-…> or …/ipykernel_…/….py
    return "ipython-input" in filename or "ipykernel_" in filename


def _compare_error(got: dict, raises: type[Exception]) -> Difference | None:
    if got.get("kind") != "error":
        instead = {"NoneType": "None", raises.__name__: "it: an error is raised, not returned"}
        returned = instead.get(_type(got), "a value")
        return Difference(f"it should raise {raises.__name__} here, and returned {returned}")
    if not is_error(got, raises):
        asserted = is_error(got, AssertionError)
        return Difference(
            f"it should raise {raises.__name__} here, and raised {_first(got.get('type'))}: "
            f"{_said(got)}",
            mistake=f"assert instead of raise {raises.__name__}" if asserted else "",
        )
    return None


def _wanted(expected: dict) -> str:
    if expected["kind"] == "parts":
        return _holding(expected)
    return f"an array of shape {_shape(expected['shape'])}" if expected["shape"] else "one number"


def _unexpected_type(got: dict, expected: dict) -> str:
    wanted = _wanted(expected)
    if got.get("kind") == "parts" == expected["kind"]:
        return f"it returned {_holding(got)}, expected {wanted}"
    if got.get("type") == "NoneType":
        return f"it returned None (is the return missing?), expected {wanted}"
    return f"it returned {_type(got)}, expected {wanted}"


def _names(outcome) -> list[str]:
    parts = outcome.get("parts")
    return list(parts) if isinstance(parts, dict) else []


def _holding(outcome) -> str:
    names = _names(outcome)
    if outcome.get("type") == "dict":
        return f"a dict with {listed(names)}"[:LONGEST] if names else "an empty dict"
    return f"a {_type(outcome)} of {len(names)}"


def listed(words, before_last: str = "and") -> str:
    """Words as a sentence lists them.

    Examples
    --------
    >>> listed(["dx", "dw", "db"])
    'dx, dw and db'
    """
    *others, last = words
    return f"{', '.join(others)} {before_last} {last}" if others else last
