"""Memory to compute in, used again and again: to ask the system for new pages takes time."""

import math
import os
import threading

import numpy as np

# What is smaller comes back fast enough by itself.
_LEAST = 2**20
# A piece is lent if at most this share of it stays unused.
_WASTE = 0.4
# Bytes that may wait to be used again, all pieces together; the oldest is given back first.
_KEPT = 2**30

_free: list[np.ndarray] = []
_lock = threading.RLock()
_own = threading.local()


class _Loan:
    """Memory in use; it waits for its next use once no array looks at it any more."""

    def __init__(self, memory):
        self.memory = memory
        self.__array_interface__ = memory.__array_interface__

    def __del__(self):
        with _lock:
            _free.append(self.memory)
            while sum(memory.nbytes for memory in _free) > _KEPT:
                del _free[0]


def empty(shape: tuple[int, ...], dtype) -> np.ndarray:
    """As np.empty, in memory that an array used before, if there is some of a suitable size.

    Examples
    --------
    >>> release()
    >>> a = empty((1000, 1000), np.float32)
    >>> address = a.ctypes.data
    >>> del a
    >>> empty((1000, 1000), np.float32).ctypes.data == address
    True
    """
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    if size < _LEAST:
        return np.empty(shape, dtype)
    with _lock:
        # A loan may end at any moment, in this thread too, and change the list.
        fits = [piece for piece in tuple(_free) if size <= piece.nbytes <= size / (1 - _WASTE)]
        memory = min(fits, key=lambda piece: piece.nbytes, default=None)
        for index, piece in enumerate(_free):
            if piece is memory:
                del _free[index]
                break
        else:
            memory = np.empty(size, np.uint8)
    return np.asarray(_Loan(memory))[:size].view(dtype).reshape(shape)


def release() -> None:
    """Give all memory back that waits to be used again."""
    with _lock:
        _free.clear()


def scratch(role: str, shape: tuple[int, ...], dtype) -> np.ndarray:
    """An array for this purpose, filled with anything, of this thread alone.

    The next call with the same role uses the same memory: what is kept must be copied out of it.

    Examples
    --------
    >>> a = scratch("example", (2, 3), np.float32)
    >>> a.shape, np.shares_memory(a, scratch("example", (4,), np.float32))
    ((2, 3), True)
    """
    if not hasattr(_own, "buffers"):
        _own.buffers = {}
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    buffer = _own.buffers.get(role)
    if buffer is None or buffer.size < size:
        buffer = _own.buffers[role] = np.empty(size, np.uint8)
    return buffer[:size].view(dtype).reshape(shape)


def padded(x, height: int, width: int, pad: tuple[int, int]) -> np.ndarray:
    """(N, H, W, C) with zeros around it, in scratch memory: (N, height, width, C).

    Parameters
    ----------
    pad : zeros above and to the left; what is left of height and width follows.
    """
    (N, H, W, C), (PH, PW) = x.shape, pad
    out = scratch("padded", (N, height, width, C), x.dtype)
    out[...] = 0
    out[:, PH : PH + H, PW : PW + W] = x
    return out


def _forget():
    """In a copy of this process nobody will ever open a lock that another thread held."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
