"""Mistakes in how wide weights are drawn: he and xavier, two standard deviations."""

import math

from cnnlab.check.mistakes.base import mistake
from cnnlab.init import fan_in, fan_out


def _both(name, look):
    """Wrong counts of inputs and outputs, in the two formulas as they should be."""

    def register(counts):
        @mistake("initial_std", name, look)
        def wrong(shape):
            inputs, outputs = counts(shape)
            return math.sqrt(2 / inputs), math.sqrt(2 / (inputs + outputs))

    return register


_both(
    "The axes are read in PyTorch's order",
    "There outputs come first. Here inputs come before outputs, and both come last.",
)(lambda shape: (math.prod(shape[1:]), shape[0] * math.prod(shape[2:])))


IN = "Inputs are what one unit reads: a filter reads its whole window, over all channels."


@mistake(
    "initial_std",
    "That is the variance",
    "A standard deviation is asked for, the root of it. A generator wants that one too.",
)
def variances(shape):
    return 2 / fan_in(shape), 2 / (fan_in(shape) + fan_out(shape))


def _he(name, look, count):
    """A wrong count of inputs."""

    def wrong(shape):
        return math.sqrt(2 / count(shape))

    mistake("initial_std.he", name, look)(wrong)


OUTPUTS = "The outputs are counted, not the inputs"
LIMIT = "That is the limit of a uniform distribution"
_he(
    OUTPUTS, "The last axis counts outputs. What size the sum has depends on what goes in.", fan_out
)
_he(
    "Inputs and outputs of a matrix are swapped",
    "A matrix is (D, M), inputs before outputs. (Yours are right for filters.)",
    lambda shape: shape[1] if len(shape) == 2 else fan_in(shape),
)
_he(OUTPUTS, f"{IN} The number of filters has no part in it.", lambda shape: shape[-1])
_he("The window is not counted", IN, lambda shape: shape[-2])
_he("The channels are not counted", IN, lambda shape: shape[0] * shape[1])
_he("All axes are counted", f"{IN} The filters do not read each other.", math.prod)
_he("Only the first axis is counted", IN, lambda shape: shape[0])
_he(
    "The 2 is missing",
    "A ReLU sets half of the signal to zero, and the 2 makes up for that.",
    lambda shape: 2 * fan_in(shape),
)
_he(
    LIMIT,
    "√(6/n_in) is how far uniform numbers reach. Their standard deviation is smaller.",
    lambda shape: fan_in(shape) / 3,
)
_he(
    "Outputs are counted too",
    "That is xavier, the second of the two results. This one looks forward only, at the inputs.",
    lambda shape: fan_in(shape) + fan_out(shape),
)


ROOT = "The root covers only a part"
ALL_OF_IT = "The fraction as a whole stands under the root, above and below the line."


@mistake("initial_std.he", ROOT, ALL_OF_IT)
def he_root_below(shape):
    return 2 / math.sqrt(fan_in(shape))


@mistake("initial_std.he", ROOT, ALL_OF_IT)
def he_root_above(shape):
    return math.sqrt(2) / fan_in(shape)


def _xavier(name, look, count):
    def wrong(shape):
        return math.sqrt(2 / count(shape))

    mistake("initial_std.xavier", name, look)(wrong)


_xavier(
    "Only the inputs are counted, with a 1",
    "√(1/n_in) goes by the same name in many courses. Here it is the one of the paper, which "
    "weighs both ends.",
    lambda shape: 2 * fan_in(shape),
)
_xavier(
    "The outputs are missing",
    "That is he, the first of the two results. Both ends count here.",
    fan_in,
)
_xavier("Only the outputs are counted", "Both ends count here.", fan_out)
_xavier(
    "The 2 is missing",
    "2/(n_in + n_out) is one over the mean of the two.",
    lambda shape: 2 * (fan_in(shape) + fan_out(shape)),
)
_xavier(
    "Inputs and outputs are multiplied",
    "The two are added.",
    lambda shape: fan_in(shape) * fan_out(shape),
)
_xavier(
    "The window is not counted",
    "It counts on both ends: a filter reads every place of it, and a pixel is read once from each.",
    lambda shape: shape[-2] + shape[-1],
)
_xavier(
    "The window is not counted for the outputs",
    "A pixel is read once from every place of the window, by each filter: K alone is too few.",
    lambda shape: fan_in(shape) + shape[-1],
)
_xavier(
    LIMIT,
    "√(6/(n_in + n_out)) is how far uniform numbers reach. Their standard deviation is smaller.",
    lambda shape: (fan_in(shape) + fan_out(shape)) / 3,
)
