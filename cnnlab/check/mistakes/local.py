"""Mistakes where each position, or each place of a tile, has filters of its own."""

import numpy as np

from cnnlab.check.mistakes.base import SizesClash, Undecided, mistake
from cnnlab.shapes import output_size

LOCAL, TILED = "local_forward", "tiled_forward"
NO_END = "range(n) ends before n by itself: nothing has to be taken off."
RETURNS = "The others are still zero. Does a return stand inside a loop?"


def _size(x, w, stride, pad):
    sizes = zip(x.shape[1:3], w.shape[2:4], strict=True)
    return tuple(output_size(size, F, stride=stride, pad=pad) for size, F in sizes)


def _padded(x, pad, mode="constant"):
    return np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode=mode)


def _loops(padded, w, b, size, stride, choose, *, steps=None, spread=1, choose_bias=None):
    """As learners write it; choose says whose filters a position looks through."""
    (SH, SW), (_, _, FH, FW, _, K) = steps or (stride, stride), w.shape
    out = np.zeros((len(padded), *size, K))
    for i, j in np.ndindex(*size):
        rows = slice(i * SH, i * SH + FH * spread, spread)
        columns = slice(j * SW, j * SW + FW * spread, spread)
        window, filters = padded[:, rows, columns, :, None], w[choose(i, j)]
        out[:, i, j] = (window * filters).sum(axis=(1, 2, 3)) + b[(choose_bias or choose)(i, j)]
    return out


def _own(w):
    """Of a locally connected layer as of a tile: the filters of position (i, j)."""
    TH, TW = w.shape[:2]
    return lambda i, j: (i % TH, j % TW)


def _right(x, w, b, stride, pad, **how):
    return _loops(_padded(x, pad), w, b, _size(x, w, stride, pad), stride, _own(w), **how)


# What goes wrong in both


def _of_both(name, look):
    def register(function):
        for operation in (LOCAL, TILED):
            mistake(operation, name, look)(function)
        return function

    return register


@_of_both(
    "The filter is turned by 180°",
    "Nothing is flipped: place (0, 0) of the window meets place (0, 0) of the filter.",
)
def local_flipped(x, w, b, *, stride=1, pad=0):
    return _right(x, w[:, :, ::-1, ::-1], b, stride, pad)


@_of_both(
    "The filter is transposed: rows and columns are swapped",
    "FH, the third axis of w, goes down with the rows of the image; FW goes along a row.",
)
def local_transposed(x, w, b, *, stride=1, pad=0):
    if w.shape[2] == w.shape[3]:
        return _right(x, w.swapaxes(2, 3), b, stride, pad)
    raise Undecided


@_of_both("The bias is missing", "A bias is added to each output, after the sum over its window.")
def local_without_bias(x, w, b, *, stride=1, pad=0):
    return _right(x, w, np.zeros_like(b), stride, pad)


@_of_both(
    "The bias is added once for every product",
    "The bias is added inside the sum over the window. It belongs after it, once for each output.",
)
def local_bias_per_product(x, w, b, *, stride=1, pad=0):
    return _right(x, w, b * w[0, 0, ..., 0].size, stride, pad)


@_of_both(
    "The bias is added once for every place of the window",
    "The bias is added inside the loop over the window's places. It belongs after it.",
)
def local_bias_per_place(x, w, b, *, stride=1, pad=0):
    return _right(x, w, b * (w.shape[2] * w.shape[3]), stride, pad)


@_of_both(
    "The first bias of a set is used for all its filters",
    "The last axis of b counts the filters: filter k has a bias of its own.",
)
def local_first_bias_of_a_set(x, w, b, *, stride=1, pad=0):
    return _right(x, w, np.repeat(b[..., :1], b.shape[2], axis=2), stride, pad)


@_of_both(
    "The biases of the first set are used everywhere",
    "b has the same first two axes as w: a position takes filters and biases from the same place.",
)
def local_bias_of_the_first_set(x, w, b, *, stride=1, pad=0):
    return _right(x, w, b, stride, pad, choose_bias=lambda i, j: (0, 0))


