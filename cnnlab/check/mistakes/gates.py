"""Mistakes on the way back through circuits of numbers: gates, branches, a neuron."""

import numpy as np

from cnnlab.check.mistakes.base import mistake

# One gate


def _gate(add, mul, larger, gate, x, y, dout):
    """The gradients of x and y, by a function of x, y and dout for each gate."""
    return {"add": add, "mul": mul, "max": larger}[gate](x, y, dout)


def _add(x, y, dout):
    return dout, dout


def _mul(x, y, dout):
    return y * dout, x * dout


def _max(x, y, dout):
    return (dout, 0.0) if x >= y else (0.0, dout)


CHAIN = (
    "The slope of the gate is right. The chain rule then asks for one more factor: how steep the "
    "rest of the circuit is, which comes in from above."
)


@mistake("gate_backward", "dout is left out", CHAIN)
def gates_without_dout(gate, x, y, dout):
    return _gate(_add, _mul, _max, gate, x, y, 1.0)


@mistake("gate_backward", "dout is left out in the add gate", CHAIN)
def add_without_dout(gate, x, y, dout):
    return _gate(lambda x, y, dout: (1.0, 1.0), _mul, _max, gate, x, y, dout)


@mistake("gate_backward", "dout is left out in the mul gate", CHAIN)
def mul_without_dout(gate, x, y, dout):
    return _gate(_add, lambda x, y, dout: (y, x), _max, gate, x, y, dout)


@mistake("gate_backward", "dout is left out in the max gate", CHAIN)
def max_without_dout(gate, x, y, dout):
    return _gate(_add, _mul, lambda x, y, dout: _max(x, y, 1.0), gate, x, y, dout)


@mistake(
    "gate_backward",
    "The add gate shares the gradient out",
    "Move x by a little: by how much does the sum move? That much does each input get, not half "
    "of it.",
)
def add_shares(gate, x, y, dout):
    return _gate(lambda x, y, dout: (dout / 2, dout / 2), _mul, _max, gate, x, y, dout)


@mistake(
    "gate_backward",
    "The add gate multiplies by its inputs",
    "How steep a sum is does not depend on the numbers that are added.",
)
def add_by_its_inputs(gate, x, y, dout):
    return _gate(lambda x, y, dout: (x * dout, y * dout), _mul, _max, gate, x, y, dout)


@mistake(
    "gate_backward",
    "The add gate adds to the gradient",
    "Going back, nothing is added to what comes in from above: each input gets it times a slope.",
)
def add_adds(gate, x, y, dout):
    return _gate(lambda x, y, dout: (x + dout, y + dout), _mul, _max, gate, x, y, dout)


@mistake(
    "gate_backward",
    "The mul gate does not switch",
    "x · y grows by y for every unit that x grows: each input's slope is the other one.",
)
def mul_not_switched(gate, x, y, dout):
    return _gate(_add, lambda x, y, dout: (x * dout, y * dout), _max, gate, x, y, dout)


@mistake(
    "gate_backward",
    "The mul gate multiplies by both inputs",
    "That is the output times dout. The slope by one input is the other one alone.",
)
def mul_by_both(gate, x, y, dout):
    return _gate(_add, lambda x, y, dout: (x * y * dout,) * 2, _max, gate, x, y, dout)


@mistake(
    "gate_backward",
    "The mul gate hands the gradient on unchanged",
    "That is what an add gate does. How much does a product change with one of its factors?",
)
def mul_distributes(gate, x, y, dout):
    return _gate(_add, _add, _max, gate, x, y, dout)


@mistake(
    "gate_backward",
    "The mul gate divides",
    "Each input's slope is the other one: multiply by it.",
)
def mul_divides(gate, x, y, dout):
    def divide(x, y, dout):
        return (dout / y if y else np.inf), (dout / x if x else np.inf)

    return _gate(_add, divide, _max, gate, x, y, dout)


@mistake(
    "gate_backward",
    "The max gate hands the gradient to both",
    "Move the smaller input a little: the output does not notice. Only one of the two gets dout.",
)
def max_distributes(gate, x, y, dout):
    return _gate(_add, _mul, _add, gate, x, y, dout)


@mistake(
    "gate_backward",
    "The max gate hands the gradient to the smaller one",
    "The output follows the larger input, so that one gets dout.",
)
def max_to_the_smaller(gate, x, y, dout):
    return _gate(_add, _mul, lambda x, y, dout: _max(x, y, dout)[::-1], gate, x, y, dout)


