"""Mistakes in dropout, forward and backward."""

import numpy as np

from cnnlab.check.mistakes.base import mistake


def _drop(x, keep, factor):
    return x * keep * factor, keep


def _kept(x, rate, rng):
    return rng.random(x.shape) >= rate


INVERTED = "The rate is taken for the share that is kept"
IS_DROPPED = (
    "rate is the probability of being set to zero. A uniform number is below 0.1 in one case of "
    "ten: which of the two do you keep?"
)


@mistake("dropout_forward", INVERTED, IS_DROPPED)
def keeps_the_rate(x, *, rate, rng, training):
    return _drop(x, ~_kept(x, rate, rng), 1 / (1 - rate)) if training else (x, x == x)


@mistake("dropout_forward", INVERTED, IS_DROPPED)
def keeps_the_rate_throughout(x, *, rate, rng, training):
    return _drop(x, ~_kept(x, rate, rng), 1 / rate) if training else (x, x == x)


@mistake("dropout_forward", INVERTED, IS_DROPPED)
def keeps_the_rate_unscaled(x, *, rate, rng, training):
    return _drop(x, ~_kept(x, rate, rng), 1.0) if training else (x, x == x)


@mistake(
    "dropout_forward",
    "What is kept is not enlarged",
    "With a part of the numbers gone, the mean falls. What is left has to make up for it.",
)
def not_enlarged(x, *, rate, rng, training):
    return _drop(x, _kept(x, rate, rng), 1.0) if training else (x, x == x)


@mistake(
    "dropout_forward",
    "What is kept is made smaller, not larger",
    "Work out the mean: a share of 1 − rate is kept, times the factor. It should be 1.",
)
def made_smaller(x, *, rate, rng, training):
    return _drop(x, _kept(x, rate, rng), 1 - rate) if training else (x, x == x)


@mistake(
    "dropout_forward",
    "What is kept is divided by the rate",
    "Right at rate 1/2 only. The share that is *kept* is what the mean falls to.",
)
def divided_by_rate(x, *, rate, rng, training):
    return _drop(x, _kept(x, rate, rng), 1 / rate) if training else (x, x == x)


@mistake(
    "dropout_forward",
    "What is kept is multiplied by 1 + rate",
    "That is close for small rates. At rate 1/2 half is left: it has to count twice.",
)
def plus_rate(x, *, rate, rng, training):
    return _drop(x, _kept(x, rate, rng), 1 + rate) if training else (x, x == x)


@mistake(
    "dropout_forward",
    "It is made up for at test time, not in training",
    "That works as well, and is the older way. Here training enlarges what is kept, and at test "
    "time nothing at all is done.",
)
def at_test_time(x, *, rate, rng, training):
    return _drop(x, _kept(x, rate, rng), 1.0) if training else (x * (1 - rate), x == x)


@mistake(
    "dropout_forward",
    "It is made up for twice, in training and at test time",
    "Training has enlarged what was kept, so at test time out is x itself.",
)
def both_times(x, *, rate, rng, training):
    return _drop(x, _kept(x, rate, rng), 1 / (1 - rate)) if training else (x * (1 - rate), x == x)


@mistake(
    "dropout_forward",
    "Units are dropped at test time too",
    "A network in use should not gamble. What does `training` say?",
)
def always(x, *, rate, rng, training):
    return _drop(x, _kept(x, rate, rng), 1 / (1 - rate))


@mistake(
    "dropout_forward",
    "Units are dropped at test time too",
    "In training what is kept is enlarged, and at test time it is dropped all the same. What does "
    "`training` say of both?",
)
def always_dropped(x, *, rate, rng, training):
    return _drop(x, _kept(x, rate, rng), 1 / (1 - rate) if training else 1.0)


@mistake(
    "dropout_forward",
    "Everything is enlarged at test time",
    "At test time nothing is dropped, so there is nothing to make up for: out is x itself.",
)
def enlarged_at_test_time(x, *, rate, rng, training):
    return _drop(x, _kept(x, rate, rng), 1 / (1 - rate)) if training else (x / (1 - rate), x == x)


