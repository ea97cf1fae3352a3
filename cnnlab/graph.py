"""The computational graph: backpropagation, one number at a time.

>>> x, y, z = Value(-2, "x"), Value(5, "y"), Value(-4, "z")
>>> f = (x + y) * z
>>> f.backward()
>>> x.grad, y.grad, z.grad
(-4.0, -4.0, 3.0)
"""

import math
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from numbers import Real

from cnnlab.shapes import expect_number


@dataclass(frozen=True)
class Gate:
    """One operation on numbers: how it goes forward, and how steep it is for each input.

    A gate is called with Values or numbers and makes a Value. A gate of your own is one line.

    Parameters
    ----------
    symbol : as it is drawn.
    forward : forward(a, b, …) → the output.
    slopes : slopes(out, a, b, …) → a tuple: the derivative of the output by each input, in order.

    Examples
    --------
    >>> cube = Gate("x³", lambda a: a**3, lambda out, a: (3 * a**2,))
    >>> x = Value(2)
    >>> f = cube(x)
    >>> f.backward()
    >>> f.value, x.grad
    (8.0, 12.0)
    """

    symbol: str
    forward: Callable[..., float]
    slopes: Callable[..., tuple[float, ...]]

    def __call__(self, *inputs: "Value | float") -> "Value":
        """A new Value that this gate computes.

        Raises
        ------
        ValueError
            If an input is neither a Value nor a finite number, or the gate has no finite value
            there, such as the reciprocal of 0.
        """
        return Value(0.0, gate=self, parents=tuple(map(_as_value, inputs)))


class Value:
    """A number that knows where it comes from, and how much the end depends on it.

    Arithmetic with Values makes new ones and so builds a graph. Values are compared by
    identity: two of the same number are two nodes.

    Parameters
    ----------
    value : the number; that of a leaf may be changed, then `forward` brings the rest up to date.
    name : as it is drawn.

    Attributes
    ----------
    grad : the derivative of the node that `backward` was called on, by this one; None before.
    gate : what computed it; None for a leaf.
    parents : what it was computed from.
    passed : what it handed to each parent in the last backward pass: grad times a slope of its
        gate; empty for a leaf, and where the pass has not come.

    Raises
    ------
    ValueError
        If value is no finite number.

    Source: the lecture, "Back propagation".

    Examples
    --------
    Where a value is used twice, its gradients add up:

    >>> x = Value(3, "x")
    >>> f = x * x + x
    >>> f.backward()
    >>> f, x
    (Value(12.0, grad=1.0), Value(3.0, grad=7.0, name='x'))
    """

    # NumPy numbers leave arithmetic with a Value to the Value.
    __array_ufunc__ = None

    def __init__(
        self,
        value: float,
        name: str = "",
        *,
        gate: Gate | None = None,
        parents: "tuple[Value, ...]" = (),
    ):
        expect_number("value", value)
        self.value, self.name = float(value), name
        self.gate, self.parents = gate, parents
        self.grad: float | None = None
        self.passed: tuple[float, ...] = ()
        self._compute()

    def forward(self) -> float:
        """Compute everything again that this value depends on, in order; returns the value.

        Examples
        --------
        >>> x = Value(1)
        >>> f = x + 1
        >>> x.value = 5
        >>> f.forward()
        6.0
        """
        for node in topological(self):
            node._compute()
        return self.value

    def backward(self, gates: int | None = None) -> None:
        """Fill in `grad` of everything this value depends on, from here to the leaves.

        Each gate takes the gradient of its output, multiplies it by its own slopes, and adds
        the products to the gradients of its inputs: the chain rule. Every call starts from
        nothing, after a forward pass, so that a second one gives the same.

        Parameters
        ----------
        gates : how many gates pass their gradient on, to watch it flow; all by default. What
            it has not reached keeps None.

        Raises
        ------
        TypeError
            If a gate does not give a tuple of one slope for each input.
        ValueError
            If a gate has no finite value or slope there.
        """
        self.forward()
        nodes = topological(self)
        for node in nodes:
            node.grad, node.passed = None, ()
        self.grad = 1.0
        flowing = [node for node in reversed(nodes) if node.gate]
        for node in flowing[:gates]:
            node._pass_on(node.gate, node.grad)

    def _pass_on(self, gate, grad):
        inputs = [parent.value for parent in self.parents]
        with _explained(gate.symbol, "slope", inputs):
            slopes = gate.slopes(self.value, *inputs)
            if not isinstance(slopes, tuple | list) or len(slopes) != len(inputs):
                raise TypeError(
                    f"the gate {gate.symbol} must give a tuple of {len(inputs)} slopes, one for "
                    f"each input, got {slopes!r}."
                )
            slopes = tuple(map(_finite, slopes))
        self.passed = tuple(grad * slope for slope in slopes)
        for parent, gradient in zip(self.parents, self.passed, strict=True):
            parent.grad = gradient if parent.grad is None else parent.grad + gradient

    def _compute(self):
        if self.gate is not None:
            inputs = [parent.value for parent in self.parents]
            with _explained(self.gate.symbol, "value", inputs):
                self.value = _finite(self.gate.forward(*inputs))

    def __add__(self, other):
        return _binary(add, self, other)

    def __radd__(self, other):
        return _binary(add, other, self)

    def __mul__(self, other):
        return _binary(multiply, self, other)

    def __rmul__(self, other):
        return _binary(multiply, other, self)

    def __neg__(self):
        return negative(self)

    def __sub__(self, other):
        return _binary(subtract, self, other)

    def __rsub__(self, other):
        return _binary(subtract, other, self)

    def __truediv__(self, other):
        return _binary(divide, self, other)

    def __rtruediv__(self, other):
        return _binary(divide, other, self)

    def __pow__(self, exponent):
        if not isinstance(exponent, Real):
            raise TypeError(f"the exponent must be a plain number, got {exponent!r}.")
        n = float(exponent)
        return Gate(
            f"^{n:g}".replace("-", "−"),
            lambda a: _power(a, n),
            lambda out, a: (n and n * _power(a, n - 1),),
        )(self)

    def __repr__(self) -> str:
        grad = "" if self.grad is None else f", grad={self.grad}"
        name = f", name={self.name!r}" if self.name else ""
        return f"Value({self.value}{grad}{name})"


