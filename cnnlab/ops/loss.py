"""Losses: how wrong the scores are, as one number; and what large weights cost."""

import numpy as np

from cnnlab.shapes import ShapeError, as_upstream, expect_floats, expect_number, expect_rank


def softmax_loss_forward(x, y):
    """Cross-entropy of the softmax of the scores, in nats: guessing evenly gives ln C.

    out = −1/N · Σ_n ln p[n, y[n]]  with  p[n, c] = exp(x[n, c]) / Σ_j exp(x[n, j])

    Computed from ln p, with the largest score of each row subtracted: no score is too large.

    Parameters
    ----------
    x : (N, C) scores.
    y : (N,) integer labels from 0 to C − 1.

    Returns
    -------
    out : a scalar in x's dtype.
    cache : what `softmax_loss_backward` needs.

    Raises
    ------
    ShapeError
        If the scores and labels do not match, or there are none.
    TypeError
        If x does not hold floating-point numbers.
    ValueError
        If a label is not a class.

    Source: Goodfellow et al. 2016, section 6.2.2.3.

    Examples
    --------
    >>> loss, cache = softmax_loss_forward(np.zeros((2, 10)), np.array([3, 7]))
    >>> loss.round(4), np.log(10).round(4)
    (np.float64(2.3026), np.float64(2.3026))
    """
    y = _labels(x, y)
    shifted = x - x.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -log_p[np.arange(len(y)), y].mean(), (log_p, y)


def softmax_loss_backward(dout, cache):
    """Gradient of the mean cross-entropy: probabilities, less 1 at the label.

    dx[n, c] = dout · (p[n, c] − [c = y[n]]) / N

    Parameters
    ----------
    dout : scalar gradient with respect to the loss, 1 at the end of a network.
    cache : from `softmax_loss_forward`.

    Returns
    -------
    dx : (N, C) in x's dtype; each row sums to 0.

    Raises
    ------
    ShapeError
        If dout is not a single number.

    Source: Bishop 2006, "Pattern Recognition and Machine Learning", equation 4.109.

    Examples
    --------
    >>> loss, cache = softmax_loss_forward(np.zeros((1, 4)), np.array([2]))
    >>> softmax_loss_backward(1.0, cache)
    array([[ 0.25,  0.25, -0.75,  0.25]])
    """
    log_p, y = cache
    dout = as_upstream(dout, (), log_p.dtype)
    dx = np.exp(log_p)
    dx[np.arange(len(y)), y] -= 1
    return dx * (dout / len(y))


def hinge_loss_forward(x, y, *, margin=1.0):
    """How far other classes come within a margin of the right one, or past it.

    out = 1/N · Σ_n Σ_{c ≠ y[n]} max(0, x[n, c] − x[n, y[n]] + margin)

    Unlike the softmax loss it is content: once the right score leads by the margin, nothing
    is left to learn. Equal scores give (C − 1)·margin.

    Parameters
    ----------
    x : (N, C) scores.
    y : (N,) integer labels from 0 to C − 1.
    margin : by how much the right score must lead, in units of the scores.

    Returns
    -------
    out : a scalar in x's dtype.
    cache : what `hinge_loss_backward` needs.

    Raises
    ------
    ShapeError
        If the scores and labels do not match, or there are none.
    TypeError
        If x does not hold floating-point numbers.
    ValueError
        If a label is not a class, or the margin is no finite number.

    Source: Weston & Watkins 1999, "Support Vector Machines for Multi-Class Pattern
    Recognition", section 3.

    Examples
    --------
    >>> hinge_loss_forward(np.array([[3.0, 2.5, -1.0]]), np.array([0]))[0]
    np.float64(0.5)
    """
    y = _labels(x, y)
    expect_number("margin", margin)
    rows = np.arange(len(y))
    excess = x - x[rows, y][:, None] + x.dtype.type(margin)
    excess[rows, y] = 0
    excess = np.maximum(excess, 0)
    return excess.sum(axis=1).mean(), (excess > 0, y, x.dtype)


def hinge_loss_backward(dout, cache):
    """Gradient of the hinge loss: each class within the margin pushes, the label collects.

    dx[n, c] = dout/N · [x[n, c] − x[n, y[n]] + margin > 0]  for c ≠ y[n]
    dx[n, y[n]] = −Σ_{c ≠ y[n]} dx[n, c]

    Parameters
    ----------
    dout : scalar gradient with respect to the loss, 1 at the end of a network.
    cache : from `hinge_loss_forward`.

    Returns
    -------
    dx : (N, C) in x's dtype; each row sums to 0.

    Raises
    ------
    ShapeError
        If dout is not a single number.

    Source: Weston & Watkins 1999, section 3.

    Examples
    --------
    >>> loss, cache = hinge_loss_forward(np.array([[3.0, 2.5, -1.0]]), np.array([0]))
    >>> hinge_loss_backward(1.0, cache)
    array([[-1.,  1.,  0.]])
    """
    within, y, dtype = cache
    dout = as_upstream(dout, (), dtype)
    dx = within.astype(dtype)
    dx[np.arange(len(y)), y] = -within.sum(axis=1)
    return dx * (dout / len(y))


def l2_forward(w, *, strength):
    """What large weights cost: a penalty that is added to the loss.

    out = strength/2 · Σ w²

    Parameters
    ----------
    w : weights, any shape.
    strength : λ, at least 0; AlexNet's is 0.0005.

    Returns
    -------
    out : a scalar in w's dtype.
    cache : what `l2_backward` needs.

    Raises
    ------
    TypeError
        If w does not hold floating-point numbers.
    ValueError
        If strength is negative or no finite number.

    Source: Goodfellow et al. 2016, section 7.1.1.

    Examples
    --------
    >>> l2_forward(np.array([3.0, 4.0]), strength=0.1)[0]
    np.float64(1.25)
    """
    expect_floats("w", w)
    expect_number("strength", strength, least=0)
    strength = w.dtype.type(strength)
    return strength / 2 * (w**2).sum(), (w, strength)


def l2_backward(dout, cache):
    """Gradient of the penalty: a pull toward zero, hence "weight decay".

    dw = dout · strength · w

    Parameters
    ----------
    dout : scalar gradient with respect to the penalty, 1 where it is added to the loss.
    cache : from `l2_forward`.

    Returns
    -------
    dw : w's shape and dtype.

    Raises
    ------
    ShapeError
        If dout is not a single number.

    Source: Goodfellow et al. 2016, section 7.1.1; Krizhevsky et al. 2012, section 5.

    Examples
    --------
    >>> penalty, cache = l2_forward(np.array([3.0, 4.0]), strength=0.1)
    >>> l2_backward(1.0, cache).round(3)
    array([0.3, 0.4])
    """
    w, strength = cache
    return as_upstream(dout, (), w.dtype) * strength * w


def _labels(x, y):
    """The labels as an array, if they fit the scores."""
    expect_rank("x", x, "N C")
    expect_floats("x", x)
    y = np.asarray(y)
    if y.shape != x.shape[:1]:
        raise ShapeError(f"y must hold one label per row of x, shape {x.shape[:1]}, got {y.shape}.")
    if len(x) == 0:
        raise ShapeError(f"the mean loss of no rows is not defined, got x of shape {x.shape}.")
    if not np.issubdtype(y.dtype, np.integer):
        raise ValueError(f"labels must be integers, got {y.dtype}.")
    if y.min() < 0 or y.max() >= x.shape[1]:
        raise ValueError(
            f"labels must lie between 0 and {x.shape[1] - 1}, got {y.min()} to {y.max()}."
        )
    return y
