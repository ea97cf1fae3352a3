import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnlab import graph
from cnnlab.graph import Gate, Value, drawing, exp, log, maximum, reciprocal, relu, sigmoid, tanh


def circuit(weights=(2, -3, -3), inputs=(-1, -2), *, one_gate=False):
    """The lecture's neuron: 1 / (1 + exp(−(w0·x0 + w1·x1 + w2)))."""
    w = [Value(number, f"w{i}") for i, number in enumerate(weights)]
    x = [Value(number, f"x{i}") for i, number in enumerate(inputs)]
    score = w[0] * x[0] + w[1] * x[1] + w[2]
    f = sigmoid(score) if one_gate else reciprocal(1 + exp(-score))
    return f, [*w, *x]


# The lecture's examples


def test_the_example_of_the_lecture():
    x, y, z = Value(-2, "x"), Value(5, "y"), Value(-4, "z")
    q = x + y
    f = q * z
    assert (q.value, f.value) == (3, -12)
    f.backward()
    assert (x.grad, y.grad, z.grad) == (-4, -4, 3)
    assert (q.grad, f.grad) == (-4, 1)


def test_the_neuron_of_the_lecture_gate_by_gate():
    f, leaves = circuit()
    f.backward()
    by_symbol = [(node.gate.symbol, node) for node in graph.topological(f) if node.gate]
    assert [symbol for symbol, _ in by_symbol] == ["×", "×", "+", "+", "×(−1)", "exp", "+", "1/x"]
    values = [round(node.value, 2) for _, node in by_symbol]
    assert values == [-2, 6, 4, 1, -1, 0.37, 1.37, 0.73]
    gradients = [round(node.grad, 2) for _, node in by_symbol]
    assert gradients == [0.2, 0.2, 0.2, 0.2, -0.2, -0.53, -0.53, 1]
    assert [round(leaf.grad, 2) for leaf in leaves] == [-0.2, -0.39, 0.2, 0.39, -0.59]


def test_the_sigmoid_gate_is_the_chain_of_its_gates():
    (chain, ends), (single, others) = circuit(), circuit(one_gate=True)
    chain.backward()
    single.backward()
    assert single.value == pytest.approx(chain.value, rel=1e-14)
    for end, other in zip(ends, others, strict=True):
        assert other.grad == pytest.approx(end.grad, rel=1e-13)
    # σ' = (1 − σ)·σ, times what each weight is multiplied by.
    slope = (1 - single.value) * single.value
    assert [leaf.grad for leaf in others] == pytest.approx(
        [slope * s for s in (-1, -2, 1, 2, -3)], rel=1e-14
    )


def test_what_gates_do_to_a_gradient():
    a, b = Value(3), Value(5)
    for end, expected in ((a + b, (7, 7)), (a * b, (35, 21)), (maximum(a, b), (0, 7))):
        (7 * end).backward()
        assert (a.grad, b.grad) == expected


def test_of_two_equal_inputs_the_first_gets_the_gradient_of_max():
    a, b = Value(3), Value(3)
    maximum(a, b).backward()
    assert (a.grad, b.grad) == (1, 0)


def test_relu_passes_nothing_at_zero():
    x = Value(0)
    relu(x).backward()
    assert x.grad == 0


# Sharing, and going twice


def test_gradients_add_where_a_value_branches():
    x = Value(3)
    for end, expected in ((x + x, 2), (x * x, 6), (x * x + x, 7), (maximum(x, x), 1), (x - x, 0)):
        end.backward()
        assert x.grad == expected


def test_a_second_call_gives_the_same():
    f, leaves = circuit()
    f.backward()
    first = [leaf.grad for leaf in leaves]
    f.backward()
    assert [leaf.grad for leaf in leaves] == first


def test_each_end_has_its_own_gradients():
    x, y = Value(2), Value(3)
    f, g = x * y, x + y
    f.backward()
    assert (x.grad, y.grad) == (3, 2)
    g.backward()
    assert (x.grad, y.grad, g.grad) == (1, 1, 1)
    f.backward()
    assert (x.grad, y.grad) == (3, 2)


