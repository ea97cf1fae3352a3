"""What holds for every operation of the table; each has its mathematics tested on its own."""

import dataclasses

import numpy as np
import pytest

from cnnlab import ops
from cnnlab.ops import Op, reference

Y = np.array([1, 0, 3])


def case(name, N=3, dtype=np.float64):
    """Arguments and options for one operation: x first, N images or rows."""
    rng = np.random.default_rng(0)
    arrays = {
        "conv": [(N, 5, 6, 2), (3, 4, 2, 4), (4,)],
        "max_pool": [(N, 5, 6, 2)],
        "affine": [(N, 6), (6, 4), (4,)],
        "relu": [(N, 5, 6, 2)],
        "softmax_loss": [(N, 4)],
    }[name]
    options = {
        "conv": {"stride": (2, 1), "pad": (1, 0)},
        "max_pool": {"kernel_size": (3, 2), "stride": 2},
    }.get(name, {})
    arguments = [rng.normal(size=shape).astype(dtype) for shape in arrays]
    return arguments + ([Y[:N]] if name == "softmax_loss" else []), options


def run(name, arguments, options, dout=None):
    """The output and the gradients, as a tuple, of one pass there and back."""
    op = getattr(reference, name)
    out, cache = op.forward(*arguments, **options)
    if dout is None:
        dout = np.random.default_rng(1).normal(size=np.shape(out)).astype(np.asarray(out).dtype)
    gradients = op.backward(dout[()], cache)
    return out, gradients if isinstance(gradients, tuple) else (gradients,)


NAMES = [field.name for field in dataclasses.fields(reference)]
every_op = pytest.mark.parametrize("name", NAMES)
# The mean loss of no rows is not defined; a loss adds up over the batch.
per_image = pytest.mark.parametrize("name", [name for name in NAMES if name != "softmax_loss"])
with_weights = pytest.mark.parametrize("name", ["conv", "affine"])


def test_the_table_holds_the_public_functions():
    for name in NAMES:
        op = getattr(reference, name)
        assert op.forward is getattr(ops, f"{name}_forward")
        assert op.backward is getattr(ops, f"{name}_backward")
        assert {f"{name}_forward", f"{name}_backward"} <= set(ops.__all__)


def test_everything_announced_exists():
    assert all(hasattr(ops, name) for name in ops.__all__)
    assert ops.__all__ == sorted(ops.__all__)


def test_a_table_is_changed_by_making_another():
    mine = Op(ops.relu_forward, ops.relu_backward)
    with pytest.raises(dataclasses.FrozenInstanceError):
        reference.relu = mine
    with pytest.raises(dataclasses.FrozenInstanceError):
        mine.forward = ops.conv_forward
    changed = dataclasses.replace(reference, relu=Op(ops.conv_forward, ops.conv_backward))
    assert changed.relu.forward is ops.conv_forward
    assert reference.relu.forward is ops.relu_forward


@every_op
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_results_have_the_dtype_of_the_input(name, dtype):
    out, gradients = run(name, *case(name, dtype=dtype))
    assert out.dtype == dtype
    assert [gradient.dtype for gradient in gradients] == [dtype] * len(gradients)


@with_weights
@pytest.mark.parametrize(
    ("dtype", "weights"), [("float32", "float64"), ("float64", "float32"), ("float32", "int64")]
)
def test_weights_of_another_dtype_are_converted(name, dtype, weights):
    (x, w, b), options = case(name, dtype=dtype)
    w, b = np.round(w * 4).astype(weights), np.round(b * 4).astype(weights)
    out, gradients = run(name, [x, w, b], options)
    expected, expected_gradients = run(name, [x, w.astype(dtype), b.astype(dtype)], options)
    assert out.dtype == dtype
    assert np.array_equal(out, expected)
    for got, right in zip(gradients, expected_gradients, strict=True):
        assert got.dtype == dtype
        assert np.array_equal(got, right)


