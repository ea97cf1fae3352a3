import itertools
import json
import sys
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
import safetensors.numpy
from onnx.reference import ReferenceEvaluator

from cnnlab import layers, zoo
from cnnlab.data import Standardize
from cnnlab.export import load_weights, save_weights, to_onnx
from cnnlab.export.layout import places
from cnnlab.layers import (
    ELU,
    LRN,
    Affine,
    AvgPool,
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    Layer,
    LeakyReLU,
    LocallyConnected,
    Maxout,
    MaxPool,
    PReLU,
    ReLU,
    Sigmoid,
    Softmax,
    Tanh,
    TiledConv,
)
from cnnlab.model import ModelFileError, Sequential
from cnnlab.ops import Op, reference
from cnnlab.shapes import ShapeError

VOLUME = (6, 9, 4)  # all sizes differ, so that no two axes can be mistaken for each other
ROW = (7,)


def alexnet_like():
    """All that AlexNet is made of, in small: two towers, overlapping pools, LRN, dropout."""
    return [
        *(Conv(8, 3, stride=2), ReLU(), LRN(alpha=0.1), MaxPool(3, stride=2)),
        *(Conv(12, (3, 1), pad=(1, 0), groups=2), ReLU(), MaxPool((3, 2), stride=2)),
        *(Flatten(), Dropout(0.5), Affine(9), ReLU(), Affine(5)),
    ]


# One network for each layer, and one for each thing that can go wrong between layers.
NETWORKS = {
    "conv": (lambda: [Conv(5, (3, 2), pad=(1, 2))], VOLUME),
    "conv-stride": (lambda: [Conv(3, (2, 3), stride=(2, 3))], VOLUME),
    "conv-groups": (lambda: [Conv(6, 3, groups=2)], VOLUME),
    "local": (lambda: [LocallyConnected(3, (2, 3), stride=(2, 1), pad=(1, 0))], VOLUME),
    "tiled": (lambda: [TiledConv(3, (3, 2), tile=(2, 3), pad=(1, 0))], VOLUME),
    "tiled-stride": (lambda: [TiledConv(3, 2, tile=(3, 4), stride=(2, 1), pad=1)], VOLUME),
    "tiled-evenly": (lambda: [TiledConv(5, 1, tile=3)], VOLUME),
    "max-pool": (lambda: [MaxPool(3)], VOLUME),
    "max-pool-overlapping": (lambda: [MaxPool((2, 3), stride=(4, 2))], VOLUME),
    "avg-pool": (lambda: [AvgPool((2, 3), stride=(1, 2))], VOLUME),
    "global-max-pool": (lambda: [GlobalMaxPool()], VOLUME),
    "global-avg-pool": (lambda: [GlobalAvgPool(), Flatten(), Affine(3)], VOLUME),
    "flatten": (lambda: [Flatten()], VOLUME),
    "affine": (lambda: [Affine(3)], ROW),
    "sigmoid": (lambda: [Sigmoid()], VOLUME),
    "tanh": (lambda: [Tanh()], VOLUME),
    "relu": (lambda: [ReLU()], VOLUME),
    "leaky-relu": (lambda: [LeakyReLU(0.1)], VOLUME),
    "prelu": (lambda: [PReLU()], VOLUME),
    "prelu-shared": (lambda: [PReLU(shared=True)], VOLUME),
    "prelu-row": (lambda: [PReLU()], ROW),
    "elu": (lambda: [ELU(0.5)], VOLUME),
    "maxout": (lambda: [Maxout(2)], VOLUME),
    "maxout-row": (lambda: [Maxout(3)], (12,)),
    "softmax": (lambda: [Softmax()], ROW),
    "softmax-volume": (lambda: [Softmax()], VOLUME),
    "batch-norm": (lambda: [BatchNorm(eps=0.1)], VOLUME),
    "batch-norm-row": (lambda: [BatchNorm()], ROW),
    "lrn": (lambda: [LRN(n=3, k=1.5, alpha=0.1, beta=0.6)], VOLUME),
    "lrn-row": (lambda: [LRN(alpha=0.1)], (3,)),
    "dropout": (lambda: [Dropout(0.9)], VOLUME),
    "nothing": (lambda: [], VOLUME),
    "flatten-affine": (lambda: [Flatten(), Affine(3)], VOLUME),
    "flatten-number-by-number": (
        lambda: [Flatten(), BatchNorm(), PReLU(), Dropout(), Flatten(), Affine(3)],
        VOLUME,
    ),
    "flatten-lrn": (lambda: [Flatten(), ReLU(), LRN(alpha=0.1), Affine(3)], VOLUME),
    "flatten-maxout": (lambda: [Flatten(), ReLU(), Maxout(3), Affine(3)], VOLUME),
    "flatten-softmax": (lambda: [Flatten(), Softmax()], VOLUME),
    "two-axes": (lambda: [BatchNorm(), Flatten(), Affine(3)], (5, 4)),
    "alexnet": (alexnet_like, (15, 19, 3)),
}
every_network = pytest.mark.parametrize("name", NETWORKS)


