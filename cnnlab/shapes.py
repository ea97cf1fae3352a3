"""How large things are: output sizes and parameter counts, before anything is computed."""


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

    Source: the lecture, "Stride" and "Zero padding"; Dumoulin & Visin 2016,
    "A guide to convolution arithmetic for deep learning", section 2.
    """
    for name, value, least in (
        ("size", size, 0),
        ("kernel_size", kernel_size, 1),
        ("stride", stride, 1),
        ("pad", pad, 0),
    ):
        if value != int(value) or value < least:
            raise ShapeError(f"{name} must be a whole number of at least {least}, got {value!r}.")
    span = size - kernel_size + 2 * pad
    if span < 0:
        raise ShapeError(
            f"a window of {kernel_size} is larger than the input: {size} with pad {pad} on each "
            f"side is {size + 2 * pad}. Inputs of {kernel_size - 2 * pad} or more would fit."
        )
    if span % stride:
        below, above = size - span % stride, size - span % stride + stride
        raise ShapeError(
            f"a window of {kernel_size} with stride {stride} does not fit an input of {size} "
            f"with pad {pad}:\n({size} - {kernel_size} + 2*{pad}) / {stride} + 1 = "
            f"{span / stride + 1:.2f}. Inputs of {below} or {above} would fit."
        )
    return span // stride + 1


def pair(value: int | tuple[int, int]) -> tuple[int, int]:
    """(height, width) from one number for both or a pair of numbers.

    Examples
    --------
    >>> pair(3), pair((3, 5))
    ((3, 3), (3, 5))
    """
    if isinstance(value, tuple):
        if len(value) != 2:
            raise ShapeError(f"expected one number or (height, width), got {value!r}.")
        return value
    return value, value


def expect_rank(name: str, array, axes: str) -> None:
    """Raise ShapeError unless the array has one axis per letter of `axes`, such as "N H W C".

    Examples
    --------
    >>> import numpy as np
    >>> expect_rank("x", np.zeros((28, 28)), "N H W C")
    Traceback (most recent call last):
        ...
    cnnlab.shapes.ShapeError: x must have 4 axes (N, H, W, C), got 2: shape (28, 28).
    """
    letters = axes.split()
    if array.ndim != len(letters):
        raise ShapeError(
            f"{name} must have {len(letters)} axes ({', '.join(letters)}), "
            f"got {array.ndim}: shape {array.shape}."
        )