@_of_both(
    "The filters of the first set are used everywhere",
    "That is a convolution. Which filters a position looks through depends on where it is.",
)
def local_filters_of_the_first_set(x, w, b, *, stride=1, pad=0):
    return _right(x, np.broadcast_to(w[:1, :1], w.shape), b, stride, pad)


SHARED = "One set of filters is used everywhere"
NOT_SHARED = "That is a convolution. Filters and biases both depend on where the position is."


@_of_both(SHARED, NOT_SHARED)
def local_convolution(x, w, b, *, stride=1, pad=0):
    return _right(x, w[:1, :1], b[:1, :1], stride, pad)


@_of_both(
    "The last set of filters is used everywhere",
    "Filters and biases both depend on where the position is.",
)
def local_last_set(x, w, b, *, stride=1, pad=0):
    return _right(x, w[-1:, -1:], b[-1:, -1:], stride, pad)


@_of_both(
    "The filters change from row to row only",
    "Along a row too, the next position looks through other filters.",
)
def local_rows_only(x, w, b, *, stride=1, pad=0):
    return _right(x, w[:, :1], b[:, :1], stride, pad)


@_of_both(
    "The filters change along a row only",
    "In the next row too, positions look through other filters.",
)
def local_columns_only(x, w, b, *, stride=1, pad=0):
    return _right(x, w[:1], b[:1], stride, pad)


@_of_both("Only channel 0 is used", "A filter spans the full depth: the sum runs over C channels.")
def local_first_channel(x, w, b, *, stride=1, pad=0):
    return _right(x[..., :1], w[:, :, :, :, :1], b, stride, pad)


@_of_both(
    "Only filter 0 is used",
    "Each set holds K filters, each with an output channel of its own.",
)
def local_first_filter(x, w, b, *, stride=1, pad=0):
    first = _right(x, w[..., :1], b[..., :1], stride, pad)
    return np.repeat(first, w.shape[5], axis=3)


@_of_both(
    "Only the first image is computed",
    "The first axis of x is the batch: every image in it gets its outputs.",
)
def local_first_image(x, w, b, *, stride=1, pad=0):
    out = _right(x, w, b, stride, pad)
    out[1:] = 0
    return out


@_of_both(
    "Every image gets the outputs of the first",
    "The first axis of x is the batch: image n is x[n].",
)
def local_image_repeated(x, w, b, *, stride=1, pad=0):
    return _right(np.repeat(x[:1], len(x), axis=0), w, b, stride, pad)


BORDER = "Only outputs whose window reaches into the padding are off: look at how x is padded."


@_of_both("The border repeats the edge instead of zeros", BORDER)
def local_edge_padding(x, w, b, *, stride=1, pad=0):
    return _loops(_padded(x, pad, "edge"), w, b, _size(x, w, stride, pad), stride, _own(w))


@_of_both("The border mirrors the image instead of zeros", BORDER)
def local_reflect_padding(x, w, b, *, stride=1, pad=0):
    return _loops(_padded(x, pad, "reflect"), w, b, _size(x, w, stride, pad), stride, _own(w))


@_of_both(
    "No zeros are added around the image",
    "The output has its right size, but at the border the windows have too few pixels.",
)
def local_windows_cut_off(x, w, b, *, stride=1, pad=0):
    return _loops(x, w, b, _size(x, w, stride, pad), stride, _own(w))


@_of_both("No zeros are added around the image", "The output is too small wherever pad is not 0.")
def local_without_padding(x, w, b, *, stride=1, pad=0):
    return _right(x, w, b, stride, 0)


@_of_both(
    "An axis is padded that should not be",
    "Only height and width get zeros, not the batch nor the channels: np.pad wants one pair for "
    "each axis.",
)
def local_all_axes_padded(x, w, b, *, stride=1, pad=0):
    return _loops(np.pad(x, pad), w, b, _size(x, w, stride, pad), stride, _own(w))