def network(name, seed=0, **options):
    """A network in which no array is left at 0 or 1."""
    make, input_shape = NETWORKS[name]
    rng = np.random.default_rng(seed)
    model = Sequential(make(), input_shape, rng=rng, **options)
    for array in (*model.parameters().values(), *model.buffers().values()):
        array += rng.uniform(0.1, 0.5, array.shape)
    return model


def batch(model, N=5):
    return np.random.default_rng(1).normal(size=(N, *model.input_shape)).astype(np.float32)


def channels_first(x):
    return np.ascontiguousarray(np.moveaxis(x, -1, 1))


def run(proto, x):
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(["output"], {"input": x})[0]


def assert_same(theirs, ours):
    assert theirs.shape == ours.shape
    # The same sums in another order. Measured over 20 seeds: at most 7e-7 of the largest
    # number, 6 units in its last place; a wrong order of the weights is off by about 1.
    largest = np.abs(ours).max(initial=1e-6)
    np.testing.assert_allclose(theirs / largest, ours / largest, rtol=0, atol=2e-6)


# ONNX


@every_network
def test_onnxruntime_gives_the_same_outputs(name):
    model = network(name)
    proto = to_onnx(model)
    onnx.checker.check_model(proto, full_check=True)
    for N in (1, 5, 0):
        x = batch(model, N)
        assert_same(run(proto, channels_first(x)), channels_first(model.forward(x)))


# The evaluator of onnx 1.23 runs its sum for LRN over the images in place of the channels.
@pytest.mark.parametrize("name", [n for n in NETWORKS if "lrn" not in n and n != "alexnet"])
def test_the_reference_evaluator_gives_the_same_outputs(name):
    model = network(name)
    x = batch(model)
    (theirs,) = ReferenceEvaluator(to_onnx(model)).run(None, {"input": channels_first(x)})
    assert_same(theirs, channels_first(model.forward(x)))


def test_the_convnet_of_the_course_gives_the_same_scores():
    model = zoo.convnet((28, 28, 1), 10, rng=np.random.default_rng(0))
    x = batch(model)
    assert_same(run(to_onnx(model), channels_first(x)), model.forward(x))


def test_every_layer_is_exported():
    kinds = {
        kind
        for kind in vars(layers).values()
        if isinstance(kind, type) and issubclass(kind, Layer) and kind is not Layer
    }
    tried = {type(layer) for make, _ in NETWORKS.values() for layer in make()}
    assert kinds == tried


class Mine(ReLU):
    """Looks like a layer that can be exported, and is another."""


@pytest.mark.parametrize("convert", [to_onnx, save_weights, load_weights])
def test_a_layer_of_your_own_is_refused_by_name(convert, tmp_path):
    model = Sequential([Flatten(), Mine()], VOLUME, rng=np.random.default_rng(0))
    with pytest.raises(TypeError, match=r"layer 1 must be one of .*cnnlab\.layers.*got Mine\(\)"):
        convert(model, tmp_path / "file")
    assert not list(tmp_path.iterdir())


def test_weights_have_the_names_and_the_layout_of_the_file(tmp_path):
    model = network("alexnet")
    save_weights(model, tmp_path / "weights")
    saved = safetensors.numpy.load_file(tmp_path / "weights")
    constants = {c.name: onnx.numpy_helper.to_array(c) for c in to_onnx(model).graph.initializer}
    assert saved.keys() == constants.keys()
    for name, array in saved.items():
        np.testing.assert_array_equal(constants[name], array)


def test_the_model_says_what_it_reads_and_writes():
    proto = to_onnx(network("alexnet"), class_names=["à la mode", "b", "c", "d", "e"])
    read, written = proto.graph.input[0], proto.graph.output[0]
    sizes = [d.dim_param or d.dim_value for d in read.type.tensor_type.shape.dim]
    assert (read.name, sizes) == ("input", ["N", 3, 15, 19])
    sizes = [d.dim_param or d.dim_value for d in written.type.tensor_type.shape.dim]
    assert (written.name, sizes) == ("output", ["N", 5])
    properties = {entry.key: entry.value for entry in proto.metadata_props}
    assert json.loads(properties["class_names"]) == ["à la mode", "b", "c", "d", "e"]
    assert (proto.producer_name, proto.opset_import[0].version, proto.ir_version) == (
        *("cnnlab", 17, 8),
    )


