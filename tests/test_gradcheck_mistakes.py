"""Wrong backward functions of the layers beyond convolution, in the project's own words.

Each operation stands here in its plainest form, with a cache that holds all that a wrong
version may want. The numbers are those of the project's table of mistakes.
"""

import numpy as np
import pytest

from cnnlab.gradcheck import RIGHT, UNDECIDED, WRONG, check_gradients

every_mode = pytest.mark.parametrize("directions", [None, 2], ids=["entries", "directions"])


def check(forward, backward, arguments, *, seed, directions):
    rng = np.random.default_rng(seed)
    return check_gradients(forward, backward, *arguments, rng=rng, directions=directions)


# Batch normalization, over all axes but the last.


def batch_norm(x, gamma, beta):
    axes = tuple(range(x.ndim - 1))
    centered = x - x.mean(axis=axes)
    std = np.sqrt((centered**2).mean(axis=axes) + 1e-5)
    normal = centered / std
    return gamma * normal + beta, (normal, std, gamma, axes)


def batch_norm_backward(dout, cache, *, through_mean=True, through_variance=True, scale=True):
    normal, std, gamma, axes = cache
    d = dout * gamma if scale else dout
    dx = d - (d.mean(axis=axes) if through_mean else 0)
    dx = dx - (normal * (d * normal).mean(axis=axes) if through_variance else 0)
    return dx / std, (dout * normal).sum(axis=axes), dout.sum(axis=axes)


def norm_takes_both_as_constants(dout, cache):
    return batch_norm_backward(dout, cache, through_mean=False, through_variance=False)


def norm_without_mean_path(dout, cache):
    return batch_norm_backward(dout, cache, through_mean=False)


def norm_without_variance_path(dout, cache):
    return batch_norm_backward(dout, cache, through_variance=False)


def norm_without_gamma(dout, cache):
    return batch_norm_backward(dout, cache, scale=False)


def norm_dgamma_is_dbeta(dout, cache):
    dx, _, dbeta = batch_norm_backward(dout, cache)
    return dx, dbeta, dbeta


def norm_dbeta_is_a_mean(dout, cache):
    dx, dgamma, _ = batch_norm_backward(dout, cache)
    return dx, dgamma, dout.mean(axis=cache[-1])


def norm_divides_by_variance(dout, cache):
    dx, dgamma, dbeta = batch_norm_backward(dout, cache)
    return dx / cache[1], dgamma, dbeta


def norm_mixes_channels(dout, cache):
    dx, dgamma, dbeta = batch_norm_backward(dout, cache)
    # What was meant: moveaxis(-1, 0) before the reshape.
    return dx, dgamma, dout.reshape(len(dbeta), -1).sum(axis=1)


def rows(rng):
    return rng.normal(size=(5, 3)) * 2 + 1, rng.normal(size=3), rng.normal(size=3)


def volumes(rng):
    return rng.normal(size=(2, 4, 3, 5)) * 2 + 1, rng.normal(size=5), rng.normal(size=5)


# Local response normalization, over five neighboring channels.


def neighbors(a):
    """The sum over two channels before, the channel itself, and two after."""
    padded = np.pad(a, [(0, 0)] * (a.ndim - 1) + [(2, 2)])
    return sum(padded[..., i : i + a.shape[-1]] for i in range(5))


def lrn(x):
    scale = 2 + 0.3 * neighbors(x**2)
    return x * scale**-0.75, (x, scale)


def lrn_backward(dout, cache):
    x, scale = cache
    cross = neighbors(dout * x * scale**-1.75)
    return dout * scale**-0.75 - 2 * 0.75 * 0.3 * x * cross


def lrn_without_cross_term(dout, cache):
    _, scale = cache
    return dout * scale**-0.75


def lrn_sees_itself_only(dout, cache):
    x, scale = cache
    return dout * scale**-0.75 - 2 * 0.75 * 0.3 * x * dout * x * scale**-1.75


def lrn_forgets_the_two(dout, cache):
    x, scale = cache
    return dout * scale**-0.75 - 0.75 * 0.3 * x * neighbors(dout * x * scale**-1.75)


# Dropout, the same mask in every pass.


def dropout(x):
    mask = (np.random.default_rng(11).random(x.shape) < 0.6) / 0.6
    return x * mask, mask


