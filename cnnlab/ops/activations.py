"""Activation functions: what bends the signal between layers that are linear."""

import numpy as np

from cnnlab.shapes import (
    ShapeError,
    as_upstream,
    expect_floats,
    expect_number,
    expect_whole,
)


def sigmoid_forward(x):
    """Squash every number into the range from 0 to 1.

    out = 1 / (1 + exp(−x))

    Computed as (1 + tanh(x/2)) / 2, which is the same and cannot overflow.

    Parameters
    ----------
    x : any shape.

    Returns
    -------
    out : x's shape and dtype.
    cache : what `sigmoid_backward` needs.

    Raises
    ------
    TypeError
        If x does not hold floating-point numbers.

    Source: the lecture, "Sigmoid"; Goodfellow et al. 2016, section 3.10.

    Examples
    --------
    >>> sigmoid_forward(np.array([-1000.0, 0.0, 1.0]))[0].round(3)
    array([0.   , 0.5  , 0.731])
    """
    expect_floats("x", x)
    half = x.dtype.type(0.5)
    out = half + half * np.tanh(half * x)
    return out, out


def sigmoid_backward(dout, cache):
    """Pass the gradient on, at most a quarter of it: a saturated unit passes nothing.

    dx = dout · out · (1 − out)

    Parameters
    ----------
    dout : gradient of the loss with respect to the output, in its shape.
    cache : from `sigmoid_forward`.

    Returns
    -------
    dx : x's shape and dtype.

    Raises
    ------
    ShapeError
        If dout does not have the shape of the output.

    Source: the lecture, "Saturated neurons kill the gradients".

    Examples
    --------
    >>> out, cache = sigmoid_forward(np.array([0.0, 1000.0]))
    >>> sigmoid_backward(np.ones(2), cache)
    array([0.25, 0.  ])
    """
    out = cache
    return as_upstream(dout, out.shape, out.dtype) * out * (1 - out)


def tanh_forward(x):
    """Squash every number into the range from −1 to 1, with 0 staying 0.

    out = tanh(x) = 2·σ(2x) − 1

    Parameters
    ----------
    x : any shape.

    Returns
    -------
    out : x's shape and dtype.
    cache : what `tanh_backward` needs.

    Raises
    ------
    TypeError
        If x does not hold floating-point numbers.

    Source: the lecture, "tanh(x)", after LeCun et al. 1991.

    Examples
    --------
    >>> tanh_forward(np.array([-1000.0, 0.0, 1.0]))[0].round(3)
    array([-1.   ,  0.   ,  0.762])
    """
    expect_floats("x", x)
    out = np.tanh(x)
    return out, out


def tanh_backward(dout, cache):
    """Pass the gradient on where the unit is not saturated.

    dx = dout · (1 − out²)

    Parameters
    ----------
    dout : gradient of the loss with respect to the output, in its shape.
    cache : from `tanh_forward`.

    Returns
    -------
    dx : x's shape and dtype.

    Raises
    ------
    ShapeError
        If dout does not have the shape of the output.

    Source: the lecture, "still kills gradients when saturated".

    Examples
    --------
    >>> out, cache = tanh_forward(np.array([0.0, 1000.0]))
    >>> tanh_backward(np.ones(2), cache)
    array([1., 0.])
    """
    out = cache
    return as_upstream(dout, out.shape, out.dtype) * (1 - out**2)


def relu_forward(x):
    """Keep what is positive, set the rest to zero.

    out = max(0, x)

    A NaN stays NaN.

    Parameters
    ----------
    x : any shape.

    Returns
    -------
    out : x's shape and dtype.
    cache : what `relu_backward` needs.

    Raises
    ------
    TypeError
        If x does not hold floating-point numbers.

    Source: Krizhevsky et al. 2012, section 3.1.

    Examples
    --------
    >>> relu_forward(np.array([-1.0, 0.0, 2.0]))[0]
    array([0., 0., 2.])
    """
    expect_floats("x", x)
    out = np.maximum(x, 0)
    return out, (out > 0, x.dtype)


