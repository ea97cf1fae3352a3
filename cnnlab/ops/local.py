"""Filters that are shared by few positions, or by none."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from cnnlab.shapes import ShapeError, as_upstream, expect_floats, expect_rank, output_size, pair


def local_forward(x, w, b, *, stride=1, pad=0):
    """Look at every window through filters of its own: a convolution that shares nothing.

    out[n, i, j, k] = Σ_{u, v, c} x_padded[n, i·S + u, j·S + v, c] · w[i, j, u, v, c, k]
        + b[i, j, k]

    Parameters
    ----------
    x : (N, H, W, C) images or activations.
    w : (OH, OW, FH, FW, C, K) filters, K for each position.
    b : (OH, OW, K) biases.
    stride, pad : pixels, one number for both axes or (vertical, horizontal).

    Returns
    -------
    out : (N, OH, OW, K) with OH = (H − FH + 2P)/S + 1, in x's dtype; w and b are
        converted to it.
    cache : what `local_backward` needs.

    Raises
    ------
    ShapeError
        If an array has the wrong axes or the window does not fit exactly.
    TypeError
        If x does not hold floating-point numbers.

    Source: the lecture, "Locally connected layer"; Goodfellow et al. 2016, "Deep Learning",
    section 9.5, equation 9.9.

    Examples
    --------
    Two windows of a row, weighed 1, 0 and 0, 10:

    >>> x = np.array([1.0, 2.0, 3.0]).reshape(1, 1, 3, 1)
    >>> w = np.array([[1.0, 0.0], [0.0, 10.0]]).reshape(1, 2, 1, 2, 1, 1)
    >>> local_forward(x, w, np.zeros((1, 2, 1)))[0].ravel()
    array([ 1., 30.])
    """
    OH, OW = _check(x, w, b, stride, pad)
    if w.shape[:2] != (OH, OW):
        raise ShapeError(
            f"w must hold filters for each of {OH}×{OW} positions, shape ({OH}, {OW}, FH, FW, C, "
            f"K), got {w.shape}."
        )
    w, b = np.asarray(w, x.dtype), np.asarray(b, x.dtype)
    columns = _gather(x, w.shape[2:4], stride, pad)
    # One matrix product for each position: (N, FH·FW·C) by (FH·FW·C, K).
    filters = w.reshape(OH, OW, columns.shape[3], w.shape[5])
    out = np.moveaxis(np.moveaxis(columns, 0, 2) @ filters, 2, 0) + b
    return out, (x.shape, columns, w, stride, pad)


def local_backward(dout, cache):
    """Gradients of a locally connected layer: those of a convolution, with nothing to add up.

    dx_padded[n, i·S + u, j·S + v, c] += Σ_k w[i, j, u, v, c, k] · dout[n, i, j, k]
    dw[i, j, u, v, c, k] = Σ_n x_padded[n, i·S + u, j·S + v, c] · dout[n, i, j, k]
    db[i, j, k] = Σ_n dout[n, i, j, k]

    Parameters
    ----------
    dout : (N, OH, OW, K) gradient of the loss with respect to the output.
    cache : from `local_forward`.

    Returns
    -------
    dx : (N, H, W, C), in x's dtype like the others.
    dw : (OH, OW, FH, FW, C, K).
    db : (OH, OW, K).

    Raises
    ------
    ShapeError
        If dout does not have the shape of the output.

    Source: Goodfellow et al. 2016, section 9.5.

    Examples
    --------
    >>> x = np.array([1.0, 2.0, 3.0]).reshape(1, 1, 3, 1)
    >>> w = np.array([[1.0, 0.0], [0.0, 10.0]]).reshape(1, 2, 1, 2, 1, 1)
    >>> out, cache = local_forward(x, w, np.zeros((1, 2, 1)))
    >>> dx, dw, db = local_backward(np.ones_like(out), cache)
    >>> dx.ravel(), dw.reshape(2, 2)
    (array([ 1.,  0., 10.]), array([[1., 2.],
           [2., 3.]]))
    """
    x_shape, columns, w, stride, pad = cache
    N, OH, OW, D = columns.shape
    dout = as_upstream(dout, (N, OH, OW, w.shape[5]), columns.dtype)
    filters, flat = w.reshape(OH, OW, D, w.shape[5]), np.moveaxis(dout, 0, 2)
    dw = np.moveaxis(columns, 0, 3) @ flat
    dcolumns = np.moveaxis(flat @ filters.swapaxes(2, 3), 2, 0)
    dx = _scatter(dcolumns, x_shape, w.shape[2:4], stride, pad)
    return dx, dw.reshape(w.shape), dout.sum(axis=0)


def tiled_forward(x, w, b, *, stride=1, pad=0):
    """Let a few sets of filters take turns from position to position, like tiles on a floor.

    out[n, i, j, k] = Σ_{u, v, c} x_padded[n, i·S + u, j·S + v, c] · w[i % TH, j % TW, u, v, c, k]
        + b[i % TH, j % TW, k]

    With a single tile it is a convolution; with a tile for every position it is a locally
    connected layer.

    Parameters
    ----------
    x : (N, H, W, C) images or activations.
    w : (TH, TW, FH, FW, C, K) filters, K for each place in the tile.
    b : (TH, TW, K) biases.
    stride, pad : pixels, one number for both axes or (vertical, horizontal).

    Returns
    -------
    out : (N, OH, OW, K) with OH = (H − FH + 2P)/S + 1, in x's dtype; w and b are
        converted to it.
    cache : what `tiled_backward` needs.

    Raises
    ------
    ShapeError
        If an array has the wrong axes, the window does not fit exactly, or the tile is
        larger than the output, so that some filters would never be used.
    TypeError
        If x does not hold floating-point numbers.

    Source: the lecture, "Tiled convolution"; Le et al. 2010, "Tiled convolutional neural
    networks"; Goodfellow et al. 2016, section 9.5, equation 9.10.

    Examples
    --------
    Filters 1 and 10 take turns:

    >>> x, w = np.ones((1, 1, 5, 1)), np.array([1.0, 10.0]).reshape(1, 2, 1, 1, 1, 1)
    >>> tiled_forward(x, w, np.zeros((1, 2, 1)))[0].ravel()
    array([ 1., 10.,  1., 10.,  1.])
    """
    OH, OW = _check(x, w, b, stride, pad)
    (TH, TW), K = w.shape[:2], w.shape[5]
    if TH > OH or TW > OW:
        raise ShapeError(
            f"a tile of {TH}×{TW} is larger than the output, {OH}×{OW}: some of its filters would "
            f"never be used."
        )
    w, b = np.asarray(w, x.dtype), np.asarray(b, x.dtype)
    columns = _gather(x, w.shape[2:4], stride, pad)
    out = np.empty((*columns.shape[:3], K), x.dtype)
    for p, q in np.ndindex(TH, TW):
        out[:, p::TH, q::TW] = columns[:, p::TH, q::TW] @ w[p, q].reshape(-1, K) + b[p, q]
    return out, (x.shape, columns, w, stride, pad)


def tiled_backward(dout, cache):
    """Gradients of a tiled convolution: each filter adds up over the positions that used it.

    dx_padded[n, i·S + u, j·S + v, c] += Σ_k w[i % TH, j % TW, u, v, c, k] · dout[n, i, j, k]
    dw[p, q, u, v, c, k] = Σ_{n, i % TH = p, j % TW = q}
        x_padded[n, i·S + u, j·S + v, c] · dout[n, i, j, k]
    db[p, q, k] = Σ_{n, i % TH = p, j % TW = q} dout[n, i, j, k]

    Parameters
    ----------
    dout : (N, OH, OW, K) gradient of the loss with respect to the output.
    cache : from `tiled_forward`.

    Returns
    -------
    dx : (N, H, W, C), in x's dtype like the others.
    dw : (TH, TW, FH, FW, C, K).
    db : (TH, TW, K).

    Raises
    ------
    ShapeError
        If dout does not have the shape of the output.

    Source: Le et al. 2010; Goodfellow et al. 2016, section 9.5.

    Examples
    --------
    >>> x, w = np.arange(5.0).reshape(1, 1, 5, 1), np.ones((1, 2, 1, 1, 1, 1))
    >>> out, cache = tiled_forward(x, w, np.zeros((1, 2, 1)))
    >>> dx, dw, db = tiled_backward(np.ones_like(out), cache)
    >>> dw.ravel(), db.ravel()
    (array([6., 4.]), array([3., 2.]))
    """
    x_shape, columns, w, stride, pad = cache
    (TH, TW), K, D = w.shape[:2], w.shape[5], columns.shape[3]
    dout = as_upstream(dout, (*columns.shape[:3], K), columns.dtype)
    dcolumns, dw = np.empty_like(columns), np.empty_like(w)
    db = np.empty((TH, TW, K), w.dtype)
    for p, q in np.ndindex(TH, TW):
        part = dout[:, p::TH, q::TW]
        flat = part.reshape(part.size // K, K)
        seen = columns[:, p::TH, q::TW].reshape(len(flat), D)
        dw[p, q] = (seen.T @ flat).reshape(w.shape[2:])
        db[p, q] = flat.sum(axis=0)
        dcolumns[:, p::TH, q::TW] = part @ w[p, q].reshape(D, K).T
    return _scatter(dcolumns, x_shape, w.shape[2:4], stride, pad), dw, db


def _gather(x, kernel_size, stride, pad):
    """(N, OH, OW, FH·FW·C): all that each window sees, in one row."""
    (FH, FW), (SH, SW), (PH, PW) = kernel_size, pair(stride), pair(pad)
    padded = np.pad(x, ((0, 0), (PH, PH), (PW, PW), (0, 0)))
    windows = sliding_window_view(padded, (FH, FW), axis=(1, 2))[:, ::SH, ::SW]
    N, OH, OW, C, _, _ = windows.shape
    return windows.transpose(0, 1, 2, 4, 5, 3).reshape(N, OH, OW, FH * FW * C)


def _scatter(columns, x_shape, kernel_size, stride, pad):
    """The way back: every pixel adds up what the windows that saw it hand back."""
    (FH, FW), (SH, SW), (PH, PW) = kernel_size, pair(stride), pair(pad)
    (N, H, W, C), (OH, OW) = x_shape, columns.shape[1:3]
    windows = columns.reshape(N, OH, OW, FH, FW, C)
    padded = np.zeros((N, H + 2 * PH, W + 2 * PW, C), columns.dtype)
    for u, v in np.ndindex(FH, FW):
        padded[:, u : u + SH * OH : SH, v : v + SW * OW : SW] += windows[:, :, :, u, v]
    return padded[:, PH : PH + H, PW : PW + W]


def _check(x, w, b, stride, pad):
    """(OH, OW), if all fits."""
    expect_rank("x", x, "N H W C")
    expect_floats("x", x)
    expect_rank("w", w, "TH TW FH FW C K")
    if 0 in w.shape[:2]:
        raise ShapeError(f"w must hold at least one set of filters, got shape {w.shape}.")
    if w.shape[4] != x.shape[3]:
        raise ShapeError(
            f"a filter spans the full depth of its input: x has {x.shape[3]} channels "
            f"(shape {x.shape}), w has {w.shape[4]} (shape {w.shape})."
        )
    expected = (*w.shape[:2], w.shape[5])
    if np.shape(b) != expected:
        raise ShapeError(f"b must hold one bias per filter, shape {expected}, got {np.shape(b)}.")
    (SH, SW), (PH, PW) = pair(stride), pair(pad)
    return (
        output_size(x.shape[1], w.shape[2], stride=SH, pad=PH),
        output_size(x.shape[2], w.shape[3], stride=SW, pad=PW),
    )
