"""Mistakes on the way back through max and average pooling: dx alone."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from cnnlab.check.mistakes.base import WrongNumbers, mistake
from cnnlab.ops import avg_pool_forward

OVERLAP = (
    "Where windows overlap, a pixel belongs to several, and what each of them hands back adds up: "
    "= or +=?"
)


def _windows(dout, kernel_size, steps):
    """Each position of the output, and the rows and columns its window is taken to have."""
    (FH, FW), (SH, SW) = kernel_size, steps
    for i, j in np.ndindex(dout.shape[1:3]):
        yield i, j, slice(i * SH, i * SH + FH), slice(j * SW, j * SW + FW)


# Average pooling


def _shared(dout, cache, *, kernel_size=None, steps=None, add=True, dx=None):
    """dout, undivided, handed to every pixel of its window."""
    x, size, stride = cache
    dx = np.zeros(x.shape) if dx is None else dx
    for i, j, rows, columns in _windows(dout, kernel_size or size, steps or (stride, stride)):
        part = dx[:, rows, columns]
        part[...] = dout[:, i : i + 1, j : j + 1] + (part if add else 0)
    return dx


def _mean(dout, cache, **how):
    FH, FW = cache[1]
    return _shared(dout / (FH * FW), cache, **how)


@mistake(
    "avg_pool_backward",
    "The gradient is not divided",
    "Every pixel gets its window's gradient in full. What is the derivative of a mean with "
    "respect to one of the numbers in it?",
)
def avg_not_divided(dout, cache):
    return _shared(dout, cache)


@mistake("avg_pool_backward", "A gradient replaces the one before it", OVERLAP)
def avg_last_window_wins(dout, cache):
    return _mean(dout, cache, add=False)


WRONG_COUNT = "The gradient is divided by the wrong number"
PLACES = "The mean was taken over the places of one window. Work out how many that are."


@mistake("avg_pool_backward", WRONG_COUNT, f"{PLACES} You divided by the number of outputs.")
def avg_divided_by_outputs(dout, cache):
    return _shared(dout / (dout.shape[1] * dout.shape[2]), cache)


@mistake("avg_pool_backward", WRONG_COUNT, f"{PLACES} You divided by the number of pixels of x.")
def avg_divided_by_pixels(dout, cache):
    return _shared(dout / (cache[0].shape[1] * cache[0].shape[2]), cache)


@mistake("avg_pool_backward", WRONG_COUNT, f"{PLACES} You divided by the height alone.")
def avg_divided_by_height(dout, cache):
    return _shared(dout / cache[1][0], cache)


@mistake("avg_pool_backward", WRONG_COUNT, f"{PLACES} You divided by the width alone.")
def avg_divided_by_width(dout, cache):
    return _shared(dout / cache[1][1], cache)


@mistake("avg_pool_backward", WRONG_COUNT, f"{PLACES} You divided by the height plus the width.")
def avg_divided_by_height_plus_width(dout, cache):
    return _shared(dout / sum(cache[1]), cache)


@mistake("avg_pool_backward", WRONG_COUNT, f"{PLACES} You divided by the square of its height.")
def avg_divided_by_height_squared(dout, cache):
    return _shared(dout / cache[1][0] ** 2, cache)


@mistake("avg_pool_backward", WRONG_COUNT, f"{PLACES} You divided by the square of the stride.")
def avg_divided_by_stride_squared(dout, cache):
    return _shared(dout / cache[2] ** 2, cache)


@mistake(
    "avg_pool_backward",
    WRONG_COUNT,
    f"{PLACES} The channels are counted too, but each channel is pooled by itself.",
)
def avg_divided_by_channels_too(dout, cache):
    return _mean(dout, cache) / dout.shape[3]


@mistake(
    "avg_pool_backward",
    WRONG_COUNT,
    f"{PLACES} You divided by the number of places times the number of images, but each image is "
    "pooled by itself.",
)
def avg_divided_by_images_too(dout, cache):
    return _mean(dout, cache) / len(dout)


@mistake(
    "avg_pool_backward",
    "Gradients that meet in a pixel are averaged",
    "A pixel that several windows see gets the sum of what they hand back, not its mean.",
)
def avg_divided_by_windows(dout, cache):
    seen = _shared(np.ones_like(dout), cache)
    return _mean(dout, cache) / np.maximum(seen, 1)


@mistake(
    "avg_pool_backward",
    "Only one pixel of each window gets the gradient",
    "That is how a maximum passes it on. In a mean every number of the window has its share.",
)
def avg_to_first_pixel(dout, cache):
    x, _, stride = cache
    dx = np.zeros(x.shape)
    dx[:, : stride * dout.shape[1] : stride, : stride * dout.shape[2] : stride] = dout
    return dx


@mistake(
    "avg_pool_backward",
    "Only one pixel of each window gets its share",
    "The share is right, but every pixel of the window gets one, not only the first.",
)
def avg_share_to_first_pixel(dout, cache):
    return avg_to_first_pixel(dout, cache) / np.prod(cache[1])


FORCED = "The windows are taken to lie side by side"
NOT_FORCED = (
    "The step from one window to the next is the stride, which need not be the size of the window."
)


@mistake("avg_pool_backward", FORCED, NOT_FORCED)
def avg_stride_is_window(dout, cache):
    return _mean(dout, cache, steps=cache[1])


@mistake("avg_pool_backward", FORCED, NOT_FORCED)
def avg_enlarged(dout, cache):
    FH, FW = cache[1]
    return np.repeat(np.repeat(dout / (FH * FW), FH, axis=1), FW, axis=2)


UNMOVED = "The stride is not applied to where the window starts"
MOVED = (
    "Output i is a number of steps, not a pixel: at stride 2 the window of output 3 starts at 6."
)


@mistake("avg_pool_backward", UNMOVED, MOVED)
def avg_without_stride(dout, cache):
    return _mean(dout, cache, steps=(1, 1))


DOWN_ONLY = "The stride moves the window down only"
BOTH_WAYS = "Along a row the windows still start one pixel after the other."


@mistake("avg_pool_backward", DOWN_ONLY, BOTH_WAYS)
def avg_stride_down_only(dout, cache):
    return _mean(dout, cache, steps=(cache[2], 1))


TURNED = "Height and width of the window are swapped"
NOT_TURNED = "Right on square windows only. kernel_size is (FH, FW): rows first, then columns."


@mistake("avg_pool_backward", TURNED, NOT_TURNED)
def avg_window_turned(dout, cache):
    return _mean(dout, cache, kernel_size=cache[1][::-1])


SWAPPED = "Row and column of dout are swapped"
DOUT_ROWS_FIRST = "dout is (N, OH, OW, C): the row i of the output comes before the column j."


def _swapped(dout):
    """dout as it is read with i and j swapped: an error where it is no square."""
    read = np.zeros(dout.shape)
    for n, i, j, c in np.ndindex(dout.shape):
        read[n, i, j, c] = dout[n, j, i, c]
    return read


@mistake("avg_pool_backward", SWAPPED, DOUT_ROWS_FIRST)
def avg_dout_swapped(dout, cache):
    return _mean(_swapped(dout), cache)


FIRST_IMAGE = "Only the first image gets a gradient"
EVERY_IMAGE = "The first axis is the batch: every image in it has outputs, and a gradient."


@mistake("avg_pool_backward", FIRST_IMAGE, EVERY_IMAGE)
def avg_first_image(dout, cache):
    return _mean(dout * _only(dout, 0, 0), cache)


FIRST_CHANNEL = "Only channel 0 gets a gradient"
EVERY_CHANNEL = "Each channel is pooled by itself, and each gets its own gradient back."


@mistake("avg_pool_backward", FIRST_CHANNEL, EVERY_CHANNEL)
def avg_first_channel(dout, cache):
    return _mean(dout * _only(dout, 3, 0), cache)


MIXED = "Channels are mixed"
NOT_MIXED = "Each channel is pooled by itself: the gradient of channel c goes to channel c alone."


@mistake("avg_pool_backward", MIXED, NOT_MIXED)
def avg_channels_summed(dout, cache):
    return _mean(_sum_everywhere(dout), cache)


@mistake("avg_pool_backward", MIXED, NOT_MIXED)
def avg_channels_averaged(dout, cache):
    return _mean(_sum_everywhere(dout) / dout.shape[3], cache)


@mistake("avg_pool_backward", MIXED, NOT_MIXED)
def avg_channel_0_everywhere(dout, cache):
    return _mean(np.repeat(dout[..., :1], dout.shape[3], axis=3), cache)


@mistake(
    "avg_pool_backward",
    "The pixels of x are mixed into the gradient",
    "A mean adds its numbers up, each with the same weight. What a pixel holds has no influence on "
    "its share.",
)
def avg_times_x(dout, cache):
    return _mean(dout, cache) * cache[0]


STARTS_FROM_X = "dx starts from x instead of zeros"
FROM_ZEROS = "Gradients are added up from nothing. Of x, dx takes the shape alone."


@mistake("avg_pool_backward", STARTS_FROM_X, FROM_ZEROS)
def avg_starts_from_x(dout, cache):
    return _mean(dout, cache, dx=cache[0].astype(float))


NOT_SPREAD = "The gradient has the shape of the output"
SHAPE_OF_X = "dx says for each pixel of x how the loss changes with it, so it has the shape of x."


@mistake("avg_pool_backward", NOT_SPREAD, SHAPE_OF_X)
def avg_not_spread(dout, cache):
    return dout / np.prod(cache[1])


FORWARD = "It goes forward once more"
BACK = (
    "The result is the pooled x. On the way back x is known already: dout comes in, and something "
    "of the shape of x goes out."
)


@mistake("avg_pool_backward", FORWARD, BACK)
def avg_forward(dout, cache):
    x, kernel_size, stride = cache
    return avg_pool_forward(x, kernel_size=kernel_size, stride=stride)[0]


RETURNED_EARLY = "Only the first window hands its gradient back"
RETURN = "All other pixels are still zero. Does a return stand inside a loop?"


@mistake("avg_pool_backward", RETURNED_EARLY, RETURN)
def avg_first_window(dout, cache):
    return _mean(dout * _first(dout), cache)


@mistake("avg_pool_backward", RETURNED_EARLY, RETURN)
def avg_first_window_of_all_images(dout, cache):
    first = np.zeros_like(dout)
    first[:, 0, 0] = dout[:, 0, 0]
    return _mean(first, cache)


TRUNCATED = "The gradient holds whole numbers only"
CUT_OFF = (
    "What stands behind the decimal point is cut off: // is not /, and an array of ints is int."
)


@mistake("avg_pool_backward", TRUNCATED, CUT_OFF)
def avg_floor_divided(dout, cache):
    return _shared(dout // np.prod(cache[1]), cache)


REPLACED_UNMOVED = "A gradient replaces the one before it, and the stride is not applied"
FIRST_THE_START = f"Mend one after the other: {MOVED} Then: = or +=?"


@mistake("avg_pool_backward", REPLACED_UNMOVED, FIRST_THE_START)
def avg_last_window_wins_without_stride(dout, cache):
    return _mean(dout, cache, add=False, steps=(1, 1))


@mistake("avg_pool_backward", FORCED, NOT_FORCED)
def avg_stride_is_height(dout, cache):
    return _mean(dout, cache, steps=(cache[1][0], cache[1][0]))


@mistake(
    "avg_pool_backward",
    "Across, the step is taken to be the width of the window",
    NOT_FORCED,
)
def avg_stride_across_is_width(dout, cache):
    return _mean(dout, cache, steps=(cache[2], cache[1][1]))


@mistake(
    "avg_pool_backward",
    "Down, the step is taken to be the height of the window",
    NOT_FORCED,
)
def avg_stride_down_is_height(dout, cache):
    return _mean(dout, cache, steps=(cache[1][0], cache[2]))


@mistake(
    "avg_pool_backward",
    "Row and column of the window's start are swapped",
    "The window of output [n, i, j] starts at row i * stride and column j * stride, in this order.",
)
def avg_starts_swapped(dout, cache):
    x, (FH, FW), S = cache
    dx = np.zeros(x.shape)
    for i, j in np.ndindex(dout.shape[1:3]):
        share = dout[:, i : i + 1, j : j + 1] / (FH * FW)
        dx[:, j * S : j * S + FH, i * S : i * S + FW] += share
    return dx


SKIPPED = "Only every stride-th output hands its gradient back"
EVERY_OUTPUT = (
    "The loops run over outputs, and every output counts. The stride says where the window of an "
    "output starts."
)


@mistake("avg_pool_backward", SKIPPED, EVERY_OUTPUT)
def avg_outputs_skipped(dout, cache):
    return _mean(dout * _every(dout, cache[2]), cache)


@mistake("avg_pool_backward", SKIPPED, EVERY_OUTPUT)
def avg_outputs_skipped_without_stride(dout, cache):
    return _mean(dout * _every(dout, cache[2]), cache, steps=(1, 1))


def _every(dout, step):
    """1 at every step-th row and column of dout, 0 elsewhere, to multiply by."""
    kept = np.zeros_like(dout)
    kept[:, ::step, ::step] = 1
    return kept


@mistake(
    "avg_pool_backward",
    "The loops run over pixels, and dout has an entry for each output",
    "There are OH rows and OW columns of outputs: loop over those. The stride says where the "
    "window of an output starts.",
)
def avg_loops_over_pixels(dout, cache):
    x, (FH, FW), stride = cache
    dx = np.zeros(x.shape)
    for n in range(len(x)):
        for i in range(0, x.shape[1], stride):
            for j in range(0, x.shape[2], stride):
                dx[n, i : i + FH, j : j + FW] += dout[n, i, j] / (FH * FW)
    return dx


@mistake(
    "avg_pool_backward",
    "The end of the window is counted from the edge of the image",
    "A slice is start : end, and both count from the edge. Where does a window end that starts at "
    "row i * stride?",
)
def avg_end_from_the_edge(dout, cache):
    x, (FH, FW), stride = cache
    dx = np.zeros(x.shape)
    for n, i, j in np.ndindex(dout.shape[:3]):
        dx[n, i * stride : FH, j * stride : FW] += dout[n, i, j] / (FH * FW)
    return dx


ONE_PIXEL = "Only one pixel of each window gets something, and not where the window starts"
WHOLE_WINDOW = (
    "Row i and column j count outputs. Their window starts at row i * stride and column "
    "j * stride, and each of its pixels has a share."
)


@mistake("avg_pool_backward", ONE_PIXEL, WHOLE_WINDOW)
def avg_share_to_pixel_ij(dout, cache):
    return avg_to_pixel_ij(dout, cache) / np.prod(cache[1])


@mistake("avg_pool_backward", ONE_PIXEL, WHOLE_WINDOW)
def avg_to_pixel_ij(dout, cache):
    dx = np.zeros(cache[0].shape)
    dx[:, : dout.shape[1], : dout.shape[2]] = dout
    return dx


@mistake(
    "avg_pool_backward",
    "Every image gets the mean over the images",
    "Each image is pooled by itself: the gradient of image n goes to image n alone.",
)
def avg_mean_of_images(dout, cache):
    return _mean(np.repeat(dout.mean(axis=0, keepdims=True), len(dout), axis=0), cache)


RIGHT_AT_STRIDE_1 = "Right at stride 1, and wrong elsewhere"


@mistake("avg_pool_backward", RIGHT_AT_STRIDE_1, MOVED)
def avg_right_at_stride_1(dout, cache):
    if cache[2] != 1:
        raise WrongNumbers
    return _mean(dout, cache)


# Max pooling


def _route(dout, cache, choose, *, kernel_size=None, steps=None, add=True, dx=None):
    """Hand each gradient to the place that choose(window) names, as a learner's loops do."""
    x, size, stride = cache
    dx = np.zeros(x.shape) if dx is None else dx
    for i, j, rows, columns in _windows(dout, kernel_size or size, steps or (stride, stride)):
        for n in range(len(x)):
            for c in range(x.shape[3]):
                u, v = choose(x[n, rows, columns, c])
                place = (n, rows.start + u, columns.start + v, c)
                dx[place] = dout[n, i, j, c] + (dx[place] if add else 0)
    return dx