def relu_backward(dout, cache):
    """Pass the gradient where the input was positive; at exactly zero it is taken as zero.

    dx = dout · [x > 0]

    Parameters
    ----------
    dout : gradient of the loss with respect to the output, in its shape.
    cache : from `relu_forward`.

    Returns
    -------
    dx : x's shape and dtype.

    Raises
    ------
    ShapeError
        If dout does not have the shape of the output.

    Source: Krizhevsky et al. 2012, section 3.1.

    Examples
    --------
    >>> out, cache = relu_forward(np.array([-1.0, 0.0, 2.0]))
    >>> relu_backward(np.array([5.0, 5.0, 5.0]), cache)
    array([0., 0., 5.])
    """
    positive, dtype = cache
    return as_upstream(dout, positive.shape, dtype) * positive


def leaky_relu_forward(x, *, slope=0.01):
    """Keep what is positive, shrink the rest, so that no unit is ever silent.

    out = x where x > 0, else slope·x

    For a slope below 1 that is max(slope·x, x), as the lecture writes it.

    Parameters
    ----------
    x : any shape.
    slope : of the negative side.

    Returns
    -------
    out : x's shape and dtype.
    cache : what `leaky_relu_backward` needs.

    Raises
    ------
    TypeError
        If x does not hold floating-point numbers.
    ValueError
        If slope is no finite number.

    Source: Maas et al. 2013, "Rectifier Nonlinearities Improve Neural Network Acoustic
    Models", section 2.

    Examples
    --------
    >>> leaky_relu_forward(np.array([-1.0, 0.0, 2.0]))[0]
    array([-0.01,  0.  ,  2.  ])
    """
    expect_floats("x", x)
    expect_number("slope", slope)
    steepness = np.where(x > 0, x.dtype.type(1), x.dtype.type(slope))
    return x * steepness, steepness


def leaky_relu_backward(dout, cache):
    """Pass the gradient where the input was positive, and a small share of it elsewhere.

    dx = dout where x > 0, else slope·dout; that is dx = dout · steepness

    Parameters
    ----------
    dout : gradient of the loss with respect to the output, in its shape.
    cache : from `leaky_relu_forward`.

    Returns
    -------
    dx : x's shape and dtype.

    Raises
    ------
    ShapeError
        If dout does not have the shape of the output.

    Source: Maas et al. 2013, section 2.

    Examples
    --------
    >>> out, cache = leaky_relu_forward(np.array([-1.0, 2.0]))
    >>> leaky_relu_backward(np.array([5.0, 5.0]), cache)
    array([0.05, 5.  ])
    """
    steepness = cache
    return as_upstream(dout, steepness.shape, steepness.dtype) * steepness


def prelu_forward(x, slope):
    """A leaky ReLU that learns how much it leaks.

    out = x where x > 0, else slope·x

    Parameters
    ----------
    x : (…, C) activations.
    slope : (C,) of the negative side, one for each channel, or (1,), one for all.

    Returns
    -------
    out : x's shape and dtype; slope is converted to it.
    cache : what `prelu_backward` needs.

    Raises
    ------
    ShapeError
        If there is neither one slope nor one for each channel.
    TypeError
        If x does not hold floating-point numbers.

    Source: He et al. 2015, "Delving Deep into Rectifiers", equation 1.

    Examples
    --------
    >>> prelu_forward(np.array([[-1.0, -1.0], [2.0, 2.0]]), np.array([0.25, 0.5]))[0]
    array([[-0.25, -0.5 ],
           [ 2.  ,  2.  ]])
    """
    _expect_channels(x)
    if np.shape(slope) not in ((1,), x.shape[-1:]):
        raise ShapeError(
            f"slope must hold one number, or one for each of {x.shape[-1]} channels, "
            f"got shape {np.shape(slope)}."
        )
    slope = np.asarray(slope, x.dtype)
    return np.where(x > 0, x, slope * x), (x, slope)


