import numpy as np
import pytest

from cnnlab.gradcheck import check_gradients
from cnnlab.ops import (
    batch_norm_backward,
    batch_norm_forward,
    lrn_backward,
    lrn_forward,
    running_statistics,
)
from cnnlab.shapes import ShapeError


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


# Batch normalization.


def test_batch_norm_by_hand():
    x = np.array([[1.0, 10.0], [5.0, 30.0]])  # means 3 and 20, variances 4 and 100
    gamma, beta = np.array([2.0, -1.0]), np.array([0.5, 7.0])
    out, cache = batch_norm_forward(x, gamma, beta, eps=1e-12)
    np.testing.assert_allclose(out, [[-1.5, 8], [2.5, 6]], rtol=1e-12)
    # Of two numbers only the order is left, so nothing can flow to them.
    dx, dgamma, dbeta = batch_norm_backward(np.array([[1.0, 2.0], [4.0, 8.0]]), cache)
    np.testing.assert_allclose(dx, 0, atol=1e-11)
    np.testing.assert_allclose(dgamma, [3, 6], rtol=1e-12)
    assert dbeta.tolist() == [5, 10]


def test_the_gradient_of_batch_norm_by_hand():
    x = np.array([[-3.0], [0.0], [3.0]])  # mean 0, variance 6
    _, cache = batch_norm_forward(x, np.array([2.0]), np.zeros(1), eps=3.0)
    # The root of 6 + 3 is 3, x̂ is −1, 0, 1; of dout the mean is 4, that of dout·x̂ is 2.
    dx, dgamma, dbeta = batch_norm_backward(np.array([[0.0], [6.0], [6.0]]), cache)
    np.testing.assert_allclose(dx, 2 / 3 * np.array([[0 - 4 + 2], [6 - 4], [6 - 4 - 2]]))
    assert (dgamma.item(), dbeta.item()) == (6, 12)


@pytest.mark.parametrize("shape", [(50, 4), (5, 6, 7, 4)], ids=["affine", "convolutional"])
def test_every_feature_has_mean_zero_and_variance_one(shape):
    x = 3 * normal(*shape) + np.arange(4)
    out, _ = batch_norm_forward(x, np.ones(4), np.zeros(4), eps=1e-12)
    axes = tuple(range(len(shape) - 1))
    np.testing.assert_allclose(out.mean(axis=axes), 0, atol=1e-12)
    np.testing.assert_allclose(out.std(axis=axes), 1, rtol=1e-10)