@mistake(
    "gate_backward",
    "The max gate hands the gradient to the smaller one",
    "The output follows the larger input, so that one gets dout.",
)
def max_to_the_smaller_or_x(gate, x, y, dout):
    return _gate(
        _add, _mul, lambda x, y, dout: (dout, 0.0) if x <= y else (0.0, dout), gate, x, y, dout
    )


@mistake(
    "gate_backward",
    "The max gate hands a value back",
    "The larger input gets dout itself, not dout times its own value: moved by a little, the "
    "output moves by as much.",
)
def max_times_value(gate, x, y, dout):
    return _gate(_add, _mul, lambda x, y, dout: _max(x, y, dout * max(x, y)), gate, x, y, dout)


@mistake(
    "gate_backward",
    "The max gate always hands the gradient to x",
    "Which of the two is the larger one depends on the numbers.",
)
def max_to_x(gate, x, y, dout):
    return _gate(_add, _mul, lambda x, y, dout: (dout, 0.0), gate, x, y, dout)


TIE = "Where both inputs are equal, x gets all of dout and y nothing: that was agreed upon."


@mistake("gate_backward", "At a tie both get the gradient", TIE)
def tie_to_both(gate, x, y, dout):
    def larger(x, y, dout):
        return dout * (x >= y), dout * (y >= x)

    return _gate(_add, _mul, larger, gate, x, y, dout)


@mistake("gate_backward", "At a tie y gets the gradient", TIE)
def tie_to_y(gate, x, y, dout):
    return _gate(
        _add, _mul, lambda x, y, dout: (dout, 0.0) if x > y else (0.0, dout), gate, x, y, dout
    )


@mistake("gate_backward", "At a tie nobody gets the gradient", TIE)
def tie_to_nobody(gate, x, y, dout):
    return _gate(_add, _mul, lambda x, y, dout: (dout * (x > y), dout * (y > x)), gate, x, y, dout)


@mistake("gate_backward", "At a tie the gradient is shared", TIE)
def tie_shared(gate, x, y, dout):
    def larger(x, y, dout):
        return (dout / 2, dout / 2) if x == y else _max(x, y, dout)

    return _gate(_add, _mul, larger, gate, x, y, dout)


@mistake(
    "gate_backward",
    "dx and dy are returned in the wrong order",
    "The gradient of x comes first.",
)
def gates_swapped(gate, x, y, dout):
    return _gate(_add, _mul, _max, gate, x, y, dout)[::-1]


# f = (x + y) max(y, z)

MEETS = (
    "y goes two ways, into the sum and into the maximum. What comes back on the two ways adds up: "
    "= or +=?"
)


def _ways(x, y, z):
    """f, dx, what y gets through the sum and through the maximum, and dz."""
    largest, total = max(y, z), x + y
    return total * largest, largest, largest, total * (y >= z), total * (z > y)


@mistake("branches.dy", "dy knows the way through the sum only", MEETS)
def dy_through_the_sum(x, y, z):
    return _ways(x, y, z)[2]


@mistake("branches.dy", "dy knows the way through the maximum only", MEETS)
def dy_through_the_maximum(x, y, z):
    return float(_ways(x, y, z)[3])


@mistake("branches.dy", "One of the two gradients of y replaces the other", MEETS)
def dy_replaced_where_y_wins(x, y, z):
    _, _, through_sum, through_maximum, _ = _ways(x, y, z)
    return through_maximum if y >= z else through_sum


@mistake(
    "branches.dy",
    "The two gradients of y are averaged",
    "Where a value branches its gradients add up: moving y moves the end on both ways at once.",
)
def dy_averaged(x, y, z):
    return sum(_ways(x, y, z)[2:4]) / 2


@mistake(
    "branches.dy",
    "The two gradients of y are multiplied",
    "Along one way slopes multiply. Of two ways the gradients add up.",
)
def dy_multiplied(x, y, z):
    return _ways(x, y, z)[2] * _ways(x, y, z)[3]


@mistake("branches.dy", "One of the two gradients of y replaces the other", MEETS)
def dy_replaced_and_tie_to_z(x, y, z):
    _, _, through_sum, through_maximum, _ = _ways(x, y, z)
    return through_maximum if y > z else through_sum