def dropout_backward(dout, mask):
    return dout * mask


def dropout_draws_anew(dout, mask):
    return dout * (np.random.default_rng(12).random(dout.shape) < 0.6) / 0.6


def dropout_without_scaling(dout, mask):
    return dout * (mask > 0)


def dropout_lets_everything_pass(dout, mask):
    return dout


# Activations, one number at a time. The cache is (x, out).


def elementwise(function):
    def forward(x):
        out = function(x)
        return out, (x, out)

    return forward


sigmoid = elementwise(lambda x: 1 / (1 + np.exp(-x)))
tanh = elementwise(np.tanh)
leaky_relu = elementwise(lambda x: np.where(x > 0, x, 0.1 * x))
elu = elementwise(lambda x: np.where(x > 0, x, 0.7 * (np.exp(x) - 1)))


def times(derivative):
    return lambda dout, cache: dout * derivative(*cache)


def softmax(x):
    p = np.exp(x - x.max(axis=-1, keepdims=True))
    p /= p.sum(axis=-1, keepdims=True)
    return p, p


def softmax_backward(dout, p):
    return p * (dout - (dout * p).sum(axis=-1, keepdims=True))


def softmax_diagonal_only(dout, p):
    return dout * p * (1 - p)


def softmax_sums_over_rows(dout, p):
    return p * (dout - (dout * p).sum(axis=0))


def prelu(x, slope):
    return np.where(x > 0, x, slope * x), (x, slope)


def prelu_backward(dout, cache):
    x, slope = cache
    return dout * np.where(x > 0, 1, slope), (dout * np.minimum(x, 0)).sum(axis=(0, 1))


def prelu_forgets_x(dout, cache):
    x, _ = cache
    return prelu_backward(dout, cache)[0], (dout * (x <= 0)).sum(axis=(0, 1))


def prelu_counts_both_sides(dout, cache):
    x, _ = cache
    return prelu_backward(dout, cache)[0], (dout * x).sum(axis=(0, 1))


def prelu_slope_everywhere(dout, cache):
    return dout * cache[1], prelu_backward(dout, cache)[1]


def maxout(x):
    pieces = x.reshape(*x.shape[:-1], -1, 3)
    return pieces.max(axis=-1), pieces


def maxout_share(dout, pieces, share):
    return (dout[..., None] * share).reshape(*dout.shape[:-1], -1)


def maxout_backward(dout, pieces):
    return maxout_share(dout, pieces, pieces == pieces.max(axis=-1, keepdims=True))


def maxout_pays_all(dout, pieces):
    return maxout_share(dout, pieces, np.ones_like(pieces))


def maxout_pays_the_first(dout, pieces):
    return maxout_share(dout, pieces, np.arange(3) == 0)


def maxout_spreads(dout, pieces):
    return maxout_share(dout, pieces, np.full_like(pieces, 1 / 3))


# Windows: average pooling 3 × 2 with stride 2 × 1, filters, groups.


def avg_pool(x):
    out, OH, OW = 0, (x.shape[1] - 3) // 2 + 1, x.shape[2] - 1
    for u, v in np.ndindex(3, 2):
        out = out + x[:, u : u + 2 * OH : 2, v : v + OW] / 6
    return out, (x.shape, OH, OW)


def avg_pool_backward(dout, cache, *, count=6, add=True):
    shape, OH, OW = cache
    dx = np.zeros(shape)
    for u, v in np.ndindex(3, 2):
        view = dx[:, u : u + 2 * OH : 2, v : v + OW]
        view[...] = dout / count + (view if add else 0)
    return dx


def avg_pool_not_divided(dout, cache):
    return avg_pool_backward(dout, cache, count=1)


def avg_pool_divided_by_height(dout, cache):
    return avg_pool_backward(dout, cache, count=3)


def avg_pool_assigns(dout, cache):
    return avg_pool_backward(dout, cache, add=False)


