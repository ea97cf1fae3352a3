"""What all layers share."""

from typing import Any

import numpy as np

from cnnlab import fast
from cnnlab.ops import Ops
from cnnlab.shapes import ShapeError, expect_generator, expect_input_shape

Shape = tuple[int, ...]


class Layer:
    """What all layers share. A new kind of layer overrides the methods it needs.

    Most layers only name their operation, create its parameters and hand on their options.

    Attributes
    ----------
    op : the entry of the table of operations that does the mathematics.
    params : name → array, the numbers that training changes, in the order in which the
        operation takes them; empty until `build`.
    grads : name → array, the gradient of the loss for each of them; empty until `backward`.
    decays : names of the parameters that weight decay shrinks. Weights are, biases are not:
        a bias does not make a network more complicated.
    buffers : name → array, what the layer remembers from batch to batch besides parameters,
        such as running statistics: saved with the network, changed in place by `forward` in
        training, never by an optimizer.
    rng : where the layer draws its chance from; None for a layer without any.
    """

    op: str = ""
    decays: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.params: dict[str, np.ndarray] = {}
        self.grads: dict[str, np.ndarray] = {}
        self.buffers: dict[str, np.ndarray] = {}
        self.rng: np.random.Generator | None = None
        self._ops: Ops | None = None
        # After a forward pass one for each share of the batch: most often for all of it, so one.
        # A cache may be None itself.
        self._caches: tuple = ()

    @property
    def is_built(self) -> bool:
        """Whether `build` has been called."""
        return self._ops is not None

    @property
    def by_image(self) -> bool:
        """Whether each image of a batch goes through by itself, on functions made for threads.

        Then threads may share a batch out and each go on to the next layer with its share.
        """
        ways = ("forward", "backward", "_backward")
        own_way = any(getattr(type(self), way) is not getattr(Layer, way) for way in ways)
        return self._ops is not None and not own_way and fast.is_by_image(self.op, self._ops)

    def output_shape(self, input_shape: Shape) -> Shape:
        """The shape of the output for one input of this shape, both without the batch axis.

        Raises
        ------
        ShapeError
            If the layer does not fit the input.
        """
        return input_shape

    def build(
        self,
        input_shape: Shape,
        *,
        rng: np.random.Generator,
        dtype=np.float32,
        ops: Ops = fast.ops,
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
        TypeError
            If input_shape is no shape, or rng no generator.
        """
        expect_generator(rng)
        expect_input_shape(input_shape)
        self.output_shape(input_shape)
        self.params = self._create_params(input_shape, rng, dtype)
        self.grads = {}
        self.buffers = self._create_buffers(input_shape, dtype)
        self._ops, self._caches = ops, ()

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
        self.forget()
        out, cache = self._forward(x, training)
        self._caches = (cache,)
        return out

    def backward(self, dout: np.ndarray, *, input_gradient: bool = True) -> np.ndarray | Any:
        """The gradient of the input, from that of the output; fills `grads` on the way.

        Parameters
        ----------
        dout : gradient of the loss with respect to the output.
        input_gradient : False if only `grads` are wanted; the result may then be None.

        Raises
        ------
        RuntimeError
            If there was no forward pass to go back through.
        """
        if not self._caches:
            raise RuntimeError(
                f"{self!r} must see a forward pass before a backward pass: call forward(x) first."
            )
        self.grads = {}  # the last ones may be large: let them go first
        parts = fast.shares(dout, len(self._caches))
        found = [
            self._gradients(part, cache, input_gradient)
            for part, cache in zip(parts, self._caches, strict=True)
        ]
        dxs, of_params = zip(*found, strict=True)
        self._take(of_params)
        return fast.joined(dxs)

    def forget(self) -> None:
        """Let go of what the last forward pass kept for the way back; it may be large."""
        self._caches = ()

    def _create_params(self, input_shape, rng, dtype):
        return {}

    def _create_buffers(self, input_shape, dtype):
        return {}

    def _options(self, training):
        """What the operation is told besides the arrays."""
        return {}

    def _forward(self, x, training):
        forward = getattr(self._ops, self.op).forward
        return forward(x, *self.params.values(), **self._options(training))

    def _backward(self, dout, cache):
        """The gradient of the input; where there are parameters a tuple of it and theirs."""
        return getattr(self._ops, self.op).backward(dout, cache)

    def _gradients(self, dout, cache, input_gradient):
        """The gradient of the input, and a tuple of those of the parameters."""
        # A layer that goes back in a way of its own goes all the way.
        if not input_gradient and type(self)._backward is Layer._backward:
            of_params = getattr(self._ops, self.op).backward_params
            if of_params is not None:
                return None, of_params(dout, cache)
        found = self._backward(dout, cache)
        dx, *of_params = found if self.params else (found,)
        return dx, tuple(of_params)

    def _take(self, of_params):
        """Remember the gradients of the parameters: the sums of what each share has found."""
        self.grads = dict(zip(self.params, fast.summed(of_params), strict=True))

    def __getstate__(self):
        # A cache may be a hundred times larger than the layer: it is not sent or copied.
        return self.__dict__ | {"_caches": ()}

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def expect_init(init) -> None:
    """Raise TypeError unless this can be called to draw weights."""
    if not callable(init):
        raise TypeError(f"init must be a function such as cnnlab.init.he, got {init!r}.")


def volume(layer: Layer, input_shape: Shape) -> tuple[int, int, int]:
    """The input's (H, W, C), or a ShapeError that names the layer."""
    if len(input_shape) != 3:
        raise ShapeError(
            f"{layer!r} needs a volume (height, width, channels), got shape {input_shape}."
        )
    H, W, C = input_shape
    return H, W, C
