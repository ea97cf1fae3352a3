"""What is special about the fast operations; that they are right stands in `test_ops.py`."""

import multiprocessing
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from cnnlab import fast, zoo
from cnnlab.fast import memory, polyphase, sharing, winograd
from cnnlab.fast.sharing import pieces
from cnnlab.layers import Affine, Conv
from cnnlab.model import Sequential
from cnnlab.ops import reference
from proofs import FAST, PROOFS


@pytest.fixture(autouse=True)
def default_threads():
    yield
    fast.set_threads(None)


def normal(*shape, dtype=np.float64, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


# AlexNet's convolutions, with fewer filters, and one of each kind besides.
CONVOLUTIONS = {
    "conv1": ((1, 67, 67, 3), (11, 11, 3, 16), {"stride": 4}),
    "conv2": ((2, 27, 27, 96), (5, 5, 96, 16), {"pad": 2}),
    "conv3": ((3, 13, 13, 64), (3, 3, 64, 32), {"pad": 1}),
    "towers": ((3, 13, 13, 64), (3, 3, 32, 32), {"pad": 1, "groups": 2}),
    "oblong": ((2, 12, 9, 16), (2, 3, 16, 16), {"pad": (0, 2)}),
}


def there_and_back(op, x, w, b, dout, **options):
    out, cache = op.forward(x, w, b, **options)
    return out, *op.backward(dout, cache)


@pytest.mark.parametrize(
    ("algorithm", "bound"), [("gemm", 1e-5), ("winograd", 1e-4), ("winograd-2", 5e-5)]
)
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_single_precision_loses_no_more_digits_than_is_said(name, algorithm, bound):
    x_shape, w_shape, options = CONVOLUTIONS[name]
    x, w, b = normal(*x_shape), normal(*w_shape, seed=1), normal(w_shape[3], seed=2)
    out, _ = reference.conv.forward(x, w, b, **options)
    dout = normal(*out.shape, seed=3)
    expected = there_and_back(reference.conv, x, w, b, dout, **options)
    single = (array.astype(np.float32) for array in (x, w, b, dout))
    found = there_and_back(fast.ops.conv, *single, **options, algorithm=algorithm)
    for got, exact in zip(found, expected, strict=True):
        assert got.dtype == np.float32
        assert np.abs(got - exact).max() <= bound * exact.std()


@pytest.mark.parametrize("tile", [2, 3, 4, 5])
def test_every_size_of_tile_gives_the_same(tile):
    x, w, b = normal(2, 11, 14, 3), normal(3, 3, 3, 4, seed=1), normal(4, seed=2)
    expected, _ = reference.conv.forward(x, w, b)
    found, (_, plan, *_) = winograd.forward(x, w, b, tile=tile)
    assert max(plan.m) <= tile
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-11)


def test_the_transforms_are_those_of_the_paper():
    # Lavin & Gray 2016, equation 6: F(2, 3), but for the order and signs of its points.
    A, G, B = winograd.transforms(2, 3)
    d, g = np.array([3.0, -1, 4, 1]), np.array([5.0, 9, -2])
    assert (A.shape, G.shape, B.shape) == ((2, 4), (4, 3), (4, 4))
    np.testing.assert_allclose(A @ ((G @ g) * (B @ d)), [3 * 5 - 9 - 8, -5 + 36 - 2], rtol=1e-14)


@pytest.mark.parametrize(
    ("x_shape", "w_shape", "options", "expected"),
    [
        ((1, 227, 227, 3), (11, 11, 3, 96), {"stride": 4}, "winograd"),
        ((1, 13, 13, 256), (3, 3, 256, 384), {"pad": 1}, "winograd"),
        ((1, 13, 13, 256), (3, 3, 8, 256), {"pad": 1, "groups": 32}, "gemm"),
        ((1, 13, 13, 256), (1, 1, 256, 384), {}, "gemm"),
        ((1, 13, 13, 256), (3, 3, 256, 10), {"pad": 1}, "gemm"),
        ((1, 13, 13, 1), (3, 3, 1, 64), {"pad": 1}, "gemm"),
        ((1, 12, 12, 64), (2, 2, 64, 64), {"stride": 2}, "gemm"),
        ((1, 21, 21, 64), (11, 11, 64, 64), {}, "gemm"),
        ((1, 3, 3, 64), (3, 3, 64, 64), {}, "gemm"),
    ],
)
def test_the_algorithm_follows_from_the_shapes(x_shape, w_shape, options, expected):
    assert fast.choose(x_shape, w_shape, **options) == expected
    shape = np.zeros(x_shape, np.float32), np.zeros(w_shape), np.zeros(w_shape[3])
    _, (name, *_) = fast.conv_forward(*shape, **options)
    assert name == expected


