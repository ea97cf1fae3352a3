"""Layers that pool: each channel is summarized window by window; nothing is learned."""

import numpy as np

from cnnlab.layers.base import Layer, Shape, volume
from cnnlab.shapes import expect_whole, output_size, pair

Pair = int | tuple[int, int]


class _Pool(Layer):
    """What layers share whose window slides over each channel."""

    def __init__(self, kernel_size: Pair, stride: Pair | None = None):
        super().__init__()
        for name, value in (("kernel_size", kernel_size), ("stride", stride)):
            for number in () if value is None else pair(value):
                expect_whole(name, number)
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
        return f"{type(self).__name__}({self.kernel_size}{stride})"


class MaxPool(_Pool):
    """Keep the largest value of every window, channel by channel.

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


class AvgPool(_Pool):
    """Replace every window by its mean, channel by channel.

    Parameters
    ----------
    kernel_size, stride : as in `MaxPool`.

    Input (N, H, W, C), output (N, OH, OW, C).

    Examples
    --------
    >>> AvgPool(3, stride=2).output_shape((55, 55, 96))
    (27, 27, 96)
    """

    op = "avg_pool"


class _GlobalPool(Layer):
    """What layers share whose window is the whole map."""

    def output_shape(self, input_shape: Shape) -> Shape:
        return 1, 1, volume(self, input_shape)[2]

    def _forward(self, x, training):
        return getattr(self._ops, self.op).forward(x, kernel_size=np.shape(x)[1:3])


class GlobalMaxPool(_GlobalPool):
    """Keep the largest value of every channel.

    Input (N, H, W, C), output (N, 1, 1, C), still a volume.

    Examples
    --------
    >>> GlobalMaxPool().output_shape((6, 6, 256))
    (1, 1, 256)
    """

    op = "max_pool"


class GlobalAvgPool(_GlobalPool):
    """Replace every channel by its mean.

    Input (N, H, W, C), output (N, 1, 1, C), still a volume.

    Source: Lin et al. 2014, "Network In Network", section 3.2.

    Examples
    --------
    >>> GlobalAvgPool().output_shape((6, 6, 256))
    (1, 1, 256)
    """

    op = "avg_pool"