@_of_both(
    "The stride is not applied to where the window starts",
    "The number of outputs is right, but each window starts one pixel after the one before, "
    "whatever the stride.",
)
def local_start_without_stride(x, w, b, *, stride=1, pad=0):
    return _right(x, w, b, stride, pad, steps=(1, 1))


@_of_both(
    "The stride moves the window down only",
    "Along a row the windows still start one pixel after the other.",
)
def local_stride_down_only(x, w, b, *, stride=1, pad=0):
    return _right(x, w, b, stride, pad, steps=(stride, 1))


@_of_both(
    "The stride spreads the window instead of moving it",
    "Between the pixels of one window there are gaps: that is dilation. Pixels of a window are "
    "neighbors; the stride is the step from one window to the next.",
)
def local_dilated(x, w, b, *, stride=1, pad=0):
    return _right(x, w, b, stride, pad, steps=(1, 1), spread=stride)


@_of_both(
    "One row and one column too many",
    "The output size is rounded up, or 1 is added twice.",
)
def local_one_too_many(x, w, b, *, stride=1, pad=0):
    return np.pad(_right(x, w, b, stride, pad), ((0, 0), (0, 1), (0, 1), (0, 0)))


@_of_both(
    "Height and width are swapped",
    "Right on squares only. The shape is (N, H, W, C): rows first, then columns.",
)
def local_size_swapped(x, w, b, *, stride=1, pad=0):
    OH, OW = _size(x, w, stride, pad)
    return _loops(_padded(x, pad), w, b, (OW, OH), stride, _own(w))


@_of_both(
    "Only the first output is computed",
    "The others are still zero. Does a return stand inside a loop?",
)
def local_first_output(x, w, b, *, stride=1, pad=0):
    out = _right(x, w, b, stride, pad)
    first = np.zeros_like(out)
    first[0, 0, 0, 0] = out[0, 0, 0, 0]
    return first


@_of_both(
    "Only the first position of each image is computed",
    "The others are still zero. Does a return stand inside a loop?",
)
def local_first_position(x, w, b, *, stride=1, pad=0):
    out = _right(x, w, b, stride, pad)
    first = np.zeros_like(out)
    first[:, 0, 0] = out[:, 0, 0]
    return first


@_of_both(
    "A mean instead of a sum",
    "The products of a window are added up; nothing is divided by their number.",
)
def local_mean(x, w, b, *, stride=1, pad=0):
    return _right(x, w / w[0, 0, ..., 0].size, b, stride, pad)


@_of_both(
    "The output holds whole numbers only",
    "What stands behind the decimal point is cut off when a number is put into an array of ints.",
)
def local_truncated(x, w, b, *, stride=1, pad=0):
    return _right(x, w, b, stride, pad).astype(int)


@_of_both(
    "Only the last place of the window is kept",
    "Each place replaces the one before it. They are to be added up: = or +=?",
)
def local_last_place(x, w, b, *, stride=1, pad=0):
    last = np.zeros_like(w)
    last[:, :, -1, -1] = w[:, :, -1, -1]
    return _right(x, last, b, stride, pad)


@_of_both(
    "The channels come before rows and columns",
    "In this course the channels are the last axis, of what comes in and of what goes out.",
)
def local_channels_first(x, w, b, *, stride=1, pad=0):
    return _right(x, w, b, stride, pad).transpose(0, 3, 1, 2)


# Locally connected

SWAPPED = "Row and column of the filters are swapped"
ROW_FIRST = "The first axis of w and b goes with the row of the output, the second with the column."


def _local(x, w, b, stride, pad, choose, **how):
    return _loops(_padded(x, pad), w, b, _size(x, w, stride, pad), stride, choose, **how)


@mistake(LOCAL, SWAPPED, ROW_FIRST)
def local_swapped(x, w, b, *, stride=1, pad=0):
    return _local(x, w, b, stride, pad, lambda i, j: (j, i))


@mistake(LOCAL, "Row and column of the biases are swapped", ROW_FIRST)
def local_bias_swapped(x, w, b, *, stride=1, pad=0):
    return _local(x, w, b, stride, pad, lambda i, j: (i, j), choose_bias=lambda i, j: (j, i))


