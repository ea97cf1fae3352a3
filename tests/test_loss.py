import math

import numpy as np
import pytest

from cnnlab.gradcheck import check_gradients
from cnnlab.ops import (
    hinge_loss_backward,
    hinge_loss_forward,
    l2_backward,
    l2_forward,
    softmax_loss_backward,
    softmax_loss_forward,
)
from cnnlab.shapes import ShapeError


def scores(N=5, C=3, size=1.0):
    x = np.random.default_rng(0).normal(size=(N, C)) * size
    return x, np.arange(N) % C


@pytest.mark.parametrize("shift", [1000.0, -1000.0], ids=["up", "down"])
def test_only_differences_of_scores_count(shift):
    x, y = scores()
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
    loss, cache = softmax_loss_forward(x, y)
    assert np.isnan(loss)
    dx = softmax_loss_backward(1.0, cache)
    assert np.isnan(dx[0]).all()
    assert np.isfinite(dx[1:]).all()


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


def test_backward_takes_one_number():
    _, cache = softmax_loss_forward(*scores())
    with pytest.raises(ShapeError, match=r"output's shape \(\), a single number, got \(5,\)"):
        softmax_loss_backward(np.ones(5), cache)


def test_hinge_loss_by_hand():
    x = np.array([[3.0, 2.5, -1.0], [0.0, 1.0, 0.0], [0.0, 5.0, 1.0]])
    loss, cache = hinge_loss_forward(x, np.array([0, 0, 1]))
    # 2.5 comes within 1 of 3; both 1 and 0 do so to 0; 1 stays far enough from 5.
    assert loss == pytest.approx((0.5 + (2 + 1) + 0) / 3, rel=1e-14)
    dx = hinge_loss_backward(6.0, cache)
    assert dx.tolist() == [[-2, 2, 0], [-4, 2, 2], [0, 0, 0]]


def test_the_margin_is_in_units_of_the_scores():
    x, y = np.array([[3.0, 2.5, -1.0]]), np.array([0])
    assert hinge_loss_forward(x, y, margin=0.5)[0] == 0
    assert hinge_loss_forward(x, y, margin=5.0)[0] == 4.5 + 1.0
    assert hinge_loss_forward(10 * x, y, margin=10.0)[0] == 10 * hinge_loss_forward(x, y)[0]


@pytest.mark.parametrize("C", [2, 10, 1000])
def test_equal_scores_cost_the_margin_for_every_other_class(C):
    loss, _ = hinge_loss_forward(np.full((4, C), 7.0), np.zeros(4, int), margin=0.5)
    assert loss == (C - 1) * 0.5


def test_a_lead_of_the_margin_leaves_nothing_to_learn():
    loss, cache = hinge_loss_forward(np.array([[1000.0, 0.0], [0.0, 1.0]]), np.array([0, 1]))
    assert loss == 0
    assert hinge_loss_backward(1.0, cache).tolist() == [[0, 0], [0, 0]]


def test_every_row_of_the_hinge_gradient_sums_to_zero():
    dx = hinge_loss_backward(3.0, hinge_loss_forward(*scores(6, 4))[1])
    assert np.abs(dx).sum() > 0
    np.testing.assert_allclose(dx.sum(axis=1), 0, atol=1e-15)


def test_a_score_exactly_at_the_margin_cannot_be_judged():
    x, rng = np.array([[2.0, 1.0, 0.0]]), np.random.default_rng(0)
    report = check_gradients(hinge_loss_forward, hinge_loss_backward, x, np.array([0]), rng=rng)
    assert report.verdict == "not decidable here"


@pytest.mark.parametrize("margin", [np.nan, np.inf, "1"])
def test_a_margin_is_a_finite_number(margin):
    with pytest.raises(ValueError, match=f"margin must be a finite number, got {margin!r}"):
        hinge_loss_forward(*scores(), margin=margin)


def test_l2_by_hand():
    w = np.array([[3.0, -4.0], [0.0, 1.0]])
    penalty, cache = l2_forward(w, strength=0.5)
    assert penalty == 0.25 * (9 + 16 + 0 + 1)
    assert l2_backward(1.0, cache).tolist() == [[1.5, -2], [0, 0.5]]
    assert l2_backward(2.0, cache).tolist() == [[3, -4], [0, 1]]


def test_no_strength_is_no_penalty_and_no_weights_are_free():
    assert l2_forward(np.ones(5), strength=0)[0] == 0
    penalty, cache = l2_forward(np.ones((0, 3)), strength=1.0)
    assert penalty == 0
    assert l2_backward(1.0, cache).shape == (0, 3)


@pytest.mark.parametrize("strength", [-1e-9, np.nan, np.inf])
def test_a_penalty_is_no_reward(strength):
    with pytest.raises(ValueError, match="strength must be a finite number of at least 0, got"):
        l2_forward(np.ones(3), strength=strength)
