"""Is a backward function the derivative of its forward function? Ask differences.

The verdict is "right", "wrong" or "not decidable here": at a kink there is no derivative to
compare with, and where the true gradient is zero everywhere nothing can be told apart.
"""

import copy
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from cnnlab.shapes import ShapeError

RIGHT, WRONG, UNDECIDED = "right", "wrong", "not decidable here"

# Slopes on the two sides of a point that differ by more than this share are looked at twice.
_BEND = 1e-3


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
    worst : the index of that entry.
    expected, got : the numeric and the analytic gradient there.
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
        return next(verdict for verdict in (WRONG, UNDECIDED, RIGHT) if verdict in found)

    @property
    def ok(self) -> bool:
        """Whether every gradient is right; neither wrong nor undecided."""
        return self.verdict == RIGHT

    def __getitem__(self, name: str) -> Finding:
        return next(finding for finding in self.findings if finding.name == name)

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
        step = _unit(x.shape, index) * h
        gradient[index] = (_one_number(f(x + step)) - _one_number(f(x - step))) / (2 * h)
    return gradient


def check_gradients(
    forward: Callable,
    backward: Callable,
    *args,
    rng: np.random.Generator,
    h: float = 1e-5,
    rtol: float = 1e-6,
    atol: float = 1e-8,
    **options,
) -> Report:
    """Compare the gradients of a backward function with differences of its forward function.

    Everything runs in float64. The gradient that goes into `backward` is random: with ones,
    a gradient that reaches the wrong place would often look right. Every entry must agree:
    |got − expected| ≤ atol + rtol · max(|got|, |expected|).

    Where the slopes before and after a point disagree, and go on to do so with a smaller step,
    the point is on a kink (ReLU at 0, a tie in max pooling). There any slope between the two
    sides may be meant, for each output anew: a gradient beyond them is wrong, one within cannot
    be judged. But if the function is smooth when all these entries move together, their
    gradients must add up to that slope.

    Parameters
    ----------
    forward : forward(*args, **options) → (out, cache), the same for the same input: if there
        is chance in it, let it make its generator anew from a fixed seed.
    backward : backward(dout, cache) → the gradient, or a tuple of gradients, one for each
        argument that is an array of floating-point numbers, in order.
    args : the point to check at. Choose it away from kinks, with all sizes different, and
        small: the check runs `forward` twice per entry.
    rng : draws the upstream gradient.
    h : step of the differences.
    rtol, atol : relative and absolute tolerance.
    options : passed on to `forward`. For one named like a parameter above, wrap `forward`.

    Returns
    -------
    Report : one finding per argument, by its name in the signature of `forward`.

    Raises
    ------
    TypeError
        If no argument is an array of floating-point numbers, or `forward` does not return a pair.

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
    """
    args = [np.array(arg, np.float64) if _is_float(arg) else arg for arg in args]
    names = _names(forward, len(args))
    checked = [number for number, arg in enumerate(args) if _is_float(arg)]
    if not checked:
        raise TypeError("none of the arguments is an array of floating-point numbers.")

    def run(number=checked[0], step=0.0):
        passed = [np.copy(arg) if _is_float(arg) else arg for arg in args]
        passed[number] += step
        out, cache = _pair(forward(*passed, **options))
        return np.copy(out), cache, passed

    out, cache, passed = run()
    if obstacle := _obstacle(out, run()[0]):
        return Report(tuple(Finding(names[number], UNDECIDED, obstacle) for number in checked))
    # Away from zero, so that every output counts; of both signs, so that errors do not add up.
    dout = rng.uniform(0.5, 2.0, out.shape) * rng.choice([-1.0, 1.0], out.shape)
    gradients = backward(np.copy(dout)[()], cache)
    gradients = list(gradients) if isinstance(gradients, tuple | list) else [gradients]

    def finding(number, gradient):
        def change(step):
            # Subtract first: outputs that do not move cancel exactly and bring no noise.
            return ((run(number, step)[0] - out) * dout).ravel()

        if not np.array_equal(passed[number], args[number], equal_nan=True):
            return Finding(names[number], WRONG, "it was overwritten; work on a copy")
        shape = args[number].shape
        entries = list(np.ndindex(shape))
        return _compare(names[number], change, gradient, shape, entries, (h, rtol, atol))

    findings = [finding(*each) for each in zip_longest(checked, gradients[: len(checked)])]
    if len(gradients) > len(checked):
        text = f"it returned {len(gradients)} gradients for {len(checked)} arguments: "
        text += ", ".join(names[number] for number in checked)
        findings.append(Finding("backward", WRONG, text))
    return Report(tuple(findings))


