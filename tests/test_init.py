import math

import numpy as np
import pytest

from cnnlab.init import fan_in, fan_out, he, normal, xavier, zeros
from cnnlab.layers import Affine, ReLU
from cnnlab.model import Sequential
from cnnlab.optim import SGD
from cnnlab.shapes import ShapeError


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        pytest.param((5, 5, 3, 10), 75, id="filters"),
        pytest.param((3, 1, 2, 7), 6, id="filters-not-square"),
        pytest.param((784, 10), 784, id="matrix"),
    ],
)
def test_fan_in_counts_inputs_not_outputs(shape, expected):
    assert fan_in(shape) == expected


def test_zeros():
    assert np.array_equal(zeros((2, 3)), [[0, 0, 0], [0, 0, 0]])


def test_normal_has_the_mean_and_standard_deviation_asked_for():
    w = normal((400, 500), std=0.3, rng=np.random.default_rng(0))
    # Standard errors of 200,000 draws: 0.3/√200000 = 0.0007 and that over √2.
    assert abs(w.mean()) < 0.003
    assert abs(w.std() - 0.3) < 0.002


@pytest.mark.parametrize("shape", [(7, 5, 40, 30), (2000, 20)], ids=["filters", "matrix"])
def test_he_scales_with_the_inputs(shape):
    w = he(shape, rng=np.random.default_rng(0))
    expected = math.sqrt(2 / math.prod(shape[:-1]))
    assert abs(w.mean()) < expected / 30
    assert w.std() == pytest.approx(expected, rel=0.02)


def test_he_keeps_the_signal_through_many_relu_layers():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 300)).astype(np.float32)
    first = (x**2).mean()
    for _ in range(10):
        x = np.maximum(x @ he((300, 300), rng=rng), 0)
    # The weights double the mean square and ReLU halves it again.
    assert 0.5 < (x**2).mean() / first < 2


@pytest.mark.parametrize(("std", "low", "high"), [(0.01, 0, 1e-8), (0.5, 1e5, np.inf)])
def test_weights_too_small_or_too_large_shrink_or_explode_the_signal(std, low, high):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 200))
    for _ in range(10):
        x = np.maximum(x @ normal((200, 200), std=std, rng=rng), 0)
    assert low < x.std() < high


@pytest.mark.parametrize("start", [0, 0.5])
def test_weights_that_are_all_alike_stay_alike(start):
    rng = np.random.default_rng(0)
    x, y = abs(rng.normal(size=(50, 7))).astype(np.float32), np.arange(50) % 10

    def alike(shape, *, rng, dtype):
        return np.full(shape, start, dtype)

    model = Sequential([Affine(4, init=alike), ReLU(), Affine(10, init=alike)], (7,), rng=rng)
    optimizer = SGD(model, learning_rate=0.01)
    for _ in range(20):
        loss, _ = model.loss_and_gradients(x, y)
        optimizer.step()
    w = model.parameters()["0.affine.w"]
    np.testing.assert_allclose(w, w[:, :1] @ np.ones((1, 4)), rtol=1e-5)
    assert (w == start).all() == (start == 0)
    if start == 0:
        assert loss == pytest.approx(math.log(10))


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
@pytest.mark.parametrize(
    "draw",
    [
        pytest.param(lambda **options: zeros((3, 4), dtype=options["dtype"]), id="zeros"),
        pytest.param(lambda **options: normal((3, 4), std=1.0, **options), id="normal"),
        pytest.param(lambda **options: he((3, 4), **options), id="he"),
    ],
)
def test_shape_and_dtype(draw, dtype):
    w = draw(rng=np.random.default_rng(0), dtype=dtype)
    assert w.shape == (3, 4)
    assert w.dtype == dtype


@pytest.mark.parametrize(
    "draw",
    [
        pytest.param(lambda rng: normal((3, 4), std=1.0, rng=rng), id="normal"),
        pytest.param(lambda rng: he((3, 4), rng=rng), id="he"),
    ],
)
def test_the_generator_decides(draw):
    same = [draw(np.random.default_rng(5)) for _ in range(2)]
    assert np.array_equal(*same)
    assert not np.array_equal(same[0], draw(np.random.default_rng(6)))
    rng = np.random.default_rng(5)
    assert not np.array_equal(draw(rng), draw(rng))


def test_randomness_must_be_passed():
    with pytest.raises(TypeError, match="rng"):
        he((3, 4))


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        (7, r"weights need a shape \(…, inputs, outputs\), got 7"),
        ((7,), r"weights need a shape \(…, inputs, outputs\), got \(7,\)"),
        ((0, 3), "every size of the weights must be .* at least 1, got 0"),
        ((-3, -4), "every size of the weights must be .* at least 1, got -3"),
        ((3, 4.0), "every size of the weights must be .* at least 1, got 4.0"),
    ],
)
@pytest.mark.parametrize("draw", [he, xavier], ids=["he", "xavier"])
def test_a_shape_that_is_none_of_weights_is_refused(draw, shape, words):
    with pytest.raises(ShapeError, match=words):
        draw(shape, rng=np.random.default_rng(0))


def test_xavier_weighs_inputs_and_outputs():
    assert fan_out((7, 5, 40, 30)) == 7 * 5 * 30
    w = xavier((7, 5, 40, 30), rng=np.random.default_rng(0))
    assert w.std() == pytest.approx(math.sqrt(2 / (7 * 5 * (40 + 30))), rel=0.02)
    # A Gaussian, not a box: some of 42,000 weights lie beyond three standard deviations.
    assert abs(w).max() > 3 * w.std()


def test_a_width_must_be_a_number_of_at_least_0():
    for std in (-1, np.nan):
        with pytest.raises(ValueError, match="std must be a finite number of at least 0, got"):
            normal((3, 4), std=std, rng=np.random.default_rng(0))
    with pytest.raises(TypeError, match=r"rng must be a generator .* got int"):
        normal((3, 4), std=1, rng=0)
