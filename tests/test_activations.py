import math
import re

import numpy as np
import pytest

from cnnlab.gradcheck import check_gradients
from cnnlab.ops import (
    elu_backward,
    elu_forward,
    leaky_relu_backward,
    leaky_relu_forward,
    maxout_backward,
    maxout_forward,
    prelu_backward,
    prelu_forward,
    relu_backward,
    relu_forward,
    sigmoid_backward,
    sigmoid_forward,
    softmax_backward,
    softmax_forward,
    tanh_backward,
    tanh_forward,
)
from cnnlab.shapes import ShapeError


def test_relu_by_hand():
    x = np.array([[-2.0, -0.5, 0.0], [0.5, 2.0, -1.0]])
    out, cache = relu_forward(x)
    assert out.tolist() == [[0, 0, 0], [0.5, 2, 0]]
    dout = np.array([[1.0, 2.0, 3.0], [-4.0, 5.0, 6.0]])
    # The sign of dout does not matter, only that of x.
    assert relu_backward(dout, cache).tolist() == [[0, 0, 0], [-4, 5, 0]]


def test_relu_at_zero_cannot_be_judged():
    rng = np.random.default_rng(0)
    report = check_gradients(relu_forward, relu_backward, np.array([-1.0, 0.0, 1.0]), rng=rng)
    assert report.verdict == "not decidable here"


def test_relu_backward_does_not_depend_on_what_became_of_the_output():
    out, cache = relu_forward(np.array([-1.0, 2.0]))
    out[:] = [5, -5]
    assert relu_backward(np.array([1.0, 1.0]), cache).tolist() == [0, 1]


def test_relu_keeps_infinity_and_nan():
    out, _ = relu_forward(np.array([-np.inf, np.inf, np.nan]))
    np.testing.assert_array_equal(out, [0, np.inf, np.nan])


def test_relu_backward_says_which_shape_it_needs():
    _, cache = relu_forward(np.ones((2, 3)))
    expected = "dout must have the output's shape (2, 3), got (3,)."
    with pytest.raises(ShapeError, match=re.escape(expected)):
        relu_backward(np.ones(3), cache)


# At ln 3, exp is 3, so every one of these is a fraction.
LN3 = math.log(3)


def test_sigmoid_by_hand():
    out, cache = sigmoid_forward(np.array([0.0, LN3, -LN3]))
    np.testing.assert_allclose(out, [1 / 2, 3 / 4, 1 / 4], rtol=1e-15)
    dx = sigmoid_backward(np.array([16.0, 16.0, -32.0]), cache)
    np.testing.assert_allclose(dx, [4, 3, -6], rtol=1e-15)


def test_tanh_by_hand():
    out, cache = tanh_forward(np.array([0.0, LN3 / 2, -LN3 / 2]))
    np.testing.assert_allclose(out, [0, 1 / 2, -1 / 2], rtol=1e-15)
    dx = tanh_backward(np.array([4.0, 4.0, -8.0]), cache)
    np.testing.assert_allclose(dx, [4, 3, -6], rtol=1e-15)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize(
    ("forward", "backward", "low"),
    [
        pytest.param(sigmoid_forward, sigmoid_backward, 0, id="sigmoid"),
        pytest.param(tanh_forward, tanh_backward, -1, id="tanh"),
    ],
)
def test_a_saturated_unit_neither_overflows_nor_passes_a_gradient(forward, backward, low, dtype):
    out, cache = forward(np.array([-1000.0, 1000.0, -np.inf, np.inf], dtype))
    assert out.tolist() == [low, 1, low, 1]
    assert backward(np.ones(4, dtype), cache).tolist() == [0, 0, 0, 0]


def _way_back(forward, backward, std):
    """How much of a gradient is left after eight layers of 100 units."""
    rng = np.random.default_rng(0)
    x, passed = rng.normal(size=(64, 100)), []
    for _ in range(8):
        w = rng.normal(0, std, (100, 100))
        x, cache = forward(x @ w)
        passed.append((w, cache))
    dout = dx = rng.normal(size=x.shape)
    for w, cache in reversed(passed):
        dx = backward(dx, cache) @ w.T
    return np.linalg.norm(dx) / np.linalg.norm(dout)


def test_sigmoids_shrink_the_gradient_and_relus_do_not():
    # Weights that keep the size of a signal that is not bent, or halved by a ReLU.
    assert _way_back(sigmoid_forward, sigmoid_backward, 0.01**0.5) < 4.0**-7
    assert _way_back(relu_forward, relu_backward, 0.02**0.5) > 0.5


def test_leaky_relu_by_hand():
    out, cache = leaky_relu_forward(np.array([-2.0, 0.0, 3.0]), slope=0.25)
    assert out.tolist() == [-0.5, 0, 3]
    # At zero it counts as negative, as in ReLU.
    assert leaky_relu_backward(np.array([4.0, 4.0, -4.0]), cache).tolist() == [1, 1, -4]


def test_leaky_relu_leaks_a_hundredth_by_default():
    assert leaky_relu_forward(np.array([-100.0]))[0].item() == -1


def test_prelu_by_hand():
    x = np.array([[-2.0, 4.0, -1.0], [-6.0, -8.0, 0.0]])
    slope = np.array([0.5, 0.25, 2.0])
    out, cache = prelu_forward(x, slope)
    assert out.tolist() == [[-1, 4, -2], [-3, -2, 0]]
    dx, dslope = prelu_backward(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), cache)
    assert dx.tolist() == [[0.5, 2, 6], [2, 1.25, 12]]
    # Each slope collects dout·x where x was negative.
    assert dslope.tolist() == [1 * -2 + 4 * -6, 5 * -8, 3 * -1]


