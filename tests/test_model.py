import io
import pickle
import re
from dataclasses import replace

import numpy as np
import pytest

from cnnlab.gradcheck import check_model
from cnnlab.layers import (
    Affine,
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    HingeLoss,
    MaxPool,
    ReLU,
    SoftmaxLoss,
)
from cnnlab.model import ModelFileError, Sequential
from cnnlab.ops import Op, hinge_loss_backward, hinge_loss_forward, reference, softmax_forward
from cnnlab.shapes import ShapeError

IMAGE = (6, 8, 2)


def small(seed=0, *, filters=3, **options):
    layers = [Conv(filters, 3, pad=1), ReLU(), MaxPool(2), Flatten(), Affine(5)]
    return Sequential(layers, IMAGE, rng=np.random.default_rng(seed), **options)


def batch(N=4, dtype=np.float32):
    rng = np.random.default_rng(1)
    return rng.normal(size=(N, *IMAGE)).astype(dtype), rng.integers(0, 5, N)


# Putting layers together


def test_every_layer_reads_what_the_one_before_it_wrote():
    model = small()
    assert model.shapes == [IMAGE, (6, 8, 3), (6, 8, 3), (3, 4, 3), (36,), (5,)]
    assert (model.input_shape, model.output_shape) == (IMAGE, (5,))
    x, _ = batch()
    by_hand = x
    for layer in model.layers:
        by_hand = layer.forward(by_hand)
    np.testing.assert_array_equal(model.forward(x), by_hand)
    assert by_hand.shape == (4, 5)


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        (
            lambda: [Conv(4, 3), ReLU(), MaxPool(5)],
            r"^layer 2, MaxPool\(5\), does not fit its input of 4×6×4: .*window of 5",
        ),
        (
            lambda: [MaxPool(2), Affine(10)],
            r"^layer 1, Affine\(10\), does not fit its input of 3×4×2: .*Flatten\(\)",
        ),
        (
            lambda: [Flatten(), Conv(4, kernel_size=3)],
            r"^layer 1, Conv\(4, kernel_size=3\), does not fit its input of 96: .*volume",
        ),
        (
            lambda: [Conv(4, 3, stride=2)],
            r"^layer 0, Conv\(4, kernel_size=3, stride=2\).*6×8×2:.*Inputs of 5 or 7 would fit",
        ),
    ],
    ids=["pool", "affine", "conv", "stride"],
)
def test_a_size_that_does_not_fit_names_the_layer(layers, words):
    layers = layers()
    with pytest.raises(ShapeError, match=words):
        Sequential(layers, IMAGE, rng=np.random.default_rng(0))
    assert not any(layer.is_built for layer in layers), "they can be used in the next attempt"


def test_a_layer_belongs_to_one_place_in_one_network():
    relu = ReLU()
    with pytest.raises(ValueError, match=r"new one, got layer 2, ReLU\(\), that is in use"):
        Sequential([relu, Flatten(), relu], IMAGE, rng=np.random.default_rng(0))
    model = small()
    with pytest.raises(ValueError, match=r"layer 0, Conv\(3, kernel_size=3, pad=1\)"):
        Sequential(model.layers, IMAGE, rng=np.random.default_rng(0))


def test_parameters_have_names_and_are_the_arrays_themselves():
    model = small()
    parameters = model.parameters()
    assert {name: p.shape for name, p in parameters.items()} == {
        "0.conv.w": (3, 3, 2, 3),
        "0.conv.b": (3,),
        "4.affine.w": (36, 5),
        "4.affine.b": (5,),
    }
    assert model.decayed() == {"0.conv.w", "4.affine.w"}
    assert model.parameter_count == 3 * 3 * 2 * 3 + 3 + 36 * 5 + 5
    x, _ = batch()
    before = model.forward(x)
    parameters["4.affine.b"] += 1
    np.testing.assert_allclose(model.forward(x), before + 1, atol=1e-5)


def test_the_generator_decides_the_weights():
    same, again, other = small(0), small(0), small(1)
    for name, array in same.parameters().items():
        np.testing.assert_array_equal(array, again.parameters()[name])
    assert (same.parameters()["0.conv.w"] != other.parameters()["0.conv.w"]).all()


