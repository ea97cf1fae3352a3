"""What training makes small: losses, and the penalty on large weights."""

import numpy as np

from cnnlab import fast
from cnnlab.ops import Ops
from cnnlab.shapes import expect_number


class _Objective:
    """One operation that ends in a single number, with its options and one cache."""

    op: str = ""

    def __init__(self) -> None:
        self._ops: Ops = fast.ops
        self._caches: tuple = ()  # one after a forward pass, which may be None itself

    def build(self, *, ops: Ops = fast.ops) -> None:
        """Take the table of operations to use."""
        self._ops, self._caches = ops, ()

    def backward(self, dout: float = 1.0) -> np.ndarray:
        """The gradient of what went in, from that of the number that came out.

        Raises
        ------
        RuntimeError
            If there was no forward pass to go back through.
        """
        if not self._caches:
            raise RuntimeError(
                f"{self!r} must see a forward pass before a backward pass: call forward first."
            )
        return getattr(self._ops, self.op).backward(dout, *self._caches)

    def _run(self, *arrays, **options):
        self._caches = ()
        out, cache = getattr(self._ops, self.op).forward(*arrays, **options)
        self._caches = (cache,)
        return out


class Loss(_Objective):
    """What all losses share; a new kind names its operation and hands on its options."""

    def forward(self, scores: np.ndarray, y: np.ndarray) -> np.floating:
        """The loss of (N, C) scores for (N,) labels, a mean over the rows."""
        return self._run(scores, y, **self._options())

    def _options(self):
        return {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class SoftmaxLoss(Loss):
    """Cross-entropy of the softmax of the scores, in nats.

    Examples
    --------
    >>> loss = SoftmaxLoss()
    >>> loss.forward(np.zeros((1, 4)), np.array([2])).round(4), loss.backward()
    (np.float64(1.3863), array([[ 0.25,  0.25, -0.75,  0.25]]))
    """

    op = "softmax_loss"


class HingeLoss(Loss):
    """How far other classes come within a margin of the right one, or past it.

    Parameters
    ----------
    margin : by how much the right score must lead.

    Examples
    --------
    >>> loss = HingeLoss()
    >>> loss.forward(np.array([[3.0, 2.5, -1.0]]), np.array([0])), loss.backward()
    (np.float64(0.5), array([[-1.,  1.,  0.]]))
    """

    op = "hinge_loss"

    def __init__(self, margin: float = 1.0):
        super().__init__()
        expect_number("margin", margin)
        self.margin = margin

    def _options(self):
        return {"margin": self.margin}

    def __repr__(self) -> str:
        return f"HingeLoss({self.margin})"


class L2(_Objective):
    """What large weights cost: strength/2 times the sum of their squares.

    An optimizer with `weight_decay` applies the gradient of this penalty by itself.

    Parameters
    ----------
    strength : λ, at least 0.

    Examples
    --------
    >>> penalty = L2(0.1)
    >>> penalty.forward(np.array([3.0, 4.0])), penalty.backward().round(3)
    (np.float64(1.25), array([0.3, 0.4]))
    """

    op = "l2"

    def __init__(self, strength: float):
        super().__init__()
        expect_number("strength", strength, least=0)
        self.strength = strength

    def forward(self, w: np.ndarray) -> np.floating:
        """The penalty on weights of any shape."""
        return self._run(w, strength=self.strength)

    def __repr__(self) -> str:
        return f"L2({self.strength})"