def _first_largest(window):
    return np.unravel_index(np.argmax(window), window.shape)


def _last_largest(window):
    return tuple(np.argwhere(window == window.max())[-1])


def _by_mask(dout, cache, mask, *, add=True):
    """Hand each gradient to a window's pixels, each times its entry of mask(window).

    A window is (N, FH, FW, C); so is its mask.
    """
    x, size, stride = cache
    dx = np.zeros(x.shape)
    for i, j, rows, columns in _windows(dout, size, (stride, stride)):
        part = dx[:, rows, columns]
        handed = mask(x[:, rows, columns]) * dout[:, i : i + 1, j : j + 1]
        part[...] = handed + (part if add else 0)
    return dx


def _largest(window):
    return window.max(axis=(1, 2), keepdims=True)


@mistake("max_pool_backward", "A gradient replaces the one before it", OVERLAP)
def max_last_window_wins(dout, cache):
    return _route(dout, cache, _first_largest, add=False)


@mistake("max_pool_backward", "A gradient replaces the one before it", OVERLAP)
def max_last_mask_wins(dout, cache):
    return _by_mask(dout, cache, _wins, add=False)


@mistake(
    "max_pool_backward",
    "Each of several equal maxima gets the whole gradient",
    "Where a window holds its maximum more than once, only the first of them passed it on. Compare "
    "the sum of dx with the sum of dout.",
)
def max_all_ties(dout, cache):
    return _by_mask(dout, cache, lambda window: window == _largest(window))


