"""Local response normalization, fast: one contiguous row, a few images at a time."""

import numpy as np

from cnnlab.fast.memory import empty, scratch
from cnnlab.fast.sharing import pieces, share_out
from cnnlab.ops.norm import check_lrn
from cnnlab.shapes import as_upstream

# Numbers in one block of positions: what is computed with them should stay in cache.
_BLOCK = 2**17


def lrn_forward(x, *, n=5, k=2.0, alpha=1e-4, beta=0.75):
    """As `ops.lrn_forward`; only x is kept, and the sums are computed again on the way back."""
    check_lrn(x, n, k, alpha, beta)
    flat = np.ascontiguousarray(x).reshape(-1, x.shape[-1])
    out, block = empty(flat.shape, flat.dtype), _rows(flat)

    def some(start, stop):
        for rows in pieces(start, stop, block):
            s = _energy(flat[rows], n, k, alpha)
            np.multiply(flat[rows], _power(s, beta), out=out[rows])

    share_out(some, len(flat), least=block)
    return out.reshape(x.shape), (flat, x.shape, n, k, alpha, beta)


def lrn_backward(dout, cache):
    """As `ops.lrn_backward`."""
    flat, shape, n, k, alpha, beta = cache
    dflat = np.ascontiguousarray(as_upstream(dout, shape, flat.dtype)).reshape(flat.shape)
    dx, block = empty(flat.shape, flat.dtype), _rows(flat)

    def some(start, stop):
        for rows in pieces(start, stop, block):
            x, held = flat[rows], dx[rows]
            s = _energy(x, n, k, alpha)
            np.multiply(dflat[rows], _power(s, beta), out=held)
            share = scratch("share", x.shape, x.dtype)
            np.multiply(held, x, out=share)
            share /= s
            sums = _window_sum(share, n)
            sums *= x
            sums *= x.dtype.type(2 * alpha * beta)
            held -= sums

    share_out(some, len(flat), least=block)
    return dx.reshape(shape)


def _rows(flat):
    """How many positions make a block."""
    return max(1, _BLOCK // max(1, flat.shape[1]))


def _energy(x, n, k, alpha):
    s = _window_sum(np.square(x, out=scratch("square", x.shape, x.dtype)), n)
    s *= x.dtype.type(alpha)
    s += x.dtype.type(k)
    return s


def _power(s, beta):
    """s^−β; for the usual β by two square roots, which are much faster than a power."""
    power = scratch("power", s.shape, s.dtype)
    if beta != 0.75:
        return np.power(s, s.dtype.type(-beta), out=power)
    root = np.sqrt(s, out=scratch("root", s.shape, s.dtype))
    np.sqrt(root, out=power)
    power *= root
    return np.reciprocal(power, out=power)


def _window_sum(x, n):
    """Σ over the n channels around each; those beyond the ends count as zero.

    With zeros between the rows of channels, all rows are one long row, and its windows are
    the windows of each. The result lies in memory that the next call uses again.
    """
    P, C = x.shape
    half = min(n // 2, C)
    width = C + half
    padded = scratch("window", (P + 1, width), x.dtype)
    padded[0], padded[1:, C:] = 0, 0
    padded[1:, :C] = x
    total = scratch("sums", (P, width), x.dtype)
    row, flat, length = padded.reshape(-1), total.reshape(-1), P * width
    flat[...] = row[width:]
    for distance in range(1, half + 1):
        flat += row[width - distance : width - distance + length]
        flat[: length - distance] += row[width + distance :]
    return total[:, :C]
