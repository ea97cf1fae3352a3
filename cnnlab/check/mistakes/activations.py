"""Mistakes in what bends the signal: sigmoid, leaky ReLU and PReLU, forward and backward."""

import math

import numpy as np

from cnnlab.check.mistakes.base import mistake
from cnnlab.ops import sigmoid_forward

# Sigmoid: what overflows stops here, because the question makes an error of the warning


def _sigmoid(x):
    return sigmoid_forward(x)[0]


SIGN = "The sign of the exponent is wrong"
WHICH_SIGN = "A large positive x has to give nearly 1, a large negative one nearly 0."


@mistake("sigmoid", SIGN, WHICH_SIGN)
def sigmoid_turned(x):
    return _sigmoid(-x)


@mistake("sigmoid", SIGN, f"{WHICH_SIGN} And exp of a large number overflows.")
def sigmoid_turned_and_overflowing(x):
    return np.exp(-x) / (1 + np.exp(-x))


OVERFLOW = "The exponential overflows"
WHICH_FORM = (
    "exp(1000) is too large for a float, and the check makes an error of the warning. For which x "
    "does the exponent of your formula grow large? (np.where works out both of its sides, for "
    "every x.)"
)


def _overflowing(exp):
    @mistake("sigmoid", OVERFLOW, WHICH_FORM)
    def sigmoid_overflows(x):
        return 1 / (1 + exp(-x))


_overflowing(np.exp)
_overflowing(lambda x: np.e**x)
_overflowing(np.vectorize(math.exp, otypes=[float]))


def _clipped(limit):
    @mistake(
        "sigmoid",
        "x is clipped too early",
        "Some of what is cut off still differs from 0 and 1. How large may an exponent be?",
    )
    def sigmoid_clipped(x):
        return _sigmoid(np.clip(x, -limit, limit))


for _limit in (5, 6, 7, 8, 10):
    _clipped(_limit)


ONE_SIDE = "It is right on one side of 0 only"
OTHER_SIDE = (
    "The exponential of −|x| serves both sides, but what stands above the line is not the same on "
    "both. What should come out at −1000, and what at 1000?"
)


@mistake("sigmoid", ONE_SIDE, OTHER_SIDE)
def sigmoid_of_the_positive(x):
    return _sigmoid(abs(x))


@mistake("sigmoid", ONE_SIDE, OTHER_SIDE)
def sigmoid_of_the_negative(x):
    return _sigmoid(-abs(x))


@mistake(
    "sigmoid",
    "The 1 below the line is missing",
    "What does your formula give at 0? It should be ½.",
)
def sigmoid_without_one(x):
    return np.exp(x)


@mistake(
    "sigmoid",
    "That is tanh",
    "tanh runs from −1 to 1 and gives 0 at 0. The sigmoid runs from 0 to 1.",
)
def sigmoid_is_tanh(x):
    return np.tanh(x)


TANH = "If you go by way of tanh: what has to be done to x before, and what to the result after?"


@mistake("sigmoid", "The sigmoid is twice as steep", TANH)
def sigmoid_too_steep(x):
    return _sigmoid(2 * x)


@mistake("sigmoid", "The sigmoid is four times as steep", f"{TANH} Is x multiplied or divided?")
def sigmoid_far_too_steep(x):
    return _sigmoid(4 * x)


@mistake("sigmoid", "It runs from 0 to 2", TANH)
def sigmoid_to_two(x):
    return 2 * _sigmoid(x)


@mistake("sigmoid", "It runs from −1 to 1", TANH)
def sigmoid_from_minus_one(x):
    return 2 * _sigmoid(x) - 1


@mistake(
    "sigmoid",
    "That is the derivative",
    "The value itself is asked for here. Its slope comes in the next question.",
)
def sigmoid_slope(x):
    return _sigmoid(x) * (1 - _sigmoid(x))


SHARES = "The numbers are divided by their sum"
NOT_SHARES = "That is a softmax. A sigmoid looks at each number by itself."