@mistake(
    "dropout_forward",
    "The rate is subtracted",
    "It divides by 1, and then subtracts the rate from every number: look at the brackets.",
)
def without_brackets(x, *, rate, rng, training):
    keep = _kept(x, rate, rng)
    return (x * keep / 1 - rate, keep) if training else (x, x == x)


@mistake(
    "dropout_forward",
    "Training and test time are swapped",
    "Units are dropped where `training` is True.",
)
def swapped(x, *, rate, rng, training):
    return (x, x == x) if training else _drop(x, _kept(x, rate, rng), 1 / (1 - rate))


@mistake(
    "dropout_forward",
    "Nothing is ever dropped",
    "Where `training` is True, out has zeros in it, about as many as the rate says.",
)
def never(x, *, rate, rng, training):
    return x, x == x


def _as_for(shape_of):
    """Dropout with a mask of too few numbers, that is stretched over x."""

    def wrong(x, *, rate, rng, training):
        if not training:
            return x, x == x
        keep = np.broadcast_to(rng.random(shape_of(x.shape)) >= rate, x.shape)
        return _drop(x, keep, 1 / (1 - rate))

    return wrong


for shape_of, name, look in [
    (
        lambda shape: shape[1:],
        "All images lose the same units",
        "The mask has the shape of one image. Each image of the batch has to have its own.",
    ),
    (
        lambda shape: (shape[0], *(1 for _ in shape[1:])),
        "An image is dropped as a whole, or not at all",
        "One number was drawn for each image. Draw one for each number of x.",
    ),
    (
        lambda shape: (shape[0], *(1 for _ in shape[2:]), shape[-1]),
        "Channels are dropped as a whole",
        "One number was drawn for each channel. Draw one for each number of x.",
    ),
    (
        lambda shape: (*shape[:-1], 1),
        "All channels of a place are dropped together",
        "Draw a number for each channel of a place, that is, for each number of x.",
    ),
    (
        lambda shape: shape[-1:],
        "One mask for all images and all places",
        "The mask has as many numbers as there are channels. It needs as many as x has.",
    ),
    (
        lambda shape: (),
        "One number decides for all",
        "Without a shape, rng.random() draws a single number. Draw one for each number of x.",
    ),
]:
    mistake("dropout_forward", name, look)(_as_for(shape_of))


@mistake(
    "dropout_forward",
    "The numbers are not drawn from rng",
    "Numbers from anywhere else cannot be drawn again, and a run cannot be repeated. Use the "
    "generator that is passed in.",
)
def own_generator(x, *, rate, rng, training):
    own = np.random.default_rng(0)
    return _drop(x, _kept(x, rate, own), 1 / (1 - rate)) if training else (x, x == x)


@mistake(
    "dropout_forward",
    "Normal numbers are compared with the rate",
    "A normal number is below 0.25 far more often than in one case of four. A uniform number "
    "between 0 and 1 is not.",
)
def normal_numbers(x, *, rate, rng, training):
    keep = rng.normal(size=x.shape) >= rate
    return _drop(x, keep, 1 / (1 - rate)) if training else (x, x == x)


def _other_mask(x, rate, rng, training, other):
    if not training:
        return x, x == x
    keep = _kept(x, rate, rng)
    return x * keep / (1 - rate), other(keep)


@mistake(
    "dropout_forward",
    "The mask is True where a number was dropped",
    "Here it says which numbers are kept. out is right.",
)
def mask_of_dropped(x, *, rate, rng, training):
    return _other_mask(x, rate, rng, training, lambda keep: ~keep)


@mistake(
    "dropout_forward",
    "The mask holds the factors",
    "Many do it that way, and out is right. Here the mask only says which numbers are kept, and "
    "the way back knows the rate.",
)
def mask_of_factors(x, *, rate, rng, training):
    return _other_mask(x, rate, rng, training, lambda keep: keep / (1 - rate))


@mistake(
    "dropout_forward",
    "The mask is drawn once more",
    "What is returned is not what out was made with. Draw once, and use it for both.",
)
def mask_drawn_again(x, *, rate, rng, training):
    return _other_mask(x, rate, rng, training, lambda keep: _kept(x, rate, rng))


