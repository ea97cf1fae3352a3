import dataclasses
import functools
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnlab import ops
from cnnlab.gradcheck import (
    RIGHT,
    UNDECIDED,
    WRONG,
    Report,
    check_gradients,
    check_layer,
    check_model,
    numeric_gradient,
)
from cnnlab.layers import Affine, BatchNorm, Conv, Dropout, Flatten, MaxPool, ReLU
from cnnlab.model import Sequential
from cnnlab.ops import Op, reference
from cnnlab.shapes import ShapeError, pair

every_mode = pytest.mark.parametrize("directions", [None, 2], ids=["entries", "directions"])


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def check(forward, backward, *args, seed=1, **options):
    return check_gradients(forward, backward, *args, rng=np.random.default_rng(seed), **options)


def remembering(forward):
    """The same function with a cache that holds all that a wrong backward function may want."""

    @functools.wraps(forward)
    def remembered(*args, **options):
        out, cache = forward(*args, **options)
        return out, (cache, out, args, options)

    return remembered


# Wrong versions that learners write. The first part of their cache is that of the right one.


def taps(array, kernel_size, stride, out):
    """For each place in the window, the view of the array that this place sees."""
    (FH, FW), (SH, SW), (OH, OW) = pair(kernel_size), pair(stride), out.shape[1:3]
    for u, v in np.ndindex(FH, FW):
        yield (u, v), array[:, u : u + SH * OH : SH, v : v + SW * OW : SW]


def conv_dx(dout, cache, *, stride=None, flip=False, add=True):
    """The gradients of a convolution, with a dx that has gone wrong as asked for."""
    right, _, (x, w, _), options = cache
    P, S = options["pad"], options["stride"] if stride is None else stride
    N, H, W, C = x.shape
    dpadded = np.zeros((N, H + 2 * P, W + 2 * P, C))
    for (u, v), view in taps(dpadded, w.shape[:2], S, dout):
        part = dout @ (w[::-1, ::-1] if flip else w)[u, v].T
        view[...] = view + part if add else part
    return dpadded[:, P : P + H, P : P + W], *ops.conv_backward(dout, right)[1:]


def conv_crops_to_minus_pad(dout, cache):
    P = cache[3]["pad"]
    dx, dw, db = ops.conv_backward(dout, cache[0])
    return np.pad(dx, ((0, 0), (P, P), (P, P), (0, 0)))[:, P:-P, P:-P], dw, db


def conv_crops_from_the_corner(dout, cache):
    P = cache[3]["pad"]
    dx, dw, db = ops.conv_backward(dout, cache[0])
    return np.pad(dx, ((0, 0), (P, 0), (P, 0), (0, 0)))[:, :-P, :-P], dw, db


def conv_assigns(dout, cache):
    return conv_dx(dout, cache, add=False)


def conv_flips_the_filter(dout, cache):
    return conv_dx(dout, cache, flip=True)


def conv_ignores_the_stride(dout, cache):
    return conv_dx(dout, cache, stride=1)


def conv_dw_divided_by_n(dout, cache):
    dx, dw, db = ops.conv_backward(dout, cache[0])
    return dx, dw / len(dout), db


def conv_db_is_a_mean(dout, cache):
    dx, dw, _ = ops.conv_backward(dout, cache[0])
    return dx, dw, dout.mean(axis=(0, 1, 2))


def conv_db_of_the_first_image(dout, cache):
    dx, dw, _ = ops.conv_backward(dout, cache[0])
    return dx, dw, dout[0].sum(axis=(0, 1))


def pool_dx(dout, cache, share):
    """A gradient of max pooling; share(pixels, maxima) is what each pixel gets of dout."""
    _, out, (x,), options = cache
    dx = np.zeros_like(x)
    windows = options["kernel_size"], options["stride"], out
    for (_, seen), (_, view) in zip(taps(x, *windows), taps(dx, *windows), strict=True):
        view += dout * share(seen, out)
    return dx


def pool_assigns(dout, cache):
    _, out, (x,), options = cache
    dx = np.zeros_like(x)
    windows = options["kernel_size"], options["stride"], out
    for (_, seen), (_, view) in zip(taps(x, *windows), taps(dx, *windows), strict=True):
        view[...] = np.where(seen == out, dout, view)
    return dx


def pool_pays_all_ties(dout, cache):
    return pool_dx(dout, cache, lambda pixels, maxima: pixels == maxima)


def pool_spreads_evenly(dout, cache):
    share = 1 / np.prod(pair(cache[3]["kernel_size"]))
    return pool_dx(dout, cache, lambda pixels, maxima: share)


def affine_dw_divided_by_n(dout, cache):
    dx, dw, db = ops.affine_backward(dout, cache[0])
    return dx, dw / len(dout), db


def affine_db_is_a_mean(dout, cache):
    dx, dw, _ = ops.affine_backward(dout, cache[0])
    return dx, dw, dout.mean(axis=0)


def affine_swaps_dx_and_dw(dout, cache):
    dx, dw, db = ops.affine_backward(dout, cache[0])
    return dw, dx, db


def affine_forgets_to_transpose(dout, cache):
    _, dw, db = ops.affine_backward(dout, cache[0])
    return dout @ cache[2][1], dw, db


def relu_lets_everything_pass(dout, cache):
    return dout


def relu_looks_at_the_gradient(dout, cache):
    return np.maximum(dout, 0)


def relu_forgets_dout(dout, cache):
    return (cache[1] > 0).astype(float)


def softmax_not_divided_by_n(dout, cache):
    _, _, (x, _), _ = cache
    return ops.softmax_loss_backward(dout, cache[0]) * len(x)


def softmax_without_minus_one(dout, cache):
    _, _, (x, _), _ = cache
    p = np.exp(x - x.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True) * dout / len(x)


def softmax_ignores_dout(dout, cache):
    return ops.softmax_loss_backward(1.0, cache[0])


def softmax_upside_down(dout, cache):
    return -ops.softmax_loss_backward(dout, cache[0])


def conv(sizes=(2, 6, 7, 3, 5, 3, 4), stride=1, pad=0):
    N, H, W, C, K, FH, FW = sizes
    arguments = [normal(N, H, W, C), normal(FH, FW, C, K, seed=1), normal(K, seed=2)]
    return ops.conv_forward, arguments, {"stride": stride, "pad": pad}


def pool(x=None, kernel_size=3, stride=2):
    x = normal(2, 5, 7, 3) if x is None else x
    return ops.max_pool_forward, [x], {"kernel_size": kernel_size, "stride": stride}


def affine(sizes=(2, 3, 4)):
    N, D, M = sizes
    return ops.affine_forward, [normal(N, D), normal(D, M, seed=1), normal(M, seed=2)], {}


RELU = ops.relu_forward, [normal(4, 5)], {}
LOSS = ops.softmax_loss_forward, [normal(4, 3), np.array([0, 2, 1, 1])], {}
STRIDED = conv(sizes=(2, 7, 8, 3, 5, 3, 4), stride=2)
TIES = pool(np.maximum(normal(2, 4, 6, 3) - 0.5, 0), kernel_size=2)
ALL_TIED = pool(np.zeros((1, 2, 2, 1)), kernel_size=2)

