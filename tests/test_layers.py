from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from cnnlab import ops
from cnnlab.init import normal
from cnnlab.layers import Affine, Conv, Flatten, Layer, MaxPool, ReLU
from cnnlab.ops import Op, reference
from cnnlab.shapes import ShapeError

VOLUME = (6, 9, 2)
LAYERS = [
    pytest.param(lambda: Conv(5, 3, pad=1), VOLUME, (6, 9, 5), id="conv"),
    pytest.param(lambda: Conv(4, (2, 3), stride=(2, 3)), VOLUME, (3, 3, 4), id="conv-by-axis"),
    pytest.param(lambda: Conv(4, 1, stride=1, pad=(2, 0)), VOLUME, (10, 9, 4), id="conv-1x1"),
    pytest.param(lambda: MaxPool(3), VOLUME, (2, 3, 2), id="pool"),
    pytest.param(lambda: MaxPool((2, 3), stride=2), VOLUME, (3, 4, 2), id="pool-overlapping"),
    pytest.param(lambda: ReLU(), VOLUME, VOLUME, id="relu"),
    pytest.param(lambda: ReLU(), (7,), (7,), id="relu-flat"),
    pytest.param(lambda: Flatten(), VOLUME, (108,), id="flatten"),
    pytest.param(lambda: Affine(3), (11,), (3,), id="affine"),
]


def built(layer, input_shape, **options):
    layer.build(input_shape, rng=np.random.default_rng(0), **options)
    return layer


def batch(shape, N=4, dtype=np.float32):
    return np.random.default_rng(1).normal(size=(N, *shape)).astype(dtype)


@pytest.mark.parametrize(("make", "input_shape", "expected"), LAYERS)
def test_output_shape_is_what_forward_gives(make, input_shape, expected):
    layer = make()
    assert layer.output_shape(input_shape) == expected
    assert not layer.is_built, "asking for the shape changes nothing"
    assert layer.params == {}
    assert built(layer, input_shape).forward(batch(input_shape)).shape == (4, *expected)


@pytest.mark.parametrize(("make", "input_shape", "expected"), LAYERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_backward_gives_gradients_of_everything(make, input_shape, expected, dtype):
    layer = built(make(), input_shape, dtype=dtype)
    out = layer.forward(batch(input_shape, dtype=dtype), training=True)
    dx = layer.backward(batch(expected, dtype=dtype))
    assert out.dtype == dx.dtype == dtype
    assert dx.shape == (4, *input_shape)
    assert {name: g.shape for name, g in layer.grads.items()} == {
        name: p.shape for name, p in layer.params.items()
    }
    assert {a.dtype for a in (*layer.params.values(), *layer.grads.values())} <= {np.dtype(dtype)}


@pytest.mark.parametrize(("make", "input_shape", "expected"), LAYERS)
def test_gradients_agree_with_differences(make, input_shape, expected):
    """Move input and parameters a little along random directions: the projected output follows."""
    layer = built(make(), input_shape, dtype=np.float64)
    x, dout = batch(input_shape, dtype=np.float64), batch(expected, dtype=np.float64)
    layer.forward(x)
    gradients = [layer.backward(dout), *(layer.grads[name] for name in layer.params)]
    arrays = [x, *layer.params.values()]
    rng = np.random.default_rng(2)
    steps = [1e-6 * rng.normal(size=a.shape) for a in arrays]

    def moved(sign):
        for array, step in zip(arrays, steps, strict=True):
            array += sign * step
        value = (layer.forward(x) * dout).sum()
        for array, step in zip(arrays, steps, strict=True):
            array -= sign * step
        return value

    analytic = sum((g * s).sum() for g, s in zip(gradients, steps, strict=True))
    np.testing.assert_allclose((moved(1) - moved(-1)) / 2, analytic, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "make", "input_shape"),
    [
        ("conv", lambda: Conv(4, 3, stride=(1, 2), pad=(1, 0)), VOLUME),
        ("max_pool", lambda: MaxPool(2, stride=1), VOLUME),
        ("relu", ReLU, VOLUME),
        ("affine", lambda: Affine(3), (11,)),
    ],
)
def test_layers_do_their_mathematics_through_the_table(name, make, input_shape):
    calls, op = [], getattr(reference, name)

    def forward(*args, **options):
        calls.append("forward")
        out, cache = op.forward(*args, **options)
        return out + 1, ("mine", cache)

    def backward(dout, cache):
        mark, cache = cache
        calls.append(f"backward with {mark} cache")
        return op.backward(dout, cache)

    layer = built(make(), input_shape, ops=replace(reference, **{name: Op(forward, backward)}))
    plain = built(make(), input_shape)
    x = batch(input_shape)
    np.testing.assert_array_equal(layer.forward(x), plain.forward(x) + 1)
    dout = batch(layer.output_shape(input_shape))
    np.testing.assert_array_equal(layer.backward(dout), plain.backward(dout))
    assert calls == ["forward", "backward with mine cache"]