def test_pixels_are_standardized_inside():
    model = network("alexnet")
    images = np.random.default_rng(2).integers(0, 256, (4, *model.input_shape), np.uint8)
    preprocess = Standardize((120.0, 90.5, 33.0), (50.0, 60.25, 7.0))
    proto = to_onnx(model, preprocess=preprocess)
    onnx.checker.check_model(proto, full_check=True)
    assert_same(run(proto, channels_first(images)), model.forward(preprocess(images)))


def test_operations_of_your_own_are_exported_as_ours():
    def mine(x):
        return 0 * x, None

    model = network("relu", ops=replace(reference, relu=Op(mine, mine)))
    x = batch(model)
    assert not model.forward(x).any()
    assert_same(run(to_onnx(model), channels_first(x)), channels_first(np.maximum(x, 0)))


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_networks_of_other_dtypes_are_written_in_float32(dtype):
    model = network("flatten-affine", dtype=dtype)
    x, tolerance = batch(model), np.finfo(dtype).eps * 100 + 1e-5
    theirs = run(to_onnx(model), channels_first(x))
    assert theirs.dtype == np.float32
    np.testing.assert_allclose(theirs, model.forward(x), rtol=tolerance, atol=tolerance)


def test_the_same_network_gives_the_same_file_and_stays_as_it_is(tmp_path):
    model = network("alexnet")
    before = {name: array.copy() for name, array in model.parameters().items()}
    proto = to_onnx(model, tmp_path / "a.onnx")
    to_onnx(model, tmp_path / "b.onnx")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    assert onnx.load(tmp_path / "a.onnx") == proto
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.onnx", "b.onnx"]
    for name, array in model.parameters().items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"preprocess": np.sqrt}, TypeError, "preprocess must be a data.Standardize, got <ufunc"),
        (
            {"preprocess": Standardize((1.0,), (1.0,))},
            ShapeError,
            r"the channels of the network's input, \(15, 19, 3\), got 1 of them",
        ),
        ({"class_names": "abc"}, ValueError, r"got 3 of them for an output of \(5,\)"),
    ],
)
def test_what_does_not_belong_to_the_network_is_refused(options, error, message, tmp_path):
    with pytest.raises(error, match=message):
        to_onnx(network("alexnet"), tmp_path / "model.onnx", **options)
    assert not list(tmp_path.iterdir())


def test_a_preprocessing_of_images_needs_a_network_that_reads_images():
    with pytest.raises(ShapeError, match=r"input, \(7,\), got 7 of them"):
        to_onnx(network("affine"), preprocess=Standardize((1.0,) * 7, (1.0,) * 7))


@pytest.mark.parametrize(("package", "convert"), [("onnx", to_onnx), ("safetensors", save_weights)])
def test_a_missing_package_says_how_to_get_it(package, convert, tmp_path, monkeypatch):
    for name in [n for n in sys.modules if n.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)

    class Absent:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name.partition(".")[0] == package:
                raise ModuleNotFoundError(f"No module named {package!r}", name=package)

    monkeypatch.setattr(sys, "meta_path", [Absent, *sys.meta_path])
    with pytest.raises(ImportError, match=rf"needs the package {package}.*'cnnlab\[export\]'"):
        convert(network("affine"), tmp_path / "file")


# Weights


def state(model):
    return model.parameters() | model.buffers()


@every_network
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_weights_return_bit_for_bit(name, dtype, tmp_path):
    model, twin = network(name, dtype=dtype), network(name, seed=1, dtype=dtype)
    for array in state(model).values():
        array.flat[0] = np.nan
    save_weights(model, tmp_path / "weights")
    load_weights(twin, tmp_path / "weights")
    assert state(twin).keys() == state(model).keys()
    for array, other in zip(state(model).values(), state(twin).values(), strict=True):
        assert array.tobytes() == other.tobytes()


def test_the_layout_is_that_of_other_frameworks(tmp_path):
    model = Sequential(
        [Conv(6, (2, 3), groups=2), BatchNorm(), PReLU(), Flatten(), Affine(3)],
        (4, 7, 4),
        rng=np.random.default_rng(0),
    )
    own = {name: array.copy() for name, array in state(model).items()}
    save_weights(model, tmp_path / "weights")
    saved = safetensors.numpy.load_file(tmp_path / "weights")
    assert {name: array.shape for name, array in saved.items()} == {
        **{"0.weight": (6, 2, 2, 3), "0.bias": (6,)},
        **{"1.weight": (6,), "1.bias": (6,), "1.running_mean": (6,), "1.running_var": (6,)},
        **{"2.weight": (6,), "4.weight": (3, 90), "4.bias": (3,)},
    }
    # Number by number, as the words of the docstring say it.
    filters = saved["0.weight"]
    for k, c, u, v in np.ndindex(filters.shape):
        assert filters[k, c, u, v] == own["0.conv.w"][u, v, c, k]
    H, W, C = 3, 5, 6
    for m, c, i, j in itertools.product(range(3), range(C), range(H), range(W)):
        there, here = (c * H + i) * W + j, (i * W + j) * C + c
        assert saved["4.weight"][m, there] == own["4.affine.w"][here, m]


