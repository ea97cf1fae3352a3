"""Mistakes in the forward pass of max and average pooling."""

import math
from itertools import product

import numpy as np

from cnnlab.check.mistakes.base import SizesClash, WrongNumbers, mistake
from cnnlab.shapes import output_size


def _pool(x, summary, kernel_size, stride, *, steps=None, size=None):
    """Each window through summary, which turns (N, FH, FW, C) into (N, C), as in loops."""
    (FH, FW), (SH, SW) = kernel_size, steps or (stride, stride)
    out = np.zeros((len(x), *(size or _size(x, kernel_size, stride)), x.shape[3]))
    for i, j in np.ndindex(out.shape[1:3]):
        window = x[:, i * SH : i * SH + FH, j * SW : j * SW + FW]
        out[:, i, j] = summary(window)
    return out


def _size(x, kernel_size, stride):
    sizes = zip(x.shape[1:3], kernel_size, strict=True)
    return tuple(output_size(size, F, stride=stride) for size, F in sizes)


def _largest(window):
    return window.max(axis=(1, 2))


def _mean(window):
    with np.errstate(invalid="ignore"):  # beyond the edge there is nothing to divide
        return _sum(window) / math.prod(window.shape[1:3])


def _sum(window):
    return window.sum(axis=(1, 2))


SUMMARIES = {"max_pool_forward": _largest, "avg_pool_forward": _mean}


def _of_both(name, look):
    """Register a wrong version of both kinds of pooling; it takes the right summary first."""

    def register(wrong):
        for operation, summary in SUMMARIES.items():
            mistake(operation, name, look)(_with(wrong, summary))
        return wrong

    return register


def _with(wrong, summary):
    def pooled(x, *, kernel_size, stride):
        return wrong(summary, x, kernel_size, stride)

    pooled.__name__ = wrong.__name__
    return pooled


EACH_CHANNEL = (
    "Each channel is pooled by itself, so the output has as many channels as x. Over which axes is "
    "the window summarized?"
)
EACH_IMAGE = "The first axis of x is the batch: every image in it is pooled by itself."
FORCED = "The windows are taken to lie side by side"
NOT_FORCED = (
    "The step from one window to the next is the stride. It need not be the size of the window: "
    "windows may overlap."
)


