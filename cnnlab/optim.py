"""Optimizers: how gradients change the weights; schedules: how large the steps are."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cnnlab.fast.sharing import pieces, share_out
from cnnlab.model import Sequential
from cnnlab.shapes import expect_number, expect_whole

# From the share of all steps that is done, and the validation accuracy after each epoch so far
# (None without validation), to the share of the learning rate to use. A schedule remembers
# nothing: it reads what happened, so training that is resumed needs no more than its history.
Schedule = Callable[[float, Sequence[float] | None], float]

# Numbers of a parameter that are moved at a time.
_PIECE = 2**17


class Optimizer:
    """What all optimizers share: a network, the size of a step, and weight decay.

    A new kind overrides `_memory` and `_move`.

    Parameters
    ----------
    model : whose parameters to change, in place.
    learning_rate : η, the size of a step; may be changed between steps.
    weight_decay : λ, of the L2 penalty λ/2·‖w‖², whose gradient λ·w (`ops.l2_backward`)
        joins that of the loss; spares the biases.

    Raises
    ------
    ValueError
        If a value is negative or not a number.
    """

    def __init__(self, model: Sequential, *, learning_rate: float, weight_decay: float = 0.0):
        expect_number("learning_rate", learning_rate, least=0)
        expect_number("weight_decay", weight_decay, least=0)
        self.model, self.learning_rate, self.weight_decay = model, learning_rate, weight_decay

    def step(self) -> None:
        """Change every parameter once, by the gradients of the last backward pass.

        Raises
        ------
        RuntimeError
            If there are no gradients yet.
        """
        gradients, decayed = self.model.gradients(), self.model.decayed()
        parameters = self.model.parameters()
        if gradients.keys() != parameters.keys():
            raise RuntimeError(
                "a step needs gradients: call model.loss_and_gradients(x, y) before it."
            )
        for name, w in parameters.items():
            decay = self.weight_decay if name in decayed else 0.0
            self._move_all(w, gradients[name], self._memory(name), decay)

    def state(self) -> dict[str, np.ndarray]:
        """Name → array: what the optimizer remembers from step to step."""
        return {}

    def _move_all(self, w, g, memory, decay):
        """A piece at a time, which stays in cache from the first operation to the last."""
        if not w.flags.c_contiguous:
            self._move(w, g + decay * w, *memory)
            return
        w, g, *memory = (array.reshape(-1) for array in (w, np.asarray(g), *memory))

        def some(start, stop):
            for piece in pieces(start, stop, _PIECE):
                step = g[piece] + decay * w[piece]
                self._move(w[piece], step, *(array[piece] for array in memory))

        share_out(some, w.size, least=_PIECE)

    def _memory(self, name):
        """What is remembered of one parameter: arrays of its shape, in the order of `_move`."""
        raise NotImplementedError

    def _move(self, w, g, *memory):
        """Change w and its memory in place, number by number.

        g is the gradient with that of the penalty, an array to be used up.
        """
        raise NotImplementedError

    def _zeros(self):
        return {name: np.zeros_like(p) for name, p in self.model.parameters().items()}


class SGD(Optimizer):
    """Stochastic gradient descent with momentum and L2 weight decay.

    v ← μ·v − η·(g + λ·w), then w ← w + v, for every parameter w with gradient g.

    The velocity v remembers the direction of the last steps. Nesterov's momentum asks for the
    gradient where the velocity is about to lead, w + μ·v; here w stands there already, so its
    step is w ← w + μ·v − η·(g + λ·w), with the new v.

    Parameters
    ----------
    model : whose parameters to change, in place.
    learning_rate : η, the size of a step; may be changed between steps.
    momentum : μ, the share of the velocity that is kept, from 0 up to, not including, 1.
    nesterov : whether to look ahead.
    weight_decay : λ, of the L2 penalty λ/2·‖w‖² (`ops.l2_backward`); spares the biases.

    Raises
    ------
    ValueError
        If a value is negative or not a number, or the momentum is 1 or more.

    Source: Krizhevsky et al. 2012, section 5; Sutskever et al. 2013, "On the importance of
    initialization and momentum in deep learning", section 2, for Nesterov's momentum, with w
    written as in Bengio et al. 2013, "Advances in optimizing recurrent networks", section 3.5.

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
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ):
        super().__init__(model, learning_rate=learning_rate, weight_decay=weight_decay)
        expect_number("momentum", momentum, least=0, below=1)
        self.momentum, self.nesterov = momentum, nesterov
        self.velocity = self._zeros()

    def state(self) -> dict[str, np.ndarray]:
        """Name of the parameter → its velocity."""
        return self.velocity

    def _memory(self, name):
        return (self.velocity[name],)

    def _move(self, w, g, v):
        g *= self.learning_rate
        v *= self.momentum
        v -= g
        w += self.momentum * v - g if self.nesterov else v

    def __repr__(self) -> str:
        return (
            f"SGD(learning_rate={self.learning_rate}, momentum={self.momentum}, "
            f"{'nesterov=True, ' if self.nesterov else ''}weight_decay={self.weight_decay})"
        )


