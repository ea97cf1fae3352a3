"""Mistakes in the affine layer and the ReLU, forward and backward."""

import numpy as np

from cnnlab.check.mistakes.base import Undecided, mistake


def _only_if(fits, result):
    """A result that only some sizes allow; at others code stops in many ways."""
    if not fits:
        raise Undecided
    return result()


# Affine, forward


@mistake("affine_forward", "The bias is missing", "Each output gets its own b added.")
def affine_without_bias(x, w, b):
    return x @ w


@mistake("affine_forward", "The bias is subtracted", "b is added.")
def affine_bias_subtracted(x, w, b):
    return x @ w - b


@mistake(
    "affine_forward",
    "The bias is added once for every feature",
    "b is added once to each output, after the sum over the features: is it inside the loop?",
)
def affine_bias_for_every_feature(x, w, b):
    return x @ w + len(w) * b


@mistake(
    "affine_forward",
    "The bias is added along the wrong axis",
    "b holds one number for each output, so it is added to every row: column m gets b[m].",
)
def affine_bias_for_rows(x, w, b):
    return _only_if(len(x) in (1, len(b)) or len(b) == 1, lambda: x @ w + b[:, None])


@mistake(
    "affine_forward",
    "The sum of all biases is added",
    "Output m gets b[m] and no other.",
)
def affine_sum_of_biases(x, w, b):
    return x @ w + b.sum()


@mistake(
    "affine_forward",
    "The first bias is added to all outputs",
    "Output m gets b[m] and no other.",
)
def affine_first_bias(x, w, b):
    return x @ w + b[0]


@mistake(
    "affine_forward",
    "w is transposed",
    "w has shape (D, M): its rows belong to the features of x, its columns to the outputs.",
)
def affine_w_transposed(x, w, b):
    return _only_if(w.shape[0] == w.shape[1], lambda: x @ w.T + b)


@mistake(
    "affine_forward",
    "x and w are in the wrong order",
    "In x @ w the rows of x meet the columns of w. Say the shapes: (N, D) @ (D, M).",
)
def affine_w_first(x, w, b):
    return _only_if(len(x) == w.shape[1] and len(x) == len(w), lambda: w @ x + b)


@mistake(
    "affine_forward",
    "The output is transposed",
    "out has shape (N, M): a row for each row of x.",
)
def affine_out_transposed(x, w, b):
    return (x @ w + b).T


@mistake(
    "affine_forward",
    "The matrices are multiplied entry by entry",
    "* takes numbers at the same place. The product of matrices is @.",
)
def affine_entry_by_entry(x, w, b):
    return _only_if(x.shape == w.shape or w.size == 1, lambda: x * w + b)


@mistake(
    "affine_forward",
    "The sum over the features is a mean",
    "Every feature counts with its weight; nothing is divided.",
)
def affine_mean(x, w, b):
    return x @ w / len(w) + b


@mistake(
    "affine_forward",
    "Only the first row is computed",
    "x holds N rows, and each has outputs.",
)
def affine_first_row(x, w, b):
    out = np.zeros((len(x), len(b)))
    out[0] = x[0] @ w + b
    return out


@mistake(
    "affine_forward",
    "Only the last feature counts",
    "The products are added up over the features: = or +=?",
)
def affine_last_feature(x, w, b):
    return x[:, -1:] * w[-1] + b


@mistake(
    "affine_forward",
    "Negative outputs are set to zero",
    "That is what a ReLU does. It is a layer of its own.",
)
def affine_with_relu(x, w, b):
    return np.maximum(x @ w + b, 0)


# Affine, backward


def _affine_gradients(dout, cache):
    x, w, _ = cache
    return dout @ w.T, x.T @ dout, dout.sum(axis=0)


@mistake(
    "affine_backward",
    "The gradients are returned in the wrong order",
    "First dx, then dw, then db.",
)
def affine_dw_first(dout, cache):
    dx, dw, db = _affine_gradients(dout, cache)
    return dw, dx, db


@mistake(
    "affine_backward",
    "The gradients are returned in the wrong order",
    "First dx, then dw, then db.",
)
def affine_params_first(dout, cache):
    dx, dw, db = _affine_gradients(dout, cache)
    return dw, db, dx


