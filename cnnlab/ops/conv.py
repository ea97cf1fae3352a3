"""Convolution: each filter slides over the image, one dot product at every position."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from cnnlab.shapes import (
    ShapeError,
    as_upstream,
    expect_floats,
    expect_groups,
    expect_rank,
    output_size,
    pair,
)


def conv_forward(x, w, b, *, stride=1, pad=0, groups=1):
    """Slide every filter over every image and add its bias.

    out[n, i, j, k] = Σ_{u, v, c} x_padded[n, i·S + u, j·S + v, c] · w[u, v, c, k] + b[k]

    As in every deep-learning library the filter is not flipped: strictly this is
    cross-correlation. With groups the channels and the filters are divided into as many
    towers that do not see each other: filters of tower g read the channels of tower g.

    Parameters
    ----------
    x : (N, H, W, C) images or activations.
    w : (FH, FW, C/G, K) filters; each spans the full depth C of its tower.
    b : (K,) biases.
    stride, pad : pixels, one number for both axes or (vertical, horizontal).
    groups : G, the number of towers; divides C and K.

    Returns
    -------
    out : (N, OH, OW, K) with OH = (H − FH + 2P)/S + 1, in x's dtype; w and b are
        converted to it.
    cache : what `conv_backward` needs.

    Raises
    ------
    ShapeError
        If an array has the wrong axes or the window does not fit exactly.
    TypeError
        If x does not hold floating-point numbers.

    Source: the lecture, "Convolution layer: summary"; Goodfellow et al. 2016,
    "Deep Learning", section 9.1; for groups Krizhevsky et al. 2012, section 3.2.

    Examples
    --------
    Ten 5×5 filters over a 32×32×3 image, padded by 2, keep its size:

    >>> x, w, b = np.ones((1, 32, 32, 3)), np.ones((5, 5, 3, 10)), np.zeros(10)
    >>> out, cache = conv_forward(x, w, b, pad=2)
    >>> out.shape, out[0, 16, 16, 0], out[0, 0, 0, 0]
    ((1, 32, 32, 10), np.float64(75.0), np.float64(27.0))
    """
    check(x, w, b, groups)
    w, b = np.asarray(w, x.dtype), np.asarray(b, x.dtype)
    (FH, FW, D, K), (SH, SW), (PH, PW), G = w.shape, pair(stride), pair(pad), groups
    N, H, W, _ = x.shape
    OH = output_size(H, FH, stride=SH, pad=PH)
    OW = output_size(W, FW, stride=SW, pad=PW)

    padded = np.pad(x, ((0, 0), (PH, PH), (PW, PW), (0, 0)))
    windows = sliding_window_view(padded, (FH, FW), axis=(1, 2))[:, ::SH, ::SW]
    # One row per position, one column per weight: convolution is now a matrix product, and
    # groups are several of them side by side.
    windows = windows.reshape(N, OH, OW, G, D, FH, FW).transpose(3, 0, 1, 2, 5, 6, 4)
    columns = windows.reshape(G, N * OH * OW, FH * FW * D)
    out = columns @ _by_group(w.reshape(FH * FW * D, K), G)
    out = _side_by_side(out).reshape(N, OH, OW, K)
    out += b
    return out, (x.shape, columns, w, stride, pad)


def conv_backward(dout, cache):
    """Gradients of a convolution, from the gradient of its output.

    dx_padded[n, i·S + u, j·S + v, c] += Σ_k w[u, v, c, k] · dout[n, i, j, k]
    dw[u, v, c, k] = Σ_{n, i, j} x_padded[n, i·S + u, j·S + v, c] · dout[n, i, j, k]
    db[k] = Σ_{n, i, j} dout[n, i, j, k]

    Every output is a dot product, so dw sums window · dout over all positions, and
    every position hands w · dout back to the pixels of its window: a pixel that
    several windows see collects from each of them.

    Parameters
    ----------
    dout : (N, OH, OW, K) gradient of the loss with respect to the output.
    cache : from `conv_forward`.

    Returns
    -------
    dx : (N, H, W, C), in x's dtype like the others.
    dw : (FH, FW, C/G, K).
    db : (K,).

    Raises
    ------
    ShapeError
        If dout does not have the shape of the output.

    Source: Dumoulin & Visin 2016, section 4 (transposed convolution).

    Examples
    --------
    >>> x, w, b = np.arange(9.0).reshape(1, 3, 3, 1), np.ones((2, 2, 1, 1)), np.zeros(1)
    >>> out, cache = conv_forward(x, w, b)
    >>> dx, dw, db = conv_backward(np.ones_like(out), cache)
    >>> dx[0, :, :, 0]
    array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]])
    >>> dw[:, :, 0, 0], db
    (array([[ 8., 12.],
           [20., 24.]]), array([4.]))
    """
    x_shape, columns, w, stride, pad = cache
    (N, H, W, C), (FH, FW, _, K), (SH, SW), (PH, PW) = x_shape, w.shape, pair(stride), pair(pad)
    OH = output_size(H, FH, stride=SH, pad=PH)
    OW = output_size(W, FW, stride=SW, pad=PW)
    dout = as_upstream(dout, (N, OH, OW, K), columns.dtype)

    G = len(columns)
    flat = dout.reshape(N * OH * OW, K)
    by_group = _by_group(flat, G)
    dw = _side_by_side(columns.transpose(0, 2, 1) @ by_group).reshape(w.shape)
    dpadded = np.zeros((N, H + 2 * PH, W + 2 * PW, C), dout.dtype)
    for u in range(FH):
        for v in range(FW):
            seen = dpadded[:, u : u + SH * OH : SH, v : v + SW * OW : SW]
            part = by_group @ _by_group(w[u, v], G).transpose(0, 2, 1)
            seen += _side_by_side(part).reshape(N, OH, OW, C)
    return dpadded[:, PH : PH + H, PW : PW + W], dw, flat.sum(axis=0)


def _by_group(matrix, groups):
    """(A, G·B) to (G, A, B): the columns of each group."""
    rows, columns = matrix.shape
    return matrix.reshape(rows, groups, columns // groups).transpose(1, 0, 2)


def _side_by_side(matrices):
    """(G, A, B) back to (A, G·B)."""
    groups, rows, columns = matrices.shape
    return matrices.transpose(1, 0, 2).reshape(rows, groups * columns)


def check(x, w, b, groups) -> None:
    """Raise the errors of `conv_forward` unless the arrays fit one another."""
    expect_rank("x", x, "N H W C")
    expect_floats("x", x)
    expect_rank("w", w, "FH FW C K")
    expect_groups(groups, x.shape[3], w.shape[3])
    if w.shape[2] * groups != x.shape[3]:
        towers = f" in each of {groups} groups" if groups > 1 else ""
        first = x.shape[1] == w.shape[2] * groups
        hint = " Channels come last here: x.transpose(0, 2, 3, 1)." if first else ""
        raise ShapeError(
            f"a filter spans the full depth of its input: x has {x.shape[3]} channels "
            f"(shape {x.shape}), w has {w.shape[2]}{towers} (shape {w.shape}).{hint}"
        )
    if np.shape(b) != w.shape[3:]:
        raise ShapeError(
            f"b must hold one bias per filter, shape {w.shape[3:]}, got {np.shape(b)}."
        )