# The numbers are those of the project's table of mistakes.
MISTAKES = [
    pytest.param(conv_crops_to_minus_pad, conv(), "x", id="12-crop-to-minus-0"),
    pytest.param(conv_crops_from_the_corner, conv(pad=1), "x", id="13-crop-shifted"),
    pytest.param(conv_assigns, conv(), "x", id="14-conv-assigns"),
    pytest.param(conv_assigns, conv(pad=1), "x", id="14-conv-assigns-padded"),
    pytest.param(conv_flips_the_filter, conv(), "x", id="15-conv-flips"),
    pytest.param(conv_ignores_the_stride, STRIDED, "x", id="16-conv-ignores-stride"),
    pytest.param(conv_dw_divided_by_n, conv(), "w", id="17-conv-dw-by-n"),
    pytest.param(affine_dw_divided_by_n, affine(), "w", id="17-affine-dw-by-n"),
    pytest.param(conv_db_is_a_mean, conv(), "b", id="18-conv-db-mean"),
    pytest.param(affine_db_is_a_mean, affine(), "b", id="18-affine-db-mean"),
    pytest.param(conv_db_of_the_first_image, conv(), "b", id="conv-db-one-image"),
    pytest.param(pool_assigns, pool(), "x", id="19-pool-assigns"),
    pytest.param(pool_pays_all_ties, TIES, "x", id="20-pool-ties-after-relu"),
    pytest.param(pool_pays_all_ties, ALL_TIED, "x", id="20-pool-all-tied"),
    pytest.param(pool_spreads_evenly, pool(), "x", id="21-pool-spreads"),
    pytest.param(affine_swaps_dx_and_dw, affine((3, 3, 3)), "x", id="affine-swaps"),
    pytest.param(affine_forgets_to_transpose, affine((2, 3, 3)), "x", id="affine-transpose"),
    pytest.param(relu_lets_everything_pass, RELU, "x", id="relu-passes-all"),
    pytest.param(relu_looks_at_the_gradient, RELU, "x", id="relu-of-the-gradient"),
    pytest.param(relu_forgets_dout, RELU, "x", id="relu-forgets-dout"),
    pytest.param(softmax_not_divided_by_n, LOSS, "x", id="40-softmax-not-by-n"),
    pytest.param(softmax_without_minus_one, LOSS, "x", id="41-softmax-minus-one"),
    pytest.param(softmax_ignores_dout, LOSS, "x", id="softmax-ignores-dout"),
    pytest.param(softmax_upside_down, LOSS, "x", id="softmax-sign"),
]


@every_mode
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("wrong", "setting", "name"), MISTAKES)
def test_a_wrong_backward_is_wrong_in_the_gradient_that_is_wrong(
    wrong, setting, name, seed, directions
):
    forward, arguments, options = setting
    report = check(
        remembering(forward), wrong, *arguments, seed=seed, directions=directions, **options
    )
    assert not report.ok
    # At ties every random direction bends; only one by one can pixels be judged.
    tied = wrong is pool_pays_all_ties and directions
    assert report[name].verdict == report.verdict == (UNDECIDED if tied else WRONG)


@every_mode
def test_the_wrong_versions_are_wrong_only_where_meant(directions):
    # Without their mistake the two builders are right: what fails above is the mistake.
    for setting in (conv(), conv(pad=1), STRIDED):
        forward, arguments, options = setting
        options = options | {"directions": directions}
        assert check(remembering(forward), conv_dx, *arguments, **options).ok
    forward, arguments, options = pool()
    options = options | {"directions": directions}
    assert check(remembering(forward), pool_pays_all_ties, *arguments, **options).ok


@every_mode
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(
    ("setting", "backward"),
    [
        pytest.param(conv(), ops.conv_backward, id="conv"),
        pytest.param(STRIDED, ops.conv_backward, id="conv-strided"),
        pytest.param(pool(), ops.max_pool_backward, id="pool"),
        pytest.param(affine(), ops.affine_backward, id="affine"),
        pytest.param(RELU, ops.relu_backward, id="relu"),
        pytest.param(LOSS, ops.softmax_loss_backward, id="loss"),
    ],
)
def test_the_right_backward_is_right_at_every_point(setting, backward, seed, directions):
    forward, arguments, options = setting
    moved = [a + normal(*a.shape, seed=seed) if a.dtype == float else a for a in arguments]
    report = check(forward, backward, *moved, seed=seed, directions=directions, **options)
    assert report.ok, str(report)


# Random directions.


def doubled(gradient):
    return 2 * gradient


def forgotten(gradient):
    return 0 * gradient


def upside_down(gradient):
    return -gradient


def off_by_a_percent(gradient):
    return 1.01 * gradient


@pytest.mark.parametrize("directions", [1, 3])
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("mistake", [doubled, forgotten, upside_down, off_by_a_percent])
def test_one_wrong_entry_among_ten_thousand_is_found(mistake, seed, directions):
    x = normal(20, 25, 20, seed=seed)
    index = tuple(int(i) for i in np.random.default_rng(seed).integers(x.shape))

    def backward(dout, cache):
        dx = dout * 3 * cache[2][0] ** 2
        dx[index] = mistake(dx[index])
        return dx

    forward = remembering(lambda x: (x**3 + 0.0, None))
    finding = check(forward, backward, x, seed=seed, directions=directions)["x"]
    assert finding.verdict == WRONG
    assert finding.worst == index
    assert finding.got == pytest.approx(mistake(finding.expected), rel=1e-5, abs=1e-9)
    assert re.search(rf"\d of {directions} directions differ", finding.text)


def test_a_direction_takes_two_evaluations():
    calls = []

    def forward(x, w):
        calls.append(None)
        return x * w, (x, w)

    def backward(dout, cache):
        return dout * cache[1], dout * cache[0]

    assert check(forward, backward, normal(50, 50), normal(50, 50, seed=1), directions=3).ok
    # Twice for chance and once for the gradient; then to and fro for each of two arguments.
    assert len(calls) == 3 + 2 * 2 * 3


def test_where_directions_agree_no_entry_is_the_worst():
    finding = check(np_sin, times_cos, normal(4, 5), directions=3)["x"]
    assert re.fullmatch(r"3 directions agree to \d\.\de-\d\d", finding.text)
    assert finding.worst is None
    assert finding.expected == pytest.approx(finding.got, rel=1e-6)
    assert finding.largest_error < 1e-6


def np_sin(x):
    return np.sin(x), x


def times_cos(dout, x):
    return dout * np.cos(x)


@pytest.mark.parametrize("seed", range(60))
def test_a_wrong_factor_does_not_hide_where_the_gradient_cancels(seed):
    # Small and large entries of both signs: along many directions they add up to little.
    size = 3 + seed % 7
    x = normal(size, seed=seed) * 10 ** np.linspace(-1, 1, size)
    scaled = 1 + 3e-5 * (-1) ** seed
    report = check(
        lambda x: (x**2, x), lambda dout, x: 2 * dout * x * scaled, x, seed=seed, directions=1
    )
    assert report.verdict == WRONG


@pytest.mark.parametrize("seed", range(6))
def test_a_single_number_is_an_entry_too(seed):
    x = np.array(2.0)
    how = {"directions": 1, "seed": seed}
    assert check(lambda x: (x**2, x), lambda dout, x: 2 * dout * x, x, **how).ok
    wrong = check(lambda x: (x**2, x), lambda dout, x: 3 * dout * x, x, **how)["x"]
    entry = check(lambda x: (x**2, x), lambda dout, x: 3 * dout * x, x, seed=seed)["x"]
    assert wrong.worst == entry.worst == ()
    assert (wrong.got, wrong.expected) == (entry.got, pytest.approx(entry.expected))


def test_a_gradient_that_is_beyond_all_bounds_is_wrong():
    report = check(np_sin, lambda dout, x: np.full_like(x, 1e300), normal(4, 5), directions=2)
    assert report.verdict == WRONG


