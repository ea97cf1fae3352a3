"""Mistakes in batch normalization: forward, backward, and behind a convolution."""

from functools import wraps

import numpy as np

from cnnlab.check.mistakes.base import Undecided, mistake
from cnnlab.ops import batch_norm_forward, running_statistics


def _quietly(function):
    """What divides by zero on purpose does so without a warning."""
    return np.errstate(all="ignore")(function)


# Forward. What is wrong with out and what is wrong with the statistics that are handed on
# stands apart: each can go wrong alone.


def _used(x, mean, var, training):
    """The statistics that the output is made with."""
    return (x.mean(axis=0), x.var(axis=0)) if training else (mean, var)


def _out(name, look):
    """A wrong way to come from x, γ, β, μ, σ² and ε to the output."""

    def register(formula):
        @mistake("batch_norm.out", name, look)
        @_quietly
        @wraps(formula)
        def wrong(x, gamma, beta, mean, var, *, momentum, eps, training):
            return formula(x, gamma, beta, *_used(x, mean, var, training), eps)

        return wrong

    return register


@_out(
    "It divides by the variance",
    "A feature is measured in its standard deviation, the root of the variance. Only then does "
    "it come out with width 1.",
)
def divided_by_variance(x, gamma, beta, mean, var, eps):
    return gamma * (x - mean) / (var + eps) + beta


EPS = "eps stands outside of the root"
UNDER = "It is added to the variance, before the root is taken."


@_out(EPS, UNDER)
def eps_outside(x, gamma, beta, mean, var, eps):
    return gamma * (x - mean) / (np.sqrt(var) + eps) + beta


@_out("eps counts twice", f"{UNDER} Once is enough.")
def eps_twice(x, gamma, beta, mean, var, eps):
    return gamma * (x - mean) / (np.sqrt(var + eps) + eps) + beta


@_out("eps counts twice", f"{UNDER} Once is enough.")
def eps_twice_under_the_root(x, gamma, beta, mean, var, eps):
    return gamma * (x - mean) / np.sqrt(var + 2 * eps) + beta


@_out("eps is squared", f"{UNDER} As it is, not squared.")
def eps_squared(x, gamma, beta, mean, var, eps):
    return gamma * (x - mean) / np.sqrt(var + eps**2) + beta


@_out(
    "eps is missing",
    "A feature that is constant has variance 0, and 0/0 is no number. That is what eps is for.",
)
def eps_missing(x, gamma, beta, mean, var, eps):
    return gamma * (x - mean) / np.sqrt(var) + beta


@_out(
    "The option eps is not used",
    "The result is that of 1e-5 in every case. The caller may choose another.",
)
def eps_fixed(x, gamma, beta, mean, var, eps):
    return gamma * (x - mean) / np.sqrt(var + 1e-5) + beta


@_out("γ scales β too", "First the scale, then the shift: β is added as it is.")
def gamma_on_beta(x, gamma, beta, mean, var, eps):
    return gamma * ((x - mean) / np.sqrt(var + eps) + beta)


@_out("β is missing", "After the scale comes the shift.")
def beta_missing(x, gamma, beta, mean, var, eps):
    return gamma * (x - mean) / np.sqrt(var + eps)


@_out("γ is missing", "x̂ is scaled before it is shifted.")
def gamma_missing(x, gamma, beta, mean, var, eps):
    return (x - mean) / np.sqrt(var + eps) + beta


@_out("γ and β are missing", "That is x̂. It is scaled and shifted once more.")
def normalized_alone(x, gamma, beta, mean, var, eps):
    return (x - mean) / np.sqrt(var + eps)


@_out("γ and β are mixed up", "γ is the factor, β is added.")
def scales_swapped(x, gamma, beta, mean, var, eps):
    return beta * (x - mean) / np.sqrt(var + eps) + gamma


@_out("The mean is not subtracted", "Every feature is to come out with mean β.")
def mean_kept(x, gamma, beta, mean, var, eps):
    return gamma * x / np.sqrt(var + eps) + beta


