"""Is a backward function the derivative of its forward function? Ask differences.

The verdict is "right", "wrong" or "not decidable here": at a kink there is no derivative to
compare with, and where the true gradient is zero everywhere nothing can be told apart.
"""

import copy
import inspect
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from cnnlab.shapes import ShapeError, expect_generator, expect_number, expect_whole

RIGHT, WRONG, UNDECIDED = "right", "wrong", "not decidable here"

# Slopes on the two sides of a point that differ by more than this share are looked at twice.
_BEND = 1e-3
# Differences of so many units in the last place of the outputs tell nothing.
_DIGITS = 4
# A random direction that crosses a kink is drawn anew, until so many have been tried.
_TRIES = 5


@dataclass(frozen=True)
class Finding:
    """What was found for one argument or parameter.

    Attributes
    ----------
    name : of the argument.
    verdict : "right", "wrong" or "not decidable here".
    text : the reason, in words.
    largest_error : the largest relative error |got − expected| / (max(|got|, |expected|) +
        atol/rtol); at most rtol where all is right. None if there was nothing to compare.
    worst : the index of that entry; None if it was found along a random direction.
    expected, got : the numeric and the analytic gradient there, or along that direction.
    """

    name: str
    verdict: str
    text: str
    largest_error: float | None = None
    worst: tuple[int, ...] | None = None
    expected: float | None = None
    got: float | None = None

    def __str__(self) -> str:
        return f"{self.name}: {self.verdict}, {self.text}"


@dataclass(frozen=True)
class Report:
    """One finding per argument; wrong if one is wrong, right only if all are right."""

    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> str:
        """The gravest verdict of all findings."""
        found = {finding.verdict for finding in self.findings}
        return next(
            (verdict for verdict in (WRONG, UNDECIDED, RIGHT) if verdict in found), UNDECIDED
        )

    @property
    def ok(self) -> bool:
        """Whether every gradient is right; neither wrong nor undecided."""
        return self.verdict == RIGHT

    def __getitem__(self, name: str) -> Finding:
        return {finding.name: finding for finding in self.findings}[name]

    def __str__(self) -> str:
        return "\n".join(str(finding) for finding in self.findings)


def numeric_gradient(f: Callable, x, *, h: float = 1e-5) -> np.ndarray:
    """The gradient of a function by central differences: (f(x + h·e) − f(x − h·e)) / 2h.

    Two evaluations for every entry of x, in float64. The error of the formula falls
    with h², that of rounding grows with 1/h: 10⁻⁵ is near the best of both.

    Parameters
    ----------
    f : takes an array like x and returns one number.
    x : any shape; it is not changed.
    h : the step, in units of x.

    Returns
    -------
    gradient : x's shape, in float64.

    Raises
    ------
    ShapeError
        If f returns more than one number.

    Source: Press et al. 2007, "Numerical Recipes", section 5.7.

    Examples
    --------
    >>> numeric_gradient(lambda x: (x**2).sum(), [1.0, -3.0]).round(6)
    array([ 2., -6.])
    """
    x = np.array(x, np.float64)
    gradient = np.empty_like(x)
    for index in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[index] = h
        gradient[index] = (_one_number(f(x + step)) - _one_number(f(x - step))) / (2 * h)
    return gradient