def test_a_small_error_in_many_entries_needs_no_entry_to_blame():
    def forward(x):
        return 0.01 * x.sum(), x

    def backward(dout, x):
        return np.full_like(x, dout * 0.01 * (1 + 1.7e-6))

    x = normal(400)
    finding = check(forward, backward, x, directions=10)["x"]
    assert finding.verdict == WRONG
    assert finding.worst is None
    pattern = r"along a random direction; \d+ of 10 directions differ, no entry does so alone"
    assert re.search(pattern, finding.text)
    assert finding.got == pytest.approx(finding.expected * (1 + 1.7e-6), rel=1e-8)
    # Each entry by itself is within the tolerance.
    assert check(forward, backward, x).ok


def test_each_direction_is_another_and_moves_every_entry():
    seen = []

    def forward(x):
        seen.append(x)
        return x.copy(), None

    x = normal(8, 25)
    assert check(lambda x: forward(x.copy()), lambda dout, _: dout, x, directions=3).ok
    moves = [(moved - x) / 1e-5 for moved in seen[3:]]
    for there, back in zip(moves[::2], moves[1::2], strict=True):
        np.testing.assert_allclose(there, -back, rtol=1e-6)
        assert np.linalg.norm(there) == pytest.approx(1, rel=1e-6)
        assert abs(there).max() < 5 * abs(there).min()
        assert (there > 0).any()
        assert (there < 0).any()
    assert len({move.tobytes() for move in moves}) == 6


def test_the_seed_decides_on_the_directions():
    def worst(seed):
        return check(np_sin, times_cos, normal(4, 5), seed=seed, directions=1)["x"].got

    assert worst(0) == worst(0)
    assert worst(0) != worst(1)


def test_a_direction_that_bends_is_drawn_anew():
    # Only a direction that moves the first entry by more than half its length meets the kink.
    x = np.array([5e-6, 1.0, -1.0, 2.0])
    assert check(ops.relu_forward, ops.relu_backward, x, directions=30).ok


def test_where_all_directions_bend_nothing_can_be_said():
    report = check(
        ops.relu_forward, ops.relu_backward, np.array([0.0, 1.0, -1.0, 2.0]), directions=3
    )
    assert report["x"].verdict == UNDECIDED
    assert report["x"].text == "3 of 3 directions cross a kink"


@pytest.mark.parametrize("seed", range(20))
def test_halving_passes_by_a_kink(seed):
    # The gradient at the kink may be meant, the other one cannot.
    def backward(dout, cache):
        return dout * np.where(cache[2][0] == 0, 0, cache[2][0] > -0.5) * (1 + 9 * (cache[1] > 2))

    x = np.array([1.0, 0.0, -1.0, 0.0, 3.0, 0.5, 0.0])
    report = check(remembering(ops.relu_forward), backward, x, seed=seed, directions=2)
    assert report.verdict == WRONG
    assert report["x"].worst == (4,)


