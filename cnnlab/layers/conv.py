"""Layers of filters: convolution."""

from collections.abc import Callable

import numpy as np

from cnnlab.init import he, zeros
from cnnlab.layers.base import Layer, Shape, volume
from cnnlab.shapes import expect_whole, output_size, pair


class Conv(Layer):
    """Slide `filters` filters over a volume; each spans the full depth of its input.

    Parameters
    ----------
    filters : K, the depth of the output.
    kernel_size, stride, pad : pixels, one number for both axes or (vertical, horizontal).
    init : draws the filters: init(shape, rng=…, dtype=…).

    params: w (FH, FW, C, K), b (K,). Input (N, H, W, C), output (N, OH, OW, K).

    Source: the lecture, "Convolution layer: summary".

    Examples
    --------
    Ten 5×5 filters on a 32×32×3 image have 5·5·3·10 weights and 10 biases:

    >>> layer = Conv(10, kernel_size=5, pad=2)
    >>> layer.output_shape((32, 32, 3))
    (32, 32, 10)
    >>> layer.build((32, 32, 3), rng=np.random.default_rng(0))
    >>> layer, layer.params["w"].shape, sum(p.size for p in layer.params.values())
    (Conv(10, kernel_size=5, pad=2), (5, 5, 3, 10), 760)
    """

    op = "conv"
    decays = ("w",)

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, int],
        *,
        stride: int | tuple[int, int] = 1,
        pad: int | tuple[int, int] = 0,
        init: Callable[..., np.ndarray] = he,
    ):
        super().__init__()
        expect_whole("filters", filters)
        self.filters = int(filters)
        self.kernel_size, self.stride, self.pad, self.init = kernel_size, stride, pad, init

    def output_shape(self, input_shape: Shape) -> Shape:
        H, W, _ = volume(self, input_shape)
        (FH, FW), (SH, SW), (PH, PW) = pair(self.kernel_size), pair(self.stride), pair(self.pad)
        OH = output_size(H, FH, stride=SH, pad=PH)
        OW = output_size(W, FW, stride=SW, pad=PW)
        return OH, OW, self.filters

    def _create_params(self, input_shape, rng, dtype):
        shape = (*pair(self.kernel_size), input_shape[2], self.filters)
        return {
            "w": self.init(shape, rng=rng, dtype=dtype),
            "b": zeros(self.filters, dtype=dtype),
        }

    def _options(self, training):
        return {"stride": self.stride, "pad": self.pad}

    def __repr__(self) -> str:
        stride = f", stride={self.stride}" if self.stride != 1 else ""
        pad = f", pad={self.pad}" if self.pad != 0 else ""
        return f"Conv({self.filters}, kernel_size={self.kernel_size}{stride}{pad})"


class LocallyConnected(Layer):
    """Not there yet."""


class TiledConv(Layer):
    """Not there yet."""