@_out(
    "Only the mean is divided",
    "x − μ as a whole is divided: are there parentheses around it?",
)
def without_parentheses(x, gamma, beta, mean, var, eps):
    return gamma * (x - mean / np.sqrt(var + eps)) + beta


@_out(
    "It is not divided by the standard deviation",
    "The mean is gone, but every feature still has its own width.",
)
def width_kept(x, gamma, beta, mean, var, eps):
    return gamma * (x - mean) + beta


@_out(
    "It multiplies by the standard deviation",
    "What is wide has to become narrower.",
)
def multiplied(x, gamma, beta, mean, var, eps):
    return gamma * (x - mean) * np.sqrt(var + eps) + beta


def _training_out(name, look):
    """A wrong output in training; at test time it is right."""

    def register(formula):
        @mistake("batch_norm.out", name, look)
        @_quietly
        @wraps(formula)
        def wrong(x, gamma, beta, mean, var, *, momentum, eps, training):
            if not training:
                return _right_out(x, gamma, beta, mean, var, eps)
            used_mean, used_var = formula(x, mean, var, momentum)
            return _right_out(x, gamma, beta, used_mean, used_var, eps)

        return wrong

    return register


def _right_out(x, gamma, beta, mean, var, eps):
    return gamma * (x - mean) / np.sqrt(var + eps) + beta


DDOF = "The variance divides by N − 1"
BY_N = "Here it is the plain mean of the squared distances, divided by N: leave ddof as it is."


@_training_out(DDOF, BY_N)
def ddof_in_out(x, mean, var, momentum):
    return x.mean(axis=0), x.var(axis=0, ddof=1)


NOT_A_MEAN = "The variance is not divided by N"


@_training_out(NOT_A_MEAN, "It is the mean of the squared distances, not their sum.")
def sum_in_out(x, mean, var, momentum):
    return x.mean(axis=0), len(x) * x.var(axis=0)


@_training_out(
    "The mean of the squares stands for the variance",
    "The variance is about the distance from the mean: it has to be subtracted before squaring.",
)
def squares_in_out(x, mean, var, momentum):
    return x.mean(axis=0), (x**2).mean(axis=0)


@_training_out(
    "In training the running statistics are used",
    "In training every batch is normalized by its own mean and variance. The running ones are "
    "only gathered, for later.",
)
def running_in_training(x, mean, var, momentum):
    return mean, var


@_training_out(
    "In training the running statistics are used",
    "In training every batch is normalized by its own mean and variance, not by the mixture with "
    "those before it.",
)
def updated_in_training(x, mean, var, momentum):
    return running_statistics(x, mean, var, momentum=momentum)


@_training_out(
    "One mean for all features",
    "Mean and variance are taken feature by feature: of which axis is the mean?",
)
def one_for_all(x, mean, var, momentum):
    return x.mean(), x.var()


ROWS = "Each image is normalized by itself"
NOT_ROWS = (
    "Mean and variance are taken over the batch, down each column. Along the rows that is another "
    "method, layer normalization."
)


@_training_out(ROWS, NOT_ROWS)
def along_rows(x, mean, var, momentum):
    return x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True)


@mistake("batch_norm", ROWS, NOT_ROWS)
def along_rows_lying(x, gamma, beta, mean, var, *, momentum, eps, training):
    """Of shape (N,): with one feature that makes a square, with more an error somewhere."""
    if not training:
        return _right_out(x, gamma, beta, mean, var, eps), mean, var
    if x.shape[1] > 1:
        raise Undecided
    of_rows = x.mean(axis=1), x.var(axis=1)
    blended = (_right_blend(*pair, momentum) for pair in zip((mean, var), of_rows, strict=True))
    return _right_out(x, gamma, beta, *of_rows, eps), *blended


@mistake(
    "batch_norm.out",
    "At test time the batch's own statistics are used",
    "Then a single image always comes out as β. At test time the running ones take their place.",
)
def batch_at_test_time(x, gamma, beta, mean, var, *, momentum, eps, training):
    return _right_out(x, gamma, beta, x.mean(axis=0), x.var(axis=0), eps)


