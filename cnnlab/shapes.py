"""How large things are: output sizes and parameter counts, before anything is computed."""

from numbers import Integral


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
        If a kernel size or stride is not a whole number of at least 1.

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
    for kernel_size, stride in layers:
        _expect_size("kernel_size", kernel_size, 1)
        _expect_size("stride", stride, 1)
        field += (kernel_size - 1) * jump
        jump *= stride
    return field


def conv_parameters(
    kernel_size: int | tuple[int, int], in_channels: int, filters: int
) -> tuple[int, int]:
    """How many numbers a convolution learns: FH·FW·C·K weights and K biases.

    Parameters
    ----------
    kernel_size : F, pixels, one number or (height, width).
    in_channels : C, the depth of the input, which each filter spans.
    filters : K, the depth of the output.

    Returns
    -------
    weights, biases : two counts; their sum is the number of parameters.

    Raises
    ------
    ShapeError
        If one of the numbers is not a whole number of at least 1.

    Source: the lecture, "Summary" of the convolution layer.

    Examples
    --------
    Ten 5×5 filters over 3 channels, and the first layer of AlexNet:

    >>> conv_parameters(5, 3, 10), sum(conv_parameters(5, 3, 10))
    ((750, 10), 760)
    >>> conv_parameters(11, 3, 96)
    (34848, 96)
    """
    FH, FW = pair(kernel_size)
    _expect_size("kernel_size", FH, 1)
    _expect_size("kernel_size", FW, 1)
    _expect_size("in_channels", in_channels, 1)
    _expect_size("filters", filters, 1)
    return FH * FW * in_channels * filters, filters


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
        return tuple(value)
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
    >>> import numpy as np
    >>> expect_rank("x", np.zeros((28, 28)), "N H W C")
    Traceback (most recent call last):
        ...
    cnnlab.shapes.ShapeError: x must have 4 axes (N, H, W, C), got 2: shape (28, 28).
    """
    if not hasattr(array, "ndim"):
        raise TypeError(f"{name} must be a NumPy array, got {type(array).__name__}.")
    letters = axes.split()
    if array.ndim != len(letters):
        raise ShapeError(
            f"{name} must have {len(letters)} axes ({', '.join(letters)}), "
            f"got {array.ndim}: shape {array.shape}."
        )


def expect_floats(name: str, array) -> None:
    """Raise TypeError unless the array holds floating-point numbers.

    Operations answer in their input's dtype: with whole numbers, such as the
    bytes of an image, every fraction would be cut off in silence.

    Examples
    --------
    >>> import numpy as np
    >>> expect_floats("x", np.zeros((28, 28), np.uint8))
    Traceback (most recent call last):
        ...
    TypeError: x must hold floating-point numbers, got uint8: convert it first,
    x.astype(np.float32).
    """
    if array.dtype.kind != "f":
        raise TypeError(
            f"{name} must hold floating-point numbers, got {array.dtype}: convert it first, "
            f"{name}.astype(np.float32)."
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
    if not isinstance(value, Integral) or value < least:
        raise error(f"{name} must be a whole number of at least {least}, got {value!r}.")


def _expect_size(name, value, least):
    expect_whole(name, value, least, error=ShapeError)