def test_half_precision_keeps_the_digits_it_has():
    x, w, b = normal(1, 13, 13, 64), normal(3, 3, 64, 64), normal(64)
    assert fast.choose(x.shape, w.shape) == "winograd"
    _, (name, *_) = fast.conv_forward(x.astype(np.float16), w, b)
    assert name == "gemm"


def test_the_proofs_of_winograd_run_through_it():
    (proof,) = (proof for proof in FAST if proof.variant == "winograd")
    names = [proof.functions.forward(*c.arguments, **c.options)[1][0] for c in proof.cases]
    assert names.count("winograd") >= 3


@pytest.mark.parametrize(
    ("w_shape", "algorithm", "words"),
    [
        (
            (3, 3, 2, 4),
            "fft",
            "must be one of auto, gemm, winograd, winograd-2, got 'fft'",
        ),
        ((1, 3, 2, 4), "winograd", "winograd needs filters of 2 to 7 pixels .* got 1×3"),
        ((9, 9, 2, 4), "winograd", "winograd needs filters of 2 to 7 pixels .* got 9×9"),
    ],
)
def test_an_algorithm_that_cannot_be_is_refused(w_shape, algorithm, words):
    x = np.zeros((1, 9, 9, 2))
    with pytest.raises(ValueError, match=words):
        fast.conv_forward(x, np.zeros(w_shape), np.zeros(w_shape[3]), algorithm=algorithm)


def test_phases_there_and_back_are_transposes():
    x, w = normal(2, 9, 11, 4), normal(5, 3, 2, 6, seed=1)
    phases = polyphase.Phases(x.shape, w.shape, (4, 4), (2, 3), (1, 0), 2)
    up, back = normal(*phases.shape(2), seed=2), np.empty_like(x)
    phases.images_back(up, back)
    assert np.vdot(phases.images(x), up) == pytest.approx(np.vdot(x, back), rel=1e-12)
    up = normal(*phases.filters(w).shape, seed=2)
    assert np.vdot(phases.filters(w), up) == pytest.approx(
        np.vdot(w, phases.filters_back(up)), rel=1e-12
    )


# Ties: the first of a window wins, as in the plain function.


@pytest.mark.parametrize("options", [(3, 2), (2, 2), ((3, 2), (2, 1)), (1, 1)])
@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_among_equals_the_first_wins(options, dtype):
    x = np.random.default_rng(0).integers(0, 3, (5, 9, 9, 3)).astype(dtype)
    kernel_size, stride = options
    if options == (2, 2):
        x = x[:, :8, :8]
    found = []
    for op in (reference.max_pool, fast.ops.max_pool):
        out, cache = op.forward(x, kernel_size=kernel_size, stride=stride)
        dout = np.random.default_rng(1).integers(1, 9, out.shape).astype(np.float32)
        found.append((out, op.backward(dout, cache)))
    for plain, quick in zip(*found, strict=True):
        np.testing.assert_array_equal(plain, quick)


# The first layer.


@pytest.mark.parametrize("name", ["conv", "affine"])
def test_without_the_gradient_of_the_input_the_others_are_the_same(name):
    op, case = getattr(fast.ops, name), PROOFS[name].cases[0]
    out, cache = op.forward(*case.arguments, **case.options)
    dout = normal(*out.shape)
    _, *expected = op.backward(dout, cache)
    for got, one in zip(op.backward_params(dout, cache), expected, strict=True):
        np.testing.assert_array_equal(got, one)