def test_a_changed_leaf_moves_everything_behind_it():
    x, y = Value(2), Value(3)
    f = x * y + 1
    x.value = 10
    assert f.forward() == f.value == 31
    y.value = -1
    f.backward()
    assert (f.value, x.grad, y.grad) == (-9, -1, 10)


def test_backward_can_be_watched_gate_by_gate():
    x, y, z = Value(-2), Value(5), Value(-4)
    q = x + y
    f = q * z
    known = []
    for gates in range(3):
        f.backward(gates=gates)
        known.append([node.grad for node in (x, y, q, z, f)])
    assert known == [
        [None, None, None, None, 1],
        [None, None, -4, 3, 1],
        [-4, -4, -4, 3, 1],
    ]


def test_a_graph_may_be_deeper_than_the_stack():
    x = Value(1.0)
    f = x
    for _ in range(20_000):
        f = f + 1
    f.backward()
    assert (f.forward(), x.grad) == (20_001, 1)


def test_parents_come_before_children():
    f, _ = circuit()
    order = graph.topological(f)
    place = {node: i for i, node in enumerate(order)}
    assert len(place) == len(order)
    assert order[-1] is f
    assert all(place[parent] < place[node] for node in order for parent in node.parents)


# Against differences


def numeric(f, leaf, h=1e-6):
    before = leaf.value
    found = []
    for step in (h, -h):
        leaf.value = before + step
        found.append(f.forward())
    leaf.value = before
    f.forward()
    return (found[0] - found[1]) / (2 * h)


@pytest.mark.parametrize(
    ("function", "at", "expected"),
    [
        pytest.param(lambda x: -x, 2.0, -1, id="negative"),
        pytest.param(lambda x: 3 - x, 2.0, -1, id="from-a-number"),
        pytest.param(lambda x: x - 3, 2.0, 1, id="less-a-number"),
        pytest.param(lambda x: 5 * x, 2.0, 5, id="times-a-number"),
        pytest.param(lambda x: x / 4, 2.0, 0.25, id="by-a-number"),
        pytest.param(lambda x: 6 / x, 2.0, -1.5, id="a-number-by-it"),
        pytest.param(lambda x: x**3, 2.0, 12, id="cube"),
        pytest.param(lambda x: x**0, 0.0, 0, id="to-the-0"),
        pytest.param(lambda x: x**-0.5, 4.0, -0.0625, id="root"),
        pytest.param(exp, 1.0, math.e, id="exp"),
        pytest.param(log, 4.0, 0.25, id="log"),
        pytest.param(reciprocal, 2.0, -0.25, id="reciprocal"),
        pytest.param(sigmoid, 0.0, 0.25, id="sigmoid"),
        pytest.param(tanh, 0.5, 1 - math.tanh(0.5) ** 2, id="tanh"),
        pytest.param(relu, 2.0, 1, id="relu-open"),
        pytest.param(relu, -2.0, 0, id="relu-closed"),
        pytest.param(lambda x: np.float64(3) * x, 2.0, 3, id="numpy-number"),
    ],
)
def test_every_gate_by_hand(function, at, expected):
    x = Value(at)
    f = function(x)
    f.backward()
    assert isinstance(f, Value)
    assert isinstance(f.value, float)
    assert x.grad == pytest.approx(expected, rel=1e-14)
    if at:
        assert numeric(f, x) == pytest.approx(expected, rel=1e-6, abs=1e-9)


UNARY = [tanh, sigmoid, exp, lambda a: -a, lambda a: a**2, lambda a: reciprocal(a * a + 1)]
BINARY = [lambda a, b: a + b, lambda a, b: a * b, lambda a, b: a - b, maximum]