# The gates of the lecture: an add gate distributes the gradient, a max gate routes it, and a
# multiply gate switches: each input gets what the other one was.
add = Gate("+", lambda a, b: a + b, lambda out, a, b: (1.0, 1.0))
subtract = Gate("−", lambda a, b: a - b, lambda out, a, b: (1.0, -1.0))
multiply = Gate("×", lambda a, b: a * b, lambda out, a, b: (b, a))
divide = Gate("÷", lambda a, b: a / b, lambda out, a, b: (1 / b, -out / b))
# Of two equal inputs the first gets the gradient.
maximum = Gate("max", lambda a, b: max(a, b), lambda out, a, b: (float(a >= b), float(a < b)))
negative = Gate("×(−1)", lambda a: -a, lambda out, a: (-1.0,))
reciprocal = Gate("1/x", lambda a: 1 / a, lambda out, a: (-(out**2),))
exp = Gate("exp", math.exp, lambda out, a: (out,))
log = Gate("log", math.log, lambda out, a: (1 / a,))
sigmoid = Gate("σ", lambda a: (1 + math.tanh(a / 2)) / 2, lambda out, a: (out * (1 - out),))
tanh = Gate("tanh", math.tanh, lambda out, a: (1 - out**2,))
relu = Gate("ReLU", lambda a: max(a, 0.0), lambda out, a: (float(a > 0),))


def topological(end: Value) -> list[Value]:
    """Everything a value depends on, parents before children, the value itself last.

    Examples
    --------
    >>> x, y = Value(1, "x"), Value(2, "y")
    >>> [node.name or node.gate.symbol for node in topological(x * y + x)]
    ['x', 'y', '×', '+']
    """
    # A list in place of recursion: a graph may be deeper than Python's stack.
    order, seen, waiting = [], set(), [(end, False)]
    while waiting:
        node, parents_done = waiting.pop()
        if parents_done:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            waiting.append((node, True))
            waiting += [(parent, False) for parent in reversed(node.parents)]
    return order


@dataclass(frozen=True)
class Wire:
    """A line of the drawing, from a node to the gate that reads it.

    Attributes
    ----------
    start, end : the two nodes; end is None for the wire that leaves the graph.
    points : (x, y) corners of the line, from left to right; gates stand one unit apart.
    value : what flows forward.
    gradient : what this wire carries back, or None if it is not known yet. The gradient of a
        node is the sum over the wires that leave it.
    """

    start: Value
    end: Value | None
    points: tuple[tuple[float, float], ...]
    value: float
    gradient: float | None


@dataclass(frozen=True)
class Drawing:
    """Where everything stands in a picture of the graph: inputs on the left, the end on the right.

    Attributes
    ----------
    nodes : (node, x, y), y counted downwards.
    wires : the lines between them, and the one that leaves the end.
    """

    nodes: tuple[tuple[Value, float, float], ...]
    wires: tuple[Wire, ...]


