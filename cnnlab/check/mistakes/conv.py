"""Mistakes in the forward pass of a convolution: the output alone."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from cnnlab.check.mistakes.base import Undecided, WrongNumbers, mistake
from cnnlab.ops import conv_forward
from cnnlab.shapes import output_size


def _conv(x, w, b, *, stride=1, pad=0):
    return conv_forward(x, w, b, stride=stride, pad=pad)[0]


@mistake(
    "conv_forward",
    "The filter is turned by 180°",
    "Convolution layers do not flip: place (0, 0) of the window meets place (0, 0) of the filter.",
)
def conv_flipped(x, w, b, *, stride=1, pad=0):
    return _conv(x, w[::-1, ::-1], b, stride=stride, pad=pad)


@mistake(
    "conv_forward",
    "The filter is transposed: rows and columns are swapped",
    "The first axis of w goes down with the rows of the image, the second goes along a row.",
)
def conv_transposed(x, w, b, *, stride=1, pad=0):
    if w.shape[0] == w.shape[1]:
        return _conv(x, w.transpose(1, 0, 2, 3), b, stride=stride, pad=pad)
    raise Undecided


@mistake(
    "conv_forward",
    "The bias is missing",
    "Every output of filter k is off by the same number, b[k].",
)
def conv_without_bias(x, w, b, *, stride=1, pad=0):
    return _conv(x, w, np.zeros_like(b), stride=stride, pad=pad)


@mistake(
    "conv_forward",
    "The bias is added once for every product",
    "b[k] is added inside the sum over the window. It belongs after it, once for each output.",
)
def conv_bias_per_product(x, w, b, *, stride=1, pad=0):
    return _conv(x, w, b * w[..., 0].size, stride=stride, pad=pad)


@mistake(
    "conv_forward",
    "The bias is added once for every place of the window",
    "b[k] is added inside the loop over the window's places. It belongs after it, once for each "
    "output.",
)
def conv_bias_per_place(x, w, b, *, stride=1, pad=0):
    return _conv(x, w, b * (w.shape[0] * w.shape[1]), stride=stride, pad=pad)


@mistake(
    "conv_forward",
    "Only channel 0 is used",
    "A filter spans the full depth: the sum runs over all C channels.",
)
def conv_first_channel(x, w, b, *, stride=1, pad=0):
    return _conv(x[..., :1], w[:, :, :1], b, stride=stride, pad=pad)


@mistake(
    "conv_forward",
    "Only filter 0 is used",
    "There are K filters, each with an output channel of its own.",
)
def conv_first_filter(x, w, b, *, stride=1, pad=0):
    out = _conv(x, w[..., :1], b[:1], stride=stride, pad=pad)
    return np.repeat(out, w.shape[3], axis=3)


@mistake(
    "conv_forward",
    "Only the first image is computed",
    "The first axis of x is the batch: every image in it gets its outputs.",
)
def conv_first_image(x, w, b, *, stride=1, pad=0):
    out = _conv(x, w, b, stride=stride, pad=pad)
    out[1:] = 0
    return out


@mistake(
    "conv_forward",
    "The border repeats the edge instead of zeros",
    "Only outputs whose window reaches into the padding are off: look at how x is padded.",
)
def conv_edge_padding(x, w, b, *, stride=1, pad=0):
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode="edge")
    return _conv(padded, w, b, stride=stride)


@mistake(
    "conv_forward",
    "The border mirrors the image instead of zeros",
    "Only outputs whose window reaches into the padding are off: look at how x is padded.",
)
def conv_reflect_padding(x, w, b, *, stride=1, pad=0):
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode="reflect")
    return _conv(padded, w, b, stride=stride)


@mistake(
    "conv_forward",
    "No zeros are added around the image",
    "The output is too small wherever pad is not 0.",
)
def conv_without_padding(x, w, b, *, stride=1, pad=0):
    return _conv(x, w, b, stride=stride)


@mistake(
    "conv_forward",
    "No zeros are added around the image",
    "The output has its right size, but at the border the windows have too few pixels.",
)
def conv_windows_cut_off(x, w, b, *, stride=1, pad=0):
    return _loops(x, w, b, _size_of(x, w, stride, pad), stride)


@mistake(
    "conv_forward",
    "An axis is padded that should not be",
    "Only height and width get zeros, not the batch nor the channels: np.pad wants one pair for "
    "each axis.",
)
def conv_all_axes_padded(x, w, b, *, stride=1, pad=0):
    return _loops(np.pad(x, pad), w, b, _size_of(x, w, stride, pad), stride)


@mistake(
    "conv_forward",
    "The stride is not applied to where the window starts",
    "The number of outputs is right, but each window starts one pixel after the one before, "
    "whatever the stride.",
)
def conv_start_without_stride(x, w, b, *, stride=1, pad=0):
    out = _conv(x, w, b, stride=stride, pad=pad)
    dense = _conv(x, w, b, stride=1, pad=pad)
    return dense[:, : out.shape[1], : out.shape[2]]


@mistake(
    "conv_forward",
    "The stride is ignored",
    "The output is that of stride 1.",
)
def conv_without_stride(x, w, b, *, stride=1, pad=0):
    return _conv(x, w, b, stride=1, pad=pad)


@mistake(
    "conv_forward",
    "The stride spreads the window instead of moving it",
    "Between the pixels of one window there are gaps: that is dilation. Pixels of a window are "
    "neighbors; the stride is the step from one window to the next.",
)
def conv_dilated(x, w, b, *, stride=1, pad=0):
    FH, FW, C, K = w.shape
    spread = np.zeros((stride * (FH - 1) + 1, stride * (FW - 1) + 1, C, K), w.dtype)
    spread[::stride, ::stride] = w
    return _conv(x, spread, b, stride=1, pad=pad)


@mistake(
    "conv_forward",
    "One row and one column too many",
    "The output size is rounded up, or 1 is added twice.",
)
def conv_one_too_many(x, w, b, *, stride=1, pad=0):
    out = _conv(x, w, b, stride=stride, pad=pad)
    return np.pad(out, ((0, 0), (0, 1), (0, 1), (0, 0)))


@mistake(
    "conv_forward",
    "Height and width are swapped",
    "Right on squares only. The shape is (N, H, W, C): rows first, then columns.",
)
def conv_swapped_size(x, w, b, *, stride=1, pad=0):
    OH, OW = _size_of(x, w, stride, pad)
    padded = _padded(x, pad)
    return _loops(padded, w, b, (OW, OH), stride)


@mistake(
    "conv_forward",
    "Only every stride-th output is computed",
    "The loops run over outputs, and every output is needed. The stride says where the window of "
    "an output starts.",
)
def conv_outputs_skipped(x, w, b, *, stride=1, pad=0):
    OH, OW = _size_of(x, w, stride, pad)
    dense = _conv(x, w, b, stride=1, pad=pad)
    out = np.zeros((len(x), OH, OW, w.shape[3]))
    out[:, ::stride, ::stride] = dense[:, :OH:stride, :OW:stride]
    return out


@mistake(
    "conv_forward",
    "The stride moves the window down only",
    "Along a row the windows still start one pixel after the other.",
)
def conv_stride_down_only(x, w, b, *, stride=1, pad=0):
    OH, OW = _size_of(x, w, stride, pad)
    return _conv(x, w, b, pad=pad)[:, ::stride][:, :OH, :OW]


@mistake(
    "conv_forward",
    "Every filter gets the first bias",
    "b holds one bias for each filter: filter k gets b[k].",
)
def conv_first_bias(x, w, b, *, stride=1, pad=0):
    return _conv(x, w, np.full_like(b, b[0]), stride=stride, pad=pad)


@mistake(
    "conv_forward",
    "Every image gets the outputs of the first",
    "The first axis of x is the batch: image n is x[n].",
)
def conv_image_repeated(x, w, b, *, stride=1, pad=0):
    return _conv(np.repeat(x[:1], len(x), axis=0), w, b, stride=stride, pad=pad)


@mistake(
    "conv_forward",
    "Only the first output is computed",
    "The others are still zero. Does a return stand inside a loop?",
)
def conv_first_output(x, w, b, *, stride=1, pad=0):
    out = _conv(x, w, b, stride=stride, pad=pad)
    first = np.zeros_like(out)
    first[0, 0, 0, 0] = out[0, 0, 0, 0]
    return first


@mistake(
    "conv_forward",
    "A mean instead of a sum",
    "The products of a window are added up; nothing is divided by their number.",
)
def conv_mean(x, w, b, *, stride=1, pad=0):
    return _conv(x, w / w[..., 0].size, b, stride=stride, pad=pad)


@mistake(
    "conv_forward",
    "The output holds whole numbers only",
    "What stands behind the decimal point is cut off when a number is put into an array of ints.",
)
def conv_truncated(x, w, b, *, stride=1, pad=0):
    return _conv(x, w, b, stride=stride, pad=pad).astype(int)


@mistake(
    "conv_forward",
    "Only the last product is kept",
    "Each product replaces the one before it. They are to be added up: = or +=?",
)
def conv_last_product(x, w, b, *, stride=1, pad=0):
    last = np.zeros_like(w)
    last[-1, -1, -1] = w[-1, -1, -1]
    return _conv(x, last, b, stride=stride, pad=pad)


@mistake(
    "conv_forward",
    "Only the last place of the window is kept",
    "Each place replaces the one before it. They are to be added up: = or +=?",
)
def conv_last_place(x, w, b, *, stride=1, pad=0):
    last = np.zeros_like(w)
    last[-1, -1] = w[-1, -1]
    return _conv(x, last, b, stride=stride, pad=pad)


MISORDERED = "The right numbers in the wrong order"
LOOK_AT_ORDER = (
    "A row of the windows and a column of the filters hold the same places, but read off in "
    "different orders of axes. reshape never changes an order."
)


@mistake("conv_forward", MISORDERED, LOOK_AT_ORDER)
def conv_rows_channels_first(x, w, b, *, stride=1, pad=0):
    return _columns(x, w.shape, (0, 1, 2, 3, 4, 5), stride, pad) @ w.reshape(-1, w.shape[3]) + b


@mistake("conv_forward", MISORDERED, LOOK_AT_ORDER)
def conv_rows_half_ordered(x, w, b, *, stride=1, pad=0):
    return _columns(x, w.shape, (0, 1, 2, 4, 3, 5), stride, pad) @ w.reshape(-1, w.shape[3]) + b


@mistake("conv_forward", MISORDERED, LOOK_AT_ORDER)
def conv_filters_half_ordered(x, w, b, *, stride=1, pad=0):
    columns = _columns(x, w.shape, (0, 1, 2, 4, 5, 3), stride, pad)
    return columns @ w.transpose(3, 0, 1, 2).reshape(-1, w.shape[3]) + b


@mistake("conv_forward", MISORDERED, LOOK_AT_ORDER)
def conv_filters_misread(x, w, b, *, stride=1, pad=0):
    return _columns(x, w.shape, (0, 1, 2, 4, 5, 3), stride, pad) @ w.reshape(w.shape[3], -1).T + b


@mistake("conv_forward", MISORDERED, LOOK_AT_ORDER)
def conv_filters_misread_channels_first(x, w, b, *, stride=1, pad=0):
    FH, FW, C, K = w.shape
    return _conv(x, w.reshape(K, C, FH, FW).transpose(2, 3, 1, 0), b, stride=stride, pad=pad)


@mistake(
    "conv_forward",
    "The filters are taken to come first",
    "w is (FH, FW, C, K): other libraries have (K, C, FH, FW).",
)
def conv_filters_first(x, w, b, *, stride=1, pad=0):
    K, _, FH, FW = w.shape
    padded = _padded(x, pad)
    OH = output_size(x.shape[1], FH, stride=stride, pad=pad)
    OW = output_size(x.shape[2], FW, stride=stride, pad=pad)
    out = np.zeros((len(x), OH, OW, K))
    for n, i, j, k in np.ndindex(out.shape):
        top, left = i * stride, j * stride
        window = padded[n, top : top + FH, left : left + FW]
        out[n, i, j, k] = (window.transpose(2, 0, 1) * w[k]).sum() + b[k]
    return out


@mistake(
    "conv_forward",
    "Row and column of the output are swapped",
    "Right on squares only. The output is (N, OH, OW, K): the row i comes before the column j.",
)
def conv_output_swapped(x, w, b, *, stride=1, pad=0):
    right = _conv(x, w, b, stride=stride, pad=pad)
    out = np.zeros_like(right)
    for n, i, j, k in np.ndindex(out.shape):
        out[n, j, i, k] = right[n, i, j, k]
    return out


@mistake(
    "conv_forward",
    "Every filter gets the sum of all biases",
    "b holds one bias for each filter: filter k gets b[k].",
)
def conv_sum_of_biases(x, w, b, *, stride=1, pad=0):
    return _conv(x, w, np.full_like(b, b.sum()), stride=stride, pad=pad)


@mistake(
    "conv_forward",
    "Right where nothing is padded, and wrong elsewhere",
    "With pad, the windows slide over the image and its border of zeros: pad rows above and below, "
    "pad columns to the left and to the right.",
)
def conv_right_without_padding(x, w, b, *, stride=1, pad=0):
    if pad:
        raise WrongNumbers
    return _conv(x, w, b, stride=stride)


@mistake(
    "conv_forward",
    "Right at stride 1, and wrong elsewhere",
    "Output i is a number of steps, not a pixel: at stride 2 the window of output 3 starts at 6.",
)
def conv_right_at_stride_1(x, w, b, *, stride=1, pad=0):
    if stride != 1:
        raise WrongNumbers
    return _conv(x, w, b, pad=pad)


def _padded(x, pad):
    return np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))


def _size_of(x, w, stride, pad):
    return tuple(output_size(x.shape[a], w.shape[a - 1], stride=stride, pad=pad) for a in (1, 2))


def _loops(padded, w, b, size, stride):
    """Convolution as learners write it: a window that hangs over the edge is an error here too."""
    FH, FW, _, K = w.shape
    out = np.zeros((len(padded), *size, K))
    for n, i, j, k in np.ndindex(out.shape):
        top, left = i * stride, j * stride
        out[n, i, j, k] = (padded[n, top : top + FH, left : left + FW] * w[..., k]).sum() + b[k]
    return out


def _columns(x, filter_shape, order, stride, pad):
    """(N, OH, OW, FH·FW·C): windows flattened in the given order of axes."""
    padded = _padded(x, pad)
    windows = sliding_window_view(padded, filter_shape[:2], axis=(1, 2))[:, ::stride, ::stride]
    return windows.transpose(order).reshape(*windows.shape[:3], -1)