@given(data=st.data())
def test_any_graph_against_differences(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    leaves = [Value(rng.uniform(-1, 1), f"x{i}") for i in range(data.draw(st.integers(1, 4)))]
    nodes = list(leaves)
    for _ in range(data.draw(st.integers(1, 12))):
        picked = [nodes[data.draw(st.integers(0, len(nodes) - 1))] for _ in range(2)]
        gates = UNARY if data.draw(st.booleans()) else BINARY
        gate = data.draw(st.sampled_from(gates))
        # Kept between −1 and 1, so that products of products stay within reach.
        nodes.append(tanh(gate(*picked[: 1 if gates is UNARY else 2])))
    f = nodes[-1]
    f.backward()
    used = [leaf for leaf in leaves if leaf in graph.topological(f)]
    for leaf, gradient in [(leaf, leaf.grad) for leaf in used]:
        # Random leaves are never tied, but copies of one are: there max has a kink.
        sides = [numeric(f, leaf, h) for h in (1e-6, 1e-5)]
        assert gradient == pytest.approx(sides[0], rel=1e-4, abs=1e-7) or tied(f)
    check_drawing(f)


def tied(f):
    return any(
        node.gate is maximum and node.parents[0].value == node.parents[1].value
        for node in graph.topological(f)
    )


# A gate of your own, and what cannot be


def test_a_gate_of_your_own():
    hypotenuse = Gate("√", lambda a, b: math.hypot(a, b), lambda out, a, b: (a / out, b / out))
    a, b = Value(3), Value(4)
    f = hypotenuse(a, b)
    f.backward()
    assert (f.value, a.grad, b.grad) == (5, 0.6, 0.8)


@pytest.mark.parametrize("slopes", [3.0, (1.0,), (1.0, 2.0, 3.0)], ids=["number", "one", "three"])
def test_a_gate_gives_a_slope_for_each_input(slopes):
    mine = Gate("mine", lambda a, b: a + b, lambda out, a, b: slopes)
    with pytest.raises(TypeError, match=r"mine must give a tuple of 2 slopes, .*, got [\(3]"):
        mine(1, 2).backward()


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: Value("a"), ValueError, "value must be a finite number, got 'a'"),
        (lambda: Value(np.ones(2)), ValueError, "value must be a finite number"),
        (lambda: Value(math.nan), ValueError, "value must be a finite number, got nan"),
        (lambda: exp("a"), ValueError, "the input of a gate must be a finite number, got 'a'"),
        (lambda: log(Value(-1)), ValueError, "the gate log has no finite value at -1"),
        (lambda: log(Value(0)), ValueError, "the gate log has no finite value at 0"),
        (lambda: exp(Value(1000)), ValueError, "the gate exp has no finite value at 1000"),
        (lambda: reciprocal(Value(0)), ValueError, "the gate 1/x has no finite value at 0"),
        (lambda: Value(1) / Value(0), ValueError, "the gate ÷ has no finite value at 1 and 0"),
        (lambda: Value(-8) ** 0.5, ValueError, r"the gate \^0\.5 has no finite value at -8"),
        (
            lambda: Value(1e200) * Value(1e200),
            ValueError,
            r"× has no finite value at 1e\+200",
        ),
        (lambda: (Value(0) / 1e-320).backward(), ValueError, "the gate ÷ has no finite slope at 0"),
        (lambda: maximum(1, 2, 3), TypeError, "takes 2 positional arguments but 3 were given"),
        (lambda: (Value(0) ** 0.5).backward(), ValueError, r"\^0\.5 has no finite slope at 0"),
        (lambda: Value(2) ** Value(3), TypeError, "the exponent must be a plain number, got Val"),
        (lambda: Value(2) + "a", TypeError, "unsupported operand"),
        (lambda: [1] - Value(2), TypeError, "unsupported operand"),
        (lambda: np.ones(2) * Value(2), TypeError, "unsupported operand"),
        (lambda: Value(2) < Value(3), TypeError, "not supported"),
    ],
)
def test_what_cannot_be_is_said(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_a_failed_step_can_be_taken_back():
    x = Value(2.0)
    f = log(x)
    x.value = -1.0
    with pytest.raises(ValueError, match="log has no finite value at -1"):
        f.backward()
    x.value = 4.0
    f.backward()
    assert x.grad == 0.25


def test_equal_numbers_are_different_nodes():
    assert Value(1) != Value(1)
    assert len({Value(1), Value(1)}) == 2


def test_a_value_describes_itself():
    x = Value(3, "x")
    assert repr(x) == "Value(3.0, name='x')"
    (x * 2).backward()
    assert repr(x) == "Value(3.0, grad=2.0, name='x')"


# The drawing


def check_drawing(f):
    """What every drawing keeps to."""
    plan = drawing(f)
    nodes = graph.topological(f)
    at = {node: (x, y) for node, x, y in plan.nodes}
    assert set(at) == set(nodes)
    places = sorted(at.values())
    for (x0, y0), (x1, y1) in pairwise(places):
        assert x0 < x1 or y1 - y0 >= 1 - 1e-9, "nodes of a column are a row apart"
    inner = [wire for wire in plan.wires if wire.end]
    assert len(inner) == sum(len(node.parents) for node in nodes)
    for wire in inner:
        assert wire.points[0] == at[wire.start]
        assert wire.points[-1] == at[wire.end]
        assert wire.value == wire.start.value
        across = [x for x, _ in wire.points]
        assert across == sorted(set(across)), "wires run from left to right"
        passed = [point for point in wire.points[1:-1] if point[0] == round(point[0])]
        for x, y in passed:
            for other_x, other_y in at.values():
                assert x != other_x or abs(y - other_y) >= 1 - 1e-9, "no wire runs through a node"
    (last,) = [wire for wire in plan.wires if wire.end is None]
    assert (last.start, last.value, last.gradient) == (f, f.value, f.grad)
    for node in nodes:
        shares = [wire.gradient for wire in plan.wires if wire.start is node]
        if node.grad is not None:
            assert sum(shares) == pytest.approx(node.grad, rel=1e-12, abs=1e-15)


def test_the_drawing_of_the_lecture():
    x, y, z = Value(-2, "x"), Value(5, "y"), Value(-4, "z")
    f = (x + y) * z
    f.backward()
    check_drawing(f)
    plan = drawing(f)
    names = {node: node.name or node.gate.symbol for node, _, _ in plan.nodes}
    assert [(names[node], column) for node, column, _ in plan.nodes] == [
        ("x", 0),
        ("y", 0),
        ("z", 0),
        ("+", 1),
        ("×", 2),
    ]
    numbers = [(names[w.start], w.end and names[w.end], w.value, w.gradient) for w in plan.wires]
    assert sorted(numbers, key=str) == sorted(
        [
            ("x", "+", -2, -4),
            ("y", "+", 5, -4),
            ("+", "×", 3, -4),
            ("z", "×", -4, 3),
            ("×", None, -12, 1),
        ],
        key=str,
    )


def test_before_backward_no_gradient_is_drawn():
    f, _ = circuit()
    assert {wire.gradient for wire in drawing(f).wires} == {None}
    f.backward(gates=2)
    known = [wire.start for wire in drawing(f).wires if wire.gradient is not None]
    assert {node.gate.symbol if node.gate else node.value for node in known} == {
        "1/x",
        "+",
        "exp",
        1.0,
    }


def test_a_wire_shows_no_more_than_has_come_back_along_it():
    x = Value(3, "x")
    f = x * tanh(x)
    f.backward(gates=1)
    gradients = {wire.end and wire.end.gate.symbol: wire.gradient for wire in drawing(f).wires}
    assert gradients["tanh"] is None
    assert x.grad == math.tanh(3)


def test_no_wire_lies_on_another():
    x = Value(3, "x")
    for f in (x * x, x + x * x, maximum(x * x, x)):
        ways = [wire.points for wire in drawing(f).wires]
        assert len(set(ways)) == len(ways)


def test_a_constant_stands_beside_its_gate_and_a_name_on_the_left():
    x = Value(2, "x")
    f = tanh(tanh(tanh(x))) + 1 + x
    columns = {node.name or node.value: column for node, column, _ in drawing(f).nodes}
    assert columns["x"] == 0
    assert columns[1.0] == 3


def test_the_neuron_has_no_crossing():
    f, _ = circuit()
    plan = drawing(f)
    check_drawing(f)
    pieces = [(left, right) for wire in plan.wires for left, right in pairwise(wire.points)]
    for (left, right), (other_left, other_right) in [
        (a, b) for i, a in enumerate(pieces) for b in pieces[:i] if a[0][0] == b[0][0]
    ]:
        above_before = left[1] - other_left[1]
        above_after = right[1] - other_right[1]
        assert above_before * above_after >= 0