@mistake(
    "dropout_forward",
    "The mask is True everywhere",
    "In training it has to say which numbers were dropped, or the way back cannot know.",
)
def mask_of_all(x, *, rate, rng, training):
    return _other_mask(x, rate, rng, training, lambda keep: keep | True)


@mistake(
    "dropout_forward",
    "out is returned in place of the mask",
    "The second thing to return says for each number whether it was kept.",
)
def mask_is_out(x, *, rate, rng, training):
    return _other_mask(x, rate, rng, training, lambda keep: x * keep / (1 - rate))


# Backward


@mistake(
    "dropout_backward",
    "The gradient is passed on as it came",
    "Two things happened on the way forward: some numbers were dropped, and the others enlarged. "
    "Both happen to the gradient too.",
)
def passed_on(dout, cache):
    return dout * 1.0


@mistake(
    "dropout_backward",
    "The gradient is not enlarged",
    "A number that was kept came out enlarged, so the loss feels it more by the same factor.",
)
def back_not_enlarged(dout, cache):
    return dout * cache[0]


@mistake(
    "dropout_backward",
    "The mask is not applied",
    "Where a number was dropped, nothing of x arrived, and no gradient goes back.",
)
def without_mask(dout, cache):
    return dout / (1 - cache[1])


@mistake(
    "dropout_backward",
    "The mask is turned round",
    "The mask is True where a number was kept. Those are the places that get a gradient.",
)
def back_inverted(dout, cache):
    return dout * ~cache[0] / (1 - cache[1])


@mistake(
    "dropout_backward",
    "The gradient is divided by the rate",
    "Right at rate 1/2 only. Forward, what was kept was divided by the share that is kept.",
)
def back_by_rate(dout, cache):
    return dout * cache[0] / cache[1]


@mistake(
    "dropout_backward",
    "The gradient is made smaller, not larger",
    "Forward, what was kept was multiplied by a factor above 1. The derivative of a multiple is "
    "that factor, not its inverse.",
)
def back_made_smaller(dout, cache):
    return dout * cache[0] * (1 - cache[1])


@mistake(
    "dropout_backward",
    "The gradient is multiplied by the rate",
    "The factor is that of the forward pass, which brings the mean back to where it was.",
)
def back_times_rate(dout, cache):
    return dout * cache[0] * cache[1]


@mistake(
    "dropout_backward",
    "The gradient is enlarged twice",
    "One factor is enough: the mask holds True and False, and the factor comes once.",
)
def back_twice(dout, cache):
    return dout * cache[0] / (1 - cache[1]) ** 2


@mistake(
    "dropout_backward",
    "The rate is subtracted",
    "It divides by 1, and then subtracts the rate from every number: look at the brackets.",
)
def back_without_brackets(dout, cache):
    return dout * cache[0] / 1 - cache[1]


@mistake(
    "dropout_backward",
    "Mask and rate are swapped",
    "cache is (mask, rate), in this order.",
)
def cache_swapped(dout, cache):
    rate, mask = cache
    with np.errstate(all="ignore"):
        return dout * mask / (1 - rate)


@mistake(
    "dropout_backward",
    "A fresh mask is drawn on the way back",
    "The numbers that were dropped are those of the forward pass. That is why its mask was kept.",
)
def fresh_mask(dout, cache):
    keep = np.random.default_rng(0).random(dout.shape) >= cache[1]
    return dout * keep / (1 - cache[1])


@mistake(
    "dropout_backward",
    "Only the gradients of what was kept are returned",
    "Picking by a mask leaves an array with one axis. dx has the shape of x, with zeros in it.",
)
def picked(dout, cache):
    return dout[cache[0]] / (1 - cache[1])


@mistake(
    "dropout_backward",
    "It divides by the mask",
    "Forward was a product with the mask, and so is the way back.",
)
def by_mask(dout, cache):
    with np.errstate(all="ignore"):
        return dout / cache[0] / (1 - cache[1])


@mistake(
    "dropout_backward",
    "The result is the factors, without dout",
    "They are right. Multiply the gradient that comes in by them.",
)
def factors_alone(dout, cache):
    return cache[0] / (1 - cache[1])
