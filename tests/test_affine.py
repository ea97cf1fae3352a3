import re

import numpy as np
import pytest

from cnnlab.ops import affine_backward, affine_forward, flatten_backward, flatten_forward
from cnnlab.shapes import ShapeError

SIZES = [
    pytest.param((2, 3, 5), id="small"),
    pytest.param((1, 4, 3), id="one-row"),
    pytest.param((5, 1, 3), id="one-feature"),
    pytest.param((4, 3, 1), id="one-output"),
]


def arrays(sizes):
    N, D, M = sizes
    rng = np.random.default_rng(0)
    return rng.normal(size=(N, D)), rng.normal(size=(D, M)), rng.normal(size=M)


def test_forward_by_hand():
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    w = np.array([[1.0, 10.0, 100.0], [2.0, 20.0, 200.0]])
    out, _ = affine_forward(x, w, np.array([0.5, 0.0, -1.0]))
    assert out.tolist() == [[5.5, 50, 499], [11.5, 110, 1099]]


def test_backward_by_hand():
    x, w = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0, 10.0], [2.0, 20.0]])
    _, cache = affine_forward(x, w, np.zeros(2))
    dx, dw, db = affine_backward(np.array([[1.0, 0.0], [2.0, 3.0]]), cache)
    assert dx.tolist() == [[1, 2], [32, 64]]
    assert dw.tolist() == [[7, 9], [10, 12]]
    assert db.tolist() == [3, 3]


@pytest.mark.parametrize("sizes", SIZES)
def test_against_loops(sizes):
    N, D, M = sizes
    x, w, b = arrays(sizes)
    out, cache = affine_forward(x, w, b)
    dout = np.random.default_rng(1).normal(size=out.shape)
    expected, dx, dw, db = np.tile(b, (N, 1)), np.zeros((N, D)), np.zeros((D, M)), np.zeros(M)
    for n, d, m in np.ndindex(N, D, M):
        expected[n, m] += x[n, d] * w[d, m]
        dx[n, d] += dout[n, m] * w[d, m]
        dw[d, m] += dout[n, m] * x[n, d]
    for n, m in np.ndindex(N, M):
        db[m] += dout[n, m]
    np.testing.assert_allclose(out, expected, rtol=1e-12)
    for got, right in zip(affine_backward(dout, cache), (dx, dw, db), strict=True):
        np.testing.assert_allclose(got, right, rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"x": np.ones(3)}, r"x must have 2 axes \(N, D\), got 1", id="one-row"),
        pytest.param(
            {"x": np.ones((2, 3, 1, 1))}, r"x must have 2 axes \(N, D\), got 4", id="volume"
        ),
        pytest.param({"w": np.ones(3)}, r"w must have 2 axes \(D, M\), got 1", id="w-rank"),
        pytest.param(
            {"x": np.ones((2, 4))}, r"x has 4 features \(shape \(2, 4\)\), w expects 3", id="size"
        ),
        pytest.param(
            {"b": np.ones((1, 5))}, r"one bias per output, shape \(5,\), got \(1, 5\)", id="biases"
        ),
    ],
)
def test_forward_says_what_does_not_fit(change, message):
    x, w, b = arrays((2, 3, 5))
    with pytest.raises(ShapeError, match=message):
        affine_forward(**{"x": x, "w": w, "b": b, **change})


def test_backward_says_which_shape_it_needs():
    _, cache = affine_forward(*arrays((2, 3, 5)))
    expected = "dout must have the output's shape (2, 5), got (5, 2)."
    with pytest.raises(ShapeError, match=re.escape(expected)):
        affine_backward(np.ones((5, 2)), cache)


def test_flatten_by_hand():
    x = np.arange(12.0).reshape(2, 3, 1, 2)
    out, cache = flatten_forward(x)
    assert out.tolist() == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]
    dx = flatten_backward(out * 10, cache)
    assert dx.shape == x.shape
    assert np.array_equal(dx, 10 * x)


def test_flatten_goes_through_a_row_before_the_next_and_through_all_channels_of_a_pixel():
    out, _ = flatten_forward(np.arange(24).reshape(1, 2, 3, 4))
    H, W, C = 2, 3, 4
    for i, j, c in np.ndindex(H, W, C):
        assert out[0, (i * W + j) * C + c] == np.ravel_multi_index((i, j, c), (H, W, C))


def test_flatten_of_whole_numbers_takes_the_dtype_of_the_gradient():
    out, cache = flatten_forward(np.zeros((2, 3, 4), np.uint8))
    assert out.dtype == np.uint8
    assert flatten_backward(np.ones((2, 12), np.float32), cache).dtype == np.float32


def test_a_single_number_is_no_batch():
    with pytest.raises(ShapeError, match="x must have at least one axis, the batch, got a single"):
        flatten_forward(np.array(3.0))