def small_network(ops=fast.ops):
    rng = np.random.default_rng(0)
    return zoo.convnet((8, 8, 1), 3, rng=rng, dtype=np.float64, ops=ops)


def test_a_gradient_lies_in_memory_as_other_arrays_do():
    _, cache = fast.affine_forward(normal(3, 5), normal(5, 4), normal(4))
    assert fast.affine_backward(normal(3, 4), cache)[0].flags.c_contiguous


def test_training_does_not_ask_for_the_gradient_of_the_images():
    x, y = normal(5, 8, 8, 1), np.arange(5) % 3
    model, plain = small_network(), small_network(reference)
    loss, gradients = model.loss_and_gradients(x, y)
    expected_loss, expected = plain.loss_and_gradients(x, y)
    assert loss == pytest.approx(expected_loss, rel=1e-12)
    for name, gradient in expected.items():
        np.testing.assert_allclose(gradients[name], gradient, rtol=1e-9, atol=1e-12)
    dout = normal(5, 3)
    assert model.backward(dout, input_gradient=False) is None
    assert model.backward(dout).shape == x.shape
    # The plain table has no shorter way: it goes the whole way.
    assert plain.backward(dout, input_gradient=False).shape == x.shape


def test_a_layer_with_a_way_back_of_its_own_is_asked_for_it():
    class Doubled(Affine):
        def _backward(self, dout, cache):
            return super()._backward(2 * dout, cache)

    models = [
        Sequential([kind(2)], (3,), rng=np.random.default_rng(0)) for kind in (Affine, Doubled)
    ]
    once, twice = (model.loss_and_gradients(normal(4, 3), np.zeros(4, int))[1] for model in models)
    np.testing.assert_allclose(2 * once["0.affine.w"], twice["0.doubled.w"], rtol=1e-6)


# Threads.


def test_the_number_of_threads_does_not_change_results():
    model, x, y = small_network(), normal(7, 8, 8, 1), np.arange(7) % 3
    results = []
    for count in (1, 2, 3, 20):
        fast.set_threads(count)
        results.append(model.loss_and_gradients(x, y))
    for loss, gradients in results[1:]:
        assert loss == pytest.approx(results[0][0], rel=1e-12)
        for name, gradient in gradients.items():
            np.testing.assert_allclose(gradient, results[0][1][name], rtol=1e-10, atol=1e-13)


def test_work_is_shared_out_in_order_and_once():
    fast.set_threads(3)
    names = fast.share_out(lambda a, b: (a, b, threading.current_thread().name), 10)
    assert [(a, b) for a, b, _ in names] == [(0, 3), (3, 6), (6, 10)]
    assert len({name for *_, name in names}) > 1
    inner = fast.share_out(lambda a, b: fast.share_out(lambda c, d: (c, d), 10), 3)
    assert inner == [[(0, 10)]] * 3
    assert list(pieces(3, 8, 3)) == [slice(3, 6), slice(6, 8)]


def test_inside_the_matrix_product_keeps_to_one_thread():
    def counts(start, stop):
        return {found["num_threads"] for found in threadpool_info() if found["user_api"] == "blas"}

    before = counts(0, 1)
    fast.set_threads(2)
    assert fast.share_out(counts, 2) == [{1}, {1}]
    assert counts(0, 1) == before
    assert fast.share_out(counts, 10, least=6) == [{1}]
    assert fast.share_out(counts, 1) == [before]


def test_two_at_once_leave_the_matrix_product_as_it_was():
    def blas():
        return [found["num_threads"] for found in threadpool_info() if found["user_api"] == "blas"]

    before, gate = blas(), threading.Barrier(2)
    fast.set_threads(2)

    def user():
        gate.wait()
        for _ in range(200):
            fast.share_out(lambda start, stop: None, 2)

    users = [threading.Thread(target=user) for _ in range(2)]
    for thread in users:
        thread.start()
    for thread in users:
        thread.join()
    assert blas() == before


