"""The affine (fully connected) operation: every output sees every input."""

import numpy as np

from cnnlab.shapes import ShapeError, expect_floats, expect_rank


def affine_forward(x, w, b):
    """Multiply by a matrix and add a bias: out = x·w + b.

    Parameters
    ----------
    x : (N, D) inputs.
    w : (D, M) weights.
    b : (M,) biases.

    Returns
    -------
    out : (N, M), in x's dtype; w and b are converted to it.
    cache : what `affine_backward` needs.

    Raises
    ------
    ShapeError
        If the axes do not match.
    TypeError
        If x does not hold floating-point numbers.

    Source: the lecture, "Biological neuron and mathematical model".

    Examples
    --------
    >>> out, cache = affine_forward(np.array([[1.0, 2.0]]), np.eye(2), np.array([10.0, 20.0]))
    >>> out
    array([[11., 22.]])
    """
    expect_rank("x", x, "N D")
    expect_floats("x", x)
    expect_rank("w", w, "D M")
    if x.shape[1] != w.shape[0]:
        raise ShapeError(f"x has {x.shape[1]} features (shape {x.shape}), w expects {w.shape[0]}.")
    if np.shape(b) != w.shape[1:]:
        raise ShapeError(
            f"b must hold one bias per output, shape {w.shape[1:]}, got {np.shape(b)}."
        )
    w, b = np.asarray(w, x.dtype), np.asarray(b, x.dtype)
    return x @ w + b, (x, w)


def affine_backward(dout, cache):
    """Gradients of the affine operation: dx = dout·wᵀ, dw = xᵀ·dout, db = Σₙ dout.

    Parameters
    ----------
    dout : (N, M) gradient of the loss with respect to the output.
    cache : from `affine_forward`.

    Returns
    -------
    dx : (N, D), in x's dtype like the others.
    dw : (D, M).
    db : (M,).

    Raises
    ------
    ShapeError
        If dout does not have the shape of the output.

    Examples
    --------
    >>> out, cache = affine_forward(np.array([[1.0, 2.0]]), np.eye(2), np.zeros(2))
    >>> dx, dw, db = affine_backward(np.array([[1.0, 0.0]]), cache)
    >>> dx, dw, db
    (array([[1., 0.]]), array([[1., 0.],
           [2., 0.]]), array([1., 0.]))
    """
    x, w = cache
    dout = np.asarray(dout, x.dtype)
    if dout.shape != (len(x), w.shape[1]):
        raise ShapeError(
            f"dout must have the output's shape {(len(x), w.shape[1])}, got {dout.shape}."
        )
    return dout @ w.T, x.T @ dout, dout.sum(axis=0)


def flatten_forward(x):
    raise NotImplementedError


def flatten_backward(dout, cache):
    raise NotImplementedError
