"""Mistakes in what moves the weights: the step, and the learning rate."""

from functools import wraps
from itertools import pairwise

import numpy as np

from cnnlab.check.mistakes.base import MISTAKES, mistake

# One step


def _step(w, g, v, learning_rate, momentum, decayed):
    v = momentum * v - learning_rate * decayed
    return w + v, v


@mistake(
    "momentum_step",
    "Weight decay is missing",
    "The pull λ·w toward zero joins the gradient before anything else is done.",
)
def step_without_decay(w, g, v, *, learning_rate, momentum, weight_decay):
    return _step(w, g, v, learning_rate, momentum, g)


@mistake(
    "momentum_step",
    "Weight decay has the wrong sign",
    "It joins the gradient with a plus: the step goes against both.",
)
def step_decay_subtracted(w, g, v, *, learning_rate, momentum, weight_decay):
    return _step(w, g, v, learning_rate, momentum, g - weight_decay * w)


@mistake(
    "momentum_step",
    "Weight decay is doubled",
    "The penalty is λ/2 times the squares, and its gradient λ·w.",
)
def step_decay_doubled(w, g, v, *, learning_rate, momentum, weight_decay):
    return _step(w, g, v, learning_rate, momentum, g + 2 * weight_decay * w)


@mistake(
    "momentum_step",
    "Weight decay goes past the velocity",
    "Here λ·w is a part of the gradient, so the velocity remembers it too. (That weights shrink by "
    "themselves is another method, called decoupled.)",
)
def step_decoupled(w, g, v, *, learning_rate, momentum, weight_decay):
    new, v = _step(w, g, v, learning_rate, momentum, g)
    return new - learning_rate * weight_decay * w, v


@mistake(
    "momentum_step",
    "Weight decay is not multiplied by the learning rate",
    "λ·w joins the gradient, and the learning rate multiplies both: look at the brackets.",
)
def step_decay_unscaled(w, g, v, *, learning_rate, momentum, weight_decay):
    v = momentum * v - learning_rate * g - weight_decay * w
    return w + v, v


@mistake(
    "momentum_step",
    "Weight decay is outside of the brackets",
    "The minus and the learning rate are meant for λ·w as well: both multiply g + λ·w as a whole.",
)
def step_decay_outside(w, g, v, *, learning_rate, momentum, weight_decay):
    v = momentum * v - learning_rate * g + weight_decay * w
    return w + v, v


@mistake(
    "momentum_step",
    "Weight decay pulls on the velocity, not on the weights",
    "What is added to the gradient is λ times w.",
)
def step_decay_of_velocity(w, g, v, *, learning_rate, momentum, weight_decay):
    return _step(w, g, v, learning_rate, momentum, g + weight_decay * v)


@mistake(
    "momentum_step",
    "Momentum multiplies the new gradient too",
    "It multiplies the old velocity alone: look at the brackets.",
)
def step_momentum_on_all(w, g, v, *, learning_rate, momentum, weight_decay):
    v = momentum * (v - learning_rate * (g + weight_decay * w))
    return w + v, v


@mistake(
    "momentum_step",
    "Momentum stands alone",
    "It is a share, and multiplies the old velocity.",
)
def step_without_velocity(w, g, v, *, learning_rate, momentum, weight_decay):
    v = momentum - learning_rate * (g + weight_decay * w)
    return w + v, v


@mistake(
    "momentum_step",
    "Weight decay pulls on the gradient, not on the weights",
    "What is added is λ times w.",
)
def step_decay_of_gradient(w, g, v, *, learning_rate, momentum, weight_decay):
    return _step(w, g, v, learning_rate, momentum, g + weight_decay * g)


@mistake(
    "momentum_step",
    "The step goes up the slope",
    "The gradient says where the loss grows. The step goes the other way.",
)
def step_uphill(w, g, v, *, learning_rate, momentum, weight_decay):
    return _step(w, g, v, -learning_rate, momentum, g + weight_decay * w)


@mistake(
    "momentum_step",
    "The velocity is subtracted",
    "The minus is in the velocity already: it points to where the weights go. w + v.",
)
def step_velocity_subtracted(w, g, v, *, learning_rate, momentum, weight_decay):
    _, v = _step(w, g, v, learning_rate, momentum, g + weight_decay * w)
    return w - v, v


@mistake(
    "momentum_step",
    "The velocity has the opposite sign",
    "To subtract a velocity that points uphill is as good. Here v points to where the weights go.",
)
def step_other_sign(w, g, v, *, learning_rate, momentum, weight_decay):
    v = momentum * v + learning_rate * (g + weight_decay * w)
    return w - v, v