@mistake("sigmoid", SHARES, NOT_SHARES)
def sigmoid_over_all(x):
    return np.exp(x) / np.exp(x).sum()


@mistake("sigmoid", SHARES, f"{NOT_SHARES} Here each row adds up to 1.")
def sigmoid_over_rows(x):
    return np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)


@mistake(
    "sigmoid",
    "It is a step",
    "All results are 0 or 1. Between them the sigmoid climbs smoothly, with ½ at 0.",
)
def sigmoid_step(x):
    return (x > 0) * 1.0


# Sigmoid, backward: the cache is out


@mistake(
    "sigmoid_backward",
    "The sigmoid is applied twice",
    "The cache holds out, which has been through the sigmoid already. The formula wants just that.",
)
def sigmoid_of_out(dout, cache):
    return dout * sigmoid_slope(cache)


@mistake(
    "sigmoid_backward",
    "dout is missing",
    "That is the slope of the sigmoid. The chain rule multiplies it by what came from above.",
)
def sigmoid_without_dout(dout, cache):
    return cache * (1 - cache)


@mistake(
    "sigmoid_backward",
    "That is the gradient of tanh",
    "1 − out² is the slope of tanh. The sigmoid has its own.",
)
def sigmoid_backward_as_tanh(dout, cache):
    return dout * (1 - cache**2)


FACTOR = "A factor is missing"
BOTH = "The slope is a product of two factors. What must it be where out is 0, and where it is 1?"


@mistake("sigmoid_backward", FACTOR, BOTH)
def sigmoid_backward_out_alone(dout, cache):
    return dout * cache


@mistake("sigmoid_backward", FACTOR, BOTH)
def sigmoid_backward_rest_alone(dout, cache):
    return dout * (1 - cache)


@mistake(
    "sigmoid_backward",
    "The sign is wrong",
    "The sigmoid climbs everywhere: dx has the sign of dout.",
)
def sigmoid_backward_falls(dout, cache):
    return dout * cache * (cache - 1)


@mistake(
    "sigmoid_backward",
    "out and dout are mixed up",
    "The slope is made of out; dout is only multiplied to it, once.",
)
def sigmoid_backward_of_dout(dout, cache):
    return cache * dout * (1 - dout)


@mistake(
    "sigmoid_backward",
    "The slope is added",
    "The chain rule multiplies slopes.",
)
def sigmoid_backward_added(dout, cache):
    return dout + cache * (1 - cache)


# Leaky ReLU


@mistake(
    "leaky_relu",
    "That is a plain ReLU",
    "What is negative is not set to zero here but multiplied by the slope.",
)
def leaky_is_relu(x, *, slope=0.01):
    return np.maximum(x, 0)


@mistake(
    "leaky_relu",
    "The option slope is not used",
    "The result is that of slope 0.01 in every case. The caller may choose another.",
)
def leaky_slope_fixed(x, *, slope=0.01):
    return np.where(x > 0, x, 0.01 * x)


@mistake(
    "leaky_relu",
    "The sides are swapped",
    "What is positive stays as it is, and what is negative is multiplied.",
)
def leaky_swapped(x, *, slope=0.01):
    return np.where(x > 0, slope * x, x)


@mistake(
    "leaky_relu",
    "The negative side goes up",
    "A negative number times a positive slope is negative. Is there a sign too much?",
)
def leaky_mirrored(x, *, slope=0.01):
    return np.where(x > 0, x, -slope * x)


@mistake(
    "leaky_relu",
    "The negative side is flat",
    "There the result is the slope itself, whatever x is. It has to be the slope times x.",
)
def leaky_flat(x, *, slope=0.01):
    return np.where(x > 0, x, slope)


@mistake(
    "leaky_relu",
    "Both sides are multiplied by the slope",
    "Only what is negative is. What is positive stays as it is.",
)
def leaky_everywhere(x, *, slope=0.01):
    return slope * x