def filters_by_position(choose):
    """A layer of 2×2 filters that uses w[choose(i, j)] at position (i, j), with its mistakes.

    `choose` says which filters a position looks up; a wrong `look_up` or `credit` in the
    backward function takes the filters of another position, or gives it the gradient.
    """

    def forward(x, w, b):
        OH, OW = x.shape[1] - 1, x.shape[2] - 1
        out = np.empty((len(x), OH, OW, w.shape[-1]))
        for i, j in np.ndindex(OH, OW):
            window = x[:, i : i + 2, j : j + 2]
            out[:, i, j] = np.tensordot(window, w[choose(i, j)], 3) + b[choose(i, j)]
        return out, (x, w, b)

    def backward(dout, cache, look_up=choose, credit=choose):
        x, w, b = cache
        dx, dw, db = np.zeros_like(x), np.zeros_like(w), np.zeros_like(b)
        for i, j in np.ndindex(dout.shape[1:3]):
            window, d = x[:, i : i + 2, j : j + 2], dout[:, i, j]
            dx[:, i : i + 2, j : j + 2] += np.tensordot(d, w[look_up(i, j)], (1, 3))
            dw[credit(i, j)] += np.tensordot(window, d, (0, 0))
            db[credit(i, j)] += d.sum(axis=0)
        return dx, dw, db

    def wrong(**choices):
        return lambda dout, cache: backward(dout, cache, **choices)

    def draw(rng):
        sizes = {choose(i, j) for i, j in np.ndindex(3, 4)}
        TH, TW = (max(numbers) + 1 for numbers in zip(*sizes, strict=True))
        shapes = (2, 4, 5, 2), (TH, TW, 2, 2, 2, 3), (TH, TW, 3)
        return tuple(rng.normal(size=shape) for shape in shapes)

    return forward, backward, wrong, draw


local, local_backward, local_wrong, local_draw = filters_by_position(lambda i, j: (i, j))
tiled, tiled_backward, tiled_wrong, tiled_draw = filters_by_position(lambda i, j: (i % 2, j % 2))


def first_position(i, j):
    return 0, 0


def transposed_position(i, j):
    return min(j, 2), i


def transposed_tile(i, j):
    return j % 2, i % 2


def blocks_in_place_of_turns(i, j):
    return i // 2, j // 2


def grouped(x, w, b):
    """Two towers of 1×1 filters: each reads one half of the channels."""
    towers = [
        half @ part for half, part in zip(np.split(x, 2, -1), np.split(w, 2, -1), strict=True)
    ]
    return np.concatenate(towers, -1) + b, (x, w)


def grouped_backward(dout, cache, *, swap_x=False, swap_w=False, together=False):
    x, w = cache
    halves, parts, douts = (np.split(a, 2, -1) for a in (x, w, dout))
    dx = [d @ part.T for d, part in zip(douts, parts, strict=True)]
    dw = [np.tensordot(h, d, ((0, 1, 2),) * 2) for h, d in zip(halves, douts, strict=True)]
    if together:
        dx = [dx[0] + dx[1]] * 2
    dx, dw = dx[:: -1 if swap_x else 1], dw[:: -1 if swap_w else 1]
    return np.concatenate(dx, -1), np.concatenate(dw, -1), dout.sum(axis=(0, 1, 2))


def towers_swapped_in_dx(dout, cache):
    return grouped_backward(dout, cache, swap_x=True)


def towers_swapped_in_dw(dout, cache):
    return grouped_backward(dout, cache, swap_w=True)


def towers_see_each_other(dout, cache):
    return grouped_backward(dout, cache, together=True)


def towers(rng):
    return rng.normal(size=(2, 3, 2, 4)), rng.normal(size=(2, 6)), rng.normal(size=6)


def flatten(x):
    return x.reshape(len(x), -1), x.shape


def flatten_backward(dout, shape):
    return dout.reshape(shape)


def flatten_mixes_channels(dout, shape):
    N, H, W, C = shape
    return dout.reshape(N, C, H, W).transpose(0, 2, 3, 1)


def flatten_swaps_height_and_width(dout, shape):
    N, H, W, C = shape
    return dout.reshape(N, W, H, C).transpose(0, 2, 1, 3)


# Losses and penalties.


def hinge(x, y):
    n = np.arange(len(y))
    margins = np.maximum(0, x - x[n, y][:, None] + 1)
    margins[n, y] = 0
    return margins.sum() / len(y), (margins > 0, n, y)