@mistake(
    "affine_backward",
    "dout is left out",
    "These are slopes for a dout of ones. The chain rule asks for what comes in from above.",
)
def affine_without_dout(dout, cache):
    return _affine_gradients(np.ones(dout.shape), cache)


@mistake(
    "affine_backward.dx",
    "w is not transposed",
    "dout is (N, M) and dx (N, D): which of w and its transpose leads from M to D?",
)
def affine_dx_w_not_transposed(dout, cache):
    w = cache[1]
    return _only_if(w.shape[0] == w.shape[1], lambda: dout @ w)


@mistake(
    "affine_backward.dx",
    "dx holds only the last output's gradient",
    "A feature goes into all outputs of its row, and what comes back adds up: = or +=?",
)
def affine_dx_last_output(dout, cache):
    return dout[:, -1:] * cache[1][:, -1]


@mistake(
    "affine_backward.dx",
    "dx is transposed",
    "dx has the shape of x, (N, D).",
)
def affine_dx_transposed(dout, cache):
    return cache[1] @ dout.T


@mistake(
    "affine_backward.dx",
    "dx is multiplied by x",
    "How steep the output is in x does not depend on x, but on the weights alone.",
)
def affine_dx_times_x(dout, cache):
    return dout @ cache[1].T * cache[0]


@mistake(
    "affine_backward.dx",
    "dx is divided by N",
    "Each row of x has its own row of dout; nothing is averaged over them.",
)
def affine_dx_mean(dout, cache):
    return dout @ cache[1].T / len(dout)


@mistake(
    "affine_backward.dx",
    "dx is divided by the number of outputs",
    "What comes back through the outputs adds up.",
)
def affine_dx_mean_over_outputs(dout, cache):
    return dout @ cache[1].T / dout.shape[1]


@mistake(
    "affine_backward.dx",
    "The bias is in dx",
    "A bias shifts the output, however large x is: it has no part in dx.",
)
def affine_dx_with_bias(dout, cache):
    _, w, b = cache
    return (dout + b) @ w.T


@mistake(
    "affine_backward.dx",
    "Every row of x gets the same gradient",
    "Row n of x took part in row n of the output only, and gets its gradient from there.",
)
def affine_dx_summed(dout, cache):
    dx = dout @ cache[1].T
    return np.broadcast_to(dx.sum(axis=0), dx.shape)


@mistake(
    "affine_backward.dw",
    "dw is transposed",
    "dw has the shape of w, (D, M): a row for each feature of x.",
)
def affine_dw_transposed(dout, cache):
    return dout.T @ cache[0]


@mistake(
    "affine_backward.dw",
    "x is not transposed",
    "dw is (D, M): it is summed over the rows, so the N of x and the N of dout have to meet.",
)
def affine_dw_x_not_transposed(dout, cache):
    x = cache[0]
    return _only_if(x.shape[0] == x.shape[1], lambda: x @ dout)


@mistake(
    "affine_backward.dw",
    "dw is divided by N",
    "Sums, nowhere means: if the loss is a mean over the rows, that is in dout already.",
)
def affine_dw_mean(dout, cache):
    return cache[0].T @ dout / len(dout)


@mistake(
    "affine_backward.dw",
    "dw holds only the last row's gradient",
    "A weight takes part in every row, and what it gets there adds up: = or +=?",
)
def affine_dw_last_row(dout, cache):
    return np.outer(cache[0][-1], dout[-1])


@mistake(
    "affine_backward.dw",
    "dw holds only the first row's gradient",
    "A weight takes part in every row, and what it gets there adds up.",
)
def affine_dw_first_row(dout, cache):
    return np.outer(cache[0][0], dout[0])


@mistake(
    "affine_backward.dw",
    "x and dout are summed before they are multiplied",
    "Row n of x belongs to row n of dout. Multiply first, then sum over the rows.",
)
def affine_dw_sums_first(dout, cache):
    return np.outer(cache[0].sum(axis=0), dout.sum(axis=0))


@mistake(
    "affine_backward.dw",
    "x is left out of dw",
    "A weight counts as much as the feature it is multiplied by.",
)
def affine_dw_without_x(dout, cache):
    return np.broadcast_to(dout.sum(axis=0), cache[1].shape)