@mistake(
    "leaky_relu",
    "The slope is added to the whole",
    "On the positive side the result is x alone: nothing leaks there.",
)
def leaky_sum(x, *, slope=0.01):
    return np.maximum(x, 0) + slope * x


# Leaky ReLU, backward: the cache is (x, slope)


@mistake(
    "leaky_relu_backward",
    "dout is missing",
    "That is the slope at each x. The chain rule multiplies it by what came from above.",
)
def leaky_without_dout(dout, cache):
    x, slope = cache
    return np.where(x > 0, 1.0, slope)


@mistake(
    "leaky_relu_backward",
    "The sign of dout decides",
    "Which side counts is a matter of the input x, not of the gradient that comes back.",
)
def leaky_by_dout(dout, cache):
    return np.where(dout > 0, dout, cache[1] * dout)


@mistake(
    "leaky_relu_backward",
    "That is the gradient of a plain ReLU",
    "On the negative side a share of the gradient comes through.",
)
def leaky_backward_is_relu(dout, cache):
    return dout * (cache[0] > 0)


@mistake(
    "leaky_relu_backward",
    "The sides are swapped",
    "Where x is positive, the gradient comes through in full.",
)
def leaky_backward_swapped(dout, cache):
    x, slope = cache
    return np.where(x > 0, slope * dout, dout)


@mistake(
    "leaky_relu_backward",
    "The sides are swapped",
    "Where x is positive, the gradient comes through in full. (At exactly 0 yours is right.)",
)
def leaky_backward_swapped_but_at_zero(dout, cache):
    x, slope = cache
    return np.where(x >= 0, slope * dout, dout)


@mistake(
    "leaky_relu_backward",
    "x stands where dout belongs",
    "On the negative side too it is dout that comes back, multiplied by the slope.",
)
def leaky_backward_of_x(dout, cache):
    x, slope = cache
    return np.where(x > 0, dout, slope * x)


@mistake(
    "leaky_relu_backward",
    "That is the forward pass",
    "What comes back is dout; x only says on which side of the kink.",
)
def leaky_backward_forward(dout, cache):
    x, slope = cache
    return np.where(x > 0, x, slope * x)


@mistake(
    "leaky_relu_backward",
    "Nothing comes through at exactly 0",
    "0 counts as the negative side here: the slope comes through.",
)
def leaky_backward_none_at_zero(dout, cache):
    x, slope = cache
    return dout * ((x > 0) + slope * (x < 0))


@mistake(
    "leaky_relu_backward",
    "The value stands where the slope belongs",
    "dout is multiplied by the output. What is wanted is how the output changes with x.",
)
def leaky_backward_by_value(dout, cache):
    x, slope = cache
    return dout * np.where(x > 0, x, slope * x)


@mistake(
    "leaky_relu_backward",
    "dout is missing on the negative side",
    "There the gradient is the slope times dout, not the slope alone.",
)
def leaky_backward_bare_slope(dout, cache):
    x, slope = cache
    return np.where(x > 0, dout, slope)


@mistake(
    "leaky_relu_backward",
    "Zero is counted as positive",
    "At exactly 0 there is no slope, and one has to agree on something: here, the negative side's.",
)
def leaky_backward_at_zero(dout, cache):
    x, slope = cache
    return np.where(x >= 0, dout, slope * dout)


@mistake(
    "leaky_relu_backward",
    "The negative side has the wrong sign",
    "Also on the negative side the output climbs with x, only slowly.",
)
def leaky_backward_mirrored(dout, cache):
    x, slope = cache
    return np.where(x > 0, dout, -slope * dout)


@mistake(
    "leaky_relu_backward",
    "The slope of the cache is not used",
    "The result is that of slope 0.01 in every case.",
)
def leaky_backward_fixed(dout, cache):
    return np.where(cache[0] > 0, dout, 0.01 * dout)


# PReLU, backward: the cache is (x, slope)


