"""Optimizers: how gradients change the weights; schedules: how large the steps are."""

import math

import numpy as np

from cnnlab.model import Sequential
from cnnlab.shapes import expect_number


class SGD:
    """Stochastic gradient descent with momentum and L2 weight decay.

    v ← μ·v − η·(g + λ·w), then w ← w + v, for every parameter w with gradient g.

    The velocity v remembers the direction of the last steps. Weight decay is the
    gradient of the L2 penalty λ/2·‖w‖² (`ops.l2_backward`) and spares the biases.

    Parameters
    ----------
    model : whose parameters to change, in place.
    learning_rate : η, the size of a step; may be changed between steps.
    momentum : μ, the share of the velocity that is kept, from 0 up to, not including, 1.
    weight_decay : λ.

    Raises
    ------
    ValueError
        If a value is negative or not a number, or the momentum is 1 or more.

    Source: Krizhevsky et al. 2012, section 5.

    Examples
    --------
    >>> from cnnlab.layers import Affine
    >>> model = Sequential([Affine(2)], (3,), rng=np.random.default_rng(0))
    >>> optimizer = SGD(model, learning_rate=0.1)
    >>> x, y = np.ones((4, 3)), np.array([0, 0, 1, 0])
    >>> before, _ = model.loss_and_gradients(x, y)
    >>> optimizer.step()
    >>> after, _ = model.loss_and_gradients(x, y)
    >>> after < before
    True
    """

    def __init__(
        self,
        model: Sequential,
        *,
        learning_rate: float,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
    ):
        expect_number("learning_rate", learning_rate, least=0)
        expect_number("momentum", momentum, least=0, below=1)
        expect_number("weight_decay", weight_decay, least=0)
        self.model = model
        self.learning_rate, self.momentum, self.weight_decay = learning_rate, momentum, weight_decay
        self.velocity = {name: np.zeros_like(p) for name, p in model.parameters().items()}

    def step(self) -> None:
        """Change every parameter once, by the gradients of the last backward pass.

        Raises
        ------
        RuntimeError
            If there are no gradients yet.
        """
        gradients, decayed = self.model.gradients(), self.model.decayed()
        if gradients.keys() != self.velocity.keys():
            raise RuntimeError(
                "a step needs gradients: call model.loss_and_gradients(x, y) before it."
            )
        for name, w in self.model.parameters().items():
            decay = self.weight_decay if name in decayed else 0.0
            v = self.velocity[name]
            v *= self.momentum
            v -= self.learning_rate * (gradients[name] + decay * w)
            w += v

    def state(self) -> dict[str, np.ndarray]:
        """Name → array: what the optimizer remembers from step to step."""
        return self.velocity

    def __repr__(self) -> str:
        return (
            f"SGD(learning_rate={self.learning_rate}, momentum={self.momentum}, "
            f"weight_decay={self.weight_decay})"
        )


def cosine(progress: float) -> float:
    """The share of the learning rate to use: 1 at the start, 0 at the end, smooth between.

    (1 + cos(π·progress)) / 2

    Parameters
    ----------
    progress : the share of all steps that is done, from 0 to 1.

    Source: Loshchilov & Hutter 2017, "SGDR", equation 5, without restarts.

    Examples
    --------
    >>> [round(cosine(p), 2) for p in (0, 0.25, 0.5, 0.75, 1)]
    [1.0, 0.85, 0.5, 0.15, 0.0]
    """
    return (1 + math.cos(math.pi * progress)) / 2