def test_whoever_leaves_first_does_not_free_the_matrix_product():
    def blas():
        return {found["num_threads"] for found in threadpool_info() if found["user_api"] == "blas"}

    fast.set_threads(2)
    with sharing._one_blas_thread:
        fast.share_out(lambda start, stop: None, 2)
        assert blas() == {1}


def test_all_threads_take_an_overflow_as_the_caller_does():
    fast.set_threads(2)

    def overflow(start, stop):
        return np.float32(1e30) * np.full(3, 1e30, np.float32)

    with np.errstate(over="ignore"):
        assert np.isinf(fast.share_out(overflow, 2)).all()
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        fast.share_out(overflow, 2)


def test_an_error_waits_until_all_others_are_done():
    fast.set_threads(2)
    done = threading.Event()

    def work(start, stop):
        if start == 0:
            raise ValueError("the first")
        threading.Event().wait(0.2)
        done.set()

    with pytest.raises(ValueError, match="the first"):
        fast.share_out(work, 2)
    assert done.is_set()
    with pytest.raises(ZeroDivisionError):
        fast.share_out(lambda start, stop: 1 / (1 - start), 2)


@pytest.mark.parametrize("count", [0, -1, 1.5, "2"])
def test_no_threads_are_refused(count):
    with pytest.raises(ValueError, match="count must be a whole number of at least 1"):
        fast.set_threads(count)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"CNNLAB_THREADS": "5", "OMP_NUM_THREADS": "1"}, "5"),
        ({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "2"}, "1"),
        ({"CNNLAB_THREADS": "many", "OMP_NUM_THREADS": "0", "OPENBLAS_NUM_THREADS": "1"}, "1"),
    ],
)
def test_the_environment_says_how_many(variables, expected):
    names = ("CNNLAB_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    clean = {name: value for name, value in os.environ.items() if name not in names}
    code = "from cnnlab import fast; print(fast.threads())"
    done = subprocess.run(
        [sys.executable, "-c", code], env=clean | variables, capture_output=True, text=True
    )
    assert done.stdout.strip() == expected, done.stderr


def _loss_of_a_small_network(queue):
    model = small_network()
    queue.put(model.loss_and_gradients(normal(6, 8, 8, 1), np.arange(6) % 3)[0])


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_process_has_threads_of_its_own():
    fast.set_threads(2)
    expected = small_network().loss_and_gradients(normal(6, 8, 8, 1), np.arange(6) % 3)[0]
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    process = context.Process(target=_loss_of_a_small_network, args=(queue,), daemon=True)
    process.start()
    assert queue.get(timeout=60) == pytest.approx(expected, rel=1e-12)
    process.join(60)
    assert process.exitcode == 0


# Memory.


def test_memory_is_lent_to_one_array_at_a_time():
    memory.release()
    first = memory.empty((512, 1024), np.float32)
    view, address = first[3:, ::2], first.ctypes.data
    del first
    # A view is left, and keeps it.
    second = memory.empty((512, 1024), np.float32)
    assert not np.shares_memory(view, second)
    del view
    third = memory.empty((1000, 500), np.float32)  # a little less is as good
    assert third.ctypes.data == address
    assert not np.shares_memory(second, third)
    assert third.shape == (1000, 500)
    assert third.flags.c_contiguous
    assert third.flags.writeable
    fourth = memory.empty((600, 1024), np.float32)  # more does not fit
    assert not np.shares_memory(third, fourth)


def test_only_so_much_memory_waits(monkeypatch):
    memory.release()
    monkeypatch.setattr(memory, "_KEPT", 3 * 2**20)
    arrays = [memory.empty((2**20,), np.uint8) for _ in range(5)]
    del arrays
    assert sum(piece.nbytes for piece in memory._free) <= 3 * 2**20
    memory.release()
    assert not memory._free


def test_what_an_operation_gave_stays_as_it_is():
    layer = Conv(16, 3, pad=1)
    layer.build((64, 64, 16), rng=np.random.default_rng(0))
    x = normal(8, 64, 64, 16, dtype=np.float32)
    first = layer.forward(x)
    copy = first.copy()
    for _ in range(3):
        layer.backward(layer.forward(x + 1))
    np.testing.assert_array_equal(first, copy)
