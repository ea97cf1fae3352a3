"""What goes on inside a network: the activations and gradients of every layer, in numbers."""

from dataclasses import dataclass

import numpy as np

from cnnlab.layers import Sigmoid, Tanh
from cnnlab.model import Sequential
from cnnlab.table import Table

# A unit this near to one of its limits hardly learns: the slope is 0.01 (sigmoid), 0.02 (tanh).
_LIMITS = {Sigmoid: (0.01, 0.99), Tanh: (-0.99, 0.99)}


@dataclass(frozen=True)
class LayerStatistics:
    """One line of `Statistics`; None where a layer has no such thing.

    Parameters
    ----------
    layer : position and kind, such as "0.conv".
    mean, std : of the activations, all that the layer puts out.
    zeros : the share of them that is exactly 0, from 0 to 1: for a ReLU, the units at rest.
    saturated : the share within 1 % of the limits of a sigmoid or a tanh.
    dout : standard deviation of the gradient that comes back to the layer's output.
    gradient : ‖g‖, the Euclidean norm of the gradient of all parameters of the layer.
    ratio : ‖g‖ / ‖w‖; times the learning rate, the share of themselves by which one plain step
        changes the weights, about 1e-3 where training goes well.
    """

    layer: str
    mean: float
    std: float
    zeros: float
    saturated: float | None
    dout: float
    gradient: float | None
    ratio: float | None


@dataclass(frozen=True)
class Statistics(Table):
    """What `statistics` found: rows to compute with, and a table to read."""

    rows: tuple[LayerStatistics, ...]
    sides = "<>>>>>>>"

    def table(self) -> list[tuple[str, ...]]:
        """One row per layer."""
        head = ("layer", "mean", "std", "zeros", "saturated", "std dout", "‖g‖", "‖g‖/‖w‖")
        return [
            head,
            *(
                (
                    *(row.layer, f"{row.mean:.3f}", f"{row.std:.3f}", f"{row.zeros:.0%}"),
                    "" if row.saturated is None else f"{row.saturated:.0%}",
                    *(_short(value) for value in (row.dout, row.gradient, row.ratio)),
                )
                for row in self.rows
            ),
        ]


def activations(
    model: Sequential, x: np.ndarray, *, training: bool = False
) -> list[tuple[str, np.ndarray]]:
    """What every layer puts out for a batch, from the first layer to the scores.

    Parameters
    ----------
    model : the network.
    x : (N, …) preprocessed inputs.
    training : as in `Sequential.forward`; True drops units out, and moves running statistics.

    Returns
    -------
    pairs : the name of each layer, such as "0.conv", and its output, (N, …).

    Examples
    --------
    >>> from cnnlab import zoo
    >>> model = zoo.linear((2, 2, 1), 3, rng=np.random.default_rng(0))
    >>> [(name, out.shape) for name, out in activations(model, np.ones((5, 2, 2, 1)))]
    [('0.flatten', (5, 4)), ('1.affine', (5, 3))]
    """
    found, out = [], np.asarray(x)
    for index, layer in enumerate(model.layers):
        out = layer.forward(out.astype(model.dtype, copy=False), training=training)
        found.append((f"{index}.{type(layer).__name__.lower()}", out))
    return found


def statistics(model: Sequential, x: np.ndarray, y: np.ndarray) -> Statistics:
    """How large activations and gradients are in every layer, for one labeled batch.

    The network runs as it does at test time, so nothing that training depends on is changed
    and it can be called after every epoch: `fit(…, on_epoch=lambda history:
    found.append(statistics(model, x, y)))`.

    Parameters
    ----------
    model : the network; its gradients are those of this batch afterwards.
    x : (N, …) preprocessed inputs.
    y : (N,) integer labels.

    Returns
    -------
    statistics : `rows`, one `LayerStatistics` per layer; shows itself as a table.

    Examples
    --------
    >>> from cnnlab import zoo
    >>> rng = np.random.default_rng(0)
    >>> model = zoo.convnet((4, 4, 1), 3, rng=rng)
    >>> found = statistics(model, rng.normal(size=(50, 4, 4, 1)), rng.integers(0, 3, 50))
    >>> found.rows[1].layer, round(found.rows[1].zeros, 1)
    ('1.relu', 0.5)
    """
    outputs = activations(model, x)
    _, dout = model.loss(outputs[-1][1], y)
    rows = []
    for layer, (name, out) in reversed(list(zip(model.layers, outputs, strict=True))):
        arriving, dout = dout, layer.backward(dout)
        gradient = ratio = saturated = None
        if layer.params:
            gradient = _norm(layer.grads.values())
            size = _norm(layer.params.values())
            ratio = gradient / size if size else None
        if type(layer) in _LIMITS:
            low, high = _LIMITS[type(layer)]
            saturated = float(((out < low) | (out > high)).mean())
        rows.append(
            LayerStatistics(
                layer=name,
                mean=float(out.mean(dtype=np.float64)),
                std=float(out.std(dtype=np.float64)),
                zeros=float((out == 0).mean()),
                saturated=saturated,
                dout=float(arriving.std(dtype=np.float64)),
                gradient=gradient,
                ratio=ratio,
            )
        )
    return Statistics(tuple(reversed(rows)))


def _norm(arrays):
    """The Euclidean norm of all numbers in some arrays."""
    return float(np.sqrt(sum(np.sum(np.square(a, dtype=np.float64)) for a in arrays)))


def _short(value):
    return "" if value is None else f"{value:.2g}"
