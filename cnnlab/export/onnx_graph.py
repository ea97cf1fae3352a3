"""A network as an ONNX graph, which a dozen runtimes and compilers read."""

import json
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnlab import __version__
from cnnlab.data import Standardize
from cnnlab.export.extra import extra
from cnnlab.export.layout import Place, is_reordered, places
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
from cnnlab.model import Sequential, write_whole
from cnnlab.shapes import ShapeError, pair

if TYPE_CHECKING:
    import onnx

# Old enough for every runtime of today, and fixed: the same network gives the same file.
_OPSET, _IR_VERSION = 17, 8


def to_onnx(
    model: Sequential,
    path: str | os.PathLike | None = None,
    *,
    preprocess: Standardize | None = None,
    class_names: Sequence[str] = (),
) -> "onnx.ModelProto":
    """The network as an ONNX model, at test time: without dropout, with running statistics.

    It reads and writes channels first, as programs outside expect: "input" is (N, C, H, W),
    images.transpose(0, 3, 1, 2), for any number N of images, and so is "output" where it is a
    volume; scores are (N, C). All numbers are float32. Weights have the names of
    `save_weights`, and its layout wherever the operator takes it.

    What is written are the layers, not the functions they run on: a network with operations
    of your own (`ops=`) is exported as if it ran on ours.

    Parameters
    ----------
    model : the network, left as it is.
    path : of a file to write as well, such as "model.onnx"; it appears complete or not at all.
    preprocess : becomes the first part of the graph, which then reads pixels, uint8 from 0 to
        255, in place of float32.
    class_names : one for each score, kept as a JSON list in the metadata "class_names".

    Raises
    ------
    TypeError
        If a layer is not one of `cnnlab.layers`, or preprocess not a Standardize.
    ValueError
        If there is not one class name for each score.
    ShapeError
        If preprocess measured another number of channels.

    Source: the ONNX operators, https://onnx.ai/onnx/operators, opset 17.

    Examples
    --------
    >>> from cnnlab import zoo
    >>> proto = to_onnx(zoo.convnet((28, 28, 1), 10, rng=np.random.default_rng(0)))
    >>> [node.op_type for node in proto.graph.node][:4]
    ['Conv', 'Relu', 'MaxPool', 'Conv']
    >>> [array.name for array in proto.graph.initializer][:3]
    ['0.weight', '0.bias', '3.weight']
    """
    _expect(model, preprocess, class_names)
    helper = extra("onnx.helper")
    graph = _Graph()
    if preprocess is not None:
        _standardize(graph, preprocess)
    counted = model.input_shape[-1:]
    for place in places(model):
        graph.layer = str(place.index)
        _NODES[type(place.layer)](graph, place)
        counted = place.writes
    graph.layer = "end"
    if len(model.output_shape) == 1:
        _in_our_order(graph, counted)
    if not graph.nodes:
        graph.add("Identity")
    graph.nodes[-1].output[0] = "output"

    kind = helper.np_dtype_to_tensor_dtype(np.dtype(np.uint8 if preprocess else np.float32))
    float32 = helper.np_dtype_to_tensor_dtype(np.dtype(np.float32))
    read = helper.make_tensor_value_info("input", kind, _channels_first(model.input_shape))
    written = helper.make_tensor_value_info("output", float32, _channels_first(model.output_shape))
    proto = helper.make_model(
        helper.make_graph(graph.nodes, "cnnlab", [read], [written], graph.constants),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="cnnlab",
        producer_version=__version__,
    )
    if class_names:
        helper.set_model_props(proto, {"class_names": json.dumps(list(class_names))})
    if path is not None:
        with write_whole(path) as file:
            file.write(proto.SerializeToString())
    return proto