@mistake(
    "max_pool_backward",
    "A gradient replaces the one before it, and equal maxima all get it",
    "Two things to look at: where windows overlap, gradients add up; and of several equal maxima "
    "only the first gets the gradient.",
)
def max_all_ties_last_window_wins(dout, cache):
    return _by_mask(dout, cache, lambda window: window == _largest(window), add=False)


@mistake(
    "max_pool_backward",
    "The gradient is shared among equal maxima",
    "Here the first of them, row by row, is the one that won and gets all of it.",
)
def max_ties_share(dout, cache):
    def mask(window):
        ties = window == _largest(window)
        return ties / ties.sum(axis=(1, 2), keepdims=True)

    return _by_mask(dout, cache, mask)


@mistake(
    "max_pool_backward",
    "Of several equal maxima the last one wins",
    "Here the first wins, row by row. A search for the maximum that uses >= takes the last.",
)
def max_last_tie(dout, cache):
    return _route(dout, cache, _last_largest)


@mistake(
    "max_pool_backward",
    "Equal maxima are taken column by column",
    "Among equals the first wins as one reads: row by row, and along each row.",
)
def max_first_tie_by_columns(dout, cache):
    return _route(dout, cache, lambda window: _first_largest(window.T)[::-1])


@mistake(
    "max_pool_backward",
    "The gradient is spread over the whole window",
    "Every pixel of the window gets the same. That is right for a mean; a maximum depends on one "
    "pixel alone.",
)
def max_spread(dout, cache):
    return _mean(dout, cache)