@with_weights
@pytest.mark.parametrize("dout_dtype", ["float64", "int64"])
def test_an_upstream_gradient_of_another_dtype_is_converted(name, dout_dtype):
    arguments, options = case(name, dtype="float32")
    out, _ = run(name, arguments, options)
    _, gradients = run(name, arguments, options, dout=np.ones(out.shape, dout_dtype))
    assert {gradient.dtype for gradient in gradients} == {np.dtype("float32")}


@with_weights
@pytest.mark.parametrize("dtype", ["uint8", "int64", "bool"])
def test_whole_numbers_are_refused_before_fractions_are_lost(name, dtype):
    arguments, options = case(name)
    message = rf"x must hold floating-point numbers, got {dtype}: .* x\.astype\(np\.float32\)"
    with pytest.raises(TypeError, match=message):
        run(name, [arguments[0].astype(dtype), *arguments[1:]], options)


@pytest.mark.parametrize("name", ["conv", "affine", "max_pool", "softmax_loss"])
def test_a_list_is_no_array(name):
    arguments, options = case(name)
    with pytest.raises(TypeError, match="x must be a NumPy array, got list"):
        run(name, [arguments[0].tolist(), *arguments[1:]], options)


@every_op
def test_nothing_that_is_passed_in_changes(name):
    arguments, options = case(name)
    out, gradients = run(name, arguments, options)
    dout = np.random.default_rng(1).normal(size=np.shape(out))
    for array in (*arguments, dout):
        array.flags.writeable = False  # now any attempt is an error
    again, gradients_again = run(name, arguments, options, dout=dout)
    assert np.array_equal(again, out)
    for first, second in zip(gradients, gradients_again, strict=True):
        assert np.array_equal(first, second)


@every_op
def test_backward_may_run_twice(name):
    arguments, options = case(name)
    op = getattr(reference, name)
    out, cache = op.forward(*arguments, **options)
    dout = np.random.default_rng(1).normal(size=np.shape(out))[()]
    gradients = [op.backward(dout, cache) for _ in range(2)]
    if not isinstance(gradients[0], tuple):
        gradients = [(gradient,) for gradient in gradients]
    for first, second in zip(*gradients, strict=True):
        assert np.array_equal(first, second)


@every_op
@pytest.mark.parametrize(
    "layout",
    [
        pytest.param(lambda array: np.asfortranarray(array), id="fortran-order"),
        pytest.param(lambda array: np.repeat(array, 2, axis=0)[::2], id="every-second"),
        pytest.param(lambda array: array[::-1].copy()[::-1], id="backwards"),
    ],
)
def test_the_layout_in_memory_does_not_matter(name, layout):
    arguments, options = case(name)
    out, gradients = run(name, arguments, options)
    got, got_gradients = run(name, [layout(array) for array in arguments], options)
    np.testing.assert_allclose(got, out, rtol=1e-12, atol=1e-14)
    for one, other in zip(got_gradients, gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)


@per_image
def test_images_of_a_batch_do_not_see_each_other(name):
    arguments, options = case(name)
    out, (dx, *_) = run(name, arguments, options)
    dout = np.random.default_rng(1).normal(size=out.shape)
    for n in range(3):
        single = [arguments[0][n : n + 1], *arguments[1:]]
        alone, (dx_alone, *_) = run(name, single, options, dout=dout[n : n + 1])
        np.testing.assert_allclose(alone, out[n : n + 1], rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(dx_alone, dx[n : n + 1], rtol=1e-12, atol=1e-14)


@per_image
def test_an_empty_batch_gives_an_empty_output_and_no_gradient(name):
    arguments, options = case(name, N=0)
    full, _ = run(name, *case(name))
    out, (dx, *parameters) = run(name, arguments, options)
    assert out.shape == (0, *full.shape[1:])
    assert dx.shape == arguments[0].shape
    for gradient, parameter in zip(parameters, arguments[1:], strict=True):
        assert np.array_equal(gradient, np.zeros(parameter.shape))


@every_op
def test_a_nan_spoils_its_own_image_only(name):
    arguments, options = case(name)
    arguments[0][1].flat[0] = np.nan
    out, _ = run(name, arguments, options)
    if name == "softmax_loss":
        assert np.isnan(out)
    else:
        assert np.isnan(out[1]).any()
        assert np.isfinite(out[[0, 2]]).all()