@mistake(
    "batch_norm.out",
    "The running variance is taken for a standard deviation",
    "What was gathered is a variance: at test time the root is taken as well.",
)
def running_var_as_std(x, gamma, beta, mean, var, *, momentum, eps, training):
    var = x.var(axis=0) if training else var**2
    return _right_out(x, gamma, beta, x.mean(axis=0) if training else mean, var, eps)


def _test_out(name, always_wrong):
    """A wrong output at test time; in training it is right."""

    @mistake(
        "batch_norm.out",
        f"At test time {name}",
        "Only the statistics are others then: what is done with them stays the same.",
    )
    @wraps(always_wrong)
    def wrong(x, gamma, beta, mean, var, *, training, eps, momentum):
        if training:
            return _right_out(x, gamma, beta, x.mean(axis=0), x.var(axis=0), eps)
        options = {"training": training, "eps": eps, "momentum": momentum}
        return always_wrong(x, gamma, beta, mean, var, **options)


_test_out("it divides by the variance", divided_by_variance)
_test_out("γ and β are missing", normalized_alone)
_test_out("eps is missing", eps_missing)


@mistake("batch_norm", "new_mean and new_var are swapped", "The order is out, new_mean, new_var.")
def statistics_swapped(x, gamma, beta, mean, var, *, momentum, eps, training):
    if not training:
        return _right_out(x, gamma, beta, mean, var, eps), var, mean
    new_mean, new_var = running_statistics(x, mean, var, momentum=momentum)
    return _right_out(x, gamma, beta, x.mean(axis=0), x.var(axis=0), eps), new_var, new_mean


@mistake(
    "batch_norm",
    "training is taken the wrong way round",
    "Where training is True the batch's own statistics count.",
)
def training_inverted(x, gamma, beta, mean, var, *, momentum, eps, training):
    if training:
        return _right_out(x, gamma, beta, mean, var, eps), mean, var
    out = _right_out(x, gamma, beta, x.mean(axis=0), x.var(axis=0), eps)
    return out, *running_statistics(x, mean, var, momentum=momentum)


def _running(name, look, blend, *, parts=("mean", "var"), new=None):
    """A wrong way to gather the mean, the variance, or either: blend(old, of the batch, m)."""
    of_batch = {
        "mean": lambda x, eps: x.mean(axis=0),
        "var": lambda x, eps: x.var(axis=0),
    }

    def register(part):
        measure = new or of_batch[part]

        @mistake(f"batch_norm.new_{part}", name, look)
        def wrong(x, gamma, beta, mean, var, *, momentum, eps, training):
            old = {"mean": mean, "var": var}[part]
            return blend(old, measure(x, eps), momentum) if training else old

    for part in parts:
        register(part)


def _right_blend(old, new, m):
    return m * old + (1 - m) * new


_running(
    "The momentum is swapped",
    "It is the share of the old value that is kept: at 0.9, one batch counts for a tenth.",
    lambda old, new, m: (1 - m) * old + m * new,
)
_running(
    "It does not move in training",
    "With every batch in training a little of the batch's own statistic is mixed in.",
    lambda old, new, m: old + 0 * new,
)
_running(
    "The old value is forgotten",
    "What was gathered before keeps a share, the momentum.",
    lambda old, new, m: new + 0 * old,
)
_running(
    "The old value is forgotten",
    "The new one comes in with its share, but the old one has its share too.",
    lambda old, new, m: (1 - m) * new + 0 * old,
)
_running(
    "The two shares do not add up to 1",
    "What the old value keeps, the new one cannot have: m and 1 − m.",
    lambda old, new, m: m * old + new,
)
_running(
    "The two shares do not add up to 1",
    "The old value has to shrink to its share, m, before the new one comes in.",
    lambda old, new, m: old + (1 - m) * new,
)
_running(
    "The option momentum is not used",
    "The result is that of 0.9 in every case.",
    lambda old, new, m: _right_blend(old, new, 0.9),
)
_running(
    "The standard deviation is gathered",
    "What is handed on is a variance: mix in the variance of the batch, not its root.",
    _right_blend,
    parts=("var",),
    new=lambda x, eps: x.std(axis=0),
)
_running(
    "The standard deviation is gathered",
    "What is handed on is a variance: mix in the variance of the batch, not its root, and no eps.",
    _right_blend,
    parts=("var",),
    new=lambda x, eps: np.sqrt(x.var(axis=0) + eps),
)
_running(
    "eps is gathered too",
    "It belongs to the division only. What is handed on is the variance as it is.",
    _right_blend,
    parts=("var",),
    new=lambda x, eps: x.var(axis=0) + eps,
)
_running(
    NOT_A_MEAN,
    "It is the mean of the squared distances, not their sum.",
    _right_blend,
    parts=("var",),
    new=lambda x, eps: len(x) * x.var(axis=0),
)
_running(DDOF, BY_N, _right_blend, parts=("var",), new=lambda x, eps: x.var(axis=0, ddof=1))
_running(
    "The mean of the squares stands for the variance",
    "The variance is about the distance from the mean: it has to be subtracted before squaring.",
    _right_blend,
    parts=("var",),
    new=lambda x, eps: (x**2).mean(axis=0),
)
_running(
    "The mean of the output is gathered",
    "What is mixed in is the mean of x. That of x̂ is 0, always.",
    lambda old, new, m: m * old,
    parts=("mean",),
)