@pytest.mark.parametrize("convention", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_kinks_among_many_entries_are_never_called_wrong(seed, convention):
    def backward(dout, cache):
        return dout * np.where(cache[2][0] == 0, convention, cache[2][0] > 0)

    x = np.maximum(normal(50, 60, seed=seed), 0)
    report = check(remembering(ops.relu_forward), backward, x, seed=seed, directions=3)
    assert report.verdict == UNDECIDED


@st.composite
def affine_cases(draw):
    sizes = st.integers(1, 6)
    N, D, M = draw(sizes), draw(sizes), draw(sizes)
    seed = draw(st.integers(0, 2**32 - 1))
    return normal(N, D, seed=seed), normal(D, M, seed=seed + 1), normal(M, seed=seed + 2)


@st.composite
def conv_cases(draw):
    N, C, K, FH, FW, more, stride = (draw(st.integers(1, 3)) for _ in range(7))
    H, W = FH + stride * draw(st.integers(0, 2)), FW + stride * more
    seed = draw(st.integers(0, 2**32 - 1))
    x, w, b = normal(N, H, W, C, seed=seed), normal(FH, FW, C, K, seed=seed + 1), normal(K)
    return (x, w, b), stride


@every_mode
@given(arrays=affine_cases(), seed=st.integers(0, 999), data=st.data())
def test_affine_of_any_size(arrays, seed, data, directions):
    pair_of = ops.affine_forward, ops.affine_backward
    assert check(*pair_of, *arrays, seed=seed, directions=directions).verdict != WRONG
    part, factor = data.draw(st.integers(0, 2)), data.draw(st.sampled_from([1 - 3e-5, 1 + 3e-5]))
    report = check(pair_of[0], scaled(pair_of[1], part, factor), *arrays, directions=directions)
    assert report.verdict != RIGHT


@given(case=conv_cases(), seed=st.integers(0, 999), data=st.data())
def test_convolutions_of_any_size(case, seed, data):
    arrays, stride = case
    how = {"directions": 2, "seed": seed, "stride": stride}
    report = check(ops.conv_forward, ops.conv_backward, *arrays, **how)
    assert report.verdict != WRONG, str(report)
    part, factor = data.draw(st.integers(0, 2)), data.draw(st.sampled_from([1 - 3e-5, 1 + 3e-5]))
    report = check(ops.conv_forward, scaled(ops.conv_backward, part, factor), *arrays, **how)
    assert report.verdict != RIGHT, str(report)


def scaled(backward, part, factor):
    """The same function with one of its gradients off by a factor."""

    def off(dout, cache):
        gradients = list(backward(dout, cache))
        gradients[part] = gradients[part] * factor
        return tuple(gradients)

    return off


# Kinks.


def test_zero_is_a_kink_of_relu():
    report = check(ops.relu_forward, ops.relu_backward, np.array([1.0, 0.0, -1.0, 2.0, 0.0]))
    assert report.verdict == UNDECIDED
    assert not report.ok
    assert "2 of 5 entries lie on a kink, the first at (1,)" in report["x"].text


@pytest.mark.parametrize("distance", [1e-7, 5e-7, 8e-7, 9.5e-7, 1e-6, 5e-6, 9e-6, -3e-7, -5e-6])
def test_a_kink_within_the_step_is_never_called_wrong(distance):
    x = np.array([distance, 1.0])
    assert check(ops.relu_forward, ops.relu_backward, x).verdict == UNDECIDED
    assert check(ops.relu_forward, ops.relu_backward, x, directions=2).verdict != WRONG


@every_mode
@pytest.mark.parametrize("distance", [2e-5, -2e-5])
def test_a_kink_beyond_the_step_does_not_matter(distance, directions):
    x = np.array([distance, 1.0])
    assert check(ops.relu_forward, ops.relu_backward, x, directions=directions).ok


@every_mode
@pytest.mark.parametrize("at_zero", [-0.5, 1.5, 100.0])
def test_a_gradient_outside_both_slopes_of_a_kink_is_wrong(at_zero, directions):
    def backward(dout, cache):
        return dout * np.where(cache[2][0] == 0, at_zero, cache[2][0] > 0)

    x = np.array([1.0, 0.0, -1.0])
    report = check(remembering(ops.relu_forward), backward, x, directions=directions)
    assert report.verdict == WRONG
    assert report["x"].worst == (1,)


@every_mode
@pytest.mark.parametrize("at_zero", [0.0, 0.3, 0.5, 1.0])
def test_any_gradient_between_both_slopes_cannot_be_judged(at_zero, directions):
    def backward(dout, cache):
        return dout * np.where(cache[2][0] == 0, at_zero, cache[2][0] > 0)

    x = np.array([1.0, 0.0, -1.0])
    report = check(remembering(ops.relu_forward), backward, x, directions=directions)
    assert report.verdict == UNDECIDED


@every_mode
def test_a_mistake_beside_a_kink_is_still_found(directions):
    def backward(dout, cache):
        return dout * (cache[2][0] > -0.5)

    x = np.array([1.0, 0.0, -0.2, -1.0])
    report = check(remembering(ops.relu_forward), backward, x, directions=directions)
    assert report.verdict == WRONG
    assert report["x"].worst == (2,)


@every_mode
@pytest.mark.parametrize("setting", [TIES, ALL_TIED], ids=["after-relu", "all-tied"])
def test_whom_a_tie_pays_cannot_be_judged(setting, directions):
    forward, arguments, options = setting
    report = check(forward, ops.max_pool_backward, *arguments, directions=directions, **options)
    assert report.verdict == UNDECIDED
    assert ("cross a kink" if directions else "lie on a kink") in report["x"].text


@pytest.mark.parametrize("seed", range(5))
def test_ties_of_any_value_must_add_up(seed):
    # Powers of two: rounding is coarser above than below them.
    powers = np.random.default_rng(seed).integers(-2, 3, size=(1, 3, 4, 2))
    x = (2.0**powers).repeat(2, axis=1).repeat(2, axis=2)
    options = {"kernel_size": 2, "stride": 2}
    report = check(remembering(ops.max_pool_forward), pool_pays_all_ties, x, seed=seed, **options)
    assert report.verdict == WRONG
    assert "must add up to" in report["x"].text


def test_the_message_on_ties_says_what_is_missing():
    forward, arguments, options = ALL_TIED
    report = check(remembering(forward), pool_pays_all_ties, *arguments, **options)
    assert re.search(
        r"4 of 4 entries lie on a kink, the first at \(0, 0, 0, 0\); their gradients must add up "
        r"to (\S+), got (\S+)",
        report["x"].text,
    )


@every_mode
@pytest.mark.parametrize("seed", range(30))
def test_ties_that_windows_share_are_never_called_wrong(seed, directions):
    # One window may pull a pixel up and the next one down: only each alone bounds its gradient.
    x = np.maximum(normal(2, 5, 5, 2, seed=seed) - 1.2, 0)
    options = {"kernel_size": 3, "stride": 1, "directions": directions}
    report = check(ops.max_pool_forward, ops.max_pool_backward, x, seed=seed, **options)
    assert report.verdict == UNDECIDED


@every_mode
def test_a_kink_in_a_curve_is_told_from_the_curve(directions):
    def forward(x):
        return np.exp(x) + abs(x - 1), x

    def backward(dout, x):
        return dout * (np.exp(x) + np.sign(x - 1))

    assert check(forward, backward, np.array([0.0, 2.0, 3.0]), directions=directions).ok
    report = check(forward, backward, np.array([0.0, 1.0, 3.0]), directions=directions)
    assert report.verdict == UNDECIDED


@every_mode
@pytest.mark.parametrize("at_zero", [0.0, 1.0])
@pytest.mark.parametrize("bend", [1, -1], ids=["up", "down"])
def test_a_curve_on_both_sides_does_not_hide_that_a_kink_is_in_order(bend, at_zero, directions):
    def forward(x):
        return bend * np.exp(5 * x) + np.maximum(x, 0), x

    def backward(dout, x):
        return dout * (bend * 5 * np.exp(5 * x) + np.where(x == 0, at_zero, x > 0))

    report = check(forward, backward, np.array([0.0, 0.5, -0.5]), directions=directions)
    assert report.verdict == UNDECIDED


# Smooth functions, steep or curved.


@pytest.mark.parametrize(
    ("function", "derivative", "x"),
    [
        pytest.param(np.exp, np.exp, np.linspace(-5, 5, 7), id="exp"),
        pytest.param(lambda x: 1 / x, lambda x: -1 / x**2, np.array([0.1, -2.0, 30.0]), id="1/x"),
        pytest.param(lambda x: x**2, lambda x: 2 * x, np.array([0.0, 1e-4, 7.0]), id="parabola"),
        pytest.param(np.sin, np.cos, np.array([0.0, np.pi / 2, 9.0]), id="sin"),
        pytest.param(
            lambda x: np.sin(50 * x), lambda x: 50 * np.cos(50 * x), normal(6), id="waves"
        ),
        pytest.param(lambda x: x**3 * 1e3, lambda x: 3e3 * x**2, normal(6), id="steep"),
    ],
)
@every_mode
def test_curves(function, derivative, x, directions):
    def forward(x):
        return function(x), x

    assert check(forward, lambda dout, x: dout * derivative(x), x, directions=directions).ok
    report = check(
        forward, lambda dout, x: dout * derivative(x) * (1 + 3e-5), x, directions=directions
    )
    assert report.verdict == WRONG


def test_one_small_error_in_many_entries_is_found_and_located():
    def backward(dout, cache):
        dx = dout.copy()
        dx[3, 4, 5] += 1e-5
        return dx

    report = check(lambda x: (x + 0.0, None), backward, normal(6, 7, 8))
    finding = report["x"]
    assert finding.verdict == WRONG
    assert finding.worst == (3, 4, 5)
    assert finding.got - finding.expected == pytest.approx(1e-5, rel=1e-3)
    assert finding.largest_error == pytest.approx(1e-5 / (abs(finding.got) + 0.01), rel=1e-3)
    assert "1 of 336 entries differ" in finding.text


@every_mode
def test_tolerances_are_what_they_say(directions):
    def off_by(share, **tolerance):
        return check(
            lambda x: (2 * x, None),
            lambda dout, _: 2 * dout * (1 + share),
            np.ones(1),
            directions=directions,
            **tolerance,
        )

    assert off_by(9e-7).ok
    assert off_by(1.2e-6).verdict == WRONG
    assert off_by(1.2e-6, rtol=2e-6).ok
    assert off_by(9e-7, rtol=5e-7).verdict == WRONG
    assert off_by(1e-3, atol=1e-2).ok


# What a backward function may hand back.


@pytest.mark.parametrize(
    ("gradients", "name", "text"),
    [
        pytest.param(None, "x", "backward returned no gradient for it", id="none"),
        pytest.param(
            (np.ones(3), None), "w", "backward returned no gradient for it", id="one-none"
        ),
        pytest.param(np.ones(3), "w", "backward returned no gradient for it", id="one-of-two"),
        pytest.param((), "x", "backward returned no gradient for it", id="empty"),
        pytest.param(
            (np.ones(3), np.ones(3), np.ones(3)),
            "backward",
            "it returned 3 gradients for 2 arguments: x, w",
            id="three-of-two",
        ),
        pytest.param(
            (np.ones((3, 1)), np.ones(3)),
            "x",
            "its gradient must have its shape (3,), got (3, 1)",
            id="shape",
        ),
        pytest.param((1.0, np.ones(3)), "x", "must have its shape (3,), got ()", id="scalar"),
        pytest.param(
            (np.array([1, np.nan, np.nan]), np.ones(3)),
            "x",
            "its gradient has 2 NaN or infinite entries, the first at (1,)",
            id="nan",
        ),
        pytest.param(
            (np.ones(3), np.array([1, 1, -np.inf])),
            "w",
            "its gradient has 1 NaN or infinite entries, the first at (2,)",
            id="infinite",
        ),
        pytest.param(
            ("abc", np.ones(3)), "x", "must be an array of real numbers, got <U3", id="text"
        ),
        pytest.param(
            (np.ones(3) * 1j, np.ones(3)),
            "x",
            "must be an array of real numbers, got complex128",
            id="complex",
        ),
        pytest.param(([[1.0], [1.0, 2.0]], 0), "x", "must be an array, got list", id="ragged"),
        pytest.param((map, np.ones(3)), "x", "array of real numbers, got object", id="object"),
    ],
)
@every_mode
def test_what_is_no_gradient_is_wrong_in_words(gradients, name, text, directions):
    arrays = np.ones(3), np.ones(3)
    report = check(
        lambda x, w: (x * w, None), lambda dout, _: gradients, *arrays, directions=directions
    )
    assert report.verdict == WRONG
    assert report[name].verdict == WRONG
    assert text in report[name].text
    assert f"{name}: wrong, " in str(report)


def test_the_input_must_stay_as_it_is():
    def forward(x):
        x *= 2
        return x.copy(), None

    report = check(forward, lambda dout, cache: 2 * dout, normal(4))
    assert report["x"].verdict == WRONG
    assert report["x"].text == "it was overwritten; work on a copy"


def test_one_wrong_gradient_makes_it_wrong_whatever_else_is_undecided():
    x, y = np.array([-1.0, 0.0, 2.0]), normal(3)
    report = check(
        lambda x, y: (np.maximum(x, 0) + y**2, (x, y)),
        lambda dout, cache: (dout * (cache[0] > 0), dout * cache[1]),
        *(x, y),
    )
    assert [finding.verdict for finding in report.findings] == [UNDECIDED, WRONG]
    assert report.verdict == WRONG
    assert not report.ok


def test_the_error_is_a_share_of_the_larger_one():
    finding = check(lambda x: (x, None), lambda dout, cache: 2 * dout, np.ones(1))["x"]
    got, expected = abs(finding.got), abs(finding.expected)
    assert got == pytest.approx(2 * expected)
    assert finding.largest_error == pytest.approx(expected / (got + 0.01))


def test_backward_may_overwrite_dout_and_the_output():
    def forward(x):
        out = np.maximum(x, 0)
        return out, out

    def backward(dout, out):
        dx = dout * (out > 0)
        dout *= 3
        out[:] = 99
        return dx

    assert check(forward, backward, normal(4, 5)).ok


# Where nothing can be said.


@every_mode
def test_a_gradient_that_is_zero_everywhere_proves_nothing(directions):
    how = {"directions": directions}
    report = check(ops.relu_forward, ops.relu_backward, -np.ones(4), **how)
    assert report.verdict == UNDECIDED
    assert report["x"].text == "the gradient is zero everywhere here"
    # A gradient where there should be none is wrong all the same.
    assert check(ops.relu_forward, lambda dout, _: dout, -np.ones(4), **how).verdict == WRONG


@every_mode
def test_an_empty_array_proves_nothing(directions):
    report = check(ops.relu_forward, ops.relu_backward, np.ones((0, 3)), directions=directions)
    assert report.verdict == UNDECIDED
    assert report["x"].text == "it is empty: shape (0, 3)"


def test_chance_in_forward_is_noticed():
    rng = np.random.default_rng(0)
    report = check(lambda x: (x + rng.normal(size=x.shape), None), lambda dout, _: dout, np.ones(3))
    assert report.verdict == UNDECIDED
    assert "different output for the same input" in report["x"].text


def test_chance_with_a_fixed_seed_is_no_obstacle():
    def dropout(x):
        mask = np.random.default_rng(0).random(x.shape) < 0.5
        return x * mask, mask

    assert check(dropout, lambda dout, mask: dout * mask, normal(8)).ok


@pytest.mark.parametrize("value", [np.nan, np.inf], ids=str)
def test_an_output_that_is_not_finite_proves_nothing(value):
    report = check(ops.relu_forward, ops.relu_backward, np.array([1.0, value]))
    assert report.verdict == UNDECIDED
    assert report["x"].text == "the output of forward is not finite"


@every_mode
def test_an_output_that_is_not_finite_nearby_proves_nothing(directions):
    def forward(x):
        return np.where(x >= 0, x, np.nan), None

    report = check(forward, lambda dout, _: dout, np.zeros(1), directions=directions)
    assert report.verdict == UNDECIDED
    assert report["x"].text == "forward is not finite near this point"


def test_float32_is_too_coarse():
    report = check(lambda x: (x.astype(np.float32), None), lambda dout, _: dout, np.ones(3))
    assert report.verdict == UNDECIDED
    assert "forward answers in float32, too coarse for differences" in report["x"].text


# Arguments and options.


def test_float32_arguments_are_checked_in_float64_and_left_alone():
    seen = set()

    def forward(x, w):
        seen.update([x.dtype, w.dtype])
        return x * w, (x, w)

    def backward(dout, cache):
        return dout * cache[1], dout * cache[0]

    x, w = normal(3).astype(np.float32), normal(3, seed=1)
    before = x.copy(), w.copy()
    report = check(forward, backward, x, w)
    assert report.ok
    assert seen == {np.dtype("float64")}
    assert np.array_equal(x, before[0])
    assert np.array_equal(w, before[1])


def test_only_floating_point_arrays_want_a_gradient():
    def forward(x, label, w, *, power):
        return x**power * w + label.sum(), (x, w, power)

    def backward(dout, cache):
        x, w, power = cache
        return dout * power * x ** (power - 1) * w, (dout * x**power).sum()

    report = check(forward, backward, np.arange(1.0, 4), np.arange(2), np.array(2.5), power=3)
    assert report.ok, str(report)
    assert [finding.name for finding in report.findings] == ["x", "w"]


def test_the_upstream_gradient_is_random_and_never_small():
    seen = []

    def backward(dout, cache):
        seen.append(dout)
        return dout

    for seed in (0, 0, 1):
        check(lambda x: (x + 0.0, None), backward, normal(300), seed=seed)
    assert np.array_equal(seen[0], seen[1])
    assert not np.array_equal(seen[0], seen[2])
    assert len(np.unique(seen[0])) == 300
    assert 0.5 <= abs(seen[0]).min() <= abs(seen[0]).max() <= 2
    assert 100 < (seen[0] > 0).sum() < 200


def test_a_function_without_named_arguments():
    report = check(lambda *arrays: (arrays[0] * 2, None), lambda dout, _: 2 * dout, np.ones(2))
    assert report.findings[0].verdict == RIGHT


def test_a_report_reads_well():
    report = check(ops.affine_forward, affine_doubles_dw, *affine()[1])
    lines = str(report).splitlines()
    assert re.fullmatch(r"x: right, 6 entries agree to \d\.\de-\d\d", lines[0])
    assert re.fullmatch(
        r"w: wrong, expected -?[\d.]+, got -?[\d.]+ at \(\d, \d\); 12 of 12 entries differ",
        lines[1],
    )
    assert re.fullmatch(r"b: right, 4 entries agree to \d\.\de-\d\d", lines[2])


def affine_doubles_dw(dout, cache):
    dx, dw, db = ops.affine_backward(dout, cache)
    return dx, 2 * dw, db


def test_forward_must_return_a_pair():
    with pytest.raises(TypeError, match=r"return a pair \(out, cache\), got ndarray"):
        check(lambda x: x, lambda dout, _: dout, np.ones(2))


@pytest.mark.parametrize(
    ("option", "error", "message"),
    [
        ({"directions": 0}, ValueError, "directions must be a whole number of at least 1, got 0"),
        ({"directions": 2.5}, ValueError, "directions must be a whole number .*, got 2.5"),
        ({"rng": 0}, TypeError, "rng must be a generator .*, got int"),
        ({"h": 0}, ValueError, "h must be a finite number of at least 1e-15, got 0"),
        ({"rtol": -1e-6}, ValueError, "rtol must be a finite number of .*, got -1e-06"),
        ({"atol": np.nan}, ValueError, "atol must be a finite number of .*, got nan"),
    ],
)
def test_options_are_checked_at_every_door(option, error, message):
    options = {"rng": np.random.default_rng(0)} | option
    with pytest.raises(error, match=message):
        check_gradients(ops.relu_forward, ops.relu_backward, np.ones(2), **options)
    with pytest.raises(error, match=message):
        check_layer(built(ReLU(), (2,)), np.ones((1, 2)), **options)
    with pytest.raises(error, match=message):
        check_model(Parabola(), None, None, **options)


def test_an_argument_that_is_not_there_has_no_finding():
    with pytest.raises(KeyError, match="w"):
        check(ops.relu_forward, ops.relu_backward, np.ones(2))["w"]


def test_nothing_compared_is_nothing_decided():
    assert Report(()).verdict == UNDECIDED


def test_there_must_be_something_to_check():
    with pytest.raises(TypeError, match="none of the arguments is an array of floating-point"):
        check(lambda y: (y, None), lambda dout, _: dout, np.arange(3))


# The formula alone.


def test_numeric_gradient_by_hand():
    x = np.array([[1.0, -2.0], [0.5, 3.0]])
    before = x.copy()
    gradient = numeric_gradient(lambda x: (x**3).sum() + x[0, 0] * x[1, 1], x)
    expected = 3 * x**2 + [[3, 0], [0, 1]]
    np.testing.assert_allclose(gradient, expected, rtol=1e-8)
    assert np.array_equal(x, before)


def test_numeric_gradient_works_in_float64():
    gradient = numeric_gradient(lambda x: np.sin(x).sum(), np.array([1, 2], np.float32))
    assert gradient.dtype == np.float64
    np.testing.assert_allclose(gradient, np.cos([1, 2]), rtol=1e-9)


def test_numeric_gradient_is_exact_for_a_parabola_of_any_step():
    gradient = numeric_gradient(lambda x: 3 * x**2, np.array(2.0), h=0.5)
    assert gradient == pytest.approx(12, rel=1e-14)


def test_numeric_gradient_needs_one_number():
    with pytest.raises(ShapeError, match=r"f must return one number, got shape \(3,\)"):
        numeric_gradient(lambda x: x, np.ones(3))


# A layer.


def built(layer, input_shape, *, dtype=np.float64, table=reference):
    """The layer, with random numbers where zeros are usual."""
    rng = np.random.default_rng(5)
    layer.build(input_shape, rng=rng, dtype=dtype, ops=table)
    for parameter in layer.params.values():
        parameter[...] += rng.normal(size=parameter.shape) / 10
    return layer


def check_one(layer, x, *, seed=1, **options):
    return check_layer(layer, x, rng=np.random.default_rng(seed), **options)


@every_mode
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("layer", "input_shape", "names"),
    [
        pytest.param(lambda: Conv(3, (2, 3), stride=2, pad=1), (4, 5, 2), "xwb", id="conv"),
        pytest.param(lambda: Affine(4), (5,), "xwb", id="affine"),
        pytest.param(lambda: ReLU(), (4, 3), "x", id="relu"),
        pytest.param(lambda: MaxPool(2), (4, 6, 2), "x", id="pool"),
        pytest.param(lambda: Flatten(), (2, 3, 2), "x", id="flatten"),
    ],
)
def test_layers_are_right(layer, input_shape, names, training, directions):
    layer = built(layer(), input_shape)
    report = check_one(layer, normal(3, *input_shape), training=training, directions=directions)
    assert report.ok, str(report)
    assert [finding.name for finding in report.findings] == list(names)


