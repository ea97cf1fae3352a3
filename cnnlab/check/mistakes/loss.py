"""Mistakes in the softmax loss and its gradient."""

import numpy as np

from cnnlab.check.mistakes.base import mistake


def _softmax_loss(scores, y, *, axis=1, shift=None):
    """ln p, p, and 1 at the labels; where numbers get too large, as they come."""
    with np.errstate(all="ignore"):
        shifted = scores - (scores.max(axis=axis, keepdims=True) if shift is None else shift)
        log_p = shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))
        p = np.exp(shifted) / np.exp(shifted).sum(axis=axis, keepdims=True)
    return log_p, p, np.arange(scores.shape[1]) == y[:, None]


def _loss(log_p, at_label):
    with np.errstate(all="ignore"):
        return -log_p[at_label].mean()


def _both(scores, y, **how):
    log_p, p, at_label = _softmax_loss(scores, y, **how)
    return _loss(log_p, at_label), (p - at_label) / len(y)


def _exp_of_log_p(scores, y, **how):
    """With p taken of its logarithm."""
    log_p, _, at_label = _softmax_loss(scores, y, **how)
    return _loss(log_p, at_label), (np.exp(log_p) - at_label) / len(y)


def _log_of_p(scores, y, **how):
    """With the logarithm taken of p."""
    _, p, at_label = _softmax_loss(scores, y, **how)
    with np.errstate(all="ignore"):
        return _loss(np.log(p), at_label), (p - at_label) / len(y)


AXIS = "The softmax runs over the wrong axis"
ROWS = "Each row is one image, and its probabilities add up to 1: sum over the classes, axis 1."


@mistake("softmax_loss", AXIS, ROWS)
def softmax_down_the_columns(scores, y):
    return _both(scores, y, axis=0)


@mistake("softmax_loss", AXIS, ROWS)
def log_of_softmax_down_the_columns(scores, y):
    return _log_of_p(scores, y, axis=0)


@mistake("softmax_loss", AXIS, f"{ROWS} Here it runs over the whole array.")
def softmax_over_all(scores, y):
    log_p, p, at_label = _softmax_loss(scores, y, axis=(0, 1))
    return _loss(log_p, at_label), (p - at_label) / len(y)


@mistake("softmax_loss", AXIS, f"{ROWS} Here it runs over the whole array.")
def log_of_softmax_over_all(scores, y):
    return _log_of_p(scores, y, axis=(0, 1))


OVERFLOW = "Large scores overflow"
SUBTRACT = (
    "exp(1000) is too large for a float. Subtracting the same number from all scores of a row "
    "changes no probability: which one keeps exp small?"
)


@mistake("softmax_loss", OVERFLOW, SUBTRACT)
def softmax_without_shift(scores, y):
    return _both(scores, y, shift=0)


@mistake("softmax_loss", OVERFLOW, SUBTRACT)
def log_of_softmax_without_shift(scores, y):
    return _log_of_p(scores, y, shift=0)


GLOBAL = "The largest score of all rows is subtracted"
OWN = (
    "In a row whose scores are all far below that, every exp is 0, and 0/0 is no number. Each row "
    "has a largest score of its own."
)


@mistake("softmax_loss", GLOBAL, OWN)
def softmax_shifted_by_the_largest(scores, y):
    return _both(scores, y, shift=scores.max())


@mistake("softmax_loss", GLOBAL, OWN)
def log_of_softmax_shifted_by_the_largest(scores, y):
    return _log_of_p(scores, y, shift=scores.max())


COLUMN = "The largest of each column is subtracted"
SAME = "A row has to lose one and the same number, or its probabilities change: axis 0 or axis 1?"


@mistake("softmax_loss", COLUMN, SAME)
def softmax_shifted_by_columns(scores, y):
    return _both(scores, y, shift=scores.max(axis=0))


@mistake("softmax_loss", COLUMN, SAME)
def log_of_softmax_shifted_by_columns(scores, y):
    return _log_of_p(scores, y, shift=scores.max(axis=0))


def _totals_down_the_columns(scores, axis):
    """The shift is right, but each exp is divided by the sum of its column, or of all."""
    shifted = scores - scores.max(axis=1, keepdims=True)
    total = np.exp(shifted).sum(axis=axis, keepdims=True)
    with np.errstate(all="ignore"):
        return shifted - np.log(total), np.exp(shifted) / total