def test_one_slope_for_all_channels_collects_from_all():
    x = np.array([[-2.0, 4.0, -1.0], [-6.0, -8.0, 0.0]])
    out, cache = prelu_forward(x, np.array([0.5]))
    assert out.tolist() == [[-1, 4, -0.5], [-3, -4, 0]]
    _, dslope = prelu_backward(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), cache)
    assert dslope.tolist() == [-2 - 3 - 24 - 40]


def test_prelu_says_how_many_slopes_it_needs():
    expected = "one for each of 3 channels, got shape (2,)."
    with pytest.raises(ShapeError, match=re.escape(expected)):
        prelu_forward(np.ones((4, 3)), np.ones(2))


def test_elu_by_hand():
    out, cache = elu_forward(np.array([-LN3, 0.0, 2.0]), alpha=3.0)
    np.testing.assert_allclose(out, [-2, 0, 2], rtol=1e-15)
    dx = elu_backward(np.array([2.0, 2.0, 2.0]), cache)
    np.testing.assert_allclose(dx, [2, 6, 2], rtol=1e-15)


def test_elu_levels_out_and_does_not_overflow():
    out, cache = elu_forward(np.array([-np.inf, -1e300, 1e300, np.inf]), alpha=1.5)
    assert out.tolist() == [-1.5, -1.5, 1e300, np.inf]
    assert elu_backward(np.ones(4), cache).tolist() == [0, 0, 1, 1]


def test_elu_has_a_kink_at_zero_unless_alpha_is_one():
    below, above = (elu_forward(np.array([sign * 1e-6]), alpha=2.0)[0] for sign in (-1, 1))
    np.testing.assert_allclose([-below / 1e-6, above / 1e-6], [[2], [1]], rtol=1e-5)
    x, rng = np.array([-1.0, 0.0, 1.0]), np.random.default_rng(0)
    report = check_gradients(elu_forward, elu_backward, x, rng=rng, alpha=2.0)
    assert report.verdict == "not decidable here"


@pytest.mark.parametrize("alpha", [-0.1, np.nan, None])
def test_elu_needs_an_alpha_that_levels_out_below_zero(alpha):
    with pytest.raises(ValueError, match="alpha must be a finite number of at least 0, got"):
        elu_forward(np.ones(3), alpha=alpha)


def test_maxout_by_hand():
    x = np.array([[1.0, 3.0, -2.0, -5.0], [0.0, 0.0, 7.0, 8.0]])
    out, cache = maxout_forward(x)
    assert out.tolist() == [[3, -2], [0, 8]]
    dx = maxout_backward(np.array([[10.0, 20.0], [30.0, 40.0]]), cache)
    # Of two equal pieces the first gets the gradient.
    assert dx.tolist() == [[0, 10, 20, 0], [30, 0, 0, 40]]


def test_the_pieces_of_a_unit_are_neighbors():
    x = np.arange(12.0).reshape(1, 2, 6)
    assert maxout_forward(x, pieces=3)[0].tolist() == [[[2, 5], [8, 11]]]


def test_maxout_of_x_and_minus_x_is_the_absolute_value():
    x = np.array([[-2.0], [0.5], [3.0]])
    assert np.array_equal(maxout_forward(np.hstack([x, -x]))[0], np.abs(x))


@pytest.mark.parametrize(
    ("pieces", "message"),
    [
        (2, r"2 pieces must divide the channels, got 5 \(shape \(3, 5\)\)"),
        (0, "pieces must be a whole number of at least 1, got 0"),
        (2.5, "pieces must be a whole number of at least 1, got 2.5"),
    ],
)
def test_maxout_says_which_pieces_fit(pieces, message):
    with pytest.raises(ValueError, match=message):
        maxout_forward(np.ones((3, 5)), pieces=pieces)


def test_softmax_by_hand():
    out, cache = softmax_forward(np.log([[1.0, 2.0, 5.0], [1.0, 1.0, 2.0]]))
    np.testing.assert_allclose(out, [[0.125, 0.25, 0.625], [0.25, 0.25, 0.5]], rtol=1e-15)
    dx = softmax_backward(np.array([[8.0, 0.0, 0.0], [0.0, 4.0, 4.0]]), cache)
    # The mean of dout, weighted by out, is 1 in the first row and 3 in the second.
    np.testing.assert_allclose(dx, [[0.875, -0.25, -0.625], [-0.75, 0.25, 0.5]], rtol=1e-14)


@pytest.mark.parametrize("shift", [1000.0, -1000.0], ids=["up", "down"])
def test_only_differences_of_scores_count(shift):
    x = np.random.default_rng(0).normal(size=(5, 3))
    out = softmax_forward(x)[0]
    np.testing.assert_allclose(softmax_forward(x + shift)[0], out, rtol=1e-10)


def test_a_gradient_that_is_the_same_for_all_classes_changes_nothing():
    _, cache = softmax_forward(np.random.default_rng(0).normal(size=(5, 3)))
    np.testing.assert_allclose(softmax_backward(np.full((5, 3), 7.0), cache), 0, atol=1e-15)


def test_a_softmax_needs_a_class():
    with pytest.raises(ShapeError, match=r"at least one score in a row, got shape \(2, 0\)"):
        softmax_forward(np.ones((2, 0)))