@every_mode
def test_a_layer_with_a_wrong_operation_is_wrong_in_its_gradient(directions):
    def wrong(layer, input_shape, name, backward):
        layer = built(layer, input_shape, table=with_op(name, backward))
        report = check_one(layer, normal(3, *input_shape), directions=directions)
        return [finding.name for finding in report.findings if finding.verdict == WRONG]

    assert wrong(Conv(3, 2), (4, 5, 2), "conv", conv_dw_divided_by_n) == ["w"]
    assert wrong(Affine(4), (5,), "affine", affine_db_is_a_mean) == ["b"]
    assert wrong(Affine(4), (4,), "affine", affine_forgets_to_transpose) == ["x"]


class Restless:
    """A layer with all that a layer may have: weights, chance, and a memory of what it saw.

    In training, the mean over the batch goes out and half of the numbers are dropped; at test
    time the running mean goes out.
    """

    def __init__(self, shape, rng=None):
        self.params = {"w": normal(*shape, seed=8)}
        self.grads = {}
        self.buffers = {"mean": normal(*shape, seed=9), "count": np.array(0)}
        self.rng = np.random.default_rng(3) if rng is None else rng
        self.masks = set()

    def forward(self, x, *, training=False):
        if not training:
            self.cache = x - self.buffers["mean"], 1.0, False
            return self.cache[0] * self.params["w"]
        centered = x - x.mean(axis=0)
        mask = (self.rng.random(x.shape) < 0.5) * 2.0
        self.buffers["mean"] *= 0.9
        self.buffers["mean"] += 0.1 * x.mean(axis=0)
        self.buffers["count"] += 1
        self.masks.add(mask.tobytes())
        self.cache = centered, mask, True
        return centered * self.params["w"] * mask

    def backward(self, dout):
        centered, mask, training = self.cache
        self.grads = {"w": (dout * mask * centered).sum(axis=0)}
        dx = dout * mask * self.params["w"]
        return dx - dx.mean(axis=0) if training else dx


