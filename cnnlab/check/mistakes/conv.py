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
    "The first axis of w goes down with the rows of the image, the second goes along a row; and so "
    "it is with the rows and columns of a window.",
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
    "The windows hang over the edge",
    "At the border they have too few pixels. Are they cut from the padded image? Or is the padding "
    "counted twice in the size?",
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


@mistake(
    "conv_forward",
    "Only the last channel is kept",
    "Each channel replaces the one before it. They are to be added up: = or +=?",
)
def conv_last_channel(x, w, b, *, stride=1, pad=0):
    return _conv(x[..., -1:], w[:, :, -1:], b, stride=stride, pad=pad)


@mistake(
    "conv_forward",
    "The bias is added once for every channel",
    "b[k] is added inside the loop over the channels. It belongs after it, once for each output.",
)
def conv_bias_per_channel(x, w, b, *, stride=1, pad=0):
    return _conv(x, w, b * w.shape[2], stride=stride, pad=pad)


GOES_ON = "The sum goes on from one output to the next"
FROM_NOTHING = "For every output a total begins at zero again."


@mistake("conv_forward", GOES_ON, FROM_NOTHING)
def conv_total_goes_on(x, w, b, *, stride=1, pad=0):
    out = _conv(x, w, np.zeros_like(b), stride=stride, pad=pad)
    return np.cumsum(out).reshape(out.shape) + b


@mistake("conv_forward", GOES_ON, FROM_NOTHING)
def conv_total_and_bias_go_on(x, w, b, *, stride=1, pad=0):
    out = _conv(x, w, b, stride=stride, pad=pad)
    return np.cumsum(out).reshape(out.shape)


@mistake(
    "conv_forward",
    "Every filter gets the weights of the first",
    "There are K filters: filter k is the last index of w.",
)
def conv_first_weights(x, w, b, *, stride=1, pad=0):
    return _conv(x, np.repeat(w[..., :1], w.shape[3], axis=3), b, stride=stride, pad=pad)


@mistake(
    "conv_forward",
    "The images of the batch are added up",
    "The first axis of x is the batch: one window is cut from one image.",
)
def conv_images_added(x, w, b, *, stride=1, pad=0):
    added = np.repeat(x.sum(axis=0, keepdims=True), len(x), axis=0)
    return _conv(added, w, b, stride=stride, pad=pad)


ONE_SIDE = "The zeros stand on one side only"
ALL_SIDES = "There are pad rows above and pad below, pad columns to the left and pad to the right."


@mistake("conv_forward", ONE_SIDE, ALL_SIDES)
def conv_padded_behind(x, w, b, *, stride=1, pad=0):
    padded = np.pad(x, ((0, 0), (0, 2 * pad), (0, 2 * pad), (0, 0)))
    return _conv(padded, w, b, stride=stride)


@mistake("conv_forward", ONE_SIDE, ALL_SIDES)
def conv_padded_in_front(x, w, b, *, stride=1, pad=0):
    padded = np.pad(x, ((0, 0), (2 * pad, 0), (2 * pad, 0), (0, 0)))
    return _conv(padded, w, b, stride=stride)


@mistake("conv_forward", "The border holds ones", "What is added around the image are zeros.")
def conv_padded_with_ones(x, w, b, *, stride=1, pad=0):
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)), constant_values=1)
    return _conv(padded, w, b, stride=stride)


EMPTY = "At pad 0 there is no room for the image"
MINUS_ZERO = "A slice that ends at -pad ends at 0 then, so before it begins. Count from the front."


@mistake("conv_forward", EMPTY, MINUS_ZERO)
def conv_laid_into_nothing(x, w, b, *, stride=1, pad=0):
    padded = np.zeros_like(_padded(x, pad))
    padded[:, pad:-pad, pad:-pad] = x
    return _conv(padded, w, b, stride=stride)