class Adam(Optimizer):
    """Steps of a size of their own for every weight, from the moments of its gradients.

    m ← β₁·m + (1 − β₁)·g, s ← β₂·s + (1 − β₂)·g², then w ← w − η·m̂ / (√ŝ + ε), where
    m̂ = m / (1 − β₁ᵗ) and ŝ = s / (1 − β₂ᵗ) make up for the zeros they began with, at step t.

    Weight decay is what it is for SGD, the gradient λ·w of the L2 penalty as a part of g. It
    is not the decoupled decay of AdamW (Loshchilov & Hutter 2019).

    Parameters
    ----------
    model : whose parameters to change, in place.
    learning_rate : η, about the largest change of a weight in one step; may be changed
        between steps.
    betas : β₁ and β₂, how much of the two moments is kept, each from 0 up to, not including, 1.
    eps : ε, keeps the division finite where a gradient has always been 0.
    weight_decay : λ, of the L2 penalty λ/2·‖w‖² (`ops.l2_backward`); spares the biases.

    Raises
    ------
    ValueError
        If a value is negative or not a number, or a beta is 1 or more.

    Source: Kingma & Ba 2015, "Adam: a method for stochastic optimization", algorithm 1.

    Examples
    --------
    The first step is of the size of the learning rate, however small the gradient:

    >>> from cnnlab.layers import Affine
    >>> model = Sequential([Affine(1)], (1,), rng=np.random.default_rng(0), dtype=np.float64)
    >>> optimizer = Adam(model, learning_rate=0.1)
    >>> model.layers[0].grads = {"w": np.array([[1e-3]]), "b": np.array([-50.0])}
    >>> optimizer.step()
    >>> model.parameters()["0.affine.b"].round(6)
    array([0.1])
    """

    def __init__(
        self,
        model: Sequential,
        *,
        learning_rate: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ):
        super().__init__(model, learning_rate=learning_rate, weight_decay=weight_decay)
        for name, beta in zip(("the first beta", "the second beta"), betas, strict=True):
            expect_number(name, beta, least=0, below=1)
        expect_number("eps", eps, least=0)
        self.betas, self.eps = betas, eps
        self.mean, self.square = self._zeros(), self._zeros()
        self.steps = np.zeros((), np.int64)

    def step(self) -> None:
        super().step()
        self.steps += 1

    def state(self) -> dict[str, np.ndarray]:
        """The two moments of every parameter, and how many steps there were."""
        groups = {"mean": self.mean, "square": self.square}
        named = {f"{kind}.{name}": a for kind, group in groups.items() for name, a in group.items()}
        return named | {"steps": self.steps}

    def _memory(self, name):
        return self.mean[name], self.square[name]

    def _move(self, w, g, m, s):
        (beta1, beta2), t = self.betas, int(self.steps) + 1
        m *= beta1
        m += (1 - beta1) * g
        s *= beta2
        s += (1 - beta2) * g**2
        w -= self.learning_rate * (m / (1 - beta1**t)) / (np.sqrt(s / (1 - beta2**t)) + self.eps)

    def __repr__(self) -> str:
        return (
            f"Adam(learning_rate={self.learning_rate}, betas={self.betas}, eps={self.eps}, "
            f"weight_decay={self.weight_decay})"
        )


def cosine(progress: float, accuracies: Sequence[float] | None = None) -> float:
    """The share of the learning rate to use: 1 at the start, 0 at the end, smooth between.

    (1 + cos(π·progress)) / 2

    Parameters
    ----------
    progress : the share of all steps that is done, from 0 to 1.
    accuracies : of no importance to this schedule.

    Source: Loshchilov & Hutter 2017, "SGDR", equation 5, without restarts.

    Examples
    --------
    >>> [round(cosine(p), 2) for p in (0, 0.25, 0.5, 0.75, 1)]
    [1.0, 0.85, 0.5, 0.15, 0.0]
    """
    return (1 + math.cos(math.pi * progress)) / 2