def _with_totals(axis, *, of_p):
    def wrong(scores, y):
        log_p, p = _totals_down_the_columns(scores, axis)
        at_label = _softmax_loss(scores, y)[2]
        with np.errstate(all="ignore"):
            return _loss(np.log(p) if of_p else log_p, at_label), (p - at_label) / len(y)

    return wrong


for _axis, _where in ((0, "a column"), (None, "the whole array")):
    for _of_p in (False, True):
        mistake("softmax_loss", AXIS, f"{ROWS} Here the sum is that of {_where}.")(
            _with_totals(_axis, of_p=_of_p)
        )


for _name, _look, _shift in (
    (OVERFLOW, SUBTRACT, lambda scores: 0),
    (GLOBAL, OWN, lambda scores: scores.max()),
    (COLUMN, SAME, lambda scores: scores.max(axis=0)),
):
    mistake("softmax_loss", _name, _look)(
        lambda scores, y, shift=_shift: _exp_of_log_p(scores, y, shift=shift(scores))
    )

LARGEST = "What is subtracted is not the largest score of the row"


@mistake("softmax_loss", LARGEST, SUBTRACT)
def softmax_shifted_by_the_smallest(scores, y):
    return _both(scores, y, shift=scores.min(axis=1, keepdims=True))


@mistake(
    "softmax_loss",
    LARGEST,
    "It is the largest size. Where all scores are far below 0 every exp is then 0, and 0/0 is no "
    "number: take the largest score as it is, with its sign.",
)
def softmax_shifted_by_the_size(scores, y):
    return _both(scores, y, shift=np.abs(scores).max(axis=1, keepdims=True))


@mistake("softmax_loss", LARGEST, SUBTRACT)
def softmax_shifted_by_the_mean(scores, y):
    return _both(scores, y, shift=scores.mean(axis=1, keepdims=True))


@mistake(
    "softmax_loss",
    "The logarithm is taken of a probability that has become 0",
    "With a score 4000 behind, p is too small for a float, and ln 0 is −∞. ln p is a difference "
    "of two numbers that are not: write ln(exp(s)/Σ) as one.",
)
def softmax_log_of_zero(scores, y):
    return _log_of_p(scores, y)


def _with_constant(epsilon, add):
    def wrong(scores, y):
        _, p, at_label = _softmax_loss(scores, y)
        kept = p + epsilon if add else np.maximum(p, epsilon)
        return -np.log(kept[at_label]).mean()

    return wrong


CONSTANT = (
    "It keeps the logarithm from −∞, but the loss is then wrong where p is smaller. ln p is a "
    "difference of two numbers that are not small."
)
for _epsilon in (1e-7, 1e-8, 1e-9, 1e-10, 1e-12, 1e-15, 1e-16):
    for _add in (True, False):
        mistake("softmax_loss.loss", "A small constant stands in the logarithm", CONSTANT)(
            _with_constant(_epsilon, _add)
        )


@mistake(
    "softmax_loss.loss",
    "The loss is a sum",
    "The loss is the mean over the rows, so that it does not grow with the batch.",
)
def loss_summed(scores, y):
    log_p, _, at_label = _softmax_loss(scores, y)
    return -log_p[at_label].sum()


@mistake(
    "softmax_loss.loss",
    "The loss has the wrong sign",
    "ln of a probability is negative, and a loss is not: mind the minus.",
)
def loss_negative(scores, y):
    log_p, _, at_label = _softmax_loss(scores, y)
    return log_p[at_label].mean()


@mistake(
    "softmax_loss.loss",
    "The logarithm is one to another base",
    "The loss is measured in nats: np.log, the natural logarithm.",
)
def loss_in_bits(scores, y):
    return _loss(_softmax_loss(scores, y)[0], _softmax_loss(scores, y)[2]) / np.log(2)


@mistake(
    "softmax_loss.loss",
    "The logarithm is one to another base",
    "The loss is measured in nats: np.log, the natural logarithm.",
)
def loss_in_tens(scores, y):
    return _loss(_softmax_loss(scores, y)[0], _softmax_loss(scores, y)[2]) / np.log(10)


@mistake(
    "softmax_loss.loss",
    "The loss is divided by the number of classes too",
    "Of each row only the label counts, so the mean is over N numbers.",
)
def loss_mean_over_all(scores, y):
    return _loss(_softmax_loss(scores, y)[0], _softmax_loss(scores, y)[2]) / scores.shape[1]