@mistake(
    "max_pool_backward",
    "Every pixel of the window gets the gradient",
    "Only one pixel of each window decided its maximum. A small change of any other changes "
    "nothing.",
)
def max_everywhere(dout, cache):
    return _shared(dout, cache)


@mistake(
    "max_pool_backward",
    "The first pixel of each window gets the gradient",
    "x says which pixel of the window was the largest: look it up.",
)
def max_first_pixel(dout, cache):
    return _route(dout, cache, lambda window: (0, 0))


@mistake(
    "max_pool_backward",
    "The last pixel of each window gets the gradient",
    "x says which pixel of the window was the largest: look it up.",
)
def max_last_pixel(dout, cache):
    return _route(dout, cache, lambda window: (window.shape[0] - 1, window.shape[1] - 1))


@mistake(
    "max_pool_backward",
    "The smallest pixel gets the gradient",
    "The largest one won its window.",
)
def max_smallest(dout, cache):
    return _route(dout, cache, lambda window: _first_largest(-window))


@mistake(
    "max_pool_backward",
    "Signs are ignored in the search for the maximum",
    "The largest number wins, not the one farthest from zero.",
)
def max_absolute(dout, cache):
    return _route(dout, cache, lambda window: _first_largest(np.abs(window)))


BELOW_ZERO = (
    "A maximum may be zero or below: the largest pixel of the window gets the gradient all the "
    "same. Does a search for the maximum start at 0?"
)