def _moving_at_test_time(place, part):
    @mistake(
        f"batch_norm.new_{part}",
        "It moves at test time",
        "At test time nothing is gathered: the result for an image must not depend on what was "
        "asked before.",
    )
    def wrong(x, gamma, beta, mean, var, *, momentum, eps, training):
        return running_statistics(x, mean, var, momentum=momentum)[place]


for _place, _part in enumerate(("mean", "var")):
    _moving_at_test_time(_place, _part)


# Backward: the cache is (x̂, std, γ)


def _gradient(part, name, look):
    """A wrong gradient, as a formula of dout, x̂, std and γ."""

    def register(formula):
        @mistake(f"batch_norm_backward.{part}", name, look)
        @wraps(formula)
        def wrong(dout, cache):
            return formula(dout, *cache)

        return wrong

    return register


def _dx(name, look):
    return _gradient("dx", name, look)


THREE = (
    "x reaches the output in three ways: by itself, through the mean of the batch, and through its "
    "variance."
)
MEAN_PATH = "The way through the mean is missing"
VAR_PATH = "The way through the variance is missing"


@_dx("Mean and variance are taken for constants", f"{THREE} Here only the first is there.")
def dx_of_constants(dout, normalized, std, gamma):
    return gamma * dout / std


@_dx("Mean and variance are taken for constants", f"{THREE} Here only the first, without γ.")
def dx_of_constants_without_gamma(dout, normalized, std, gamma):
    return dout / std


@_dx(MEAN_PATH, f"{THREE} Every x pulls the mean along, so dx has to sum to zero over the batch.")
def dx_without_mean(dout, normalized, std, gamma):
    return gamma / std * (dout - normalized * (dout * normalized).mean(axis=0))


@_dx(VAR_PATH, f"{THREE} Without the third, stretching a feature would change the output.")
def dx_without_var(dout, normalized, std, gamma):
    return gamma / std * (dout - dout.mean(axis=0))


def _centered(dout, normalized):
    return dout - dout.mean(axis=0) - normalized * (dout * normalized).mean(axis=0)


@_dx("γ is missing", "On its way forward x̂ was multiplied by γ, so on the way back dout is.")
def dx_without_gamma(dout, normalized, std, gamma):
    return _centered(dout, normalized) / std


@_dx(
    "γ and the division by std are missing", "Forward, x − μ was divided by std, x̂ multiplied by γ."
)
def dx_bare(dout, normalized, std, gamma):
    return _centered(dout, normalized)


@_dx("γ counts twice", "Once is enough. Is it in the gradient of x̂ already?")
def dx_gamma_twice(dout, normalized, std, gamma):
    return gamma**2 * _centered(dout, normalized) / std


