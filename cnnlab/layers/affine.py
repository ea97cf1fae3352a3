"""Fully connected layers, and what turns a volume into their input."""

import math
from collections.abc import Callable

import numpy as np

from cnnlab.init import he, zeros
from cnnlab.layers.base import Layer, Shape, expect_init
from cnnlab.shapes import ShapeError, expect_whole


class Flatten(Layer):
    """Lay a volume out as one row of numbers: (N, H, W, C) to (N, H·W·C).

    Examples
    --------
    >>> Flatten().output_shape((7, 7, 64))
    (3136,)
    """

    op = "flatten"

    def output_shape(self, input_shape: Shape) -> Shape:
        return (math.prod(input_shape),)


class Affine(Layer):
    """Fully connected: every output sees every input.

    Parameters
    ----------
    units : M, how many outputs.
    init : draws the weights: init(shape, rng=…, dtype=…).

    params: w (D, M), b (M,). Input (N, D), output (N, M).

    Examples
    --------
    >>> layer = Affine(10)
    >>> layer.build((784,), rng=np.random.default_rng(0))
    >>> layer, layer.params["w"].shape, layer.params["w"].dtype
    (Affine(10), (784, 10), dtype('float32'))
    """

    op = "affine"
    decays = ("w",)

    def __init__(self, units: int, *, init: Callable[..., np.ndarray] = he):
        super().__init__()
        expect_whole("units", units)
        expect_init(init)
        self.units = int(units)
        self.init = init

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 1:
            raise ShapeError(
                f"{self!r} needs one row of numbers, got a volume of shape {input_shape}: put "
                f"Flatten() before it."
            )
        return (self.units,)

    def _create_params(self, input_shape, rng, dtype):
        shape = (*input_shape, self.units)
        return {"w": self.init(shape, rng=rng, dtype=dtype), "b": zeros(self.units, dtype=dtype)}

    def __repr__(self) -> str:
        return f"Affine({self.units})"