@mistake(
    "affine_backward.dw",
    "dw is multiplied by w",
    "How steep the output is in w does not depend on w, but on x alone.",
)
def affine_dw_times_w(dout, cache):
    return cache[0].T @ dout * cache[1]


@mistake(
    "affine_backward.dw",
    "There is a dw for each row",
    "The rows share one w: what it gets from each of them adds up.",
)
def affine_dw_for_each_row(dout, cache):
    return cache[0][:, :, None] * dout[:, None, :]


@mistake(
    "affine_backward.db",
    "db is a mean",
    "A bias is added in every row, and what it gets there adds up: a sum.",
)
def affine_db_mean(dout, cache):
    return dout.mean(axis=0)


@mistake(
    "affine_backward.db",
    "dout is summed along the wrong axis",
    "db has the shape of b, (M,): the rows are summed up, the columns stay.",
)
def affine_db_wrong_axis(dout, cache):
    return dout.sum(axis=1)


@mistake(
    "affine_backward.db",
    "All of dout is summed up",
    "Each output has a bias of its own, which gets the sum of its own column.",
)
def affine_db_one_number(dout, cache):
    return dout.sum()


@mistake(
    "affine_backward.db",
    "All of dout is summed up",
    "Each output has a bias of its own, which gets the sum of its own column.",
)
def affine_db_all_alike(dout, cache):
    return np.full(dout.shape[1], dout.sum())


@mistake(
    "affine_backward.db",
    "dout is not summed up",
    "The rows share one b: what it gets from each of them adds up.",
)
def affine_db_is_dout(dout, cache):
    return dout


@mistake(
    "affine_backward.db",
    "db has an axis too many",
    "b has shape (M,), and so has db: no keepdims.",
)
def affine_db_keepdims(dout, cache):
    return dout.sum(axis=0, keepdims=True)


@mistake(
    "affine_backward.db",
    "db holds only the last row's gradient",
    "A bias is added in every row, and what it gets there adds up: = or +=?",
)
def affine_db_last_row(dout, cache):
    return dout[-1]


@mistake(
    "affine_backward.db",
    "db holds only the first row's gradient",
    "A bias is added in every row, and what it gets there adds up.",
)
def affine_db_first_row(dout, cache):
    return dout[0]


@mistake(
    "affine_backward.db",
    "dout is added once for every feature",
    "A bias is added once to each output, whatever the number of features: is db inside that loop?",
)
def affine_db_for_every_feature(dout, cache):
    return dout.sum(axis=0) * len(cache[1])


@mistake(
    "affine_backward.db",
    "db is multiplied by b",
    "A bias is added as it is: its slope is 1, however large it is.",
)
def affine_db_times_b(dout, cache):
    return dout.sum(axis=0) * cache[2]


@mistake(
    "affine_backward.dx",
    "x stands in dx where w belongs",
    "How steep the output is in x depends on the weights. Is this the line for dw?",
)
def affine_dx_with_x(dout, cache):
    x = cache[0]
    return _only_if(dout.shape[1] == x.shape[1], lambda: dout @ x.T)


@mistake(
    "affine_backward.dw",
    "w stands in dw where x belongs",
    "How steep the output is in w depends on x. Is this the line for dx?",
)
def affine_dw_with_w(dout, cache):
    w = cache[1]
    return _only_if(len(w) == len(dout), lambda: w.T @ dout)


# ReLU, forward


@mistake("relu_forward", "The sign is dropped", "A negative number becomes 0, not positive.")
def relu_absolute(x):
    return np.abs(x)


@mistake(
    "relu_forward",
    "The negative numbers are kept",
    "max(0, x): what is positive stays, what is negative becomes 0.",
)
def relu_minimum(x):
    return np.minimum(x, 0)


@mistake(
    "relu_forward",
    "Negative numbers leak through",
    "That is the leaky ReLU. Here they become 0.",
)
def relu_leaky(x):
    return np.where(x > 0, x, 0.01 * x)


@mistake(
    "relu_forward",
    "Only whether x is positive is returned",
    "Where x is positive, x itself is the output.",
)
def relu_mask(x):
    return (x > 0).astype(float)


