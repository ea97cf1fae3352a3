from copy import deepcopy
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from cnnlab import layers, ops
from cnnlab.gradcheck import check_layer
from cnnlab.init import normal
from cnnlab.layers import (
    ELU,
    L2,
    LRN,
    Affine,
    AvgPool,
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    HingeLoss,
    Layer,
    LeakyReLU,
    LocallyConnected,
    Maxout,
    MaxPool,
    PReLU,
    ReLU,
    Sigmoid,
    Softmax,
    SoftmaxLoss,
    Tanh,
    TiledConv,
)
from cnnlab.ops import Op, reference
from cnnlab.shapes import ShapeError

VOLUME = (6, 9, 2)
LAYERS = [
    pytest.param(lambda: Conv(5, 3, pad=1), VOLUME, (6, 9, 5), id="conv"),
    pytest.param(lambda: Conv(4, (2, 3), stride=(2, 3)), VOLUME, (3, 3, 4), id="conv-by-axis"),
    pytest.param(lambda: Conv(4, 1, stride=1, pad=(2, 0)), VOLUME, (10, 9, 4), id="conv-1x1"),
    pytest.param(lambda: Conv(4, 3, groups=2), VOLUME, (4, 7, 4), id="conv-groups"),
    pytest.param(lambda: LocallyConnected(3, 2, stride=(2, 1)), VOLUME, (3, 8, 3), id="local"),
    pytest.param(lambda: TiledConv(3, 3, tile=(2, 3), pad=1), VOLUME, (6, 9, 3), id="tiled"),
    pytest.param(lambda: MaxPool(3), VOLUME, (2, 3, 2), id="pool"),
    pytest.param(lambda: MaxPool((2, 3), stride=2), VOLUME, (3, 4, 2), id="pool-overlapping"),
    pytest.param(lambda: AvgPool((2, 3), stride=(1, 2)), VOLUME, (5, 4, 2), id="avg-pool"),
    pytest.param(lambda: GlobalMaxPool(), VOLUME, (1, 1, 2), id="global-max-pool"),
    pytest.param(lambda: GlobalAvgPool(), VOLUME, (1, 1, 2), id="global-avg-pool"),
    pytest.param(lambda: Sigmoid(), VOLUME, VOLUME, id="sigmoid"),
    pytest.param(lambda: Tanh(), VOLUME, VOLUME, id="tanh"),
    pytest.param(lambda: LeakyReLU(0.1), VOLUME, VOLUME, id="leaky-relu"),
    pytest.param(lambda: PReLU(), VOLUME, VOLUME, id="prelu"),
    pytest.param(lambda: PReLU(shared=True), (7,), (7,), id="prelu-shared"),
    pytest.param(lambda: ELU(alpha=0.5), VOLUME, VOLUME, id="elu"),
    pytest.param(lambda: Maxout(2), VOLUME, (6, 9, 1), id="maxout"),
    pytest.param(lambda: Softmax(), (7,), (7,), id="softmax"),
    pytest.param(lambda: BatchNorm(), VOLUME, VOLUME, id="batch-norm"),
    pytest.param(lambda: BatchNorm(eps=0.1), (7,), (7,), id="batch-norm-flat"),
    pytest.param(lambda: LRN(n=3, alpha=0.1), VOLUME, VOLUME, id="lrn"),
    pytest.param(lambda: Dropout(0.3), VOLUME, VOLUME, id="dropout"),
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
@pytest.mark.parametrize("training", [True, False], ids=["training", "test-time"])
@pytest.mark.parametrize("directions", [None, 3], ids=["every-entry", "directions"])
def test_gradients_agree_with_differences(make, input_shape, expected, training, directions):
    layer, rng = built(make(), input_shape, dtype=np.float64), np.random.default_rng(2)
    for array in layer.params.values():
        array += rng.normal(size=array.shape) / 10
    x = batch(input_shape, dtype=np.float64)
    report = check_layer(layer, x, rng=rng, training=training, directions=directions)
    assert [finding.name for finding in report.findings] == ["x", *layer.params]
    assert report.ok, str(report)


@pytest.mark.parametrize(
    ("name", "make", "input_shape"),
    [
        ("conv", lambda: Conv(4, 3, stride=(1, 2), pad=(1, 0)), VOLUME),
        ("conv", lambda: Conv(4, 3, groups=2), VOLUME),
        ("local", lambda: LocallyConnected(4, 3, stride=(1, 2), pad=(1, 0)), VOLUME),
        ("tiled", lambda: TiledConv(4, 3, tile=2, stride=(1, 2), pad=(1, 0)), VOLUME),
        ("max_pool", lambda: MaxPool(2, stride=1), VOLUME),
        ("max_pool", GlobalMaxPool, VOLUME),
        ("avg_pool", lambda: AvgPool(2, stride=1), VOLUME),
        ("avg_pool", GlobalAvgPool, VOLUME),
        ("flatten", Flatten, VOLUME),
        ("affine", lambda: Affine(3), (11,)),
        ("sigmoid", Sigmoid, VOLUME),
        ("tanh", Tanh, VOLUME),
        ("relu", ReLU, VOLUME),
        ("leaky_relu", LeakyReLU, VOLUME),
        ("prelu", PReLU, VOLUME),
        ("elu", ELU, VOLUME),
        ("maxout", Maxout, VOLUME),
        ("softmax", Softmax, VOLUME),
        ("batch_norm", BatchNorm, VOLUME),
        ("lrn", LRN, VOLUME),
        ("dropout", Dropout, VOLUME),
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
    plain = built(make(), input_shape, ops=reference)
    x = batch(input_shape)
    np.testing.assert_array_equal(layer.forward(x), plain.forward(x) + 1)
    dout = batch(layer.output_shape(input_shape))
    np.testing.assert_array_equal(layer.backward(dout), plain.backward(dout))
    assert calls == ["forward", "backward with mine cache"]


WINDOW = {"stride": (2, 3), "pad": (1, 3)}


@pytest.mark.parametrize(
    ("name", "layer", "options"),
    [
        ("conv", Conv(4, (2, 3), **WINDOW), WINDOW),
        ("conv", Conv(4, (2, 3), groups=2, **WINDOW), WINDOW | {"groups": 2}),
        ("local", LocallyConnected(4, (2, 3), **WINDOW), WINDOW),
        ("tiled", TiledConv(4, (2, 3), tile=2, **WINDOW), WINDOW),
        ("max_pool", MaxPool((2, 3), stride=(2, 1)), {"kernel_size": (2, 3), "stride": (2, 1)}),
        ("avg_pool", AvgPool((2, 3)), {"kernel_size": (2, 3), "stride": None}),
        ("max_pool", GlobalMaxPool(), {"kernel_size": (6, 9)}),
        ("avg_pool", GlobalAvgPool(), {"kernel_size": (6, 9)}),
        ("leaky_relu", LeakyReLU(0.3), {"slope": 0.3}),
        ("elu", ELU(0.3), {"alpha": 0.3}),
        ("maxout", Maxout(2), {"pieces": 2}),
        ("batch_norm", BatchNorm(eps=0.3), {"eps": 0.3}),
        ("lrn", LRN(n=3, k=4.0, alpha=0.5, beta=0.6), {"n": 3, "k": 4, "alpha": 0.5, "beta": 0.6}),
        ("dropout", Dropout(0.3), {"rate": 0.3, "training": True}),
    ],
)
def test_layers_hand_their_options_to_the_operation(name, layer, options):
    told, op = {}, getattr(reference, name)

    def forward(*args, **options):
        told.update(options)
        return op.forward(*args, **options)

    built(layer, VOLUME, ops=replace(reference, **{name: Op(forward, op.backward)}))
    layer.forward(batch(VOLUME), training=True)
    assert told.pop("rng", None) is layer.rng
    assert told == options


def test_losses_hand_their_options_to_the_operation():
    x, y = batch((3,)), np.array([0, 2, 1, 1])
    for margin in (0.5, 2.0):
        assert HingeLoss(margin).forward(x, y) == ops.hinge_loss_forward(x, y, margin=margin)[0]
    for strength in (0.5, 2.0):
        penalty = L2(strength)
        assert penalty.forward(x) == ops.l2_forward(x, strength=strength)[0]
        np.testing.assert_array_equal(penalty.backward(3.0), np.float32(3) * strength * x)


def test_batch_norm_remembers_in_training_and_uses_it_at_test_time():
    layer, x = built(BatchNorm(momentum=0.75), VOLUME), batch(VOLUME)
    mean, var = layer.buffers.values()
    assert (mean.tolist(), var.tolist(), mean.dtype) == ([0, 0], [1, 1], np.float32)
    out = layer.forward(x)
    np.testing.assert_allclose(out, x, rtol=1e-4, err_msg="nothing is known yet")
    assert not mean.any(), "a look at test time changes nothing"
    layer.forward(x, training=True)
    assert layer.buffers["mean"] is mean, "a network holds on to the array itself"
    np.testing.assert_allclose(mean, 0.25 * x.mean(axis=(0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(var, 0.75 + 0.25 * x.var(axis=(0, 1, 2)), rtol=1e-5)
    expected = (x - mean) / np.sqrt(var + 1e-5)
    np.testing.assert_allclose(layer.forward(x), expected, rtol=1e-4, atol=1e-5)


def test_every_set_of_filters_starts_as_those_of_a_convolution():
    layer = built(TiledConv(20, 3, tile=(2, 3)), (8, 8, 40))
    np.testing.assert_allclose(layer.params["w"].std(), np.sqrt(2 / (3 * 3 * 40)), rtol=0.02)
    layer = built(LocallyConnected(20, 3, init=partial(normal, std=0.01)), (5, 4, 40))
    np.testing.assert_allclose(layer.params["w"].std(), 0.01, rtol=0.02)
    assert layer.params["w"].flags.c_contiguous


def test_a_tile_may_be_as_large_as_the_output():
    tiled, local = TiledConv(5, 3, tile=(4, 7)), LocallyConnected(5, 3)
    assert tiled.output_shape(VOLUME) == local.output_shape(VOLUME) == (4, 7, 5)
    x = batch(VOLUME)
    np.testing.assert_allclose(
        built(tiled, VOLUME).forward(x), built(local, VOLUME).forward(x), rtol=1e-4, atol=1e-5
    )


def test_dropout_drops_in_training_only_and_never_the_same_twice():
    layer, x = built(Dropout(0.5), VOLUME), batch(VOLUME)
    np.testing.assert_array_equal(layer.forward(x), x)
    first, second = (layer.forward(x, training=True) for _ in range(2))
    assert 0.3 < (first == 0).mean() < 0.7
    assert not np.array_equal(first, second)
    again = built(Dropout(0.5), VOLUME)
    np.testing.assert_array_equal(again.forward(x, training=True), first)


def test_the_slope_of_prelu_starts_where_it_is_told():
    assert built(PReLU(0.5), (3,)).params["slope"].tolist() == [0.5, 0.5, 0.5]
    assert built(PReLU(0.5, shared=True), (3,)).params["slope"].tolist() == [0.5]


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
    decaying = Conv(2, 3), LocallyConnected(2, 3), TiledConv(2, 3, tile=2), Affine(2)
    for layer in decaying:
        assert layer.decays == ("w",)
    assert BatchNorm().decays == PReLU().decays == MaxPool(2).decays == ()


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
    with pytest.raises(TypeError, match="must be a NumPy array, got str"):
        layer.forward("x")
    with pytest.raises(RuntimeError, match=r"must see a forward pass"):
        layer.backward(batch(expected))
    layer.forward(batch(input_shape))
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
        (lambda: Conv(4, 3, stride=0), ValueError, r"stride must be .* at least 1, got 0"),
        (lambda: Conv(4, 3, stride=2.0), ValueError, r"stride must be .* at least 1, got 2.0"),
        (lambda: Conv(4, 3, pad=-1), ValueError, r"pad must be .* at least 0, got -1"),
        (lambda: Conv(4, (3, 0)), ValueError, r"kernel_size must be .* at least 1, got 0"),
        (lambda: Conv(4, 3, groups=0), ValueError, r"groups must be .* at least 1, got 0"),
        (lambda: Conv(4, 3, groups=4).output_shape(VOLUME), ShapeError, r"4 groups must divide .*"
         r"got 2 channels and 4 filters"),
        (lambda: Conv(4, 3, init="he"), TypeError, r"init must be a function .*, got 'he'"),
        (lambda: Affine(4, init="he"), TypeError, r"init must be a function .*, got 'he'"),
        (lambda: TiledConv(4, 3, tile=0), ValueError, r"tile must be .* at least 1, got 0"),
        (lambda: TiledConv(4, 3, tile=(1, 8)).output_shape(VOLUME), ShapeError,
         r"a tile of 1×8 is larger than the output, 4×7: some"),
        (lambda: TiledConv(4, 3, tile=(5, 1)).output_shape(VOLUME), ShapeError,
         r"a tile of 5×1 is larger than the output, 4×7: some"),
        (lambda: MaxPool(0), ValueError, r"kernel_size must be .* at least 1, got 0"),
        (lambda: AvgPool(2, stride=0.5), ValueError, r"stride must be .* at least 1, got 0.5"),
        (lambda: Affine(2.5), ValueError, r"units must be a whole number of at least 1, got 2.5"),
        (lambda: LeakyReLU("0.1"), ValueError, r"slope must be a finite number, got '0.1'"),
        (lambda: PReLU(np.nan), ValueError, r"slope must be a finite number, got nan"),
        (lambda: ELU(-1), ValueError, r"alpha must be .* at least 0, got -1"),
        (lambda: Maxout(0), ValueError, r"pieces must be .* at least 1, got 0"),
        (lambda: Maxout(4).output_shape((6, 9, 6)), ShapeError, r"4 pieces must divide .*, got 6"),
        (lambda: BatchNorm(momentum=1), ValueError, r"momentum must be .* less than 1, got 1"),
        (lambda: BatchNorm(eps=0), ValueError, r"eps must be .* got 0"),
        (lambda: LRN(n=4), ValueError, r"n must be odd.*, got 4"),
        (lambda: LRN(k=0), ValueError, r"k must be .*, got 0"),
        (lambda: LRN(alpha=-1), ValueError, r"alpha must be .* at least 0, got -1"),
        (lambda: Dropout(1), ValueError, r"rate must be .* less than 1, got 1"),
        (lambda: HingeLoss("1"), ValueError, r"margin must be a finite number, got '1'"),
        (lambda: L2(-1), ValueError, r"strength must be .* at least 0, got -1"),
        (lambda: SoftmaxLoss().backward(), RuntimeError, r"SoftmaxLoss\(\) must see a forward"),
        (lambda: built(Affine(4), 784), TypeError, r"input_shape must be .*\(numbers,\), got 784"),
        (lambda: built(Affine(4), (7.0,)), ShapeError, r"size of input_shape .* got 7.0"),
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
        (Conv(256, 5, pad=2, groups=2), "Conv(256, kernel_size=5, pad=2, groups=2)"),
        (LocallyConnected(8, 3, stride=2), "LocallyConnected(8, kernel_size=3, stride=2)"),
        (TiledConv(8, 3, tile=2, pad=1), "TiledConv(8, kernel_size=3, tile=2, pad=1)"),
        (AvgPool(3, stride=2), "AvgPool(3, stride=2)"),
        (GlobalAvgPool(), "GlobalAvgPool()"),
        (GlobalMaxPool(), "GlobalMaxPool()"),
        (Sigmoid(), "Sigmoid()"),
        (Tanh(), "Tanh()"),
        (LeakyReLU(), "LeakyReLU(0.01)"),
        (PReLU(), "PReLU(0.25)"),
        (PReLU(0.1, shared=True), "PReLU(0.1, shared=True)"),
        (ELU(), "ELU(1.0)"),
        (Maxout(3), "Maxout(3)"),
        (Softmax(), "Softmax()"),
        (BatchNorm(), "BatchNorm()"),
        (BatchNorm(momentum=0.8), "BatchNorm(momentum=0.8)"),
        (BatchNorm(eps=0.1), "BatchNorm(eps=0.1)"),
        (LRN(), "LRN()"),
        (LRN(n=3, alpha=0.1), "LRN(n=3, alpha=0.1)"),
        (Dropout(), "Dropout(0.5)"),
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


def test_every_public_layer_is_tested_here():
    written = {type(parameter.values[0]()) for parameter in LAYERS}
    public = {getattr(layers, name) for name in layers.__all__}
    assert written == {c for c in public if isinstance(c, type) and issubclass(c, Layer)} - {Layer}


def test_a_layer_of_chance_draws_from_a_generator_of_its_own():
    rng, untouched = np.random.default_rng(0), np.random.default_rng(0)
    dropout = Dropout()
    dropout.build((5,), rng=rng)
    dropout.forward(batch((5,)), training=True)
    assert rng.bit_generator.state == untouched.bit_generator.state


def test_a_layer_needs_a_generator():
    with pytest.raises(TypeError, match=r"rng must be a generator such as .*, got int"):
        ReLU().build(VOLUME, rng=0)


def test_an_operation_without_a_cache_is_one_too():
    ops = replace(
        reference,
        relu=Op(lambda x: (2 * x, None), lambda dout, cache: 2 * dout),
        softmax_loss=Op(lambda x, y: (x.sum(), None), lambda dout, cache: dout),
    )
    layer, loss, x = built(ReLU(), (3,), ops=ops), SoftmaxLoss(), batch((3,))
    loss.build(ops=ops)
    np.testing.assert_array_equal(layer.forward(x), 2 * x)
    np.testing.assert_array_equal(layer.backward(x), 2 * x)
    assert loss.forward(x, None) == x.sum()
    assert loss.backward() == 1


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


def test_a_copy_leaves_the_cache_behind():
    layer = Affine(2)
    layer.build((3,), rng=np.random.default_rng(0))
    layer.forward(np.ones((5, 3)))
    copy = deepcopy(layer)
    np.testing.assert_array_equal(copy.params["w"], layer.params["w"])
    with pytest.raises(RuntimeError, match="must see a forward pass"):
        copy.backward(np.ones((5, 2)))
    assert layer.backward(np.ones((5, 2))).shape == (5, 3)