@mistake("max_pool_backward", "A window without a positive number passes nothing back", BELOW_ZERO)
def max_positive_only(dout, cache):
    return _by_mask(dout, cache, lambda window: _wins(window) * (_largest(window) > 0))


@mistake(
    "max_pool_backward",
    "Where no number is positive, the first pixel of the window gets the gradient",
    BELOW_ZERO,
)
def max_from_zero(dout, cache):
    # The place of the largest so far starts as the first one, and stays there.
    return _route(dout, cache, lambda window: _first_largest(np.maximum(window, 0)))


@mistake(
    "max_pool_backward",
    "The place in the window is taken for a place in the image",
    "The maximum of a window is found at a row and a column of the window. Where in the image "
    "does the window start?",
)
def max_without_offset(dout, cache):
    x, size, stride = cache
    dx = np.zeros(x.shape)
    for i, j, rows, columns in _windows(dout, size, (stride, stride)):
        for n, c in np.ndindex(len(x), x.shape[3]):
            dx[(n, *_first_largest(x[n, rows, columns, c]), c)] += dout[n, i, j, c]
    return dx


SEARCHED = "The maximum is searched for in the whole image"
OWN_WINDOW = (
    "A value that won one window may stand elsewhere too. Compare with the pixels of its own "
    "window only."
)


