import numpy as np
import pytest

from cnnlab import data
from cnnlab.data import Standardize
from cnnlab.layers import Affine, BatchNorm, Conv, Dropout, Flatten, ReLU, Sigmoid, Tanh
from cnnlab.model import Sequential
from cnnlab.optim import SGD
from cnnlab.train import Trainer, activations, statistics

rng = np.random.default_rng(0)
X, Y = 2 * rng.normal(size=(20, 6)), rng.integers(0, 3, 20)


def network(*layers, shape=(6,), dtype=np.float64):
    return Sequential([*layers, Affine(3)], shape, rng=np.random.default_rng(1), dtype=dtype)


def test_activations_are_what_each_layer_puts_out():
    model = network(Affine(4), ReLU())
    (first, a), (second, b), (third, c) = activations(model, X)
    assert (first, second, third) == ("0.affine", "1.relu", "2.affine")
    params = model.parameters()
    np.testing.assert_allclose(a, X @ params["0.affine.w"] + params["0.affine.b"])
    np.testing.assert_array_equal(b, np.maximum(a, 0))
    np.testing.assert_array_equal(c, model.forward(X))


def test_activations_are_in_the_dtype_of_the_network():
    assert {a.dtype for _, a in activations(network(ReLU(), dtype=np.float32), X)} == {
        np.dtype(np.float32)
    }


def test_activations_may_be_those_of_training():
    model = network(Dropout(0.5))
    assert (activations(model, X)[0][1] == X).all()
    assert (activations(model, X, training=True)[0][1] == 0).any()


def test_statistics_by_hand():
    model = network(Tanh(), ReLU())
    found = statistics(model, X, Y)
    tanh, relu, affine = found.rows
    w, b = model.parameters().values()
    out = np.maximum(np.tanh(X), 0)
    scores = out @ w + b
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    dscores = (p - np.eye(3)[Y]) / 20
    dw, db = out.T @ dscores, dscores.sum(axis=0)
    dout = dscores @ w.T
    assert [row.layer for row in found.rows] == ["0.tanh", "1.relu", "2.affine"]
    assert tanh.mean == pytest.approx(np.tanh(X).mean())
    assert tanh.std == pytest.approx(np.tanh(X).std())
    assert tanh.saturated == (abs(np.tanh(X)) > 0.99).mean() > 0
    assert tanh.dout == pytest.approx(np.where(X > 0, dout, 0).std())
    assert relu.zeros == (X <= 0).mean()
    assert (tanh.zeros, relu.saturated, relu.gradient, relu.ratio) == (0, None, None, None)
    assert relu.dout == pytest.approx(dout.std())
    assert affine.dout == pytest.approx(dscores.std())
    norm = np.sqrt((dw**2).sum() + (db**2).sum())
    assert affine.gradient == pytest.approx(norm)
    assert affine.ratio == pytest.approx(norm / np.sqrt((w**2).sum()))


def test_a_saturated_sigmoid_is_seen_on_both_sides():
    x = np.repeat([[-9.0], [-1.0], [1.0], [9.0]], 6, axis=1)
    (row, _) = statistics(network(Sigmoid()), x, Y[:4]).rows
    assert row.saturated == 0.5


def test_weights_of_nothing_have_no_ratio():
    model = network(ReLU())
    for array in model.parameters().values():
        array[...] = 0
    assert statistics(model, X, Y).rows[-1].ratio is None


def test_statistics_read_as_a_table():
    text = str(statistics(network(Tanh(), ReLU()), X, Y))
    head, first, *_ = text.splitlines()
    assert head.split("  ")[0] == "layer"
    assert "saturated" in head
    assert first.startswith("0.tanh")
    assert len(text.splitlines()) == 4
    assert "<table>" in statistics(network(ReLU()), X, Y)._repr_html_()


def test_watching_changes_nothing():
    train, _ = data.load("fashion-mnist-small")
    preprocess = Standardize.fit(train.images)
    few = train[:100]

    def run(on_epoch):
        rng = np.random.default_rng(0)
        layers = [Conv(2, 4, stride=4), BatchNorm(), ReLU(), Flatten(), Dropout(0.5), Affine(10)]
        model = Sequential(layers, (28, 28, 1), rng=rng)
        learner = Trainer(model, SGD(model, learning_rate=0.1), preprocess=preprocess, rng=rng)
        history = learner.fit(few, epochs=3, on_epoch=on_epoch and (lambda _: on_epoch(model)))
        return history.step_losses, [p.tobytes() for p in model.parameters().values()]

    found = []

    def watch(model):
        found.append(statistics(model, preprocess(few.images), few.labels))

    assert run(watch) == run(None)
    assert len(found) == 3
    assert found[0] != found[2]