class _Graph:
    """Nodes in a row, each reading what the one before it wrote.

    Attributes
    ----------
    layer : the first part of the names that are given.
    nodes, constants : what the row consists of so far.
    """

    def __init__(self) -> None:
        self._helper, self._numpy = extra("onnx.helper"), extra("onnx.numpy_helper")
        self.layer = ""
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._last = "input"

    def add(self, operator: str, *constants: str, **attributes) -> None:
        """One more node, which reads the last one and then constants."""
        name = f"{self.layer}.{operator}.{len(self.nodes)}"
        inputs = [self._last, *constants]
        self.nodes.append(self._helper.make_node(operator, inputs, [name], name, **attributes))
        self._last = name

    def constant(self, name: str, array, dtype=np.float32) -> str:
        """The full name of one more constant."""
        name = f"{self.layer}.{name}"
        array = np.ascontiguousarray(array, dtype)
        self.constants.append(self._numpy.from_array(array, name))
        return name

    def stored(self, place: Place) -> list[str]:
        """The names of the arrays that a layer remembers, now constants."""
        return [self.constant(name, array.read()) for name, array in place.stored().items()]

    def reshape(self, *shape: int) -> None:
        """The same numbers in another shape; the batch axis stays."""
        shape_of = self.constant(f"shape.{len(self.nodes)}", (0, *shape), np.int64)
        self.add("Reshape", shape_of)


def _in_our_order(graph, counted):
    """A row of numbers as Flatten lays it out here, H W C."""
    if is_reordered(counted):
        *size, C = counted
        graph.reshape(C, *size)
        graph.add("Transpose", perm=[0, *range(2, len(counted) + 1), 1])
        graph.add("Flatten")


def _standardize(graph, preprocess):
    graph.layer = "preprocess"
    to = extra("onnx.helper").np_dtype_to_tensor_dtype(np.dtype(np.float32))
    graph.add("Cast", to=to)
    for operator, name in (("Sub", "mean"), ("Div", "std")):
        numbers = np.reshape(getattr(preprocess, name), (-1, 1, 1))
        graph.add(operator, graph.constant(name, numbers))


# One function for each kind of layer: the nodes it becomes.


def _operator(operator: str, **options: str) -> Callable[[_Graph, Place], None]:
    """A layer that is one node; options say which attribute is which option of the layer."""

    def write(graph, place):
        attributes = {name: float(getattr(place.layer, own)) for name, own in options.items()}
        graph.add(operator, *graph.stored(place), **attributes)

    return write


def _conv(graph, place):
    layer = place.layer
    window = _window(layer.kernel_size, layer.stride, layer.pad)
    graph.add("Conv", *graph.stored(place), group=layer.groups, **window)


def _local(graph, place):
    OH, OW, _ = place.layer.output_shape(place.shape)
    _sets_of_filters(graph, place, (OH, OW))


def _tiled(graph, place):
    _sets_of_filters(graph, place, pair(place.layer.tile))


