from dataclasses import replace

import numpy as np
import pytest

from cnnlab import ops, zoo
from cnnlab.interpret import feature_maps, occlusion, saliency, worst_mistakes
from cnnlab.layers import (
    Affine,
    AvgPool,
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    ReLU,
    Softmax,
    Tanh,
)
from cnnlab.model import Sequential
from cnnlab.ops import Op, reference
from cnnlab.shapes import ShapeError

VOLUME = (6, 9, 2)


def network(*, softmax=False, dtype=np.float64, **options):
    """All that behaves differently in training, and nothing with a corner."""
    layers = [
        *(Conv(4, 3, pad=1), BatchNorm(), Tanh(), AvgPool(3)),
        *(Flatten(), Dropout(0.5), Affine(5), *([Softmax()] if softmax else [])),
    ]
    rng = np.random.default_rng(0)
    model = Sequential(layers, VOLUME, rng=rng, dtype=dtype, **options)
    for array in model.buffers().values():
        array += rng.uniform(0.1, 0.5, array.shape)
    return model


def batch(N=3, seed=1):
    return np.random.default_rng(seed).normal(size=(N, *VOLUME))


def state(model):
    gradients = {f"gradient of {name}": array for name, array in model.gradients().items()}
    arrays = model.parameters() | model.buffers() | gradients
    chance = [rng.bit_generator.state for rng in model.generators()]
    return {name: array.copy() for name, array in arrays.items()}, chance


def assert_left_alone(model, before):
    arrays, chance = state(model)
    assert arrays.keys() == before[0].keys()
    assert chance == before[1]
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, before[0][name], err_msg=name)


# Feature maps


def test_feature_maps_are_what_the_operations_give():
    model, rng = zoo.convnet((8, 12, 3), 4, rng=np.random.default_rng(0)), np.random.default_rng(1)
    x = rng.normal(size=(2, 8, 12, 3)).astype(np.float32)
    w, b = model.layers[0].params.values()
    maps, _ = ops.conv_forward(x, w, b, pad=1)
    np.testing.assert_array_equal(feature_maps(model, x, 0), maps)
    maps, _ = ops.relu_forward(maps)
    np.testing.assert_array_equal(feature_maps(model, x, 1), maps)
    maps, _ = ops.max_pool_forward(maps, kernel_size=2)
    np.testing.assert_array_equal(feature_maps(model, x, 2), maps)


def test_the_maps_of_the_last_layer_are_the_scores_at_test_time():
    model = network()
    before = state(model)
    np.testing.assert_array_equal(feature_maps(model, batch(), 6), model.forward(batch()))
    assert_left_alone(model, before)
    assert feature_maps(network(dtype=np.float32), batch(), 0).dtype == np.float32


@pytest.mark.parametrize(
    ("layer", "error", "message"),
    [
        (7, IndexError, "layer must lie between 0 and 6, got 7"),
        (-1, ValueError, "layer must be a whole number of at least 0, got -1"),
    ],
)
def test_a_layer_that_does_not_exist_is_refused(layer, error, message):
    with pytest.raises(error, match=message):
        feature_maps(network(), batch(), layer)


def test_feature_maps_need_a_batch_of_inputs():
    with pytest.raises(ShapeError, match=r"x must have shape \(N, 6, 9, 2\)"):
        feature_maps(network(), batch()[0], 0)


# Saliency


def numeric_saliency(model, x, labels, h=1e-5):
    gradient = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        sides = []
        for step in (h, -h):
            moved = x.copy()
            moved[index] += step
            sides.append(model.forward(moved)[index[0], labels[index[0]]])
        gradient[index] = (sides[0] - sides[1]) / (2 * h)
    return np.abs(gradient).max(axis=3)


def test_saliency_agrees_with_differences():
    model, x, labels = network(), batch(), [4, 0, 4]
    found = saliency(model, x, labels)
    assert found.shape == (3, 6, 9)
    np.testing.assert_allclose(found, numeric_saliency(model, x, labels), atol=1e-8)


def test_saliency_does_not_go_through_a_softmax():
    np.testing.assert_array_equal(
        saliency(network(softmax=True), batch(), 2), saliency(network(), batch(), 2)
    )


def test_saliency_leaves_the_network_as_it_was():
    model = network()
    model.loss_and_gradients(batch(), np.array([0, 1, 2]))
    before = state(model)
    assert len(before[0]) == 6 + 2 + 6
    saliency(model, batch(seed=2), 1)
    assert_left_alone(model, before)


def test_gradients_stay_even_if_a_layer_fails():
    def fails(dout, cache):
        raise ArithmeticError

    model = network(ops=replace(reference, batch_norm=Op(ops.batch_norm_forward, fails)))
    with pytest.raises(ArithmeticError):
        saliency(model, batch(), 1)
    assert model.gradients() == {}


def test_every_image_has_the_saliency_it_has_alone():
    model, x = network(), batch()
    together = saliency(model, x, [3, 1, 1])
    for n, label in enumerate([3, 1, 1]):
        np.testing.assert_allclose(together[n], saliency(model, x[n : n + 1], label)[0])


@pytest.mark.parametrize("look", [saliency, lambda *args: occlusion(*args, size=3)])
@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (5, "labels must lie between 0 and 4, got 5 to 5"),
        ([0, -1, 0], "labels must lie between 0 and 4, got -1 to 0"),
        ([0, 1], r"one for each of 3 images, whole numbers, got int64 of shape \(2,\)"),
        ([0.0, 1.0, 2.0], "whole numbers, got float64"),
    ],
    ids=str,
)
def test_labels_must_be_classes_of_the_network(look, labels, message):
    with pytest.raises(ValueError, match=message):
        look(network(), batch(), labels)


