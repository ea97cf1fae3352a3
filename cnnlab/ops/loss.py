"""Losses: how wrong the scores are, as one number."""

import numpy as np

from cnnlab.shapes import ShapeError, expect_rank


def softmax_loss_forward(x, y):
    """Cross-entropy of the softmax of the scores: the mean of −ln p[label].

    Parameters
    ----------
    x : (N, C) scores.
    y : (N,) integer labels from 0 to C − 1.

    Returns
    -------
    loss : a scalar in x's dtype, in nats. Guessing evenly gives ln C.
    cache : what `softmax_loss_backward` needs.

    Raises
    ------
    ShapeError
        If the scores and labels do not match, or there are none.
    ValueError
        If a label is not a class.

    Source: Goodfellow et al. 2016, section 6.2.2.3.

    Examples
    --------
    >>> loss, cache = softmax_loss_forward(np.zeros((2, 10)), np.array([3, 7]))
    >>> loss.round(4), np.log(10).round(4)
    (np.float64(2.3026), np.float64(2.3026))
    """
    expect_rank("x", x, "N C")
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
    shifted = x - x.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -log_p[np.arange(len(y)), y].mean(), (log_p, y)


def softmax_loss_backward(dout, cache):
    """Gradient of the mean cross-entropy: (p − one-hot(y)) / N.

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
    if np.ndim(dout) != 0:
        raise ShapeError(f"the loss is one number, so is dout, got shape {np.shape(dout)}.")
    dx = np.exp(log_p)
    dx[np.arange(len(y)), y] -= 1
    return dx * (float(dout) / len(y))


def hinge_loss_forward(x, y, *, margin=1.0):
    raise NotImplementedError


def hinge_loss_backward(dout, cache):
    raise NotImplementedError


def l2_forward(w, *, strength):
    raise NotImplementedError


def l2_backward(dout, cache):
    raise NotImplementedError
