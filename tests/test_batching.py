import gc
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest

from cnnlab.data import Augment, Dataset, Standardize, batches, flip, load, shift

RNG = np.random.default_rng
AHEAD = pytest.mark.parametrize("ahead", [0, 1, 2, 50])


def numbered(count, *, n_classes=2):
    """Images whose pixels all hold the image's number, labeled in turn."""
    images = np.repeat(np.arange(count, dtype=np.uint8), 20).reshape(count, 4, 5, 1)
    return Dataset(images, np.arange(count) % n_classes, tuple("abcdefghij"[:n_classes]))


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    before = threading.enumerate()
    yield
    assert threading.enumerate() == before


class Watched:
    """A `prepare` that counts, and that can be told to wait or to fail."""

    def __init__(self, fail_at=None, pause_at=None):
        self.begun, self.fail_at, self.pause_at = 0, fail_at, pause_at
        self.paused, self.open, self.threads = threading.Event(), threading.Event(), set()

    def __call__(self, images, *, rng):
        self.threads.add(threading.current_thread())
        self.begun += 1
        if self.begun == self.fail_at:
            raise OverflowError("no room")
        if self.begun == self.pause_at:
            self.paused.set()
            assert self.open.wait(timeout=30)
        return images


# Order


@AHEAD
def test_batches_show_every_example_once_with_its_own_label(ahead):
    drawn = list(batches(numbered(10), 4, RNG(0), ahead=ahead))
    assert [len(labels) for _, labels in drawn] == [4, 4, 2]
    numbers = np.concatenate([images[:, 0, 0, 0] for images, _ in drawn])
    labels = np.concatenate([labels for _, labels in drawn])
    assert sorted(numbers.tolist()) == list(range(10))
    np.testing.assert_array_equal(labels, numbers % 2)


def test_batches_come_in_an_order_that_the_generator_decides():
    def order(rng):
        return [int(y) for _, labels in batches(numbered(10, n_classes=10), 4, rng) for y in labels]

    rng = RNG(0)
    first, second = order(rng), order(rng)
    assert first != second, "each epoch has an order of its own"
    assert first == order(RNG(0))
    assert first != list(range(10))


@AHEAD
def test_no_examples_make_no_batches(ahead):
    assert list(batches(numbered(10)[:0], 4, RNG(0), ahead=ahead)) == []


# Preparing


def test_batches_are_the_same_however_far_ahead_they_are_prepared():
    train, _ = load("fashion-mnist-small")
    train = train[:300]
    augment = Augment([flip, partial(shift, pixels=2)])
    standardize = Standardize.fit(train.images)

    def drawn(ahead):
        rng = RNG(3)

        def prepare(images, *, rng):
            return standardize(augment(images, rng=rng))

        # Two epochs, in which the one who learns draws too, from the same generator.
        found = [
            (x.tobytes(), y.tobytes(), rng.random())
            for _ in range(2)
            for x, y in batches(train, 32, rng, prepare=prepare, ahead=ahead)
        ]
        return found, rng.bit_generator.state

    plain = drawn(0)
    assert len({x for x, _, _ in plain[0]}) == 20
    assert drawn(1) == plain
    assert drawn(2) == plain
    assert drawn(50) == plain


@AHEAD
def test_a_loop_that_ends_early_leaves_the_generator_as_a_whole_one(ahead):
    rng, other = RNG(0), RNG(0)
    for _ in batches(numbered(10), 4, rng, prepare=flip, ahead=ahead):
        break
    list(batches(numbered(10), 4, other, prepare=flip))
    assert rng.bit_generator.state == other.bit_generator.state


def test_a_restored_generator_gives_the_same_epochs():
    rng = RNG(0)
    list(batches(numbered(10), 4, rng))
    restored = RNG(5)
    restored.bit_generator.state = rng.bit_generator.state
    for (x, _), (again, _) in zip(
        batches(numbered(10), 4, rng), batches(numbered(10), 4, restored), strict=True
    ):
        np.testing.assert_array_equal(x, again)


