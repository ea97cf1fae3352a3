"""Assignment 3: backpropagation through gates and layers, and the gradient check."""

from dataclasses import dataclass

import numpy as np

from cnnlab import graph, ops
from cnnlab.check.identities import rows_sum_to_zero
from cnnlab.check.questions.base import Question, eighths
from cnnlab.check.record import Case

GATES = {"add": graph.add, "mul": graph.multiply, "max": graph.maximum}


def _apart(rng, count):
    """Numbers of either sign, none of them zero, no two of the same size."""
    sizes = rng.choice(np.arange(1, 17), count, replace=False) / 8
    return [float(size) for size in sizes * rng.choice([-1, 1], count)]


# Numbers


def _gate_backward(gate, x, y, dout):
    slopes = GATES[gate].slopes(GATES[gate].forward(x, y), x, y)
    return tuple(dout * slope for slope in slopes)


def _gate_cases(rng):
    def case(gate, x, y, dout):
        return Case(f"{gate} gate at {x:g} and {y:g}, dout {dout:g}", (gate, x, y, dout))

    low, high = sorted(_apart(rng, 2))
    (dout,) = _apart(rng, 1)
    return [
        case("add", -2.0, 5.0, -4.0),
        case("mul", 3.0, -4.0, 2.0),
        case("max", 2.0, -1.0, 3.0),
        case("add", *_apart(rng, 3)),
        case("mul", *_apart(rng, 3)),
        case("max", low, high, dout),
        case("max", high, low, -dout),
        case("max", low, low, dout),
        case("mul", 0.0, *_apart(rng, 2)),
    ]


def _backward(build, **inputs):
    """The value of a circuit and the gradients of its inputs."""
    values = [graph.Value(number, name) for name, number in inputs.items()]
    end = build(*values)
    end.backward()
    return (end.value, *(value.grad for value in values))


def _branches(x, y, z):
    return _backward(lambda x, y, z: (x + y) * graph.maximum(y, z), x=x, y=y, z=z)


def _branch_cases(rng):
    (x1, low1, high1), (x2, low2, high2) = (
        (x, *sorted(pair)) for x, *pair in (_apart(rng, 3) for _ in range(2))
    )
    return [
        Case("the example", (3.0, 2.0, -1.0)),
        Case("y is the larger one", (x1, high1, low1)),
        Case("z is the larger one", (x1, low1, high1)),
        Case("y is the larger one again", (x2, high2, low2)),
        Case("z is the larger one again", (x2, low2, high2)),
        Case("y and z are equal", (x1, low2, low2)),
    ]


# The gradient check


@dataclass
class Cubic:
    """Σ a·x³ + (Σ c·x)²: the slope of each entry depends on all of them; no rounding enters."""

    a: np.ndarray
    c: np.ndarray

    def __call__(self, x):
        return (self.a * x**3).sum() + (self.c * x).sum() ** 2

    def gradient(self, x):
        return 3 * self.a * x**2 + 2 * self.c * (self.c * x).sum()


def _cubic(rng, *shape, scale=1.0):
    """With slopes of the order of scale², which is to be a power of 2."""
    return Cubic(eighths(rng, *shape) * scale**2, rng.integers(1, 9, shape) / 8 * scale)


def _square_and_sum(x):
    return (x**2).sum() + 3 * x.sum()


def _fifth_powers(x):
    return (x**5).sum() + (x**3).sum()


def _weighted_sum(x):
    return (x * np.arange(1, x.size + 1).reshape(x.shape)).sum()


def numeric_gradient(f, x, h=1e-5):
    """As in cnnlab.gradcheck, whose h has to be named."""
    gradient = np.empty(np.shape(x))
    for index in np.ndindex(gradient.shape):
        step = np.zeros(gradient.shape)
        step[index] = h
        gradient[index] = (f(x + step) - f(x - step)) / (2 * h)
    return gradient