@mistake("max_pool_backward", SEARCHED, OWN_WINDOW)
def max_searched_everywhere(dout, cache):
    x, size, stride = cache
    dx = np.zeros(x.shape)
    for i, j, rows, columns in _windows(dout, size, (stride, stride)):
        dx += (x == _largest(x[:, rows, columns])) * dout[:, i : i + 1, j : j + 1]
    return dx


ACROSS = "One maximum is taken for all channels"
EACH_CHANNEL = (
    "Each channel is pooled by itself and has a maximum of its own. What is the shape of the "
    "window you search?"
)


@mistake("max_pool_backward", ACROSS, EACH_CHANNEL)
def max_one_for_all_channels(dout, cache):
    def mask(window):
        return window == window.max(axis=(1, 2, 3), keepdims=True)

    return _by_mask(dout, cache, mask)


@mistake("max_pool_backward", ACROSS, EACH_CHANNEL)
def max_place_of_all_channels(dout, cache):
    """The place of the largest of all channels; there each channel gets its own gradient."""
    x, size, stride = cache
    dx = np.zeros(x.shape)
    for i, j, rows, columns in _windows(dout, size, (stride, stride)):
        for n in range(len(x)):
            u, v, _ = _first_largest(x[n, rows, columns])
            dx[n, rows.start + u, columns.start + v] += dout[n, i, j]
    return dx


@mistake("max_pool_backward", ACROSS, EACH_CHANNEL)
def max_sum_to_one_channel(dout, cache):
    x, size, stride = cache
    dx = np.zeros(x.shape)
    for i, j, rows, columns in _windows(dout, size, (stride, stride)):
        for n in range(len(x)):
            u, v, c = _first_largest(x[n, rows, columns])
            dx[n, rows.start + u, columns.start + v, c] += dout[n, i, j].sum()
    return dx


@mistake("max_pool_backward", ACROSS, EACH_CHANNEL)
def max_own_to_one_channel(dout, cache):
    x, size, stride = cache
    dx = np.zeros(x.shape)
    for i, j, rows, columns in _windows(dout, size, (stride, stride)):
        for n in range(len(x)):
            u, v, c = _first_largest(x[n, rows, columns])
            dx[n, rows.start + u, columns.start + v, c] += dout[n, i, j, c]
    return dx


@mistake(
    "max_pool_backward",
    "One maximum is taken for all images",
    "Every image has a maximum of its own in each window. What is the shape of the window you "
    "search?",
)
def max_one_for_all_images(dout, cache):
    return _by_mask(dout, cache, lambda w: w == w.max(axis=(0, 1, 2), keepdims=True))


@mistake(
    "max_pool_backward",
    "The row and the column of the maximum are searched for separately",
    "Where there are equal maxima, a row of one and a column of another may meet in a pixel that "
    "is no maximum at all. Search for one place.",
)
def max_row_and_column(dout, cache):
    def choose(window):
        return window.max(axis=1).argmax(), window.max(axis=0).argmax()

    return _route(dout, cache, choose)


