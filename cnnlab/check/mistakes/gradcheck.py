"""Mistakes in the gradient check: differences, and how two gradients are compared."""

import functools

import numpy as np

from cnnlab.check.mistakes.base import MISTAKES, Undecided, mistake


def _each(f, x, h, quotient):
    """quotient(step) for a step of h along each entry of x in turn, in x's shape."""
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        step = np.zeros(x.shape)
        step[index] = h
        gradient[index] = quotient(x, step)
    return gradient


ONE_SIDE = (
    "One of the two calls of f is at x itself. That is off by about h; with a step up and a step "
    "down the error falls with h²."
)


@mistake("numeric_gradient", "The difference is taken on one side only", ONE_SIDE)
def forward_difference(f, x, h=1e-5):
    return _each(f, x, h, lambda x, step: (f(x + step) - f(x)) / h)


@mistake("numeric_gradient", "The difference is taken on one side only", ONE_SIDE)
def backward_difference(f, x, h=1e-5):
    return _each(f, x, h, lambda x, step: (f(x) - f(x - step)) / h)


APART = "From x − h to x + h: how far apart are the two points at which f is called?"


@mistake("numeric_gradient", "The difference is divided by h, not by 2h", APART)
def divided_by_h(f, x, h=1e-5):
    return _each(f, x, h, lambda x, step: (f(x + step) - f(x - step)) / h)


@mistake("numeric_gradient", "The difference is not divided by h", APART)
def divided_by_2(f, x, h=1e-5):
    return _each(f, x, h, lambda x, step: (f(x + step) - f(x - step)) / 2)


@mistake("numeric_gradient", "The difference is not divided", APART)
def not_divided(f, x, h=1e-5):
    return _each(f, x, h, lambda x, step: f(x + step) - f(x - step))


@mistake(
    "numeric_gradient",
    "The difference is divided by 2 and multiplied by h",
    "Python reads / 2 * h from left to right. Are there parentheses around the denominator?",
)
def precedence_of_denominator(f, x, h=1e-5):
    return _each(f, x, h, lambda x, step: (f(x + step) - f(x - step)) / 2 * h)


@mistake(
    "numeric_gradient",
    "Only the second value is divided",
    "Division comes before subtraction. Are there parentheses around the difference?",
)
def precedence_of_difference(f, x, h=1e-5):
    return _each(f, x, h, lambda x, step: f(x + step) - f(x - step) / (2 * h))


@mistake(
    "numeric_gradient",
    "One side only, and divided by 2h",
    "f is called at x itself, but the difference is divided as if there were two steps. Is x back "
    "where it was before you step down? From x + h, one step down leads to x only.",
)
def half_a_forward_difference(f, x, h=1e-5):
    return _each(f, x, h, lambda x, step: (f(x + step) - f(x)) / (2 * h))


@mistake(
    "numeric_gradient",
    "The sign is reversed",
    "Up minus down: where f grows with an entry, its gradient is positive.",
)
def reversed_sign(f, x, h=1e-5):
    return _each(f, x, h, lambda x, step: (f(x - step) - f(x + step)) / (2 * h))


PILE = (
    "Before the next entry is moved, the one before has to be back where it was. Otherwise the "
    "gradient is that of another point."
)


def _piled(f, x, h, left):
    x, gradient = np.array(x, float), np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        before = x[index]
        x[index] = before + h
        up = f(x)
        x[index] = before - h
        gradient[index] = (up - f(x)) / (2 * h)
        x[index] = before + left * h
    return gradient


@mistake("numeric_gradient", "An entry is not moved back", PILE)
def entries_stay_down(f, x, h=1e-5):
    return _piled(f, x, h, -1)


@mistake("numeric_gradient", "An entry is not moved back", PILE)
def entries_stay_up(f, x, h=1e-5):
    return _piled(f, x, h, 1)