def hinge_backward(dout, cache, *, label=None, divide=True):
    broken, n, y = cache
    dx = broken.astype(float)
    dx[n, y] = -broken.sum(axis=1) if label is None else label
    return dout * dx / (len(y) if divide else 1)


def hinge_without_label(dout, cache):
    return hinge_backward(dout, cache, label=0)


def hinge_minus_one_at_label(dout, cache):
    return hinge_backward(dout, cache, label=-1)


def hinge_not_divided_by_n(dout, cache):
    return hinge_backward(dout, cache, divide=False)


def scores(rng):
    return rng.normal(size=(4, 6)), rng.integers(6, size=4)


def l2(w):
    return 0.15 * (w**2).sum(), w


def l2_backward(dout, w):
    return dout * 0.3 * w


def l2_doubled(dout, w):
    return dout * 0.6 * w


def l2_forgets_dout(dout, w):
    return 0.3 * w


def l2_pulls_with_even_force(dout, w):
    return dout * 0.3 * np.sign(w)


# Arrays that belong to somebody else.


def relu_in_place(x):
    positive = x > 0
    x *= positive
    return x.copy(), positive


def batch_norm_in_place(x, gamma, beta):
    out, cache = batch_norm(x, gamma, beta)
    x -= x.mean(axis=0)
    return out, cache


def scaling(x, w):
    return x * w, (x, w)


def scaling_backward_in_place(dout, cache):
    x, w = cache
    dw = (dout * x).sum(axis=0)
    x[...] = dout * w
    return x, dw


def scaling_changes_its_weights(dout, cache):
    x, w = cache
    dx, dw = dout * w, (dout * x).sum(axis=0)
    w -= 0.1 * dw
    return dx, dw


def numbers(*shape):
    return lambda rng: (rng.normal(size=shape),)


def slopes(rng):
    return rng.normal(size=(4, 3, 2)), rng.uniform(0.1, 0.5, size=2)


def sums(rng):
    return rng.normal(size=(4, 3)), rng.normal(size=3)


VOLUME, ROWS = numbers(2, 5, 4, 3), numbers(4, 6)

RIGHT_VERSIONS = [
    pytest.param(batch_norm, batch_norm_backward, rows, id="batch-norm"),
    pytest.param(batch_norm, batch_norm_backward, volumes, id="batch-norm-volumes"),
    pytest.param(lrn, lrn_backward, numbers(2, 3, 7), id="lrn"),
    pytest.param(dropout, dropout_backward, ROWS, id="dropout"),
    pytest.param(sigmoid, times(lambda x, s: s * (1 - s)), ROWS, id="sigmoid"),
    pytest.param(tanh, times(lambda x, t: 1 - t**2), ROWS, id="tanh"),
    pytest.param(leaky_relu, times(lambda x, out: np.where(x > 0, 1, 0.1)), ROWS, id="leaky-relu"),
    pytest.param(elu, times(lambda x, out: np.where(x > 0, 1, out + 0.7)), ROWS, id="elu"),
    pytest.param(softmax, softmax_backward, numbers(4, 4), id="softmax"),
    pytest.param(prelu, prelu_backward, slopes, id="prelu"),
    pytest.param(maxout, maxout_backward, ROWS, id="maxout"),
    pytest.param(avg_pool, avg_pool_backward, VOLUME, id="avg-pool"),
    pytest.param(local, local_backward, local_draw, id="local"),
    pytest.param(tiled, tiled_backward, tiled_draw, id="tiled"),
    pytest.param(grouped, grouped_backward, towers, id="grouped"),
    pytest.param(flatten, flatten_backward, VOLUME, id="flatten"),
    pytest.param(hinge, hinge_backward, scores, id="hinge"),
    pytest.param(l2, l2_backward, numbers(4, 3), id="l2"),
]