UNRAVELED = "The number of the place becomes a wrong row and column"
DIVIDED = (
    "argmax counts the places of the window row by row. How many places does one row have, and "
    "which of the two results is the row?"
)


@mistake("max_pool_backward", UNRAVELED, DIVIDED)
def max_divided_by_height(dout, cache):
    return _route(dout, cache, lambda window: divmod(np.argmax(window), window.shape[0]))


@mistake("max_pool_backward", UNRAVELED, DIVIDED)
def max_row_for_column(dout, cache):
    return _route(dout, cache, lambda window: divmod(np.argmax(window), window.shape[1])[::-1])


@mistake(
    "max_pool_backward",
    "The gradient is multiplied by the maximum",
    "The maximum passes one number on unchanged, so its derivative with respect to that number "
    "is 1.",
)
def max_times_value(dout, cache):
    return _max_pool(dout, cache) * cache[0]


@mistake(
    "max_pool_backward",
    "The upstream gradient is not used",
    "dx says how often a pixel won. By the chain rule each win counts with its entry of dout.",
)
def max_without_dout(dout, cache):
    return _max_pool(np.ones_like(dout), cache)


@mistake("max_pool_backward", FORCED, NOT_FORCED)
def max_stride_is_window(dout, cache):
    return _route(dout, cache, _first_largest, steps=cache[1])


@mistake("max_pool_backward", UNMOVED, MOVED)
def max_without_stride(dout, cache):
    return _route(dout, cache, _first_largest, steps=(1, 1))


@mistake("max_pool_backward", DOWN_ONLY, BOTH_WAYS)
def max_stride_down_only(dout, cache):
    return _route(dout, cache, _first_largest, steps=(cache[2], 1))


@mistake("max_pool_backward", TURNED, NOT_TURNED)
def max_window_turned(dout, cache):
    return _route(dout, cache, _first_largest, kernel_size=cache[1][::-1])


@mistake("max_pool_backward", SWAPPED, DOUT_ROWS_FIRST)
def max_dout_swapped(dout, cache):
    return _max_pool(_swapped(dout), cache)


@mistake("max_pool_backward", FIRST_IMAGE, EVERY_IMAGE)
def max_first_image(dout, cache):
    return _max_pool(dout * _only(dout, 0, 0), cache)


@mistake("max_pool_backward", FIRST_CHANNEL, EVERY_CHANNEL)
def max_first_channel(dout, cache):
    return _max_pool(dout * _only(dout, 3, 0), cache)


@mistake("max_pool_backward", MIXED, NOT_MIXED)
def max_channels_summed(dout, cache):
    return _max_pool(_sum_everywhere(dout), cache)


@mistake("max_pool_backward", MIXED, NOT_MIXED)
def max_channel_0_everywhere(dout, cache):
    return _max_pool(np.repeat(dout[..., :1], dout.shape[3], axis=3), cache)


@mistake("max_pool_backward", STARTS_FROM_X, FROM_ZEROS)
def max_starts_from_x(dout, cache):
    return _route(dout, cache, _first_largest, dx=cache[0].astype(float))


@mistake("max_pool_backward", NOT_SPREAD, SHAPE_OF_X)
def max_not_spread(dout, cache):
    return dout


@mistake("max_pool_backward", RETURNED_EARLY, RETURN)
def max_first_window(dout, cache):
    return _max_pool(dout * _first(dout), cache)


@mistake("max_pool_backward", TRUNCATED, CUT_OFF)
def max_truncated(dout, cache):
    return _route(dout, cache, _first_largest, dx=np.zeros(cache[0].shape, int))


@mistake("max_pool_backward", REPLACED_UNMOVED, FIRST_THE_START)
def max_last_window_wins_without_stride(dout, cache):
    return _route(dout, cache, _first_largest, steps=(1, 1), add=False)


FOUND_AND_PAID = "The winner is found in one window and paid in another"
SAME_START = (
    "The window that is searched and the one that gets the gradient are the same, and start at row "
    "i * stride and column j * stride. Is the stride missing in one of the two?"
)