def test_after_a_convolution_every_position_counts():
    x = 3 * normal(2, 3, 5, 4) + np.arange(4)
    out, cache = batch_norm_forward(x, normal(4, seed=1), normal(4, seed=2))
    flat, flat_cache = batch_norm_forward(x.reshape(30, 4), normal(4, seed=1), normal(4, seed=2))
    np.testing.assert_allclose(out.reshape(30, 4), flat, rtol=1e-12)
    dout = normal(*x.shape, seed=3)
    dx, *others = batch_norm_backward(dout, cache)
    flat_dx, *flat_others = batch_norm_backward(dout.reshape(30, 4), flat_cache)
    np.testing.assert_allclose(dx.reshape(30, 4), flat_dx, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(others, flat_others, rtol=1e-12)


@pytest.mark.parametrize("shape", [(7, 4), (2, 3, 5, 4)], ids=["affine", "convolutional"])
def test_the_gradient_neither_shifts_nor_scales_the_batch(shape):
    x = 3 * normal(*shape) + np.arange(4)
    x_hat, cache = batch_norm_forward(x, np.ones(4), np.zeros(4), eps=1e-15)
    dx, *_ = batch_norm_backward(normal(*shape, seed=1), cache)
    axes = tuple(range(len(shape) - 1))
    assert np.abs(dx).max() > 0.01
    np.testing.assert_allclose(dx.sum(axis=axes), 0, atol=1e-13)
    np.testing.assert_allclose((dx * x_hat).sum(axis=axes), 0, atol=1e-12)


def test_a_shift_or_scaling_of_the_batch_changes_nothing():
    x, gamma, beta = normal(7, 4), normal(4, seed=1), normal(4, seed=2)
    out, _ = batch_norm_forward(x, gamma, beta, eps=1e-15)
    other, _ = batch_norm_forward(1000 * x - 5, gamma, beta, eps=1e-15)
    np.testing.assert_allclose(other, out, rtol=1e-9, atol=1e-12)


def test_at_test_time_an_image_does_not_depend_on_its_neighbors():
    x, gamma, beta = normal(6, 4), normal(4, seed=1), normal(4, seed=2)
    given = {"mean": normal(4, seed=3), "var": normal(4, seed=4) ** 2 + 1}
    out, cache = batch_norm_forward(x, gamma, beta, **given)
    expected = gamma * (x - given["mean"]) / np.sqrt(given["var"] + 1e-5) + beta
    np.testing.assert_allclose(out, expected, rtol=1e-12)
    dout = np.zeros((6, 4))
    dout[2] = 1
    dx, *_ = batch_norm_backward(dout, cache)
    assert np.flatnonzero(dx.any(axis=1)).tolist() == [2]


def test_a_constant_feature_and_a_batch_of_one_give_beta():
    beta = np.array([0.5, 7.0])
    out, _ = batch_norm_forward(np.full((5, 2), 3.0), np.ones(2), beta)
    assert np.array_equal(out, np.tile(beta, (5, 1)))
    assert np.array_equal(batch_norm_forward(normal(1, 2), np.ones(2), beta)[0], [beta])


def test_eps_stands_under_the_root():
    x = np.array([[-1.0], [1.0]])
    out, _ = batch_norm_forward(x, np.ones(1), np.zeros(1), eps=3.0)
    assert out.ravel().tolist() == [-0.5, 0.5]


def test_running_statistics_by_hand():
    x = np.array([[1.0, 10.0], [5.0, 30.0]])
    mean, var = running_statistics(x, np.array([0.0, 20.0]), np.array([1.0, 0.0]), momentum=0.75)
    assert mean.tolist() == [0.75, 20]
    assert var.tolist() == [0.75 + 0.25 * 4, 25]


def test_running_statistics_come_to_rest_at_those_of_the_data():
    x, rng = normal(1000, 3) * [1, 2, 3] + [4, 5, 6], np.random.default_rng(1)
    mean, var = np.zeros(3), np.ones(3)
    for _ in range(200):
        mean, var = running_statistics(x[rng.integers(0, 1000, 200)], mean, var)
    np.testing.assert_allclose(mean, x.mean(axis=0), atol=0.15)
    np.testing.assert_allclose(var, x.var(axis=0), rtol=0.1)


def test_running_statistics_are_new_arrays_in_the_dtype_of_the_old_ones():
    mean, var = np.zeros(2, np.float32), np.ones(2, np.float32)
    found = running_statistics(normal(5, 2), mean, var)
    assert [array.dtype for array in found] == [np.float32, np.float32]
    assert (mean == 0).all()
    assert (var == 1).all()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        pytest.param(
            {"x": np.ones(2)}, ShapeError, r"x must be a batch, .* got shape \(2,\)", id="rank"
        ),
        pytest.param(
            {"x": np.ones((0, 2))},
            ShapeError,
            r"statistics of an empty batch are not defined, got shape \(0, 2\)",
            id="empty",
        ),
        pytest.param(
            {"gamma": np.ones(3)},
            ShapeError,
            r"gamma must hold one number per feature, shape \(2,\), got \(3,\)",
            id="gamma",
        ),
        pytest.param(
            {"beta": np.ones((1, 2))},
            ShapeError,
            r"beta must hold one number per feature, shape \(2,\), got \(1, 2\)",
            id="beta",
        ),
        pytest.param(
            {"mean": np.ones(2)}, ValueError, "mean and var must be given together", id="mean-alone"
        ),
        pytest.param(
            {"mean": np.ones(2), "var": np.ones(3)},
            ShapeError,
            r"var must hold one number per feature, shape \(2,\), got \(3,\)",
            id="var",
        ),
        pytest.param({"eps": -1}, ValueError, "eps must be a finite number of at least", id="eps"),
    ],
)
def test_batch_norm_says_what_does_not_fit(change, error, message):
    arguments = {"x": np.ones((5, 2)), "gamma": np.ones(2), "beta": np.ones(2)}
    with pytest.raises(error, match=message):
        batch_norm_forward(**{**arguments, **change})