@mistake("conv_forward", EMPTY, MINUS_ZERO)
def conv_each_laid_into_nothing(x, w, b, *, stride=1, pad=0):
    padded = np.zeros_like(_padded(x, pad))
    for n in range(len(x)):
        padded[n, pad:-pad, pad:-pad] = x[n]
    return _conv(padded, w, b, stride=stride)


@mistake(
    "conv_forward",
    "The padding is missing in the size of the output",
    "OH and OW count the positions on the padded image.",
)
def conv_size_unpadded(x, w, b, *, stride=1, pad=0):
    OH, OW = _size_of(x, w, stride, 0)
    return _conv(x, w, b, stride=stride, pad=pad)[:, :OH, :OW]


@mistake(
    "conv_forward",
    "The padding is counted twice",
    "Once x is padded, its shape includes the zeros.",
)
def conv_padded_twice(x, w, b, *, stride=1, pad=0):
    return _conv(x, w, b, stride=stride, pad=2 * pad)


@mistake(
    "conv_forward",
    "Row and column of the window are swapped",
    "Right on the diagonal only. The output row i goes down the image, the column j along a row.",
)
def conv_position_swapped(x, w, b, *, stride=1, pad=0):
    return _loops(_padded(x, pad), w, b, _size_of(x, w, stride, pad), stride, swapped=True)


@mistake(
    "conv_forward",
    "Height and width of the filter are swapped",
    "The shape of w is (FH, FW, C, K): rows first, then columns.",
)
def conv_swapped_filter(x, w, b, *, stride=1, pad=0):
    FW, FH = w.shape[:2]
    OH = output_size(x.shape[1], FH, stride=stride, pad=pad)
    OW = output_size(x.shape[2], FW, stride=stride, pad=pad)
    return _loops(_padded(x, pad), w, b, (OH, OW), stride, window=(FH, FW))


@mistake(
    "conv_forward",
    "Height and width are swapped",
    "Right on squares only. The shape is (N, H, W, C): rows first, then columns.",
)
def conv_swapped_image(x, w, b, *, stride=1, pad=0):
    _, W, H, _ = x.shape
    OH = output_size(H, w.shape[0], stride=stride, pad=pad)
    OW = output_size(W, w.shape[1], stride=stride, pad=pad)
    return _loops(_padded(x, pad), w, b, (OH, OW), stride)


@mistake(
    "conv_forward",
    "The window ends where it would at stride 1",
    "Both its ends move with the stride: they stay FH rows and FW columns apart.",
)
def conv_end_without_stride(x, w, b, *, stride=1, pad=0):
    size = _size_of(x, w, stride, pad)
    return _loops(_padded(x, pad), w, b, size, stride, end_step=1)


LAST_ROW = "The last row and the last column are missing"
LAST_PLACE = "How far does range go? And the last place where the window fits counts too."


@mistake("conv_forward", LAST_ROW, LAST_PLACE)
def conv_last_row_zero(x, w, b, *, stride=1, pad=0):
    out = _conv(x, w, b, stride=stride, pad=pad)
    out[:, -1], out[:, :, -1] = 0, 0
    return out


@mistake("conv_forward", LAST_ROW, LAST_PLACE)
def conv_one_too_few(x, w, b, *, stride=1, pad=0):
    return _conv(x, w, b, stride=stride, pad=pad)[:, :-1, :-1]


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


READ_BACKWARD = "transpose is read the other way round"
OLD_AXES = "Place by place, its numbers say which OLD axis comes there. Which one has to come last?"


@mistake("conv_forward", READ_BACKWARD, OLD_AXES)
def conv_rows_read_backward(x, w, b, *, stride=1, pad=0):
    return _columns(x, w.shape, (0, 1, 2, 5, 3, 4), stride, pad) @ w.reshape(-1, w.shape[3]) + b


