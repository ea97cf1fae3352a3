"""Batches: every example once in random order, prepared while the network learns."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np

from cnnlab.data.dataset import Dataset
from cnnlab.shapes import expect_generator, expect_whole


def batches(
    dataset: Dataset,
    batch_size: int,
    rng: np.random.Generator,
    *,
    prepare: Callable[..., np.ndarray] | None = None,
    ahead: int = 0,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Every example once, in random order, a few at a time.

    The batches are the same, bit for bit, whatever `ahead` is, and so is the state in which
    rng is left, even by a loop that ends early.

    Parameters
    ----------
    dataset : what to draw from.
    batch_size : examples per batch; the last batch holds what is left.
    rng : seeds, with one draw, a generator that chooses the order and goes to `prepare`.
    prepare : (images, rng=…) → what the network reads, such as augmentation and then
        preprocessing; by default the images stay as they are.
    ahead : how many batches to prepare in the background, by one thread, before they are
        asked for; 0 prepares each when it is. The thread ends with the loop.

    Yields
    ------
    x : (batch_size, H, W, C) uint8, or what `prepare` makes of it.
    y : (batch_size,) integers.

    Raises
    ------
    TypeError
        If rng is no generator.
    ValueError
        If batch_size is not a whole number of at least 1, or ahead of at least 0.

    Examples
    --------
    >>> images, labels = np.zeros((5, 2, 2, 1), np.uint8), np.arange(5)
    >>> five = Dataset(images, labels, tuple("abcde"))
    >>> [y for x, y in batches(five, 2, np.random.default_rng(0))]
    [array([0, 4]), array([2, 3]), array([1])]
    """
    expect_whole("batch_size", batch_size)
    expect_whole("ahead", ahead, 0)
    expect_generator(rng)
    # A generator of their own: batches drawn ahead change nothing for others who draw from rng.
    # Not rng.spawn, which a saved state of rng would not remember.
    own = np.random.default_rng(rng.integers(2**32, size=4))
    order = own.permutation(len(dataset))

    def batch(start):
        chosen = order[start : start + batch_size]
        images = np.asarray(dataset.images[chosen])
        return images if prepare is None else prepare(images, rng=own), dataset.labels[chosen]

    starts = range(0, len(dataset), batch_size)
    return _in_background(batch, starts, ahead) if ahead else map(batch, starts)


def _in_background(function, items, ahead):
    """Like map(function, items), with up to `ahead` results computed before they are needed."""
    items = iter(items)
    worker = ThreadPoolExecutor(max_workers=1)
    try:
        waiting = deque(worker.submit(function, item) for item in islice(items, ahead))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(worker.submit(function, item) for item in islice(items, 1))
            yield result
    finally:
        # Reached too when the loop breaks off; then at most one batch is still prepared.
        worker.shutdown(cancel_futures=True)
