from dataclasses import replace

import numpy as np
import pytest

from cnnlab import data, zoo
from cnnlab.gradcheck import check_model
from cnnlab.init import zeros
from cnnlab.ops import Op, reference
from cnnlab.optim import SGD
from cnnlab.shapes import ShapeError
from cnnlab.train import Trainer

# The full AlexNet has a test section of its own: it fits no small images.
SMALL = sorted(zoo.MODELS.keys() - {"alexnet"})


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize(("input_shape", "n_classes"), [((28, 28, 1), 10), ((32, 24, 3), 7)])
def test_every_network_gives_one_score_per_class(name, input_shape, n_classes):
    rng = np.random.default_rng(0)
    model = zoo.build(name, input_shape, n_classes, rng=rng)
    assert (model.input_shape, model.output_shape) == (input_shape, (n_classes,))
    x = rng.normal(size=(3, *input_shape))
    assert model.forward(x).shape == (3, n_classes)
    assert model.parameters().keys() == model.loss_and_gradients(x, np.zeros(3, int))[1].keys()


@pytest.mark.parametrize("name", SMALL)
def test_every_network_starts_out_undecided(name):
    rng = np.random.default_rng(0)
    model = zoo.build(name, (28, 28, 1), 10, rng=rng)
    x, y = rng.normal(size=(100, 28, 28, 1)), rng.integers(0, 10, 100)
    loss, _ = model.loss_and_gradients(x, y)
    assert loss == pytest.approx(np.log(10), abs=0.1)


@pytest.mark.parametrize(
    ("name", "input_shape", "options"),
    [
        ("convnet", (8, 4, 2), {}),
        ("linear", (8, 4, 2), {}),
        ("lenet", (12, 16, 2), {}),
        ("alexnet_small", (12, 14, 2), {"width": 2}),
        ("alexnet_small", (12, 14, 2), {"width": 2, "towers": 2}),
    ],
)
def test_every_network_passes_a_gradient_check_in_float64(name, input_shape, options):
    rng = np.random.default_rng(0)
    model = zoo.build(name, input_shape, 3, rng=rng, dtype=np.float64, **options)
    for key, array in model.parameters().items():
        if key.endswith(".b"):
            array += rng.normal(size=array.shape) / 10
    x, y = rng.normal(size=(5, *input_shape)), rng.integers(0, 3, 5)
    report = check_model(model, x, y, rng=rng)
    assert report.ok, str(report)


@pytest.mark.parametrize("name", SMALL)
def test_every_network_runs_on_the_operations_it_is_given(name):
    class MineError(Exception):
        pass

    def mine(*args, **options):
        raise MineError

    table = replace(reference, affine=Op(mine, mine))
    model = zoo.build(name, (28, 28, 1), 10, rng=np.random.default_rng(0), ops=table)
    with pytest.raises(MineError):
        model.forward(np.zeros((1, 28, 28, 1)))


def test_a_full_alexnet_takes_its_operations_its_dtype_and_its_weights_as_told():
    calls = []

    def mine(*args, **options):
        calls.append(options)
        return reference.conv.forward(*args, **options)

    table = replace(reference, conv=Op(mine, reference.conv.backward))
    size = (67, 67, 3)
    model = full_alexnet(input_shape=size, n_classes=3, dtype=np.float64, ops=table)
    assert model.forward(np.ones((1, *size))).dtype == np.float64
    assert len(calls) == 5
    *hidden, _, _ = model.parameters().values()
    assert not any(array.any() for array in hidden), "zeros, as init says"


def test_options_of_a_network_are_passed_on():
    rng = np.random.default_rng(0)
    model = zoo.build("alexnet_small", (28, 28, 1), 10, rng=rng, width=2, dropout=0.25)
    assert model.shapes[1] == (31, 31, 6)
    assert repr(model.layers[18]) == repr(model.layers[21]) == "Dropout(0.25)"


def test_the_convnet_has_the_parameters_counted_by_hand():
    model = zoo.convnet((28, 28, 1), 10, rng=np.random.default_rng(0))
    convolutions = (3 * 3 * 1 * 32 + 32) + (3 * 3 * 32 * 64 + 64)
    assert model.parameter_count == convolutions + (7 * 7 * 64 * 128 + 128) + (128 * 10 + 10)


