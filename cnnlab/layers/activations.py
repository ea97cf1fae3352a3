"""Layers that bend: activation functions."""

import numpy as np

from cnnlab.layers.base import Layer, Shape
from cnnlab.shapes import ShapeError, expect_number, expect_whole


class Sigmoid(Layer):
    """Squash every number into the range from 0 to 1; any shape."""

    op = "sigmoid"


class Tanh(Layer):
    """Squash every number into the range from −1 to 1; any shape."""

    op = "tanh"


class ReLU(Layer):
    """Keep what is positive, set the rest to zero; any shape.

    Examples
    --------
    >>> layer = ReLU()
    >>> layer.build((3,), rng=np.random.default_rng(0))
    >>> layer.forward(np.array([[-1.0, 0.0, 2.0]])), layer.backward(np.ones((1, 3)))
    (array([[0., 0., 2.]]), array([[0., 0., 1.]]))
    """

    op = "relu"


class LeakyReLU(Layer):
    """Keep what is positive, multiply the rest by a small slope; any shape.

    Parameters
    ----------
    slope : of the negative side.
    """

    op = "leaky_relu"

    def __init__(self, slope: float = 0.01):
        super().__init__()
        expect_number("slope", slope)
        self.slope = slope

    def _options(self, training):
        return {"slope": self.slope}

    def __repr__(self) -> str:
        return f"LeakyReLU({self.slope})"


class PReLU(Layer):
    """A leaky ReLU that learns its slope, one for each channel or one for all.

    Weight decay spares the slope: it would turn the layer back into a ReLU.

    Parameters
    ----------
    slope : where it starts.
    shared : whether all channels have the same.

    params: slope (C,), or (1,) if shared. Input (N, …, C), output the same.

    Source: He et al. 2015, section 2.1.

    Examples
    --------
    >>> layer = PReLU()
    >>> layer.build((2,), rng=np.random.default_rng(0))
    >>> layer.params["slope"]
    array([0.25, 0.25], dtype=float32)
    """

    op = "prelu"

    def __init__(self, slope: float = 0.25, *, shared: bool = False):
        super().__init__()
        expect_number("slope", slope)
        self.slope, self.shared = slope, shared

    def _create_params(self, input_shape, rng, dtype):
        return {"slope": np.full(1 if self.shared else input_shape[-1], self.slope, dtype)}

    def __repr__(self) -> str:
        return f"PReLU({self.slope}{', shared=True' if self.shared else ''})"


class ELU(Layer):
    """Keep what is positive; let the rest level out smoothly at −alpha; any shape.

    Parameters
    ----------
    alpha : how far down the negative side goes.
    """

    op = "elu"

    def __init__(self, alpha: float = 1.0):
        super().__init__()
        expect_number("alpha", alpha, least=0)
        self.alpha = alpha

    def _options(self, training):
        return {"alpha": self.alpha}

    def __repr__(self) -> str:
        return f"ELU({self.alpha})"


class Maxout(Layer):
    """Keep the largest of every few neighboring channels, which the layer before computes.

    Parameters
    ----------
    pieces : how many channels a unit chooses from.

    Input (N, …, M·pieces), output (N, …, M).

    Examples
    --------
    Ten maxout units of two pieces each, over an affine layer of twenty units:

    >>> Maxout(2).output_shape((20,))
    (10,)
    """

    op = "maxout"

    def __init__(self, pieces: int = 2):
        super().__init__()
        expect_whole("pieces", pieces)
        self.pieces = int(pieces)

    def output_shape(self, input_shape: Shape) -> Shape:
        *rest, channels = input_shape
        if channels % self.pieces:
            raise ShapeError(f"{self.pieces} pieces must divide the channels, got {channels}.")
        return (*rest, channels // self.pieces)

    def _options(self, training):
        return {"pieces": self.pieces}

    def __repr__(self) -> str:
        return f"Maxout({self.pieces})"


class Softmax(Layer):
    """Turn the scores along the last axis into probabilities.

    A network that is trained with SoftmaxLoss ends with scores and needs no such layer: the
    loss contains it.
    """

    op = "softmax"
