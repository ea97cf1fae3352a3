"""Local response normalization, fast: one contiguous row, a few images at a time."""

import numpy as np

from cnnlab.fast.memory import empty
from cnnlab.fast.threads import pieces, share_out
from cnnlab.ops.norm import check_lrn
from cnnlab.shapes import as_upstream

# Numbers in one block of positions: what is computed with them should stay in cache.
_BLOCK = 2**16


def lrn_forward(x, *, n=5, k=2.0, alpha=1e-4, beta=0.75):
    """As `ops.lrn_forward`; only x is kept, and the sums are computed again on the way back."""
    check_lrn(x, n, k, alpha, beta)
    flat = np.ascontiguousarray(x).reshape(-1, x.shape[-1])
    out, block = empty(flat.shape, flat.dtype), _rows(flat)

    def some(start, stop):
        for rows in pieces(start, stop, block):
            np.multiply(flat[rows], _power(_energy(flat[rows], n, k, alpha), beta), out=out[rows])

    share_out(some, len(flat), least=block)
    return out.reshape(x.shape), (flat, x.shape, n, k, alpha, beta)


def lrn_backward(dout, cache):
    """As `ops.lrn_backward`."""
    flat, shape, n, k, alpha, beta = cache
    dflat = np.ascontiguousarray(as_upstream(dout, shape, flat.dtype)).reshape(flat.shape)
    dx, block = empty(flat.shape, flat.dtype), _rows(flat)

    def some(start, stop):
        for rows in pieces(start, stop, block):
            x, s = flat[rows], _energy(flat[rows], n, k, alpha)
            held = dflat[rows] * _power(s, beta)
            np.divide(held * x, s, out=s)
            sums = _window_sum(s, n)
            sums *= x
            sums *= flat.dtype.type(2 * alpha * beta)
            np.subtract(held, sums, out=dx[rows])

    share_out(some, len(flat), least=block)
    return dx.reshape(shape)


def _rows(flat):
    """How many positions make a block."""
    return max(1, _BLOCK // max(1, flat.shape[1]))


def _energy(x, n, k, alpha):
    s = _window_sum(np.square(x), n)
    s *= x.dtype.type(alpha)
    s += x.dtype.type(k)
    return s


def _power(s, beta):
    """s^−β; for the usual β by two square roots, which are much faster than a power."""
    if beta != 0.75:
        return s ** s.dtype.type(-beta)
    root = np.sqrt(s)
    power = np.sqrt(root)
    power *= root
    return np.reciprocal(power, out=power)


def _window_sum(x, n):
    """Σ over the n channels around each; those beyond the ends count as zero.

    With zeros between the rows of channels, all rows are one long row, and its windows are
    the windows of each.
    """
    P, C = x.shape
    half = min(n // 2, C)
    padded = np.zeros((P + 1, C + half), x.dtype)
    padded[1:, :C] = x
    row, total = padded.ravel(), np.empty((P, C + half), x.dtype)
    length, start = P * (C + half), C + half
    flat = total.ravel()
    flat[...] = row[start : start + length]
    for distance in range(1, half + 1):
        flat += row[start - distance : start - distance + length]
        flat[: length - distance] += row[start + distance :][: length - distance]
    return total[:, :C]