def check_gradients(
    forward: Callable,
    backward: Callable,
    *args,
    rng: np.random.Generator,
    directions: int | None = None,
    h: float = 1e-5,
    rtol: float = 1e-6,
    atol: float = 1e-8,
    **options,
) -> Report:
    """Compare the gradients of a backward function with differences of its forward function.

    Everything runs in float64. The gradient that goes into `backward` is random: with ones,
    a gradient that reaches the wrong place would often look right. Every entry must agree:
    |got − expected| ≤ atol + rtol · max(|got|, |expected|).

    With `directions`, whole arrays move at once: (f(x + h·v) − f(x − h·v)) / 2h must agree with
    ⟨gradient, v⟩ for random v of length 1. That takes two evaluations for a direction where it
    took two for an entry. A single wrong entry of n shows in every direction, unless it is off
    by less than about rtol · √n of a typical entry. Where a direction disagrees it is halved
    again and again, until the worst entry is left.

    Where the slopes before and after a point disagree, and go on to do so with a smaller step,
    the point is on a kink (ReLU at 0, a tie in max pooling). There any slope between the two
    sides may be meant, for each output anew: a gradient beyond them is wrong, one within cannot
    be judged. But if the function is smooth when all these entries move together, their
    gradients must add up to that slope. A direction that crosses a kink is drawn anew first.

    Where outputs are so large that a difference may be mere rounding, nothing can be judged either.

    Parameters
    ----------
    forward : forward(*args, **options) → (out, cache), the same for the same input: if there
        is chance in it, let it make its generator anew from a fixed seed.
    backward : backward(dout, cache) → the gradient, or a tuple of gradients, one for each
        argument that is an array of floating-point numbers, in order.
    args : the point to check at. Choose it away from kinks, with all sizes different, and
        small: the check runs `forward` twice per entry.
    rng : draws the upstream gradient and the directions.
    directions : how many random directions to compare for each argument; None compares every
        entry.
    h : step of the differences, in units of the argument.
    rtol, atol : relative and absolute tolerance.
    options : passed on to `forward`. For one named like a parameter above, wrap `forward`.

    Returns
    -------
    Report : one finding per argument, by its name in the signature of `forward`.

    Raises
    ------
    TypeError
        If no argument is an array of floating-point numbers, `forward` does not return a pair,
        or rng is no generator.
    ValueError
        If directions is not a whole number of at least 1, or h, rtol or atol not a
        number of at least 1e-15.

    Source: the lecture, "Back propagation"; Goodfellow et al. 2016, section 11.5.

    Examples
    --------
    >>> def forward(x):
    ...     return x**3, x
    >>> def backward(dout, cache):
    ...     return dout * 3 * cache  # cache ** 2 was meant
    >>> rng = np.random.default_rng(0)
    >>> report = check_gradients(forward, backward, np.array([1.0, 2.0]), rng=rng)
    >>> report.ok, report["x"].verdict, report["x"].worst
    (False, 'wrong', (1,))
    >>> check_gradients(forward, backward, np.linspace(1, 2, 9999), rng=rng, directions=2).verdict
    'wrong'
    """
    args = tuple(np.array(arg, np.float64) if _is_float(arg) else arg for arg in args)
    named = zip(_names(forward, len(args)), args, strict=False)
    arrays = {name: arg for name, arg in named if _is_float(arg)}
    if not arrays:
        raise TypeError("none of the arguments is an array of floating-point numbers.")

    def there():
        out, cache = _pair(forward(*args, **options))

        def back(dout):
            gradients = backward(dout, cache)
            gradients = gradients if isinstance(gradients, tuple | list) else [gradients]
            # More gradients than arguments are numbered: they belong to nothing.
            return dict(zip([*arrays, *range(len(gradients))], gradients, strict=False))

        return out, back

    return _check(there, arrays, _How(rng, directions, h, rtol, atol))


