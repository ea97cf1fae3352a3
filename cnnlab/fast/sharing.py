"""Threads over the images of a batch: NumPy lets others run while it computes.

Inside, the matrix product of NumPy keeps to one thread: the images are shared out instead.
"""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from contextvars import copy_context
from functools import cache
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np

from cnnlab.shapes import expect_whole

Result = TypeVar("Result")

# The variables with which people tell numerical programs how many threads to use.
_VARIABLES = ("CNNLAB_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

_chosen: list[int] = []
_pools: dict[int, ThreadPoolExecutor] = {}
_inside = threading.local()


def threads() -> int:
    """How many threads share the work of one operation.

    What `set_threads` was told; else the environment variable CNNLAB_THREADS, or the smallest of
    OMP_NUM_THREADS, OPENBLAS_NUM_THREADS and MKL_NUM_THREADS; else as many as there are cores.
    """
    if _chosen:
        return _chosen[0]
    first, *others = (os.environ.get(name, "") for name in _VARIABLES)
    if _is_count(first):
        return int(first)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min([cores or 1, *(int(value) for value in others if _is_count(value))])


def set_threads(count: int | None) -> None:
    """Say how many threads share the work of one operation; None goes back to the default.

    Results depend on it only as far as sums depend on their order.

    Raises
    ------
    ValueError
        If count is not a whole number of at least 1.
    """
    if count is not None:
        expect_whole("count", count)
    _chosen[:] = [] if count is None else [int(count)]


def share_out(work: Callable[[int, int], Result], length: int, *, least: int = 1) -> list[Result]:
    """work(start, stop) for consecutive parts of range(length), one part a thread, in order.

    Parameters
    ----------
    work : does its part; its result must not depend on where the bounds are.
    length : of all the work.
    least : what one part must have at least: to wake a thread takes as long as small work.

    Examples
    --------
    >>> share_out(lambda start, stop: stop - start, 0)
    [0]
    >>> sum(share_out(lambda start, stop: stop - start, 10))
    10
    >>> share_out(lambda start, stop: stop - start, 10, least=6)
    [10]
    """
    # Work that is shared out already is not shared out again: its pool might be waiting for it.
    if getattr(_inside, "lane", False):
        return [work(0, length)]
    count = threads()
    lanes = max(1, min(count, length // least))
    if lanes == 1:
        # One image on several threads: then the matrix product may have them. For work that is too
        # small for two it must not: its threads would wait for more on the cores that ours need.
        with nullcontext() if length == 1 < count else _one_blas_thread:
            return [work(0, length)]
    bounds = _bounds(length, lanes)
    with _one_blas_thread:
        others = [
            # In a copy of our context: NumPy's answer to an overflow is part of it.
            _pool(lanes - 1).submit(copy_context().run, _in_lane, work, start, stop)
            for start, stop in pairwise(bounds[1:])
        ]
        try:
            first = _in_lane(work, bounds[0], bounds[1])
        finally:
            # Nobody may write into our arrays once we have left, whatever happened.
            for other in others:
                other.exception()
        return [first, *(other.result() for other in others)]


def shares(array: np.ndarray, count: int) -> list[np.ndarray]:
    """An array cut along its first axis as `share_out` cuts work among so many threads.

    Examples
    --------
    >>> shares(np.arange(5), 2)
    [array([0, 1]), array([2, 3, 4])]
    """
    return [array[start:stop] for start, stop in pairwise(_bounds(len(array), count))]


def joined(parts: Sequence[np.ndarray | Any]) -> np.ndarray | Any:
    """The array whose shares these are, or None where they are."""
    return parts[0] if len(parts) == 1 or parts[0] is None else np.concatenate(parts)


def summed(parts: Sequence[tuple]) -> tuple:
    """The sums of what the threads have found, array by array, in the arrays of the first.

    Examples
    --------
    >>> summed([(np.array([1.0]), np.array([2.0])), (np.array([10.0]), np.array([20.0]))])
    (array([11.]), array([22.]))
    """
    first, *others = parts
    for other in others:
        for mine, theirs in zip(first, other, strict=True):
            np.add(mine, theirs, out=mine)
    return first


def pieces(start: int, stop: int, size: int) -> Iterator[slice]:
    """Slices of at most this size, from start to stop.

    Examples
    --------
    >>> list(pieces(0, 5, 2))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    for first in range(start, stop, size):
        yield slice(first, min(first + size, stop))


def _bounds(length, lanes):
    return [length * lane // lanes for lane in range(lanes + 1)]


def _in_lane(work, start, stop):
    _inside.lane = True
    try:
        return work(start, stop)
    finally:
        _inside.lane = False


def _pool(size):
    if size not in _pools:
        _pools[size] = ThreadPoolExecutor(size, thread_name_prefix="cnnlab")
    return _pools[size]


@cache
def _controller():
    # Finding the libraries takes milliseconds: once is enough.
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")


class _OneBlasThread:
    """While anybody is inside, the matrix product of NumPy keeps to one thread."""

    def __init__(self):
        self.lock, self.inside = threading.Lock(), 0
        self.limit: Any = None

    def __enter__(self):
        with self.lock:
            if self.inside == 0:
                self.limit = _controller().limit(limits=1)
            self.inside += 1

    def __exit__(self, *error):
        with self.lock:
            self.inside -= 1
            if self.inside == 0:
                self.limit.restore_original_limits()


_one_blas_thread = _OneBlasThread()


def _is_count(text):
    return text.isdecimal() and int(text) > 0


def _start_anew():
    """A copy of this process has none of its threads, and nobody to open their locks."""
    global _one_blas_thread
    _one_blas_thread = _OneBlasThread()
    _pools.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew)