@mistake(
    "numeric_gradient",
    "All entries are moved at once",
    "A gradient has a number for each entry: how f changes when this one moves and all others "
    "stay. x + h moves them all.",
)
def all_at_once(f, x, h=1e-5):
    return np.full(x.shape, (f(x + h) - f(x - h)) / (2 * h))


@mistake(
    "numeric_gradient",
    "All entries are moved at once",
    "A gradient has a number for each entry: how f changes when this one moves and all others "
    "stay. x + h moves them all.",
)
def all_at_once_one_number(f, x, h=1e-5):
    return (f(x + h) - f(x - h)) / (2 * h)


ALONE = (
    "f takes an array in the shape of x. Move one entry of it, and hand f the whole array, with "
    "all others where they were."
)


@mistake("numeric_gradient", "f is given one entry, not the whole array", ALONE)
def entries_alone(f, x, h=1e-5):
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        gradient[index] = (f(x[index] + h) - f(x[index] - h)) / (2 * h)
    return gradient


@mistake("numeric_gradient", "f is given one entry, not the whole array", ALONE)
def items_alone(f, x, h=1e-5):
    return np.array([(f(item + h) - f(item - h)) / (2 * h) for item in x])


@mistake(
    "numeric_gradient",
    "The other entries are set to zero",
    "The step is added to x. Where it stands alone, f is called near zero and not near x.",
)
def step_from_zero(f, x, h=1e-5):
    return _each(f, x, h, lambda x, step: (f(step) - f(-step)) / (2 * h))


@mistake(
    "numeric_gradient",
    "Whole rows are moved at once",
    "x[i] is an entry only where x has a single axis. np.ndindex(x.shape) goes through all entries "
    "of any shape.",
)
def rows_at_once(f, x, h=1e-5):
    gradient = np.zeros(x.shape)
    for i in range(len(x)):
        step = np.zeros(x.shape)
        step[i] = h
        gradient[i] = (f(x + step) - f(x - step)) / (2 * h)
    return gradient


@mistake(
    "numeric_gradient",
    "Only the first row gets a gradient",
    "x may have several axes. np.ndindex(x.shape) goes through all entries of any shape.",
)
def first_row_only(f, x, h=1e-5):
    gradient = _each(f, x, h, lambda x, step: (f(x + step) - f(x - step)) / (2 * h))
    if x.ndim > 1:
        gradient[1:] = 0
    return gradient


@mistake(
    "numeric_gradient",
    "The gradient is laid out as a row",
    "The gradient has the shape of x, one number for each entry, at the same place.",
)
def flat_gradient(f, x, h=1e-5):
    return _each(f, x, h, lambda x, step: (f(x + step) - f(x - step)) / (2 * h)).ravel()


@mistake(
    "numeric_gradient",
    "h is not used",
    "The step is the third argument. A number of your own stands in its place.",
)
def own_step(f, x, h=1e-5):
    return _each(f, x, 1e-5, lambda x, step: (f(x + step) - f(x - step)) / 2e-5)


@mistake(
    "numeric_gradient",
    "More steps are taken than one up and one down",
    "A formula with four values of f errs less, but it is another one. Two values are asked for.",
)
def four_values(f, x, h=1e-5):
    def quotient(x, step):
        near, far = (f(x + k * step) - f(x - k * step) for k in (1, 2))
        return (8 * near - far) / (12 * h)

    return _each(f, x, h, quotient)


@mistake(
    "numeric_gradient",
    "The second derivative is taken",
    "The value at x itself is not needed: up minus down, over the distance of the two.",
)
def second_derivative(f, x, h=1e-5):
    return _each(f, x, h, lambda x, step: (f(x + step) - 2 * f(x) + f(x - step)) / h**2)


def _in_the_type_of_x(f, x, h, into):
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[index], down[index] = x[index] + h, x[index] - h
        gradient[index] = (f(up) - f(down)) / (2 * h)
    return gradient.astype(into)


NARROW = (
    "An array of whole numbers cannot take a step of a fraction, and float32 none that is too "
    "small. Work on a copy of x in float64."
)