@mistake(
    "momentum_step",
    "The learning rate is outside of the velocity",
    "Some libraries do it so. Here the velocity is the very step that is taken: the learning rate "
    "is in it already.",
)
def step_rate_outside(w, g, v, *, learning_rate, momentum, weight_decay):
    v = momentum * v + g + weight_decay * w
    return w - learning_rate * v, v


@mistake(
    "momentum_step",
    "The learning rate is outside of the velocity",
    "Here the velocity is the very step that is taken: the learning rate is in it already.",
)
def step_rate_outside_plus(w, g, v, *, learning_rate, momentum, weight_decay):
    v = momentum * v - g - weight_decay * w
    return w + learning_rate * v, v


@mistake(
    "momentum_step",
    "The learning rate multiplies the old velocity too",
    "It is in there since the step before. Now it multiplies what is new.",
)
def step_rate_on_all(w, g, v, *, learning_rate, momentum, weight_decay):
    v = learning_rate * (momentum * v - (g + weight_decay * w))
    return w + v, v


@mistake(
    "momentum_step",
    "The learning rate is missing",
    "Gradients say which way, and the learning rate how far.",
)
def step_without_rate(w, g, v, *, learning_rate, momentum, weight_decay):
    return _step(w, g, v, 1, momentum, g + weight_decay * w)


@mistake(
    "momentum_step",
    "The gradient enters with 1 − momentum",
    "That makes the velocity a mean of the last gradients. Here it is a sum, and longer for it.",
)
def step_damped(w, g, v, *, learning_rate, momentum, weight_decay):
    return _step(w, g, v, learning_rate * (1 - momentum), momentum, g + weight_decay * w)


@mistake(
    "momentum_step",
    "The share of the velocity that is kept is 1 − momentum",
    "Momentum 0.9 keeps 0.9 of the velocity.",
)
def step_momentum_inverted(w, g, v, *, learning_rate, momentum, weight_decay):
    return _step(w, g, v, learning_rate, 1 - momentum, g + weight_decay * w)


@mistake(
    "momentum_step",
    "The old velocity is kept in full",
    "Without friction the weights never come to rest. A share of it is kept, the momentum.",
)
def step_without_friction(w, g, v, *, learning_rate, momentum, weight_decay):
    return _step(w, g, v, learning_rate, 1, g + weight_decay * w)


@mistake(
    "momentum_step",
    "The velocity is not stored",
    "w is right. The velocity that is returned is the one that came in: the next step would know "
    "nothing of this one.",
)
def step_not_stored(w, g, v, *, learning_rate, momentum, weight_decay):
    new, _ = _step(w, g, v, learning_rate, momentum, g + weight_decay * w)
    return new, v


@mistake(
    "momentum_step",
    "The old velocity is forgotten",
    "This is a step without momentum. What came in as v has a say in where the weights go.",
)
def step_plain(w, g, v, *, learning_rate, momentum, weight_decay):
    return _step(w, g, v, learning_rate, 0, g + weight_decay * w)


@mistake(
    "momentum_step",
    "The weights move by the old velocity",
    "First the velocity changes, then the weights move by the new one.",
)
def step_moves_first(w, g, v, *, learning_rate, momentum, weight_decay):
    _, new = _step(w, g, v, learning_rate, momentum, g + weight_decay * w)
    return w + v, new


@mistake(
    "momentum_step",
    "The step looks ahead",
    "That is Nesterov's momentum. Plain momentum moves the weights by the velocity.",
)
def step_nesterov(w, g, v, *, learning_rate, momentum, weight_decay):
    step = learning_rate * (g + weight_decay * w)
    v = momentum * v - step
    return w + momentum * v - step, v


@mistake(
    "momentum_step",
    "Momentum is applied to the weights",
    "It says which share of the velocity is kept.",
)
def step_momentum_on_weights(w, g, v, *, learning_rate, momentum, weight_decay):
    v = v - learning_rate * (g + weight_decay * w)
    return momentum * w + v, v


@mistake(
    "momentum_step",
    "The weights and the velocity are returned in the wrong order",
    "First the new w, then the new v.",
)
def step_wrong_order(w, g, v, *, learning_rate, momentum, weight_decay):
    return _step(w, g, v, learning_rate, momentum, g + weight_decay * w)[::-1]


# The learning rate