def prelu_backward(dout, cache):
    """Gradients of the leaky ReLU that learns: the slope collects where it was used.

    dx = dout where x > 0, else slope·dout
    dslope = Σ dout·min(0, x)

    The sum runs over all that share a slope.

    Parameters
    ----------
    dout : gradient of the loss with respect to the output, in its shape.
    cache : from `prelu_forward`.

    Returns
    -------
    dx : x's shape, in x's dtype like the other.
    dslope : slope's shape.

    Raises
    ------
    ShapeError
        If dout does not have the shape of the output.

    Source: He et al. 2015, equation 3.

    Examples
    --------
    >>> out, cache = prelu_forward(np.array([[-1.0, 2.0], [-3.0, 2.0]]), np.array([0.25, 0.5]))
    >>> prelu_backward(np.array([[1.0, 1.0], [2.0, 1.0]]), cache)
    (array([[0.25, 1.  ],
           [0.5 , 1.  ]]), array([-7.,  0.]))
    """
    x, slope = cache
    dout = as_upstream(dout, x.shape, x.dtype)
    by_channel = (dout * np.minimum(x, 0)).sum(axis=tuple(range(x.ndim - 1)))
    dslope = by_channel if slope.shape == by_channel.shape else by_channel.sum(keepdims=True)
    return np.where(x > 0, dout, slope * dout), dslope


def elu_forward(x, *, alpha=1.0):
    """Keep what is positive; let the rest level out smoothly at −alpha.

    out = x where x > 0, else alpha·(exp(x) − 1)

    Parameters
    ----------
    x : any shape.
    alpha : how far down the negative side goes, at least 0.

    Returns
    -------
    out : x's shape and dtype.
    cache : what `elu_backward` needs.

    Raises
    ------
    TypeError
        If x does not hold floating-point numbers.
    ValueError
        If alpha is negative or no finite number.

    Source: Clevert et al. 2016, "Fast and Accurate Deep Network Learning by Exponential
    Linear Units", section 3.

    Examples
    --------
    >>> elu_forward(np.array([-1000.0, -1.0, 2.0]))[0].round(3)
    array([-1.   , -0.632,  2.   ])
    """
    expect_floats("x", x)
    expect_number("alpha", alpha, least=0)
    alpha = x.dtype.type(alpha)
    # Only what is negative is exponentiated: nothing overflows.
    negative = alpha * np.expm1(np.minimum(x, 0))
    return np.where(x > 0, x, negative), np.where(x > 0, x.dtype.type(1), negative + alpha)


def elu_backward(dout, cache):
    """Pass the gradient where the input was positive; elsewhere it fades away.

    dx = dout where x > 0, else dout·alpha·exp(x)

    Parameters
    ----------
    dout : gradient of the loss with respect to the output, in its shape.
    cache : from `elu_forward`.

    Returns
    -------
    dx : x's shape and dtype.

    Raises
    ------
    ShapeError
        If dout does not have the shape of the output.

    Source: Clevert et al. 2016, section 3.

    Examples
    --------
    >>> out, cache = elu_forward(np.array([-1.0, 2.0]))
    >>> elu_backward(np.ones(2), cache).round(3)
    array([0.368, 1.   ])
    """
    steepness = cache
    return as_upstream(dout, steepness.shape, steepness.dtype) * steepness