def check_layer(
    layer,
    x: np.ndarray,
    *,
    rng: np.random.Generator,
    training: bool = True,
    directions: int | None = None,
    h: float = 1e-5,
    rtol: float = 1e-6,
    atol: float = 1e-8,
) -> Report:
    """Compare the gradients of a layer with differences of its output.

    Its chance is the same in every pass, and afterwards its parameters, buffers and generator
    are as they were.

    Parameters
    ----------
    layer : built with dtype=np.float64. It has `params`, `grads` and `buffers` (name → array),
        `rng` (a generator or None), `forward(x, training=…)` and `backward(dout)`, as the
        layers of `cnnlab.layers` do.
    x : a small batch, in float64; it is not changed.
    rng : draws the upstream gradient and the directions.
    training : whether to check the layer as it is in training, or as it is at test time.
    directions, h, rtol, atol : as in `check_gradients`.

    Returns
    -------
    Report : one finding for x, and one per parameter.

    Raises
    ------
    TypeError
        If x or a parameter is not float64, or rng is no generator.
    ValueError
        As in `check_gradients`.

    Examples
    --------
    >>> from cnnlab.layers import Affine
    >>> rng = np.random.default_rng(0)
    >>> layer = Affine(3)
    >>> layer.build((4,), rng=rng, dtype=np.float64)
    >>> report = check_layer(layer, rng.normal(size=(2, 4)), rng=rng)
    >>> [finding.name for finding in report.findings], report.verdict
    (['x', 'w', 'b'], 'right')
    """
    _expect_float64({"x": x}, "convert it first, x.astype(np.float64)")
    _expect_float64(layer.params, "build the layer with dtype=np.float64")
    arrays = {"x": np.array(x), **layer.params}

    def there():
        def back(dout):
            return {"x": layer.backward(dout), **layer.grads}

        return layer.forward(arrays["x"], training=training), back

    generators = [] if layer.rng is None else [layer.rng]
    how = _How(rng, directions, h, rtol, atol)
    return _check(there, arrays, how, buffers=layer.buffers, generators=generators)


def check_model(
    model,
    x,
    y,
    *,
    rng: np.random.Generator,
    directions: int | None = 3,
    h: float = 1e-5,
    rtol: float = 1e-6,
    atol: float = 1e-8,
) -> Report:
    """Compare a network's gradients with differences of its loss, parameter by parameter.

    Where images have black regions and biases are still zero, ReLU sits exactly on its
    kink and the verdict is "not decidable here": give the biases small random values first.

    Parameters
    ----------
    model : has `parameters()` (name → float64 array, used in place) and
        `loss_and_gradients(x, y)` (a number, and name → gradient), such as a Sequential
        built with dtype=np.float64. If it has them, `buffers()` (name → array) and
        `generators()` (a list) are what a pass may change: the check keeps its chance the same
        in every pass, and puts everything back as it was.
    x, y : a small batch; two passes there and back for each direction.
    rng : draws the directions.
    directions : random directions compared for each parameter; None compares every entry.
    h, rtol, atol : as in `check_gradients`.

    Returns
    -------
    Report : one finding per parameter.

    Raises
    ------
    TypeError
        If a parameter is not float64, or rng is no generator.
    ValueError
        As in `check_gradients`.

    Examples
    --------
    >>> from cnnlab.ops import affine_backward, affine_forward
    >>> from cnnlab.ops import softmax_loss_backward, softmax_loss_forward
    >>> class Linear:
    ...     w = np.zeros((4, 3))
    ...
    ...     def parameters(self):
    ...         return {"w": self.w}
    ...
    ...     def loss_and_gradients(self, x, y):
    ...         scores, cache = affine_forward(x, self.w, np.zeros(3))
    ...         loss, loss_cache = softmax_loss_forward(scores, y)
    ...         dscores = softmax_loss_backward(1.0, loss_cache)
    ...         return loss, {"w": affine_backward(dscores, cache)[1]}
    >>> rng = np.random.default_rng(0)
    >>> check_model(Linear(), rng.normal(size=(2, 4)), np.array([0, 2]), rng=rng).ok
    True
    """
    arrays = model.parameters()
    _expect_float64(arrays, "build the network with dtype=np.float64")

    def there():
        loss, gradients = model.loss_and_gradients(copy.copy(x), copy.copy(y))
        return loss, lambda dout: gradients

    buffers: dict[str, np.ndarray] = getattr(model, "buffers", dict)()
    generators: list[np.random.Generator] = getattr(model, "generators", list)()
    how = _How(rng, directions, h, rtol, atol, whole=True)
    return _check(there, arrays, how, buffers=buffers, generators=generators)


