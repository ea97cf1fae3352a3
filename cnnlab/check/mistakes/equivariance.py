"""Mistakes in finding out where a layer follows a shift."""

import numpy as np

from cnnlab.check.mistakes.base import SizesClash, mistake


def _shift(array, rows, columns, *, mode="constant"):
    """Down and to the right; `mode` says what comes in, as in np.pad."""
    H, W = array.shape
    return np.pad(array, ((rows, 0), (columns, 0)), mode=mode)[:H, :W]


def _back(array, rows, columns):
    """Up and to the left."""
    return _shift(array[::-1, ::-1], rows, columns)[::-1, ::-1]


TWICE = "Both are shifted: the image before the layer, and the output behind it."


@mistake("follows_shift", "Only one of the two is shifted", TWICE)
def output_stays(layer, image, rows, columns):
    return layer(_shift(image, rows, columns)) == layer(image)


@mistake("follows_shift", "Only one of the two is shifted", TWICE)
def input_stays(layer, image, rows, columns):
    return layer(image) == _shift(layer(image), rows, columns)


def _with(name, look, of_input, of_output=None):
    """Both ways with another shift."""

    @mistake("follows_shift", name, look)
    def wrong(layer, image, rows, columns):
        later = (of_output or of_input)(layer(image), rows, columns)
        return layer(of_input(image, rows, columns)) == later


_with(
    "What leaves on one side comes in on the other",
    "np.roll goes round in a circle. Here zeros come in, and what leaves is gone.",
    lambda a, rows, columns: np.roll(a, (rows, columns), (0, 1)),
)
_with(
    "The edge is repeated",
    "What comes in are zeros.",
    lambda a, rows, columns: _shift(a, rows, columns, mode="edge"),
)
_with("It is shifted up and to the left", "Row 0 goes to row `rows`, further down.", _back)
_with(
    "Input and output are shifted against each other",
    "Both move down and to the right.",
    _shift,
    _back,
)
_with(
    "Rows and columns are exchanged",
    "Rows are the first axis of an image, columns the second.",
    lambda a, rows, columns: _shift(a, columns, rows),
)
_with(
    "Only the rows are shifted",
    "There are two shifts: down by rows, and to the right by columns.",
    lambda a, rows, columns: _shift(a, rows, 0),
)
_with(
    "Only the columns are shifted",
    "There are two shifts: down by rows, and to the right by columns.",
    lambda a, rows, columns: _shift(a, 0, columns),
)


def _cut(array, rows, columns):
    if rows == 0 or columns == 0:
        raise SizesClash
    return _shift(array, rows, columns)


_with(
    "A shift of 0 cuts everything away",
    "a[:-rows] leaves out the last rows, and with a shift of 0 all of them: a[: H - rows] does "
    "not.",
    _cut,
)


def _right(layer, image, rows, columns):
    return layer(_shift(image, rows, columns)) == _shift(layer(image), rows, columns)


@mistake("follows_shift", "True where the two differ", "It is to be True where both ways agree.")
def turned_around(layer, image, rows, columns):
    return ~_right(layer, image, rows, columns)


@mistake(
    "follows_shift",
    "One truth value for the whole image",
    "Each position has one of its own: compare the two arrays, and take no .all() of it.",
)
def all_at_once(layer, image, rows, columns):
    return bool(_right(layer, image, rows, columns).all())


@mistake(
    "follows_shift",
    "The difference, not whether there is one",
    "Compare: a == b, or np.isclose(a, b), has a truth value for each place.",
)
def difference(layer, image, rows, columns):
    return layer(_shift(image, rows, columns)) - _shift(layer(image), rows, columns)
