import numpy as np
import pytest

from cnnlab.layers import L2, Affine, Conv, Flatten
from cnnlab.model import Sequential
from cnnlab.optim import SGD, cosine


def one_by_one(w, b):
    """A network with one weight and one bias."""
    model = Sequential([Affine(1)], (1,), rng=np.random.default_rng(0), dtype=np.float64)
    model.parameters()["0.affine.w"][...] = w
    model.parameters()["0.affine.b"][...] = b
    return model


def set_gradients(model, w, b):
    model.layers[0].grads = {"w": np.array([[w]]), "b": np.array([b])}


def values(model):
    return [float(p.item()) for p in model.parameters().values()]


def test_two_steps_by_hand():
    model = one_by_one(w=1.0, b=2.0)
    optimizer = SGD(model, learning_rate=0.1, momentum=0.5)
    set_gradients(model, w=4.0, b=-2.0)
    optimizer.step()
    # v = −0.1·4 = −0.4 and −0.1·−2 = 0.2
    assert values(model) == pytest.approx([0.6, 2.2])
    set_gradients(model, w=1.0, b=0.0)
    optimizer.step()
    # v = 0.5·−0.4 − 0.1·1 = −0.3 and 0.5·0.2 = 0.1
    assert values(model) == pytest.approx([0.3, 2.3])


def test_weight_decay_by_hand_spares_the_bias():
    model = one_by_one(w=10.0, b=10.0)
    set_gradients(model, w=1.0, b=1.0)
    SGD(model, learning_rate=0.1, momentum=0.0, weight_decay=0.2).step()
    # w − 0.1·(1 + 0.2·10) and b − 0.1·1
    assert values(model) == pytest.approx([9.7, 9.9])


def test_weight_decay_is_the_gradient_of_the_l2_penalty():
    model = one_by_one(w=10.0, b=10.0)
    penalty = L2(0.2)
    loss = penalty.forward(model.parameters()["0.affine.w"])
    assert loss == pytest.approx(0.1 * 100)
    (change,) = 0.1 * penalty.backward().ravel()
    set_gradients(model, w=0.0, b=0.0)
    SGD(model, learning_rate=0.1, momentum=0.0, weight_decay=0.2).step()
    assert values(model) == pytest.approx([10 - change, 10.0])


def test_without_momentum_nothing_is_remembered():
    model = one_by_one(w=1.0, b=1.0)
    optimizer = SGD(model, learning_rate=0.1, momentum=0.0)
    for _ in range(2):
        set_gradients(model, w=1.0, b=0.0)
        optimizer.step()
    assert values(model) == pytest.approx([0.8, 1.0])


def test_the_learning_rate_may_change_between_steps():
    model = one_by_one(w=1.0, b=1.0)
    optimizer = SGD(model, learning_rate=0.1)
    optimizer.learning_rate = 0.0
    set_gradients(model, w=1.0, b=1.0)
    optimizer.step()
    assert values(model) == [1.0, 1.0]


def test_the_defaults_are_those_of_the_lecture():
    optimizer = SGD(one_by_one(1, 1), learning_rate=0.01)
    assert repr(optimizer) == "SGD(learning_rate=0.01, momentum=0.9, weight_decay=0.0)"


def test_a_real_network_is_changed_in_place_and_keeps_its_dtype():
    rng = np.random.default_rng(0)
    model = Sequential([Conv(3, 3), Flatten(), Affine(4)], (5, 5, 2), rng=rng)
    optimizer = SGD(model, learning_rate=0.05, weight_decay=0.01)
    arrays = model.parameters()
    before = {name: p.copy() for name, p in arrays.items()}
    x, y = rng.normal(size=(6, 5, 5, 2)), rng.integers(0, 4, 6)
    first, _ = model.loss_and_gradients(x, y)
    for _ in range(20):
        model.loss_and_gradients(x, y)
        optimizer.step()
    last, _ = model.loss_and_gradients(x, y)
    assert last < first / 2
    for name, array in model.parameters().items():
        assert array is arrays[name]
        assert array.dtype == optimizer.state()[name].dtype == np.float32
        assert (array != before[name]).any()


def test_a_step_needs_gradients():
    optimizer = SGD(one_by_one(1, 1), learning_rate=0.1)
    with pytest.raises(RuntimeError, match=r"needs gradients: call model\.loss_and_gradients"):
        optimizer.step()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"learning_rate": -0.1},
            r"learning_rate must be a finite number of at least 0, got -0\.1",
        ),
        ({"learning_rate": np.nan}, r"learning_rate .* got nan"),
        ({"learning_rate": np.inf}, r"learning_rate .* got inf"),
        ({"learning_rate": "0.1"}, r"learning_rate .* got '0\.1'"),
        ({"learning_rate": 0.1, "momentum": -0.9}, r"momentum must be .* at least 0 .* got -0\.9"),
        ({"learning_rate": 0.1, "momentum": 1}, r"less than 1, got 1"),
        ({"learning_rate": 0.1, "weight_decay": -5e-4}, r"weight_decay must .* got -0\.0005"),
    ],
    ids=str,
)
def test_values_that_make_no_sense_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        SGD(one_by_one(1, 1), **options)


def test_cosine_falls_from_one_to_zero():
    shares = [cosine(p) for p in np.linspace(0, 1, 101)]
    assert shares[0] == 1
    assert shares[50] == pytest.approx(0.5)
    assert shares[-1] == pytest.approx(0)
    assert (np.diff(shares) < 0).all()
