import math

import numpy as np
import pytest
from scipy import special

from cnnlab.gradcheck import check_gradients
from cnnlab.ops import softmax, softmax_loss_backward, softmax_loss_forward
from cnnlab.shapes import ShapeError


def scores(N=5, C=3, size=1.0):
    x = np.random.default_rng(0).normal(size=(N, C)) * size
    return x, np.arange(N) % C


def test_softmax_by_hand():
    p = softmax(np.log([[1.0, 2.0, 5.0], [1.0, 1.0, 2.0]]))
    np.testing.assert_allclose(p, [[0.125, 0.25, 0.625], [0.25, 0.25, 0.5]], rtol=1e-15)


@pytest.mark.parametrize("size", [1.0, 100.0, 1e4], ids=["small", "large", "huge"])
def test_softmax_against_scipy(size):
    x, _ = scores(size=size)
    p = softmax(x)
    np.testing.assert_allclose(p, special.softmax(x, axis=1), rtol=1e-12)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-12)


def test_softmax_takes_whole_numbers():
    assert softmax(np.array([[3, 3]])).tolist() == [[0.5, 0.5]]


@pytest.mark.parametrize("shift", [1000.0, -1000.0], ids=["up", "down"])
def test_only_differences_of_scores_count(shift):
    x, y = scores()
    np.testing.assert_allclose(softmax(x + shift), softmax(x), rtol=1e-10)
    loss = softmax_loss_forward(x, y)[0]
    assert softmax_loss_forward(x + shift, y)[0] == pytest.approx(loss, rel=1e-10)


def test_loss_by_hand():
    x = np.log([[1.0, 2.0, 5.0], [1.0, 1.0, 2.0]])
    loss, cache = softmax_loss_forward(x, np.array([2, 0]))
    assert loss == pytest.approx((math.log(8 / 5) + math.log(4)) / 2, rel=1e-14)
    dx = softmax_loss_backward(4.0, cache)
    # 4 (p − one-hot) / 2
    expected = [[0.25, 0.5, -0.75], [-1.5, 0.5, 1.0]]
    np.testing.assert_allclose(dx, expected, rtol=1e-14)


@pytest.mark.parametrize("C", [2, 10, 1000])
def test_guessing_evenly_costs_the_logarithm_of_the_number_of_classes(C):
    loss, _ = softmax_loss_forward(np.full((4, C), 7.0), np.zeros(4, int))
    assert loss == pytest.approx(math.log(C), rel=1e-12)


def test_loss_against_loops():
    x, y = scores()
    expected = 0.0
    for row, label in zip(x, y, strict=True):
        expected -= math.log(math.exp(row[label]) / sum(math.exp(score) for score in row))
    assert softmax_loss_forward(x, y)[0] == pytest.approx(expected / len(x), rel=1e-12)


def test_a_confident_mistake_costs_the_margin_and_does_not_overflow():
    loss, cache = softmax_loss_forward(np.array([[1000.0, 0.0]]), np.array([1]))
    assert loss == 1000
    assert softmax_loss_backward(1.0, cache).tolist() == [[1, -1]]


@pytest.mark.parametrize("N", [1, 2, 7])
def test_gradients(N):
    rng = np.random.default_rng(0)
    report = check_gradients(softmax_loss_forward, softmax_loss_backward, *scores(N, 4), rng=rng)
    assert report.ok, str(report)


def test_every_row_of_the_gradient_sums_to_zero():
    x, y = scores(6, 4)
    dx = softmax_loss_backward(3.0, softmax_loss_forward(x, y)[1])
    np.testing.assert_allclose(dx.sum(axis=1), 0, atol=1e-15)
    # Only the label's score should rise.
    assert np.array_equal(np.argwhere(dx < 0), list(enumerate(y)))


@pytest.mark.parametrize("dout", [np.float64(2.0), np.array(2.0), 2], ids=["numpy", "0-d", "int"])
def test_backward_keeps_float32_whatever_number_dout_is(dout):
    x, y = scores()
    _, cache = softmax_loss_forward(x.astype(np.float32), y)
    assert softmax_loss_backward(dout, cache).dtype == np.float32


def test_a_nan_score_gives_a_nan_loss():
    x, y = scores()
    x[0, 0] = np.nan
    assert np.isnan(softmax_loss_forward(x, y)[0])
    assert np.isnan(softmax(x)[0]).all()
    assert np.isfinite(softmax(x)[1:]).all()


@pytest.mark.parametrize(
    ("x", "y", "error", "message"),
    [
        pytest.param(
            np.ones(3), [0], ShapeError, r"x must have 2 axes \(N, C\), got 1", id="one-row"
        ),
        pytest.param(
            np.ones((2, 3)),
            [0],
            ShapeError,
            r"one label per row of x, shape \(2,\), got \(1,\)",
            id="too-few",
        ),
        pytest.param(
            np.ones((2, 3)),
            np.eye(3)[:2],
            ShapeError,
            r"one label per row of x, shape \(2,\), got \(2, 3\)",
            id="one-hot",
        ),
        pytest.param(
            np.ones((0, 3)),
            [],
            ShapeError,
            r"mean loss of no rows is not defined, got x of shape \(0, 3\)",
            id="no-rows",
        ),
        pytest.param(
            np.ones((2, 3)), [0.0, 1.0], ValueError, "labels must be integers, got float64", id="f"
        ),
        pytest.param(
            np.ones((2, 3)),
            [0, 3],
            ValueError,
            "labels must lie between 0 and 2, got 0 to 3",
            id=">",
        ),
        pytest.param(
            np.ones((2, 3)),
            [-1, 1],
            ValueError,
            "labels must lie between 0 and 2, got -1 to 1",
            id="<",
        ),
    ],
)
def test_forward_says_what_does_not_fit(x, y, error, message):
    with pytest.raises(error, match=message):
        softmax_loss_forward(x, y)


def test_softmax_says_what_does_not_fit():
    with pytest.raises(ShapeError, match=r"x must have 2 axes \(N, C\), got 1: shape \(3,\)"):
        softmax(np.ones(3))


def test_backward_takes_one_number():
    _, cache = softmax_loss_forward(*scores())
    with pytest.raises(ShapeError, match=r"loss is one number, so is dout, got shape \(5,\)"):
        softmax_loss_backward(np.ones(5), cache)
