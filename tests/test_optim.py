import pickle

import numpy as np
import pytest

from cnnlab import optim
from cnnlab.layers import L2, Affine, Conv, Flatten
from cnnlab.model import Sequential
from cnnlab.optim import SGD, Adam, Optimizer, Plateau, Steps, WarmUp, cosine, name_of


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


def test_an_optimizer_of_no_kind_moves_nothing():
    model = one_by_one(1, 1)
    set_gradients(model, w=1.0, b=1.0)
    with pytest.raises(NotImplementedError):
        Optimizer(model, learning_rate=0.1).step()
    assert values(model) == [1, 1]


# Nesterov's momentum


def test_two_steps_of_nesterov_by_hand():
    model = one_by_one(w=1.0, b=2.0)
    optimizer = SGD(model, learning_rate=0.1, momentum=0.5, nesterov=True)
    set_gradients(model, w=4.0, b=-2.0)
    optimizer.step()
    # v = −0.4 and 0.2, then w + 0.5·v − 0.1·g
    assert values(model) == pytest.approx([1 - 0.2 - 0.4, 2 + 0.1 + 0.2])
    set_gradients(model, w=1.0, b=0.0)
    optimizer.step()
    # v = 0.5·−0.4 − 0.1·1 = −0.3 and 0.1
    assert values(model) == pytest.approx([0.4 - 0.15 - 0.1, 2.3 + 0.05])
    assert "nesterov=True" in repr(optimizer)


def test_nesterov_is_a_gradient_taken_where_the_velocity_leads():
    # As Sutskever writes it, on the loss a/2·(x − 3)²: the weight of ours stands at x + μ·v.
    a, rate, momentum = 0.7, 0.3, 0.8
    x, v = 1.0, 0.0
    model = one_by_one(w=x, b=0.0)
    optimizer = SGD(model, learning_rate=rate, momentum=momentum, nesterov=True)
    for _ in range(10):
        v = momentum * v - rate * a * (x + momentum * v - 3)
        x = x + v
        set_gradients(model, w=a * (values(model)[0] - 3), b=0.0)
        optimizer.step()
        assert values(model)[0] == pytest.approx(x + momentum * v)


# Adam


def test_two_steps_of_adam_by_hand():
    model = one_by_one(w=1.0, b=2.0)
    optimizer = Adam(model, learning_rate=0.1, betas=(0.5, 0.75), eps=1.0)
    set_gradients(model, w=4.0, b=-2.0)
    optimizer.step()
    # m̂ = 2 / 0.5 = 4 and ŝ = 4 / 0.25 = 16; −1 / 0.5 = −2 and 1 / 0.25 = 4
    assert values(model) == pytest.approx([1 - 0.1 * 4 / (4 + 1), 2 + 0.1 * 2 / (2 + 1)])
    before = values(model)
    set_gradients(model, w=1.0, b=0.0)
    optimizer.step()
    # m = 0.5·2 + 0.5·1 = 1.5, s = 0.75·4 + 0.25·1 = 3.25; divided by 0.75 and by 0.4375
    change = 0.1 * 2 / (np.sqrt(3.25 / 0.4375) + 1)
    assert values(model)[0] == pytest.approx(before[0] - change)
    change = 0.1 * (-0.5 / 0.75) / (np.sqrt(0.75 / 0.4375) + 1)
    assert values(model)[1] == pytest.approx(before[1] - change)


def test_adam_agrees_with_a_loop_over_single_weights():
    rng = np.random.default_rng(0)
    model = Sequential([Affine(2)], (3,), rng=rng, dtype=np.float64)
    optimizer = Adam(model, learning_rate=0.01, weight_decay=0.1)
    w = [*model.parameters()["0.affine.w"].ravel().tolist(), 0.0, 0.0]  # the biases last
    m, s = [0.0] * 8, [0.0] * 8
    for t in range(1, 6):
        x, y = rng.normal(size=(4, 3)), rng.integers(0, 2, 4)
        _, gradients = model.loss_and_gradients(x, y)
        flat = np.concatenate([g.ravel() for g in gradients.values()]).tolist()
        for i in range(8):
            g = flat[i] + (0.1 * w[i] if i < 6 else 0)
            m[i] = 0.9 * m[i] + 0.1 * g
            s[i] = 0.999 * s[i] + 0.001 * g * g
            w[i] -= 0.01 * m[i] / (1 - 0.9**t) / ((s[i] / (1 - 0.999**t)) ** 0.5 + 1e-8)
        optimizer.step()
    found = np.concatenate([p.ravel() for p in model.parameters().values()])
    np.testing.assert_allclose(found, w, rtol=1e-12)