def state_of(layer):
    """All that must be the same after a check, as something to compare."""
    arrays = {**layer.params, **layer.buffers}
    return {name: array.tolist() for name, array in arrays.items()}, layer.rng.bit_generator.state


@every_mode
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("seed", range(5))
def test_chance_and_memory_do_not_disturb(seed, training, directions):
    layer, x = Restless((3, 2)), normal(4, 3, 2, seed=seed)
    before, x_before, arrays = state_of(layer), x.copy(), [*layer.params.values()]
    report = check_one(layer, x, training=training, directions=directions, seed=seed)
    assert report.ok, str(report)
    assert state_of(layer) == before
    assert np.array_equal(x, x_before)
    assert all(one is other for one, other in zip(layer.params.values(), arrays, strict=True))
    assert len(layer.masks) == training


@every_mode
def test_training_and_test_time_are_checked_apart(directions):
    class Constant(Restless):
        def backward(self, dout):
            centered, mask, _ = self.cache
            self.grads = {"w": (dout * mask * centered).sum(axis=0)}
            return dout * mask * self.params["w"]  # as if the mean did not depend on x

    x = normal(4, 3, 2)
    assert check_one(Constant((3, 2)), x, directions=directions)["x"].verdict == WRONG
    assert check_one(Constant((3, 2)), x, directions=directions, training=False).ok


@every_mode
def test_a_layer_that_draws_anew_in_backward_is_wrong(directions):
    class Fresh(Restless):
        def backward(self, dout):
            dx = super().backward(dout)
            return dx * (self.rng.random(dx.shape) < 0.5)

    layer = Fresh((3, 2))
    before = state_of(layer)
    assert check_one(layer, normal(4, 3, 2), directions=directions)["x"].verdict == WRONG
    assert state_of(layer) == before


