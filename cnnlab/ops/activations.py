"""Activation functions: applied to every number on its own."""

import numpy as np

from cnnlab.shapes import ShapeError


def relu_forward(x):
    """Keep what is positive, set the rest to zero: max(0, x).

    Parameters
    ----------
    x : any shape.

    Returns
    -------
    out : x's shape and dtype.
    cache : what `relu_backward` needs.

    Source: Krizhevsky et al. 2012, section 3.1.

    Examples
    --------
    >>> relu_forward(np.array([-1.0, 0.0, 2.0]))[0]
    array([0., 0., 2.])
    """
    out = np.maximum(x, 0)
    return out, out > 0


def relu_backward(dout, cache):
    """Pass the gradient where the input was positive; at exactly zero it is taken as zero.

    Parameters
    ----------
    dout : gradient of the loss with respect to the output, in its shape.
    cache : from `relu_forward`.

    Returns
    -------
    dx : dout's shape and dtype.

    Raises
    ------
    ShapeError
        If dout does not have the shape of the output.

    Examples
    --------
    >>> out, cache = relu_forward(np.array([-1.0, 0.0, 2.0]))
    >>> relu_backward(np.array([5.0, 5.0, 5.0]), cache)
    array([0., 0., 5.])
    """
    positive = cache
    if dout.shape != positive.shape:
        raise ShapeError(f"dout must have the output's shape {positive.shape}, got {dout.shape}.")
    return dout * positive


def sigmoid_forward(x):
    raise NotImplementedError


def sigmoid_backward(dout, cache):
    raise NotImplementedError


def tanh_forward(x):
    raise NotImplementedError


def tanh_backward(dout, cache):
    raise NotImplementedError


def leaky_relu_forward(x, *, slope=0.01):
    raise NotImplementedError


def leaky_relu_backward(dout, cache):
    raise NotImplementedError


def prelu_forward(x, slope):
    raise NotImplementedError


def prelu_backward(dout, cache):
    raise NotImplementedError


def elu_forward(x, *, alpha=1.0):
    raise NotImplementedError


def elu_backward(dout, cache):
    raise NotImplementedError


def maxout_forward(x, *, pieces=2):
    raise NotImplementedError


def maxout_backward(dout, cache):
    raise NotImplementedError


def softmax_forward(x):
    raise NotImplementedError


def softmax_backward(dout, cache):
    raise NotImplementedError
