import re

import numpy as np
import pytest
from scipy import signal

from cnnlab.ops import conv_backward, conv_forward
from cnnlab.shapes import ShapeError

# N, H, W, C, K, FH and FW differ from each other, so that no two can be confused.
CONFIGURATIONS = [
    pytest.param((2, 7, 9, 3, 5, 4, 6), 1, 0, id="unpadded"),
    pytest.param((2, 7, 9, 3, 5, 4, 6), 1, (1, 2), id="padded"),
    pytest.param((2, 8, 11, 3, 4, 6, 5), 2, 0, id="stride-2"),
    pytest.param((2, 8, 9, 3, 5, 4, 7), 2, (1, 2), id="stride-2-padded"),
    pytest.param((3, 7, 10, 2, 5, 1, 4), (2, 3), 0, id="stride-by-axis"),
    pytest.param((2, 7, 10, 3, 5, 1, 4), (3, 2), 0, id="stride-leaves-gaps"),
    pytest.param((3, 4, 6, 2, 5, 1, 1), 1, 0, id="1x1"),
    pytest.param((3, 4, 6, 2, 5, 4, 6), 1, 0, id="filter-covers-image"),
    pytest.param((1, 5, 4, 2, 3, 3, 2), 1, 3, id="padding-beyond-the-filter"),
]


def volumes(sizes, dtype=np.float64):
    N, H, W, C, K, FH, FW = sizes
    rng = np.random.default_rng(0)
    shapes = (N, H, W, C), (FH, FW, C, K), (K,)
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


def by_axis(option):
    return option if isinstance(option, tuple) else (option, option)


def naive_backward(dout, x, w, stride, pad):
    """One multiplication at a time, straight from the definition."""
    (_, H, W, C), (FH, FW, _, _) = x.shape, w.shape
    (SH, SW), (PH, PW) = by_axis(stride), by_axis(pad)
    dx, dw, db = np.zeros(x.shape), np.zeros(w.shape), np.zeros(w.shape[3])
    for n, i, j, k in np.ndindex(dout.shape):
        db[k] += dout[n, i, j, k]
        for u, v, c in np.ndindex(FH, FW, C):
            row, column = i * SH + u - PH, j * SW + v - PW
            if 0 <= row < H and 0 <= column < W:
                dx[n, row, column, c] += dout[n, i, j, k] * w[u, v, c, k]
                dw[u, v, c, k] += dout[n, i, j, k] * x[n, row, column, c]
    return dx, dw, db


def test_forward_by_hand():
    x = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]).reshape(1, 2, 3, 1)
    w = np.array([[1.0, 10.0], [100.0, 1000.0]]).reshape(2, 2, 1, 1)
    out, _ = conv_forward(x, w, np.array([0.5]))
    # 1·1 + 10·2 + 100·4 + 1000·5 and one pixel further; no filter is flipped.
    assert out[0, :, :, 0].tolist() == [[5421.5, 6532.5]]


def test_backward_by_hand():
    x = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]).reshape(1, 2, 3, 1)
    w = np.array([[1.0, 10.0], [100.0, 1000.0]]).reshape(2, 2, 1, 1)
    _, cache = conv_forward(x, w, np.array([0.5]))
    dx, dw, db = conv_backward(np.array([2.0, 3.0]).reshape(1, 1, 2, 1), cache)
    # The middle column is seen twice: 2·10 + 3·1 above, 2·1000 + 3·100 below.
    assert dx[0, :, :, 0].tolist() == [[2, 23, 30], [200, 2300, 3000]]
    assert dw[:, :, 0, 0].tolist() == [[2 * 1 + 3 * 2, 2 * 2 + 3 * 3], [2 * 4 + 3 * 5, 28]]
    assert db.tolist() == [5]


