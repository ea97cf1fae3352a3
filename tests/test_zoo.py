from dataclasses import replace

import numpy as np
import pytest

from cnnlab import zoo
from cnnlab.gradcheck import check_model
from cnnlab.ops import Op, reference
from cnnlab.shapes import ShapeError


@pytest.mark.parametrize("name", sorted(zoo.MODELS))
@pytest.mark.parametrize(("input_shape", "n_classes"), [((28, 28, 1), 10), ((32, 24, 3), 7)])
def test_every_network_gives_one_score_per_class(name, input_shape, n_classes):
    rng = np.random.default_rng(0)
    model = zoo.build(name, input_shape, n_classes, rng=rng)
    assert (model.input_shape, model.output_shape) == (input_shape, (n_classes,))
    x = rng.normal(size=(3, *input_shape))
    assert model.forward(x).shape == (3, n_classes)
    assert model.parameters().keys() == model.loss_and_gradients(x, np.zeros(3, int))[1].keys()


@pytest.mark.parametrize("name", sorted(zoo.MODELS))
def test_every_network_starts_out_undecided(name):
    rng = np.random.default_rng(0)
    model = zoo.build(name, (28, 28, 1), 10, rng=rng)
    x, y = rng.normal(size=(100, 28, 28, 1)), rng.integers(0, 10, 100)
    loss, _ = model.loss_and_gradients(x, y)
    assert loss == pytest.approx(np.log(10), abs=0.1)


@pytest.mark.parametrize("name", sorted(zoo.MODELS))
def test_every_network_passes_a_gradient_check_in_float64(name):
    rng = np.random.default_rng(0)
    model = zoo.build(name, (8, 4, 2), 3, rng=rng, dtype=np.float64)
    for key, array in model.parameters().items():
        if key.endswith(".b"):
            array += rng.normal(size=array.shape) / 10
    x, y = rng.normal(size=(5, 8, 4, 2)), rng.integers(0, 3, 5)
    report = check_model(model, x, y, rng=rng)
    assert report.ok, str(report)


@pytest.mark.parametrize("name", sorted(zoo.MODELS))
def test_every_network_runs_on_the_operations_it_is_given(name):
    class MineError(Exception):
        pass

    def mine(*args, **options):
        raise MineError

    table = replace(reference, affine=Op(mine, mine))
    model = zoo.build(name, (28, 28, 1), 10, rng=np.random.default_rng(0), ops=table)
    with pytest.raises(MineError):
        model.forward(np.zeros((1, 28, 28, 1)))


def test_the_convnet_has_the_parameters_counted_by_hand():
    model = zoo.convnet((28, 28, 1), 10, rng=np.random.default_rng(0))
    convolutions = (3 * 3 * 1 * 32 + 32) + (3 * 3 * 32 * 64 + 64)
    assert model.parameter_count == convolutions + (7 * 7 * 64 * 128 + 128) + (128 * 10 + 10)


def test_an_image_that_cannot_be_pooled_twice_names_the_layer():
    with pytest.raises(ShapeError, match=r"layer 5, MaxPool\(2\), does not fit .*15×15×64"):
        zoo.convnet((30, 30, 1), 10, rng=np.random.default_rng(0))


def test_options_reach_the_network(monkeypatch):
    def mine(input_shape, n_classes, *, width, **options):
        return zoo.linear(input_shape, n_classes * width, **options)

    monkeypatch.setitem(zoo.MODELS, "mine", mine)
    model = zoo.build("mine", (4, 4, 1), 2, rng=np.random.default_rng(0), width=3)
    assert model.output_shape == (6,)


def test_an_unknown_name_lists_the_right_ones():
    with pytest.raises(zoo.UnknownModelError, match=r"one of convnet, linear, got 'resnet'"):
        zoo.build("resnet", (28, 28, 1), 10, rng=np.random.default_rng(0))
    assert issubclass(zoo.UnknownModelError, ValueError)
