import re

import numpy as np
import pytest

from cnnlab.ops import (
    avg_pool_backward,
    avg_pool_forward,
    max_pool_backward,
    max_pool_forward,
)
from cnnlab.shapes import ShapeError

# N, H, W, C, FH and FW differ from each other.
CONFIGURATIONS = [
    pytest.param((3, 6, 8, 5), 2, None, id="2x2"),
    pytest.param((2, 7, 9, 4), 3, 2, id="overlapping"),
    pytest.param((5, 6, 8, 3), (2, 4), None, id="not-square"),
    pytest.param((5, 7, 8, 3), (4, 2), (1, 3), id="stride-by-axis"),
    pytest.param((2, 7, 6, 3), (1, 2), (3, 4), id="stride-leaves-gaps"),
    pytest.param((2, 4, 6, 3), (4, 6), None, id="whole-image"),
    pytest.param((2, 4, 6, 3), 1, None, id="1x1"),
]


def volume(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def naive(x, kernel_size, stride, dout=None):
    """The maximum of every window and, given dout, the gradient that the first of them gets."""
    FH, FW = kernel_size if isinstance(kernel_size, tuple) else (kernel_size, kernel_size)
    stride = (FH, FW) if stride is None else stride
    SH, SW = stride if isinstance(stride, tuple) else (stride, stride)
    N, H, W, C = x.shape
    out, dx = np.zeros((N, (H - FH) // SH + 1, (W - FW) // SW + 1, C)), np.zeros(x.shape)
    for n, i, j, c in np.ndindex(out.shape):
        places = [(i * SH + u, j * SW + v) for u in range(FH) for v in range(FW)]
        values = [x[n, row, column, c] for row, column in places]
        out[n, i, j, c] = max(values)
        if dout is not None:
            row, column = places[values.index(max(values))]
            dx[n, row, column, c] += dout[n, i, j, c]
    return out, dx


def test_example_of_the_lecture():
    x = np.array([[1, 1, 2, 4], [5, 6, 7, 8], [3, 2, 1, 0], [1, 2, 3, 4]]).reshape(1, 4, 4, 1)
    out, cache = max_pool_forward(x, kernel_size=2, stride=2)
    assert out[0, :, :, 0].tolist() == [[6, 8], [3, 4]]
    assert out.dtype == x.dtype
    dx = max_pool_backward(np.array([[10.0, 20.0], [30.0, 40.0]]).reshape(1, 2, 2, 1), cache)
    expected = [[0, 0, 0, 0], [0, 10, 0, 20], [30, 0, 0, 0], [0, 0, 0, 40]]
    assert dx[0, :, :, 0].tolist() == expected


def test_a_maximum_of_two_windows_collects_from_both():
    x = np.array([[1.0, 9.0, 2.0]]).reshape(1, 1, 3, 1)
    out, cache = max_pool_forward(x, kernel_size=(1, 2), stride=1)
    assert out.ravel().tolist() == [9, 9]
    dx = max_pool_backward(np.array([5.0, 7.0]).reshape(out.shape), cache)
    assert dx.ravel().tolist() == [0, 12, 0]


@pytest.mark.parametrize(("shape", "kernel_size", "stride"), CONFIGURATIONS)
@pytest.mark.parametrize("ties", [False, True], ids=["distinct", "after-relu"])
def test_against_loops(shape, kernel_size, stride, ties):
    x = np.maximum(volume(shape), 0) if ties else volume(shape)
    out, cache = max_pool_forward(x, kernel_size=kernel_size, stride=stride)
    dout = volume(out.shape, seed=1)
    expected, dx = naive(x, kernel_size, stride, dout)
    assert np.array_equal(out, expected)
    np.testing.assert_allclose(max_pool_backward(dout, cache), dx, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(("shape", "kernel_size", "stride"), CONFIGURATIONS)
def test_no_gradient_is_lost_or_made(shape, kernel_size, stride):
    out, cache = max_pool_forward(
        np.maximum(volume(shape), 0), kernel_size=kernel_size, stride=stride
    )
    dout = volume(out.shape, seed=1)
    assert max_pool_backward(dout, cache).sum() == pytest.approx(dout.sum(), rel=1e-10)


def test_of_equal_values_the_first_gets_the_gradient():
    _, cache = max_pool_forward(np.zeros((1, 3, 3, 1)), kernel_size=3)
    dx = max_pool_backward(np.full((1, 1, 1, 1), 4.0), cache)
    assert dx.ravel().tolist() == [4, 0, 0, 0, 0, 0, 0, 0, 0]


def test_the_maximum_may_be_negative():
    x = -1 - np.arange(4.0).reshape(1, 2, 2, 1)
    out, _ = max_pool_forward(x)
    assert out.item() == -1


def test_a_window_of_many_taps_finds_its_last_pixel():
    x = np.arange(400.0).reshape(1, 20, 20, 1)
    out, cache = max_pool_forward(x, kernel_size=20)
    assert out.item() == 399
    assert max_pool_backward(np.ones_like(out), cache)[0, 19, 19, 0] == 1


def test_channels_do_not_mix():
    x = np.zeros((1, 2, 2, 3))
    x[0, 1, 0, 1] = 5
    out, _ = max_pool_forward(x)
    assert out[0, 0, 0].tolist() == [0, 5, 0]


def test_infinities():
    x = np.array([[-np.inf, -np.inf, np.inf, 1.0]]).reshape(1, 1, 4, 1)
    out, cache = max_pool_forward(x, kernel_size=(1, 2))
    assert out.ravel().tolist() == [-np.inf, np.inf]
    dx = max_pool_backward(np.array([3.0, 4.0]).reshape(out.shape), cache)
    assert dx.ravel().tolist() == [3, 0, 4, 0]


@pytest.mark.parametrize("place", range(4))
def test_a_nan_stays_a_nan_wherever_it_is(place):
    x = np.array([1.0, np.inf, -1.0, 2.0, 0.0, 0.0, 0.0, 7.0])
    x[place] = np.nan
    out, _ = max_pool_forward(x.reshape(1, 1, 8, 1), kernel_size=(1, 4))
    assert np.isnan(out[0, 0, 0, 0])
    assert out[0, 0, 1, 0] == 7


@pytest.mark.parametrize(
    ("x", "options", "error", "message"),
    [
        pytest.param(
            np.ones((4, 4)), {}, ShapeError, r"x must have 4 axes \(N, H, W, C\), got 2", id="rank"
        ),
        pytest.param([[1.0]], {}, TypeError, "x must be a NumPy array, got list", id="list"),
        pytest.param(
            np.ones((1, 5, 4, 1)),
            {},
            ShapeError,
            "window of 2 with stride 2 does not fit an input of 5",
            id="size",
        ),
        pytest.param(
            np.ones((1, 4, 4, 1)),
            {"kernel_size": 5},
            ShapeError,
            "window of 5 is larger than the input: 4",
            id="too-large",
        ),
        pytest.param(
            np.ones((1, 4, 4, 1)),
            {"stride": 0},
            ShapeError,
            "stride must be a whole number of at least 1, got 0",
            id="stride-0",
        ),
    ],
)
def test_forward_says_what_does_not_fit(x, options, error, message):
    with pytest.raises(error, match=message):
        max_pool_forward(x, **options)


def test_backward_says_which_shape_it_needs():
    _, cache = max_pool_forward(np.ones((1, 4, 6, 2)))
    expected = "dout must have the output's shape (1, 2, 3, 2), got (1, 4, 6, 2)."
    with pytest.raises(ShapeError, match=re.escape(expected)):
        max_pool_backward(np.ones((1, 4, 6, 2)), cache)


def test_average_by_hand():
    x = np.array([[1.0, 1, 2, 4], [5, 6, 7, 8], [3, 2, 1, 0], [1, 2, 3, 4]]).reshape(1, 4, 4, 1)
    out, cache = avg_pool_forward(x, kernel_size=2)
    assert out[0, :, :, 0].tolist() == [[3.25, 5.25], [2, 2]]
    dx = avg_pool_backward(np.array([[4.0, 8.0], [12.0, 16.0]]).reshape(1, 2, 2, 1), cache)
    assert dx[0, :, :, 0].tolist() == [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]


def test_a_pixel_of_two_averages_collects_from_both():
    out, cache = avg_pool_forward(np.ones((1, 1, 3, 1)), kernel_size=(1, 2), stride=1)
    dx = avg_pool_backward(np.array([4.0, 6.0]).reshape(out.shape), cache)
    assert dx.ravel().tolist() == [2, 5, 3]


@pytest.mark.parametrize(("shape", "kernel_size", "stride"), CONFIGURATIONS)
def test_averages_share_the_gradient_and_keep_its_sum(shape, kernel_size, stride):
    out, cache = avg_pool_forward(volume(shape), kernel_size=kernel_size, stride=stride)
    dout = volume(out.shape, seed=1)
    assert avg_pool_backward(dout, cache).sum() == pytest.approx(dout.sum(), rel=1e-10)


def test_the_average_of_a_whole_map_is_its_mean():
    x = volume((2, 4, 6, 3))
    out, _ = avg_pool_forward(x, kernel_size=(4, 6))
    np.testing.assert_allclose(out[:, 0, 0], x.mean(axis=(1, 2)), rtol=1e-12)


def test_whole_numbers_have_no_average_of_their_kind():
    with pytest.raises(TypeError, match="x must hold floating-point numbers, got uint8"):
        avg_pool_forward(np.ones((1, 4, 4, 1), np.uint8))