@mistake("numeric_gradient", "The step gets lost in the type of x", NARROW)
def steps_in_the_type_of_x(f, x, h=1e-5):
    return _in_the_type_of_x(f, x, h, float)


@mistake("numeric_gradient", "The step gets lost in the type of x", NARROW)
def all_in_the_type_of_x(f, x, h=1e-5):
    return _in_the_type_of_x(f, x, h, x.dtype)


@mistake(
    "numeric_gradient",
    "The gradient holds whole numbers where x does",
    "np.zeros_like(x) has the type of x. A gradient of whole numbers cuts its fractions off: make "
    "an array of floats.",
)
def gradient_in_the_type_of_x(f, x, h=1e-5):
    gradient = _each(f, x, h, lambda x, step: (f(x + step) - f(x - step)) / (2 * h))
    return gradient.astype(x.dtype)


@mistake(
    "numeric_gradient",
    "The gradient is divided by the number of entries",
    "The gradient of an entry is how f changes with it. Nothing is averaged.",
)
def divided_by_size(f, x, h=1e-5):
    return _each(f, x, h, lambda x, step: (f(x + step) - f(x - step)) / (2 * h)) / x.size


@mistake(
    "numeric_gradient",
    "The step is multiplied by the entry",
    "Every entry is moved by the same h, also one that is 0.",
)
def relative_step(f, x, h=1e-5):
    def quotient(x, step):
        moved = step * x
        return (f(x + moved) - f(x - moved)) / (2 * h)

    return _each(f, x, h, quotient)


@mistake(
    "numeric_gradient",
    "The gradient has lost its sign",
    "Where f falls as an entry grows, the gradient is negative. No absolute value is taken.",
)
def absolute_slopes(f, x, h=1e-5):
    return np.abs(_each(f, x, h, lambda x, step: (f(x + step) - f(x - step)) / (2 * h)))


def _narrowed(wrong, into):
    """The same mistake by somebody who takes the steps in the type of x, too."""

    @functools.wraps(wrong)
    def narrowed(f, x, h=1e-5):
        gradient = np.asarray(wrong(lambda moved: f(moved.astype(x.dtype)), x, h))
        with np.errstate(invalid="ignore"):
            return gradient.astype(into or x.dtype)

    return narrowed


for _known in list(MISTAKES["numeric_gradient"]):
    if _known.look != NARROW and _known.function is not gradient_in_the_type_of_x:
        for _into in (float, None):
            mistake("numeric_gradient", _known.name, _known.look)(_narrowed(_known.function, _into))


@mistake(
    "numeric_gradient",
    "Whole rows are moved at once",
    "x[i] is an entry only where x has a single axis. np.ndindex(x.shape) goes through all entries "
    "of any shape.",
)
def rows_at_once_in_place(f, x, h=1e-5):
    if x.dtype.kind != "f":
        raise Undecided  # a row of whole numbers refuses += h, and a single one does not
    return _narrowed(rows_at_once, float)(f, x, h)


# How far two gradients are apart


def _over(a, b, denominator):
    """|a − b| over something; 0 where both are zero."""
    with np.errstate(all="ignore"):
        error = np.abs(a - b) / denominator
    return np.where((a == 0) & (b == 0), 0.0, error)


def _larger(a, b):
    return np.maximum(np.abs(a), np.abs(b))


@mistake(
    "relative_error",
    "The error is not relative",
    "0.1 is much beside a gradient of 0.2 and little beside one of 1000. Divide by the larger of "
    "the two.",
)
def absolute_error(a, b):
    return np.abs(a - b).max()


WHICH = "Divide by the larger of the two, entry by entry, without their signs."
DENOMINATOR = "The denominator is another one"


@mistake("relative_error", DENOMINATOR, f"{WHICH} Here it is the sum of both.")
def over_the_sum(a, b):
    return _over(a, b, np.abs(a) + np.abs(b)).max()


@mistake("relative_error", DENOMINATOR, f"{WHICH} Here it is the mean of both.")
def over_the_mean(a, b):
    return _over(a, b, (np.abs(a) + np.abs(b)) / 2).max()