@mistake("max_pool_backward", FOUND_AND_PAID, SAME_START)
def max_paid_without_stride(dout, cache):
    return _found_and_paid(dout, cache, cache[2], 1)


@mistake("max_pool_backward", FOUND_AND_PAID, SAME_START)
def max_found_without_stride(dout, cache):
    return _found_and_paid(dout, cache, 1, cache[2])


def _found_and_paid(dout, cache, found, paid):
    x, (FH, FW), _ = cache
    dx = np.zeros(x.shape)
    for n, i, j, c in np.ndindex(dout.shape):
        window = x[n, i * found : i * found + FH, j * found : j * found + FW, c]
        u, v = _first_largest(window)
        dx[n, i * paid + u, j * paid + v, c] += dout[n, i, j, c]
    return dx


@mistake(
    "max_pool_backward",
    "The gradient is divided by the number of places",
    "That is the share in a mean. Here one pixel wins, and gets all of it.",
)
def max_divided(dout, cache):
    return _max_pool(dout, cache) / np.prod(cache[1])


@mistake(
    "max_pool_backward",
    "The first maximum in each row of the window gets the gradient",
    "Only one pixel of the window wins. A break leaves the innermost loop alone: the next row is "
    "searched all the same.",
)
def max_first_of_each_row(dout, cache):
    def mask(window):
        ties = window == _largest(window)
        return ties & (ties.cumsum(axis=2) == 1)

    return _by_mask(dout, cache, mask)


@mistake(
    "max_pool_backward",
    "Every winner gets the gradients of all channels",
    "The winner of channel c gets the gradient of channel c: one number, in one channel.",
)
def max_all_channels_at_each_winner(dout, cache):
    x, size, stride = cache
    dx = np.zeros(x.shape)
    for i, j, rows, columns in _windows(dout, size, (stride, stride)):
        for n, c in np.ndindex(len(x), x.shape[3]):
            u, v = _first_largest(x[n, rows, columns, c])
            dx[n, rows.start + u, columns.start + v] += dout[n, i, j]
    return dx


@mistake(
    "max_pool_backward",
    "The windows are flattened with their axes in another order",
    "sliding_window_view puts the places of the window last, after the channels. A reshape never "
    "changes an order: the axes have to be transposed first.",
)
def max_windows_misread(dout, cache):
    x, (FH, FW), S = cache
    windows = sliding_window_view(x, (FH, FW), axis=(1, 2))[:, ::S, ::S]
    N, OH, OW, C = dout.shape
    u, v = np.divmod(windows.reshape(N, OH, OW, FH * FW, C).argmax(axis=3), FW)
    n, i, j, c = np.indices(dout.shape)
    dx = np.zeros(x.shape)
    np.add.at(dx, (n, i * S + u, j * S + v, c), dout)
    return dx


@mistake(
    "max_pool_backward",
    "One maximum is taken for all images and channels",
    "Every channel of every image has a maximum of its own in each window: .max() without an axis "
    "is the largest of all.",
)
def max_one_for_all(dout, cache):
    return _by_mask(dout, cache, lambda window: window == window.max())


@mistake("max_pool_backward", RIGHT_AT_STRIDE_1, SAME_START)
def max_right_at_stride_1(dout, cache):
    if cache[2] != 1:
        raise WrongNumbers
    return _max_pool(dout, cache)


def _max_pool(dout, cache):
    return _route(dout, cache, _first_largest)


def _wins(window):
    """True at the first of the largest of each channel and image: (N, FH, FW, C)."""
    N, FH, FW, C = window.shape
    order = window.reshape(N, FH * FW, C).argmax(axis=1)
    return (np.arange(FH * FW)[:, None] == order[:, None]).reshape(window.shape)


def _only(dout, axis, index):
    """1 at one index along an axis, 0 elsewhere, to multiply by."""
    shape = [1] * dout.ndim
    shape[axis] = -1
    return (np.arange(dout.shape[axis]) == index).reshape(shape)


def _first(dout):
    """1 at the first position of the first image, 0 elsewhere."""
    return _only(dout, 0, 0) * _only(dout, 1, 0) * _only(dout, 2, 0)


def _sum_everywhere(dout):
    return np.repeat(dout.sum(axis=3, keepdims=True), dout.shape[3], axis=3)