@mistake(
    "relu_forward",
    "Only whether x is positive is returned",
    "Where x is positive, x itself is the output.",
)
def relu_truth(x):
    return x > 0


@mistake(
    "relu_forward",
    "The output is cut off at 1",
    "A ReLU has no upper bound.",
)
def relu_clipped(x):
    return np.clip(x, 0, 1)


@mistake(
    "relu_forward",
    "The negative numbers are left out",
    "out has the shape of x: where x is negative there stands a 0.",
)
def relu_selected(x):
    return x[x > 0]


@mistake(
    "relu_forward",
    "The largest number of all is returned",
    "np.max looks for one number in an array; np.maximum compares entry by entry.",
)
def relu_max_of_all(x):
    return max(x.max(), 0.0)


@mistake(
    "relu_forward",
    "A whole array is asked whether it is larger",
    "max and if want one answer, and each entry has its own. np.maximum compares entry by entry.",
)
def relu_python_max(x):
    return max(0, x)


# ReLU, backward


GATE = (
    "What decides is the x of the forward pass: where it was positive dout comes through, "
    "elsewhere nothing."
)


@mistake(
    "relu_backward",
    "The gradient comes through at zero",
    "Where x is exactly 0 there is no derivative, and 0 was agreed upon: > or >=?",
)
def relu_at_zero(dout, cache):
    return dout * (cache >= 0)


@mistake(
    "relu_backward",
    "Half of the gradient comes through at zero",
    "Where x is exactly 0 there is no derivative, and 0 was agreed upon.",
)
def relu_half_at_zero(dout, cache):
    return dout * np.where(cache == 0, 0.5, cache > 0)


@mistake("relu_backward", "dout decides instead of x", GATE)
def relu_of_dout(dout, cache):
    return np.maximum(dout, 0)


@mistake("relu_backward", "dout has to be positive too", GATE)
def relu_of_both(dout, cache):
    return np.maximum(dout, 0) * (cache > 0)


@mistake(
    "relu_backward",
    "dout is left out",
    "0 or 1 is the slope of the ReLU. The chain rule asks for what comes in from above, too.",
)
def relu_slope_only(dout, cache):
    return (cache > 0).astype(float)


@mistake(
    "relu_backward",
    "dout is left out",
    "0 or 1 is the slope of the ReLU. The chain rule asks for what comes in from above, too.",
)
def relu_truth_only(dout, cache):
    return cache > 0


@mistake(
    "relu_backward",
    "dout is multiplied by the output",
    "The slope of a ReLU is 1 where x is positive, not x.",
)
def relu_times_out(dout, cache):
    return dout * np.maximum(cache, 0)


@mistake(
    "relu_backward",
    "dout is multiplied by x",
    "The slope of a ReLU is 1 where x is positive, and 0 elsewhere.",
)
def relu_times_x(dout, cache):
    return dout * cache


@mistake(
    "relu_backward",
    "The gradient comes through where x is negative",
    GATE,
)
def relu_inverted(dout, cache):
    return dout * (cache < 0)


@mistake(
    "relu_backward",
    "The gradient comes through where x is negative",
    GATE,
)
def relu_inverted_at_zero(dout, cache):
    return dout * (cache <= 0)


@mistake(
    "relu_backward",
    "The sign is reversed where x is negative",
    "That is the slope of |x|. A ReLU lets nothing through there.",
)
def relu_of_absolute(dout, cache):
    return dout * np.sign(cache)


@mistake(
    "relu_backward",
    "The gradient leaks through where x is negative",
    "That is the leaky ReLU. Here nothing comes through.",
)
def relu_leaks(dout, cache):
    return dout * np.where(cache > 0, 1, 0.01)


@mistake(
    "relu_backward",
    "All of dout comes through",
    GATE,
)
def relu_all(dout, cache):
    return dout


@mistake(
    "relu_backward",
    "The forward pass is returned",
    "Backward, x decides only what is let through; what is let through is dout.",
)
def relu_forward_again(dout, cache):
    return np.maximum(cache, 0)


@mistake(
    "relu_backward",
    "Where x is not positive the gradient is left out",
    "dx has the shape of x: where nothing comes through there stands a 0.",
)
def relu_selected_gradient(dout, cache):
    return dout[cache > 0]