def check_model(
    model,
    x,
    y,
    *,
    rng: np.random.Generator,
    samples: int | None = 10,
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
        built with dtype=np.float64. Its parameters are put back as they were.
    x, y : a small batch; two passes there and back for each entry compared.
    rng : draws the entries.
    samples : entries compared in each parameter; None compares all.
    h, rtol, atol : as in `check_gradients`.

    Returns
    -------
    Report : one finding per parameter.

    Raises
    ------
    TypeError
        If a parameter is not float64.

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
    parameters = model.parameters()
    for name, parameter in parameters.items():
        if parameter.dtype != np.float64:
            raise TypeError(
                f"differences need float64, got {parameter.dtype} in {name}: build the network "
                f"with dtype=np.float64."
            )
    loss, gradients = copy.deepcopy(model.loss_and_gradients(x, y))
    if obstacle := _obstacle(loss, model.loss_and_gradients(x, y)[0]):
        return Report(tuple(Finding(name, UNDECIDED, obstacle) for name in parameters))

    def finding(name, parameter):
        before = parameter.copy()

        def change(step):
            parameter[...] = before + step
            try:
                return np.array([model.loss_and_gradients(x, y)[0] - loss])
            finally:
                parameter[...] = before

        count = parameter.size if samples is None else min(samples, parameter.size)
        chosen = np.unravel_index(rng.choice(parameter.size, count, replace=False), parameter.shape)
        entries = [tuple(map(int, index)) for index in zip(*chosen, strict=True)]
        gradient, shape = gradients.get(name), parameter.shape
        # Where kinks lie behind kinks, the slopes of the loss do not bound the gradient.
        limits = (h, rtol, atol)
        return _compare(name, change, gradient, shape, entries, limits, judge_kinks=False)

    return Report(tuple(finding(*each) for each in parameters.items()))


def _compare(name, change, gradient, shape, entries, limits, *, judge_kinks=True):
    """The finding for the gradient of one array of this shape, at some of its entries.

    change(step) is how much each output changes the result when the array moves by step.
    """
    h, rtol, atol = limits
    if flaw := _flaw(gradient, shape):
        return Finding(name, WRONG, flaw)
    if not entries:
        return Finding(name, UNDECIDED, f"it is empty: shape {shape}")
    gradient = np.asarray(gradient, np.float64)
    got = np.array([gradient[index] for index in entries])
    slopes = np.array([_slopes(change, _unit(shape, index), h).sum(axis=1) for index in entries])
    if not np.isfinite(slopes).all():
        return Finding(name, UNDECIDED, "forward is not finite near this point")

    expected, bent = slopes.mean(axis=1), np.zeros(len(entries), bool)
    sides_differ = np.ptp(slopes, axis=1) > atol + _BEND * abs(slopes).max(axis=1)
    for i in np.flatnonzero(sides_differ | (_error(got, expected, rtol, atol) > rtol)):
        lowest, highest = _kink(change, _unit(shape, entries[i]), limits)
        bent[i] = lowest < highest
        if bent[i]:
            expected[i] = np.clip(got[i], lowest, highest) if judge_kinks else got[i]

    error = _error(got, expected, rtol, atol)
    worst = int(error.argmax())
    numbers = (float(error[worst]), entries[worst], float(expected[worst]), float(got[worst]))
    if error[worst] > rtol:
        text = (
            f"expected {expected[worst]:.6g}, got {got[worst]:.6g} at {entries[worst]}; "
            f"{(error > rtol).sum()} of {len(entries)} entries differ"
        )
        return Finding(name, WRONG, text, *numbers)
    if bent.any():
        text = f"{bent.sum()} of {len(entries)} entries lie on a kink, "
        text += f"the first at {entries[int(bent.argmax())]}; "
        together = sum(_unit(shape, entries[i]) for i in np.flatnonzero(bent))
        lowest, highest = _kink(change, together, limits)
        total = got[bent].sum()
        if judge_kinks and lowest == highest and _error(total, lowest, rtol, atol) > rtol:
            text += f"their gradients must add up to {lowest:.6g}, got {total:.6g}"
            return Finding(name, WRONG, text, *numbers)
        return Finding(name, UNDECIDED, text + "nothing else differs", *numbers)
    if max(abs(expected).max(), abs(got).max()) <= atol:
        return Finding(name, UNDECIDED, "the gradient is zero everywhere here", *numbers)
    return Finding(name, RIGHT, f"{len(entries)} entries agree to {error[worst]:.1e}", *numbers)


def _slopes(change, direction, h):
    """The slopes of all outputs just before and just after the point, (2, outputs)."""
    return np.array([-change(-h * direction) / h, change(h * direction) / h])


def _kink(change, direction, limits):
    """The lowest and the highest slope that may be meant; the same one if there is no kink.

    As the step shrinks a curve straightens, and its middle slope stays; a kink does neither.
    """
    h, rtol, atol = limits
    coarse, fine = _slopes(change, direction, h), _slopes(change, direction, h / 10)
    before, after = coarse.sum(axis=1), fine.sum(axis=1)
    straightens = np.ptp(after) <= np.ptp(before) / 2 + atol
    stays = _error(after.mean(), before.mean(), rtol, atol) <= rtol
    if straightens and stays:
        return before.mean(), before.mean()
    # Output by output, for their kinks are their own; the last term goes on to step 0.
    possible = np.concatenate([coarse, fine, 2 * fine - coarse])
    return possible.min(axis=0).sum(), possible.max(axis=0).sum()


def _error(got, expected, rtol, atol):
    """Relative error, with a floor under the denominator so that error ≤ rtol allows for atol."""
    return abs(got - expected) / (np.maximum(abs(got), abs(expected)) + atol / rtol)


def _unit(shape, index):
    unit = np.zeros(shape)
    unit[index] = 1.0
    return unit


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