def test_groups_by_hand():
    x = np.array([[1.0, 10.0, 2.0, 20.0], [3.0, 30.0, 4.0, 40.0]]).reshape(1, 1, 2, 4)
    # Filters 0 and 1 read channels 0 and 1, filters 2 and 3 channels 2 and 3.
    w = np.array([[1.0, 0.0, 1.0, 2.0], [0.0, 1.0, 1.0, 0.0]]).reshape(1, 1, 2, 4)
    out, cache = conv_forward(x, w, np.array([0.0, 0.0, 0.0, 0.5]), groups=2)
    assert out[0, 0].tolist() == [[1, 10, 22, 4.5], [3, 30, 44, 8.5]]
    dout = np.array([[1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 0.0, 1.0]]).reshape(out.shape)
    dx, dw, db = conv_backward(dout, cache)
    assert dx[0, 0].tolist() == [[1, 2, 3 + 8, 3], [0, 0, 2, 0]]
    assert dw[0, 0].tolist() == [[1, 2, 6, 8 + 4], [10, 20, 60, 80 + 40]]
    assert db.tolist() == [1, 2, 3, 5]


def test_towers_do_not_see_each_other():
    x, w, b = volumes((2, 7, 9, 6, 4, 3, 2))
    out, _ = conv_forward(x, w[:, :, :3], b, groups=2)
    towers = [
        conv_forward(
            x[..., g * 3 : g * 3 + 3], w[:, :, :3, g * 2 : g * 2 + 2], b[g * 2 : g * 2 + 2]
        )
        for g in range(2)
    ]
    both = np.concatenate([tower for tower, _ in towers], axis=3)
    np.testing.assert_allclose(out, both, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("sizes", "stride", "pad"), CONFIGURATIONS)
def test_backward_against_loops(sizes, stride, pad):
    x, w, b = volumes(sizes)
    out, cache = conv_forward(x, w, b, stride=stride, pad=pad)
    dout = np.random.default_rng(1).normal(size=out.shape)
    expected = naive_backward(dout, x, w, stride, pad)
    for got, right in zip(conv_backward(dout, cache), expected, strict=True):
        np.testing.assert_allclose(got, right, rtol=1e-12, atol=1e-12)


