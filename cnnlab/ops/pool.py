"""Pooling: each channel is summarized window by window; nothing is learned."""

import numpy as np

from cnnlab.shapes import as_upstream, expect_floats, expect_rank, output_size, pair


def max_pool_forward(x, *, kernel_size=2, stride=None):
    """Keep the largest value of every window, channel by channel.

    out[n, i, j, c] = max_{u, v} x[n, i·S + u, j·S + v, c]

    A NaN stays NaN.

    Parameters
    ----------
    x : (N, H, W, C) activations; whole numbers are taken as they are.
    kernel_size : pixels, one number or (vertical, horizontal).
    stride : pixels; by default the kernel size, so that windows do not overlap.
        AlexNet pools with overlapping windows: kernel size 3, stride 2.

    Returns
    -------
    out : (N, OH, OW, C) with OH = (H − F)/S + 1, in x's dtype.
    cache : what `max_pool_backward` needs.

    Raises
    ------
    ShapeError
        If x has the wrong axes or the window does not fit exactly.

    Source: the lecture, "Pooling layer"; Krizhevsky et al. 2012, section 3.4.

    Examples
    --------
    The lecture's depth slice, 2×2 filters and stride 2:

    >>> x = np.array([[1, 1, 2, 4], [5, 6, 7, 8], [3, 2, 1, 0], [1, 2, 3, 4]])
    >>> out, cache = max_pool_forward(x.reshape(1, 4, 4, 1), kernel_size=2)
    >>> out[0, :, :, 0]
    array([[6, 8],
           [3, 4]])
    """
    expect_rank("x", x, "N H W C")
    (FH, FW), (SH, SW) = pair(kernel_size), pair(kernel_size if stride is None else stride)
    _, H, W, _ = x.shape
    OH, OW = output_size(H, FH, stride=SH), output_size(W, FW, stride=SW)

    for tap, view in enumerate(_taps(x, (FH, FW), (SH, SW), (OH, OW))):
        if tap == 0:
            out, winner = view.copy(), np.zeros(view.shape, np.int32)
        else:
            # Strictly larger: among equals the first stays, and alone gets the gradient.
            # Taps are numbered upwards, so the latest winner has the largest number.
            np.maximum(winner, (view > out) * np.int32(tap), out=winner)
            np.maximum(out, view, out=out)
    return out, (x.shape, x.dtype, winner, (FH, FW), (SH, SW))


def max_pool_backward(dout, cache):
    """Send each gradient to the input that won its window; all others get zero.

    dx[n, i·S + u, j·S + v, c] += dout[n, i, j, c] where x[n, i·S + u, j·S + v, c] won its window

    Among equals the first wins.

    Parameters
    ----------
    dout : (N, OH, OW, C) gradient of the loss with respect to the output.
    cache : from `max_pool_forward`.

    Returns
    -------
    dx : (N, H, W, C), in x's dtype, or in dout's where x holds whole numbers; its sum
        equals that of dout.

    Raises
    ------
    ShapeError
        If dout does not have the shape of the output.

    Source: the lecture, "Patterns in backward flow": the max gate routes gradients.

    Examples
    --------
    >>> out, cache = max_pool_forward(np.array([[1.0, 3.0], [2.0, 3.0]]).reshape(1, 2, 2, 1))
    >>> max_pool_backward(np.full((1, 1, 1, 1), 5.0), cache)[0, :, :, 0]
    array([[0., 5.],
           [0., 0.]])
    """
    x_shape, dtype, winner, kernel_size, stride = cache
    dout = as_upstream(dout, winner.shape, dtype if dtype.kind == "f" else None)
    dx = np.zeros(x_shape, dout.dtype)
    for tap, view in enumerate(_taps(dx, kernel_size, stride, winner.shape[1:3])):
        view += dout * (winner == tap)
    return dx


def avg_pool_forward(x, *, kernel_size=2, stride=None):
    """Replace every window by its mean, channel by channel.

    out[n, i, j, c] = 1/(FH·FW) · Σ_{u, v} x[n, i·S + u, j·S + v, c]

    Parameters
    ----------
    x : (N, H, W, C) activations.
    kernel_size : pixels, one number or (vertical, horizontal).
    stride : pixels; by default the kernel size, so that windows do not overlap.

    Returns
    -------
    out : (N, OH, OW, C) with OH = (H − F)/S + 1, in x's dtype.
    cache : what `avg_pool_backward` needs.

    Raises
    ------
    ShapeError
        If x has the wrong axes or the window does not fit exactly.
    TypeError
        If x does not hold floating-point numbers.

    Source: the lecture, "Pooling layer"; LeCun et al. 1998, "Gradient-Based Learning Applied
    to Document Recognition", section II.B.

    Examples
    --------
    >>> x = np.array([[1.0, 1, 2, 4], [5, 6, 7, 8], [3, 2, 1, 0], [1, 2, 3, 4]])
    >>> out, cache = avg_pool_forward(x.reshape(1, 4, 4, 1), kernel_size=2)
    >>> out[0, :, :, 0]
    array([[3.25, 5.25],
           [2.  , 2.  ]])
    """
    expect_rank("x", x, "N H W C")
    expect_floats("x", x)
    (FH, FW), (SH, SW) = pair(kernel_size), pair(kernel_size if stride is None else stride)
    _, H, W, _ = x.shape
    OH, OW = output_size(H, FH, stride=SH), output_size(W, FW, stride=SW)
    out = sum(_taps(x, (FH, FW), (SH, SW), (OH, OW))) / x.dtype.type(FH * FW)
    return out, (x.shape, out.shape, x.dtype, (FH, FW), (SH, SW))


def avg_pool_backward(dout, cache):
    """Share each gradient equally among the pixels of its window.

    dx[n, i·S + u, j·S + v, c] += dout[n, i, j, c] / (FH·FW)

    Parameters
    ----------
    dout : (N, OH, OW, C) gradient of the loss with respect to the output.
    cache : from `avg_pool_forward`.

    Returns
    -------
    dx : (N, H, W, C), in x's dtype; its sum equals that of dout.

    Raises
    ------
    ShapeError
        If dout does not have the shape of the output.

    Source: the lecture, "Patterns in backward flow": the add gate distributes gradients.

    Examples
    --------
    >>> out, cache = avg_pool_forward(np.ones((1, 2, 2, 1)))
    >>> avg_pool_backward(np.full((1, 1, 1, 1), 8.0), cache)[0, :, :, 0]
    array([[2., 2.],
           [2., 2.]])
    """
    x_shape, out_shape, dtype, (FH, FW), stride = cache
    share = as_upstream(dout, out_shape, dtype) / dtype.type(FH * FW)
    dx = np.zeros(x_shape, dtype)
    for view in _taps(dx, (FH, FW), stride, out_shape[1:3]):
        view += share
    return dx


def _taps(x, kernel_size, stride, out_size):
    """For each place in the window, the view of x that this place sees: (N, OH, OW, C)."""
    (FH, FW), (SH, SW), (OH, OW) = kernel_size, stride, out_size
    for u in range(FH):
        for v in range(FW):
            yield x[:, u : u + SH * OH : SH, v : v + SW * OW : SW]
