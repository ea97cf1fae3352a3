"""How large things are, before anything is computed; and errors for arrays that do not fit."""

import math
from numbers import Integral, Real

import numpy as np


class ShapeError(ValueError):
    """An array or a window does not have the size that was needed."""


def output_size(size: int, kernel_size: int, *, stride: int = 1, pad: int = 0) -> int:
    """How many positions a window takes along one axis: (W − F + 2P) / S + 1.

    The window must fit exactly. Most frameworks round down in silence and drop
    the last columns of the input; here that is an error.

    Parameters
    ----------
    size : W, pixels of the input along this axis.
    kernel_size : F, pixels of the window along this axis.
    stride : S, pixels from one position to the next.
    pad : P, zeros added at each of the two ends.

    Raises
    ------
    ShapeError
        If the window is larger than the padded input, or does not fit exactly.
        The message names the nearest sizes that would fit.

    Source: the lecture, "Stride" and "Zero padding"; Dumoulin & Visin 2016,
    "A guide to convolution arithmetic for deep learning", section 2.

    Examples
    --------
    >>> output_size(7, 3, stride=2)
    3
    >>> output_size(32, 5, pad=2)
    32
    >>> output_size(7, 3, stride=3)
    Traceback (most recent call last):
        ...
    cnnlab.shapes.ShapeError: a window of 3 with stride 3 does not fit an input of 7 with pad 0:
    (7 - 3 + 2*0) / 3 + 1 = 2.33. Inputs of 6 or 9 would fit.
    """
    _expect_size("size", size, 1)
    _expect_size("kernel_size", kernel_size, 1)
    _expect_size("stride", stride, 1)
    _expect_size("pad", pad, 0)
    span = size - kernel_size + 2 * pad
    if span < 0:
        raise ShapeError(
            f"a window of {kernel_size} is larger than the input: {size} with pad {pad} on each "
            f"side is {size + 2 * pad}. The smallest input that fits is {kernel_size - 2 * pad}."
        )
    if span % stride:
        below, above = size - span % stride, size - span % stride + stride
        fitting = f"{below} or {above}" if below > 0 else f"{above}"
        raise ShapeError(
            f"a window of {kernel_size} with stride {stride} does not fit an input of {size} "
            f"with pad {pad}: ({size} - {kernel_size} + 2*{pad}) / {stride} + 1 = "
            f"{span / stride + 1:.2f}. Inputs of {fitting} would fit."
        )
    return span // stride + 1


def receptive_field(layers) -> int:
    """How many pixels of the image one output sees, along one axis: 1 + Σ (F − 1) · jump.

    The jump is the distance in the image between two neighbors of a layer's
    input: the product of all strides before it.

    Parameters
    ----------
    layers : (kernel_size, stride) pairs of convolutions and poolings, from the
        image on.

    Returns
    -------
    int : pixels.

    Raises
    ------
    ShapeError
        If a layer is no pair, or a kernel size or stride not a whole number of at least 1.

    Source: Goodfellow et al. 2016, "Deep Learning", figure 9.4; Dumoulin & Visin 2016.

    Examples
    --------
    Three 3×3 convolutions see as much as one of 7×7; a stride lets the next layer see further:

    >>> receptive_field([(3, 1)]), receptive_field([(3, 1)] * 3)
    (3, 7)
    >>> receptive_field([(3, 2), (3, 1)])
    7
    """
    field, jump = 1, 1
    for layer in layers:
        if not isinstance(layer, tuple | list) or len(layer) != 2:
            raise ShapeError(f"each layer must be a pair (kernel_size, stride), got {layer!r}.")
        kernel_size, stride = layer
        _expect_size("kernel_size", kernel_size, 1)
        _expect_size("stride", stride, 1)
        field += (kernel_size - 1) * jump
        jump *= stride
    return field