@mistake(
    "softmax_loss.loss",
    "Every row is judged by the labels of all rows",
    "log_p[:, y] takes these columns of every row. Row n goes with y[n]: index both axes.",
)
def loss_all_labels(scores, y):
    return -_softmax_loss(scores, y)[0][:, y].mean()


@mistake(
    "softmax_loss.loss",
    "Every row is judged by the labels of all rows",
    "log_p[:, y] takes these columns of every row. Row n goes with y[n]: index both axes.",
)
def loss_all_labels_summed(scores, y):
    return -_softmax_loss(scores, y)[0][:, y].sum() / len(y)


@mistake(
    "softmax_loss.loss",
    "All classes count in the loss",
    "Only the probability of the right class counts: that at the label.",
)
def loss_of_all_classes(scores, y):
    return -_softmax_loss(scores, y)[0].mean()


@mistake(
    "softmax_loss.loss",
    "All classes count in the loss",
    "Only the probability of the right class counts: that at the label.",
)
def loss_of_all_classes_summed(scores, y):
    return -_softmax_loss(scores, y)[0].sum() / len(y)


@mistake(
    "softmax_loss.loss",
    "The logarithm is missing",
    "The loss is −ln p, not p itself: a p near 0 has to cost much.",
)
def loss_is_minus_p(scores, y):
    _, p, at_label = _softmax_loss(scores, y)
    return -p[at_label].mean()


@mistake(
    "softmax_loss.loss",
    "The logarithm is missing",
    "The loss is −ln p, not 1 − p: a p near 0 has to cost much.",
)
def loss_is_one_minus_p(scores, y):
    _, p, at_label = _softmax_loss(scores, y)
    return 1 - p[at_label].mean()


@mistake(
    "softmax_loss.loss",
    "The mean is taken before the logarithm",
    "Every row has a loss of its own; the mean is over these.",
)
def loss_log_of_mean(scores, y):
    _, p, at_label = _softmax_loss(scores, y)
    return -np.log(p[at_label].mean())


@mistake(
    "softmax_loss.loss",
    "A loss for each row is returned",
    "One number is asked for, their mean.",
)
def loss_of_each_row(scores, y):
    log_p, _, at_label = _softmax_loss(scores, y)
    return -log_p[at_label]


@mistake(
    "softmax_loss.loss",
    "The largest score is subtracted and not taken into account",
    "What is subtracted from the scores has to go into both parts of ln p, the label's score and "
    "the logarithm of the sum.",
)
def loss_shifted_in_the_sum_only(scores, y):
    shifted = scores - scores.max(axis=1, keepdims=True)
    at_label = scores[np.arange(len(y)), y]
    return (np.log(np.exp(shifted).sum(axis=1)) - at_label).mean()


@mistake(
    "softmax_loss",
    "The predicted class stands in for the label",
    "y says which class is right, whatever the scores are. argmax is not asked here.",
)
def predicted_labels(scores, y):
    return _both(scores, scores.argmax(axis=1))


@mistake(
    "softmax_loss",
    "Labels are counted from 1",
    "Class 0 is the first: y[n] is the column.",
)
def labels_from_one(scores, y):
    return _both(scores, y - 1)


BY_N = "The loss is a mean over N rows, so each row moves it by one N-th only."


@mistake("softmax_loss.dscores", "dscores is not divided by N", BY_N)
def gradient_not_divided(scores, y):
    return _both(scores, y)[1] * len(y)


@mistake(
    "softmax_loss.dscores",
    "dscores is divided by N twice",
    "Once is enough: is it in the labels or probabilities already?",
)
def gradient_divided_twice(scores, y):
    return _both(scores, y)[1] / len(y)


@mistake(
    "softmax_loss.dscores",
    "dscores is divided by the number of classes",
    "The loss is a mean over the N rows.",
)
def gradient_divided_by_classes(scores, y):
    return _both(scores, y)[1] * len(y) / scores.shape[1]


@mistake(
    "softmax_loss.dscores",
    "dscores is divided by the number of classes too",
    "The loss is a mean over the N rows, and not over all scores.",
)
def gradient_divided_by_size(scores, y):
    return _both(scores, y)[1] / scores.shape[1]


