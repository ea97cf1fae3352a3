"""Pooling: each channel is summarized window by window; nothing is learned."""

import numpy as np

from cnnlab.shapes import ShapeError, expect_rank, output_size, pair


def max_pool_forward(x, *, kernel_size=2, stride=None):
    """Keep the largest value of every window, channel by channel; a NaN stays NaN.

    out[n, i, j, c] = max_{u, v} x[n, i·S + u, j·S + v, c]

    Parameters
    ----------
    x : (N, H, W, C) activations.
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
    return out, (x.shape, winner, (FH, FW), (SH, SW))


def max_pool_backward(dout, cache):
    """Send each gradient to the input that won its window; all others get zero.

    Parameters
    ----------
    dout : (N, OH, OW, C) gradient of the loss with respect to the output.
    cache : from `max_pool_forward`.

    Returns
    -------
    dx : (N, H, W, C), in dout's dtype; its sum equals that of dout.

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
    x_shape, winner, kernel_size, stride = cache
    if dout.shape != winner.shape:
        raise ShapeError(f"dout must have the output's shape {winner.shape}, got {dout.shape}.")
    dx = np.zeros(x_shape, dout.dtype)
    for tap, view in enumerate(_taps(dx, kernel_size, stride, winner.shape[1:3])):
        view += dout * (winner == tap)
    return dx


def _taps(x, kernel_size, stride, out_size):
    """For each place in the window, the view of x that this place sees: (N, OH, OW, C)."""
    (FH, FW), (SH, SW), (OH, OW) = kernel_size, stride, out_size
    for u in range(FH):
        for v in range(FW):
            yield x[:, u : u + SH * OH : SH, v : v + SW * OW : SW]


def avg_pool_forward(x, *, kernel_size=2, stride=None):
    raise NotImplementedError


def avg_pool_backward(dout, cache):
    raise NotImplementedError