def test_an_image_that_cannot_be_pooled_twice_names_the_layer():
    with pytest.raises(ShapeError, match=r"layer 5, MaxPool\(2\), does not fit .*15×15×64"):
        zoo.convnet((30, 30, 1), 10, rng=np.random.default_rng(0))


def drawn(summary):
    """What the lecture draws of a network: kind, volume, parameters."""
    small = ("ReLU", "Tanh", "Flatten", "Dropout")
    return [
        (row.layer.split("(")[0], row.shape, row.parameters)
        for row in summary.rows
        if not row.layer.startswith(small)
    ]


# LeNet


@pytest.mark.parametrize("size", [28, 32])
def test_lenet_has_the_volumes_and_parameters_of_the_paper(size):
    summary = zoo.lenet((size, size, 1), 10, rng=np.random.default_rng(0)).summary()
    assert drawn(summary)[1:] == [
        ("Conv", (28, 28, 6), 156),
        ("AvgPool", (14, 14, 6), 0),
        # The paper's table connects 60 of 6·16 pairs of maps: 1,516.
        ("Conv", (10, 10, 16), 5 * 5 * 6 * 16 + 16),
        ("AvgPool", (5, 5, 16), 0),
        ("Affine", (120,), 48_120),
        ("Affine", (84,), 10_164),
        ("Affine", (10,), 850),
    ]


# AlexNet


def full_alexnet(**options):
    # Zeros are not touched until they are used: 62 million of them cost no time.
    return zoo.alexnet(init=zeros, rng=np.random.default_rng(0), **options)


def test_the_summary_of_alexnet_is_the_table_of_the_lecture():
    summary = full_alexnet().summary()
    assert drawn(summary) == [
        ("input", (227, 227, 3), 0),
        ("Conv", (55, 55, 96), 34_944),
        ("MaxPool", (27, 27, 96), 0),
        ("LRN", (27, 27, 96), 0),
        ("Conv", (27, 27, 256), 5 * 5 * 96 * 256 + 256),
        ("MaxPool", (13, 13, 256), 0),
        ("LRN", (13, 13, 256), 0),
        ("Conv", (13, 13, 384), 3 * 3 * 256 * 384 + 384),
        ("Conv", (13, 13, 384), 3 * 3 * 384 * 384 + 384),
        ("Conv", (13, 13, 256), 3 * 3 * 384 * 256 + 256),
        ("MaxPool", (6, 6, 256), 0),
        ("Affine", (4096,), 6 * 6 * 256 * 4096 + 4096),
        ("Affine", (4096,), 4096 * 4096 + 4096),
        ("Affine", (1000,), 4096 * 1000 + 1000),
    ]
    assert summary.parameters == 62_378_344
    assert "55×55×96       34,944" in str(summary)


def test_alexnet_bends_after_every_layer_that_learns_and_drops_out_before_those_that_follow():
    names = [row.layer.split("(")[0] for row in full_alexnet().summary().rows[1:]]
    learning = [i for i, name in enumerate(names) if name in ("Conv", "Affine")]
    assert all(names[i + 1] == "ReLU" for i in learning[:-1])
    assert names[-7:] == ["Affine", "ReLU", "Dropout", "Affine", "ReLU", "Dropout", "Affine"]


def test_in_two_towers_the_second_fourth_and_fifth_convolution_see_half():
    one, two = full_alexnet(), full_alexnet(towers=2)
    assert two.shapes == one.shapes
    depths = [w.shape[2] for name, w in two.parameters().items() if name.endswith("conv.w")]
    # Figure 2 of the paper: 3, 48, 256, 192, 192.
    assert depths == [3, 48, 256, 192, 192]
    assert two.parameter_count == 60_965_224


def test_alexnet_fits_67_pixels_and_no_others_up_to_99():
    sizes = []
    for size in range(63, 100, 2):
        try:
            full_alexnet(input_shape=(size, size, 3))
        except ShapeError:
            continue
        sizes.append(size)
    assert sizes == [67, 99]


