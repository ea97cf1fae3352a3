import math

import numpy as np
import pytest

from cnnlab.init import fan_in, he, normal, zeros


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