LABEL = "The 1 at the label is missing"
COMES = (
    "The score of the right class pushes the loss down: its derivative is p − 1, that of the "
    "others p. Each row adds up to 0."
)


@mistake("softmax_loss.dscores", LABEL, COMES)
def gradient_without_label(scores, y):
    return _softmax_loss(scores, y)[1] / len(y)


@mistake("softmax_loss.dscores", LABEL, f"{COMES} The division by N is missing as well.")
def gradient_is_p(scores, y):
    return _softmax_loss(scores, y)[1]


@mistake(
    "softmax_loss.dscores",
    "The labels themselves are subtracted",
    "y holds places, not numbers to subtract: in row n it is column y[n] that loses 1.",
)
def gradient_minus_labels(scores, y):
    return (_softmax_loss(scores, y)[1] - y[:, None]) / len(y)


@mistake(
    "softmax_loss.dscores",
    "The entry at the label is replaced by −1",
    "The 1 is subtracted from the p that stands there: = or -=?",
)
def gradient_label_replaced(scores, y):
    _, p, at_label = _softmax_loss(scores, y)
    return np.where(at_label, -1.0, p) / len(y)


@mistake(
    "softmax_loss.dscores",
    "1 is added at the label",
    COMES,
)
def gradient_label_added(scores, y):
    _, p, at_label = _softmax_loss(scores, y)
    return (p + at_label) / len(y)


@mistake(
    "softmax_loss.dscores",
    "The 1 is subtracted after the division by N",
    "The division applies to p − 1 as a whole: subtract first.",
)
def gradient_label_not_divided(scores, y):
    _, p, at_label = _softmax_loss(scores, y)
    return p / len(y) - at_label


@mistake(
    "softmax_loss.dscores",
    "Only the 1 at the label is divided by N",
    "The division applies to p − 1 as a whole.",
)
def gradient_p_not_divided(scores, y):
    _, p, at_label = _softmax_loss(scores, y)
    return p - at_label / len(y)


@mistake(
    "softmax_loss.dscores",
    "1 is subtracted in every row of a label's column",
    "dscores[:, y] means these columns of every row. Row n goes with y[n]: index both axes.",
)
def gradient_whole_columns(scores, y):
    p = _softmax_loss(scores, y)[1].copy()
    p[:, y] -= 1
    return p / len(y)


@mistake(
    "softmax_loss.dscores",
    "1 is subtracted everywhere",
    f"{COMES} Index the labels: row n goes with y[n].",
)
def gradient_minus_one(scores, y):
    return (_softmax_loss(scores, y)[1] - 1) / len(y)


@mistake(
    "softmax_loss.dscores",
    "dscores has the wrong sign",
    "Raise the score of the right class, and the loss falls: at the label dscores is negative.",
)
def gradient_negative(scores, y):
    return -_both(scores, y)[1]


@mistake(
    "softmax_loss.dscores",
    "It is the derivative by the probability",
    "−1/p is how the loss changes with p. How p changes with the scores is still to come: the "
    "product of both is p − 1 at the label, and p elsewhere.",
)
def gradient_by_probability(scores, y):
    _, p, at_label = _softmax_loss(scores, y)
    with np.errstate(all="ignore"):
        return np.where(at_label, -1 / p, 0.0) / len(y)


@mistake(
    "softmax_loss.dscores",
    "It is the slope of a sigmoid",
    "p · (1 − p) is how p changes with its own score. The loss is a logarithm of p, and every "
    "score of the row moves it.",
)
def gradient_of_sigmoid(scores, y):
    p = _softmax_loss(scores, y)[1]
    return p * (1 - p) / len(y)


@mistake(
    "softmax_loss.dscores",
    "Only the label gets a gradient",
    "The scores of the other classes stand in the sum: raise one, and p at the label falls.",
)
def gradient_at_label_only(scores, y):
    _, p, at_label = _softmax_loss(scores, y)
    return (p - 1) * at_label / len(y)


@mistake(
    "softmax_loss.dscores",
    "dscores is multiplied by the loss",
    "The gradient starts from 1: it is the derivative of the loss by each score.",
)
def gradient_times_loss(scores, y):
    loss, dscores = _both(scores, y)
    return dscores * loss


@mistake(
    "softmax_loss.dscores",
    "dscores is transposed",
    "dscores has the shape of the scores, (N, C): a row for each image.",
)
def gradient_transposed(scores, y):
    return _both(scores, y)[1].T