@mistake("conv_forward", READ_BACKWARD, OLD_AXES)
def conv_filters_read_backward(x, w, b, *, stride=1, pad=0):
    columns = _columns(x, w.shape, (0, 1, 2, 3, 4, 5), stride, pad)
    return columns @ w.transpose(1, 2, 0, 3).reshape(-1, w.shape[3]) + b


WHOLE_WINDOWS = (
    "A row has to be one window. reshape reads along the last axis first, so the positions have to "
    "come before the places of the window."
)


def _register_misread_windows():
    def misread(order):
        def wrong(x, w, b, *, stride=1, pad=0):
            columns = _columns(x, w.shape, order, stride, pad)
            rows = columns.reshape(columns.shape[3], -1).T
            return (rows @ w.reshape(-1, w.shape[3]) + b).reshape(*columns.shape[:3], -1)

        return wrong

    for order in ((0, 1, 2, 4, 5, 3), (0, 1, 2, 3, 4, 5)):
        mistake("conv_forward", MISORDERED, WHOLE_WINDOWS)(misread(order))


_register_misread_windows()


@mistake(
    "conv_forward",
    "The outputs are read off filter by filter",
    "The product has been turned: each row is a filter. Turn it back before it gets its four axes.",
)
def conv_outputs_misread(x, w, b, *, stride=1, pad=0):
    out = _conv(x, w, b, stride=stride, pad=pad)
    return out.reshape(-1, out.shape[3]).T.reshape(out.shape)


@mistake(
    "conv_forward",
    "The outputs are still rows of one list",
    "The product has a row for each position: give it its four axes back.",
)
def conv_rows_left(x, w, b, *, stride=1, pad=0):
    return _conv(x, w, b, stride=stride, pad=pad).reshape(-1, w.shape[3])


@mistake(
    "conv_forward",
    "The stride moves the window down only",
    "Along a row the windows still start one pixel after the other.",
)
def conv_stride_down_only_in_full(x, w, b, *, stride=1, pad=0):
    return _conv(x, w, b, pad=pad)[:, ::stride]


@mistake(
    "conv_forward",
    "The stride moves the window to the right only",
    "From row to row the windows still start one pixel after the other.",
)
def conv_stride_right_only(x, w, b, *, stride=1, pad=0):
    return _conv(x, w, b, pad=pad)[:, :, ::stride]


def _register_misshapen_rows():
    """Slips after which the windows do not fill the rows: an error, in each form of the reshape."""
    forms = (
        lambda N, OH, OW, size: (N * OH * OW, size),
        lambda N, OH, OW, size: (N * OH * OW, -1),
        lambda N, OH, OW, size: (-1, size),
    )
    slips = (
        (
            "The stride is ignored",
            "The output is that of stride 1.",
            lambda x, w, stride, pad: _windows(_padded(x, pad), w.shape[:2]),
        ),
        (
            "The stride cuts the batch",
            "Axis 0 of the windows is the batch; the positions are axes 1 and 2.",
            lambda x, w, stride, pad: _windows(_padded(x, pad), w.shape[:2])[::stride, ::stride],
        ),
        (
            "The stride moves the window down only",
            "Along a row the windows still start one pixel after the other.",
            lambda x, w, stride, pad: _windows(_padded(x, pad), w.shape[:2])[:, ::stride],
        ),
        (
            "No zeros are added around the image",
            "There are too few windows wherever pad is not 0.",
            lambda x, w, stride, pad: _windows(x, w.shape[:2])[:, ::stride, ::stride],
        ),
        (
            "An axis is padded that should not be",
            "Only height and width get zeros, not the batch nor the channels: np.pad wants one "
            "pair for each axis.",
            lambda x, w, stride, pad: _windows(np.pad(x, pad), w.shape[:2])[:, ::stride, ::stride],
        ),
        (
            "Height and width of the window are swapped",
            "The shape of w is (FH, FW, C, K): rows first, then columns.",
            lambda x, w, stride, pad: _windows(_padded(x, pad), w.shape[1::-1])[
                :, ::stride, ::stride
            ],
        ),
    )

    def with_rows(windows, form):
        def wrong(x, w, b, *, stride=1, pad=0):
            N, (OH, OW) = len(x), _size_of(x, w, stride, pad)
            rows = windows(x, w, stride, pad).transpose(0, 1, 2, 4, 5, 3)
            rows = rows.reshape(form(N, OH, OW, w[..., 0].size))
            return (rows @ w.reshape(-1, w.shape[3]) + b).reshape(N, OH, OW, w.shape[3])

        return wrong

    for name, look, windows in slips:
        for form in forms:
            mistake("conv_forward", name, look)(with_rows(windows, form))