def _numeric_cases(rng):
    # On numbers such as these differences are exact, and so is the error of the formula: the
    # cubic tells a central difference from others, and one h from another.
    tiny = (1 + rng.integers(1, 8, (2, 3)) / 8).astype(np.float32)
    return [
        Case("x² of two numbers", (_square_and_sum, np.array([1.5, -2.0]), 1 / 4)),
        Case("a cubic of a row", (_cubic(rng, 4), eighths(rng, 4), 1 / 8)),
        Case("a cubic of a matrix", (_cubic(rng, 2, 3), eighths(rng, 2, 3), 1 / 4)),
        Case("a volume", (_cubic(rng, 2, 4, 3), eighths(rng, 2, 4, 3), 1 / 8)),
        Case("whole numbers", (_cubic(rng, 3, 2), rng.integers(-3, 4, (3, 2)), 1 / 8)),
        Case("float32, and a very small h", (_weighted_sum, tiny, 2.0**-25)),
        Case("fifth powers", (_fifth_powers, eighths(rng, 3), 1 / 2)),
        # x + h − 2h + h is not x here: who moves x itself leaves a trace.
        Case(
            "tenths, and the h of a gradient check", (_square_and_sum, np.array([0.1, -0.3]), 1e-5)
        ),
    ]


def relative_error(a, b):
    larger = np.maximum(np.abs(a), np.abs(b))
    return (np.abs(a - b) / np.where(larger > 0, larger, 1)).max()


def _errors_cases(rng):
    def near(*shape, scale=1.0):
        a = (np.abs(eighths(rng, *shape)) + 1) * rng.choice([-1, 1], shape) * scale
        return a, a * (1 + rng.integers(-7, 8, shape) / 16)

    with_zeros, close = near(3, 4)
    with_zeros[0], close[0] = 0, 0
    one_is_zero, other = near(2, 3)
    one_is_zero[1, 1] = 0
    signs = np.array([0.5, -2.0, 1.0, 4.0])
    return [
        Case("2 and 1.5, −4 and −4", (np.array([2.0, -4.0]), np.array([1.5, -4.0]))),
        Case("a matrix", near(3, 4)),
        Case("zeros at the same places", (with_zeros, close)),
        Case("one of the two is zero", (one_is_zero, other)),
        Case("another sign", (signs, np.array([0.5, -2.0, -0.75, 4.5]))),
        Case("very small gradients", near(2, 5, scale=2.0**-44)),
        Case("large gradients", near(2, 3, 4, scale=1024.0)),
        Case("the first one larger everywhere", (np.full(3, 4.0), np.array([3.0, 3.5, 3.75]))),
        Case("the second one larger everywhere", (np.array([3.0, 3.5, 3.75]), np.full(3, 4.0))),
        Case("all alike", (close, close.copy())),
    ]


@dataclass
class Twice:
    """A function that can be called twice."""

    f: Cubic
    calls: int = 0

    def __call__(self, x):
        self.calls += 1
        if self.calls > 2:
            raise RuntimeError("f was called a third time: two calls are enough")
        return self.f(x)


def _directional_error(f, x, analytic, v, h=1e-5):
    slope = (f(x + h * v) - f(x - h * v)) / (2 * h)
    return relative_error(np.array((analytic * v).sum()), np.array(slope))


def _directional_cases(rng):
    def case(name, shape, off, h=1 / 8, scale=1.0):
        f, x, v = _cubic(rng, *shape, scale=scale), eighths(rng, *shape), eighths(rng, *shape)
        analytic = f.gradient(x) + off * scale**2 * eighths(rng, *shape)
        return Case(name, (Twice(f), x, analytic, v, h))

    square, x = Cubic(np.zeros((2, 2)), np.ones((2, 2))), eighths(rng, 2, 2)
    right, still = square.gradient(x), np.zeros((2, 2))
    rising = Cubic(np.zeros(3), np.ones(3))
    return [
        Case("a right gradient", (Twice(square), x, right, np.array([[1.0, -2], [0.5, 2]]), 1 / 4)),
        Case("a direction of zeros", (Twice(square), x, right, still, 1 / 4)),
        case("a row, nearly right", (4,), 0),
        case("a matrix, wrong", (2, 3), 1, 1 / 4),
        case("a volume, wrong", (2, 4, 3), 1),
        Case("a gradient of zeros", (Twice(rising), np.ones(3), np.zeros(3), np.ones(3), 1 / 4)),
        case("very small slopes, wrong", (2, 5), 1, scale=2.0**-22),
    ]


# Layers


def _affine_arrays(rng, N, D, M):
    return eighths(rng, N, D), eighths(rng, D, M), eighths(rng, M)


def _affine_sizes(case):
    # The first is small enough to follow by hand; in most others all extents differ.
    return [
        case("two rows, two features, two outputs", 2, 2, 2),
        case("all sizes different", 3, 4, 2),
        case("all alike", 3, 3, 3),
        case("a single row", 1, 3, 4),
        case("a single feature and output", 4, 1, 1),
        case("many rows", 7, 2, 5),
    ]


