import numpy as np
import pytest

from cnnlab.ops import (
    conv_backward,
    conv_forward,
    local_backward,
    local_forward,
    tiled_backward,
    tiled_forward,
)
from cnnlab.shapes import ShapeError

# N, H, W, C, FH, FW and K differ from each other: 2 images, 2×3 filters, 5 of them.
SETTINGS = [
    pytest.param((2, 7, 9, 4), 1, 0, id="plain"),
    pytest.param((2, 7, 9, 4), 1, (1, 2), id="padded"),
    pytest.param((2, 8, 9, 4), (3, 2), 0, id="stride"),
    pytest.param((2, 7, 9, 4), (3, 2), (2, 1), id="stride-and-pad"),
]


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_local_by_hand():
    x = np.array([1.0, 2.0, 3.0, 4.0]).reshape(1, 1, 4, 1)
    w = np.array([[1.0, 0.0], [0.0, 1.0], [5.0, -5.0]]).reshape(1, 3, 1, 2, 1, 1)
    b = np.array([0.0, 10.0, 100.0]).reshape(1, 3, 1)
    out, cache = local_forward(x, w, b)
    assert out.ravel().tolist() == [1, 13, 95]
    dx, dw, db = local_backward(np.array([1.0, 2.0, 3.0]).reshape(out.shape), cache)
    # The windows see pixels 01, 12 and 23; the two filters in the middle share pixel 2.
    assert dx.ravel().tolist() == [1, 0, 2 + 15, -15]
    assert dw.reshape(3, 2).tolist() == [[1, 2], [4, 6], [9, 12]]
    assert db.ravel().tolist() == [1, 2, 3]


def test_tiled_by_hand():
    x = np.array([1.0, 2.0, 3.0, 4.0]).reshape(1, 1, 4, 1)
    w = np.array([[1.0, 0.0], [0.0, 1.0]]).reshape(1, 2, 1, 2, 1, 1)
    b = np.array([0.0, 10.0]).reshape(1, 2, 1)
    out, cache = tiled_forward(x, w, b)
    assert out.ravel().tolist() == [1, 13, 3]
    dx, dw, db = tiled_backward(np.array([1.0, 2.0, 3.0]).reshape(out.shape), cache)
    assert dx.ravel().tolist() == [1, 0, 2 + 3, 0]
    # The first filter is used at positions 0 and 2, the second at 1.
    assert dw.reshape(2, 2).tolist() == [[1 + 9, 2 + 12], [4, 6]]
    assert db.ravel().tolist() == [4, 2]


@pytest.mark.parametrize(("shape", "stride", "pad"), SETTINGS)
def test_a_single_tile_is_a_convolution(shape, stride, pad):
    x, w, b = normal(*shape), normal(2, 3, shape[3], 5, seed=1), normal(5, seed=2)
    out, cache = conv_forward(x, w, b, stride=stride, pad=pad)
    tiled, tiled_cache = tiled_forward(x, w[None, None], b[None, None], stride=stride, pad=pad)
    np.testing.assert_allclose(tiled, out, rtol=1e-12, atol=1e-14)
    dout = normal(*out.shape, seed=3)
    dx, dw, db = tiled_backward(dout, tiled_cache)
    for got, expected in zip((dx, dw[0, 0], db[0, 0]), conv_backward(dout, cache), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize(("shape", "stride", "pad"), SETTINGS)
def test_a_tile_for_every_position_is_locally_connected(shape, stride, pad):
    x, one = normal(*shape), normal(2, 3, shape[3], 5, seed=1)
    OH, OW = conv_forward(x, one, np.zeros(5), stride=stride, pad=pad)[0].shape[1:3]
    assert OH != OW
    w, b = normal(OH, OW, *one.shape, seed=2), normal(OH, OW, 5, seed=3)
    out, cache = local_forward(x, w, b, stride=stride, pad=pad)
    tiled, tiled_cache = tiled_forward(x, w, b, stride=stride, pad=pad)
    np.testing.assert_allclose(tiled, out, rtol=1e-12, atol=1e-14)
    dout = normal(*out.shape, seed=4)
    both = zip(tiled_backward(dout, tiled_cache), local_backward(dout, cache), strict=True)
    for got, expected in both:
        np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize(("shape", "stride", "pad"), SETTINGS)
def test_the_same_filters_everywhere_are_a_convolution(shape, stride, pad):
    x, w, b = normal(*shape), normal(2, 3, shape[3], 5, seed=1), normal(5, seed=2)
    out, cache = conv_forward(x, w, b, stride=stride, pad=pad)
    size = out.shape[1:3]
    everywhere = np.broadcast_to(w, (*size, *w.shape)), np.broadcast_to(b, (*size, *b.shape))
    local, local_cache = local_forward(x, *everywhere, stride=stride, pad=pad)
    np.testing.assert_allclose(local, out, rtol=1e-12, atol=1e-14)
    dout = normal(*out.shape, seed=3)
    dx, dw, db = local_backward(dout, local_cache)
    # A shared filter collects what its copies would have got.
    summed = dx, dw.sum(axis=(0, 1)), db.sum(axis=(0, 1))
    for got, expected in zip(summed, conv_backward(dout, cache), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("forward", [local_forward, tiled_forward])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(
            {"x": np.ones((5, 6, 3))}, r"x must have 4 axes \(N, H, W, C\), got 3", id="x-rank"
        ),
        pytest.param(
            {"x": np.ones((1, 5, 6, 2))},
            r"x has 2 channels \(shape \(1, 5, 6, 2\)\), w has 3",
            id="channels",
        ),
        pytest.param(
            {"w": np.ones((2, 2, 3, 7))},
            r"w must have 6 axes \(TH, TW, FH, FW, C, K\), got 4: shape \(2, 2, 3, 7\)",
            id="w-rank",
        ),
        pytest.param(
            {"b": np.ones(7)},
            r"one bias per filter, shape \(4, 5, 7\), got \(7,\)",
            id="biases",
        ),
        pytest.param({"stride": 2}, "does not fit an input of 5", id="stride"),
    ],
)
def test_forward_says_what_does_not_fit(forward, change, message):
    arguments = {
        "x": np.ones((1, 5, 6, 3)),
        "w": np.ones((4, 5, 2, 2, 3, 7)),
        "b": np.ones((4, 5, 7)),
    }
    forward(**arguments)
    with pytest.raises(ShapeError, match=message):
        forward(**{**arguments, **change})


def test_local_needs_filters_for_every_position():
    message = r"filters for each of 4×5 positions, shape \(4, 5, FH, FW, C, K\), got \(2, 5, 2, 2"
    with pytest.raises(ShapeError, match=message):
        local_forward(np.ones((1, 5, 6, 3)), np.ones((2, 5, 2, 2, 3, 7)), np.ones((2, 5, 7)))


@pytest.mark.parametrize("tile", [(5, 1), (1, 6)])
def test_a_tile_is_no_larger_than_the_output(tile):
    message = rf"tile of {tile[0]}×{tile[1]} is larger than the output, 4×5: some of its filters"
    with pytest.raises(ShapeError, match=message):
        tiled_forward(np.ones((1, 5, 6, 3)), np.ones((*tile, 2, 2, 3, 7)), np.ones((*tile, 7)))