@dataclass(frozen=True)
class Steps:
    """A schedule that multiplies the learning rate by `factor` at fixed times.

    Parameters
    ----------
    at : when, as shares of all steps, each more than 0 and less than 1.
    factor : what to multiply by each time, more than 0 and less than 1.

    Raises
    ------
    ValueError
        If a time is not between 0 and 1, or the factor does not shrink.

    Examples
    --------
    >>> schedule = Steps(at=(0.5, 0.75), factor=0.5)
    >>> [schedule(p) for p in (0, 0.49, 0.5, 0.75, 1)]
    [1.0, 1.0, 0.5, 0.25, 0.25]
    """

    at: tuple[float, ...] = (0.5, 0.75)
    factor: float = 0.1

    def __post_init__(self):
        for time in self.at:
            _expect_share("every time in at", time)
        _expect_share("factor", self.factor)

    def __call__(self, progress: float, accuracies: Sequence[float] | None = None) -> float:
        return float(self.factor ** sum(progress >= time for time in self.at))

    def __str__(self) -> str:
        times = ", ".join(f"{time:.0%}" for time in self.at).replace("%", " %")
        return f"÷{1 / self.factor:g} after {times} of the steps"


@dataclass(frozen=True)
class Plateau:
    """A schedule that multiplies the learning rate by `factor` when validation stops improving.

    The lecture's "reduced by 10 manually when validation accuracy plateaus", without the hand.

    Parameters
    ----------
    factor : what to multiply by each time, more than 0 and less than 1.
    patience : how many epochs in a row without a new best accuracy it takes; counted anew
        after each reduction.

    Raises
    ------
    ValueError
        If the factor does not shrink, or patience is not a whole number of at least 1; when
        called, if there is no validation.

    Source: the lecture, "AlexNet"; Krizhevsky et al. 2012, section 5.

    Examples
    --------
    >>> schedule = Plateau(patience=2)
    >>> schedule(0.0, [0.5, 0.6, 0.6]), schedule(0.0, [0.5, 0.6, 0.6, 0.55])
    (1.0, 0.1)
    """

    factor: float = 0.1
    patience: int = 3

    def __post_init__(self):
        _expect_share("factor", self.factor)
        expect_whole("patience", self.patience)

    def __call__(self, progress: float, accuracies: Sequence[float] | None = None) -> float:
        if accuracies is None:
            raise ValueError(
                f"{self!r} looks at the validation accuracy, got no validation images: pass some, "
                f"for example from data.split."
            )
        best, waited, reductions = -math.inf, 0, 0
        for accuracy in accuracies:
            best, waited = (accuracy, 0) if accuracy > best else (best, waited + 1)
            if waited == self.patience:
                waited, reductions = 0, reductions + 1
        return float(self.factor**reductions)

    def __str__(self) -> str:
        epochs = "1 epoch" if self.patience == 1 else f"{self.patience} epochs"
        return f"÷{1 / self.factor:g} after {epochs} without a better validation accuracy"


@dataclass(frozen=True)
class WarmUp:
    """A schedule that rises from 0 at first, and then follows another.

    Parameters
    ----------
    schedule : what to follow.
    share : of all steps, how long to rise, more than 0 and less than 1.

    Raises
    ------
    ValueError
        If the share is not between 0 and 1.

    Source: Goyal et al. 2017, "Accurate, Large Minibatch SGD", section 2.2.

    Examples
    --------
    >>> schedule = WarmUp(cosine, share=0.2)
    >>> [round(schedule(p), 2) for p in (0, 0.1, 0.2, 0.5, 1)]
    [0.0, 0.49, 0.9, 0.5, 0.0]
    """

    schedule: Schedule
    share: float = 0.05

    def __post_init__(self):
        _expect_share("share", self.share)

    def __call__(self, progress: float, accuracies: Sequence[float] | None = None) -> float:
        return min(1.0, progress / self.share) * self.schedule(progress, accuracies)

    def __str__(self) -> str:
        share = f"{self.share:.0%}".replace("%", " %")
        return f"rising for {share} of the steps, then {name_of(self.schedule)}"


def name_of(schedule: Schedule | None) -> str:
    """A schedule in words.

    Examples
    --------
    >>> print(name_of(None), name_of(cosine), name_of(Steps(at=(0.5, 0.75))), sep=" | ")
    constant | cosine | ÷10 after 50 %, 75 % of the steps
    """
    return "constant" if schedule is None else getattr(schedule, "__name__", str(schedule))


def _expect_share(name, value):
    expect_number(name, value)
    if not 0 < value < 1:
        raise ValueError(f"{name} must be more than 0 and less than 1, got {value!r}.")


# By name, with the usual numbers.
SCHEDULES: dict[str, Schedule | None] = {
    "constant": None,
    "cosine": cosine,
    "plateau": Plateau(),
    "steps": Steps(),
}