@mistake("relative_error", DENOMINATOR, f"{WHICH} Here it is the first one.")
def over_the_first(a, b):
    return _over(a, b, np.abs(a)).max()


@mistake("relative_error", DENOMINATOR, f"{WHICH} Here it is the second one.")
def over_the_second(a, b):
    return _over(a, b, np.abs(b)).max()


@mistake("relative_error", DENOMINATOR, f"{WHICH} Here it is the smaller one.")
def over_the_smaller(a, b):
    return _over(a, b, np.minimum(np.abs(a), np.abs(b))).max()


@mistake("relative_error", DENOMINATOR, f"{WHICH} Here it is the product of both.")
def over_the_product(a, b):
    return _over(a, b, np.abs(a * b)).max()


@mistake(
    "relative_error",
    "The larger one is looked for with its sign",
    "Of −4 and −3, −4 is the one of larger size. Take the absolute values before the maximum.",
)
def larger_with_sign(a, b):
    return _over(a, b, np.maximum(a, b)).max()


@mistake(
    "relative_error",
    "The larger one is looked for with its sign",
    "Of −4 and −3, −4 is the one of larger size. Take the absolute values before the maximum.",
)
def size_of_the_larger(a, b):
    return _over(a, b, np.abs(np.maximum(a, b))).max()


@mistake(
    "relative_error",
    "All entries are divided by the largest of all",
    "Each entry has a denominator of its own. A small gradient that is all wrong would not be "
    "noticed beside a large one.",
)
def over_the_largest_of_all(a, b):
    return _over(a, b, _larger(a, b).max()).max()


@mistake(
    "relative_error",
    "The error is that of whole arrays",
    "Each entry is compared by itself, and the worst counts. One that is all wrong would not be "
    "noticed among many that are right.",
)
def over_norms(a, b):
    norm = np.linalg.norm
    return float(_over(norm(a), norm(b), 1) and norm(a - b) / max(norm(a), norm(b)))


@mistake(
    "relative_error",
    "The error is that of whole arrays",
    "Each entry is compared by itself, and the worst counts. One that is all wrong would not be "
    "noticed among many that are right.",
)
def over_sum_of_norms(a, b):
    norm = np.linalg.norm
    return norm(a - b) / (norm(a) + norm(b))


@mistake("relative_error", DENOMINATOR, f"{WHICH} Here it is the first one.")
def over_the_first_as_it_comes(a, b):
    with np.errstate(all="ignore"):
        return (np.abs(a - b) / np.abs(a)).max()


@mistake("relative_error", DENOMINATOR, f"{WHICH} Here it is the second one.")
def over_the_second_as_it_comes(a, b):
    with np.errstate(all="ignore"):
        return (np.abs(a - b) / np.abs(b)).max()


@mistake("relative_error", DENOMINATOR, f"{WHICH} Here it is the smaller one.")
def over_the_smaller_as_it_comes(a, b):
    with np.errstate(all="ignore"):
        return (np.abs(a - b) / np.minimum(np.abs(a), np.abs(b))).max()


ENTRIES = "A whole array is asked which is larger"
MAXIMUM = "np.maximum compares two arrays entry by entry; max and np.max do something else."


@mistake("relative_error", ENTRIES, MAXIMUM)
def larger_by_max(a, b):
    return (np.abs(a - b) / max(np.abs(a), np.abs(b))).max()


@mistake("relative_error", ENTRIES, MAXIMUM)
def larger_by_np_max(a, b):
    return (np.abs(a - b) / np.max(np.abs(a), np.abs(b))).max()


ALL = "The largest error is asked for: one wrong entry has to show, however many are right."


@mistake("relative_error", "The mean of the errors is taken", ALL)
def mean_error(a, b):
    return _over(a, b, _larger(a, b)).mean()


@mistake("relative_error", "The errors are added up", ALL)
def sum_of_errors(a, b):
    return _over(a, b, _larger(a, b)).sum()


