"""Layers: thin objects that hold parameters, gradients, options and one cache.

The mathematics is in `cnnlab.ops`; a layer reaches it through a table of operations, so
that a function you wrote can stand in for ours.
"""

import math
from collections.abc import Callable

import numpy as np

from cnnlab.init import he, zeros
from cnnlab.ops import Ops, reference
from cnnlab.shapes import ShapeError, expect_whole, output_size, pair

Shape = tuple[int, ...]


class Layer:
    """What all layers share. A new kind of layer overrides the methods it needs.

    Attributes
    ----------
    params : name → array, the numbers that training changes; empty until `build`.
    grads : name → array, the gradient of the loss for each of them; empty until `backward`.
    decays : names of the parameters that weight decay shrinks. Weights are, biases are not:
        a bias does not make a network more complicated.
    """

    decays: tuple[str, ...] = ()

    def __init__(self):
        self.params: dict[str, np.ndarray] = {}
        self.grads: dict[str, np.ndarray] = {}
        self._ops: Ops | None = None
        self._cache = None

    @property
    def is_built(self) -> bool:
        """Whether `build` has been called."""
        return self._ops is not None

    def output_shape(self, input_shape: Shape) -> Shape:
        """The shape of the output for one input of this shape, both without the batch axis."""
        raise NotImplementedError

    def build(
        self,
        input_shape: Shape,
        *,
        rng: np.random.Generator,
        dtype=np.float32,
        ops: Ops = reference,
    ) -> None:
        """Create the parameters for inputs of this shape, and take the operations to use.

        Parameters
        ----------
        input_shape : of one input, without the batch axis.
        rng : draws the weights.
        dtype : of the parameters; float32 to train, float64 to check gradients.
        ops : the table of operations.

        Raises
        ------
        ShapeError
            If the layer does not fit the input.
        """
        self.output_shape(input_shape)
        self.params = self._create_params(input_shape, rng, dtype)
        self.grads = {}
        self._ops, self._cache = ops, None

    def forward(self, x: np.ndarray, *, training: bool = False) -> np.ndarray:
        """The output for a batch. Layers that behave differently in training look at `training`.

        Raises
        ------
        RuntimeError
            If the layer has not been built.
        """
        if not self.is_built:
            raise RuntimeError(
                f"{self!r} must be built before it is used: put it in a Sequential, or call "
                f"build(input_shape, rng=…)."
            )
        out, self._cache = self._forward(x, training)
        return out

    def backward(self, dout: np.ndarray) -> np.ndarray:
        """The gradient of the input, from that of the output; fills `grads` on the way.

        Raises
        ------
        RuntimeError
            If there was no forward pass to go back through.
        """
        if self._cache is None:
            raise RuntimeError(
                f"{self!r} must see a forward pass before a backward pass: call forward(x) first."
            )
        return self._backward(dout, self._cache)

    def _create_params(self, input_shape, rng, dtype):
        return {}

    def _forward(self, x, training):
        raise NotImplementedError

    def _backward(self, dout, cache):
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


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
        H, W, _ = _volume(self, input_shape)
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

    def _forward(self, x, training):
        options = {"stride": self.stride, "pad": self.pad}
        return self._ops.conv.forward(x, self.params["w"], self.params["b"], **options)

    def _backward(self, dout, cache):
        dx, self.grads["w"], self.grads["b"] = self._ops.conv.backward(dout, cache)
        return dx

    def __repr__(self) -> str:
        stride = f", stride={self.stride}" if self.stride != 1 else ""
        pad = f", pad={self.pad}" if self.pad != 0 else ""
        return f"Conv({self.filters}, kernel_size={self.kernel_size}{stride}{pad})"


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

    def __init__(
        self, kernel_size: int | tuple[int, int], stride: int | tuple[int, int] | None = None
    ):
        super().__init__()
        self.kernel_size, self.stride = kernel_size, stride

    def output_shape(self, input_shape: Shape) -> Shape:
        H, W, C = _volume(self, input_shape)
        stride = self.kernel_size if self.stride is None else self.stride
        (FH, FW), (SH, SW) = pair(self.kernel_size), pair(stride)
        return output_size(H, FH, stride=SH), output_size(W, FW, stride=SW), C

    def _forward(self, x, training):
        return self._ops.max_pool.forward(x, kernel_size=self.kernel_size, stride=self.stride)

    def _backward(self, dout, cache):
        return self._ops.max_pool.backward(dout, cache)

    def __repr__(self) -> str:
        stride = "" if self.stride is None else f", stride={self.stride}"
        return f"MaxPool({self.kernel_size}{stride})"


class ReLU(Layer):
    """Keep what is positive, set the rest to zero; any shape.

    Examples
    --------
    >>> layer = ReLU()
    >>> layer.build((3,), rng=np.random.default_rng(0))
    >>> layer.forward(np.array([[-1.0, 0.0, 2.0]])), layer.backward(np.ones((1, 3)))
    (array([[0., 0., 2.]]), array([[0., 0., 1.]]))
    """

    def output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def _forward(self, x, training):
        return self._ops.relu.forward(x)

    def _backward(self, dout, cache):
        return self._ops.relu.backward(dout, cache)


class Flatten(Layer):
    """Lay a volume out as one row of numbers: (N, H, W, C) to (N, H·W·C).

    Examples
    --------
    >>> Flatten().output_shape((7, 7, 64))
    (3136,)
    """

    def output_shape(self, input_shape: Shape) -> Shape:
        return (math.prod(input_shape),)

    def _forward(self, x, training):
        return x.reshape(len(x), math.prod(x.shape[1:])), x.shape

    def _backward(self, dout, cache):
        return dout.reshape(cache)


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

    decays = ("w",)

    def __init__(self, units: int, *, init: Callable[..., np.ndarray] = he):
        super().__init__()
        expect_whole("units", units)
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

    def _forward(self, x, training):
        return self._ops.affine.forward(x, self.params["w"], self.params["b"])

    def _backward(self, dout, cache):
        dx, self.grads["w"], self.grads["b"] = self._ops.affine.backward(dout, cache)
        return dx

    def __repr__(self) -> str:
        return f"Affine({self.units})"


def _volume(layer, input_shape):
    if len(input_shape) != 3:
        raise ShapeError(
            f"{layer!r} needs a volume (height, width, channels), got shape {input_shape}."
        )
    return input_shape
