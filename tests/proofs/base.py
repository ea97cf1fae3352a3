"""What it takes to prove an operation: points to look at, and other ways to the same result."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import onnx
from hypothesis.strategies import SearchStrategy
from onnx.reference import ReferenceEvaluator

from cnnlab import ops
from cnnlab.gradcheck import Report, check_gradients
from cnnlab.ops import Op, Ops


@dataclass(frozen=True)
class Case:
    """One call of an operation.

    Attributes
    ----------
    id : names it in a test report.
    arguments : what forward takes, x first, floating-point arrays in float64; away from kinks,
        and with all sizes different so that no two can be confused.
    options : its keywords. For chance, `rng` is a seed: every call starts afresh.
    """

    id: str
    arguments: tuple
    options: dict = field(default_factory=dict)

    def astype(self, dtype) -> "Case":
        """The same call with its floating-point arrays in another dtype."""
        return self.map(lambda a: a.astype(dtype) if a.dtype.kind == "f" else a)

    def map(self, change: Callable) -> "Case":
        """The same call with every argument changed."""
        return replace(self, arguments=tuple(change(a) for a in self.arguments))


@dataclass(frozen=True)
class Proof:
    """How one operation of the table is proven.

    Attributes
    ----------
    op : its name in the table.
    cases : the points of the gradient check and of the comparison with the oracles.
    oracles : name → function of the same arguments and options that gives the output, or
        None where it cannot take these options. Nothing in it may come from `cnnlab`.
    random : draws a Case of any sizes and options, small enough to be checked in milliseconds.
    homogeneous_in : numbers of arguments that, taken alone, scale the output: twice the
        argument, twice the output. Then ⟨argument, its gradient⟩ = ⟨out, dout⟩ exactly.
    zeroed : arguments that must be zero for that (the biases).
    batched : arguments that hold one entry for each image of the batch.
    per_image : whether each image of a batch is treated as if it were alone.
    keeps_integers : whether whole numbers are taken as they are.
    table, variant : where the functions are taken from, and what that is called.
    """

    op: str
    cases: tuple[Case, ...]
    oracles: dict[str, Callable]
    random: SearchStrategy[Case]
    homogeneous_in: tuple[int, ...] = ()
    zeroed: tuple[int, ...] = ()
    batched: tuple[int, ...] = (0,)
    per_image: bool = True
    keeps_integers: bool = False
    table: Ops = ops.reference
    variant: str = ""

    @property
    def name(self) -> str:
        """What a test report calls it."""
        return f"{self.op}-{self.variant}" if self.variant else self.op

    @property
    def functions(self) -> Op:
        """The operation itself."""
        return getattr(self.table, self.op)

    def images(self, case: Case, start: int, stop: int) -> Case:
        """The same call with some images of the batch only."""
        arguments = list(case.arguments)
        for number in self.batched:
            arguments[number] = arguments[number][start:stop]
        return replace(case, arguments=tuple(arguments))


def forward(proof: Proof, case: Case):
    """(out, cache) of one call, its chance started afresh."""
    return proof.functions.forward(*case.arguments, **fresh(case.options))


def fresh(options: dict) -> dict:
    """Options to call with: a seed becomes a generator."""
    if "rng" in options:
        return options | {"rng": np.random.default_rng(options["rng"])}
    return options


def gradients(proof: Proof, dout, cache) -> tuple:
    """The gradients of one backward pass, always as a tuple."""
    found = proof.functions.backward(dout, cache)
    return found if isinstance(found, tuple) else (found,)


def check(proof: Proof, case: Case, **options) -> Report:
    """The report of a gradient check; every call starts its chance afresh."""

    @functools.wraps(proof.functions.forward)
    def again(*arguments):
        return proof.functions.forward(*arguments, **fresh(case.options))

    rng = np.random.default_rng(2)
    return check_gradients(again, proof.functions.backward, *case.arguments, rng=rng, **options)


def upstream(out, seed=1):
    """A random gradient of the output, in its dtype; a plain number for a loss."""
    dout = np.random.default_rng(seed).normal(size=np.shape(out))
    return np.asarray(dout).astype(np.asarray(out).dtype)[()]


def normal(*shape, seed=0):
    """Gaussian numbers in float64."""
    return np.random.default_rng(seed).normal(size=shape)


def run_onnx(operator: str, *inputs, outputs: int = 1, **attributes):
    """What the reference evaluator of ONNX, written in NumPy by others, makes of the inputs.

    Images are channels first there: use `to_nchw` and `to_nhwc`.
    """
    names = [f"input{number}" for number in range(len(inputs))]
    results = [f"output{number}" for number in range(outputs)]
    node = onnx.helper.make_node(operator, names, results, **attributes)
    kinds = [
        onnx.helper.make_tensor_value_info(
            name, onnx.helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
        )
        for name, array in zip(names, inputs, strict=True)
    ]
    free = [onnx.ValueInfoProto(name=name) for name in results]
    graph = onnx.helper.make_graph([node], "one", kinds, free)
    evaluator = ReferenceEvaluator(onnx.helper.make_model(graph))
    found = list(evaluator.run(None, dict(zip(names, inputs, strict=True))))
    return found[0] if outputs == 1 else found


def to_nchw(x):
    """(N, H, W, C) to (N, C, H, W)."""
    return np.ascontiguousarray(np.moveaxis(x, -1, 1))


def to_nhwc(x):
    """(N, C, H, W) to (N, H, W, C)."""
    return np.ascontiguousarray(np.moveaxis(x, 1, -1))


def pair(value):
    """(vertical, horizontal), written anew so that an oracle owes nothing to the library."""
    return tuple(value) if isinstance(value, tuple | list) else (value, value)