@dataclass(frozen=True)
class _How:
    """How to compare: what the three checks have in common.

    A whole network answers with its loss alone. There kinks lie behind kinks, and the slopes
    on the two sides of one do not bound the gradient.
    """

    rng: np.random.Generator
    directions: int | None
    h: float
    rtol: float
    atol: float
    whole: bool = False

    def __post_init__(self):
        expect_generator(self.rng)
        if self.directions is not None:
            expect_whole("directions", self.directions)
        for name in ("h", "rtol", "atol"):
            expect_number(name, getattr(self, name), least=1e-15)

    def error(self, got, expected):
        """Relative, with a floor under the denominator so that error ≤ rtol allows for atol."""
        error = abs(got - expected) / (max(abs(got), abs(expected)) + self.atol / self.rtol)
        return np.inf if np.isnan(error) else error


@dataclass(frozen=True)
class _Slope:
    """How steep the function is when the entries at `where` move, each by its share of `sizes`.

    `bent` says that there is a kink on the way; `expected` is then the possible slope that
    is nearest to the one got.
    """

    where: np.ndarray
    sizes: np.ndarray
    got: float
    expected: float
    error: float
    bent: bool


class _NotFiniteError(ArithmeticError):
    """A step has led to where the function has no finite value."""


def _check(there, arrays, how, *, buffers=None, generators=()):
    """The report on some arrays, which are moved in place.

    there() goes forward: it returns the output and the way back, from dout to name → gradient.
    """
    # Of its own: the one given may be one of the generators, which start anew in every pass.
    rng = np.random.default_rng(how.rng.integers(2**63))
    touched = [*arrays.values(), *(buffers or {}).values()]

    def run():
        with _kept(touched, generators):
            return np.array(there()[0])

    out = run()
    if obstacle := _obstacle(out, run()):
        return Report(tuple(Finding(name, UNDECIDED, obstacle) for name in arrays))
    # Away from zero, so that every output counts; of both signs, so that errors do not add up.
    dout = np.float64(1) if how.whole else _random(out.shape, rng)
    with _kept(touched, generators):
        before = copy.deepcopy(arrays)
        returned = there()[1](np.copy(dout)[()])
        after = copy.deepcopy(arrays)
        # Copies, for later passes may use the same arrays again.
        gradients = {key: copy.copy(gradient) for key, gradient in returned.items()}

    def finding(name):
        array, gradient = arrays[name], gradients.get(name)
        if not np.array_equal(after[name], before[name], equal_nan=True):
            return Finding(name, WRONG, "it was overwritten; work on a copy")
        if flaw := _flaw(gradient, array.shape):
            return Finding(name, WRONG, flaw)
        if not array.size:
            return Finding(name, UNDECIDED, f"it is empty: shape {array.shape}")

        def moved(where, step):
            with _kept([array]):
                array.flat[where] += step
                there = run()
            if not np.isfinite(there).all():
                raise _NotFiniteError
            return there

        def change(where, step):
            """How much each output changes the result."""
            # Subtract first: outputs that do not move cancel exactly and bring no noise.
            return ((moved(where, step) - out) * dout).ravel()

        def rounding(where, step):
            """How much of that may be the rounding of the outputs that move."""
            there = moved(where, step)
            last_digits = np.spacing(np.maximum(abs(there), abs(out))) * abs(dout)
            return float(last_digits[there != out].sum())

        try:
            return _compare(name, change, rounding, np.asarray(gradient, np.float64), rng, how)
        except _NotFiniteError:
            return Finding(name, UNDECIDED, "forward is not finite near this point")

    findings = [finding(name) for name in arrays]
    if len(gradients) > len(arrays):
        text = f"it returned {len(gradients)} gradients for {len(arrays)} arguments: "
        findings.append(Finding("backward", WRONG, text + ", ".join(arrays)))
    return Report(tuple(findings))