def _watch(
    accuracies,
    learning_rate,
    patience,
    *,
    better=lambda new, best: new > best,
    late=0,
    anew=True,
    forget=False,
    start=-np.inf,
    smaller=lambda rate: rate / 10,
):
    best, waited, rate = start, 0, learning_rate
    for accuracy in accuracies:
        if better(accuracy, best):
            best, waited = accuracy, 0
        else:
            waited += 1
        if waited >= patience + late:
            rate = smaller(rate)
            if anew:
                waited = 0
            if forget:
                best = -np.inf
    return rate


@mistake(
    "plateau",
    "As good as the best counts as better",
    "A plateau is flat: an epoch that only reaches the best again is one more of waiting.",
)
def equal_is_better(accuracies, *, learning_rate, patience):
    return _watch(accuracies, learning_rate, patience, better=lambda new, best: new >= best)


@mistake(
    "plateau",
    "It waits one epoch too long",
    "With patience 2, the second epoch in a row without a new best is when the rate is divided.",
)
def one_too_late(accuracies, *, learning_rate, patience):
    return _watch(accuracies, learning_rate, patience, late=1)


@mistake(
    "plateau",
    "It waits one epoch too few",
    "With patience 2, one epoch without a new best is forgiven.",
)
def one_too_early(accuracies, *, learning_rate, patience):
    return _watch(accuracies, learning_rate, patience, late=-1)


@mistake(
    "plateau",
    "The waiting is not counted anew after a division",
    "A smaller rate deserves the same patience. Set the count back to 0 when you divide.",
)
def not_anew(accuracies, *, learning_rate, patience):
    return _watch(accuracies, learning_rate, patience, anew=False)


@mistake(
    "plateau",
    "The waiting is not counted anew after a new best",
    "The epochs without a better one have to come in a row.",
)
def not_in_a_row(accuracies, *, learning_rate, patience):
    best, waited, rate = -np.inf, 0, learning_rate
    for accuracy in accuracies:
        if accuracy > best:
            best = accuracy
        else:
            waited += 1
        if waited == patience:
            rate, waited = rate / 10, 0
    return rate


@mistake(
    "plateau",
    "The rate is divided once at most",
    "There may be a second plateau, and a third.",
)
def once(accuracies, *, learning_rate, patience):
    return max(learning_rate / 10, _watch(accuracies, learning_rate, patience))


@mistake(
    "plateau",
    "An epoch is compared with the one before, not with the best",
    "After a bad epoch, one that is a little less bad is no improvement.",
)
def with_previous(accuracies, *, learning_rate, patience):
    best, waited, rate = -np.inf, 0, learning_rate
    for accuracy in accuracies:
        waited = 0 if accuracy > best else waited + 1
        best = accuracy
        if waited == patience:
            rate, waited = rate / 10, 0
    return rate


@mistake(
    "plateau",
    "An epoch is compared with the first one, not with the best",
    "The best accuracy changes whenever there is a better one.",
)
def with_first(accuracies, *, learning_rate, patience):
    best, waited, rate = next(iter(accuracies), 0), 0, learning_rate
    for accuracy in accuracies[1:]:
        waited = 0 if accuracy > best else waited + 1
        if waited == patience:
            rate, waited = rate / 10, 0
    return rate


@mistake(
    "plateau",
    "The first epoch counts as one without a better accuracy",
    "Before it there was nothing to compare with: it is the best so far.",
)
def first_waits(accuracies, *, learning_rate, patience):
    return _watch(accuracies, learning_rate, patience, start=next(iter(accuracies), 0))


@mistake(
    "plateau",
    "The best accuracy is forgotten after a division",
    "What was reached before stays the measure. Only the waiting is counted anew.",
)
def best_forgotten(accuracies, *, learning_rate, patience):
    return _watch(accuracies, learning_rate, patience, forget=True)


@mistake(
    "plateau",
    "Lower counts as better",
    "That is right for a loss. These are accuracies.",
)
def lower_is_better(accuracies, *, learning_rate, patience):
    return _watch(
        accuracies, learning_rate, patience, better=lambda new, best: new < best, start=np.inf
    )


@mistake(
    "plateau",
    "The rate goes up again after a better epoch",
    "Once divided, it stays small.",
)
def back_up(accuracies, *, learning_rate, patience):
    best, waited, rate = -np.inf, 0, learning_rate
    for accuracy in accuracies:
        if accuracy > best:
            best, waited, rate = accuracy, 0, learning_rate
        else:
            waited += 1
        if waited == patience:
            rate, waited = rate / 10, 0
    return rate