def test_backward_against_scipy():
    x, w, b = volumes((2, 7, 9, 3, 5, 4, 6))
    out, cache = conv_forward(x, w, b)
    dout = np.random.default_rng(1).normal(size=out.shape)
    dx, _, _ = conv_backward(dout, cache)
    # The gradient of a correlation is a true convolution, with the filter flipped.
    for n, c in np.ndindex(len(x), x.shape[3]):
        expected = sum(signal.convolve(dout[n, :, :, k], w[:, :, c, k]) for k in range(5))
        np.testing.assert_allclose(dx[n, :, :, c], expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(
    ("image", "filters", "options", "expected"),
    [
        pytest.param((7, 7, 1), (3, 3, 1, 1), {"stride": 1}, (5, 5, 1), id="7x7-stride-1"),
        pytest.param((7, 7, 1), (3, 3, 1, 1), {"stride": 2}, (3, 3, 1), id="7x7-stride-2"),
        pytest.param((7, 7, 1), (3, 3, 1, 1), {"pad": 1}, (7, 7, 1), id="7x7-pad-1"),
        pytest.param((32, 32, 3), (5, 5, 3, 1), {}, (28, 28, 1), id="one-5x5"),
        pytest.param((32, 32, 3), (5, 5, 3, 6), {}, (28, 28, 6), id="six-5x5"),
        pytest.param((32, 32, 3), (5, 5, 3, 10), {"pad": 2}, (32, 32, 10), id="ten-5x5-pad-2"),
        pytest.param((227, 227, 3), (11, 11, 3, 96), {"stride": 4}, (55, 55, 96), id="alexnet"),
    ],
)
def test_volumes_of_the_lecture(image, filters, options, expected):
    x, w = np.zeros((1, *image), np.float32), np.zeros(filters, np.float32)
    out, _ = conv_forward(x, w, np.zeros(filters[3], np.float32), **options)
    assert out.shape == (1, *expected)


def test_ten_filters_have_760_parameters():
    x, w, b = volumes((1, 32, 32, 3, 10, 5, 5))
    out, cache = conv_forward(x, w, b, pad=2)
    _, dw, db = conv_backward(out, cache)
    assert dw.size + db.size == 760


def test_stride_3_on_7x7_does_not_fit():
    x, w, b = volumes((1, 7, 7, 1, 1, 3, 3))
    with pytest.raises(ShapeError, match=r"window of 3 with stride 3 does not fit an input of 7"):
        conv_forward(x, w, b, stride=3)


def test_one_filter_of_the_size_of_the_image_is_a_fully_connected_layer():
    x, w, b = volumes((3, 4, 6, 2, 5, 4, 6))
    out, _ = conv_forward(x, w, b)
    np.testing.assert_allclose(out[:, 0, 0], x.reshape(3, -1) @ w.reshape(-1, 5) + b, rtol=1e-12)


def test_shifted_image_gives_shifted_output():
    x, w, b = volumes((2, 7, 9, 3, 5, 4, 6))
    out, _ = conv_forward(x, w, b)
    shifted, _ = conv_forward(np.roll(x, 1, axis=2), w, b)
    np.testing.assert_allclose(shifted[:, :, 1:], out[:, :, :-1], rtol=1e-12)


def test_a_gradient_does_not_change_when_backward_runs_twice():
    x, w, b = volumes((2, 7, 9, 3, 5, 4, 6))
    out, cache = conv_forward(x, w, b)
    for first, second in zip(conv_backward(out, cache), conv_backward(out, cache), strict=True):
        assert np.array_equal(first, second)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(
            {"x": np.ones((7, 9, 3))},
            r"x must have 4 axes \(N, H, W, C\), got 3: shape \(7, 9, 3\)",
            id="one-image",
        ),
        pytest.param(
            {"w": np.ones((4, 6, 3))},
            r"w must have 4 axes \(FH, FW, C, K\), got 3: shape \(4, 6, 3\)",
            id="one-filter",
        ),
        pytest.param(
            {"w": np.ones((4, 6, 2, 5))},
            r"full depth of its input: x has 3 channels \(shape \(2, 7, 9, 3\)\), w has 2",
            id="depth",
        ),
        pytest.param(
            {"b": np.ones(4)}, r"one bias per filter, shape \(5,\), got \(4,\)", id="biases"
        ),
        pytest.param({"b": None}, r"one bias per filter, shape \(5,\), got \(\)", id="no-bias"),
        pytest.param({"stride": 0}, "stride must be a whole number of at least 1", id="stride-0"),
        pytest.param({"pad": (1, 2, 3)}, r"one number or \(height, width\)", id="three-pads"),
        pytest.param({"pad": "same"}, "pad must be a whole number .* got 'same'", id="pad-text"),
        pytest.param({"w": np.ones((8, 6, 3, 5))}, "larger than the input: 7", id="too-large"),
    ],
)
def test_forward_says_what_does_not_fit(change, message):
    x, w, b = volumes((2, 7, 9, 3, 5, 4, 6))
    arguments = {"x": x, "w": w, "b": b, **change}
    with pytest.raises(ShapeError, match=message):
        conv_forward(**arguments)


def test_backward_says_which_shape_it_needs():
    out, cache = conv_forward(*volumes((2, 7, 9, 3, 5, 4, 6)))
    expected = f"dout must have the output's shape {out.shape}, got {out.shape[1:]}."
    with pytest.raises(ShapeError, match=re.escape(expected)):
        conv_backward(out[0], cache)


def test_images_with_channels_first_are_told_how_to_turn():
    w, b, hint = np.ones((3, 3, 3, 5)), np.ones(5), r"last here: x\.transpose\(0, 2, 3, 1\)\.$"
    with pytest.raises(ShapeError, match=hint):
        conv_forward(np.ones((2, 3, 8, 8)), w, b)
    with pytest.raises(ShapeError) as found:
        conv_forward(np.ones((2, 8, 8, 4)), w, b)
    assert "transpose" not in str(found.value)