def _compare(name, change, rounding, gradient, rng, how):
    """The finding for one array, entry by entry or along random directions."""

    def slope(where, sizes):
        return _slope(change, gradient, where, sizes, how)

    def index(found):
        if found.sizes.tolist() != [1.0]:
            return None
        return tuple(int(i) for i in np.unravel_index(found.where[0], gradient.shape))

    def finding(verdict, text, found):
        return Finding(name, verdict, text, found.error, index(found), found.expected, found.got)

    if how.directions is None:
        slopes = [slope(np.array([i]), np.ones(1)) for i in range(gradient.size)]
    else:
        slopes = [_random_slope(slope, gradient, rng, how) for _ in range(how.directions)]

    differ = [found for found in slopes if found.error > how.rtol]
    bent = [found for found in slopes if found.bent]
    worst = max(slopes, key=lambda found: found.error)
    kind = "entries" if how.directions is None else "directions"
    if differ:
        entry = _worst_entry(slope, worst)
        count = f"{len(differ)} of {len(slopes)} {kind} differ"
        found = entry if entry.error > how.rtol else worst
        lost = rounding(found.where, how.h * found.sizes) / how.h
        if abs(found.got - found.expected) <= _DIGITS * lost:
            text = f"{count} by no more than is lost in rounding: the outputs are too large"
            return finding(UNDECIDED, f"{text} for a step of {how.h:g}", found)
        if entry.error > how.rtol:
            text = f"expected {entry.expected:.6g}, got {entry.got:.6g} at {index(entry)}; {count}"
            return finding(WRONG, text, entry)
        # What a kink gives and takes may look like a mistake: then an entry must confirm it.
        if not (entry.bent or worst.bent):
            text = f"expected {worst.expected:.6g}, got {worst.got:.6g} along a random direction; "
            return finding(WRONG, text + f"{count}, no entry does so alone", worst)
    if how.directions is None and bent:
        first = index(bent[0])
        text = f"{len(bent)} of {len(slopes)} entries lie on a kink, the first at {first}; "
        together = slope(np.concatenate([found.where for found in bent]), np.ones(len(bent)))
        if not (how.whole or together.bent) and together.error > how.rtol:
            text += "their gradients must add up to "
            text += f"{together.expected:.6g}, got {together.got:.6g}"
            return finding(WRONG, text, worst)
        return finding(UNDECIDED, text + "nothing else differs", worst)
    if bent or differ:
        text = f"{len(bent or differ)} of {len(slopes)} directions cross a kink"
        return finding(UNDECIDED, text, worst)
    if max(max(abs(found.expected), abs(found.got)) for found in slopes) <= how.atol:
        return finding(UNDECIDED, "the gradient is zero everywhere here", worst)
    return finding(RIGHT, f"{len(slopes)} {kind} agree to {worst.error:.1e}", worst)


def _slope(change, gradient, where, sizes, how):
    """The slope along one direction.

    As the step shrinks a curve straightens, and its middle slope stays; a kink does neither.
    """

    def sides(h):
        """The slopes of all outputs just before and just after the point, (2, outputs)."""
        return np.array([-change(where, -h * sizes) / h, change(where, h * sizes) / h])

    def found(expected, bent):
        return _Slope(where, sizes, got, expected, how.error(got, expected), bent)

    got = float(gradient.flat[where] @ sizes)
    coarse = sides(how.h)
    before = coarse.sum(axis=1)
    middle = float(before.mean())
    straight = np.ptp(before) <= how.atol + _BEND * abs(before).max()
    if straight and how.error(got, middle) <= how.rtol:
        return found(middle, bent=False)

    fine = sides(how.h / 10)
    after = fine.sum(axis=1)
    straightens = np.ptp(after) <= np.ptp(before) / 2 + how.atol
    stays = how.error(float(after.mean()), middle) <= how.rtol
    if straightens and stays:
        return found(middle, bent=False)
    if how.whole:
        return found(got, bent=True)
    # Output by output, for their kinks are their own; the last term goes on to step 0.
    possible = np.concatenate([coarse, fine, 2 * fine - coarse])
    lowest, highest = possible.min(axis=0).sum(), possible.max(axis=0).sum()
    return found(float(np.clip(got, lowest, highest)), bent=True)