def test_images_in_files_are_read_in_the_background():
    images, readers = numbered(10).images, []

    class InFiles:
        shape, ndim, dtype = images.shape, images.ndim, images.dtype

        def __init__(self, chosen=slice(None)):
            self.chosen = chosen

        def __len__(self):
            return len(images)

        def __getitem__(self, chosen):
            return InFiles(chosen)

        def __array__(self, dtype=None, copy=None):
            readers.append(threading.current_thread())
            return images[self.chosen]

    class InFolder:
        images, labels = InFiles(), numbered(10).labels

        def __len__(self):
            return 10

    for x, y in batches(InFolder(), 4, RNG(0), ahead=2):
        assert type(x) is np.ndarray
        np.testing.assert_array_equal(x[:, 0, 0, 0] % 2, y)
    assert len(readers) == 3
    assert threading.main_thread() not in readers


@pytest.mark.parametrize("ahead", [1, 3])
def test_at_most_so_many_are_prepared_ahead_and_by_one_thread(ahead):
    prepare = Watched()
    left = batches(numbered(40), 4, RNG(0), prepare=prepare, ahead=ahead)
    assert prepare.begun == 0, "nothing happens before it is asked for"
    for taken in range(1, 11):
        next(left)
        expected = min(taken + ahead, 10)
        assert prepare.begun <= expected
        # With time they are all there, and not one more.
        deadline = time.monotonic() + 30
        while prepare.begun < expected and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(0.02)
        assert prepare.begun == expected
    assert len(prepare.threads) == 1
    assert threading.main_thread() not in prepare.threads
    assert list(left) == []


def test_without_ahead_there_is_no_thread():
    prepare = Watched()
    list(batches(numbered(10), 4, RNG(0), prepare=prepare))
    assert prepare.threads == {threading.current_thread()}


# The end


@AHEAD
def test_an_error_in_preparing_arrives_in_its_place_with_its_traceback(ahead):
    left = batches(numbered(20), 4, RNG(0), prepare=Watched(fail_at=3), ahead=ahead)
    next(left), next(left)
    with pytest.raises(OverflowError, match="no room") as caught:
        next(left)
    assert "__call__" in [frame.name for frame in traceback.extract_tb(caught.tb)]


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_the_thread_ends_when_the_loop_fails(error):
    prepare = Watched()

    def learn():
        for _ in batches(numbered(200), 4, RNG(0), prepare=prepare, ahead=2):
            raise error

    with pytest.raises(error):
        learn()
    assert not [thread for thread in prepare.threads if thread.is_alive()]


def test_the_thread_ends_when_the_batches_are_forgotten():
    prepare = Watched()
    left = batches(numbered(200), 4, RNG(0), prepare=prepare, ahead=2)
    next(left)
    del left
    gc.collect()
    assert not [thread for thread in prepare.threads if thread.is_alive()]


def test_breaking_off_waits_for_one_batch_at_most(monkeypatch):
    prepare = Watched(pause_at=2)
    shutdown = ThreadPoolExecutor.shutdown

    def shutdown_while_preparing(self, wait=True, *, cancel_futures=False):
        shutdown(self, wait=False, cancel_futures=cancel_futures)
        prepare.open.set()
        shutdown(self, wait=wait)

    monkeypatch.setattr(ThreadPoolExecutor, "shutdown", shutdown_while_preparing)
    left = batches(numbered(200), 4, RNG(0), prepare=prepare, ahead=10)
    next(left)
    assert prepare.paused.wait(timeout=30)
    left.close()
    assert prepare.begun == 2
    assert not [thread for thread in prepare.threads if thread.is_alive()]


# Options


@pytest.mark.parametrize("batch_size", [0, -1, 2.0, "4"])
def test_batches_need_a_size(batch_size):
    with pytest.raises(ValueError, match=rf"batch_size must be.* got {batch_size!r}"):
        batches(numbered(10), batch_size, RNG(0))


@pytest.mark.parametrize("ahead", [-1, 1.5, True])
def test_ahead_is_a_number_of_batches(ahead):
    with pytest.raises(ValueError, match=rf"ahead must be.* at least 0, got {ahead!r}"):
        batches(numbered(10), 4, RNG(0), ahead=ahead)


def test_batches_need_a_generator():
    with pytest.raises(TypeError, match=r"rng must be a generator.*got int"):
        batches(numbered(10), 4, 0)