def conv_parameters(
    kernel_size: int | tuple[int, int],
    in_channels: int,
    filters: int,
    *,
    groups: int = 1,
    tile: int | tuple[int, int] = 1,
) -> tuple[int, int]:
    """How many numbers a layer of filters learns: FH·FW·C·K weights and K biases.

    That is for a convolution, which uses each filter everywhere. Groups divide the weights:
    a filter then reads C/G channels. A tile multiplies everything: TH·TW sets of filters
    take turns in a tiled convolution, and a locally connected layer has one set for every
    position.

    Parameters
    ----------
    kernel_size : F, pixels, one number or (height, width).
    in_channels : C, the depth of the input.
    filters : K, the depth of the output.
    groups : G, into how many towers the channels are divided; divides C and K.
    tile : T, after how many positions the filters repeat, one number or (vertical,
        horizontal): 1 for a convolution, the output's (height, width) for a locally
        connected layer.

    Returns
    -------
    weights, biases : two counts; their sum is the number of parameters.

    Raises
    ------
    ShapeError
        If one of the numbers is not a whole number of at least 1, or the groups do not
        divide the channels.

    Source: the lecture, "Summary" of the convolution layer and "Tiled convolution".

    Examples
    --------
    Ten 5×5 filters over 3 channels, and the first layer of AlexNet:

    >>> conv_parameters(5, 3, 10), sum(conv_parameters(5, 3, 10))
    ((750, 10), 760)
    >>> conv_parameters(11, 3, 96)
    (34848, 96)

    The ten filters shared by all 32×32 positions, by every second one, and by none:

    >>> [sum(conv_parameters(5, 3, 10, tile=tile)) for tile in (1, 2, 32)]
    [760, 3040, 778240]
    """
    (FH, FW), (TH, TW) = pair(kernel_size), pair(tile)
    for name, value in (("kernel_size", FH), ("kernel_size", FW), ("tile", TH), ("tile", TW)):
        _expect_size(name, value, 1)
    _expect_size("in_channels", in_channels, 1)
    _expect_size("filters", filters, 1)
    expect_groups(groups, in_channels, filters)
    return TH * TW * FH * FW * (in_channels // groups) * filters, TH * TW * filters


def affine_parameters(inputs: int, units: int) -> tuple[int, int]:
    """How many numbers a fully connected layer learns: D·M weights and M biases.

    Parameters
    ----------
    inputs : D, how many numbers each unit reads.
    units : M, how many units there are.

    Returns
    -------
    weights, biases : two counts.

    Raises
    ------
    ShapeError
        If one of the numbers is not a whole number of at least 1.

    Examples
    --------
    The first fully connected layer of AlexNet holds most of the network:

    >>> affine_parameters(6 * 6 * 256, 4096)
    (37748736, 4096)
    """
    _expect_size("inputs", inputs, 1)
    _expect_size("units", units, 1)
    return inputs * units, units


def memory(shape: tuple[int, ...], *, dtype=np.float32) -> int:
    """How many bytes an array of this shape takes.

    Raises
    ------
    ShapeError
        If a size is not a whole number of at least 0.

    Examples
    --------
    The output of AlexNet's first layer, for one image:

    >>> memory((55, 55, 96))
    1161600
    """
    for size in shape:
        _expect_size("every size of the shape", size, 0)
    return math.prod(shape) * np.dtype(dtype).itemsize


def pair(value: int | tuple[int, int]) -> tuple[int, int]:
    """(height, width) from one number for both or a pair of numbers.

    Raises
    ------
    ShapeError
        If a sequence does not hold exactly two.

    Examples
    --------
    >>> pair(3), pair((3, 5))
    ((3, 3), (3, 5))
    """
    if isinstance(value, tuple | list):
        if len(value) != 2:
            raise ShapeError(f"expected one number or (height, width), got {value!r}.")
        return value[0], value[1]
    return value, value


def expect_rank(name: str, array, axes: str) -> None:
    """Raise ShapeError unless the array has one axis per letter of `axes`, such as "N H W C".

    Raises
    ------
    TypeError
        If it is no array at all.
    ShapeError
        If the number of axes differs.

    Examples
    --------
    >>> expect_rank("x", np.zeros((28, 28)), "N H W C")
    Traceback (most recent call last):
        ...
    cnnlab.shapes.ShapeError: x must have 4 axes (N, H, W, C), got 2: shape (28, 28).
    """
    expect_array(name, array)
    letters = axes.split()
    if array.ndim != len(letters):
        raise ShapeError(
            f"{name} must have {len(letters)} axes ({', '.join(letters)}), "
            f"got {array.ndim}: shape {array.shape}."
        )


def expect_array(name: str, array) -> None:
    """Raise TypeError unless this is a NumPy array.

    Examples
    --------
    >>> expect_array("x", [1.0])
    Traceback (most recent call last):
        ...
    TypeError: x must be a NumPy array, got list.
    """
    if not isinstance(array, np.ndarray | np.generic):
        raise TypeError(f"{name} must be a NumPy array, got {type(array).__name__}.")


def expect_input_shape(input_shape) -> None:
    """Raise an error unless this is the shape of one input of a layer, without the batch axis.

    Raises
    ------
    TypeError
        If it is no shape at all.
    ShapeError
        If a size is not a whole number of at least 1.

    Examples
    --------
    >>> expect_input_shape(784)
    Traceback (most recent call last):
        ...
    TypeError: input_shape must be (height, width, channels) or (numbers,), got 784.
    """
    if not isinstance(input_shape, tuple | list):
        raise TypeError(
            f"input_shape must be (height, width, channels) or (numbers,), got {input_shape!r}."
        )
    for size in input_shape:
        _expect_size("every size of input_shape", size, 1)


def expect_floats(name: str, array) -> None:
    """Raise TypeError unless this is an array of floating-point numbers.

    Operations answer in their input's dtype: with whole numbers, such as the
    bytes of an image, every fraction would be cut off in silence.

    Examples
    --------
    >>> expect_floats("x", np.zeros((28, 28), np.uint8))
    Traceback (most recent call last):
        ...
    TypeError: x must hold floating-point numbers, got uint8: convert it first,
    x.astype(np.float32).
    """
    expect_array(name, array)
    if array.dtype.kind != "f":
        raise TypeError(
            f"{name} must hold floating-point numbers, got {array.dtype}: convert it first, "
            f"{name}.astype(np.float32)."
        )


def expect_groups(groups: int, in_channels: int, filters: int) -> None:
    """Raise ShapeError unless the groups divide both the channels and the filters.

    Examples
    --------
    >>> expect_groups(2, 96, 255)
    Traceback (most recent call last):
        ...
    cnnlab.shapes.ShapeError: 2 groups must divide the channels and the filters, got 96 channels
    and 255 filters.
    """
    _expect_size("groups", groups, 1)
    if in_channels % groups or filters % groups:
        raise ShapeError(
            f"{groups} groups must divide the channels and the filters, got {in_channels} "
            f"channels and {filters} filters."
        )


def as_upstream(dout, shape: tuple[int, ...], dtype) -> np.ndarray:
    """The gradient of an output, in the output's dtype; None keeps its own.

    Raises
    ------
    ShapeError
        If it does not have the output's shape.

    Examples
    --------
    >>> as_upstream([1, 2], (2,), np.float32)
    array([1., 2.], dtype=float32)
    >>> as_upstream(np.ones(3), (2,), np.float32)
    Traceback (most recent call last):
        ...
    cnnlab.shapes.ShapeError: dout must have the output's shape (2,), got (3,).
    """
    dout = np.asarray(dout, dtype)
    if dout.shape != shape:
        words = f"{shape}" if shape else "(), a single number"
        raise ShapeError(f"dout must have the output's shape {words}, got {dout.shape}.")
    return dout


def expect_generator(rng) -> None:
    """Raise TypeError unless this is a generator of random numbers.

    Examples
    --------
    >>> expect_generator(0)
    Traceback (most recent call last):
        ...
    TypeError: rng must be a generator such as np.random.default_rng(0), got int.
    """
    if not isinstance(rng, np.random.Generator):
        raise TypeError(
            f"rng must be a generator such as np.random.default_rng(0), got {type(rng).__name__}."
        )


def expect_whole(name: str, value, least: int = 1, *, error: type[ValueError] = ValueError) -> None:
    """Raise an error unless the value is a whole number of at least `least`.

    Examples
    --------
    >>> expect_whole("epochs", 2.5)
    Traceback (most recent call last):
        ...
    ValueError: epochs must be a whole number of at least 1, got 2.5.
    """
    # True and False are whole numbers to Python, and a mistake here.
    if not isinstance(value, Integral) or value is True or value is False or value < least:
        raise error(f"{name} must be a whole number of at least {least}, got {value!r}.")


def expect_number(name: str, value, *, least: float = -math.inf, below: float = math.inf) -> None:
    """Raise ValueError unless the value is a finite number, at least `least` and less than `below`.

    Examples
    --------
    >>> expect_number("rate", 1.0, least=0, below=1)
    Traceback (most recent call last):
        ...
    ValueError: rate must be a finite number of at least 0 and less than 1, got 1.0.
    """
    if isinstance(value, Real) and math.isfinite(value) and least <= float(value) < below:
        return
    limits = [f"of at least {least:g}"] if least > -math.inf else []
    limits += [f"less than {below:g}"] if below < math.inf else []
    words = " ".join(["a finite number", " and ".join(limits)]).strip()
    raise ValueError(f"{name} must be {words}, got {value!r}.")


def _expect_size(name, value, least):
    expect_whole(name, value, least, error=ShapeError)