@pytest.mark.parametrize(
    ("layers", "input_shape", "options", "error", "words"),
    [
        (ReLU(), IMAGE, {}, TypeError, r"layers must be a list of layers, got ReLU\(\)"),
        ([ReLU], IMAGE, {}, TypeError, r"layer 0 must be a layer, got <class .*ReLU'>"),
        ([], 3, {}, TypeError, r"input_shape must be \(height, width, channels\) .*, got 3"),
        ([], (28, 28.0, 1), {}, ShapeError, r"every size of input_shape must be .* got 28\.0"),
        ([], (28, 0, 1), {}, ShapeError, r"every size of input_shape must be .* got 0"),
        ([], IMAGE, {"dtype": np.int64}, TypeError, r"floating-point type, got int64"),
        ([], IMAGE, {"loss": SoftmaxLoss}, TypeError, r"loss such as SoftmaxLoss\(\), got <class"),
        ([], IMAGE, {"ops": "mine"}, TypeError, r"ops must be a table of operations.* got 'mine'"),
        ([ReLU()], IMAGE, {"rng": 0}, TypeError, r"rng must be a generator such as .*, got int"),
    ],
    ids=["layer", "class", "number", "fraction", "zero", "integers", "loss", "ops", "seed"],
)
def test_what_a_network_is_made_of_is_checked(layers, input_shape, options, error, words):
    with pytest.raises(error, match=words):
        Sequential(layers, input_shape, **{"rng": np.random.default_rng(0), **options})


# Forward and backward


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_everything_is_computed_in_the_dtype_of_the_network(dtype):
    model = small(dtype=dtype)
    x, y = batch(dtype=np.float64)
    assert model.forward(x).dtype == dtype
    _, gradients = model.loss_and_gradients(x, y)
    assert {g.dtype for g in gradients.values()} == {np.dtype(dtype)}
    assert {p.dtype for p in model.parameters().values()} == {np.dtype(dtype)}


def test_gradients_agree_with_differences():
    model = small(dtype=np.float64)
    x, y = batch(dtype=np.float64)
    loss, gradients = model.loss_and_gradients(x, y)
    dx = model.backward(model.loss(model.forward(x), y)[1])
    gradients = {"x": dx} | {name: g.copy() for name, g in gradients.items()}
    rng = np.random.default_rng(2)
    for name, array in {"x": x, **model.parameters()}.items():
        step = 1e-6 * rng.normal(size=array.shape)
        array += step
        up, _ = model.loss(model.forward(x), y)
        array -= 2 * step
        down, _ = model.loss(model.forward(x), y)
        array += step
        np.testing.assert_allclose((up - down) / 2, (gradients[name] * step).sum(), rtol=1e-5)
    assert isinstance(loss, float)


def test_the_loss_goes_through_the_table():
    def forward(x, y):
        loss, cache = reference.softmax_loss.forward(x, y)
        return 3 * loss, cache

    def backward(dout, cache):
        return reference.softmax_loss.backward(3 * dout, cache)

    x, y = batch()
    loss, gradients = small().loss_and_gradients(x, y)
    mine = small(ops=replace(reference, softmax_loss=Op(forward, backward)))
    my_loss, my_gradients = mine.loss_and_gradients(x, y)
    assert my_loss == pytest.approx(3 * loss)
    np.testing.assert_allclose(my_gradients["0.conv.w"], 3 * gradients["0.conv.w"], rtol=1e-4)


def test_another_loss_can_be_chosen():
    x, y = batch(dtype=np.float64)
    model = small(dtype=np.float64, loss=HingeLoss(margin=2.0))
    scores = model.forward(x)
    expected, cache = hinge_loss_forward(scores, y, margin=2.0)
    loss, dscores = model.loss(scores, y)
    assert loss == expected
    np.testing.assert_array_equal(dscores, hinge_loss_backward(1.0, cache))


def normalized(seed=0, **options):
    layers = [Conv(3, 3, pad=1), BatchNorm(), ReLU(), Flatten(), Dropout(), Affine(5)]
    return Sequential(layers, IMAGE, rng=np.random.default_rng(seed), **options)


def test_a_network_knows_its_buffers_and_its_chance():
    model = normalized()
    assert list(model.buffers()) == ["1.batchnorm.mean", "1.batchnorm.var"]
    assert not model.buffers().keys() & model.parameters().keys()
    assert model.generators() == [model.layers[4].rng]
    x, y = batch()
    model.predict_scores(x)
    assert not model.buffers()["1.batchnorm.mean"].any(), "looking changes nothing"
    model.loss_and_gradients(x, y)
    assert model.buffers()["1.batchnorm.mean"].all()


def test_dropout_acts_in_training_only():
    model = normalized()
    x, _ = batch()
    first, second = model.forward(x, training=True), model.forward(x, training=True)
    assert (first != second).any()
    np.testing.assert_array_equal(model.forward(x), model.forward(x))


@pytest.mark.parametrize("directions", [None, 3])
def test_a_network_with_normalization_and_dropout_passes_the_gradient_check(directions):
    model = normalized(dtype=np.float64)
    before = {name: array.copy() for name, array in model.buffers().items()}
    state = model.generators()[0].bit_generator.state
    x, y = batch(N=3, dtype=np.float64)
    report = check_model(model, x, y, rng=np.random.default_rng(2), directions=directions)
    # What batch norm subtracts, the biases before it cannot change: their gradient is zero.
    undecided = {finding.name for finding in report.findings if finding.verdict != "right"}
    assert undecided == {"0.conv.b"}, str(report)
    assert report["0.conv.b"].verdict == "not decidable here"
    assert model.generators()[0].bit_generator.state == state
    for name, array in model.buffers().items():
        np.testing.assert_array_equal(array, before[name])