@mistake(
    "plateau",
    "Only the end of the history is looked at",
    "The rate stays divided for each plateau there was, also if it got better after it.",
)
def end_only(accuracies, *, learning_rate, patience):
    waited = len(accuracies) - 1 - int(np.argmax(accuracies or [0]))
    return learning_rate / 10 if waited >= patience else learning_rate


@mistake(
    "plateau",
    "The rate is divided by 10 every few epochs",
    "That is a fixed plan. Here it depends on how good the epochs were.",
)
def fixed_plan(accuracies, *, learning_rate, patience):
    return learning_rate / 10 ** (len(accuracies) // patience)


@mistake(
    "plateau",
    "Worse has to mean worse than the one before",
    "Epochs count that bring no new best, whether they fall or not.",
)
def falling_only(accuracies, *, learning_rate, patience):
    waited, rate = 0, learning_rate
    for before, accuracy in pairwise(accuracies):
        waited = waited + 1 if accuracy < before else 0
        if waited == patience:
            rate, waited = rate / 10, 0
    return rate


@mistake(
    "plateau",
    "The rate is multiplied by 10",
    "Near the bottom of a valley steps have to be smaller, not larger.",
)
def multiplied_by_ten(accuracies, *, learning_rate, patience):
    return _watch(accuracies, learning_rate, patience, smaller=lambda rate: rate * 10)


@mistake(
    "plateau",
    "The rate is halved",
    "It is divided by 10.",
)
def halved(accuracies, *, learning_rate, patience):
    return _watch(accuracies, learning_rate, patience, smaller=lambda rate: rate / 2)


@mistake(
    "plateau",
    "The rate is never divided",
    "What comes out is the rate that went in. Is a new best remembered, does the waiting count up, "
    "and is the new rate kept?",
)
def never_divided(accuracies, *, learning_rate, patience):
    return learning_rate


@mistake(
    "plateau",
    "An improvement has to be large",
    "Above the best is above the best, however little: nothing is added to it.",
)
def better_by_much(accuracies, *, learning_rate, patience):
    return _watch(accuracies, learning_rate, patience, better=lambda new, best: new > best + 0.001)


@mistake(
    "plateau",
    "An accuracy of 0 is no improvement at first",
    "The first epoch always is one, and it may be 0. Where does the best start?",
)
def best_starts_at_zero(accuracies, *, learning_rate, patience):
    return _watch(accuracies, learning_rate, patience, start=0)


@mistake(
    "plateau",
    "The waiting is looked at before it is counted",
    "Then a division comes an epoch late, even after a new best. First see what this epoch was, "
    "then look whether patience is at its end.",
)
def looked_at_first(accuracies, *, learning_rate, patience):
    best, waited, rate = -np.inf, 0, learning_rate
    for accuracy in accuracies:
        if waited == patience:
            rate, waited = rate / 10, 0
        best, waited = (accuracy, 0) if accuracy > best else (best, waited + 1)
    return rate


@mistake(
    "plateau",
    "The waiting is not counted anew after a division",
    "Another plateau as long divides the rate again. Set the count back to 0 when you divide.",
)
def once_in_a_row(accuracies, *, learning_rate, patience):
    best, waited, rate = -np.inf, 0, learning_rate
    for accuracy in accuracies:
        best, waited = (accuracy, 0) if accuracy > best else (best, waited + 1)
        if waited == patience:
            rate /= 10
    return rate


@mistake(
    "plateau",
    "After a division it waits one epoch longer",
    "The counting starts anew at 0.",
)
def below_zero(accuracies, *, learning_rate, patience):
    best, waited, rate = -np.inf, 0, learning_rate
    for accuracy in accuracies:
        best, waited = (accuracy, 0) if accuracy > best else (best, waited + 1)
        if waited == patience:
            rate, waited = rate / 10, -1
    return rate


def _needs_an_epoch(function):
    """The same mistake, begun with the first accuracy as the best: with no epoch it stops."""

    @wraps(function)
    def wrong(accuracies, **options):
        accuracies[0]
        return function(accuracies, **options)

    return wrong


for known in list(MISTAKES["plateau"]):
    mistake("plateau", known.name, known.look)(_needs_an_epoch(known.function))


@mistake(
    "plateau",
    "Before the first epoch it stops",
    "The list is empty then, and has no first accuracy: the rate is the one at the start.",
)
def needs_an_epoch(accuracies, *, learning_rate, patience):
    accuracies[0]
    return _watch(accuracies, learning_rate, patience)