def test_conv_hands_its_options_to_the_operation():
    layer = built(Conv(4, (2, 3), stride=(2, 3), pad=(1, 3)), VOLUME)
    x = batch(VOLUME)
    expected, _ = ops.conv_forward(x, *layer.params.values(), stride=(2, 3), pad=(1, 3))
    np.testing.assert_array_equal(layer.forward(x), expected)


def test_weights_start_as_he_and_biases_at_zero():
    conv, affine = built(Conv(64, 3), (8, 8, 32)), built(Affine(200), (500,))
    for layer, inputs in ((conv, 3 * 3 * 32), (affine, 500)):
        np.testing.assert_allclose(layer.params["w"].std(), np.sqrt(2 / inputs), rtol=0.02)
        assert not layer.params["b"].any()
        assert layer.params["w"].dtype == layer.params["b"].dtype == np.float32


@pytest.mark.parametrize("make", [partial(Conv, 8, 3), partial(Affine, 8)])
def test_weights_can_start_as_you_like(make):
    input_shape = (5, 5, 16) if make.func is Conv else (144,)
    layer = built(make(init=partial(normal, std=0.01)), input_shape)
    np.testing.assert_allclose(layer.params["w"].std(), 0.01, rtol=0.1)


def test_the_generator_decides_the_weights():
    first, again, other = Affine(3), Affine(3), Affine(3)
    first.build((4,), rng=np.random.default_rng(0))
    again.build((4,), rng=np.random.default_rng(0))
    other.build((4,), rng=np.random.default_rng(1))
    np.testing.assert_array_equal(first.params["w"], again.params["w"])
    assert (first.params["w"] != other.params["w"]).all()


def test_weights_decay_and_biases_do_not():
    for layer in (Conv(2, 3), Affine(2)):
        assert layer.decays == ("w",)
    assert MaxPool(2).decays == ReLU().decays == Flatten().decays == ()


@pytest.mark.parametrize(("make", "input_shape", "expected"), LAYERS)
def test_a_layer_is_built_then_goes_forward_then_backward(make, input_shape, expected):
    layer = make()
    with pytest.raises(RuntimeError, match=r"must be built before it is used"):
        layer.forward(batch(input_shape))
    built(layer, input_shape)
    with pytest.raises(RuntimeError, match=r"\) must see a forward pass before a backward pass"):
        layer.backward(batch(expected))
    layer.forward(batch(input_shape))
    layer.backward(batch(expected))
    built(layer, input_shape)
    assert layer.grads == {}
    with pytest.raises(RuntimeError, match=r"must see a forward pass"):
        layer.backward(batch(expected))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: Conv(4, 3).output_shape((784,)), ShapeError, r"Conv\(4.*volume.*shape \(784,\)"),
        (lambda: MaxPool(2).output_shape((784,)), ShapeError, r"MaxPool\(2\) needs a volume"),
        (lambda: Affine(4).output_shape((7, 7, 64)), ShapeError, r"\(7, 7, 64\): put Flatten\(\)"),
        (lambda: MaxPool(2).output_shape((7, 8, 1)), ShapeError, r"stride 2 does not fit.* of 7"),
        (lambda: Conv(4, 9).output_shape((28, 8, 1)), ShapeError, r"window of 9 is larger"),
        (lambda: built(Conv(4, 9), (8, 8, 1)), ShapeError, r"window of 9 is larger"),
        (lambda: Conv(0, 3), ValueError, r"filters must be a whole number of at least 1, got 0"),
        (lambda: Affine(2.5), ValueError, r"units must be a whole number of at least 1, got 2.5"),
    ],
)  # fmt: skip
def test_errors_say_what_was_expected(call, error, words):
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (Conv(32, 3, pad=1), "Conv(32, kernel_size=3, pad=1)"),
        (Conv(96, 11, stride=4), "Conv(96, kernel_size=11, stride=4)"),
        (Conv(8, (3, 5), pad=(1, 2)), "Conv(8, kernel_size=(3, 5), pad=(1, 2))"),
        (MaxPool(2), "MaxPool(2)"),
        (MaxPool(3, stride=2), "MaxPool(3, stride=2)"),
        (Affine(10), "Affine(10)"),
        (ReLU(), "ReLU()"),
        (Flatten(), "Flatten()"),
    ],
    ids=str,
)
def test_a_layer_is_written_as_it_is_made(layer, text):
    assert repr(layer) == text
    assert repr(eval(text)) == text


def test_a_new_kind_of_layer_is_a_few_lines():
    class Double(Layer):
        def output_shape(self, input_shape):
            return input_shape

        def _forward(self, x, training):
            return (2 * x if training else x), training

        def _backward(self, dout, cache):
            return 2 * dout if cache else dout

    layer = built(Double(), (3,))
    x = batch((3,))
    np.testing.assert_array_equal(layer.forward(x, training=True), 2 * x)
    np.testing.assert_array_equal(layer.backward(x), 2 * x)
    np.testing.assert_array_equal(layer.forward(x), x)