@mistake(
    LOCAL,
    "The filters are looked up by pixel instead of by position",
    "w and b count positions of the output: the third position of a row takes the third filters, "
    "at any stride.",
)
def local_by_pixel(x, w, b, *, stride=1, pad=0):
    return _local(x, w, b, stride, pad, lambda i, j: (i * stride, j * stride))


@mistake(
    LOCAL,
    "The filters are taken in reverse order",
    "The position in the first row and column takes the filters in the first row and column.",
)
def local_reversed(x, w, b, *, stride=1, pad=0):
    return _local(x, w, b, stride, pad, lambda i, j: (-1 - i, -1 - j))


@mistake(
    LOCAL,
    "The filters of all positions are averaged",
    "Every position has filters of its own: nothing is added up or averaged over positions.",
)
def local_average_filter(x, w, b, *, stride=1, pad=0):
    mean = w.mean(axis=(0, 1), keepdims=True)
    return _local(x, np.broadcast_to(mean, w.shape), b, stride, pad, lambda i, j: (i, j))


@mistake(
    LOCAL,
    "The filters of all positions are added up",
    "Every position has filters of its own: nothing is added up or averaged over positions.",
)
def local_sum_of_filters(x, w, b, *, stride=1, pad=0):
    total = w.sum(axis=(0, 1), keepdims=True)
    return _local(x, np.broadcast_to(total, w.shape), b, stride, pad, lambda i, j: (i, j))


# Tiled


def _tiled(x, w, b, stride, pad, choose, **how):
    def turn(i, j):
        return choose(i, j, *w.shape[:2])

    return _local(x, w, b, stride, pad, turn, **how)


