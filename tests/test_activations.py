import re

import numpy as np
import pytest

from cnnlab.gradcheck import check_gradients
from cnnlab.ops import relu_backward, relu_forward
from cnnlab.shapes import ShapeError


def test_relu_by_hand():
    x = np.array([[-2.0, -0.5, 0.0], [0.5, 2.0, -1.0]])
    out, cache = relu_forward(x)
    assert out.tolist() == [[0, 0, 0], [0.5, 2, 0]]
    dout = np.array([[1.0, 2.0, 3.0], [-4.0, 5.0, 6.0]])
    # The sign of dout does not matter, only that of x.
    assert relu_backward(dout, cache).tolist() == [[0, 0, 0], [-4, 5, 0]]


@pytest.mark.parametrize("shape", [(7,), (2, 3), (2, 3, 4, 5)], ids=str)
def test_relu_against_a_loop(shape):
    x = np.random.default_rng(0).normal(size=shape)
    out, cache = relu_forward(x)
    dout = np.random.default_rng(1).normal(size=shape)
    dx = relu_backward(dout, cache)
    for index in np.ndindex(shape):
        assert out[index] == (x[index] if x[index] > 0 else 0)
        assert dx[index] == (dout[index] if x[index] > 0 else 0)


@pytest.mark.parametrize("shape", [(7,), (2, 3), (2, 3, 4, 5)], ids=str)
def test_relu_gradients(shape):
    rng = np.random.default_rng(0)
    report = check_gradients(relu_forward, relu_backward, rng.normal(size=shape), rng=rng)
    assert report.ok, str(report)


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