@every_mode
def test_chance_that_does_not_start_anew_is_noticed(directions):
    layer = Restless((3, 2))
    hidden = layer.rng
    layer.rng = None
    layer.forward = lambda x, training: x * hidden.random(x.shape)
    report = check_one(layer, normal(4, 3, 2), directions=directions)
    assert report.verdict == UNDECIDED
    assert "different output for the same input" in report["x"].text


def test_the_generator_of_the_layer_may_also_draw_the_directions():
    seen = []
    layer = Restless((3, 2), rng=np.random.default_rng(0))
    forward = layer.forward
    layer.forward = lambda x, training: seen.append(x.copy()) or forward(x, training=training)
    assert check_layer(layer, normal(4, 3, 2), rng=layer.rng, directions=3).ok
    # Each step to and fro in x is another; the weight's six passes see x as it is.
    assert len({x.tobytes() for x in seen}) == 1 + 6
    assert len(layer.masks) == 1


@pytest.mark.parametrize("passes", [1, 2, 3, 4, 7, 20])
def test_a_layer_is_put_back_even_when_it_breaks(passes):
    class Breaks(Restless):
        count = 0

        def forward(self, x, *, training=False):
            out = super().forward(x, training=training)
            self.count += 1
            if self.count == passes:
                raise RuntimeError("no more")
            return out

    layer, x = Breaks((3, 2)), normal(4, 3, 2)
    before, x_before = state_of(layer), x.copy()
    with pytest.raises(RuntimeError, match="no more"):
        check_one(layer, x)
    assert state_of(layer) == before
    assert np.array_equal(x, x_before)


@pytest.mark.parametrize("name", ["x", "w"])
@pytest.mark.parametrize("when", ["forward", "backward"])
def test_a_layer_that_overwrites_is_wrong(name, when):
    class Overwrites(Restless):
        def forward(self, x, *, training=False):
            self.seen = {"x": x, **self.params}
            out = super().forward(x, training=training)
            if when == "forward":
                self.seen[name][...] *= 2
            return out

        def backward(self, dout):
            dx = super().backward(dout)
            self.seen[name][...] *= 2
            return dx

    layer, x = Overwrites((3, 2)), normal(4, 3, 2)
    before, x_before = state_of(layer), x.copy()
    report = check_one(layer, x)
    assert report[name].verdict == WRONG
    assert report[name].text == "it was overwritten; work on a copy"
    assert state_of(layer) == before
    assert np.array_equal(x, x_before)


def test_a_layer_without_the_gradient_of_a_parameter_is_wrong():
    class Forgets(Restless):
        def backward(self, dout):
            dx = super().backward(dout)
            self.grads = {}
            return dx

    report = check_one(Forgets((3, 2)), normal(4, 3, 2))
    assert report["x"].verdict == RIGHT
    assert report["w"].text == "backward returned no gradient for it"


def test_a_gradient_that_belongs_to_no_parameter_is_wrong():
    class Adds(Restless):
        def backward(self, dout):
            dx = super().backward(dout)
            self.grads["b"] = np.zeros(2)
            return dx

    report = check_one(Adds((3, 2)), normal(4, 3, 2))
    assert report["backward"].verdict == WRONG
    assert report["backward"].text == "it returned 3 gradients for 2 arguments: x, w"


@pytest.mark.parametrize(
    ("dtype", "x", "message"),
    [
        pytest.param(
            np.float32, np.ones((2, 5)), r"float32 in w: build the layer with dtype=", id="w"
        ),
        pytest.param(
            np.float64,
            np.ones((2, 5), np.float32),
            r"float32 in x: convert it first, x\.astype\(np\.float64\)",
            id="x",
        ),
        pytest.param(np.float64, np.ones((2, 5), int), "got int64 in x", id="whole-numbers"),
        pytest.param(np.float64, [[1.0] * 5], "got list in x", id="list"),
    ],
)
def test_a_layer_is_checked_in_float64_only(dtype, x, message):
    with pytest.raises(TypeError, match=f"differences need float64, .*{message}"):
        check_one(built(Affine(3), (5,), dtype=dtype), x)


def test_a_layer_must_be_built():
    with pytest.raises(RuntimeError, match="must be built before it is used"):
        check_one(Affine(3), np.ones((2, 5)))


# A whole network.


def network(dtype=np.float64, table=reference):
    rng = np.random.default_rng(0)
    layers = [Conv(3, 3, pad=1), ReLU(), MaxPool(2), Flatten(), Affine(4)]
    model = Sequential(layers, (6, 4, 2), rng=rng, dtype=dtype, ops=table)
    for name, parameter in model.parameters().items():
        if name.endswith(".b"):
            parameter[...] = rng.normal(size=parameter.shape) / 10
    return model


def batch():
    return normal(5, 6, 4, 2, seed=3), np.array([0, 3, 1, 2, 3])


def pool_spreads_by_two(dout, cache):
    return dout.repeat(2, axis=1).repeat(2, axis=2) / 4


def with_op(name, backward):
    """The table with one backward function replaced."""
    return dataclasses.replace(
        reference, **{name: Op(remembering(getattr(reference, name).forward), backward)}
    )


@every_mode
def test_a_network_of_right_layers_is_right(directions):
    model = network()
    before = {name: parameter.copy() for name, parameter in model.parameters().items()}
    report = check_model(model, *batch(), rng=np.random.default_rng(1), directions=directions)
    assert report.ok, str(report)
    assert [finding.name for finding in report.findings] == list(before)
    compared = "2 directions agree" if directions else "54 entries agree"
    assert compared in report["0.conv.w"].text
    for name, parameter in model.parameters().items():
        assert np.array_equal(parameter, before[name])


@pytest.mark.parametrize(
    ("name", "backward", "wrong"),
    [
        pytest.param("conv", conv_dw_divided_by_n, {"0.conv.w"}, id="conv-dw"),
        pytest.param("affine", affine_db_is_a_mean, {"4.affine.b"}, id="affine-db"),
        pytest.param("relu", relu_lets_everything_pass, {"0.conv.w", "0.conv.b"}, id="relu"),
        pytest.param("max_pool", pool_spreads_by_two, {"0.conv.w", "0.conv.b"}, id="pool"),
    ],
)
@every_mode
def test_a_wrong_layer_shows_in_the_parameters_before_it(name, backward, wrong, directions):
    model = network(table=with_op(name, backward))
    report = check_model(model, *batch(), rng=np.random.default_rng(1), directions=directions)
    assert {finding.name for finding in report.findings if finding.verdict == WRONG} == wrong


def test_three_directions_are_enough_for_a_network():
    report = check_model(network(), *batch(), rng=np.random.default_rng(1))
    assert [finding.text[:18] for finding in report.findings] == ["3 directions agree"] * 4


@pytest.mark.parametrize("seed", range(5))
def test_one_wrong_entry_in_a_network_is_found(seed):
    model = network()
    index = tuple(int(i) for i in np.random.default_rng(seed).integers((3, 3, 2, 3)))
    whole = model.loss_and_gradients

    def off(x, y):
        loss, gradients = whole(x, y)
        gradients["0.conv.w"][index] *= 1.1
        return loss, gradients

    model.loss_and_gradients = off
    report = check_model(model, *batch(), rng=np.random.default_rng(seed))
    assert report["0.conv.w"].verdict == WRONG
    assert report["0.conv.w"].worst == index
    assert [finding.verdict for finding in report.findings].count(RIGHT) == 3