def maxout_forward(x, *, pieces=2):
    """Keep the largest of every few neighboring channels: a bend that is learned.

    out[…, m] = max_{j < pieces} x[…, m·pieces + j]

    The layer before computes the pieces, `pieces` linear functions for each unit; with the
    largest of them a unit can be a ReLU, an absolute value, or any convex curve.

    Parameters
    ----------
    x : (…, M·pieces) activations; the pieces of a unit are neighbors.
    pieces : how many channels a unit chooses from.

    Returns
    -------
    out : (…, M), in x's dtype.
    cache : what `maxout_backward` needs.

    Raises
    ------
    ShapeError
        If the pieces do not divide the channels.
    TypeError
        If x does not hold floating-point numbers.
    ValueError
        If pieces is not a whole number of at least 1.

    Source: Goodfellow et al. 2013, "Maxout Networks", section 3.

    Examples
    --------
    >>> maxout_forward(np.array([[1.0, 3.0, -2.0, -5.0]]))[0]
    array([[ 3., -2.]])
    """
    _expect_channels(x)
    expect_whole("pieces", pieces)
    if x.shape[-1] % pieces:
        raise ShapeError(
            f"{pieces} pieces must divide the channels, got {x.shape[-1]} (shape {x.shape})."
        )
    groups = x.reshape(*x.shape[:-1], x.shape[-1] // pieces, pieces)
    # Among equals the first wins, and alone gets the gradient.
    winner = groups.argmax(axis=-1)[..., None]
    out = np.take_along_axis(groups, winner, axis=-1)[..., 0]
    return out, (x.shape, groups.shape, x.dtype, winner)


def maxout_backward(dout, cache):
    """Send each gradient to the piece that won; the others get zero.

    dx[…, m·pieces + j] = dout[…, m] where piece j won, else 0

    Parameters
    ----------
    dout : gradient of the loss with respect to the output, in its shape.
    cache : from `maxout_forward`.

    Returns
    -------
    dx : x's shape and dtype.

    Raises
    ------
    ShapeError
        If dout does not have the shape of the output.

    Source: Goodfellow et al. 2013, section 3.

    Examples
    --------
    >>> out, cache = maxout_forward(np.array([[1.0, 3.0, -2.0, -5.0]]))
    >>> maxout_backward(np.array([[7.0, 8.0]]), cache)
    array([[0., 7., 8., 0.]])
    """
    shape, grouped, dtype, winner = cache
    dout = as_upstream(dout, grouped[:-1], dtype)
    dx = np.zeros(grouped, dtype)
    np.put_along_axis(dx, winner, dout[..., None], axis=-1)
    return dx.reshape(shape)


def softmax_forward(x):
    """Turn scores into probabilities: positive numbers that add up to 1.

    out[…, c] = exp(x[…, c]) / Σ_j exp(x[…, j])

    The largest score of each row is subtracted first: the result is the same and
    exp cannot overflow.

    Parameters
    ----------
    x : (…, C) scores.

    Returns
    -------
    out : x's shape and dtype; the last axis sums to 1.
    cache : what `softmax_backward` needs.

    Raises
    ------
    ShapeError
        If there is no class.
    TypeError
        If x does not hold floating-point numbers.

    Source: Goodfellow et al. 2016, "Deep Learning", section 4.1.

    Examples
    --------
    >>> softmax_forward(np.array([[1000.0, 1000.0], [0.0, -1000.0]]))[0]
    array([[0.5, 0.5],
           [1. , 0. ]])
    """
    _expect_channels(x)
    if x.shape[-1] == 0:
        raise ShapeError(f"x must hold at least one score in a row, got shape {x.shape}.")
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    out = e / e.sum(axis=-1, keepdims=True)
    return out, out


def softmax_backward(dout, cache):
    """Gradient of the softmax: what raises all probabilities alike has no effect.

    dx[…, c] = out[…, c] · (dout[…, c] − Σ_j dout[…, j]·out[…, j])

    Parameters
    ----------
    dout : gradient of the loss with respect to the output, in its shape.
    cache : from `softmax_forward`.

    Returns
    -------
    dx : x's shape and dtype; the last axis sums to 0.

    Raises
    ------
    ShapeError
        If dout does not have the shape of the output.

    Source: Goodfellow et al. 2016, section 6.2.2.3.

    Examples
    --------
    >>> out, cache = softmax_forward(np.zeros((1, 2)))
    >>> softmax_backward(np.array([[1.0, 0.0]]), cache)
    array([[ 0.25, -0.25]])
    """
    out = cache
    dout = as_upstream(dout, out.shape, out.dtype)
    return out * (dout - (dout * out).sum(axis=-1, keepdims=True))


def _expect_channels(x):
    expect_floats("x", x)
    if x.ndim == 0:
        raise ShapeError("x must have at least one axis, its channels, got a single number.")