def test_a_full_alexnet_starts_out_undecided():
    rng = np.random.default_rng(0)
    model = zoo.alexnet((67, 67, 3), 50, rng=rng)
    x, y = rng.normal(size=(4, 67, 67, 3)).astype(np.float32), rng.integers(0, 50, 4)
    loss, gradients = model.loss_and_gradients(x, y)
    assert loss == pytest.approx(np.log(50), abs=0.1)
    assert all(gradient.any() for gradient in gradients.values())


def test_a_small_alexnet_of_full_width_has_the_layers_of_the_full_one():
    small = zoo.alexnet_small((12, 12, 3), 1000, width=32, rng=np.random.default_rng(0))
    full = full_alexnet()
    kinds = [type(layer).__name__ for layer in full.layers]
    assert [type(layer).__name__ for layer in small.layers] == kinds
    depths = [shape[-1] for shape in full.shapes]
    depths[16] = 256  # Flatten: a single position is left
    assert [shape[-1] for shape in small.shapes] == depths


@pytest.mark.parametrize(
    ("size", "sizes"), [(28, [31, 15, 7, 3]), (32, [31, 15, 7, 3]), (12, [15, 7, 3, 1])]
)
def test_a_small_alexnet_pools_three_times_without_a_rest(size, sizes):
    model = zoo.alexnet_small((size, size, 3), 10, width=1, rng=np.random.default_rng(0))
    assert [model.shapes[after][0] for after in (1, 3, 7, 15)] == sizes


def test_a_small_alexnet_pads_each_axis_as_it_needs():
    model = zoo.alexnet_small((28, 32, 1), 10, width=1, rng=np.random.default_rng(0))
    assert repr(model.layers[0]) == "Conv(3, kernel_size=4, pad=(3, 1))"
    assert model.shapes[1] == (31, 31, 3)


def test_a_small_alexnet_can_learn_50_images_by_heart():
    train, _ = data.load("fashion-mnist-small")
    rng = np.random.default_rng(0)
    model = zoo.alexnet_small((28, 28, 1), 10, width=4, dropout=0, rng=rng)
    preprocess = data.Standardize.fit(train.images)
    trainer = Trainer(
        model, SGD(model, learning_rate=0.01), preprocess=preprocess, batch_size=25, rng=rng
    )
    trainer.fit(train[:50], epochs=60)
    predictions = model.predict(preprocess(train[:50].images))
    assert (predictions == train[:50].labels).all()


@pytest.mark.parametrize(
    ("build", "error", "words"),
    [
        (lambda rng: zoo.alexnet_small((29, 28, 1), 10, rng=rng), ShapeError, "even.*got 29×28"),
        (lambda rng: zoo.alexnet_small((10, 28, 1), 10, rng=rng), ShapeError, "12.*got 10×28"),
        (lambda rng: zoo.alexnet_small((28, 28, 1), 10, width=0, rng=rng), ValueError, "width.*0"),
        (lambda rng: zoo.alexnet_small((28, 28, 1), 10, towers=5, rng=rng), ShapeError, "5 groups"),
        (lambda rng: zoo.alexnet_small((28, 28, 1), 10, dropout=1, rng=rng), ValueError, "rate"),
        (lambda rng: zoo.alexnet((224, 224, 3), rng=rng), ShapeError, "layer 0.*223 or 227"),
        (lambda rng: zoo.lenet((30, 30, 1), 10, rng=rng), ShapeError, "layer 5, AvgPool"),
        (lambda rng: zoo.lenet(28, 10, rng=rng), ShapeError, r"\(height, width, ch.*got 28"),
        (lambda rng: zoo.alexnet_small((784,), 10, rng=rng), ShapeError, r"got \(784,\)"),
    ],
    ids=[
        *("odd", "too-small", "no-width", "five-towers", "all-dropped", "224", "lenet-30"),
        *("lenet-flat", "alexnet-flat"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said(build, error, words):
    with pytest.raises(error, match=words):
        build(np.random.default_rng(0))


def test_an_unknown_name_lists_the_right_ones():
    with pytest.raises(
        zoo.UnknownModelError,
        match=r"one of alexnet, alexnet_small, convnet, lenet, linear, got 'resnet'",
    ):
        zoo.build("resnet", (28, 28, 1), 10, rng=np.random.default_rng(0))
    assert issubclass(zoo.UnknownModelError, ValueError)