@mistake(
    "branches.dx",
    "x gets what comes back through the maximum too",
    "x goes one way only, into the sum.",
)
def dx_through_the_maximum(x, y, z):
    return sum(_ways(x, y, z)[2:4])


@mistake(
    "branches.dx",
    "y stands where the maximum belongs",
    "The slope by the sum is the other factor, the larger of y and z.",
)
def dx_is_y(x, y, z):
    return y


@mistake(
    "branches",
    "The gradient of the product is left out",
    "Both ways begin behind the product: what does the mul gate hand to the sum, and what to the "
    "maximum?",
)
def branches_without_mul(x, y, z):
    return _ways(x, y, z)[0], 1.0, 1.0 + (y >= z), float(z > y)


@mistake(
    "branches",
    "The mul gate hands back its output",
    "What comes in at the end is 1, not f. Each factor gets 1 times the other one.",
)
def branches_begin_with_f(x, y, z):
    f, *gradients = _ways(x, y, z)
    dx, through_sum, through_maximum, dz = (f * gradient for gradient in gradients)
    return f, dx, through_sum + through_maximum, dz


@mistake(
    "branches.dy",
    "The two gradients of y are multiplied",
    "Along one way slopes multiply. Of two ways the gradients add up.",
)
def dy_multiplied_where_y_wins(x, y, z):
    _, _, through_sum, through_maximum, _ = _ways(x, y, z)
    return through_sum * through_maximum if y >= z else through_sum


BEHIND = (
    "The max gate hands on what comes in from above, and that is not 1: behind it stands a product."
)


@mistake("branches", "The max gate forgets what comes in from above", BEHIND)
def branches_without_product(x, y, z):
    largest = max(y, z)
    return (x + y) * largest, largest, largest + (y >= z), float(z > y)


@mistake(
    "branches",
    "The max gate hands the gradient to the smaller one",
    "The maximum follows the larger of its two inputs.",
)
def branches_to_the_smaller(x, y, z):
    f, dx, dy, through, dz = _ways(x, y, z)
    return f, dx, dy + dz, through


@mistake(
    "branches",
    "The max gate hands the gradient to both",
    "Move the smaller one a little: the maximum does not notice.",
)
def branches_to_both(x, y, z):
    f, dx, dy, *_ = _ways(x, y, z)
    return f, dx, dy + x + y, x + y


@mistake(
    "branches",
    "The max gate always hands the gradient to y",
    "Which of the two is the larger one depends on the numbers.",
)
def branches_to_y(x, y, z):
    f, dx, dy, *_ = _ways(x, y, z)
    return f, dx, dy + x + y, 0.0


@mistake(
    "branches",
    "The mul gate does not switch",
    "In a product, the slope by one factor is the other factor.",
)
def branches_not_switched(x, y, z):
    largest, total = max(y, z), x + y
    return total * largest, total, total + largest * (y >= z), largest * (z > y)


@mistake(
    "branches",
    "At a tie z gets the gradient",
    "Where y and z are equal, y gets it: it stands first.",
)
def branches_tie_to_z(x, y, z):
    f, dx, dy, _, _ = _ways(x, y, z)
    return f, dx, dy + (x + y) * (y > z), (x + y) * (z >= y)


@mistake(
    "branches",
    "At a tie both get the gradient",
    "Where y and z are equal, y gets it all: it stands first.",
)
def branches_tie_to_both(x, y, z):
    f, dx, dy, through, _ = _ways(x, y, z)
    return f, dx, dy + through, (x + y) * (z >= y)


@mistake(
    "branches",
    "At a tie nobody gets the gradient",
    "Where y and z are equal, y gets it: it stands first.",
)
def branches_tie_to_nobody(x, y, z):
    f, dx, dy, _, dz = _ways(x, y, z)
    return f, dx, dy + (x + y) * (y > z), dz


@mistake(
    "branches.f",
    "The smaller of y and z is taken",
    "f is the sum of x and y times the larger of y and z.",
)
def branches_minimum(x, y, z):
    return (x + y) * min(y, z)


@mistake(
    "branches.f",
    "The product comes before the sum",
    "The sum of x and y is multiplied, not y alone: are there parentheses?",
)
def branches_precedence(x, y, z):
    return x + y * max(y, z)