def _summed(terms):
    return terms.sum(axis=tuple(range(terms.ndim - 1)))


@mistake(
    "prelu_backward.dx",
    "That is the gradient of a plain ReLU",
    "On the negative side a share of the gradient comes through, the slope of the channel.",
)
def prelu_dx_is_relu(dout, cache):
    return dout * (cache[0] > 0)


@mistake(
    "prelu_backward.dx",
    "The sides are swapped",
    "Where x is positive, the gradient comes through in full.",
)
def prelu_dx_swapped(dout, cache):
    x, slope = cache
    return np.where(x > 0, slope * dout, dout)


@mistake(
    "prelu_backward.dx",
    "Zero is counted as positive",
    "As in question 4, 0 counts as the negative side.",
)
def prelu_dx_at_zero(dout, cache):
    x, slope = cache
    return np.where(x >= 0, dout, slope * dout)


@mistake(
    "prelu_backward.dx",
    "One slope is used for all channels",
    "Every channel has its own slope. Broadcasting pairs it with the last axis.",
)
def prelu_dx_one_slope(dout, cache):
    x, slope = cache
    return np.where(x > 0, dout, slope.mean() * dout)


@mistake(
    "prelu_backward.dslope",
    "The positive side counts too",
    "Where x is positive, the slope took no part in the output, so it collects nothing there.",
)
def prelu_dslope_everywhere(dout, cache):
    return _summed(dout * cache[0])


@mistake(
    "prelu_backward.dslope",
    "x is missing",
    "The output was slope · x. How does it change with the slope?",
)
def prelu_dslope_without_x(dout, cache):
    return _summed(dout * (cache[0] <= 0))


@mistake(
    "prelu_backward.dslope",
    "dout is missing",
    "The chain rule multiplies by what came from above, before the sum.",
)
def prelu_dslope_without_dout(dout, cache):
    return _summed(np.minimum(cache[0], 0))


@mistake(
    "prelu_backward.dslope",
    "The sides are swapped",
    "The slope was at work where x is negative.",
)
def prelu_dslope_swapped(dout, cache):
    return _summed(dout * np.maximum(cache[0], 0))


@mistake(
    "prelu_backward.dslope",
    "The slope itself is a factor",
    "slope · x, derived with respect to the slope, has no slope left in it.",
)
def prelu_dslope_times_slope(dout, cache):
    x, slope = cache
    return _summed(dout * slope * np.minimum(x, 0))


@mistake(
    "prelu_backward.dslope",
    "It is a mean instead of a sum",
    "Every place that used the slope adds to its gradient.",
)
def prelu_dslope_mean(dout, cache):
    return _summed(dout * np.minimum(cache[0], 0)) / (dout.size // dout.shape[-1])


@mistake(
    "prelu_backward.dslope",
    "All channels are added together",
    "Each channel has a slope of its own: the sum runs over all axes but the last.",
)
def prelu_dslope_of_all(dout, cache):
    return (dout * np.minimum(cache[0], 0)).sum()


@mistake(
    "prelu_backward.dslope",
    "Only the first axis is summed",
    "Feature maps have three axes besides the channels, and the sum runs over all of them.",
)
def prelu_dslope_over_images(dout, cache):
    return (dout * np.minimum(cache[0], 0)).sum(axis=0)


@mistake(
    "prelu_backward.dslope",
    "The reshape mixes the channels",
    "reshape(C, -1) does not move the last axis to the front: it cuts the numbers, as they lie, "
    "into C pieces.",
)
def prelu_dslope_mixed(dout, cache):
    shares = dout * np.minimum(cache[0], 0)
    return shares.reshape(shares.shape[-1], -1).sum(axis=1)


@mistake(
    "prelu_backward.dslope",
    "The gradients are not summed",
    "One number for each channel is wanted: shape (C,).",
)
def prelu_dslope_not_summed(dout, cache):
    return dout * np.minimum(cache[0], 0)
