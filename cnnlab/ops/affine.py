"""Fully connected: every output sees every input; and how a volume becomes such an input."""

import math

import numpy as np

from cnnlab.shapes import ShapeError, as_upstream, expect_array, expect_floats, expect_rank


def affine_forward(x, w, b):
    """Multiply by a matrix and add a bias.

    out[n, m] = Σ_d x[n, d] · w[d, m] + b[m]

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
    check_affine(x, w, b)
    w, b = np.asarray(w, x.dtype), np.asarray(b, x.dtype)
    return x @ w + b, (x, w)


def affine_backward(dout, cache):
    """Gradients of the affine operation: two matrix products and a sum.

    dx = dout · wᵀ
    dw = xᵀ · dout
    db[m] = Σ_n dout[n, m]

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

    Source: Goodfellow et al. 2016, section 6.5.6.

    Examples
    --------
    >>> out, cache = affine_forward(np.array([[1.0, 2.0]]), np.eye(2), np.zeros(2))
    >>> dx, dw, db = affine_backward(np.array([[1.0, 0.0]]), cache)
    >>> dx, dw, db
    (array([[1., 0.]]), array([[1., 0.],
           [2., 0.]]), array([1., 0.]))
    """
    x, w = cache
    dout = as_upstream(dout, (len(x), w.shape[1]), x.dtype)
    return dout @ w.T, x.T @ dout, dout.sum(axis=0)


def flatten_forward(x):
    """Lay every volume of a batch out as one row of numbers.

    out[n, (i·W + j)·C + c] = x[n, i, j, c]

    Parameters
    ----------
    x : (N, …) of any dtype.

    Returns
    -------
    out : (N, D), D the product of all other axes; it shares its memory with x where it can.
    cache : what `flatten_backward` needs.

    Raises
    ------
    ShapeError
        If x has no axis.
    TypeError
        If x is no array.

    Source: the lecture, "AlexNet": from [6x6x256] to 4096 neurons.

    Examples
    --------
    >>> flatten_forward(np.arange(12).reshape(2, 1, 3, 2))[0]
    array([[ 0,  1,  2,  3,  4,  5],
           [ 6,  7,  8,  9, 10, 11]])
    """
    expect_array("x", x)
    if x.ndim == 0:
        raise ShapeError("x must have at least one axis, the batch, got a single number.")
    return x.reshape(len(x), math.prod(x.shape[1:])), (x.shape, x.dtype)


def flatten_backward(dout, cache):
    """Give the gradient the shape of the volumes again.

    dx[n, i, j, c] = dout[n, (i·W + j)·C + c]

    Parameters
    ----------
    dout : (N, D) gradient of the loss with respect to the output.
    cache : from `flatten_forward`.

    Returns
    -------
    dx : x's shape, in x's dtype, or in dout's where x holds whole numbers.

    Raises
    ------
    ShapeError
        If dout does not have the shape of the output.

    Source: the chain rule: each number of the output is one of the input.

    Examples
    --------
    >>> out, cache = flatten_forward(np.zeros((1, 1, 2, 2)))
    >>> flatten_backward(np.array([[1.0, 2.0, 3.0, 4.0]]), cache)[0, 0]
    array([[1., 2.],
           [3., 4.]])
    """
    shape, dtype = cache
    expected = (shape[0], math.prod(shape[1:]))
    dout = as_upstream(dout, expected, dtype if dtype.kind == "f" else None)
    return dout.reshape(shape)


def check_affine(x, w, b) -> None:
    """Raise the errors of `affine_forward` unless the arrays fit one another."""
    expect_rank("x", x, "N D")
    expect_floats("x", x)
    expect_rank("w", w, "D M")
    if x.shape[1] != w.shape[0]:
        raise ShapeError(f"x has {x.shape[1]} features (shape {x.shape}), w expects {w.shape[0]}.")
    if np.shape(b) != w.shape[1:]:
        raise ShapeError(
            f"b must hold one bias per output, shape {w.shape[1:]}, got {np.shape(b)}."
        )
