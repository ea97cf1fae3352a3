"""Layers in a row that threads go through side by side, each with its share of the images.

One after another the layers would wake the threads a dozen times for each batch, and wait for the
slower one each time. For a small network that takes longer than the work.
"""

from collections.abc import Sequence
from itertools import groupby
from math import ceil, prod
from typing import Any

import numpy as np

from cnnlab import fast
from cnnlab.layers.base import Layer, Shape
from cnnlab.shapes import as_upstream

# Numbers that a share must bring forth at least: to wake a thread takes as long as less work.
_LEAST = 2**17
# More numbers go layer by layer, on threads within each: to wake those is nothing beside the work,
# and what one layer needed to compute in is free for the next.
_MOST = 2**24
# A layer of more parameters goes alone: the gradients of each thread would take as much again.
_LARGEST = 2**20


class Stretch:
    """Layers in a row; a batch goes through all of them in shares, one a thread.

    Parameters
    ----------
    layers : built layers; where there are several, each treats every image by itself.
    shapes : of the output of each, for one image.
    """

    def __init__(self, layers: Sequence[Layer], shapes: Sequence[Shape]):
        self.layers = layers
        numbers = max(1, sum(map(prod, shapes)))
        self._least, self._most = ceil(_LEAST / numbers), _MOST // numbers
        self._out: tuple = ()  # shape and dtype of the output that came in shares

    def forward(self, x: np.ndarray, *, training: bool = False, keep: bool = True) -> np.ndarray:
        """The output for a batch. With keep=False the layers keep nothing for the way back."""
        if len(self.layers) == 1 or len(x) > self._most:
            for layer in self.layers:
                x = layer.forward(x, training=training)
                if not keep:
                    layer.forget()
            return x

        def work(start, stop):
            out, caches = x[start:stop], []
            for layer in self.layers:
                out, cache = layer._forward(out, training)
                if keep:
                    caches.append(cache)
                del cache  # it may be large
            return out, caches

        outs, caches = zip(*fast.share_out(work, len(x), least=self._least), strict=True)
        if keep:
            for layer, of_shares in zip(self.layers, zip(*caches, strict=True), strict=True):
                layer._caches = of_shares
        out = fast.joined(outs)
        self._out = out.shape, out.dtype
        return out

    def backward(self, dout: np.ndarray, *, input_gradient: bool = True) -> np.ndarray | Any:
        """The gradient of the input, from that of the output; fills the layers' gradients."""
        first, counts = self.layers[0], {len(layer._caches) for layer in self.layers}
        if len(counts) > 1 or max(counts) < 2:
            # All of it at once; or a layer has been used by itself since.
            for layer in reversed(self.layers):
                dout = layer.backward(dout, input_gradient=input_gradient or layer is not first)
            return dout
        for layer in self.layers:
            layer.grads = {}  # the last ones may be large: let them go first
        # Here, where it is whole: a share would be told its own shape.
        parts = fast.shares(as_upstream(dout, *self._out), *counts)

        def work(start, stop):
            return [go_back(share) for share in range(start, stop)]

        def go_back(share):
            dout, found = parts[share], []
            for layer in reversed(self.layers):
                wanted = input_gradient or layer is not first
                dout, of_params = layer._gradients(dout, layer._caches[share], wanted)
                found.append(of_params)
            return dout, found

        done = [one for some in fast.share_out(work, len(parts)) for one in some]
        dxs, found = zip(*done, strict=True)
        for layer, of_params in zip(reversed(self.layers), zip(*found, strict=True), strict=True):
            layer._take(of_params)
        return fast.joined(dxs)


def stretches(layers: Sequence[Layer], shapes: Sequence[Shape]) -> list[Stretch]:
    """Layers in a row, cut around each that needs the whole batch or has many parameters.

    Parameters
    ----------
    layers : built layers.
    shapes : of the output of each, for one image.
    """
    groups = groupby(
        zip(layers, shapes, strict=True),
        # Of those that go alone no two have a number in common.
        key=lambda pair: 0 if _goes_along(pair[0]) else id(pair[0]),
    )
    return [Stretch(*zip(*group, strict=True)) for _, group in groups]


def _goes_along(layer):
    return layer.by_image and sum(p.size for p in layer.params.values()) <= _LARGEST
