"""Layers of filters: shared everywhere, by turns, or not at all."""

from collections.abc import Callable

import numpy as np

from cnnlab.init import he, zeros
from cnnlab.layers.base import Layer, Shape, expect_init, volume
from cnnlab.shapes import ShapeError, expect_groups, expect_whole, output_size, pair

Pair = int | tuple[int, int]


class _Filters(Layer):
    """What layers share whose filters slide over a volume."""

    decays = ("w",)

    def __init__(
        self,
        filters: int,
        kernel_size: Pair,
        *,
        stride: Pair = 1,
        pad: Pair = 0,
        init: Callable[..., np.ndarray] = he,
    ):
        super().__init__()
        expect_whole("filters", filters)
        for name, value, least in (
            ("kernel_size", kernel_size, 1),
            ("stride", stride, 1),
            ("pad", pad, 0),
        ):
            for number in pair(value):
                expect_whole(name, number, least)
        expect_init(init)
        self.filters = int(filters)
        self.kernel_size, self.stride, self.pad, self.init = kernel_size, stride, pad, init

    def output_shape(self, input_shape: Shape) -> Shape:
        H, W, _ = volume(self, input_shape)
        (FH, FW), (SH, SW), (PH, PW) = pair(self.kernel_size), pair(self.stride), pair(self.pad)
        OH = output_size(H, FH, stride=SH, pad=PH)
        OW = output_size(W, FW, stride=SW, pad=PW)
        return OH, OW, self.filters

    def _options(self, training):
        return {"stride": self.stride, "pad": self.pad}

    def _sets_of_filters(self, TH, TW, channels, rng, dtype):
        """TH·TW sets of filters, each drawn as those of a convolution are."""
        window = (*pair(self.kernel_size), channels)
        together = self.init((*window, TH * TW * self.filters), rng=rng, dtype=dtype)
        sets = together.reshape(*window, TH, TW, self.filters)
        return {
            "w": np.ascontiguousarray(sets.transpose(3, 4, 0, 1, 2, 5)),
            "b": zeros((TH, TW, self.filters), dtype=dtype),
        }

    def __repr__(self) -> str:
        stride = f", stride={self.stride}" if self.stride != 1 else ""
        pad = f", pad={self.pad}" if self.pad != 0 else ""
        own = self._own_options()
        name = type(self).__name__
        return f"{name}({self.filters}, kernel_size={self.kernel_size}{own}{stride}{pad})"

    def _own_options(self):
        return ""


class Conv(_Filters):
    """Slide `filters` filters over a volume; each spans the full depth of its input.

    Parameters
    ----------
    filters : K, the depth of the output.
    kernel_size, stride, pad : pixels, one number for both axes or (vertical, horizontal).
    groups : G, into how many towers channels and filters are divided, as in AlexNet; a filter
        then spans the depth of its tower.
    init : draws the filters: init(shape, rng=…, dtype=…).

    params: w (FH, FW, C/G, K), b (K,). Input (N, H, W, C), output (N, OH, OW, K).

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

    def __init__(self, filters: int, kernel_size: Pair, *, groups: int = 1, **options):
        super().__init__(filters, kernel_size, **options)
        expect_whole("groups", groups)
        self.groups = int(groups)

    def output_shape(self, input_shape: Shape) -> Shape:
        expect_groups(self.groups, volume(self, input_shape)[2], self.filters)
        return super().output_shape(input_shape)

    def _create_params(self, input_shape, rng, dtype):
        shape = (*pair(self.kernel_size), input_shape[2] // self.groups, self.filters)
        return {
            "w": self.init(shape, rng=rng, dtype=dtype),
            "b": zeros(self.filters, dtype=dtype),
        }

    def _options(self, training):
        # A convolution of your own need not know groups while there is one.
        groups = {"groups": self.groups} if self.groups > 1 else {}
        return super()._options(training) | groups

    def __repr__(self) -> str:
        groups = f", groups={self.groups})" if self.groups > 1 else ")"
        return super().__repr__().removesuffix(")") + groups


class LocallyConnected(_Filters):
    """Look at every window through `filters` filters of its own; nothing is shared.

    Parameters
    ----------
    filters, kernel_size, stride, pad, init : as in `Conv`.

    params: w (OH, OW, FH, FW, C, K), b (OH, OW, K). Input (N, H, W, C), output (N, OH, OW, K).

    Source: the lecture, "Locally connected layer".

    Examples
    --------
    Ten 5×5 filters for each of 32×32 positions:

    >>> layer = LocallyConnected(10, kernel_size=5, pad=2)
    >>> layer.build((32, 32, 3), rng=np.random.default_rng(0))
    >>> layer.params["w"].shape, sum(p.size for p in layer.params.values())
    ((32, 32, 5, 5, 3, 10), 778240)
    """

    op = "local"

    def _create_params(self, input_shape, rng, dtype):
        OH, OW, _ = self.output_shape(input_shape)
        return self._sets_of_filters(OH, OW, input_shape[2], rng, dtype)


class TiledConv(_Filters):
    """Let `tile` sets of filters take turns from position to position.

    Parameters
    ----------
    tile : after how many positions the filters repeat, one number or (vertical, horizontal);
        1 is a convolution.
    filters, kernel_size, stride, pad, init : as in `Conv`.

    params: w (TH, TW, FH, FW, C, K), b (TH, TW, K). Input (N, H, W, C), output (N, OH, OW, K).

    Source: the lecture, "Tiled convolution".

    Examples
    --------
    >>> layer = TiledConv(10, kernel_size=5, tile=2, pad=2)
    >>> layer.build((32, 32, 3), rng=np.random.default_rng(0))
    >>> layer.params["w"].shape, sum(p.size for p in layer.params.values())
    ((2, 2, 5, 5, 3, 10), 3040)
    """

    op = "tiled"

    def __init__(self, filters: int, kernel_size: Pair, *, tile: Pair, **options):
        super().__init__(filters, kernel_size, **options)
        for number in pair(tile):
            expect_whole("tile", number)
        self.tile = tile

    def output_shape(self, input_shape: Shape) -> Shape:
        (TH, TW), (OH, OW, K) = pair(self.tile), super().output_shape(input_shape)
        if TH > OH or TW > OW:
            raise ShapeError(
                f"a tile of {TH}×{TW} is larger than the output, {OH}×{OW}: some of its filters "
                f"would never be used."
            )
        return OH, OW, K

    def _create_params(self, input_shape, rng, dtype):
        return self._sets_of_filters(*pair(self.tile), input_shape[2], rng, dtype)

    def _own_options(self):
        return f", tile={self.tile}"