@pytest.mark.parametrize("look", [saliency, lambda *args: occlusion(*args, size=3)])
def test_what_is_looked_at_is_a_batch_of_images_and_ends_in_scores(look):
    with pytest.raises(ShapeError, match=r"x must have 4 axes"):
        look(network(), batch()[0], 0)
    with pytest.raises(TypeError, match="preprocess the images first"):
        look(network(), batch().astype(np.uint8), 0)
    headless = Sequential([ReLU()], VOLUME, rng=np.random.default_rng(0))
    with pytest.raises(ShapeError, match=r"must end in scores, \(N, C\), got \(3, 6, 9, 2\)"):
        look(headless, batch(), 0)
    assert len(look(network(), batch(0), 0)) == 0


# Occlusion


def looks_at(row, column):
    """A network whose score of class 1 is one pixel of channel 0; that of class 0 stays 0."""
    model = Sequential([Flatten(), Affine(2)], VOLUME, rng=np.random.default_rng(0))
    w = model.parameters()["1.affine.w"]
    w[...] = 0
    w.reshape(*VOLUME, 2)[row, column, 0, 1] = 1
    return model


@pytest.mark.parametrize(("row", "column"), [(2, 3), (0, 8), (5, 0)])
@pytest.mark.parametrize(
    ("size", "stride"), [(1, 1), ((2, 3), (2, 3)), ((3, 4), (1, 5)), ((6, 1), 1)]
)
def test_occlusion_dips_exactly_where_the_network_looks(row, column, size, stride):
    x = np.full((1, *VOLUME), 2.0, np.float32)
    (found,) = occlusion(looks_at(row, column), x, 1, size=size, stride=stride)
    (FH, FW), (SH, SW) = np.broadcast_to(size, 2), np.broadcast_to(stride, 2)
    assert found.shape == ((6 - FH) // SH + 1, (9 - FW) // SW + 1)
    hidden, seen = 0.5, 1 / (1 + np.exp(-2))
    for i, j in np.ndindex(found.shape):
        covered = 0 <= row - i * SH < FH and 0 <= column - j * SW < FW
        assert found[i, j] == pytest.approx(hidden if covered else seen, rel=1e-6)


def test_the_patch_may_have_a_color():
    x = np.zeros((1, *VOLUME), np.float32)
    (found,) = occlusion(looks_at(0, 0), x, 1, size=(6, 9), fill=[3.0, 100.0])
    assert found[0, 0] == pytest.approx(1 / (1 + np.exp(-3)))
    with pytest.raises(ShapeError, match=r"one for each of 2 channels, got shape \(3,\)"):
        occlusion(looks_at(0, 0), x, 1, size=3, fill=[1, 2, 3])


def test_occlusion_leaves_images_and_network_as_they_were():
    model, x = network(), batch()
    before, images = state(model), x.copy()
    occlusion(model, x, [0, 1, 2], size=3, stride=3)
    assert_left_alone(model, before)
    np.testing.assert_array_equal(x, images)


def test_every_image_is_asked_for_its_own_class():
    model, x = network(), batch()
    together = occlusion(model, x, [3, 1, 1], size=3, stride=3)
    for n, label in enumerate([3, 1, 1]):
        alone = occlusion(model, x[n : n + 1], label, size=3, stride=3)
        np.testing.assert_allclose(together[n], alone[0])


def test_a_softmax_at_the_end_is_not_followed_by_another():
    found = [occlusion(network(softmax=s), batch(), 2, size=3, stride=3) for s in (True, False)]
    np.testing.assert_allclose(*found)


def test_the_patch_must_fit():
    with pytest.raises(ShapeError, match="a window of 4 with stride 2 does not fit an input of 9"):
        occlusion(network(), batch(), 0, size=4, stride=2)


# Mistakes


def test_the_worst_mistake_is_the_most_confident_one():
    probabilities = np.array(
        [[0.6, 0.4, 0.0], [0.1, 0.9, 0.0], [0.0, 0.2, 0.8], [0.3, 0.3, 0.4], [0.0, 0.1, 0.9]]
    )
    labels = np.array([1, 1, 0, 0, 0])
    assert worst_mistakes(probabilities, labels).tolist() == [4, 2, 0, 3]
    assert worst_mistakes(probabilities, labels, k=2).tolist() == [4, 2]


def test_among_equal_mistakes_the_first_comes_first():
    probabilities = np.tile([[0.6, 0.4], [0.75, 0.25]], (100, 1))
    found = worst_mistakes(probabilities, np.ones(200, int), k=200)
    assert found.tolist() == [*range(1, 200, 2), *range(0, 200, 2)]


def test_a_network_without_mistakes_has_no_worst_one():
    assert worst_mistakes(np.eye(3), np.arange(3)).shape == (0,)


@pytest.mark.parametrize(
    ("probabilities", "labels", "k", "message"),
    [
        (np.eye(3), [0, 1], 1, r"one label for each row of probabilities, \(3, 3\), got .*\(2,\)"),
        (np.arange(3), [0, 1, 2], 1, r"probabilities must have 2 axes \(N, C\), got 1"),
        (np.eye(3), [0, 1, 2], 0, "k must be a whole number of at least 1, got 0"),
    ],
)
def test_mistakes_need_a_label_for_each_row(probabilities, labels, k, message):
    with pytest.raises(ValueError, match=message):
        worst_mistakes(probabilities, labels, k)
