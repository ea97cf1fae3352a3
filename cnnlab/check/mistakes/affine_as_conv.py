"""Mistakes in turning the weights of a fully connected layer into filters."""

import numpy as np

from cnnlab.check.mistakes.base import mistake

MISREAD = "The right numbers in the wrong order"
READ_SO = (
    "A volume is flattened along the channels first, then along the row, then down: that is how "
    "the H·W·C weights of a unit follow each other. Into which axes must it be cut, and in which "
    "order?"
)
PLACED = "The units do not stand on the last axis"
UNITS_LAST = "A filter is (H, W, C), and M of them are (H, W, C, M): which axis counts the units?"


@mistake("affine_as_conv", MISREAD, READ_SO)
def filters_channels_first(w, shape):
    H, W, C = shape
    return w.reshape(C, H, W, -1).transpose(1, 2, 0, 3)


@mistake("affine_as_conv", MISREAD, READ_SO)
def filters_columns_first(w, shape):
    H, W, C = shape
    return w.reshape(W, H, C, -1).transpose(1, 0, 2, 3)


@mistake("affine_as_conv", MISREAD, READ_SO)
def filters_channels_before_columns(w, shape):
    H, W, C = shape
    return w.reshape(H, C, W, -1).transpose(0, 2, 1, 3)


@mistake("affine_as_conv", MISREAD, READ_SO)
def filters_in_fortran_order(w, shape):
    return w.reshape(*shape, w.shape[1], order="F")


@mistake("affine_as_conv", MISREAD, f"{UNITS_LAST} A reshape never moves an axis.")
def filters_units_misread(w, shape):
    return w.reshape(-1, *shape).transpose(1, 2, 3, 0)


@mistake("affine_as_conv", MISREAD, f"{UNITS_LAST} w is (H·W·C, M): its units come last already.")
def filters_of_the_transpose(w, shape):
    return w.T.reshape(*shape, w.shape[1])


@mistake(
    "affine_as_conv",
    "The filters are turned by 180°",
    "Convolution layers do not flip, so there is nothing to make up for.",
)
def filters_flipped(w, shape):
    return w.reshape(*shape, w.shape[1])[::-1, ::-1]


@mistake(
    "affine_as_conv",
    "Height and width are swapped",
    "A filter as large as the image has H rows and W columns.",
)
def filters_wide(w, shape):
    H, W, C = shape
    return w.reshape(W, H, C, w.shape[1])


@mistake(
    "affine_as_conv",
    "Height and width are swapped",
    "A filter as large as the image has H rows and W columns.",
)
def filters_turned(w, shape):
    return w.reshape(*shape, w.shape[1]).swapaxes(0, 1)


@mistake("affine_as_conv", PLACED, UNITS_LAST)
def filters_units_first(w, shape):
    return w.T.reshape(-1, *shape)


@mistake("affine_as_conv", PLACED, UNITS_LAST)
def filters_units_first_misread(w, shape):
    return w.reshape(w.shape[1], *shape)


@mistake(
    "affine_as_conv",
    "The channels come before rows and columns",
    "In this course the depth comes after rows and columns: (H, W, C, M).",
)
def filters_depth_first(w, shape):
    return w.reshape(*shape, w.shape[1]).transpose(2, 0, 1, 3)


@mistake(
    "affine_as_conv",
    "Each filter sees one pixel only",
    "1×1 filters fit an image that was flattened into H·W·C channels. Here the image keeps its "
    "shape, and the filter has to be as large as it is.",
)
def filters_of_one_pixel(w, shape):
    return w[None, None]


@mistake(
    "affine_as_conv",
    "Only the first unit becomes a filter",
    "M units make M filters.",
)
def filters_first_unit(w, shape):
    return w[:, :1].reshape(*shape, 1)


@mistake(
    "affine_as_conv",
    "Only the first unit becomes a filter",
    "M units make M filters, along a last axis of their own.",
)
def filters_first_unit_without_axis(w, shape):
    return w[:, 0].reshape(shape)


@mistake("affine_as_conv", "Nothing has changed", "The result has four axes: (H, W, C, M).")
def filters_unchanged(w, shape):
    return w


STEPS = (
    "By how many rows of w does one step along the channels move on? One step along the row, one "
    "step down?"
)


def _by_number(w, shape, number):
    filters = np.zeros((*shape, w.shape[1]))
    for place in np.ndindex(*shape):
        filters[place] = w[number(*place)]
    return filters


@mistake("affine_as_conv", MISREAD, STEPS)
def filters_numbered_without_channels(w, shape):
    return _by_number(w, shape, lambda i, j, c: i * shape[1] + j + c)


@mistake("affine_as_conv", MISREAD, STEPS)
def filters_numbered_by_height(w, shape):
    return _by_number(w, shape, lambda i, j, c: (i * shape[0] + j) * shape[2] + c)


@mistake(
    "affine_as_conv",
    "reshape is given a tuple and a number",
    "It takes all sizes one by one, or one tuple of all of them: H, W and C are inside shape.",
)
def filters_nested_shape(w, shape):
    return w.reshape(shape, -1)


@mistake(
    "affine_as_conv",
    "The units have no axis of their own",
    "shape is that of one unit's weights. The result has four axes: where is M?",
)
def filters_without_units(w, shape):
    return w.reshape(shape)