def test_training_is_told_to_every_layer(monkeypatch):
    model, told = small(), []
    for layer in model.layers:
        plain = layer._forward
        monkeypatch.setattr(
            layer, "_forward", lambda x, training, f=plain: told.append(training) or f(x, training)
        )
    x, y = batch()
    model.forward(x)
    assert told == [False] * 5
    model.loss_and_gradients(x, y)
    assert told == [False] * 5 + [True] * 5


@pytest.mark.parametrize(
    ("x", "error", "words"),
    [
        (np.zeros(IMAGE), ShapeError, r"shape \(N, 6, 8, 2\), a batch of inputs, got \(6, 8, 2\)"),
        (np.zeros((3, 8, 6, 2)), ShapeError, r"got \(3, 8, 6, 2\)"),
        (np.zeros((3, *IMAGE), np.uint8), TypeError, r"floating-point.*got uint8: preprocess"),
    ],
    ids=["one-image", "turned", "pixels"],
)
def test_forward_says_what_is_wrong_with_its_input(x, error, words):
    with pytest.raises(error, match=words):
        small().forward(x)


# Predictions


def test_predictions_do_not_depend_on_the_batch_size():
    model = small()
    x, _ = batch(N=10)
    scores = model.forward(x)
    for batch_size in (1, 3, 10, 256):
        found = model.predict_scores(x, batch_size=batch_size)
        np.testing.assert_allclose(found, scores, rtol=1e-5, atol=1e-6)
    probabilities = model.predict_probabilities(x, batch_size=3)
    np.testing.assert_allclose(probabilities, softmax_forward(scores)[0], rtol=1e-5)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    assert model.predict(x, batch_size=4).tolist() == scores.argmax(axis=1).tolist()


def test_a_forward_pass_begins_with_empty_hands():
    held = []

    class Watching(ReLU):
        def forward(self, x, *, training=False):
            held.append([len(layer._caches) for layer in model.layers])
            return super().forward(x, training=training)

    model = Sequential([Watching(), ReLU()], (3,), rng=np.random.default_rng(0))
    model.forward(np.ones((2, 3), np.float32))
    model.forward(np.ones((2, 3), np.float32))
    assert held == [[0, 0], [0, 0]]


def test_predictions_leave_nothing_for_a_way_back():
    model = Sequential([Affine(4), ReLU()], (3,), rng=np.random.default_rng(0))
    model.predict(np.ones((2, 3), np.float32))
    with pytest.raises(RuntimeError, match="must see a forward pass"):
        model.backward(np.ones((2, 4), np.float32))


@pytest.mark.parametrize("batch_size", [0, 2.5, "all"])
def test_a_batch_holds_a_whole_number_of_images(batch_size):
    x, _ = batch()
    with pytest.raises(ValueError, match="batch_size must be a whole number of at least 1, got"):
        small().predict(x, batch_size=batch_size)


def test_predictions_of_nothing_are_nothing():
    x, _ = batch()
    assert small().predict_probabilities(x[:0]).shape == (0, 5)
    assert small().predict(x[:0]).shape == (0,)


# The summary


def test_the_summary_is_an_aligned_table():
    layers = [Conv(96, 11, stride=4), ReLU(), Flatten(), Affine(10)]
    model = Sequential(layers, (227, 227, 3), rng=np.random.default_rng(0))
    summary = model.summary()
    # AlexNet's first layer: 55×55×96 and 11·11·3·96 + 96 numbers to learn.
    assert str(summary).split("\n") == [
        "   layer                               output     parameters    memory",
        "   input                               227×227×3           0  618.3 KB",
        "0  Conv(96, kernel_size=11, stride=4)  55×55×96       34,944    1.2 MB",
        "1  ReLU()                              55×55×96            0    1.2 MB",
        "2  Flatten()                           290400              0    1.2 MB",
        "3  Affine(10)                          10          2,904,010      40 B",
        "   total                                           2,938,954    4.1 MB",
    ]
    assert summary.parameters == model.parameter_count == 2_938_954
    assert summary.rows[1].shape == (55, 55, 96)
    assert summary.rows[1].memory == 55 * 55 * 96 * 4
    assert summary.memory == 4 * (227 * 227 * 3 + 3 * 55 * 55 * 96 + 10)


def test_the_summary_counts_the_bytes_of_the_dtype():
    double, single = small(dtype=np.float64).summary(), small().summary()
    assert double.memory == 2 * single.memory