@mistake("relative_error", "The smallest error is taken", ALL)
def smallest_error(a, b):
    return _over(a, b, _larger(a, b)).min()


@mistake(
    "relative_error",
    "An error for each entry is returned",
    "One number is asked for, the largest of them.",
)
def all_errors(a, b):
    return _over(a, b, _larger(a, b))


@mistake(
    "relative_error",
    "0/0 is not a number",
    "Where both gradients are zero they agree: the error is 0 there. Mind the division.",
)
def nan_at_zeros(a, b):
    with np.errstate(all="ignore"):
        return (np.abs(a - b) / _larger(a, b)).max()


@mistake(
    "relative_error",
    "Where one of the two is zero nothing is compared",
    "The error is 0 only where both are zero. A gradient of 0 where it should be 2 is all wrong.",
)
def zero_where_one_is_zero(a, b):
    return np.where((a == 0) | (b == 0), 0.0, _over(a, b, _larger(a, b))).max()


@mistake(
    "relative_error",
    "A single zero makes the error 0",
    "Only where both are zero they agree. All other entries still have to be compared.",
)
def zero_if_any_is_zero(a, b):
    return 0.0 if (a == 0).any() else _over(a, b, _larger(a, b)).max()


@mistake(
    "relative_error",
    "The difference has its sign",
    "Too small is wrong as well: take the absolute value of the difference.",
)
def signed_difference(a, b):
    return (_over(a, b, _larger(a, b)) * np.sign(a - b)).max()


@mistake(
    "relative_error",
    "The difference has its sign",
    "Too small is wrong as well: take the absolute value of the difference.",
)
def signed_the_other_way(a, b):
    return (_over(a, b, _larger(a, b)) * np.sign(b - a)).max()


@mistake(
    "relative_error",
    "Signs are not compared",
    "A gradient of −2 where it should be 2 is wrong. Subtract first, then take the absolute value.",
)
def difference_of_sizes(a, b):
    return _over(np.abs(a), np.abs(b), _larger(a, b)).max()


FLOOR = (
    "A small constant against 0/0 hides gradients that are smaller still. Treat the places where "
    "both are zero by themselves."
)


@mistake("relative_error", "A constant stands in the denominator", FLOOR)
def floor_of_8(a, b):
    return (np.abs(a - b) / np.maximum(_larger(a, b), 1e-8)).max()


@mistake("relative_error", "A constant stands in the denominator", FLOOR)
def added_8(a, b):
    return (np.abs(a - b) / (_larger(a, b) + 1e-8)).max()


@mistake("relative_error", "A constant stands in the denominator", FLOOR)
def floor_of_12(a, b):
    return (np.abs(a - b) / np.maximum(_larger(a, b), 1e-12)).max()


@mistake("relative_error", "A constant stands in the denominator", FLOOR)
def added_12(a, b):
    return (np.abs(a - b) / (_larger(a, b) + 1e-12)).max()


@mistake("relative_error", "A constant stands in the denominator", FLOOR)
def floor_of_8_under_the_sum(a, b):
    return (np.abs(a - b) / np.maximum(np.abs(a) + np.abs(b), 1e-8)).max()


# Along one direction


def _ratio(got, expected):
    larger = max(abs(got), abs(expected))
    return abs(got - expected) / larger if larger else 0.0


def _slope(f, x, v, h):
    return (f(x + h * v) - f(x - h * v)) / (2 * h)


@mistake(
    "directional_error",
    "f is called more than twice",
    "All entries move at once, each by its own share: x + h · v. Two calls of f are enough.",
)
def entry_by_entry(f, x, analytic, v, h=1e-5):
    gradient = _each(f, x, h, lambda x, step: (f(x + step) - f(x - step)) / (2 * h))
    return _ratio((analytic * v).sum(), (gradient * v).sum())


