"""The fully connected layer, fast: each thread computes some columns of a matrix product."""

import numpy as np

from cnnlab.fast.memory import empty
from cnnlab.fast.sharing import share_out
from cnnlab.ops.affine import check_affine
from cnnlab.shapes import as_upstream

# Multiplications that are worth a thread.
_LEAST = 2**22


def product(a, b):
    """(A, B) @ (B, C), the longer axis of the result shared out among the threads.

    The threads of the matrix product itself would go on waiting for work for a while, on the
    cores that ours need.
    """
    out = empty((len(a), b.shape[1]), a.dtype)

    def some_rows(start, stop):
        np.matmul(a[start:stop], b, out=out[start:stop])

    def some_columns(start, stop):
        np.matmul(a, b[:, start:stop], out=out[:, start:stop])

    rows, columns = out.shape
    length, other, some = (rows, b, some_rows) if rows > columns else (columns, a, some_columns)
    share_out(some, length, least=max(1, _LEAST // max(1, other.size)))
    return out


def sum_of_rows(values):
    """(…, W, K) to (K,): the sum over all axes but the last.

    Each (W, K) is one long row at first: short rows take as long to find as to add.
    """
    W, K = values.shape[-2:]
    return values.reshape(-1, W * K).sum(axis=0).reshape(W, K).sum(axis=0)


def affine_forward(x, w, b):
    """As `ops.affine_forward`."""
    check_affine(x, w, b)
    x, w = np.ascontiguousarray(x), np.asarray(w, x.dtype)
    out = product(x, w)
    out += np.asarray(b, x.dtype)
    return out, (x, w)


def affine_backward(dout, cache):
    """As `ops.affine_backward`."""
    dout = _upstream(dout, *cache)
    # As w @ doutᵀ: the matrix product reads the many weights as they lie.
    dx = np.ascontiguousarray(product(cache[1], dout.T).T)
    return dx, *affine_backward_params(dout, cache)


def affine_backward_params(dout, cache):
    """The gradients of the weights and biases alone, for a layer that reads the images."""
    dout = _upstream(dout, *cache)
    return product(cache[0].T, dout), dout.sum(axis=0)


def _upstream(dout, x, w):
    return np.ascontiguousarray(as_upstream(dout, (len(x), w.shape[1]), x.dtype))