@_dx("It divides by γ", "Forward, x̂ was multiplied by γ. Backward, its gradient is as well.")
def dx_divided_by_gamma(dout, normalized, std, gamma):
    return _centered(dout, normalized) / (std * gamma)


@_dx(
    "It is not divided by std",
    "Forward, x − μ was divided by the standard deviation. That factor comes back.",
)
def dx_without_std(dout, normalized, std, gamma):
    return gamma * _centered(dout, normalized)


@_dx(
    "It divides by the variance",
    "std in the cache is √(σ² + ε) already. It divides once.",
)
def dx_by_variance(dout, normalized, std, gamma):
    return gamma * _centered(dout, normalized) / std**2


@_dx(
    "The root is taken twice",
    "std in the cache is √(σ² + ε) already.",
)
def dx_by_root_of_std(dout, normalized, std, gamma):
    return gamma * _centered(dout, normalized) / np.sqrt(std)


@_dx("It multiplies by std", "Forward, x − μ was divided by it, and so is its gradient.")
def dx_times_std(dout, normalized, std, gamma):
    return gamma * std * _centered(dout, normalized)


SUMS = "Sums stand where means belong"
PART = "An image has an N-th part in the mean of the batch, so what comes back is a mean as well."


@_dx(SUMS, PART)
def dx_of_sums(dout, normalized, std, gamma):
    both = dout.sum(axis=0) + normalized * (dout * normalized).sum(axis=0)
    return gamma / std * (dout - both)


@_dx(SUMS, f"{PART} In the way through the mean that is done, in the other it is not.")
def dx_var_sum(dout, normalized, std, gamma):
    both = dout.mean(axis=0) + normalized * (dout * normalized).sum(axis=0)
    return gamma / std * (dout - both)


@_dx(SUMS, f"{PART} In the way through the variance that is done, in the other it is not.")
def dx_mean_sum(dout, normalized, std, gamma):
    both = dout.sum(axis=0) + normalized * (dout * normalized).mean(axis=0)
    return gamma / std * (dout - both)


@_dx(
    "It is N times too large",
    "With sums for means and N · g for g everything is N times too large: what is left is to "
    "divide by N, once, at the end.",
)
def dx_n_times(dout, normalized, std, gamma):
    return len(dout) * gamma / std * _centered(dout, normalized)


COUNT = "The means divide by the wrong number"


@_dx(COUNT, "N is the number of images. Here all entries of dout were counted, features too.")
def dx_count_of_all(dout, normalized, std, gamma):
    both = dout.sum(axis=0) + normalized * (dout * normalized).sum(axis=0)
    return gamma / std * (dout - both / dout.size)


@_dx(COUNT, "N is the number of images, the first axis. Here the features were counted.")
def dx_count_of_features(dout, normalized, std, gamma):
    both = dout.sum(axis=0) + normalized * (dout * normalized).sum(axis=0)
    return gamma / std * (dout - both / dout.shape[1])


@_dx(COUNT, "The variance was divided by N, so it is N here too, not N − 1.")
def dx_count_less_one(dout, normalized, std, gamma):
    both = dout.sum(axis=0) + normalized * (dout * normalized).sum(axis=0)
    return gamma / std * (dout - both / (len(dout) - 1))


def _one_mean(axes, *, inside):
    """One or both means without an axis, with γ inside of them or outside."""

    @_dx(
        "One mean for all features",
        "Each feature was normalized by itself: every mean needs its axis.",
    )
    def dx_one_mean(dout, normalized, std, gamma):
        g, after = (gamma * dout, 1) if inside else (dout, gamma)
        first, second = g.mean(axis=axes[0]), (g * normalized).mean(axis=axes[1])
        return after / std * (g - first - normalized * second)


for _axes in ((None, None), (None, 0), (0, None)):
    _one_mean(_axes, inside=True)
    _one_mean(_axes, inside=False)


@_dx(
    "The means are taken along the rows",
    "The statistics ran down the columns, over the images.",
)
def dx_along_rows(dout, normalized, std, gamma):
    means = [part.mean(axis=1, keepdims=True) for part in (dout, dout * normalized)]
    return gamma / std * (dout - means[0] - normalized * means[1])