@mistake(
    "directional_error",
    "The direction is left out of the differences",
    "x moves by h · v, not by h everywhere.",
)
def steps_without_v(f, x, analytic, v, h=1e-5):
    return _ratio((analytic * v).sum(), (f(x + h) - f(x - h)) / (2 * h))


@mistake(
    "directional_error",
    "The direction is left out of the gradient",
    "If each entry moves by its share of v, f moves by the sum of gradient times share.",
)
def gradient_without_v(f, x, analytic, v, h=1e-5):
    return _ratio(analytic.sum(), _slope(f, x, v, h))


@mistake(
    "directional_error",
    "The products are averaged",
    "What the entries contribute adds up: a sum, no mean.",
)
def mean_of_products(f, x, analytic, v, h=1e-5):
    return _ratio((analytic * v).mean(), _slope(f, x, v, h))


@mistake("directional_error", "The difference is divided by h, not by 2h", APART)
def directional_divided_by_h(f, x, analytic, v, h=1e-5):
    return _ratio((analytic * v).sum(), 2 * _slope(f, x, v, h))


@mistake("directional_error", "The difference is taken on one side only", ONE_SIDE)
def directional_forward(f, x, analytic, v, h=1e-5):
    return _ratio((analytic * v).sum(), (f(x + h * v) - f(x)) / h)


@mistake(
    "directional_error",
    "The error is not relative",
    "Divide by the larger of the two slopes.",
)
def directional_absolute(f, x, analytic, v, h=1e-5):
    return abs((analytic * v).sum() - _slope(f, x, v, h))


@mistake(
    "directional_error",
    "Where one of the two slopes is zero nothing is compared",
    "The error is 0 only where both are zero. A gradient of zeros is wrong beside a slope of 2.",
)
def directional_zero_where_one_is_zero(f, x, analytic, v, h=1e-5):
    got, expected = (analytic * v).sum(), _slope(f, x, v, h)
    return 0.0 if got * expected == 0 else _ratio(got, expected)


def _over_what(denominator):
    def wrong(f, x, analytic, v, h=1e-5):
        got, expected = (analytic * v).sum(), _slope(f, x, v, h)
        with np.errstate(all="ignore"):
            return float(got != expected and abs(got - expected) / denominator(got, expected))

    return wrong


for _constant in (1e-8, 1e-12):
    for _of in (
        lambda a, b, c=_constant: max(abs(a), abs(b)) + c,
        lambda a, b, c=_constant: max(abs(a), abs(b), c),
    ):
        mistake("directional_error", "A constant stands in the denominator", FLOOR)(_over_what(_of))

for _where, _size in {
    "the sum of both": lambda a, b: abs(a) + abs(b),
    "the first one": lambda a, b: abs(a),
    "the second one": lambda a, b: abs(b),
    "the larger one with its sign": max,
}.items():
    mistake(
        "directional_error",
        DENOMINATOR,
        f"Divide by the larger of the two, without their signs. Here it is {_where}.",
    )(_over_what(_size))


@mistake(
    "directional_error",
    "The difference is divided by 2 and multiplied by h",
    "Python reads / 2 * h from left to right. Are there parentheses around the denominator?",
)
def directional_precedence(f, x, analytic, v, h=1e-5):
    return _ratio((analytic * v).sum(), _slope(f, x, v, h) * h * h)


@mistake(
    "directional_error",
    "The direction is made one of length 1",
    "Any v will do, as long as both sides take the same. It is given: take it as it is.",
)
def directional_normalized(f, x, analytic, v, h=1e-5):
    with np.errstate(all="ignore"):
        return _ratio((analytic * v).sum(), _slope(f, x, v / np.linalg.norm(v), h))


@mistake(
    "directional_error",
    "0/0 is not a number",
    "Where both slopes are zero they agree: the error is 0.",
)
def directional_nan(f, x, analytic, v, h=1e-5):
    got, expected = (analytic * v).sum(), _slope(f, x, v, h)
    with np.errstate(all="ignore"):
        return np.float64(abs(got - expected)) / np.float64(max(abs(got), abs(expected)))