def _affine_forward_cases(rng):
    return _affine_sizes(lambda name, *sizes: Case(name, _affine_arrays(rng, *sizes)))


def _affine_backward_cases(rng):
    def case(name, N, D, M):
        return Case(name, (eighths(rng, N, M), _affine_arrays(rng, N, D, M)))

    return _affine_sizes(case)


def _affine_out(x, w, b):
    return ops.affine_forward(x, w, b)[0]


def _affine_backward(dout, cache):
    return ops.affine_backward(dout, ops.affine_forward(*cache)[1])


def _with_zeros(rng, *shape):
    x = eighths(rng, *shape)
    x[rng.random(shape) < 0.3] = 0
    return x


def _relu_inputs(rng):
    return {
        "a row, with a zero in it": np.array([1.5, -2.0, 0.0, 0.25, 3.0]),
        "a matrix": _with_zeros(rng, 3, 4),
        "a batch of volumes": _with_zeros(rng, 2, 4, 3, 5),
        "nothing above zero": -np.abs(_with_zeros(rng, 2, 6)),
    }


def _relu_forward_cases(rng):
    return [Case(name, (x,)) for name, x in _relu_inputs(rng).items()]


def _relu_backward_cases(rng):
    return [Case(name, (eighths(rng, *x.shape), x)) for name, x in _relu_inputs(rng).items()]


def _relu_out(x):
    return ops.relu_forward(x)[0]


def _relu_backward(dout, cache):
    return ops.relu_backward(dout, ops.relu_forward(cache)[1])


def _softmax_loss(scores, y):
    loss, cache = ops.softmax_loss_forward(scores, y)
    return loss, ops.softmax_loss_backward(1.0, cache)


def _labels(rng, N, C):
    """Some class twice, where there are rows enough, and not all the same."""
    y = rng.integers(C, size=N)
    if N > 2:
        y[:3] = rng.permutation(C)[[0, 1, 0]]
    return y


def _softmax_cases(rng):
    def case(name, N, C, level=0.0):
        return Case(name, (eighths(rng, N, C) + level, _labels(rng, N, C)))

    levels = np.array([[1000.0], [-1000.0], [0.0], [500.0]])
    # The label is the lowest score, 4000 below the others: its probability is too small to write.
    behind = eighths(rng, 3, 4) + 1000
    y = _labels(rng, 3, 4)
    behind[0, y[0]] -= 4000
    return [
        Case("one row, even scores", (np.zeros((1, 4)), np.array([2]))),
        case("five rows, three classes", 5, 3),
        case("three rows, six classes", 3, 6),
        case("as many rows as classes", 4, 4),
        case("scores of 1000", 4, 3, 1000),
        case("each row on a level of its own", 4, 5, levels),
        Case("a label 4000 behind", (behind, y)),
    ]


QUESTIONS = (
    Question("a3.gate_backward", _gate_backward, _gate_cases, "gate_backward", ("dx", "dy")),
    Question("a3.branches", _branches, _branch_cases, "branches", ("f", "dx", "dy", "dz")),
    Question("a3.numeric_gradient", numeric_gradient, _numeric_cases, "numeric_gradient"),
    Question("a3.relative_error", relative_error, _errors_cases, "relative_error"),
    Question(
        "a3.affine_forward",
        _affine_out,
        _affine_forward_cases,
        "affine_forward",
        returns=("out", "cache"),
    ),
    Question(
        "a3.affine_backward",
        _affine_backward,
        _affine_backward_cases,
        "affine_backward",
        returns=("dx", "dw", "db"),
    ),
    Question(
        "a3.relu_forward",
        _relu_out,
        _relu_forward_cases,
        "relu_forward",
        returns=("out", "cache"),
    ),
    Question("a3.relu_backward", _relu_backward, _relu_backward_cases, "relu_backward"),
    Question(
        "a3.softmax_loss",
        _softmax_loss,
        _softmax_cases,
        "softmax_loss",
        returns=("loss", "dscores"),
        identities=(
            rows_sum_to_zero(
                "Probabilities add up to 1, whatever the scores are: what one class gains the "
                "others lose. So each row of dscores adds up to zero.",
                part=1,
            ),
        ),
    ),
    Question("a3.directional_error", _directional_error, _directional_cases, "directional_error"),
)