ADDED = "A correction is added that has to be subtracted"
LESS = "The ways through the mean and the variance both take something away from dout."


@_dx(ADDED, LESS)
def dx_mean_added(dout, normalized, std, gamma):
    both = dout.mean(axis=0) - normalized * (dout * normalized).mean(axis=0)
    return gamma / std * (dout + both)


@_dx(ADDED, LESS)
def dx_var_added(dout, normalized, std, gamma):
    both = dout.mean(axis=0) - normalized * (dout * normalized).mean(axis=0)
    return gamma / std * (dout - both)


@_dx(ADDED, LESS)
def dx_both_added(dout, normalized, std, gamma):
    both = dout.mean(axis=0) + normalized * (dout * normalized).mean(axis=0)
    return gamma / std * (dout + both)


@_dx(
    "x̂ is missing in the way through the variance",
    "It comes twice: in the mean, and again outside, because an image far from the mean moves the "
    "variance more.",
)
def dx_var_without_normalized(dout, normalized, std, gamma):
    return gamma / std * (dout - dout.mean(axis=0) - (dout * normalized).mean(axis=0))


@_dx(
    "x̂ is missing inside the mean",
    "It comes twice: outside, and in the mean of dout · x̂.",
)
def dx_mean_without_normalized(dout, normalized, std, gamma):
    return gamma / std * (dout - dout.mean(axis=0) - normalized * dout.mean(axis=0))


@_dx(
    "The way through the variance counts half",
    "The square brings a factor 2, the root a half. Only together do they cancel.",
)
def dx_half_var(dout, normalized, std, gamma):
    both = dout.mean(axis=0) + normalized * (dout * normalized).mean(axis=0) / 2
    return gamma / std * (dout - both)


@_dx(
    "The way through the variance counts double",
    "The square brings a factor 2, the root a half. Only together do they cancel.",
)
def dx_double_var(dout, normalized, std, gamma):
    both = dout.mean(axis=0) + 2 * normalized * (dout * normalized).mean(axis=0)
    return gamma / std * (dout - both)


@_dx(
    "γ is missing in the corrections",
    "Each of the three ways leads through γ, not only the direct one.",
)
def dx_gamma_on_first_only(dout, normalized, std, gamma):
    both = dout.mean(axis=0) + normalized * (dout * normalized).mean(axis=0)
    return (gamma * dout - both) / std


def _gamma_in_one(lost):
    @_dx(
        "γ is missing in one of the corrections",
        "Each of the three ways leads through γ: with g = γ · dout, dout itself is done with.",
    )
    def dx_gamma_lost(dout, normalized, std, gamma):
        first, second = dout.mean(axis=0), normalized * (dout * normalized).mean(axis=0)
        factors = (1, gamma) if lost == 0 else (gamma, 1)
        return (gamma * dout - factors[0] * first - factors[1] * second) / std


for _lost in (0, 1):
    _gamma_in_one(_lost)


def _partly_divided(name, *divided):
    """Some of the three parts divided by std."""

    @_dx(
        name,
        "Each of the three ways leads through the division: is there a parenthesis around all "
        "three?",
    )
    def dx_partly_divided(dout, normalized, std, gamma):
        g = gamma * dout
        parts = g, -g.mean(axis=0), -normalized * (g * normalized).mean(axis=0)
        return sum(
            part / (std if through else 1) for part, through in zip(parts, divided, strict=True)
        )


_partly_divided("Only the direct way is divided by std", True, False, False)
_partly_divided("Only the last part is divided by std", False, False, True)
_partly_divided("The last part is not divided by std", True, True, False)


@_gradient(
    "dgamma",
    "dγ is dβ",
    "γ was multiplied by x̂: what it met is a factor of its gradient. The order is dx, dγ, dβ.",
)
def dgamma_is_dbeta(dout, normalized, std, gamma):
    return dout.sum(axis=0)


MEAN = "It is a mean instead of a sum"
ADD_UP = "Every image used the same number, and what they hand back adds up."