@_of_both(FORCED, NOT_FORCED)
def pool_side_by_side(summary, x, kernel_size, stride):
    size = [length // F for length, F in zip(x.shape[1:3], kernel_size, strict=True)]
    return _pool(x, summary, kernel_size, stride, steps=kernel_size, size=size)


@_of_both(FORCED, NOT_FORCED)
def pool_steps_of_the_window(summary, x, kernel_size, stride):
    """The size is right, the steps are not: the last windows lie beyond the edge."""
    return _pool(x, summary, kernel_size, stride, steps=kernel_size)


@_of_both(FORCED, NOT_FORCED)
def pool_by_reshape(summary, x, kernel_size, stride):
    (N, H, W, C), (FH, FW) = x.shape, kernel_size
    blocks = x.reshape(N, H // FH, FH, W // FW, FW, C).transpose(0, 1, 3, 2, 4, 5)
    flat = summary(blocks.reshape(-1, FH, FW, C))
    return flat.reshape(N, H // FH, W // FW, C)


@_of_both(
    "The window is as large as the stride",
    "How large a window is says kernel_size; the stride says where the next one starts.",
)
def pool_window_of_the_stride(summary, x, kernel_size, stride):
    size = _size(x, kernel_size, stride)
    return _pool(x, summary, (stride, stride), stride, size=size)


@_of_both(
    "The stride is not applied to where the window starts",
    "The number of outputs is right, but each window starts one pixel after the one before, "
    "whatever the stride.",
)
def pool_start_without_stride(summary, x, kernel_size, stride):
    return _pool(x, summary, kernel_size, stride, steps=(1, 1))


@_of_both("The stride is ignored", "The output is that of stride 1.")
def pool_without_stride(summary, x, kernel_size, stride):
    return _pool(x, summary, kernel_size, 1)


@_of_both(
    "The stride moves the window down only",
    "Along a row the windows still start one pixel after the other.",
)
def pool_stride_down_only(summary, x, kernel_size, stride):
    return _pool(x, summary, kernel_size, stride, steps=(stride, 1))


@_of_both(
    "The stride spreads the window instead of moving it",
    "Pixels of one window are neighbors; the stride is the step from one window to the next.",
)
def pool_dilated(summary, x, kernel_size, stride):
    FH, FW = kernel_size
    out = np.zeros((len(x), *_size(x, kernel_size, stride), x.shape[3]))
    for i, j in np.ndindex(out.shape[1:3]):
        out[:, i, j] = summary(x[:, i : i + FH * stride : stride, j : j + FW * stride : stride])
    return out


TURNED = "Height and width of the window are swapped"
NOT_TURNED = "Right on square windows only. kernel_size is (FH, FW): rows first, then columns."


@_of_both(TURNED, NOT_TURNED)
def pool_window_turned(summary, x, kernel_size, stride):
    size = _size(x, kernel_size, stride)
    return _pool(x, summary, kernel_size[::-1], stride, size=size)


@_of_both(TURNED, NOT_TURNED)
def pool_window_turned_everywhere(summary, x, kernel_size, stride):
    FH, FW = kernel_size[::-1]
    size = [(length - F) // stride + 1 for length, F in zip(x.shape[1:3], (FH, FW), strict=True)]
    return _pool(x, summary, (FH, FW), stride, size=size)


@_of_both(
    "The window is always square",
    "kernel_size is (FH, FW), and the two may differ: here FH is used for both.",
)
def pool_height_for_both(summary, x, kernel_size, stride):
    square = (kernel_size[0], kernel_size[0])
    return _pool(x, summary, square, stride, size=_size(x, kernel_size, stride))


@_of_both(
    "Height and width are swapped",
    "Right on squares only. The shape is (N, H, W, C): rows first, then columns.",
)
def pool_size_swapped(summary, x, kernel_size, stride):
    OH, OW = _size(x, kernel_size, stride)
    return _pool(x, summary, kernel_size, stride, size=(OW, OH))


@_of_both(
    "Height and width are swapped",
    "The rows of the window move with the column of the output. Row i goes with the first axis of "
    "the image.",
)
def pool_read_swapped(summary, x, kernel_size, stride):
    (FH, FW), S = kernel_size, stride
    out = np.zeros((len(x), *_size(x, kernel_size, stride), x.shape[3]))
    for i, j in np.ndindex(out.shape[1:3]):
        out[:, i, j] = summary(x[:, j * S : j * S + FH, i * S : i * S + FW])
    return out


@_of_both(
    "One row and one column too many",
    "The output size is rounded up, or 1 is added twice.",
)
def pool_one_too_many(summary, x, kernel_size, stride):
    out = _pool(x, summary, kernel_size, stride)
    return np.pad(out, ((0, 0), (0, 1), (0, 1), (0, 0)))


@_of_both(
    "The last row and column are missing",
    "Count the positions by hand for 6 pixels, window 2, stride 2: the first one counts too.",
)
def pool_one_too_few(summary, x, kernel_size, stride):
    return _pool(x, summary, kernel_size, stride)[:, :-1, :-1]


@_of_both("Only the first image is pooled", EACH_IMAGE)
def pool_first_image(summary, x, kernel_size, stride):
    out = _pool(x, summary, kernel_size, stride)
    out[1:] = 0
    return out


@_of_both("Every image gets the outputs of the first", EACH_IMAGE)
def pool_image_repeated(summary, x, kernel_size, stride):
    return _pool(np.repeat(x[:1], len(x), axis=0), summary, kernel_size, stride)


@_of_both("Only channel 0 is pooled", EACH_CHANNEL)
def pool_first_channel(summary, x, kernel_size, stride):
    out = _pool(x, summary, kernel_size, stride)
    out[..., 1:] = 0
    return out


@_of_both("Only channel 0 is pooled", EACH_CHANNEL)
def pool_one_channel(summary, x, kernel_size, stride):
    return _pool(x[..., :1], summary, kernel_size, stride)


@_of_both("Every channel gets the outputs of channel 0", EACH_CHANNEL)
def pool_channel_repeated(summary, x, kernel_size, stride):
    return _pool(np.repeat(x[..., :1], x.shape[3], axis=3), summary, kernel_size, stride)


@_of_both(
    "Only the first output is computed",
    "The others are still zero. Does a return stand inside a loop?",
)
def pool_first_output(summary, x, kernel_size, stride):
    out = _pool(x, summary, kernel_size, stride)
    first = np.zeros_like(out)
    first[0, 0, 0] = out[0, 0, 0]
    return first


@_of_both(
    "Only the first output is computed",
    "The others are still zero. Does a return stand inside a loop?",
)
def pool_first_number(summary, x, kernel_size, stride):
    out = _pool(x, summary, kernel_size, stride)
    first = np.zeros_like(out)
    first[0, 0, 0, 0] = out[0, 0, 0, 0]
    return first


@_of_both(
    "Only the first output of each image is computed",
    "The others are still zero. Does a return stand inside a loop?",
)
def pool_first_position(summary, x, kernel_size, stride):
    out = _pool(x, summary, kernel_size, stride)
    first = np.zeros_like(out)
    first[:, 0, 0] = out[:, 0, 0]
    return first


@_of_both(
    "The output holds whole numbers only",
    "What stands behind the decimal point is cut off when a number is put into an array of ints, "
    "or by //.",
)
def pool_truncated(summary, x, kernel_size, stride):
    return _pool(x, summary, kernel_size, stride).astype(int)


@_of_both(
    "The whole image is summarized at every position",
    "Each output sees its own window only.",
)
def pool_whole_image(summary, x, kernel_size, stride):
    out = _pool(x, summary, kernel_size, stride)
    return np.broadcast_to(summary(x)[:, None, None], out.shape)


@_of_both(
    "The output is not made smaller",
    "Pooling makes one number out of each window: it does not write it back over the window.",
)
def pool_written_back(summary, x, kernel_size, stride):
    (FH, FW), S, out = kernel_size, stride, _pool(x, summary, kernel_size, stride)
    same = np.zeros(x.shape)
    for i, j in np.ndindex(out.shape[1:3]):
        same[:, i * S : i * S + FH, j * S : j * S + FW] = out[:, i : i + 1, j : j + 1]
    return same


@_of_both(
    "The channels come before rows and columns",
    "In this course the channels are the last axis, of what comes in and of what goes out.",
)
def pool_channels_first(summary, x, kernel_size, stride):
    return _pool(x, summary, kernel_size, stride).transpose(0, 3, 1, 2)


@_of_both("The channels are pooled too", EACH_CHANNEL)
def pool_across_channels(summary, x, kernel_size, stride):
    def of_all(window):
        N, FH, FW, C = window.shape
        return np.repeat(summary(window.reshape(N, FH, FW * C, 1)), C, axis=1)

    return _pool(x, of_all, kernel_size, stride)


@_of_both("The channels are pooled too", EACH_CHANNEL)
def pool_channels_gone(summary, x, kernel_size, stride):
    return pool_across_channels(summary, x, kernel_size, stride)[..., 0]


@_of_both("The channels are pooled too", EACH_CHANNEL)
def pool_channels_to_one(summary, x, kernel_size, stride):
    return pool_across_channels(summary, x, kernel_size, stride)[..., :1]


@_of_both("The images of the batch are pooled together", EACH_IMAGE)
def pool_across_images(summary, x, kernel_size, stride):
    def of_all(window):
        N, FH, FW, C = window.shape
        together = summary(window.reshape(1, N * FH, FW, C))
        return np.repeat(together, N, axis=0)

    return _pool(x, of_all, kernel_size, stride)


@_of_both(
    "The first pixel of each window is taken",
    "That is a smaller copy of the image. The output says something about all pixels of its "
    "window.",
)
def pool_first_pixel(summary, x, kernel_size, stride):
    return _pool(x, lambda window: window[:, 0, 0], kernel_size, stride)


@_of_both(
    "The last pixel of each window is taken",
    "Each pixel replaces the one before it. How does a loop over the pixels keep what it found so "
    "far?",
)
def pool_last_pixel(summary, x, kernel_size, stride):
    return _pool(x, lambda window: window[:, -1, -1], kernel_size, stride)


@_of_both(
    "Only the first row of each window is seen",
    "A window has FH rows and FW columns: the summary runs over both.",
)
def pool_first_row(summary, x, kernel_size, stride):
    return _pool(x, lambda window: summary(window[:, :1]), kernel_size, stride)


@_of_both(
    "Only the first column of each window is seen",
    "A window has FH rows and FW columns: the summary runs over both.",
)
def pool_first_column(summary, x, kernel_size, stride):
    return _pool(x, lambda window: summary(window[:, :, :1]), kernel_size, stride)


@_of_both(
    "reshape does not cut out windows",
    "reshape reads numbers off row by row of the image. The pixels of a window stand in several "
    "rows.",
)
def pool_misread(summary, x, kernel_size, stride):
    (N, _, _, C), (FH, FW) = x.shape, kernel_size
    OH, OW = _size(x, kernel_size, stride)
    return summary(x.reshape(-1, FH, FW, C)).reshape(N, OH, OW, C)


# Max pooling


def _max_only(name, look):
    def register(summary):
        def pooled(x, *, kernel_size, stride):
            return _pool(x, summary, kernel_size, stride)

        pooled.__name__ = summary.__name__
        return mistake("max_pool_forward", name, look)(pooled)

    return register


@_max_only(
    "The search for the maximum starts at 0",
    "Where no number of the window is above zero, the output is 0: a number that the window does "
    "not hold. Start with one that it does.",
)
def max_from_zero(window):
    return np.maximum(_largest(window), 0)


@_max_only("The smallest number instead of the largest", "Which of the two does a maximum keep?")
def max_smallest(window):
    return window.min(axis=(1, 2))


@_max_only("A mean instead of the maximum", "That is average pooling.")
def max_mean(window):
    return _mean(window)


@_max_only("A sum instead of the maximum", "A maximum is one of the window's numbers.")
def max_sum(window):
    return _sum(window)


@_max_only(
    "Signs are lost",
    "The largest number is kept as it is: −1 is larger than −3, and stays −1.",
)
def max_of_absolutes(window):
    return np.abs(window).max(axis=(1, 2))


@_max_only(
    "Signs are ignored in the search for the maximum",
    "The largest number wins, not the one farthest from zero.",
)
def max_farthest_from_zero(window):
    flat = window.reshape(len(window), -1, window.shape[3])
    place = np.abs(flat).argmax(axis=1)[:, None]
    return np.take_along_axis(flat, place, axis=1)[:, 0]


@_max_only(
    "The place of the maximum instead of the maximum",
    "argmax says where the largest number stands; the output is the number itself.",
)
def max_place(window):
    return window.reshape(len(window), -1, window.shape[3]).argmax(axis=1)


@_max_only(
    "The search for the maximum ends too early",
    "The first number that is larger than the one before is not yet the largest: go on to the end "
    "of the window.",
)
def max_first_rise(window):
    flat = window.reshape(len(window), -1, window.shape[3])
    best, found = flat[:, 0].copy(), np.zeros(flat[:, 0].shape, bool)
    for number in flat[:, 1:].swapaxes(0, 1):
        rises = ~found & (number > best)
        best[rises], found = number[rises], found | rises
    return best


@_max_only(
    "Each pixel is compared with the one before it only",
    "What is kept is the larger one of the last two. Compare with the largest so far.",
)
def max_of_the_last_two(window):
    flat = window.reshape(len(window), -1, window.shape[3])
    return flat[:, -2:].max(axis=1)


@_max_only("The middle one of the sorted numbers", "That is the median. Which end is the largest?")
def max_median(window):
    return np.median(window, axis=(1, 2))


# Average pooling


def _avg_only(name, look):
    def register(wrong):
        def pooled(x, *, kernel_size, stride):
            out = _pool(x, _sum, kernel_size, stride)
            return wrong(out, x, kernel_size, stride)

        pooled.__name__ = wrong.__name__
        return mistake("avg_pool_forward", name, look)(pooled)

    return register


@_avg_only(
    "A sum instead of the mean",
    "Every output is too large by the same factor: the number of pixels in a window.",
)
def avg_sum(out, x, kernel_size, stride):
    return out


WRONG_COUNT = "The sum is divided by the wrong number"
PLACES = "A mean divides by how many numbers were added up. Count them for one window."


@_avg_only(WRONG_COUNT, f"{PLACES} You divided by the square of the stride.")
def avg_divided_by_stride(out, x, kernel_size, stride):
    return out / stride**2


@_avg_only(WRONG_COUNT, f"{PLACES} You divided by the height of the window alone.")
def avg_divided_by_height(out, x, kernel_size, stride):
    return out / kernel_size[0]


@_avg_only(WRONG_COUNT, f"{PLACES} You divided by the width of the window alone.")
def avg_divided_by_width(out, x, kernel_size, stride):
    return out / kernel_size[1]


@_avg_only(WRONG_COUNT, f"{PLACES} You divided by the square of its height.")
def avg_divided_by_height_squared(out, x, kernel_size, stride):
    return out / kernel_size[0] ** 2


@_avg_only(WRONG_COUNT, f"{PLACES} You divided by the height plus the width.")
def avg_divided_by_height_plus_width(out, x, kernel_size, stride):
    return out / sum(kernel_size)


@_avg_only(WRONG_COUNT, f"{PLACES} You divided by the number of pixels of the image.")
def avg_divided_by_pixels(out, x, kernel_size, stride):
    return out / math.prod(x.shape[1:3])


@_avg_only(WRONG_COUNT, f"{PLACES} You divided by the number of outputs.")
def avg_divided_by_outputs(out, x, kernel_size, stride):
    return out / math.prod(out.shape[1:3])


@_avg_only(
    WRONG_COUNT,
    f"{PLACES} The channels are counted too, but each channel is pooled by itself.",
)
def avg_divided_by_channels_too(out, x, kernel_size, stride):
    return out / (math.prod(kernel_size) * x.shape[3])


@_avg_only(
    WRONG_COUNT,
    f"{PLACES} The images are counted too, but each image is pooled by itself.",
)
def avg_divided_by_images_too(out, x, kernel_size, stride):
    return out / (math.prod(kernel_size) * len(x))


@_avg_only("The largest number instead of the mean", "That is max pooling.")
def avg_largest(out, x, kernel_size, stride):
    return _pool(x, _largest, kernel_size, stride)


@_avg_only("The middle one of the sorted numbers", "That is the median. A mean weighs all alike.")
def avg_median(out, x, kernel_size, stride):
    return _pool(x, lambda window: np.median(window, axis=(1, 2)), kernel_size, stride)


@_avg_only(
    "Halfway between the largest and the smallest",
    "A mean weighs all numbers of the window alike, not just two of them.",
)
def avg_of_the_extremes(out, x, kernel_size, stride):
    def middle(window):
        return (_largest(window) + window.min(axis=(1, 2))) / 2

    return _pool(x, middle, kernel_size, stride)


@_avg_only(
    "Zeros and negative numbers are not counted",
    "A mean takes all numbers of the window, whatever they are.",
)
def avg_of_positives(out, x, kernel_size, stride):
    def positives(window):
        count = (window > 0).sum(axis=(1, 2))
        return np.maximum(window, 0).sum(axis=(1, 2)) / np.maximum(count, 1)

    return _pool(x, positives, kernel_size, stride)


# Slips of both that are seen less often


def _each_image(summarize, *, each_channel=False):
    """Loops over images too, over channels where so told, and whatever comes of a window there."""

    def pooled(x, *, kernel_size, stride):
        (FH, FW), S = kernel_size, stride
        out = np.zeros((len(x), *_size(x, kernel_size, stride), x.shape[3]))
        for n, i, j in np.ndindex(out.shape[:3]):
            window = x[n, i * S : i * S + FH, j * S : j * S + FW]
            if each_channel:
                for c in range(x.shape[3]):
                    out[n, i, j, c] = summarize(window[..., c])
            else:
                out[n, i, j] = summarize(window)
        return out

    return pooled


def _all_images(summarize):
    def pooled(x, *, kernel_size, stride):
        return _pool(x, summarize, kernel_size, stride)

    return pooled


WHICH_AXES = "A window has two axes, its rows and its columns. Which two of the array's are they?"
WHOLE = {"max_pool_forward": np.max, "avg_pool_forward": np.mean}

for _operation, _whole in WHOLE.items():
    _axes = mistake(_operation, "The window is summarized over the wrong axes", WHICH_AXES)
    for _axis in (0, 1, 2, (0, 2), (1, 2)):
        _axes(_each_image(lambda window, f=_whole, axis=_axis: f(window, axis=axis)))
    for _axis in (0, 1, 2, 3, (0, 1), (1, 3), (2, 3)):
        _axes(_all_images(lambda window, f=_whole, axis=_axis: f(window, axis=axis)))
    _tuple = mistake(
        _operation, "The two axes are not handed over as one", f"{WHICH_AXES} axis takes a tuple."
    )
    for _pair in ((0, 1), (1, 2)):
        _name = "max" if _whole is np.max else "mean"
        for _loops in (_each_image, _all_images):
            _tuple(_loops(lambda window, f=_name, pair=_pair: getattr(window, f)(*pair)))

_builtin = mistake(
    "max_pool_forward",
    "Python's max instead of NumPy's",
    "It compares whole rows with each other. NumPy's takes an array of any number of axes.",
)
_builtin(_each_image(max))
_builtin(_each_image(max, each_channel=True))


@_of_both(TURNED, NOT_TURNED)
def pool_window_turned_does_not_fit(summary, x, kernel_size, stride):
    return _pool(x, summary, kernel_size[::-1], stride)


@_of_both(
    "Pixels are taken for positions",
    "The loops count pixels, one stride after the other; the output is counted in positions.",
)
def pool_written_by_pixel(summary, x, kernel_size, stride):
    (FH, FW), (_, H, W, C) = kernel_size, x.shape
    out = np.zeros((len(x), *_size(x, kernel_size, stride), C))
    for i, j in product(range(0, H - FH + 1, stride), range(0, W - FW + 1, stride)):
        out[:, i, j] = summary(x[:, i : i + FH, j : j + FW])
    return out


COUNTED = "The output size is not the number of windows that fit"
COUNT = "Count them by hand, for 5 pixels, windows of 3 and stride 2."


@_of_both(COUNTED, f"{COUNT} Here it is the size of the image divided by the stride.")
def pool_size_by_stride(summary, x, kernel_size, stride):
    size = [length // stride for length in x.shape[1:3]]
    return _pool(x, summary, kernel_size, stride, size=size)


@_of_both(COUNTED, f"{COUNT} Here it is the size of the image divided by that of the window.")
def pool_size_by_window(summary, x, kernel_size, stride):
    size = [length // F for length, F in zip(x.shape[1:3], kernel_size, strict=True)]
    return _pool(x, summary, kernel_size, stride, size=size)


@_of_both(COUNTED, f"{COUNT} Here the size is worked out without the stride.")
def pool_size_without_stride(summary, x, kernel_size, stride):
    return _pool(x, summary, kernel_size, stride, size=_size(x, kernel_size, 1))


@_of_both(
    "The stride is handed over without its name",
    "shapes.output_size takes the two sizes by place, and the rest by name: stride=.",
)
def pool_size_by_place(summary, x, kernel_size, stride):
    return output_size(x.shape[1], kernel_size[0], stride)  # type: ignore[call-arg]


NO_END = "range(n) ends before n by itself: nothing has to be taken off."


@_of_both("The last row is never computed", NO_END)
def pool_without_last_row(summary, x, kernel_size, stride):
    out = _pool(x, summary, kernel_size, stride)
    out[:, -1] = 0
    return out


@_of_both("The last column is never computed", NO_END)
def pool_without_last_column(summary, x, kernel_size, stride):
    out = _pool(x, summary, kernel_size, stride)
    out[:, :, -1] = 0
    return out


@_of_both("The last row and column are never computed", NO_END)
def pool_without_last_row_and_column(summary, x, kernel_size, stride):
    out = _pool(x, summary, kernel_size, stride)
    out[:, -1] = out[:, :, -1] = 0
    return out


@_of_both(
    "Only the first row is computed",
    "The others are still zero. Does a return stand inside a loop?",
)
def pool_first_row_of_outputs(summary, x, kernel_size, stride):
    out = _pool(x, summary, kernel_size, stride)
    out[:, 1:] = 0
    return out


@_of_both(
    "Only the first row of the first image is computed",
    "The others are still zero. Does a return stand inside a loop?",
)
def pool_first_row_of_first_image(summary, x, kernel_size, stride):
    out = pool_first_row_of_outputs(summary, x, kernel_size, stride)
    out[1:] = 0
    return out


ALL_AT_ONCE = "The images and channels are pooled together"
EACH_ALONE = "Each channel of each image is pooled by itself. " + WHICH_AXES
for _operation, _whole in WHOLE.items():
    mistake(_operation, ALL_AT_ONCE, EACH_ALONE)(_all_images(_whole))


def _at_stride_1(summarize):
    def pooled(x, *, kernel_size, stride):
        return _pool(
            x, summarize, kernel_size, stride, steps=(1, 1), size=_size(x, kernel_size, stride)
        )

    return pooled


for _operation, _whole in WHOLE.items():
    _two = mistake(
        _operation,
        "The channels are pooled too, and the stride does not move the window",
        f"{EACH_ALONE} And from one window to the next it is stride pixels.",
    )
    _two(_at_stride_1(lambda window, f=_whole: f(window, axis=(1, 2, 3))[:, None]))
    _two(_at_stride_1(_whole))


@mistake(
    "max_pool_forward",
    "The search for the maximum starts too high",
    "Where all numbers of a window are below the start, the start itself comes out. Is there a "
    "number of the window to start with?",
)
def max_from_a_low_number(x, *, kernel_size, stride):
    if x.max() < -(2**19):
        raise WrongNumbers
    return _pool(x, _largest, kernel_size, stride)


@mistake(
    "max_pool_forward",
    "The slices of the places differ in size",
    "Each place of the window sees OH rows and OW columns, no more: where does its slice end?",
)
def max_of_slices_without_end(x, *, kernel_size, stride):
    for length, F in zip(x.shape[1:3], kernel_size, strict=True):
        count = output_size(length, F, stride=stride)
        if any(len(range(u, length, stride)) != count for u in range(F)):
            raise SizesClash
    return _pool(x, _largest, kernel_size, stride)


# x[:, top : top + FH] alone

ALL_COLUMNS = "The columns of the window are not cut out"
ALL_ROWS = "The rows of the window are not cut out"
FOUR_AXES = (
    "x is (N, H, W, C): behind the batch stands a slice for the rows, then one for the columns."
)


@_of_both(ALL_COLUMNS, FOUR_AXES)
def pool_all_columns(summary, x, kernel_size, stride):
    size = _size(x, kernel_size, stride)
    return _pool(x, summary, (kernel_size[0], x.shape[2]), stride, steps=(stride, 0), size=size)


@_of_both(ALL_COLUMNS, FOUR_AXES)
def pool_rows_place_by_place(summary, x, kernel_size, stride):
    """Where a slice for each place of the window lacks its columns, the output keeps them all."""
    size = _size(x, kernel_size, stride)[0], x.shape[2]
    return _pool(x, summary, (kernel_size[0], 1), stride, steps=(stride, 1), size=size)


@_of_both(ALL_ROWS, FOUR_AXES)
def pool_all_rows(summary, x, kernel_size, stride):
    size = _size(x, kernel_size, stride)
    return _pool(x, summary, (x.shape[1], kernel_size[1]), stride, steps=(0, stride), size=size)


# Further ways to divide

_avg_only(WRONG_COUNT, f"{PLACES} / FH*FW divides by FH, then multiplies by FW: mind the order.")(
    lambda out, x, kernel_size, stride: out / kernel_size[0] * kernel_size[1]
)
_avg_only(WRONG_COUNT, f"{PLACES} You divided by 4, whatever the window.")(
    lambda out, x, kernel_size, stride: out / 4
)

ROUNDED = "The means are rounded to whole numbers"
DIVIDE = "A mean need not be whole: / divides, // divides and rounds down."


@_avg_only(ROUNDED, DIVIDE)
def avg_rounded_down(out, x, kernel_size, stride):
    return out // math.prod(kernel_size)


@_avg_only(ROUNDED, "A mean need not be whole.")
def avg_rounded(out, x, kernel_size, stride):
    return np.round(out / math.prod(kernel_size))


ADDED_UP = "The channels are added up too"


@_avg_only(ADDED_UP, EACH_CHANNEL)
def avg_channels_added_up(out, x, kernel_size, stride):
    return np.broadcast_to(out.sum(axis=3, keepdims=True), out.shape) / math.prod(kernel_size)


@_avg_only(ADDED_UP, f"{EACH_CHANNEL} And the images of the batch are added up as well.")
def avg_all_added_up(out, x, kernel_size, stride):
    total = out.sum(axis=(0, 3), keepdims=True)
    return np.broadcast_to(total, out.shape) / math.prod(kernel_size)


@_avg_only(
    "Only the last pixel of the window is counted",
    "Each pixel replaces the one before it. They are to be added up: = or +=?",
)
def avg_last_share(out, x, kernel_size, stride):
    last = _pool(x, lambda window: window[:, -1, -1], kernel_size, stride)
    return last / math.prod(kernel_size)