_register_misshapen_rows()


def _register_pairs():
    """Two slips at once, where both are common."""

    def with_other(wrong, other):
        def both(x, w, b, *, stride=1, pad=0):
            w, b, stride, pad = other(w, b, stride, pad)
            return wrong(x, w, b, stride=stride, pad=pad)

        return both

    others = {
        "the bias is missing": lambda w, b, stride, pad: (w, np.zeros_like(b), stride, pad),
        "the stride is ignored": lambda w, b, stride, pad: (w, b, 1, pad),
        "no zeros are added": lambda w, b, stride, pad: (w, b, stride, 0),
        "the filter is turned": lambda w, b, stride, pad: (w[::-1, ::-1], b, stride, pad),
    }
    orders = {
        "The numbers are in the wrong order": (conv_rows_channels_first, conv_rows_half_ordered),
        READ_BACKWARD: (conv_rows_read_backward,),
    }
    pairs = [(name, wrong, o) for name, some in orders.items() for wrong in some for o in others]
    pairs += [
        (name, wrong, "the bias is missing")
        for name, wrong in (
            ("The filter is turned", conv_flipped),
            ("The stride is not applied", conv_start_without_stride),
            ("The stride moves the window down only", conv_stride_down_only),
            ("No zeros are added", conv_without_padding),
            ("Only channel 0 is used", conv_first_channel),
            ("Only the last channel is kept", conv_last_channel),
            ("Only the last place of the window is kept", conv_last_place),
        )
    ]
    for name, wrong, other in pairs:
        look = "Two things at once: mend one after the other, and check in between."
        mistake("conv_forward", f"{name}, and {other}", look)(with_other(wrong, others[other]))


_register_pairs()


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
    "Row and column of the output are swapped",
    "Right on squares only. The output is (N, OH, OW, K): the row i comes before the column j.",
)
def conv_output_shape_swapped(x, w, b, *, stride=1, pad=0):
    right = _conv(x, w, b, stride=stride, pad=pad)
    out = np.zeros(right.transpose(0, 2, 1, 3).shape)
    for n, i, j, k in np.ndindex(right.shape):
        out[n, i, j, k] = right[n, i, j, k]
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


def _loops(padded, w, b, size, stride, *, window=None, end_step=None, swapped=False):
    """Convolution as learners write it: a window that hangs over the edge is an error here too."""
    FH, FW = window or w.shape[:2]
    end_step = end_step or stride
    out = np.zeros((len(padded), *size, w.shape[3]))
    for n, i, j, k in np.ndindex(out.shape):
        row, column = (j, i) if swapped else (i, j)
        down = slice(row * stride, row * end_step + FH)
        along = slice(column * stride, column * end_step + FW)
        out[n, i, j, k] = (padded[n, down, along] * w[..., k]).sum() + b[k]
    return out


def _windows(padded, size):
    return sliding_window_view(padded, size, axis=(1, 2))


def _columns(x, filter_shape, order, stride, pad):
    """(N, OH, OW, FH·FW·C): windows flattened in the given order of axes."""
    windows = _windows(_padded(x, pad), filter_shape[:2])[:, ::stride, ::stride]
    return windows.transpose(order).reshape(*windows.shape[:3], -1)
