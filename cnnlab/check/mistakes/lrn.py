"""Mistakes in local response normalization, forward and backward."""

import numpy as np

from cnnlab.check.mistakes.base import mistake


def _around(x, before, after):
    """Sums over the channels from `before` places before each one to `after` places after it."""
    C = x.shape[-1]
    return np.stack(
        [x[..., max(0, i - before) : max(0, i + after + 1)].sum(axis=-1) for i in range(C)], axis=-1
    )


def _window(x, n):
    return _around(x, n // 2, n // 2)


def _energy(x, n):
    return _window(x**2, n)


@mistake(
    "lrn_forward",
    "k is missing",
    "k is added to the sum before the power is taken. It keeps small numbers from being blown up.",
)
def without_k(x, *, n, k, alpha, beta):
    return x / (alpha * _energy(x, n)) ** beta


@mistake(
    "lrn_forward",
    "alpha is missing",
    "The sum of the squares is multiplied by alpha before k is added.",
)
def without_alpha(x, *, n, k, alpha, beta):
    return x / (k + _energy(x, n)) ** beta


@mistake(
    "lrn_forward",
    "alpha is divided by n",
    "Some libraries do that. In the paper, and here, alpha multiplies the plain sum, not the mean.",
)
def alpha_over_n(x, *, n, k, alpha, beta):
    return x / (k + alpha / n * _energy(x, n)) ** beta


@mistake(
    "lrn_forward",
    "A mean is taken in place of the sum",
    "Near the first and the last channel fewer terms are added up, and that is all: nothing is "
    "divided by their number.",
)
def mean_of_neighbors(x, *, n, k, alpha, beta):
    return x / (k + alpha * _energy(x, n) / _window(np.ones_like(x), n)) ** beta


@mistake(
    "lrn_forward",
    "The power is missing",
    "s is raised to beta before x is divided by it.",
)
def without_beta(x, *, n, k, alpha, beta):
    return x / (k + alpha * _energy(x, n))


@mistake(
    "lrn_forward",
    "The power is taken of the sum alone",
    "k belongs to s, and s as a whole is raised to beta: look at the brackets.",
)
def power_of_sum(x, *, n, k, alpha, beta):
    return x / (k + (alpha * _energy(x, n)) ** beta)


@mistake(
    "lrn_forward",
    "k and alpha are swapped",
    "k stands alone, alpha multiplies the sum.",
)
def k_and_alpha_swapped(x, *, n, k, alpha, beta):
    return x / (alpha + k * _energy(x, n)) ** beta


@mistake(
    "lrn_forward",
    "alpha multiplies k too",
    "s is k plus alpha times the sum: look at the brackets.",
)
def alpha_times_all(x, *, n, k, alpha, beta):
    return x / (alpha * (k + _energy(x, n))) ** beta


@mistake(
    "lrn_forward",
    "k is added for every neighbor",
    "It is added once, after the sum.",
)
def k_in_the_sum(x, *, n, k, alpha, beta):
    return x / _window(k + alpha * x**2, n) ** beta


@mistake(
    "lrn_forward",
    "x is multiplied where it should be divided",
    "Loud neighbors hold a number down: the larger s, the smaller out.",
)
def multiplied(x, *, n, k, alpha, beta):
    return x * (k + alpha * _energy(x, n)) ** beta


@mistake(
    "lrn_forward",
    "The power alone is returned, without x",
    "It is what x has to be divided by.",
)
def without_x(x, *, n, k, alpha, beta):
    return (k + alpha * _energy(x, n)) ** beta


@mistake(
    "lrn_forward",
    "The inverse of the power is returned, without x",
    "It is what x has to be multiplied by.",
)
def inverse_without_x(x, *, n, k, alpha, beta):
    return 1 / (k + alpha * _energy(x, n)) ** beta


@mistake(
    "lrn_forward",
    "The last neighbor is left out",
    "A slice or a range ends before its second number. Channel i + n//2 still belongs to the sum.",
)
def last_left_out(x, *, n, k, alpha, beta):
    return x / (k + alpha * _around(x**2, n // 2, n // 2 - 1)) ** beta


@mistake(
    "lrn_forward",
    "Only the channels before are neighbors",
    "The sum runs from n//2 channels before to n//2 channels after.",
)
def before_only(x, *, n, k, alpha, beta):
    return x / (k + alpha * _around(x**2, n // 2, 0)) ** beta


@mistake(
    "lrn_forward",
    "The sum starts at the channel itself",
    "The channel stands in the middle: as many neighbors before it as after it.",
)
def after_only(x, *, n, k, alpha, beta):
    return x / (k + alpha * _around(x**2, 0, n - 1)) ** beta


@mistake(
    "lrn_forward",
    "n channels are taken on each side",
    "n counts all channels of the sum, that in the middle included: n//2 on each side.",
)
def n_on_each_side(x, *, n, k, alpha, beta):
    return x / (k + alpha * _around(x**2, n, n)) ** beta


@mistake(
    "lrn_forward",
    "The channel itself is left out of the sum",
    "j runs from i − n//2 to i + n//2, past i.",
)
def without_itself(x, *, n, k, alpha, beta):
    return x / (k + alpha * (_energy(x, n) - x**2)) ** beta


@mistake(
    "lrn_forward",
    "A channel has no neighbors",
    "Each number is divided by its own square alone. The sum runs over n channels.",
)
def itself_only(x, *, n, k, alpha, beta):
    return x / (k + alpha * x**2) ** beta


@mistake(
    "lrn_forward",
    "All channels are neighbors",
    "The sum runs over n channels around i, not over all of them.",
)
def all_channels(x, *, n, k, alpha, beta):
    return x / (k + alpha * (x**2).sum(axis=-1, keepdims=True)) ** beta


@mistake(
    "lrn_forward",
    "The first channels get no sum",
    "A slice that starts below 0 counts from the end of the axis, and here it is empty. Where does "
    "the sum begin for channel 0?",
)
def negative_start(x, *, n, k, alpha, beta):
    C, half, squares = x.shape[-1], n // 2, x**2
    sums = [squares[..., i - half : i + half + 1].sum(axis=-1) for i in range(C)]
    return x / (k + alpha * np.stack(sums, axis=-1)) ** beta


@mistake(
    "lrn_forward",
    "The channels go round in a circle",
    "The first channel has no neighbor before it. The last one is far away.",
)
def in_a_circle(x, *, n, k, alpha, beta):
    sums = sum(np.roll(x**2, shift, axis=-1) for shift in range(-(n // 2), n // 2 + 1))
    return x / (k + alpha * sums) ** beta


SPACE = "Neighbors are looked for in the image, not among the channels"
CHANNELS = "At one place of one image, the sum runs along the last axis."


@mistake("lrn_forward", SPACE, CHANNELS)
def along_columns(x, *, n, k, alpha, beta):
    sums = np.moveaxis(_energy(np.moveaxis(x, 2, -1), n), -1, 2)
    return x / (k + alpha * sums) ** beta


@mistake("lrn_forward", SPACE, CHANNELS)
def along_rows(x, *, n, k, alpha, beta):
    sums = np.moveaxis(_energy(np.moveaxis(x, 1, -1), n), -1, 1)
    return x / (k + alpha * sums) ** beta


@mistake("lrn_forward", SPACE, CHANNELS)
def in_windows(x, *, n, k, alpha, beta):
    sums = np.moveaxis(_energy(np.moveaxis(x, 2, -1), n), -1, 2)
    sums = np.moveaxis(_window(np.moveaxis(sums, 1, -1), n), -1, 1)
    return x / (k + alpha * sums) ** beta


@mistake(
    "lrn_forward",
    "The numbers are not squared",
    "Squares cannot cancel each other, whatever the signs.",
)
def not_squared(x, *, n, k, alpha, beta):
    with np.errstate(all="ignore"):
        return x / (k + alpha * _window(x, n)) ** beta


@mistake(
    "lrn_forward",
    "Signs are dropped, but nothing is squared",
    "The sum is one of squares.",
)
def absolute(x, *, n, k, alpha, beta):
    return x / (k + alpha * _window(np.abs(x), n)) ** beta


@mistake(
    "lrn_forward",
    "The sum is squared, not its terms",
    "Square each number first, then add up.",
)
def square_of_sum(x, *, n, k, alpha, beta):
    return x / (k + alpha * _window(x, n) ** 2) ** beta


@mistake(
    "lrn_forward",
    "Neighbors are normalized already when they are summed",
    "All sums are made of x as it came in. Do you write into x, or into a copy that you read from?",
)
def one_after_the_other(x, *, n, k, alpha, beta):
    out = x.copy()
    for i in range(x.shape[-1]):
        near = out[..., max(0, i - n // 2) : i + n // 2 + 1]
        out[..., i] = out[..., i] / (k + alpha * (near**2).sum(axis=-1)) ** beta
    return out


@mistake(
    "lrn_forward",
    "The first channels get no sum, and the last neighbor is left out",
    "A slice that starts below 0 counts from the end of the axis: where does the sum begin for "
    "channel 0? And a slice ends before its second number.",
)
def negative_start_and_last_left_out(x, *, n, k, alpha, beta):
    C, half, squares = x.shape[-1], n // 2, x**2
    sums = [squares[..., i - half : i + half].sum(axis=-1) for i in range(C)]
    return x / (k + alpha * np.stack(sums, axis=-1)) ** beta


@mistake(
    "lrn_forward",
    "The first channels have the last ones for neighbors",
    "−1 is the last channel. Where does j begin for channel 0?",
)
def negative_neighbors(x, *, n, k, alpha, beta):
    C, half = x.shape[-1], n // 2
    sums = [sum(x[..., j] ** 2 for j in range(i - half, min(C, i + half + 1))) for i in range(C)]
    return x / (k + alpha * np.stack(sums, axis=-1)) ** beta


@mistake(
    "lrn_forward",
    "Images and places are added up too",
    "The sum runs over channels alone: without an axis, sum() adds up everything.",
)
def all_summed(x, *, n, k, alpha, beta):
    C, half = x.shape[-1], n // 2
    near = [x[..., max(0, i - half) : i + half + 1] for i in range(C)]
    return x / (k + alpha * np.array([(part**2).sum() for part in near])) ** beta


@mistake(
    "lrn_forward",
    "Only the last neighbor counts",
    "The squares of all neighbors add up. Is there an = where += is meant?",
)
def last_neighbor_only(x, *, n, k, alpha, beta):
    last = np.minimum(np.arange(x.shape[-1]) + n // 2, x.shape[-1] - 1)
    return x / (k + alpha * x[..., last] ** 2) ** beta


@mistake(
    "lrn_forward",
    "The sum goes on from one channel to the next",
    "Each channel has a sum of its own, which begins at 0.",
)
def never_reset(x, *, n, k, alpha, beta):
    return x / (k + alpha * np.cumsum(_energy(x, n), axis=-1)) ** beta


@mistake(
    "lrn_forward",
    "The last channel is nobody's neighbor",
    "A slice or a range ends before its second number: to reach channel C − 1 it has to be C.",
)
def last_channel_left_out(x, *, n, k, alpha, beta):
    C, half, squares = x.shape[-1], n // 2, x**2
    ends = [min(C - 1, i + half) for i in range(C)]
    sums = [squares[..., max(0, i - half) : end].sum(axis=-1) for i, end in enumerate(ends)]
    return x / (k + alpha * np.stack(sums, axis=-1)) ** beta


@mistake(
    "lrn_forward",
    "The channels at the ends are repeated",
    "What is not there counts as zero.",
)
def ends_repeated(x, *, n, k, alpha, beta):
    half = n // 2
    padded = np.pad(x, [(0, 0)] * 3 + [(half, half)], mode="edge")
    return x / (k + alpha * _energy(padded, n)[..., half : half + x.shape[-1]]) ** beta


@mistake(
    "lrn_forward",
    "The channels at the ends are left out",
    "They have fewer neighbors, but a result too: every channel gets one.",
)
def inner_channels_only(x, *, n, k, alpha, beta):
    C, half = x.shape[-1], n // 2
    out = x / (k + alpha * _energy(x, n)) ** beta
    out[..., :half] = out[..., max(half, C - half) :] = 0
    return out


@mistake(
    "lrn_forward",
    "beta multiplies where it should be a power",
    "s is raised to beta.",
)
def times_beta(x, *, n, k, alpha, beta):
    return x / ((k + alpha * _energy(x, n)) * beta)


@mistake(
    "lrn_forward",
    "x is raised to the power too",
    "Only s is, and x is divided by the result: look at the brackets.",
)
def power_of_all(x, *, n, k, alpha, beta):
    with np.errstate(all="ignore"):
        return (x / (k + alpha * _energy(x, n))) ** beta


@mistake(
    "lrn_forward",
    "k multiplies the sum too",
    "k is added after the sum has been multiplied by alpha: look at the brackets.",
)
def k_times_sum(x, *, n, k, alpha, beta):
    return x / ((k + alpha) * _energy(x, n)) ** beta


# Backward


def _parts(cache):
    x, n, k, alpha, beta = cache
    s = k + alpha * _energy(x, n)
    return x, n, s, alpha, beta


def _second(dout, cache):
    x, n, s, alpha, beta = _parts(cache)
    return 2 * alpha * beta * x * _window(dout * x / s**beta / s, n)


def _first(dout, cache):
    _, _, s, _, beta = _parts(cache)
    return dout / s**beta


@mistake(
    "lrn_backward",
    "s is taken for a constant",
    "x stands in s too: in its own, and in that of each neighbor. The second term is missing.",
)
def constant_sum(dout, cache):
    return _first(dout, cache)


@mistake(
    "lrn_backward",
    "Only the second term is there",
    "x stands above the fraction line as well: that gives dout divided by the power.",
)
def second_only(dout, cache):
    return -_second(dout, cache)


@mistake(
    "lrn_backward",
    "The second term is added",
    "A larger neighbor makes out smaller: the term is subtracted.",
)
def added(dout, cache):
    return _first(dout, cache) + _second(dout, cache)


@mistake(
    "lrn_backward",
    "The 2 of the square is missing",
    "The derivative of x² is 2x.",
)
def without_two(dout, cache):
    return _first(dout, cache) - _second(dout, cache) / 2


@mistake(
    "lrn_backward",
    "beta is missing in the second term",
    "The derivative of s to the power −beta has beta as a factor.",
)
def without_factor_beta(dout, cache):
    return _first(dout, cache) - _second(dout, cache) / cache[4]


@mistake(
    "lrn_backward",
    "alpha is missing in the second term",
    "alpha multiplies the squares in s, so it comes out in the derivative.",
)
def without_factor_alpha(dout, cache):
    return _first(dout, cache) - _second(dout, cache) / cache[3]


@mistake(
    "lrn_backward",
    "The power is not one lower",
    "The derivative of s to the power −beta has the power −beta − 1.",
)
def same_power(dout, cache):
    x, n, s, alpha, beta = _parts(cache)
    return dout / s**beta - 2 * alpha * beta * x * _window(dout * x / s**beta, n)


@mistake(
    "lrn_backward",
    "The power is one higher, not one lower",
    "One less than −beta is −beta − 1, which means one more division by s.",
)
def power_up(dout, cache):
    x, n, s, alpha, beta = _parts(cache)
    return dout / s**beta - 2 * alpha * beta * x * _window(dout * x / s**beta * s, n)


@mistake(
    "lrn_backward",
    "The neighbors do not answer for what they did",
    "x[i] stands in the sums of its neighbors too. Their gradients have to be collected.",
)
def own_sum_only(dout, cache):
    x, _, s, alpha, beta = _parts(cache)
    return dout / s**beta - 2 * alpha * beta * x * dout * x / s**beta / s


@mistake(
    "lrn_backward",
    "x stands in the wrong place",
    "Inside the sum over j stand dout[j], x[j] and s[j]. Outside of it stands x[i].",
)
def x_inside(dout, cache):
    x, n, s, alpha, beta = _parts(cache)
    return dout / s**beta - 2 * alpha * beta * _window(dout * x**2 / s**beta / s, n)


@mistake(
    "lrn_backward",
    "s stands outside of the sum",
    "Each neighbor has an s of its own: it belongs to the terms that are added up.",
)
def s_outside(dout, cache):
    x, n, s, alpha, beta = _parts(cache)
    return dout / s**beta - 2 * alpha * beta * x * _window(dout * x, n) / s**beta / s


@mistake(
    "lrn_backward",
    "dout stands outside of the sum",
    "Each neighbor has a gradient of its own: dout[j] belongs to the terms that are added up.",
)
def dout_outside(dout, cache):
    x, n, s, alpha, beta = _parts(cache)
    return dout / s**beta - 2 * alpha * beta * x * dout * _window(x / s**beta / s, n)


@mistake(
    "lrn_backward",
    "dout is missing in the sum",
    "Each neighbor has a gradient of its own: dout[j] belongs to the terms that are added up.",
)
def without_dout(dout, cache):
    x, n, s, alpha, beta = _parts(cache)
    return dout / s**beta - 2 * alpha * beta * x * _window(x / s**beta / s, n)


@mistake(
    "lrn_backward",
    "1 is added to the power, not to beta",
    "The exponent is beta + 1 as a whole: look at the brackets.",
)
def one_outside(dout, cache):
    x, n, s, alpha, beta = _parts(cache)
    return dout / s**beta - 2 * alpha * beta * x * _window(dout * x / (s**beta + 1), n)


@mistake(
    "lrn_backward",
    "The power is missing in the first term",
    "x was divided by s to the power beta, and so is dout.",
)
def first_without_power(dout, cache):
    return dout / _parts(cache)[2] - _second(dout, cache)


@mistake(
    "lrn_backward",
    "The last neighbor is left out",
    "A slice or a range ends before its second number. Channel i + n//2 still belongs to the sums.",
)
def back_last_left_out(dout, cache):
    x, n, k, alpha, beta = cache

    def around(a):
        return _around(a, n // 2, n // 2 - 1)

    s = k + alpha * around(x**2)
    return dout / s**beta - 2 * alpha * beta * x * around(dout * x / s**beta / s)