WRONG_VERSIONS = [
    pytest.param(batch_norm, norm_takes_both_as_constants, volumes, "x", id="31-norm-constants"),
    pytest.param(batch_norm, norm_takes_both_as_constants, rows, "x", id="31-norm-constants-rows"),
    pytest.param(batch_norm, norm_without_mean_path, volumes, "x", id="32-norm-mean-path"),
    pytest.param(batch_norm, norm_without_mean_path, rows, "x", id="32-norm-mean-path-rows"),
    pytest.param(batch_norm, norm_without_variance_path, volumes, "x", id="33-norm-variance-path"),
    pytest.param(batch_norm, norm_without_gamma, volumes, "x", id="34-norm-gamma"),
    pytest.param(batch_norm, norm_dgamma_is_dbeta, volumes, "gamma", id="35-norm-dgamma"),
    pytest.param(batch_norm, norm_mixes_channels, volumes, "beta", id="37-norm-mixes-channels"),
    pytest.param(batch_norm, norm_dbeta_is_a_mean, volumes, "beta", id="norm-dbeta-mean"),
    pytest.param(batch_norm, norm_divides_by_variance, volumes, "x", id="norm-by-variance"),
    pytest.param(lrn, lrn_without_cross_term, numbers(2, 3, 7), "x", id="lrn-no-cross-term"),
    pytest.param(lrn, lrn_sees_itself_only, numbers(2, 3, 7), "x", id="lrn-itself-only"),
    pytest.param(lrn, lrn_forgets_the_two, numbers(2, 3, 7), "x", id="lrn-factor-two"),
    pytest.param(dropout, dropout_draws_anew, ROWS, "x", id="44-dropout-draws-anew"),
    pytest.param(dropout, dropout_without_scaling, ROWS, "x", id="43-dropout-scaling"),
    pytest.param(dropout, dropout_lets_everything_pass, ROWS, "x", id="dropout-passes-all"),
    pytest.param(sigmoid, times(lambda x, s: s), ROWS, "x", id="sigmoid-is-its-derivative"),
    pytest.param(sigmoid, times(lambda x, s: x * (1 - x)), ROWS, "x", id="sigmoid-of-the-input"),
    pytest.param(sigmoid, times(lambda x, s: 1 - s), ROWS, "x", id="sigmoid-one-minus"),
    pytest.param(tanh, times(lambda x, t: 1 - t), ROWS, "x", id="tanh-not-squared"),
    pytest.param(tanh, times(lambda x, t: 1 - x**2), ROWS, "x", id="tanh-of-the-input"),
    pytest.param(tanh, times(lambda x, t: t * (1 - t)), ROWS, "x", id="tanh-as-sigmoid"),
    pytest.param(leaky_relu, times(lambda x, out: x > 0), ROWS, "x", id="leaky-as-relu"),
    pytest.param(leaky_relu, times(lambda x, out: 0.1), ROWS, "x", id="leaky-everywhere"),
    pytest.param(
        leaky_relu, times(lambda x, out: np.where(x > 0, 1, -0.1)), ROWS, "x", id="leaky-sign"
    ),
    pytest.param(
        leaky_relu, times(lambda x, out: np.where(x > 0, 1, out)), ROWS, "x", id="leaky-is-output"
    ),
    pytest.param(elu, times(lambda x, out: np.where(x > 0, 1, out)), ROWS, "x", id="elu-no-alpha"),
    pytest.param(
        elu, times(lambda x, out: np.where(x > 0, 1, out + 1)), ROWS, "x", id="elu-alpha-one"
    ),
    pytest.param(
        elu, times(lambda x, out: np.where(x > 0, 1, np.exp(x))), ROWS, "x", id="elu-exp-alone"
    ),
    pytest.param(softmax, softmax_diagonal_only, numbers(4, 4), "x", id="softmax-diagonal"),
    pytest.param(softmax, softmax_sums_over_rows, numbers(4, 4), "x", id="softmax-wrong-axis"),
    pytest.param(prelu, prelu_forgets_x, slopes, "slope", id="prelu-forgets-x"),
    pytest.param(prelu, prelu_counts_both_sides, slopes, "slope", id="prelu-both-sides"),
    pytest.param(prelu, prelu_slope_everywhere, slopes, "x", id="prelu-everywhere"),
    pytest.param(maxout, maxout_pays_all, ROWS, "x", id="maxout-pays-all"),
    pytest.param(maxout, maxout_pays_the_first, ROWS, "x", id="maxout-pays-the-first"),
    pytest.param(maxout, maxout_spreads, ROWS, "x", id="maxout-spreads"),
    pytest.param(avg_pool, avg_pool_not_divided, VOLUME, "x", id="avg-pool-not-divided"),
    pytest.param(avg_pool, avg_pool_divided_by_height, VOLUME, "x", id="avg-pool-by-height"),
    pytest.param(avg_pool, avg_pool_assigns, VOLUME, "x", id="avg-pool-assigns"),
    pytest.param(
        local, local_wrong(look_up=first_position), local_draw, "x", id="local-one-filter"
    ),
    pytest.param(
        local, local_wrong(credit=first_position), local_draw, "w", id="local-sums-positions"
    ),
    pytest.param(
        local, local_wrong(credit=transposed_position), local_draw, "b", id="local-transposed"
    ),
    pytest.param(
        tiled, tiled_wrong(credit=blocks_in_place_of_turns), tiled_draw, "w", id="tiled-blocks"
    ),
    pytest.param(
        tiled, tiled_wrong(look_up=blocks_in_place_of_turns), tiled_draw, "x", id="tiled-blocks-dx"
    ),
    pytest.param(
        tiled, tiled_wrong(credit=transposed_tile), tiled_draw, "w", id="tiled-transposed"
    ),
    pytest.param(tiled, tiled_wrong(credit=first_position), tiled_draw, "b", id="tiled-first"),
    pytest.param(grouped, towers_swapped_in_dx, towers, "x", id="groups-swapped-in-dx"),
    pytest.param(grouped, towers_swapped_in_dw, towers, "w", id="groups-swapped-in-dw"),
    pytest.param(grouped, towers_see_each_other, towers, "x", id="groups-see-each-other"),
    pytest.param(flatten, flatten_mixes_channels, VOLUME, "x", id="37-flatten-mixes-channels"),
    pytest.param(flatten, flatten_swaps_height_and_width, VOLUME, "x", id="flatten-swaps"),
    pytest.param(hinge, hinge_without_label, scores, "x", id="hinge-without-label"),
    pytest.param(hinge, hinge_minus_one_at_label, scores, "x", id="hinge-minus-one"),
    pytest.param(hinge, hinge_not_divided_by_n, scores, "x", id="hinge-not-by-n"),
    pytest.param(l2, l2_doubled, numbers(4, 3), "w", id="46-l2-doubled"),
    pytest.param(l2, l2_forgets_dout, numbers(4, 3), "w", id="l2-forgets-dout"),
    pytest.param(l2, l2_pulls_with_even_force, numbers(4, 3), "w", id="l2-as-l1"),
    pytest.param(relu_in_place, dropout_backward, ROWS, "x", id="45-relu-in-place"),
    pytest.param(batch_norm_in_place, batch_norm_backward, rows, "x", id="45-norm-in-place"),
    pytest.param(scaling, scaling_backward_in_place, sums, "x", id="45-backward-in-place"),
    pytest.param(scaling, scaling_changes_its_weights, sums, "w", id="45-backward-steps"),
]