@mistake(
    TILED,
    "The tiles are blocks of neighbors that share their filters",
    "The filters take turns: the next position uses the next ones, and after TH rows or TW columns "
    "it begins again. What changes with every step: the quotient or the remainder?",
)
def tiled_blocks(x, w, b, *, stride=1, pad=0):
    return _tiled(x, w, b, stride, pad, lambda i, j, TH, TW: (i // TH, j // TW))


@mistake(
    TILED,
    "The image is divided into TH × TW areas",
    "The filters take turns from position to position; no area has filters of its own.",
)
def tiled_areas(x, w, b, *, stride=1, pad=0):
    OH, OW = _size(x, w, stride, pad)
    return _tiled(x, w, b, stride, pad, lambda i, j, TH, TW: (i * TH // OH, j * TW // OW))


@mistake(
    TILED,
    "After the first tile the last filters are used",
    "When the tile is at its end it begins again.",
)
def tiled_clipped(x, w, b, *, stride=1, pad=0):
    return _tiled(x, w, b, stride, pad, lambda i, j, TH, TW: (min(i, TH - 1), min(j, TW - 1)))


@mistake(
    TILED,
    "The tile is counted in pixels instead of in positions",
    "Position i of the output takes its turn by i, at any stride.",
)
def tiled_by_pixel(x, w, b, *, stride=1, pad=0):
    def choose(i, j, TH, TW):
        return i * stride % TH, j * stride % TW

    return _tiled(x, w, b, stride, pad, choose)


NOT_REPEATED = "Filters or biases are looked up beyond the end of the tile"
AGAIN = (
    "There are only TH × TW sets of them: after the last one comes the first again. Rows of the "
    "tile count from 0 to TH − 1, columns from 0 to TW − 1."
)


@mistake(TILED, NOT_REPEATED, AGAIN)
def tiled_not_repeated(x, w, b, *, stride=1, pad=0):
    return _tiled(x, w, b, stride, pad, lambda i, j, TH, TW: (i, j))


@mistake(TILED, SWAPPED, ROW_FIRST)
def tiled_swapped(x, w, b, *, stride=1, pad=0):
    return _tiled(x, w, b, stride, pad, lambda i, j, TH, TW: (j % TW, i % TH))


@mistake(
    TILED,
    "TH and TW are swapped",
    "TH says after how many rows the filters repeat, TW after how many columns.",
)
def tiled_wrong_period(x, w, b, *, stride=1, pad=0):
    return _tiled(x, w, b, stride, pad, lambda i, j, TH, TW: (i % TW, j % TH))


@mistake(
    TILED,
    "Rows and columns of the filters take turns together",
    "Row and column of the tile go by row and column of the output, each by itself.",
)
def tiled_diagonal(x, w, b, *, stride=1, pad=0):
    return _tiled(x, w, b, stride, pad, lambda i, j, TH, TW: ((i + j) % TH, (i + j) % TW))


@mistake(
    TILED,
    "The turns go on from the end of a row to the next",
    "Each row begins with the first column of the tile: the turns go by row and by column, not by "
    "a running number.",
)
def tiled_running_number(x, w, b, *, stride=1, pad=0):
    _, OW = _size(x, w, stride, pad)
    return _tiled(x, w, b, stride, pad, lambda i, j, TH, TW: divmod((i * OW + j) % (TH * TW), TW))


@mistake(
    TILED,
    "The biases do not take turns as the filters do",
    "b has the same first two axes as w: a position takes filters and biases from the same place.",
)
def tiled_bias_in_blocks(x, w, b, *, stride=1, pad=0):
    TH, TW = w.shape[:2]
    return _right(x, w, b, stride, pad, choose_bias=lambda i, j: (i // TH, j // TW))


@mistake(TILED, NOT_REPEATED, AGAIN)
def tiled_bias_not_repeated(x, w, b, *, stride=1, pad=0):
    return _right(x, w, b, stride, pad, choose_bias=lambda i, j: (i, j))


@mistake(
    TILED,
    "All sets of filters are used at every position",
    "At each position it is the turn of one set: the others wait.",
)
def tiled_all_sets(x, w, b, *, stride=1, pad=0):
    return sum(
        _right(x, w[p : p + 1, q : q + 1], b[p : p + 1, q : q + 1], stride, pad)
        for p, q in np.ndindex(w.shape[:2])
    )


# Learners' slips beside one another, and those of unfinished loops

ONE_SIDED = "With padding, a window does not fit its filter"
CUT_FROM_THE_COPY = (
    "Only where pad is not 0 it stops. Is the window cut out of the padded copy? And has the copy "
    "zeros on both sides of height and width, and of no other axis?"
)


@_of_both(ONE_SIDED, CUT_FROM_THE_COPY)
def local_window_over_the_edge(x, w, b, *, stride=1, pad=0):
    if pad:
        raise SizesClash
    return _right(x, w, b, stride, pad)


@_of_both("Only filter 0 is used", "Each set holds K filters: filter k makes output channel k.")
def local_first_filter_with_all_biases(x, w, b, *, stride=1, pad=0):
    return _right(x, np.repeat(w[..., :1], w.shape[5], axis=5), b, stride, pad)


@_of_both(
    "The K filters are added up",
    "A sum runs over rows, columns and channels of the window. Each filter has a sum of its own.",
)
def local_filters_added_up(x, w, b, *, stride=1, pad=0):
    total = w.sum(axis=5, keepdims=True)
    return _right(x, np.broadcast_to(total, w.shape), b, stride, pad)


REPLACED = "Only the last product of the window is kept"
ADDED = "Each product replaces the one before it. They are to be added up: = or +=?"


def _last_product(w):
    last = np.zeros_like(w)
    last[:, :, -1, -1, -1] = w[:, :, -1, -1, -1]
    return last


@_of_both(REPLACED, ADDED)
def local_last_product(x, w, b, *, stride=1, pad=0):
    return _right(x, _last_product(w), b, stride, pad)


@_of_both(REPLACED, ADDED)
def local_last_product_without_bias(x, w, b, *, stride=1, pad=0):
    return _right(x, _last_product(w), np.zeros_like(b), stride, pad)


@_of_both("Only the bias is left", "Does it replace the sum, or is it added to it: = or +=?")
def local_bias_alone(x, w, b, *, stride=1, pad=0):
    return _right(x, np.zeros_like(w), b, stride, pad)


@_of_both(
    "One set of filters is used everywhere, and the bias is missing",
    "The set that a position looks through depends on where it is. Then each output gets its bias.",
)
def local_convolution_without_bias(x, w, b, *, stride=1, pad=0):
    return _right(x, w[:1, :1], np.zeros_like(b[:1, :1]), stride, pad)


@_of_both("The last row is never computed", NO_END)
def local_without_last_row(x, w, b, *, stride=1, pad=0):
    out = _right(x, w, b, stride, pad)
    out[:, -1] = 0
    return out


@_of_both("The last column is never computed", NO_END)
def local_without_last_column(x, w, b, *, stride=1, pad=0):
    out = _right(x, w, b, stride, pad)
    out[:, :, -1] = 0
    return out


@_of_both("The last row and column are never computed", NO_END)
def local_without_last_row_and_column(x, w, b, *, stride=1, pad=0):
    out = _right(x, w, b, stride, pad)
    out[:, -1] = out[:, :, -1] = 0
    return out


def _only(place):
    def wrong(x, w, b, *, stride=1, pad=0):
        out = _right(x, w, b, stride, pad)
        first = np.zeros_like(out)
        first[place] = out[place]
        return first

    wrong.__name__ = f"local_only_{len(place)}"
    return wrong


_of_both("Only the first position is computed", RETURNS)(_only((0, 0, 0)))
_of_both("Only the first row is computed", RETURNS)(_only((0, 0)))
_of_both("Only the first row of each image is computed", RETURNS)(_only((slice(None), 0)))


@mistake(LOCAL, SWAPPED, ROW_FIRST)
def local_swapped_but_for_the_bias(x, w, b, *, stride=1, pad=0):
    choose = (lambda i, j: (j, i)), (lambda i, j: (i, j))
    return _local(x, w, b, stride, pad, choose[0], choose_bias=choose[1])


@mistake(TILED, SWAPPED, ROW_FIRST)
def tiled_row_and_column_swapped(x, w, b, *, stride=1, pad=0):
    return _tiled(x, w, b, stride, pad, lambda i, j, TH, TW: (j % TH, i % TW))


ONE_PERIOD = "One side of the tile is used for rows and columns"
TWO_PERIODS = "TH says after how many rows the filters repeat, TW after how many columns."


@mistake(TILED, ONE_PERIOD, TWO_PERIODS)
def tiled_height_for_both(x, w, b, *, stride=1, pad=0):
    return _tiled(x, w, b, stride, pad, lambda i, j, TH, TW: (i % TH, j % TH))


@mistake(TILED, ONE_PERIOD, TWO_PERIODS)
def tiled_width_for_both(x, w, b, *, stride=1, pad=0):
    return _tiled(x, w, b, stride, pad, lambda i, j, TH, TW: (i % TW, j % TW))


@mistake(
    TILED,
    "The turns begin one place late",
    "The first position uses the first set: row 0 and column 0 of the tile.",
)
def tiled_one_late(x, w, b, *, stride=1, pad=0):
    return _tiled(x, w, b, stride, pad, lambda i, j, TH, TW: ((i + 1) % TH, (j + 1) % TW))


@mistake(
    TILED,
    "The padding is not in OH and OW",
    "The image is padded, but the output is as small as without. What has output_size to know?",
)
def tiled_size_without_padding(x, w, b, *, stride=1, pad=0):
    OH, OW = _size(x, w, stride, 0)
    return _right(x, w, b, stride, pad)[:, :OH, :OW]


@mistake(
    TILED,
    "stride and pad are handed over without their names",
    "shapes.output_size takes the two sizes by place, and the rest by name: stride= and pad=.",
)
def tiled_size_by_place(x, w, b, *, stride=1, pad=0):
    return output_size(x.shape[1], w.shape[2], stride, pad)  # type: ignore[call-arg]