def _sets_of_filters(graph, place, tile):
    """Windows, by a convolution that only copies; then a product for each place in the tile."""
    layer, (_, _, C), (TH, TW) = place.layer, place.shape, tile
    OH, OW, K = layer.output_shape(place.shape)
    (FH, FW), (SH, SW) = pair(layer.kernel_size), pair(layer.stride)
    # As many positions as whole tiles have; those beyond the output are cut off in the end.
    rows, columns = -(-OH // TH), -(-OW // TW)
    beyond = (rows * TH - OH) * SH, (columns * TW - OW) * SW
    copy = np.tile(np.eye(FH * FW).reshape(FH * FW, 1, FH, FW), (C, 1, 1, 1))
    window = _window(layer.kernel_size, layer.stride, layer.pad, beyond)
    graph.add("Conv", graph.constant("windows", copy), group=C, **window)
    graph.reshape(C, FH, FW, rows, TH, columns, TW)
    stored = place.stored()
    filters = graph.constant("weight", stored["weight"].read())
    graph.add("Einsum", filters, equation="ncuvapbq,pqkcuv->nkapbq")
    bias = stored["bias"].read().transpose(2, 0, 1)
    graph.add("Add", graph.constant("bias", bias.reshape(K, 1, TH, 1, TW)))
    graph.reshape(K, rows * TH, columns * TW)
    if any(beyond):
        ends = [("starts", (0, 0)), ("ends", (OH, OW)), ("axes", (2, 3))]
        graph.add("Slice", *(graph.constant(name, value, np.int64) for name, value in ends))


def _pool(operator):
    def write(graph, place):
        layer = place.layer
        stride = layer.kernel_size if layer.stride is None else layer.stride
        graph.add(operator, **_window(layer.kernel_size, stride))

    return write


def _window(kernel_size, stride, pad=0, beyond=(0, 0)):
    """The attributes of a sliding window, with rows and columns added at the far ends."""
    PH, PW = pair(pad)
    return {
        "kernel_shape": [*pair(kernel_size)],
        "strides": [*pair(stride)],
        "pads": [PH, PW, PH + beyond[0], PW + beyond[1]],
    }


def _affine(graph, place):
    graph.add("Gemm", *graph.stored(place), transB=1)


def _prelu(graph, place):
    slope = place.stored()["weight"].read()
    graph.add("PRelu", graph.constant("weight", slope.reshape(-1, *(1,) * (len(place.shape) - 1))))


def _maxout(graph, place):
    _in_our_order(graph, place.reads)
    *size, C = place.shape
    pieces = place.layer.pieces
    graph.reshape(C // pieces, pieces, *size)
    graph.add("ReduceMax", axes=[2], keepdims=0)


def _lrn(graph, place):
    layer = place.layer
    _in_our_order(graph, place.reads)
    # Some runtimes take volumes only. ONNX divides alpha by the number of channels in the sum.
    if len(place.shape) == 1:
        graph.reshape(*place.shape, 1, 1)
    graph.add(
        "LRN",
        size=layer.n,
        alpha=float(layer.n * layer.alpha),
        beta=float(layer.beta),
        bias=float(layer.k),
    )
    if len(place.shape) == 1:
        graph.add("Flatten")


def _softmax(graph, place):
    graph.add("Softmax", axis=1)


_NODES: dict[type[Layer], Callable[[_Graph, Place], None]] = {
    Conv: _conv,
    LocallyConnected: _local,
    TiledConv: _tiled,
    MaxPool: _pool("MaxPool"),
    AvgPool: _pool("AveragePool"),
    GlobalMaxPool: _operator("GlobalMaxPool"),
    GlobalAvgPool: _operator("GlobalAveragePool"),
    Flatten: _operator("Flatten"),
    Affine: _affine,
    Sigmoid: _operator("Sigmoid"),
    Tanh: _operator("Tanh"),
    ReLU: _operator("Relu"),
    LeakyReLU: _operator("LeakyRelu", alpha="slope"),
    PReLU: _prelu,
    ELU: _operator("Elu", alpha="alpha"),
    Maxout: _maxout,
    Softmax: _softmax,
    BatchNorm: _operator("BatchNormalization", epsilon="eps"),
    LRN: _lrn,
    Dropout: _operator("Identity"),
}


def _channels_first(shape):
    """A batch of inputs of this shape: N is any number."""
    return ["N", shape[-1], *shape[:-1]]


def _expect(model, preprocess, class_names):
    if preprocess is not None:
        if not isinstance(preprocess, Standardize):
            raise TypeError(f"preprocess must be a data.Standardize, got {preprocess!r}.")
        if model.input_shape[-1] != len(preprocess.mean) or len(model.input_shape) != 3:
            raise ShapeError(
                f"preprocess must have measured the channels of the network's input, "
                f"{model.input_shape}, got {len(preprocess.mean)} of them."
            )
    if class_names and model.output_shape != (len(class_names),):
        raise ValueError(
            f"class_names must be one for each score, got {len(class_names)} of them for an "
            f"output of {model.output_shape}."
        )