def test_adam_keeps_float32_and_shows_what_it_remembers():
    model = Sequential([Affine(2)], (3,), rng=np.random.default_rng(0))
    optimizer = Adam(model, learning_rate=0.1)
    with pytest.raises(RuntimeError, match="needs gradients"):
        optimizer.step()
    assert optimizer.steps == 0, "a step that failed is none"
    model.loss_and_gradients(np.ones((4, 3)), np.zeros(4, int))
    optimizer.step()
    names = {f"{kind}.0.affine.{p}" for kind in ("mean", "square") for p in "wb"}
    assert optimizer.state().keys() == names | {"steps"}
    assert optimizer.state()["steps"] == 1
    assert {a.dtype for name, a in optimizer.state().items() if name != "steps"} == {
        np.dtype(np.float32)
    }
    assert model.parameters()["0.affine.w"].dtype == np.float32
    assert repr(optimizer) == (
        "Adam(learning_rate=0.1, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.0)"
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"learning_rate": -1}, r"learning_rate must .* got -1"),
        ({"betas": (1, 0.9)}, r"the first beta must .* less than 1, got 1"),
        ({"betas": (0.9, -0.1)}, r"the second beta must .* at least 0 .* got -0\.1"),
        ({"eps": -1e-8}, r"eps must .* got -1e-08"),
        ({"weight_decay": np.nan}, r"weight_decay must .* got nan"),
    ],
    ids=str,
)
def test_adam_refuses_values_that_make_no_sense(options, words):
    with pytest.raises(ValueError, match=words):
        Adam(one_by_one(1, 1), **options)


# Schedules


def test_cosine_falls_from_one_to_zero():
    shares = [cosine(p) for p in np.linspace(0, 1, 101)]
    assert shares[0] == 1
    assert shares[50] == pytest.approx(0.5)
    assert shares[-1] == pytest.approx(0)
    assert (np.diff(shares) < 0).all()


def test_steps_fall_at_their_times():
    schedule = Steps(at=(0.25, 0.5), factor=0.1)
    assert [schedule(p) for p in (0, 0.24, 0.25, 0.49)] == [1, 1, 0.1, 0.1]
    assert schedule(0.5) == schedule(1.0) == pytest.approx(0.01)
    assert str(schedule) == "÷10 after 25 %, 50 % of the steps"


def test_a_plateau_reduces_after_epochs_without_a_better_accuracy():
    accuracies = [0.5, 0.6, 0.6, 0.55, 0.7, 0.7, 0.69, 0.6, 0.7]
    shares = [Plateau(patience=2)(0.0, accuracies[:n]) for n in range(len(accuracies) + 1)]
    # Two without a best after 0.6; 0.7 is a best; then two more, and, counted anew, two more.
    assert shares == pytest.approx([1, 1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.001])
    assert str(Plateau()) == "÷10 after 3 epochs without a better validation accuracy"
    assert str(Plateau(0.5, 1)) == "÷2 after 1 epoch without a better validation accuracy"


def test_a_plateau_needs_validation():
    with pytest.raises(ValueError, match=r"Plateau\(.*\) looks at .* got no validation images"):
        Plateau()(0.0)
    with pytest.raises(ValueError, match="got no validation images"):
        WarmUp(Plateau())(0.0, None)


def test_a_warm_up_rises_and_then_follows():
    schedule = WarmUp(Plateau(patience=1), share=0.5)
    assert [schedule(p, []) for p in (0, 0.25, 0.5, 1)] == [0, 0.5, 1, 1]
    assert schedule(1.0, [0.5, 0.4]) == 0.1
    assert str(WarmUp(cosine)) == "rising for 5 % of the steps, then cosine"


def test_schedules_are_values():
    for schedule in (None, cosine, Steps(), Plateau(), WarmUp(Steps())):
        assert pickle.loads(pickle.dumps(schedule)) == schedule
    assert name_of(Plateau()) == str(Plateau())


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Steps(at=(0.5, 1.5)), r"every time in at must be more than 0 .* got 1\.5"),
        (lambda: Steps(factor=10), r"factor must be more than 0 and less than 1, got 10"),
        (lambda: Plateau(factor=0), r"factor must .* got 0"),
        (lambda: Plateau(patience=0), r"patience must be a whole number .* got 0"),
        (lambda: WarmUp(cosine, share=1), r"share must .* got 1"),
        (lambda: WarmUp(cosine, share="half"), r"share must be a finite number, got 'half'"),
    ],
)
def test_schedules_refuse_values_that_make_no_sense(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize("kind", [SGD, Adam])
@pytest.mark.parametrize("layout", [np.ascontiguousarray, np.asfortranarray])
def test_pieces_and_the_layout_of_a_parameter_do_not_matter(kind, layout, monkeypatch):
    def trained(layout):
        model = Sequential([Affine(7)], (5,), rng=np.random.default_rng(0), dtype=np.float64)
        layer = model.layers[0]
        layer.params["w"] = layout(layer.params["w"])
        optimizer = kind(model, learning_rate=0.1, weight_decay=0.3)
        for seed in range(3):
            rng = np.random.default_rng(seed)
            layer.grads = {name: rng.normal(size=p.shape) for name, p in layer.params.items()}
            optimizer.step()
        return layer.params

    whole = trained(np.ascontiguousarray)
    monkeypatch.setattr(optim, "_PIECE", 4)
    for name, parameter in trained(layout).items():
        np.testing.assert_array_equal(parameter, whole[name])