@every_mode
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(("forward", "backward", "draw"), RIGHT_VERSIONS)
def test_a_right_version_is_right_at_every_point(forward, backward, draw, seed, directions):
    arguments = draw(np.random.default_rng(seed))
    report = check(forward, backward, arguments, seed=seed, directions=directions)
    assert report.verdict == RIGHT, str(report)


@every_mode
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("forward", "backward", "draw", "name"), WRONG_VERSIONS)
def test_a_wrong_version_is_wrong_in_the_gradient_that_is_wrong(
    forward, backward, draw, name, seed, directions
):
    arguments = draw(np.random.default_rng(seed))
    before = [argument.copy() for argument in arguments]
    report = check(forward, backward, arguments, seed=seed, directions=directions)
    found = report[name]
    assert found.verdict == report.verdict == WRONG
    assert UNDECIDED not in {finding.verdict for finding in report.findings}
    if found.text != "it was overwritten; work on a copy":
        assert f"expected {found.expected:.6g}, got {found.got:.6g} at {found.worst}" in found.text
        assert abs(found.got - found.expected) > 1e-6 * abs(found.expected)
    for argument, old in zip(arguments, before, strict=True):
        assert np.array_equal(argument, old)


def test_both_lists_speak_of_every_operation():
    right = {version.values[0] for version in RIGHT_VERSIONS}
    wrong = {version.values[0] for version in WRONG_VERSIONS}
    assert wrong - right == {relu_in_place, batch_norm_in_place, scaling}
    assert right <= wrong