@_gradient("dgamma", MEAN, ADD_UP)
def dgamma_mean(dout, normalized, std, gamma):
    return (dout * normalized).mean(axis=0)


@_gradient("dgamma", "γ itself is a factor", "γ · x̂, derived with respect to γ, has no γ in it.")
def dgamma_times_gamma(dout, normalized, std, gamma):
    return (dout * normalized * gamma).sum(axis=0)


@_gradient("dgamma", "dout is missing", "What comes from above is a factor of every gradient.")
def dgamma_without_dout(dout, normalized, std, gamma):
    return normalized.sum(axis=0)


@_gradient(
    "dgamma",
    "x − μ stands where x̂ belongs",
    "γ was multiplied by what had been divided by std already.",
)
def dgamma_of_centered(dout, normalized, std, gamma):
    return (dout * normalized * std).sum(axis=0)


@_gradient(
    "dgamma",
    "It is divided by std once more",
    "x̂ has been divided already.",
)
def dgamma_divided(dout, normalized, std, gamma):
    return (dout * normalized / std).sum(axis=0)


@_gradient(
    "dgamma",
    "All features are added together",
    "Each feature has a γ of its own: the sum runs down the columns.",
)
def dgamma_of_all(dout, normalized, std, gamma):
    return (dout * normalized).sum()


@_gradient(
    "dgamma", "The gradients are not summed", "One number for each feature is wanted: shape (C,)."
)
def dgamma_not_summed(dout, normalized, std, gamma):
    return dout * normalized


@_gradient("dbeta", MEAN, ADD_UP)
def dbeta_mean(dout, normalized, std, gamma):
    return dout.mean(axis=0)


@_gradient("dbeta", "γ is a factor", "β was added after γ had done its work.")
def dbeta_times_gamma(dout, normalized, std, gamma):
    return (gamma * dout).sum(axis=0)


@_gradient(
    "dbeta", "dβ is dγ", "β was only added: nothing was multiplied to it. The order is dx, dγ, dβ."
)
def dbeta_is_dgamma(dout, normalized, std, gamma):
    return (dout * normalized).sum(axis=0)


@_gradient(
    "dbeta",
    "All features are added together",
    "Each feature has a β of its own: the sum runs down the columns.",
)
def dbeta_of_all(dout, normalized, std, gamma):
    return dout.sum()


@_gradient(
    "dbeta", "The gradients are not summed", "One number for each feature is wanted: shape (C,)."
)
def dbeta_not_summed(dout, normalized, std, gamma):
    return dout


# Behind a convolution


def _over(x, gamma, beta, eps, axes, ddof=0):
    mean = x.mean(axis=axes, keepdims=True)
    var = x.var(axis=axes, keepdims=True, ddof=ddof)
    return _right_out(x, gamma, beta, mean, var, eps)


ONE_FOR_EACH = (
    "A channel has one mean and one variance, over all images and all positions: C numbers of each."
)


def _conv(name, look, axes, ddof=0):
    @mistake("batch_norm_conv", name, look)
    def wrong(x, gamma, beta, *, eps):
        return _over(x, gamma, beta, eps, axes, ddof)

    return wrong


_conv("Each position is normalized by itself", f"{ONE_FOR_EACH} Here it is H·W·C of each.", 0)
_conv("Each image is normalized by itself", f"{ONE_FOR_EACH} Here it is N·C of each.", (1, 2))
_conv(
    "Each image is normalized by itself",
    f"{ONE_FOR_EACH} Here it is one pair for each image, over its channels too.",
    (1, 2, 3),
)
_conv("One mean for all channels", ONE_FOR_EACH, None)
_conv("Each pixel is normalized by itself", f"{ONE_FOR_EACH} Here it is over the channels.", 3)
_conv("An axis is left out", f"{ONE_FOR_EACH} Here each column has its own.", (0, 1))
_conv("An axis is left out", f"{ONE_FOR_EACH} Here each row has its own.", (0, 2))
_conv("The variance divides by one less than the count", BY_N, (0, 1, 2), 1)


SECOND = "The channels are taken for the second axis"
LAST_AXIS = "In PyTorch they are. Here the order is N, H, W, C: the channels are the last axis."