@every_mode
@pytest.mark.parametrize("at_zero", [0.0, 1.0])
def test_black_images_and_zero_biases_sit_on_the_kink_of_relu(at_zero, directions):
    def backward(dout, cache):
        x = cache[2][0]
        return dout * np.where(x == 0, at_zero, x > 0)

    model = network(table=with_op("relu", backward))
    model.parameters()["0.conv.b"][...] = 0
    x, y = batch()
    x[:, :3] = 0
    report = check_model(model, x, y, rng=np.random.default_rng(1), directions=directions)
    assert report["0.conv.b"].verdict == UNDECIDED
    assert report["4.affine.w"].verdict == RIGHT


def positive(number):
    return np.maximum(number, 0)


@every_mode
@pytest.mark.parametrize(
    ("loss", "gradient"),
    [
        # At 0 the second ReLU closes where the first opens.
        pytest.param(
            lambda w: positive(-positive(w[0])) + positive(-w[0]) + w[0], [-1], id="chain"
        ),
        # Together the two move without a kink, but ReLU still has one.
        pytest.param(
            lambda w: abs(w[0] - w[1]) + positive(w[0]) - positive(-w[0]), [0, 0], id="together"
        ),
    ],
)
def test_kinks_behind_kinks_are_never_called_wrong(loss, gradient, directions):
    class Deep:
        w = np.zeros(len(gradient))

        def parameters(self):
            return {"w": self.w}

        def loss_and_gradients(self, x, y):
            return loss(self.w), {"w": np.array(gradient)}

    rng = np.random.default_rng(0)
    assert check_model(Deep(), None, None, rng=rng, directions=directions).verdict == UNDECIDED


def test_a_missing_gradient_is_wrong():
    model = network()
    whole = model.loss_and_gradients

    def without_one(x, y):
        loss, gradients = whole(x, y)
        del gradients["0.conv.b"]
        return loss, gradients

    model.loss_and_gradients = without_one
    report = check_model(model, *batch(), rng=np.random.default_rng(1))
    assert report["0.conv.b"].verdict == WRONG
    assert report["0.conv.b"].text == "backward returned no gradient for it"


def test_a_network_may_reuse_the_arrays_of_its_gradients():
    model, kept = network(), {}
    whole = model.loss_and_gradients

    def in_place(x, y):
        loss, gradients = whole(x, y)
        for name, gradient in gradients.items():
            kept.setdefault(name, np.empty_like(gradient))[...] = gradient
        return loss, kept

    model.loss_and_gradients = in_place
    report = check_model(model, *batch(), rng=np.random.default_rng(1), directions=None)
    assert report.ok, str(report)


class Parabola:
    """The least that a network must have."""

    def __init__(self):
        self.w = normal(4, 5)

    def parameters(self):
        return {"w": self.w}

    def loss_and_gradients(self, x, y):
        return (self.w**2).sum(), {"w": 2 * self.w}


class Noisy(Parabola):
    """A network with chance and memory, which may break after some passes."""

    def __init__(self, passes=1000):
        super().__init__()
        self.rngs = [np.random.default_rng(seed) for seed in (0, 1)]
        self.memory = {"mean": np.zeros(3)}
        self.passes = passes

    def buffers(self):
        return self.memory

    def generators(self):
        return self.rngs

    def loss_and_gradients(self, x, y):
        x *= 2  # a network may do with its batch what it likes
        chance = sum(rng.random() for rng in self.rngs) + self.memory["mean"].sum() + x.sum()
        self.memory["mean"] += 1
        self.passes -= 1
        if not self.passes:
            raise RuntimeError("no more")
        return chance * (self.w**2).sum(), {"w": 2 * chance * self.w}


@every_mode
def test_the_least_that_a_network_must_have(directions):
    rng = np.random.default_rng(0)
    assert check_model(Parabola(), None, None, rng=rng, directions=directions).ok


@pytest.mark.parametrize("passes", [1000, 1, 2, 3, 4, 5, 8])
def test_the_check_leaves_a_network_as_it_was(passes):
    def state():
        arrays = [model.w.tolist(), model.memory["mean"].tolist(), x.tolist()]
        return arrays, [rng.bit_generator.state for rng in model.rngs]

    model, x = Noisy(passes), np.ones(2)
    before = state()
    try:
        report = check_model(model, x, np.zeros(2, int), rng=np.random.default_rng(0))
    except RuntimeError:
        assert passes < 1000
    else:
        assert report.ok, str(report)
    assert state() == before


def test_a_network_that_overwrites_its_parameters_is_wrong():
    class Overwrites(Parabola):
        def loss_and_gradients(self, x, y):
            loss, gradients = super().loss_and_gradients(x, y)
            self.w *= 2
            return loss, gradients

    model = Overwrites()
    before = model.w.copy()
    report = check_model(model, None, None, rng=np.random.default_rng(0))
    assert report["w"].text == "it was overwritten; work on a copy"
    assert np.array_equal(model.w, before)


@every_mode
@pytest.mark.parametrize("seed", range(3))
def test_a_network_with_normalization_and_dropout_is_checked_in_training(seed, directions):
    rng = np.random.default_rng(seed)
    layers = [Conv(3, 3, pad=1), BatchNorm(), ReLU(), MaxPool(2), Flatten(), Dropout(), Affine(4)]
    model = Sequential(layers, (6, 4, 2), rng=rng, dtype=np.float64)
    for parameter in model.parameters().values():
        parameter[...] += rng.normal(size=parameter.shape) / 10
    buffers = {name: array.copy() for name, array in model.buffers().items()}
    states = [generator.bit_generator.state for generator in model.generators()]
    assert buffers
    assert states
    report = check_model(model, *batch(), rng=rng, directions=directions)
    # Batch normalization takes out what the bias before it adds: its gradient is zero.
    verdicts = {finding.name: finding.verdict for finding in report.findings}
    assert verdicts.pop("0.conv.b") == UNDECIDED
    assert set(verdicts.values()) == {RIGHT}, str(report)
    assert [generator.bit_generator.state for generator in model.generators()] == states
    for name, array in model.buffers().items():
        assert np.array_equal(array, buffers[name])


def test_the_batch_of_a_layer_may_be_locked():
    layer, rng = Affine(3), np.random.default_rng(0)
    layer.build((4,), rng=rng, dtype=np.float64)
    x = normal(2, 4)
    x.flags.writeable = False
    assert check_layer(layer, x, rng=rng).ok


def test_a_network_in_float32_is_refused():
    with pytest.raises(TypeError, match=r"got float32 in 0\.conv\.w: build .* dtype=np\.float64"):
        check_model(network(np.float32), *batch(), rng=np.random.default_rng(1))


@every_mode
def test_what_is_lost_in_rounding_cannot_be_judged(directions):
    x = 1e6 * (1 + np.arange(12.0).reshape(3, 4) / 7)
    how = {"h": 1e-5, "directions": directions}
    for seed in range(5):
        right = check(lambda x: (x**3, x), lambda dout, x: dout * 3 * x**2, x, seed=seed, **how)
        assert right.verdict != WRONG, str(right)
        wrong = check(lambda x: (x**3, x), lambda dout, x: dout * 2.9 * x**2, x, seed=seed, **how)
        assert wrong.verdict == WRONG


def test_rounding_is_given_as_the_reason():
    x = 1e6 * (1 + np.arange(12.0).reshape(3, 4) / 7)
    report = check(lambda x: (x**3, x), lambda dout, x: dout * 3 * x**2, x)
    assert report.verdict == UNDECIDED
    words = (
        "differ by no more than is lost in rounding: the outputs are too large for a step of 1e-05"
    )
    assert words in str(report)
    with_larger_steps = check(lambda x: (x**3, x), lambda dout, x: dout * 3 * x**2, x, h=1.0)
    assert with_larger_steps.ok, str(with_larger_steps)
