"""Threads that go through several layers, each with its share of the images."""

from dataclasses import replace

import numpy as np
import pytest

from cnnlab import fast
from cnnlab.interpret import saliency
from cnnlab.layers import (
    LRN,
    Affine,
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    MaxPool,
    PReLU,
    ReLU,
    stretch,
)
from cnnlab.model import Sequential
from cnnlab.ops import Op, reference
from cnnlab.shapes import ShapeError

SHAPE, CLASSES = (8, 8, 2), 3


@pytest.fixture(autouse=True)
def two_threads(monkeypatch):
    """Two of them, however little there is to do."""
    fast.set_threads(2)
    monkeypatch.setattr(stretch, "_LEAST", 1)
    yield
    fast.set_threads(None)


def layers():
    return [
        *(Conv(4, 3, pad=1), LRN(), ReLU(), MaxPool(2), BatchNorm()),
        *(Conv(6, 3, pad=1), PReLU(), Flatten(), Dropout(), Affine(5), ReLU(), Affine(CLASSES)),
    ]


def network(ops=fast.ops, of=layers, dtype=np.float64):
    return Sequential(of(), SHAPE, rng=np.random.default_rng(0), dtype=dtype, ops=ops)


def batch(N=7):
    rng = np.random.default_rng(1)
    return rng.normal(size=(N, *SHAPE)), np.arange(N) % CLASSES


def shares(model):
    return [len(layer._caches) for layer in model.layers]


def test_shares_are_taken_between_the_layers_that_need_the_whole_batch():
    model = network()
    model.forward(batch()[0], training=True)
    assert shares(model) == [2, 2, 2, 2, 1, 2, 2, 2, 1, 2, 2, 2]
    assert [len(one.layers) for one in model._stretches] == [4, 1, 3, 1, 3]


@pytest.mark.parametrize("N", [1, 2, 7])
def test_a_step_in_shares_is_a_step(N):
    x, y = batch(N)
    loss, gradients = network().loss_and_gradients(x, y)
    expected_loss, expected = network(reference).loss_and_gradients(x, y)
    assert loss == pytest.approx(expected_loss, rel=1e-12)
    assert list(gradients) == list(expected)
    for name, gradient in expected.items():
        np.testing.assert_allclose(gradients[name], gradient, rtol=1e-9, atol=1e-12)


def test_the_gradient_of_the_images_is_there_if_wanted():
    x, _ = batch()
    model, plain, dout = network(), network(reference), np.ones((7, CLASSES))
    for one in (model, plain):
        one.forward(x)
    np.testing.assert_allclose(model.backward(dout), plain.backward(dout), rtol=1e-9, atol=1e-12)
    assert model.backward(dout, input_gradient=False) is None


def test_only_the_first_layer_of_a_network_saves_its_work():
    x, y = batch()

    def few():
        return [Conv(4, 3), ReLU(), Conv(3, 3), Flatten(), Affine(CLASSES)]

    _, gradients = network(of=few).loss_and_gradients(x, y)
    for name, expected in network(reference, few).loss_and_gradients(x, y)[1].items():
        np.testing.assert_allclose(gradients[name], expected, rtol=1e-9, atol=1e-12)


def test_a_layer_can_go_back_by_itself():
    x, y = batch()
    model = network()
    np.testing.assert_allclose(saliency(model, x, y), saliency(network(reference), x, y), rtol=1e-9)
    assert 2 in shares(model)


def test_a_layer_that_was_used_by_itself_since_is_no_harm():
    x, _ = batch()
    model, plain, dout = network(), network(reference), np.ones((7, CLASSES))
    for one in (model, plain):
        one.forward(x)
        one.layers[0].forward(x)
    np.testing.assert_allclose(model.backward(dout), plain.backward(dout), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("there", "back"), [(2, 1), (1, 2), (3, 2)])
def test_the_way_back_takes_the_shares_of_the_way_there(there, back):
    x, _ = batch()
    model, plain, dout = network(), network(reference), np.ones((7, CLASSES))
    plain.forward(x)
    fast.set_threads(there)
    model.forward(x)
    fast.set_threads(back)
    np.testing.assert_allclose(model.backward(dout), plain.backward(dout), rtol=1e-9, atol=1e-12)
    assert shares(model)[0] == there


def test_a_function_of_the_learner_sees_the_whole_batch():
    seen = []

    def forward(x):
        seen.append(len(x))
        return reference.relu.forward(x)

    model = network(replace(fast.ops, relu=Op(forward, reference.relu.backward)))
    model.forward(batch()[0])
    assert seen == [7, 7]


def test_a_layer_with_a_way_of_its_own_sees_the_whole_batch():
    class Centered(ReLU):
        def forward(self, x, *, training=False):
            return super().forward(x - x.mean(axis=0), training=training)

    model = network(of=lambda: [Flatten(), ReLU(), Centered(), ReLU(), Affine(CLASSES)])
    x, _ = batch()
    flat = np.maximum(x.reshape(7, -1), 0)
    model.forward(x)
    assert shares(model) == [2, 2, 1, 2, 2]
    expected = np.maximum(flat - flat.mean(axis=0), 0) @ model.layers[-1].params["w"]
    np.testing.assert_allclose(model.forward(x), expected)


def test_the_answer_alone_leaves_nothing_behind():
    model, plain = network(), network(reference)
    x, _ = batch()
    np.testing.assert_allclose(model.predict_scores(x), plain.forward(x), rtol=1e-9)
    assert set(shares(model)) == {0}


def test_much_work_and_large_layers_go_layer_by_layer(monkeypatch):
    monkeypatch.setattr(stretch, "_MOST", 10)
    model = network()
    model.forward(batch()[0])
    assert set(shares(model)) == {1}
    monkeypatch.undo()
    monkeypatch.setattr(stretch, "_LARGEST", 200)
    assert [len(one.layers) for one in network()._stretches] == [4, 1, 1, 2, 1, 1, 2]


def test_little_work_is_not_worth_a_thread(monkeypatch):
    monkeypatch.setattr(stretch, "_LEAST", 10**6)
    model = network()
    model.forward(batch()[0])
    assert set(shares(model)) == {1}


@pytest.mark.parametrize("shape", [(6, CLASSES), (7, 2)])
def test_what_does_not_fit_is_told_the_shape_of_the_whole(shape):
    model = network()
    model.forward(batch()[0])
    with pytest.raises(ShapeError, match=r"the output's shape \(7, 3\), got"):
        model.backward(np.ones(shape))


def test_an_error_in_one_share_arrives():
    model = network(dtype=np.float32)
    x = batch()[0].astype(np.float32)
    x[-1] = 1e38
    with np.errstate(over="raise", invalid="raise"), pytest.raises(FloatingPointError):
        model.forward(x)