def _random_slope(slope, gradient, rng, how):
    """The slope along a random direction, if possible one without a kink."""
    where = np.arange(gradient.size)
    for _ in range(_TRIES):
        found = slope(where, _direction(gradient.ravel(), rng))
        if not found.bent or found.error > how.rtol:
            break
    return found


def _direction(gradient, rng):
    """A random direction of length 1 along which the parts of the gradient do not cancel.

    If they did, a gradient that is wrong by a factor would go unseen. Of all choices of signs
    at least one in six will do, whatever the gradient.
    """
    gradient = gradient / (abs(gradient).max() or 1.0)
    while True:
        direction = _random(gradient.shape, rng)
        direction /= np.linalg.norm(direction)
        parts = gradient * direction
        if abs(parts.sum()) >= np.linalg.norm(parts) / 2:
            return direction


def _worst_entry(slope, along):
    """The entry to blame for a slope that disagrees: halve the direction until one is left."""
    where, sizes, missing = along.where, along.sizes, along.got - along.expected
    while len(where) > 1:
        half = len(where) // 2
        first = slope(where[:half], sizes[:half])
        part = first.got - first.expected
        if abs(part) >= abs(missing - part):
            where, sizes, missing = where[:half], sizes[:half], part
        else:
            where, sizes, missing = where[half:], sizes[half:], missing - part
    return slope(where, np.ones(1))


def _random(shape, rng):
    """Random numbers of both signs, none of them small."""
    return rng.uniform(0.5, 2.0, shape) * rng.choice([-1.0, 1.0], shape)


@contextmanager
def _kept(arrays, generators=()):
    """Leave arrays and generators as they were found, whatever happens."""
    before = [array.copy() for array in arrays]
    states = [generator.bit_generator.state for generator in generators]
    try:
        yield
    finally:
        for array, old in zip(arrays, before, strict=True):
            array[...] = old
        for generator, state in zip(generators, states, strict=True):
            generator.bit_generator.state = state


def _expect_float64(arrays, remedy):
    for name, array in arrays.items():
        dtype = getattr(array, "dtype", type(array).__name__)
        if dtype != np.float64:
            raise TypeError(f"differences need float64, got {dtype} in {name}: {remedy}.")


def _is_float(arg):
    return isinstance(arg, np.ndarray) and arg.dtype.kind == "f"


def _names(forward, count):
    try:
        names = list(inspect.signature(forward).parameters)
    except (TypeError, ValueError):  # some built-in functions have no signature
        names = []
    return [*names, *(f"argument {number + 1}" for number in range(len(names), count))]


def _one_number(value):
    if np.ndim(value) != 0:
        raise ShapeError(f"f must return one number, got shape {np.shape(value)}.")
    return float(value)


def _pair(result):
    if not isinstance(result, tuple) or len(result) != 2:
        raise TypeError(f"forward must return a pair (out, cache), got {type(result).__name__}.")
    return result


def _obstacle(out, again):
    """Why no difference of this forward function can be trusted; empty if it can."""
    dtype = np.asarray(out).dtype
    if dtype != np.float64:
        return f"forward answers in {dtype}, too coarse for differences: it must stay in float64"
    if not np.isfinite(out).all():
        return "the output of forward is not finite"
    if not np.array_equal(out, again):
        return "forward gives a different output for the same input: fix the seed of its chance"
    return ""


def _flaw(gradient, shape):
    """What is wrong with a gradient before its numbers are looked at; empty if nothing is."""
    if gradient is None:
        return "backward returned no gradient for it"
    try:
        array = np.asarray(gradient)
    except ValueError:  # rows of different lengths
        return f"its gradient must be an array, got {type(gradient).__name__}"
    if array.dtype.kind not in "biuf":
        return f"its gradient must be an array of real numbers, got {array.dtype}"
    if array.shape != shape:
        return f"its gradient must have its shape {shape}, got {array.shape}"
    broken = np.argwhere(~np.isfinite(array))
    if len(broken):
        index = tuple(int(i) for i in broken[0])
        return f"its gradient has {len(broken)} NaN or infinite entries, the first at {index}"
    return ""
