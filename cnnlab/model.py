"""A network: layers in sequence, from an image to one score per class."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from cnnlab import fast
from cnnlab.layers import Layer, Loss, Shape, SoftmaxLoss
from cnnlab.layers.stretch import stretches
from cnnlab.ops import Ops
from cnnlab.shapes import ShapeError, expect_input_shape, expect_whole, memory
from cnnlab.table import Table


class ModelFileError(ValueError):
    """A file does not hold the parameters of this network."""


class Sequential:
    """Layers in a row, each reading what the one before it wrote.

    Parameters
    ----------
    layers : new layers, each used once.
    input_shape : (H, W, C) of one image, or (D,) for a row of numbers.
    rng : draws the weights, layer by layer.
    dtype : of parameters and activations; float32 to train, float64 to check gradients.
    ops : the table of operations; replace an entry and the network runs on your function.
    loss : what training makes small; by default a new SoftmaxLoss().

    Raises
    ------
    ShapeError
        If a layer does not fit the volume that reaches it; the message names the layer.
    ValueError
        If a layer belongs to a network already.
    TypeError
        If layers is no list, something in it no layer, input_shape no shape, dtype no
        floating-point type, ops no table, loss no loss, or rng no generator.

    Examples
    --------
    >>> from cnnlab.layers import Affine, Conv, Flatten, MaxPool, ReLU
    >>> rng = np.random.default_rng(0)
    >>> layers = [Conv(8, 3, pad=1), ReLU(), MaxPool(2), Flatten(), Affine(10)]
    >>> model = Sequential(layers, (28, 28, 1), rng=rng)
    >>> model.forward(np.zeros((5, 28, 28, 1), np.float32)).shape
    (5, 10)
    >>> list(model.parameters()), model.parameter_count
    (['0.conv.w', '0.conv.b', '4.affine.w', '4.affine.b'], 15770)
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        input_shape: Shape,
        *,
        rng: np.random.Generator,
        dtype=np.float32,
        ops: Ops = fast.ops,
        loss: Loss | None = None,
    ):
        self.dtype, self.ops = np.dtype(dtype), ops
        self._loss = SoftmaxLoss() if loss is None else loss
        _expect_inputs(layers, input_shape, self.dtype, ops, self._loss)
        self.layers = tuple(layers)
        # All sizes first: if one does not fit, no layer has been touched.
        self.shapes = self._shapes(tuple(input_shape))
        for layer, shape in zip(self.layers, self.shapes, strict=False):
            layer.build(shape, rng=rng, dtype=self.dtype, ops=ops)
        self._stretches = stretches(self.layers, self.shapes[1:])
        self._loss.build(ops=ops)

    @property
    def input_shape(self) -> Shape:
        """The shape of one input, without the batch axis."""
        return self.shapes[0]

    @property
    def output_shape(self) -> Shape:
        """The shape of one output, without the batch axis: (C,) for scores of C classes."""
        return self.shapes[-1]

    def forward(self, x: np.ndarray, *, training: bool = False) -> np.ndarray:
        """The scores for a batch.

        Parameters
        ----------
        x : (N, …) preprocessed inputs, of any floating-point dtype.
        training : True while the weights are being fitted.

        Returns
        -------
        scores : (N, C), in the network's dtype.

        Raises
        ------
        ShapeError
            If x is not a batch of the network's inputs.
        TypeError
            If x holds whole numbers, as images do before they are preprocessed.
        """
        return self._run(x, training=training)

    def as_inputs(self, x: np.ndarray) -> np.ndarray:
        """The batch in the network's dtype, once it is seen to be one; raises as `forward` does."""
        x = np.asarray(x)
        if x.shape[1:] != self.input_shape:
            raise ShapeError(
                f"x must have shape (N, {', '.join(map(str, self.input_shape))}), a batch of "
                f"inputs, got {x.shape}."
            )
        if not np.issubdtype(x.dtype, np.floating):
            raise TypeError(
                f"x must hold floating-point numbers, got {x.dtype}: preprocess the images "
                f"first, for example with data.Standardize."
            )
        return x.astype(self.dtype, copy=False)

    def backward(self, dout: np.ndarray, *, input_gradient: bool = True) -> np.ndarray | Any:
        """The gradient of the inputs, (N, …), from that of the scores, (N, C).

        Fills the gradients of all parameters on the way. With input_gradient=False these are all
        that is wanted: the first layer may save its work, and the result be None.
        """
        for number, stretch in reversed(list(enumerate(self._stretches))):
            dout = stretch.backward(dout, input_gradient=input_gradient or number > 0)
        return dout

    def loss(self, scores: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
        """The loss of (N, C) scores, a mean over the rows, and its gradient, (N, C)."""
        return float(self._loss.forward(scores, y)), self._loss.backward()

    def loss_and_gradients(
        self, x: np.ndarray, y: np.ndarray
    ) -> tuple[float, dict[str, np.ndarray]]:
        """One training pass, there and back.

        Parameters
        ----------
        x : (N, …) preprocessed inputs.
        y : (N,) integer labels.

        Returns
        -------
        loss : with the softmax loss, the mean cross-entropy in nats; about ln C before training.
        gradients : parameter name → array of the parameter's shape.
        """
        loss, dscores = self.loss(self.forward(x, training=True), y)
        self.backward(dscores, input_gradient=False)
        return loss, self.gradients()

    def predict_scores(self, x: np.ndarray, *, batch_size: int = 256) -> np.ndarray:
        """(N, C) scores, computed a batch at a time so that memory does not grow with N."""
        expect_whole("batch_size", batch_size)
        starts = range(0, max(len(x), 1), batch_size)
        return np.concatenate([self._run(x[i : i + batch_size], keep=False) for i in starts])

    def _run(self, x, *, training=False, keep=True):
        """The scores; with keep=False nobody comes back, and no layer keeps anything."""
        x = self.as_inputs(x)
        # All of it, before the first layer asks for memory: layers share what they keep.
        for layer in self.layers:
            layer.forget()
        for stretch in self._stretches:
            x = stretch.forward(x, training=training, keep=keep)
        return x

    def predict_probabilities(self, x: np.ndarray, *, batch_size: int = 256) -> np.ndarray:
        """(N, C) probabilities; each row sums to 1."""
        return self.ops.softmax.forward(self.predict_scores(x, batch_size=batch_size))[0]

    def predict(self, x: np.ndarray, *, batch_size: int = 256) -> np.ndarray:
        """(N,) the class with the highest score."""
        return self.predict_scores(x, batch_size=batch_size).argmax(axis=1)

    def parameters(self) -> dict[str, np.ndarray]:
        """Name → array: the arrays themselves, so changing them changes the network."""
        return self._named(lambda layer: layer.params)

    def gradients(self) -> dict[str, np.ndarray]:
        """Name → gradient, from the last backward pass; empty before the first."""
        return self._named(lambda layer: layer.grads)

    def buffers(self) -> dict[str, np.ndarray]:
        """Name → array: what layers remember besides parameters, such as running statistics."""
        return self._named(lambda layer: layer.buffers)

    def generators(self) -> list[np.random.Generator]:
        """The generators that layers such as dropout draw from."""
        return [layer.rng for layer in self.layers if layer.rng is not None]

    def decayed(self) -> set[str]:
        """The names of the parameters that weight decay shrinks: weights, not biases."""
        return set(self._named(lambda layer: dict.fromkeys(layer.decays)))

    @property
    def parameter_count(self) -> int:
        """How many numbers training can change."""
        return sum(p.size for p in self.parameters().values())

    def summary(self) -> "Summary":
        """A table of the layers: output volume, parameters, memory. Print it, or show it.

        Examples
        --------
        >>> from cnnlab.layers import Conv, MaxPool
        >>> rng = np.random.default_rng(0)
        >>> print(Sequential([Conv(32, 3, pad=1), MaxPool(2)], (28, 28, 1), rng=rng).summary())
           layer                           output    parameters    memory
           input                           28×28×1            0    3.1 KB
        0  Conv(32, kernel_size=3, pad=1)  28×28×32         320  100.4 KB
        1  MaxPool(2)                      14×14×32           0   25.1 KB
           total                                            320  128.6 KB
        """
        counts = [sum(p.size for p in layer.params.values()) for layer in self.layers]
        names = ["input", *map(repr, self.layers)]
        return Summary(
            tuple(
                SummaryRow(name, shape, count, memory(shape, dtype=self.dtype))
                for name, shape, count in zip(names, self.shapes, [0, *counts], strict=True)
            )
        )

    def save(self, path: str | os.PathLike) -> None:
        """Write the parameters and buffers to an .npz file, without pickle.

        The file appears complete or not at all: an interruption leaves the old one.

        Parameters
        ----------
        path : of the file, such as "model.npz"; the folder must exist.
        """
        write_arrays(path, self._arrays())

    def load(self, path: str | os.PathLike) -> None:
        """Read what `save` wrote for a network of the same layers.

        Parameters
        ----------
        path : of the file.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ModelFileError
            If the file is damaged, is of another kind, or holds other parameters; the
            message says which differ. The network is then as it was before.
        """
        found, own = read_arrays(path), self._arrays()
        expect_same_arrays(path, own, found)
        for name, array in own.items():
            array[...] = found[name]

    def _arrays(self):
        """All that makes this network what it is."""
        return self.parameters() | self.buffers()

    def __repr__(self) -> str:
        return f"Sequential({len(self.layers)} layers, {self.parameter_count:,} parameters)"

    def _shapes(self, shape):
        """The shapes on the way through: the input's, then each layer's output's."""
        shapes = [shape]
        for index, layer in enumerate(self.layers):
            if layer.is_built or any(layer is other for other in self.layers[:index]):
                raise ValueError(
                    f"each layer must be a new one, got layer {index}, {layer!r}, that is in use "
                    f"already: its weights would be shared by accident."
                )
            try:
                shapes.append(layer.output_shape(shapes[-1]))
            except ShapeError as error:
                volume = "×".join(map(str, shapes[-1]))
                raise ShapeError(
                    f"layer {index}, {layer!r}, does not fit its input of {volume}: {error}"
                ) from error
        return shapes

    def _named(self, of):
        return {
            f"{index}.{type(layer).__name__.lower()}.{key}": value
            for index, layer in enumerate(self.layers)
            for key, value in of(layer).items()
        }


@dataclass(frozen=True)
class SummaryRow:
    """One line of a summary.

    Parameters
    ----------
    layer : how the layer is written.
    shape : of its output, for one image.
    parameters : how many numbers it learns.
    memory : bytes that its output takes, for one image.
    """

    layer: str
    shape: Shape
    parameters: int
    memory: int


@dataclass(frozen=True)
class Summary(Table):
    """What `Sequential.summary` found: rows to compute with, and a table to read.

    Memory is that of the activations of one image, 1 KB being 1,000 bytes.
    """

    rows: tuple[SummaryRow, ...]
    # The number of a layer stands as words do, below one another from the left.
    sides = "<<<>>"

    @property
    def parameters(self) -> int:
        """How many numbers the network learns."""
        return sum(row.parameters for row in self.rows)

    @property
    def memory(self) -> int:
        """Bytes that all activations of one image take."""
        return sum(row.memory for row in self.rows)

    def table(self) -> list[tuple[str, ...]]:
        """One row per layer, the input before them and the total below."""
        body = [
            (
                str(index - 1) if index else "",
                row.layer,
                "×".join(map(str, row.shape)),
                f"{row.parameters:,}",
                _bytes(row.memory),
            )
            for index, row in enumerate(self.rows)
        ]
        head = ("", "layer", "output", "parameters", "memory")
        return [head, *body, ("", "total", "", f"{self.parameters:,}", _bytes(self.memory))]


def _expect_inputs(layers, input_shape, dtype, ops, loss):
    if not isinstance(layers, Sequence):
        raise TypeError(f"layers must be a list of layers, got {layers!r}.")
    for index, layer in enumerate(layers):
        if not isinstance(layer, Layer):
            raise TypeError(f"layer {index} must be a layer, got {layer!r}.")
    expect_input_shape(input_shape)
    if dtype.kind != "f":
        raise TypeError(f"dtype must be a floating-point type, got {dtype}.")
    if not isinstance(ops, Ops):
        raise TypeError(f"ops must be a table of operations, an Ops, got {ops!r}.")
    if not isinstance(loss, Loss):
        raise TypeError(f"loss must be a loss such as SoftmaxLoss(), got {loss!r}.")


def _bytes(count):
    for unit, size in (("MB", 1e6), ("KB", 1e3)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count} B"


@contextmanager
def write_whole(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """A file to write that appears complete or not at all; until then the old one stays."""
    path = Path(path)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        with unfinished.open("wb") as file:
            yield file
            # On the disk before it takes the old one's place: the power may fail as well.
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def write_arrays(path: str | os.PathLike, arrays: Mapping[str, np.ndarray]) -> None:
    """Write named arrays to an .npz file, without pickle; complete or not at all."""
    with write_whole(path) as file:
        np.savez(file, allow_pickle=False, **arrays)


def read_arrays(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """All arrays of an .npz file, or a ModelFileError in place of NumPy's many."""
    path = Path(path)
    try:
        # Opened here: np.load leaves a damaged file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (FileNotFoundError, IsADirectoryError, PermissionError):
        raise
    # A damaged or foreign file makes NumPy, zipfile and zlib raise a dozen kinds of error.
    except Exception as error:
        raise ModelFileError(
            f"{path} must be an .npz file written by save, complete and undamaged."
        ) from error


def expect_same_arrays(path, own: dict[str, np.ndarray], found: dict[str, np.ndarray]) -> None:
    """Raise ModelFileError unless a file holds arrays of our names, shapes and dtypes."""
    if differences := array_differences(own, found):
        raise ModelFileError(
            f"{path} must hold the parameters of this network; they differ in "
            f"{'; '.join(differences)}."
        )


def array_differences(own: dict[str, np.ndarray], found: dict[str, np.ndarray]) -> list[str]:
    """What does not match between two groups of named arrays, in words."""
    words = [f"{name}: missing in the file" for name in own if name not in found]
    words += [f"{name}: not in the network" for name in found if name not in own]
    for name in own.keys() & found.keys():
        ours, theirs = own[name], found[name]
        if (ours.shape, ours.dtype) != (theirs.shape, theirs.dtype):
            words.append(
                f"{name}: the network has {ours.shape} {ours.dtype}, "
                f"the file {theirs.shape} {theirs.dtype}"
            )
    return sorted(words)
