"""Mistakes on the way back through a convolution: in dx, in dw, in db, each on its own."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from cnnlab.check.mistakes.base import Undecided, WrongNumbers, mistake
from cnnlab.ops import conv_backward, conv_forward

ADD_UP = "Each one replaces the one before it. They are to be added up: = or +=?"
EVERY_IMAGE = "The first axis is the batch: look at what the loop over the images keeps."
EVERY_FILTER = "There are K filters, and output channel k belongs to filter k."
IN_STEPS = (
    "Output i is a number of steps, not a pixel: at stride 2 the window of output 3 starts at 6."
)
NO_GAPS = (
    "The pixels of one window are neighbors; the stride is the step from one window to the next."
)
NO_MEAN = "The chain rule adds up what comes back from everywhere; nothing is divided."
TWO_THINGS = "Mend one after the other: "
FROM_ZEROS = "Gradients are added up from nothing: only the shape is taken from the array."


def _right(dout, cache):
    x, w, b, stride, pad = cache
    return conv_backward(dout, conv_forward(x, w, b, stride=stride, pad=pad)[1])


def _one(dout, axis, index):
    """dout at one index along an axis, and zero elsewhere."""
    kept = np.zeros_like(dout)
    place = (slice(None),) * axis + (index,)
    kept[place] = dout[place]
    return kept


def _first_position(dout):
    return _one(_one(_one(dout, 0, 0), 1, 0), 2, 0)


def _last_position(dout):
    return _one(_one(_one(dout, 0, -1), 1, -1), 2, -1)


def _misread(dout):
    """dout with K in front and flattened, as a reshape without a transpose reads it."""
    flat = dout.reshape(dout.shape[3], -1).T
    return flat.reshape(dout.shape)


ANOTHER_PLACE = "Another gradient stands in its place"
ORDER = "Look at the order in which the gradients are returned, and at the one that is asked for."
SWAPPED = "Row and column of dout are swapped"
ROWS_FIRST = "dout is (N, OH, OW, K): the row i of the output comes before the column j."


def _swapped(dout):
    """dout as it is read with i and j swapped: an error where it is no square."""
    read = np.zeros(dout.shape)
    for n, i, j, k in np.ndindex(dout.shape):
        read[n, i, j, k] = dout[n, j, i, k]
    return read


def _transposed_and_misread(dout):
    """Brought to (N, K, OH, OW), then flattened as if K still came last."""
    return dout.transpose(0, 3, 1, 2).reshape(dout.shape)


MIRRORED = "The upstream gradient is mirrored"
SAME_WAY = "Output (i, j) belongs to the window that starts i steps down and j to the right."
RIGHT_UNPADDED = "Right where nothing is padded, and wrong elsewhere"
RIGHT_AT_STRIDE_1 = "Right at stride 1, and wrong elsewhere"
ALL_PADDED = "An axis is padded that should not be"
ONE_PAIR_EACH = (
    "Only height and width get zeros. np.pad wants one pair, before and after, for each of the "
    "four axes: images and channels get (0, 0)."
)
REPLACED_UNMOVED = "A gradient replaces the one before it, and the stride is not applied"
UNPADDED_UNMOVED = "The border of zeros is missing, and the stride is not applied"


# dx


def _dx(dout, cache, **changed):
    x, w, b, stride, pad = cache
    return _right(dout, (changed.get("x", x), changed.get("w", w), b, stride, pad))[0]


def _dpadded(dout, cache, *, steps=None, gap=1, add=True):
    """dx before its border is cut off: each window gets w · dout."""
    x, w, _, stride, pad = cache
    N, H, W, C = x.shape
    SH, SW = steps or (stride, stride)
    dx = np.zeros((N, H + 2 * pad, W + 2 * pad, C))
    for i, j in np.ndindex(dout.shape[1:3]):
        rows = slice(i * SH, i * SH + gap * w.shape[0], gap)
        columns = slice(j * SW, j * SW + gap * w.shape[1], gap)
        part = dx[:, rows, columns]
        part[...] = np.tensordot(dout[:, i, j], w, (1, 3)) + (part if add else 0)
    return dx


def _cropped(dpadded, cache):
    (_, H, W, _), pad = cache[0].shape, cache[4]
    return dpadded[:, pad : pad + H, pad : pad + W]


@mistake(
    "conv_backward.dx",
    "A gradient replaces the one before it",
    "Where windows overlap, a pixel collects from each window that sees it: = or +=?",
)
def dx_last_window(dout, cache):
    return _cropped(_dpadded(dout, cache, add=False), cache)


@mistake(
    "conv_backward.dx",
    "A gradient replaces the one before it",
    "Where windows overlap, a pixel collects from each window that sees it, and from every filter: "
    "= or +=?",
)
def dx_last_filter_of_last_window(dout, cache):
    return _cropped(_dpadded(_one(dout, 3, -1), cache, add=False), cache)


@mistake(
    "conv_backward.dx",
    "The filter is turned by 180°",
    "Place (u, v) of the window met place (u, v) of the filter on the way forward, and on the way "
    "back the same two belong together. Only where dx is written as a convolution over dout is the "
    "filter turned, once.",
)
def dx_flipped(dout, cache):
    return _dx(dout, cache, w=cache[1][::-1, ::-1])


TURNED_TOO_LITTLE = "The filter is turned along one axis only"
BOTH_AXES = (
    "Where dx is written as a convolution over dout, the filter is turned by 180°: along its rows "
    "and along its columns."
)


@mistake("conv_backward.dx", TURNED_TOO_LITTLE, BOTH_AXES)
def dx_rows_flipped(dout, cache):
    return _dx(dout, cache, w=cache[1][::-1])


@mistake("conv_backward.dx", TURNED_TOO_LITTLE, BOTH_AXES)
def dx_columns_flipped(dout, cache):
    return _dx(dout, cache, w=cache[1][:, ::-1])


@mistake(
    "conv_backward.dx",
    "Channels and filters are turned around too",
    "Where dx is written as a convolution over dout, only the rows and the columns of a filter are "
    "turned. Its channels and the filters stay in their order.",
)
def dx_channels_flipped(dout, cache):
    return _dx(dout, cache, w=cache[1][:, :, ::-1, ::-1])


@mistake(
    "conv_backward.dx",
    "The filter is transposed",
    "The first axis of w goes down with the rows of the image, the second goes along a row.",
)
def dx_transposed(dout, cache):
    w = cache[1]
    if w.shape[0] != w.shape[1]:
        raise Undecided
    return _dx(dout, cache, w=w.transpose(1, 0, 2, 3))


@mistake("conv_backward.dx", "The stride is not applied to where the window starts", IN_STEPS)
def dx_without_stride(dout, cache):
    return _cropped(_dpadded(dout, cache, steps=(1, 1)), cache)


@mistake(
    "conv_backward.dx",
    "The stride moves the window down only",
    "Along a row the windows still start one pixel after the other.",
)
def dx_stride_down_only(dout, cache):
    return _cropped(_dpadded(dout, cache, steps=(cache[3], 1)), cache)


@mistake("conv_backward.dx", "The stride spreads the window instead of moving it", NO_GAPS)
def dx_dilated(dout, cache):
    return _cropped(_dpadded(dout, cache, steps=(1, 1), gap=cache[3]), cache)


@mistake(
    "conv_backward.dx",
    "The zeros between the gradients are missing",
    "With a stride, dx is a convolution over dout with zeros put in for the positions that were "
    "skipped. Without them dx comes out too small.",
)
def dx_not_spread(dout, cache):
    _, w, _, _, pad = cache
    _, OH, OW, _ = dout.shape
    FH, FW = w.shape[:2]
    x = np.zeros((len(dout), OH + FH - 1, OW + FW - 1, w.shape[2]))
    full = _right(dout, (x, w, cache[2], 1, 0))[0]
    return full[:, pad : full.shape[1] - pad, pad : full.shape[2] - pad]


EMPTY = "The border is cut off with -pad, and at pad 0 nothing is left"
FROM_START = (
    "A slice that ends at -0 ends at 0: it is empty. Count where the image ends from its start."
)


@mistake("conv_backward.dx", EMPTY, FROM_START)
def dx_empty(dout, cache):
    pad = cache[4]
    return _dpadded(dout, cache)[:, pad:-pad, pad:-pad]


@mistake("conv_backward.dx", EMPTY, f"{FROM_START} Mend this first; there is something else, too.")
def dx_empty_without_stride(dout, cache):
    pad = cache[4]
    return _dpadded(dout, cache, steps=(1, 1))[:, pad:-pad, pad:-pad]


@mistake("conv_backward.dx", EMPTY, f"{FROM_START} Mend this first; there is something else, too.")
def dx_empty_and_wrong(dout, cache):
    if cache[4] == 0:
        return cache[0][:, :0, :0]
    raise Undecided


CROP_END = (
    "Its first pixel is right. In the padded image, in which row does the image end? Count from "
    "where it starts."
)
WRONG_CROP = "The border is cut off at the wrong place"
CROP = (
    "The image lies inside the padded one. In which row and column of the padded one is its first "
    "pixel?"
)


@mistake("conv_backward.dx", WRONG_CROP, CROP)
def dx_cropped_at_the_start(dout, cache):
    _, H, W, _ = cache[0].shape
    return _dpadded(dout, cache)[:, :H, :W]


@mistake("conv_backward.dx", WRONG_CROP, CROP)
def dx_cropped_at_the_end(dout, cache):
    pad = cache[4]
    return _dpadded(dout, cache)[:, 2 * pad :, 2 * pad :]


@mistake(
    "conv_backward.dx",
    "The border of zeros is still there",
    "dx has the shape of x. The zeros around it were no part of x: their gradients go nowhere.",
)
def dx_not_cropped(dout, cache):
    return _dpadded(dout, cache)


HALF_CROPPED = "The border is cut off on one side only"
BOTH_SIDES = "dx has the shape of x. Zeros were added at both ends of the rows and of the columns."


@mistake("conv_backward.dx", HALF_CROPPED, BOTH_SIDES)
def dx_cropped_top_left(dout, cache):
    pad = cache[4]
    return _dpadded(dout, cache)[:, pad:, pad:]


@mistake("conv_backward.dx", HALF_CROPPED, BOTH_SIDES)
def dx_cropped_bottom_right(dout, cache):
    (_, H, W, _), pad = cache[0].shape, cache[4]
    return _dpadded(dout, cache)[:, : pad + H, : pad + W]


NOT_PADDED = "No border of zeros for the windows that hang over"
ROOM = (
    "Forward, the windows slid over the padded image, so what they hand back needs room of that "
    "size; the border is cut off at the end."
)


@mistake("conv_backward.dx", NOT_PADDED, ROOM)
def dx_unpadded(dout, cache):
    return _handed_weights(dout, cache, np.zeros(cache[0].shape), cache[3])


@mistake("conv_backward.dx", NOT_PADDED, ROOM)
def dx_unpadded_all_images(dout, cache):
    x, w, _, stride, _ = cache
    dx = np.zeros(x.shape)
    for i, j, k in np.ndindex(dout.shape[1:]):
        part = dx[:, i * stride : i * stride + w.shape[0], j * stride : j * stride + w.shape[1]]
        part += dout[:, i, j, k][:, None, None, None] * w[..., k]
    return dx


@mistake("conv_backward.dx", "Only the first image gets a gradient", EVERY_IMAGE)
def dx_first_image(dout, cache):
    return _dx(_one(dout, 0, 0), cache)


@mistake("conv_backward.dx", "Only the last image gets a gradient", EVERY_IMAGE)
def dx_last_image(dout, cache):
    return _dx(_one(dout, 0, -1), cache)


@mistake("conv_backward.dx", "Every image gets the gradient of the first", EVERY_IMAGE)
def dx_image_repeated(dout, cache):
    return _dx(np.repeat(dout[:1], len(dout), axis=0), cache)


@mistake(
    "conv_backward.dx",
    "Only one filter hands its gradient back",
    f"{EVERY_FILTER} A pixel took part in the outputs of all of them.",
)
def dx_first_filter(dout, cache):
    return _dx(_one(dout, 3, 0), cache)


@mistake(
    "conv_backward.dx",
    "Only one filter hands its gradient back",
    f"{EVERY_FILTER} A pixel took part in the outputs of all of them: = or +=?",
)
def dx_last_filter(dout, cache):
    return _dx(_one(dout, 3, -1), cache)


@mistake("conv_backward.dx", "A mean over the filters instead of a sum", NO_MEAN)
def dx_mean_of_filters(dout, cache):
    return _dx(dout, cache) / dout.shape[3]


@mistake("conv_backward.dx", "Divided by the number of images", NO_MEAN)
def dx_divided_by_images(dout, cache):
    return _dx(dout, cache) / len(dout)


@mistake("conv_backward.dx", "Where windows overlap, a mean instead of a sum", NO_MEAN)
def dx_divided_by_windows(dout, cache):
    x, w, b, _, _ = cache
    ones = np.ones((*w.shape[:3], 1))
    seen = _dx(np.ones_like(dout[..., :1]), (x, ones, b[:1], *cache[3:]))
    return _dx(dout, cache) / np.maximum(seen, 1)


MIXED = "Channels are mixed"
OWN_CHANNEL = "Channel c of a pixel was multiplied by channel c of the filter, and by no other."


@mistake("conv_backward.dx", MIXED, OWN_CHANNEL)
def dx_channels_summed(dout, cache):
    w = cache[1]
    return _dx(dout, cache, w=np.repeat(w.sum(axis=2, keepdims=True), w.shape[2], axis=2))


@mistake("conv_backward.dx", MIXED, OWN_CHANNEL)
def dx_channel_repeated(dout, cache):
    w = cache[1]
    return _dx(dout, cache, w=np.repeat(w[:, :, :1], w.shape[2], axis=2))


@mistake("conv_backward.dx", "Only channel 0 gets a gradient", OWN_CHANNEL)
def dx_first_channel(dout, cache):
    return _dx(dout, cache, w=_one(cache[1], 2, 0))


MISREAD = "The gradients are read off in another order than the windows"
LOOK_AT_ORDER = (
    "dout is (N, OH, OW, K). A reshape never changes an order: to bring K to the front the axes "
    "have to be transposed first."
)


@mistake("conv_backward.dx", MISREAD, LOOK_AT_ORDER)
def dx_misread(dout, cache):
    return _dx(_misread(dout), cache)


@mistake(
    "conv_backward.dx",
    "The upstream gradient is turned by 180°",
    "Output (i, j) hands back to the window that starts i steps down and j to the right. Only the "
    "filter is turned where dx is written as a convolution.",
)
def dx_dout_turned(dout, cache):
    return _dx(dout[:, ::-1, ::-1], cache)


@mistake("conv_backward.dx", SWAPPED, ROWS_FIRST)
def dx_dout_swapped(dout, cache):
    return _dx(_swapped(dout), cache)


@mistake(
    "conv_backward.dx",
    "The weights are not used",
    "An output changes with a pixel by the weight that the two have in common.",
)
def dx_without_weights(dout, cache):
    return _dx(dout, cache, w=np.ones_like(cache[1]))


@mistake(
    "conv_backward.dx",
    "The upstream gradient is not used",
    "By the chain rule each weight that is handed back counts with its entry of dout.",
)
def dx_without_dout(dout, cache):
    return _dx(np.ones_like(dout), cache)


@mistake("conv_backward.dx", "It starts from x instead of zeros", FROM_ZEROS)
def dx_starts_from_x(dout, cache):
    return _dx(dout, cache) + cache[0]


@mistake(
    "conv_backward.dx",
    "The pixels are mixed into their own gradient",
    "How an output changes with a pixel is said by the weight alone, whatever the pixel holds.",
)
def dx_times_x(dout, cache):
    return _dx(dout, cache) * cache[0]


@mistake(
    "conv_backward.dx",
    "Only the first window hands its gradient back",
    "All other pixels are still zero. Does a return stand inside a loop?",
)
def dx_first_window(dout, cache):
    return _dx(_first_position(dout), cache)


@mistake("conv_backward.dx", ANOTHER_PLACE, ORDER)
def dx_is_dw(dout, cache):
    return _right(dout, cache)[1]


@mistake("conv_backward.dx", ANOTHER_PLACE, ORDER)
def dx_is_db(dout, cache):
    return _right(dout, cache)[2]


@mistake(
    "conv_backward.dx",
    "The gradient has the shape of the output",
    "dx says for each pixel of x how the loss changes with it, so it has the shape of x.",
)
def dx_is_dout(dout, cache):
    return dout


@mistake(
    "conv_backward.dx",
    "A gradient replaces the one before it",
    "The places of a window see overlapping pixels, and a pixel collects from each: = or +=?",
)
def dx_last_place(dout, cache):
    x, w, _, S, pad = cache
    N, H, W, C = x.shape
    _, OH, OW, _ = dout.shape
    dx = np.zeros((N, H + 2 * pad, W + 2 * pad, C))
    for u, v in np.ndindex(w.shape[:2]):
        dx[:, u : u + S * OH : S, v : v + S * OW : S] = dout @ w[u, v].T
    return _cropped(dx, cache)


@mistake("conv_backward.dx", REPLACED_UNMOVED, f"{TWO_THINGS}{IN_STEPS} Then: = or +=?")
def dx_last_window_without_stride(dout, cache):
    return _cropped(_dpadded(dout, cache, steps=(1, 1), add=False), cache)


@mistake("conv_backward.dx", REPLACED_UNMOVED, f"{TWO_THINGS}{IN_STEPS} Then: = or +=?")
def dx_last_filter_without_stride(dout, cache):
    return _cropped(_dpadded(_one(dout, 3, -1), cache, steps=(1, 1), add=False), cache)


PIXELS = "Pixels instead of weights"
NOT_THE_WINDOW = (
    "This is the line of dw once more. An output changes with a pixel by the weight that the two "
    "have in common."
)


@mistake("conv_backward.dx", PIXELS, NOT_THE_WINDOW)
def dx_of_pixels(dout, cache):
    return _handed_pixels(dout, cache, cache[3])


@mistake("conv_backward.dx", PIXELS, f"{NOT_THE_WINDOW} And the stride is not applied.")
def dx_of_pixels_without_stride(dout, cache):
    return _handed_pixels(dout, cache, 1)


@mistake("conv_backward.dx", PIXELS, f"{NOT_THE_WINDOW} And = stands where += is meant.")
def dx_of_pixels_last_window(dout, cache):
    return _handed_pixels(_one(dout, 3, -1), cache, cache[3], add=False)


def _handed_pixels(dout, cache, step, *, add=True):
    x, w, _, _, pad = cache
    padded = _padded(x, pad)
    dx = np.zeros(padded.shape)
    for i, j in np.ndindex(dout.shape[1:3]):
        window = np.s_[:, i * step : i * step + w.shape[0], j * step : j * step + w.shape[1]]
        handed = padded[window] * dout[:, i, j].sum(axis=-1)[:, None, None, None]
        dx[window] = handed + (dx[window] if add else 0)
    return _cropped(dx, cache)


@mistake(
    "conv_backward.dx",
    "Every gradient is added more than once",
    "The sum over the filters stands inside the loop over the filters. One of the two is enough.",
)
def dx_once_per_filter(dout, cache):
    return _dx(dout, cache) * dout.shape[3]


@mistake(
    "conv_backward.dx",
    "The filter is transposed",
    "w[:, :, :, k] has the shape of the window as it is, (FH, FW, C): .T turns the axes around.",
)
def dx_all_axes_transposed(dout, cache):
    x, w, _, stride, pad = cache
    dx = np.zeros(_padded(x, pad).shape)
    for n, i, j, k in np.ndindex(dout.shape):
        part = dx[n, i * stride : i * stride + w.shape[0], j * stride : j * stride + w.shape[1]]
        part += w[:, :, :, k].T * dout[n, i, j, k]
    return _cropped(dx, cache)


@mistake("conv_backward.dx", ALL_PADDED, ONE_PAIR_EACH)
def dx_all_axes_padded(dout, cache):
    return _handed_weights(dout, cache, np.zeros(np.pad(cache[0], cache[4]).shape), cache[3])


@mistake("conv_backward.dx", UNPADDED_UNMOVED, f"{TWO_THINGS}{ROOM} Then: {IN_STEPS}")
def dx_unpadded_without_stride(dout, cache):
    return _handed_weights(dout, cache, np.zeros(cache[0].shape), 1)


def _handed_weights(dout, cache, dx, step):
    """The plain loops, into an array of any shape: an error where a window does not fit in it."""
    w = cache[1]
    for n, i, j, k in np.ndindex(dout.shape):
        top, left = i * step, j * step
        dx[n, top : top + w.shape[0], left : left + w.shape[1]] += w[..., k] * dout[n, i, j, k]
    return dx


@mistake("conv_backward.dx", WRONG_CROP, CROP_END)
def dx_cropped_to_h(dout, cache):
    (_, H, W, _), pad = cache[0].shape, cache[4]
    return _dpadded(dout, cache)[:, pad:H, pad:W]


@mistake("conv_backward.dx", WRONG_CROP, CROP_END)
def dx_cropped_to_h_minus_pad(dout, cache):
    (_, H, W, _), pad = cache[0].shape, cache[4]
    return _dpadded(dout, cache)[:, pad : H - pad, pad : W - pad]


@mistake(
    "conv_backward.dx",
    "Its places are read off as if the channels came first",
    "A row of dout times the filters holds the places of a window in the order of w: FH, FW, C. "
    "A reshape never changes an order.",
)
def dx_rows_misread(dout, cache):
    w = cache[1]
    FH, FW, C, K = w.shape
    return _dx(dout, cache, w=w.reshape(C, FH, FW, K).transpose(1, 2, 0, 3))


@mistake("conv_backward.dx", MISREAD, LOOK_AT_ORDER)
def dx_transposed_and_misread(dout, cache):
    return _dx(_transposed_and_misread(dout), cache)


def _register_mirrored():
    def mirrored(gradient, axis):
        def wrong(dout, cache):
            return gradient(np.flip(dout, axis), cache)

        return wrong

    for part, gradient in (("dx", _dx), ("dw", _dw)):
        for axis in (1, 2):
            mistake(f"conv_backward.{part}", MIRRORED, SAME_WAY)(mirrored(gradient, axis))


@mistake("conv_backward.dx", RIGHT_UNPADDED, f"{ROOM} {CROP}")
def dx_right_unpadded(dout, cache):
    if cache[4]:
        raise WrongNumbers
    return _dx(dout, cache)


@mistake("conv_backward.dx", RIGHT_AT_STRIDE_1, IN_STEPS)
def dx_right_at_stride_1(dout, cache):
    if cache[3] != 1:
        raise WrongNumbers
    return _dx(dout, cache)


# dw


def _dw(dout, cache, **changed):
    return _right(dout, (changed.get("x", cache[0]), *cache[1:]))[1]


def _products(dout, padded, filter_shape, stride, *, across=None, gap=1):
    """Σ window · dout with windows of any padded images, any step (down and across), any gap."""
    FH, FW = filter_shape[:2]
    extent = gap * (FH - 1) + 1, gap * (FW - 1) + 1
    windows = sliding_window_view(padded, extent, axis=(1, 2))[:, ::stride, :: across or stride]
    windows = windows[:, : dout.shape[1], : dout.shape[2], :, ::gap, ::gap]
    return np.einsum("nijcuv,nijk->uvck", windows, dout)


def _padded(x, pad, **how):
    return np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)), **how)


@mistake("conv_backward.dw", "Only the last window counts", ADD_UP)
def dw_last_window(dout, cache):
    return _dw(_last_position(dout), cache)


@mistake("conv_backward.dw", "Only the first window counts", "Does a return stand in a loop?")
def dw_first_window(dout, cache):
    return _dw(_first_position(dout), cache)


@mistake("conv_backward.dw", "Only the last image counts", f"{EVERY_IMAGE} {ADD_UP}")
def dw_last_image(dout, cache):
    return _dw(_one(dout, 0, -1), cache)


@mistake("conv_backward.dw", "Only the first image counts", EVERY_IMAGE)
def dw_first_image(dout, cache):
    return _dw(_one(dout, 0, 0), cache)


@mistake("conv_backward.dw", "Every image is taken for the first", EVERY_IMAGE)
def dw_image_repeated(dout, cache):
    x = cache[0]
    return _dw(dout, cache, x=np.repeat(x[:1], len(x), axis=0))


@mistake(
    "conv_backward.dw",
    "Divided by the number of images",
    f"{NO_MEAN} If the loss is a mean over the images, dout knows it already.",
)
def dw_divided_by_images(dout, cache):
    return _dw(dout, cache) / len(dout)


@mistake("conv_backward.dw", "A mean over all windows instead of a sum", NO_MEAN)
def dw_mean(dout, cache):
    return _dw(dout, cache) / dout[..., 0].size


@mistake("conv_backward.dw", "A mean over the windows of an image instead of a sum", NO_MEAN)
def dw_mean_of_positions(dout, cache):
    return _dw(dout, cache) / dout[0, ..., 0].size


@mistake(
    "conv_backward.dw",
    "Turned by 180°",
    "Place (u, v) of the filter met place (u, v) of every window. Nothing is turned in dw.",
)
def dw_flipped(dout, cache):
    return _dw(dout, cache)[::-1, ::-1]


@mistake(
    "conv_backward.dw",
    "The upstream gradient is turned by 180°",
    "Output (i, j) belongs to the window that starts i steps down and j to the right.",
)
def dw_dout_turned(dout, cache):
    return _dw(dout[:, ::-1, ::-1], cache)


@mistake(
    "conv_backward.dw",
    "Rows and columns are swapped",
    "The first axis of dw goes down with the rows of the window, the second goes along a row.",
)
def dw_transposed(dout, cache):
    return _dw(dout, cache).transpose(1, 0, 2, 3)


@mistake(
    "conv_backward.dw",
    "The axes stand in another order than those of w",
    "dw has the shape of w, (FH, FW, C, K): channels in, then filters.",
)
def dw_channels_and_filters_swapped(dout, cache):
    return _dw(dout, cache).transpose(0, 1, 3, 2)


@mistake(
    "conv_backward.dw",
    "The axes stand in another order than those of w",
    "dw has the shape of w, (FH, FW, C, K). Other libraries put the filters first.",
)
def dw_filters_first(dout, cache):
    return _dw(dout, cache).transpose(3, 0, 1, 2)


@mistake("conv_backward.dw", "The stride is not applied to where the window starts", IN_STEPS)
def dw_without_stride(dout, cache):
    x, w, _, _, pad = cache
    return _products(dout, _padded(x, pad), w.shape, 1)


@mistake("conv_backward.dw", "The stride spreads the window instead of moving it", NO_GAPS)
def dw_dilated(dout, cache):
    x, w, _, stride, pad = cache
    return _products(dout, _padded(x, pad), w.shape, 1, gap=stride)


UNPADDED = "The windows are cut from x without its border of zeros"
PAD_FIRST = "Forward, the windows slid over the padded image: dw has to see those same windows."


def _register_wrong_borders():
    """Each wrong border as loops meet it, over filters or over all of them at once."""
    borders = (
        (UNPADDED, PAD_FIRST, lambda x, pad: x, None),
        (ALL_PADDED, ONE_PAIR_EACH, np.pad, None),
        (UNPADDED_UNMOVED, f"{TWO_THINGS}{PAD_FIRST} Then: {IN_STEPS}", lambda x, pad: x, 1),
    )

    def with_loops(loops, border, step):
        def wrong(dout, cache):
            x, w, _, stride, pad = cache
            return loops(dout, border(x, pad), w.shape, step or stride)

        return wrong

    for name, look, border, step in borders:
        for loops in (_loops_over_filters, _loops_over_positions, _all_windows):
            mistake("conv_backward.dw", name, look)(with_loops(loops, border, step))


def _loops_over_filters(dout, padded, filter_shape, stride):
    dw = np.zeros(filter_shape)
    for n, i, j, k in np.ndindex(dout.shape):
        top, left = i * stride, j * stride
        window = padded[n, top : top + filter_shape[0], left : left + filter_shape[1]]
        dw[..., k] += window * dout[n, i, j, k]
    return dw


def _loops_over_positions(dout, padded, filter_shape, stride):
    dw = np.zeros(filter_shape)
    for n, i, j in np.ndindex(dout.shape[:3]):
        top, left = i * stride, j * stride
        window = padded[n, top : top + filter_shape[0], left : left + filter_shape[1]]
        dw += window[..., None] * dout[n, i, j]
    return dw


def _all_windows(dout, padded, filter_shape, stride):
    windows = sliding_window_view(padded, filter_shape[:2], axis=(1, 2))[:, ::stride, ::stride]
    return np.einsum("nijcuv,nijk->uvck", windows, dout)


_register_wrong_borders()


@mistake("conv_backward.dw", UNPADDED, f"{PAD_FIRST} Here the zeros stand at the end only.")
def dw_zeros_at_the_end(dout, cache):
    x, w, _, stride, pad = cache
    end = np.pad(x, ((0, 0), (0, 2 * pad), (0, 2 * pad), (0, 0)))
    return _products(dout, end, w.shape, stride)


@mistake(
    "conv_backward.dw",
    "The border repeats the edge instead of zeros",
    "dw has to see the windows that the forward pass saw, and there the border was zero.",
)
def dw_edge_padding(dout, cache):
    x, w, _, stride, pad = cache
    return _products(dout, _padded(x, pad, mode="edge"), w.shape, stride)


@mistake("conv_backward.dw", MISREAD, LOOK_AT_ORDER)
def dw_misread(dout, cache):
    return _dw(_misread(dout), cache)


@mistake(
    "conv_backward.dw",
    "Its places are read off in the order of the windows, not of w",
    "The rows of the window matrix count channels, then pixels; in w it is pixels, then channels. "
    "A reshape never changes an order.",
)
def dw_places_misread(dout, cache):
    dw = _dw(dout, cache)
    return dw.transpose(2, 0, 1, 3).reshape(dw.shape)


@mistake(
    "conv_backward.dw",
    "Its filters are read off as if they came first",
    "A product with K rows is to be transposed before it takes the shape of w, where K comes last.",
)
def dw_filters_misread(dout, cache):
    dw = _dw(dout, cache)
    return dw.transpose(3, 0, 1, 2).reshape(dw.shape)


@mistake("conv_backward.dw", "Every filter gets the same gradient", EVERY_FILTER)
def dw_first_filter(dout, cache):
    return _dw(np.repeat(dout[..., :1], dout.shape[3], axis=3), cache)


@mistake("conv_backward.dw", "Every filter gets the same gradient", EVERY_FILTER)
def dw_filters_summed(dout, cache):
    return _dw(np.repeat(dout.sum(axis=3, keepdims=True), dout.shape[3], axis=3), cache)


@mistake("conv_backward.dw", "Only one filter gets a gradient", EVERY_FILTER)
def dw_only_first_filter(dout, cache):
    return _dw(_one(dout, 3, 0), cache)


SAME_CHANNELS = "Every channel gets the same gradient"
OWN_CHANNEL_OF_X = "Channel c of the filter was multiplied by channel c of the image."


@mistake("conv_backward.dw", SAME_CHANNELS, OWN_CHANNEL_OF_X)
def dw_channel_repeated(dout, cache):
    x = cache[0]
    return _dw(dout, cache, x=np.repeat(x[..., :1], x.shape[3], axis=3))


@mistake("conv_backward.dw", SAME_CHANNELS, OWN_CHANNEL_OF_X)
def dw_channels_summed(dout, cache):
    x = cache[0]
    return _dw(dout, cache, x=np.repeat(x.sum(axis=3, keepdims=True), x.shape[3], axis=3))


@mistake(
    "conv_backward.dw",
    "The upstream gradient is not used",
    "By the chain rule each window counts with the gradient of its output.",
)
def dw_without_dout(dout, cache):
    return _dw(np.ones_like(dout), cache)


@mistake(
    "conv_backward.dw",
    "The pixels are not used",
    "An output changes with a weight by the pixel that the two have in common.",
)
def dw_without_pixels(dout, cache):
    return np.zeros(cache[1].shape) + dout.sum(axis=(0, 1, 2))


@mistake(
    "conv_backward.dw",
    "Weights instead of pixels",
    "An output changes with a weight by the pixel that the two have in common.",
)
def dw_of_weights(dout, cache):
    return cache[1] * dout.sum(axis=(0, 1, 2))


@mistake("conv_backward.dw", "It starts from w instead of zeros", FROM_ZEROS)
def dw_starts_from_w(dout, cache):
    return _dw(dout, cache) + cache[1]


@mistake(
    "conv_backward.dw",
    "The sign is reversed",
    "A gradient says how the loss grows. On the way back nothing is subtracted.",
)
def dw_negative(dout, cache):
    return -_dw(dout, cache)


@mistake("conv_backward.dw", SWAPPED, ROWS_FIRST)
def dw_dout_swapped(dout, cache):
    return _dw(_swapped(dout), cache)


@mistake("conv_backward.dw", "Every image gets the upstream gradient of the first", EVERY_IMAGE)
def dw_dout_repeated(dout, cache):
    return _dw(np.repeat(dout[:1], len(dout), axis=0), cache)


@mistake("conv_backward.dw", ANOTHER_PLACE, ORDER)
def dw_is_dx(dout, cache):
    return _right(dout, cache)[0]


@mistake("conv_backward.dw", ANOTHER_PLACE, ORDER)
def dw_is_db(dout, cache):
    return _right(dout, cache)[2]


LAST_POSITION = "Only the windows at the last position count"


@mistake("conv_backward.dw", LAST_POSITION, ADD_UP)
def dw_last_position(dout, cache):
    return _dw(_one(_one(dout, 1, -1), 2, -1), cache)


@mistake(
    "conv_backward.dw",
    "Images are mixed",
    "The window of image n belongs to dout of image n: both have the same index.",
)
def dw_images_mixed(dout, cache):
    return _dw(np.repeat(dout.sum(axis=0, keepdims=True), len(dout), axis=0), cache)


@mistake("conv_backward.dw", SWAPPED, ROWS_FIRST)
def dw_dout_swapped_in_einsum(dout, cache):
    if dout.shape[1] != dout.shape[2]:
        raise Undecided
    return _dw(dout.transpose(0, 2, 1, 3), cache)


@mistake(
    "conv_backward.dw",
    "The stride moves the window down only",
    "Along a row the windows still start one pixel after the other.",
)
def dw_stride_down_only(dout, cache):
    x, w, _, stride, pad = cache
    return _products(dout, _padded(x, pad), w.shape, stride, across=1)


@mistake(
    "conv_backward.dw",
    "The axes of the window and of the filters do not line up",
    "The window is (FH, FW, C), and dout[n, i, j] holds K numbers. Every filter wants the whole "
    "window times a number of its own.",
)
def dw_window_times_all_filters(dout, cache):
    x, w, _, stride, pad = cache
    padded, dw = _padded(x, pad), np.zeros(w.shape)
    for n, i, j in np.ndindex(dout.shape[:3]):
        top, left = i * stride, j * stride
        window = padded[n, top : top + w.shape[0], left : left + w.shape[1]]
        dw += window * dout[n, i, j]
    return dw


@mistake(
    "conv_backward.dw",
    "Rows and columns are swapped",
    "The first axis of dw goes down with the rows of the window, the second goes along a row.",
)
def dw_places_swapped(dout, cache):
    w = cache[1]
    if w.shape[0] != w.shape[1]:
        raise Undecided
    return _dw(dout, cache).transpose(1, 0, 2, 3)


@mistake(
    "conv_backward.dw",
    "The weights are changed already",
    "Only the gradient is asked for. What is done with it is decided elsewhere.",
)
def dw_step_taken(dout, cache):
    return cache[1] - _dw(dout, cache)


@mistake("conv_backward.dw", MISREAD, LOOK_AT_ORDER)
def dw_transposed_and_misread(dout, cache):
    return _dw(_transposed_and_misread(dout), cache)


_register_mirrored()


@mistake("conv_backward.dw", RIGHT_UNPADDED, PAD_FIRST)
def dw_right_unpadded(dout, cache):
    if cache[4]:
        raise WrongNumbers
    return _dw(dout, cache)


@mistake("conv_backward.dw", RIGHT_AT_STRIDE_1, IN_STEPS)
def dw_right_at_stride_1(dout, cache):
    if cache[3] != 1:
        raise WrongNumbers
    return _dw(dout, cache)


# db


@mistake("conv_backward.db", ANOTHER_PLACE, ORDER)
def db_is_dw(dout, cache):
    return _right(dout, cache)[1]


@mistake("conv_backward.db", ANOTHER_PLACE, ORDER)
def db_is_dx(dout, cache):
    return _right(dout, cache)[0]


@mistake(
    "conv_backward.db",
    "A mean instead of a sum",
    "b[k] was added to every output of filter k, and collects from all of them.",
)
def db_mean(dout, cache):
    return dout.mean(axis=(0, 1, 2))


@mistake(
    "conv_backward.db",
    "Divided by the number of images",
    f"{NO_MEAN} If the loss is a mean over the images, dout knows it already.",
)
def db_divided_by_images(dout, cache):
    return dout.sum(axis=(0, 1, 2)) / len(dout)


@mistake("conv_backward.db", "A mean over the positions instead of a sum", NO_MEAN)
def db_mean_of_positions(dout, cache):
    return dout.mean(axis=(1, 2)).sum(axis=0)


WRONG_AXES = "Summed over the wrong axes"
ALL_BUT_LAST = (
    "db has the shape of b, (K,): one number for each filter. Which axes of (N, OH, OW, K) are to "
    "disappear?"
)


def _register_axes():
    """Every choice of axes but the right one, for learners try many."""

    def summed(axes):
        def wrong(dout, cache):
            return dout.sum(axis=axes)

        return wrong

    for axes in (0, 1, 2, 3, (0, 1), (0, 2), (1, 2), (0, 1, 3), (0, 2, 3), (1, 2, 3), None):
        wrong = summed(axes)
        wrong.__name__ = f"db_summed_over_{axes}"
        mistake("conv_backward.db", WRONG_AXES, ALL_BUT_LAST)(wrong)


_register_axes()


@mistake(
    "conv_backward.db",
    "Axes of length 1 are left over",
    "db has the shape of b, (K,). What does keepdims do?",
)
def db_keepdims(dout, cache):
    return dout.sum(axis=(0, 1, 2), keepdims=True)


@mistake(
    "conv_backward.db",
    "An axis of length 1 is left over",
    "db has the shape of b, (K,), not that of a matrix with one row or one column.",
)
def db_row(dout, cache):
    return dout.sum(axis=(0, 1, 2))[None]


@mistake(
    "conv_backward.db",
    "An axis of length 1 is left over",
    "db has the shape of b, (K,), not that of a matrix with one row or one column.",
)
def db_column(dout, cache):
    return dout.sum(axis=(0, 1, 2))[:, None]


@mistake("conv_backward.db", MISREAD, LOOK_AT_ORDER)
def db_misread(dout, cache):
    return dout.reshape(dout.shape[3], -1).sum(axis=1)


@mistake("conv_backward.db", MISREAD, LOOK_AT_ORDER)
def db_transposed_and_misread(dout, cache):
    return _transposed_and_misread(dout).sum(axis=(0, 1, 2))


@mistake("conv_backward.db", "Only the first image counts", EVERY_IMAGE)
def db_first_image(dout, cache):
    return dout[0].sum(axis=(0, 1))


@mistake("conv_backward.db", "Only the last image counts", f"{EVERY_IMAGE} {ADD_UP}")
def db_last_image(dout, cache):
    return dout[-1].sum(axis=(0, 1))


@mistake("conv_backward.db", "Only the last output counts", ADD_UP)
def db_last_output(dout, cache):
    return dout[-1, -1, -1]


@mistake("conv_backward.db", "Only the first output counts", "Does a return stand in a loop?")
def db_first_output(dout, cache):
    return dout[0, 0, 0]


@mistake(
    "conv_backward.db",
    "Multiplied by b",
    "An output changes with its bias one to one, whatever the bias is.",
)
def db_times_b(dout, cache):
    return dout.sum(axis=(0, 1, 2)) * cache[2]


@mistake("conv_backward.db", "It starts from b instead of zeros", FROM_ZEROS)
def db_starts_from_b(dout, cache):
    return dout.sum(axis=(0, 1, 2)) + cache[2]


@mistake(
    "conv_backward.db",
    "The upstream gradient is not used",
    "The number of outputs is right where every gradient is 1. In general each counts with its "
    "entry of dout.",
)
def db_counts_outputs(dout, cache):
    return np.full(dout.shape[3], dout[..., 0].size)


TOO_OFTEN = "Every gradient is added more than once"
ONCE = "b[k] was added once to each output. Does a line stand one loop too deep?"


@mistake("conv_backward.db", TOO_OFTEN, ONCE)
def db_once_per_place(dout, cache):
    FH, FW, _, _ = cache[1].shape
    return dout.sum(axis=(0, 1, 2)) * (FH * FW)


@mistake("conv_backward.db", TOO_OFTEN, ONCE)
def db_once_per_product(dout, cache):
    return dout.sum(axis=(0, 1, 2)) * cache[1][..., 0].size


@mistake("conv_backward.db", TOO_OFTEN, ONCE)
def db_once_per_filter(dout, cache):
    return dout.sum(axis=(0, 1, 2)) * dout.shape[3]


@mistake(
    "conv_backward.db",
    "Every filter gets the sum of all",
    EVERY_FILTER,
)
def db_all_filters(dout, cache):
    return np.full(dout.shape[3], dout.sum())