def test_sets_of_filters_stand_first_by_place():
    model = network("tiled")
    (place,) = places(model)
    w, there = model.parameters()["0.tiledconv.w"], place.stored()["weight"].read()
    assert there.shape == (2, 3, 3, 4, 3, 2)
    for p, q, k, c, u, v in np.ndindex(there.shape):
        assert there[p, q, k, c, u, v] == w[p, q, u, v, c, k]


def test_a_counter_of_batches_is_passed_over(tmp_path):
    model = network("batch-norm")
    save_weights(model, tmp_path / "weights")
    arrays = safetensors.numpy.load_file(tmp_path / "weights")
    arrays["0.num_batches_tracked"] = np.array(7)
    safetensors.numpy.save_file(arrays, tmp_path / "weights")
    twin = network("batch-norm", seed=1)
    load_weights(twin, tmp_path / "weights")
    np.testing.assert_array_equal(twin.buffers()["0.batchnorm.var"], arrays["0.running_var"])


def wrong_name(arrays):
    return {name.replace("0.weight", "conv1.weight"): array for name, array in arrays.items()}


def wrong_shape(arrays):
    return arrays | {"7.weight": arrays["7.weight"][:, :-1].copy()}


def wrong_order(arrays):
    return arrays | {"0.weight": np.ascontiguousarray(arrays["0.weight"].transpose(2, 3, 1, 0))}


def wrong_dtype(arrays):
    return arrays | {"9.bias": arrays["9.bias"].astype(np.float64)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (wrong_name, "0.weight: missing in the file; conv1.weight: not in the network"),
        (wrong_order, r"0.weight: the network has \(32, 1, 3, 3\) float32, the file \(3, 3, 1, 32"),
        (wrong_shape, r"7.weight: the network has \(128, 3136\) float32, the file \(128, 3135\)"),
        (wrong_dtype, r"9.bias: the network has \(10,\) float32, the file \(10,\) float64"),
    ],
)
def test_other_weights_are_refused_and_change_nothing(change, message, tmp_path):
    model = zoo.convnet((28, 28, 1), 10, rng=np.random.default_rng(0))
    save_weights(model, tmp_path / "weights")
    arrays = safetensors.numpy.load_file(tmp_path / "weights")
    safetensors.numpy.save_file(
        {name: array + 1 for name, array in change(arrays).items()}, tmp_path / "weights"
    )
    before = {name: array.copy() for name, array in state(model).items()}
    with pytest.raises(ModelFileError, match=message):
        load_weights(model, tmp_path / "weights")
    for name, array in state(model).items():
        np.testing.assert_array_equal(array, before[name])


def half_precision_of_another_kind():
    content = {"0.weight": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}
    header = json.dumps(content).encode()
    return len(header).to_bytes(8, "little") + header + bytes(4)


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\x03\x04 an npz file", half_precision_of_another_kind()],
    ids=["empty", "foreign", "bfloat16"],
)
def test_files_of_another_kind_are_refused(content, tmp_path):
    (tmp_path / "weights").write_bytes(content)
    with pytest.raises(ModelFileError, match="weights must be a safetensors file"):
        load_weights(network("affine"), tmp_path / "weights")


def test_a_damaged_file_is_refused(tmp_path):
    model = network("affine")
    save_weights(model, tmp_path / "weights")
    content = (tmp_path / "weights").read_bytes()
    (tmp_path / "weights").write_bytes(content[:-1])
    with pytest.raises(ModelFileError, match="complete and undamaged"):
        load_weights(model, tmp_path / "weights")


def test_a_file_that_does_not_exist_says_so(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_weights(network("affine"), tmp_path / "nothing")


@pytest.mark.parametrize("convert", [to_onnx, save_weights])
def test_an_interrupted_file_leaves_the_old_one(convert, tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fails(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("pathlib.Path.replace", fails)
    with pytest.raises(KeyboardInterrupt):
        convert(network("affine"), path)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"old"


def test_a_dtype_that_the_format_lacks_is_refused(tmp_path):
    model = network("affine", dtype=np.longdouble)
    with pytest.raises(TypeError, match="of float64 at most to be saved, got float128"):
        save_weights(model, tmp_path / "weights")
