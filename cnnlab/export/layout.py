"""Channels first: where the arrays of a network stand in frameworks that use NCHW.

Ours are channels last. Filters only have their axes reordered. The subtle case is a row of
numbers that was a volume: Flatten lays (H, W, C) out pixel by pixel here, channel by channel
there, so that what counts the numbers of such a row, as the weights of the affine layer after
it do, comes in another order too.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from cnnlab.layers import (
    ELU,
    LRN,
    Affine,
    AvgPool,
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    Layer,
    LeakyReLU,
    LocallyConnected,
    Maxout,
    MaxPool,
    PReLU,
    ReLU,
    Shape,
    Sigmoid,
    Softmax,
    Tanh,
    TiledConv,
)
from cnnlab.model import Sequential


@dataclass(frozen=True, eq=False)
class Stored:
    """An array of a network, and how it stands channels first.

    Parameters
    ----------
    array : ours.
    apart : its shape, with an axis that counts a flattened volume taken apart.
    axes : the order of those axes there.
    shape : there, with what was taken apart in one piece again.
    """

    array: np.ndarray
    apart: Shape
    axes: tuple[int, ...]
    shape: Shape

    def read(self) -> np.ndarray:
        """The array, channels first."""
        return self.array.reshape(self.apart).transpose(self.axes).reshape(self.shape)

    def write(self, theirs: np.ndarray) -> None:
        """Overwrite ours with one that stands channels first."""
        moved = theirs.reshape([self.apart[axis] for axis in self.axes])
        self.array[...] = moved.transpose(np.argsort(self.axes)).reshape(self.array.shape)


@dataclass(frozen=True, eq=False)
class Place:
    """A layer where it stands in its network.

    Parameters
    ----------
    index, layer : which it is.
    shape : of one input, channels last.
    reads, writes : what the last axis of its input and of its output counts: (C,), or the
        (H, W, C) of the volume that a row of numbers was.
    """

    index: int
    layer: Layer
    shape: Shape
    reads: Shape
    writes: Shape

    def stored(self) -> dict[str, Stored]:
        """Name there → array, of all parameters and buffers."""
        describe = _STORED.get(type(self.layer))
        return {} if describe is None else describe(self.layer, self.reads)


def places(model: Sequential) -> Iterator[Place]:
    """Each layer in turn, in its place.

    Raises
    ------
    TypeError
        If a layer is not one of those in `cnnlab.layers`.
    """
    counted = model.input_shape[-1:]
    for index, layer in enumerate(model.layers):
        if type(layer) not in {*_STORED, *_NUMBER_BY_NUMBER, *_OTHERS}:
            raise TypeError(
                f"layer {index} must be one of those in cnnlab.layers to be exported, got "
                f"{layer!r}."
            )
        shape, reads = model.shapes[index], counted
        counted = _counted(layer, shape, reads, model.shapes[index + 1])
        yield Place(index, layer, shape, reads, counted)


def is_reordered(counted: Shape) -> bool:
    """Whether numbers that are counted so come in another order there.

    Examples
    --------
    >>> is_reordered((128,)), is_reordered((7, 7, 64)), is_reordered((1, 1, 64))
    (False, True, False)
    """
    return 1 < counted[-1] < math.prod(counted)


def _counted(layer, shape, reads, out_shape):
    """What the last axis of the output counts."""
    if isinstance(layer, Flatten):
        return shape if len(shape) > 1 else reads
    return reads if type(layer) in _NUMBER_BY_NUMBER else out_shape[-1:]


# One function for each kind of layer that remembers anything.


def _filters(layer, reads):
    w, b = layer.params["w"], layer.params["b"]
    FH, FW, C, K = w.shape
    return {
        "weight": Stored(w, w.shape, (3, 2, 0, 1), (K, C, FH, FW)),
        "bias": _by_feature(b, b.shape),
    }


def _sets_of_filters(layer, reads):
    w, b = layer.params["w"], layer.params["b"]
    TH, TW, FH, FW, C, K = w.shape
    return {
        "weight": Stored(w, w.shape, (0, 1, 5, 4, 2, 3), (TH, TW, K, C, FH, FW)),
        "bias": Stored(b, b.shape, (0, 1, 2), b.shape),
    }


def _affine(layer, reads):
    w, b = layer.params["w"], layer.params["b"]
    D, M = w.shape
    axes = (len(reads), *_channel_first(reads))
    return {
        "weight": Stored(w, (*reads, M), axes, (M, D)),
        "bias": _by_feature(b, b.shape),
    }


def _batch_norm(layer, reads):
    named = {
        "weight": layer.params["gamma"],
        "bias": layer.params["beta"],
        "running_mean": layer.buffers["mean"],
        "running_var": layer.buffers["var"],
    }
    return {name: _by_feature(array, reads) for name, array in named.items()}


def _prelu(layer, reads):
    slope = layer.params["slope"]
    return {"weight": _by_feature(slope, (1,) if layer.shared else reads)}


def _by_feature(array, counted):
    return Stored(array, counted, _channel_first(counted), array.shape)


def _channel_first(counted):
    """The axes that a feature is counted by: the channel, then row and column."""
    last = len(counted) - 1
    return (last, *range(last))


_STORED: dict[type[Layer], Callable[..., dict[str, Stored]]] = {
    Conv: _filters,
    LocallyConnected: _sets_of_filters,
    TiledConv: _sets_of_filters,
    Affine: _affine,
    BatchNorm: _batch_norm,
    PReLU: _prelu,
}
# They treat every number of a row alike or by its own parameter: the order may be any.
_NUMBER_BY_NUMBER = {
    *(Sigmoid, Tanh, ReLU, LeakyReLU, PReLU, ELU, Softmax),
    *(BatchNorm, Dropout),
}
_OTHERS = {MaxPool, AvgPool, GlobalMaxPool, GlobalAvgPool, Flatten, Maxout, LRN}