@pytest.mark.parametrize("momentum", [-0.1, 1, np.nan])
def test_momentum_is_a_share(momentum):
    with pytest.raises(ValueError, match="momentum must be a finite number of at least 0 and les"):
        running_statistics(np.ones((5, 2)), np.zeros(2), np.ones(2), momentum=momentum)


# Local response normalization.


def test_lrn_by_hand():
    x = np.array([1.0, 2.0, 3.0])
    out, cache = lrn_forward(x, n=3, k=1.0, alpha=1.0, beta=1.0)
    # Each is divided by 1 plus the squares of itself and its neighbors: 6, 15 and 14.
    np.testing.assert_allclose(out, [1 / 6, 2 / 15, 3 / 14], rtol=1e-14)
    dx = lrn_backward(np.array([36.0, 0.0, 0.0]), cache)
    # dout/s for the first, and −2·x·dout·x₀/s² for it and its only neighbor.
    np.testing.assert_allclose(dx, [6 - 2, -4, 0], atol=1e-14)


def test_lrn_has_the_constants_of_the_paper():
    x = 100 * normal(2, 96)
    expected = np.empty_like(x)
    for i in range(96):
        energy = (x[:, max(0, i - 2) : min(95, i + 2) + 1] ** 2).sum(axis=1)
        expected[:, i] = x[:, i] / (2 + 1e-4 * energy) ** 0.75
    np.testing.assert_allclose(lrn_forward(x)[0], expected, rtol=1e-12)


def test_channels_further_away_are_not_seen():
    _, cache = lrn_forward(normal(1, 9), n=5, alpha=1.0)
    dout = np.zeros((1, 9))
    dout[0, 4] = 1
    assert np.flatnonzero(lrn_backward(dout, cache)).tolist() == [2, 3, 4, 5, 6]


def test_a_loud_channel_holds_its_neighbors_down():
    quiet = lrn_forward(np.array([1.0, 1.0, 1.0]), n=3, alpha=1.0)[0]
    loud = lrn_forward(np.array([1.0, 1.0, 100.0]), n=3, alpha=1.0)[0]
    assert loud[0] == quiet[0]
    assert loud[1] < quiet[1] / 10


def test_a_sum_wider_than_the_channels_takes_them_all():
    x = normal(2, 3)
    out, cache = lrn_forward(x, n=99, k=1.0, alpha=1.0, beta=0.5)
    np.testing.assert_allclose(out, x / np.sqrt(1 + (x**2).sum(axis=1, keepdims=True)), rtol=1e-12)
    report = check_gradients(
        lrn_forward, lrn_backward, x, rng=np.random.default_rng(0), n=99, alpha=1.0
    )
    assert report.ok, str(report)
    assert lrn_backward(np.ones((2, 3)), cache).shape == (2, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 4}, "n must be odd, as many channels before as after, got 4"),
        ({"n": 0}, "n must be a whole number of at least 1, got 0"),
        ({"n": 2.5}, "n must be a whole number of at least 1, got 2.5"),
        ({"k": 0}, "k must be a finite number of at least"),
        ({"alpha": -1e-4}, "alpha must be a finite number of at least 0, got -0.0001"),
        ({"beta": np.inf}, "beta must be a finite number of at least 0, got inf"),
    ],
)
def test_lrn_says_which_constants_make_sense(options, message):
    with pytest.raises(ValueError, match=message):
        lrn_forward(np.ones(3), **options)


def test_lrn_needs_channels():
    with pytest.raises(ShapeError, match="x must have at least one axis, its channels, got a sing"):
        lrn_forward(np.array(1.0))