def test_the_summary_shows_in_a_notebook():
    class Odd(ReLU):
        def __repr__(self):
            return "Odd(<b>&)"

    text = Sequential([Odd()], IMAGE, rng=np.random.default_rng(0)).summary()._repr_html_()
    assert text.count("<tr>") == text.count("</tr>") == 4
    assert "Odd(&lt;b&gt;&amp;)" in text
    assert "6×8×2" in text


# Files


def test_a_saved_network_comes_back_exactly(tmp_path):
    model, other = small(0), small(1)
    model.save(tmp_path / "model.npz")
    other.load(tmp_path / "model.npz")
    x, _ = batch()
    np.testing.assert_array_equal(model.forward(x), other.forward(x))
    for name, array in model.parameters().items():
        np.testing.assert_array_equal(array, other.parameters()[name])
    assert [path.name for path in tmp_path.iterdir()] == ["model.npz"]


def test_running_statistics_are_saved_with_the_network(tmp_path):
    model, other = normalized(0), normalized(1)
    x, y = batch()
    model.loss_and_gradients(x, y)
    model.save(tmp_path / "model.npz")
    other.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(model.forward(x), other.forward(x))
    without = {**model.parameters(), "1.batchnorm.mean": np.zeros(3, np.float32)}
    (tmp_path / "model.npz").write_bytes(npz(**without))
    with pytest.raises(ModelFileError, match=r"1\.batchnorm\.var: missing in the file"):
        other.load(tmp_path / "model.npz")


def test_a_saved_network_is_plain_arrays(tmp_path):
    small().save(str(tmp_path / "model.npz"))
    with np.load(tmp_path / "model.npz", allow_pickle=False) as file:
        assert set(file.files) == set(small().parameters())


def test_an_interrupted_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "model.npz"
    small(0).save(path)
    before = path.read_bytes()

    def fail_half_way(file, **arrays):
        file.write(before[:100])
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", fail_half_way)
    with pytest.raises(KeyboardInterrupt):
        small(1).save(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["model.npz"]


def npz(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def saved(tmp_path, **changes):
    """The bytes of a good file, with some arrays replaced, or left out where None."""
    arrays = {**small(7).parameters(), **{k.replace("_", "."): v for k, v in changes.items()}}
    return npz(**{name: array for name, array in arrays.items() if array is not None})


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lambda good: b"", r"must be an \.npz file"),
        (lambda good: b"not a model", r"must be an \.npz file"),
        (lambda good: good[: len(good) // 2], r"complete and undamaged"),
        (lambda good: good[:400] + b"!!" + good[402:], r"complete and undamaged"),
        (lambda good: pickle.dumps({"0.conv.w": 1}), r"must be an \.npz file"),
        (lambda good: npy(np.zeros(3)), r"must be an \.npz file"),
        (lambda good: npz(weights=np.array([{}], object)), r"must be an \.npz file"),
        (lambda good: npz(weights=np.zeros(3)), r"0\.conv\.w: missing.*weights: not in the netw"),
    ],
    ids=["empty", "text", "cut", "flipped", "pickle", "npy", "objects", "foreign"],
)
def test_a_file_that_is_no_saved_network_is_refused(tmp_path, content, words):
    path = tmp_path / "model.npz"
    path.write_bytes(content(saved(tmp_path)))
    expect_refused(path, words)


def expect_refused(path, words):
    model = small()
    before = {name: array.copy() for name, array in model.parameters().items()}
    with pytest.raises(ModelFileError, match=re.escape(str(path)) + ".*" + words):
        model.load(path)
    for name, array in model.parameters().items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"4_affine_b": None}, r"differ in 4\.affine\.b: missing in the file\.$"),
        ({"9_conv_w": np.zeros(2)}, r"differ in 9\.conv\.w: not in the network\.$"),
        (
            {"0_conv_w": np.zeros((3, 3, 2, 4), np.float32)},
            r"0\.conv\.w: the network has \(3, 3, 2, 3\) float32, the file \(3, 3, 2, 4\) float32",
        ),
        (
            {"0_conv_b": np.zeros(3), "4_affine_b": None},
            r"0\.conv\.b:.*float32.*float64; 4\.affine\.b: missing in the file\.$",
        ),
    ],
    ids=["missing", "extra", "shape", "two-at-once"],
)
def test_parameters_of_another_network_are_refused(tmp_path, changes, words):
    path = tmp_path / "model.npz"
    path.write_bytes(saved(tmp_path, **changes))
    expect_refused(path, words)


def test_no_file_is_no_damaged_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        small().load(tmp_path / "model.npz")


def test_a_network_describes_itself():
    assert repr(small()) == "Sequential(5 layers, 242 parameters)"
