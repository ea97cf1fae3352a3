"""Activations, fast: a stretch of numbers at a time, all steps before the next stretch."""

import numpy as np

from cnnlab.fast.memory import empty, scratch
from cnnlab.fast.sharing import pieces, share_out
from cnnlab.shapes import as_upstream, expect_floats

# Numbers in one stretch.
_STRETCH = 2**18


def relu_forward(x):
    """As `ops.relu_forward`."""
    expect_floats("x", x)
    out = _by_stretches(lambda x, out: np.maximum(x, 0, out=out), x)
    return out, out


def relu_backward(dout, cache):
    """As `ops.relu_backward`; the output itself says who was positive."""
    dout = as_upstream(dout, cache.shape, cache.dtype)
    return _by_stretches(lambda dout, y, dx: np.multiply(dout, y > 0, out=dx), dout, cache)


def tanh_forward(x):
    """As `ops.tanh_forward`."""
    expect_floats("x", x)
    out = _by_stretches(lambda x, out: np.tanh(x, out=out), x)
    return out, out


def tanh_backward(dout, cache):
    """As `ops.tanh_backward`."""
    dout = as_upstream(dout, cache.shape, cache.dtype)

    def work(dout, y, dx):
        slope = np.square(y, out=scratch("slope", y.shape, y.dtype))
        np.subtract(1, slope, out=slope)
        np.multiply(dout, slope, out=dx)

    return _by_stretches(work, dout, cache)


def _by_stretches(work, *arrays):
    """A new array that work(*stretches of arrays, stretch of the new one) fills."""
    out = empty(arrays[0].shape, arrays[0].dtype)
    flat = [np.ascontiguousarray(array).reshape(-1) for array in (*arrays, out)]

    def some(start, stop):
        for stretch in pieces(start, stop, _STRETCH):
            work(*(array[stretch] for array in flat))

    share_out(some, out.size, least=_STRETCH)
    return out