@mistake("batch_norm_conv", SECOND, LAST_AXIS)
def channels_second(x, gamma, beta, *, eps):
    gamma, beta = (scale.reshape(1, -1, 1, 1) for scale in (gamma, beta))
    return _over(x, gamma, beta, eps, (0, 2, 3))


@mistake("batch_norm_conv", SECOND, LAST_AXIS)
def channels_second_but_for_the_scales(x, gamma, beta, *, eps):
    return _over(x, gamma, beta, eps, (0, 2, 3))


@mistake("batch_norm_conv", SECOND, LAST_AXIS)
def channels_second_lying(x, gamma, beta, *, eps):
    """Of shape (H,): what stops then depends on what is written first."""
    if x.shape[-1] > 1:
        raise Undecided
    return _right_out(x, gamma, beta, x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3)), eps)


MIXED = "The reshape mixes the channels"
LAST = (
    "reshape keeps numbers in the order in which they lie, and the channels are the last axis. A "
    "column of the matrix holds one channel only if the last axis stays what it is."
)


def _rows_of_channels(x, gamma, beta, eps):
    rows = x.reshape(x.shape[-1], -1)
    return (
        (rows - rows.mean(axis=1, keepdims=True)) / np.sqrt(rows.var(axis=1, keepdims=True) + eps)
    ) * gamma[:, None] + beta[:, None]


@mistake("batch_norm_conv", MIXED, LAST)
def channels_mixed(x, gamma, beta, *, eps):
    return _rows_of_channels(x, gamma, beta, eps).reshape(x.shape)


@mistake("batch_norm_conv", MIXED, f"{LAST} That also holds on the way back.")
def channels_mixed_on_the_way_back(x, gamma, beta, *, eps):
    columns = _over(x, gamma, beta, eps, (0, 1, 2)).reshape(-1, x.shape[-1])
    return columns.T.reshape(x.shape)


@mistake("batch_norm_conv", MIXED, LAST)
def channels_first(x, gamma, beta, *, eps):
    moved = np.moveaxis(x, 3, 1)
    columns = moved.reshape(-1, x.shape[-1])
    out = batch_norm_forward(columns, gamma, beta, eps=eps)[0]
    return np.moveaxis(out.reshape(moved.shape), 1, 3)


def _conv_out(name, look):
    def register(formula):
        @mistake("batch_norm_conv", name, look)
        @_quietly
        @wraps(formula)
        def wrong(x, gamma, beta, *, eps):
            return formula(x, gamma, beta, x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2)), eps)

        return wrong

    return register


_conv_out("It divides by the variance", "The root of the variance is what it divides by.")(
    lambda x, gamma, beta, mean, var, eps: gamma * (x - mean) / (var + eps) + beta
)
_conv_out(EPS, UNDER)(
    lambda x, gamma, beta, mean, var, eps: gamma * (x - mean) / (np.sqrt(var) + eps) + beta
)
_conv_out("The option eps is not used", "The result is that of 1e-5 in every case.")(
    lambda x, gamma, beta, mean, var, eps: gamma * (x - mean) / np.sqrt(var + 1e-5) + beta
)
_conv_out("eps is missing", UNDER)(
    lambda x, gamma, beta, mean, var, eps: gamma * (x - mean) / np.sqrt(var) + beta
)
_conv_out("γ scales β too", "First the scale, then the shift: β is added as it is.")(
    lambda x, gamma, beta, mean, var, eps: gamma * ((x - mean) / np.sqrt(var + eps) + beta)
)
_conv_out("γ and β are missing", "x̂ is scaled and shifted once more.")(
    lambda x, gamma, beta, mean, var, eps: (x - mean) / np.sqrt(var + eps)
)


@mistake(
    "batch_norm_conv",
    "It is still a matrix",
    "Normalized as (N·H·W, C), the result has to get the shape of x back.",
)
def conv_still_a_matrix(x, gamma, beta, *, eps):
    return _over(x, gamma, beta, eps, (0, 1, 2)).reshape(-1, x.shape[-1])