def drawing(end: Value) -> Drawing:
    """Place the graph of a value: columns by depth, few crossings, no wire through a node.

    Examples
    --------
    >>> x, y, z = Value(-2, "x"), Value(5, "y"), Value(-4, "z")
    >>> [(node.name or node.gate.symbol, column) for node, column, _ in drawing((x + y) * z).nodes]
    [('x', 0.0), ('y', 0.0), ('z', 0.0), ('+', 1.0), ('×', 2.0)]
    """
    order = topological(end)
    depth = _depths(order)
    # Where a wire passes a column it takes a place there, as a node does.
    columns: list[list] = [[] for _ in range(depth[end] + 1)]
    chains: dict[tuple[Value, int], list] = {}
    for node in order:
        columns[depth[node]].append(node)
        for place, parent in enumerate(node.parents):
            passed = [(node, place, column) for column in range(depth[parent] + 1, depth[node])]
            for item in passed:
                columns[item[2]].append(item)
            chains[node, place] = [parent, *passed, node]
    y = _heights(columns, list(chains.values()))
    at = {item: (float(x), y[item]) for x, column in enumerate(columns) for item in column}

    wires = []
    for (node, place), chain in chains.items():
        parent, points = node.parents[place], [at[item] for item in chain]
        twins = [i for i, other in enumerate(node.parents) if other is parent]
        if len(twins) > 1:  # x·x: two wires between the same nodes part on the way
            (left, top), (right, bottom) = points[:2]
            apart = 0.6 * (twins.index(place) - (len(twins) - 1) / 2)
            points.insert(1, ((left + right) / 2, (top + bottom) / 2 + apart))
        gradient = node.passed[place] if node.passed else None
        wires.append(Wire(parent, node, tuple(points), parent.value, gradient))
    x_end, y_end = at[end]
    wires.append(Wire(end, None, ((x_end, y_end), (x_end + 1, y_end)), end.value, end.grad))
    nodes = sorted(((node, *at[node]) for node in order), key=lambda placed: placed[1:])
    return Drawing(tuple(nodes), tuple(wires))


def _depths(order):
    """The column of each node: gates after their inputs, plain constants beside their gate."""
    depth: dict[Value, int] = {}
    for node in order:
        depth[node] = 1 + max((depth[parent] for parent in node.parents), default=-1)
    for node in reversed(order):  # the first gate that reads a constant has the last word
        for parent in node.parents:
            if parent.gate is None and not parent.name:
                depth[parent] = depth[node] - 1
    return depth


def _heights(columns, chains):
    """A height for every item, near those it is connected to and at least 1 from the next."""
    neighbors: dict = {item: [] for column in columns for item in column}
    for chain in chains:
        for left, right in pairwise(chain):
            neighbors[left].append(right)
            neighbors[right].append(left)
    y = {item: float(row) for column in columns for row, item in enumerate(column)}
    for sweep in range(12):
        for column in columns if sweep % 2 == 0 else reversed(columns):
            wanted = {
                i: sum(y[n] for n in neighbors[i]) / max(len(neighbors[i]), 1) for i in column
            }
            # A stable sort: what wants the same place keeps its order.
            column.sort(key=lambda item: wanted.get(item, 0.0))
            y |= _spread([wanted[item] for item in column], column)
    return y


def _spread(wanted, column):
    """Heights in this order, at least 1 apart, together as near to the wanted ones as can be."""
    groups: list[list[float]] = []  # sum of (wanted − place in the group), count
    for value in wanted:
        groups.append([value, 1])
        while len(groups) > 1:
            (above, count), (below, number) = groups[-2:]
            if below / number - above / count >= count:
                break
            groups[-2:] = [[above + below - number * count, count + number]]
    heights = [total / count + place for total, count in groups for place in range(int(count))]
    return dict(zip(column, heights, strict=True))


def _as_value(number):
    if isinstance(number, Value):
        return number
    expect_number("the input of a gate", number)
    return Value(number)


@contextmanager
def _explained(symbol, what, inputs):
    """The errors of Python's arithmetic, in the words of the graph."""
    try:
        yield
    except (ValueError, ZeroDivisionError, OverflowError) as error:
        numbers = " and ".join(f"{number:g}" for number in inputs)
        raise ValueError(f"the gate {symbol} has no finite {what} at {numbers}.") from error


def _finite(number):
    if not math.isfinite(number):
        raise OverflowError(f"{number} is no finite number.")
    return float(number)


def _binary(gate, left, right):
    if not all(isinstance(side, Value | Real) for side in (left, right)):
        return NotImplemented
    return gate(left, right)


def _power(base, exponent):
    """base ** exponent, where that is a real number."""
    result = base**exponent
    if isinstance(result, complex):
        raise ValueError(f"{base} to the power of {exponent} is no real number.")
    return result
