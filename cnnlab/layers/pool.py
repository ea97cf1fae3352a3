"""Layers that pool: each channel is summarized window by window."""

from cnnlab.layers.base import Layer, Shape, volume
from cnnlab.shapes import output_size, pair


class MaxPool(Layer):
    """Keep the largest value of every window, channel by channel; nothing is learned.

    Parameters
    ----------
    kernel_size : pixels, one number or (vertical, horizontal).
    stride : pixels; by default the kernel size, so that windows do not overlap.

    Input (N, H, W, C), output (N, OH, OW, C).

    Examples
    --------
    >>> MaxPool(2).output_shape((28, 28, 32))
    (14, 14, 32)
    >>> MaxPool(3, stride=2)
    MaxPool(3, stride=2)
    """

    op = "max_pool"

    def __init__(
        self, kernel_size: int | tuple[int, int], stride: int | tuple[int, int] | None = None
    ):
        super().__init__()
        self.kernel_size, self.stride = kernel_size, stride

    def output_shape(self, input_shape: Shape) -> Shape:
        H, W, C = volume(self, input_shape)
        stride = self.kernel_size if self.stride is None else self.stride
        (FH, FW), (SH, SW) = pair(self.kernel_size), pair(stride)
        return output_size(H, FH, stride=SH), output_size(W, FW, stride=SW), C

    def _options(self, training):
        return {"kernel_size": self.kernel_size, "stride": self.stride}

    def __repr__(self) -> str:
        stride = "" if self.stride is None else f", stride={self.stride}"
        return f"MaxPool({self.kernel_size}{stride})"


class AvgPool(Layer):
    """Not there yet."""


class GlobalMaxPool(Layer):
    """Not there yet."""


class GlobalAvgPool(Layer):
    """Not there yet."""
