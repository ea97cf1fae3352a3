"""Assignment 5: activations, initialization and batch normalization."""

import numpy as np

from cnnlab import init, ops
from cnnlab.check.identities import features_sum_to_zero, orthogonal_to
from cnnlab.check.questions.base import Question, eighths
from cnnlab.check.record import Case

LARGE = np.array([[-1000.0, 1000.0, 0.0, -40.0, 40.0, -1.0]])


def _sigmoid_cases(rng):
    return [
        Case("a row", (eighths(rng, 1, 5),)),
        Case("a batch", (2 * eighths(rng, 4, 3),)),
        Case("feature maps", (eighths(rng, 2, 3, 4, 5),)),
        Case("large numbers of either sign", (LARGE,)),
    ]


def _without_overflow(answer, x):
    """Where it overflows, an error instead of the warning."""
    with np.errstate(over="raise"):
        return answer(x)


def _sigmoid_backward_case(rng, name, x):
    out, _ = ops.sigmoid_forward(x)
    return Case(name, (eighths(rng, *x.shape), out))


def _sigmoid_backward_cases(rng):
    return [
        _sigmoid_backward_case(rng, "a row", eighths(rng, 1, 5)),
        _sigmoid_backward_case(rng, "a batch", 2 * eighths(rng, 4, 3)),
        _sigmoid_backward_case(rng, "feature maps", eighths(rng, 2, 3, 4, 5)),
        _sigmoid_backward_case(rng, "saturated units", LARGE),
    ]


def _leaky_inputs(rng):
    """A name, an input with zeros in it, and a slope; 0 makes a ReLU of it."""
    signs = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    yield "both signs, and zero", rng.permutation(signs)[None], 0.25
    yield "slope 0.01", eighths(rng, 4, 3), 0.01
    yield "slope 0: a ReLU", eighths(rng, 3, 6), 0.0
    yield "feature maps", eighths(rng, 2, 3, 4, 5), 0.125


def _leaky_cases(rng):
    usual = Case("no slope given", (eighths(rng, 3, 4),))
    return [*(Case(name, (x,), {"slope": slope}) for name, x, slope in _leaky_inputs(rng)), usual]


def _leaky_backward_cases(rng):
    return [Case(n, (eighths(rng, *x.shape), (x, slope))) for n, x, slope in _leaky_inputs(rng)]


def _leaky_relu_backward(dout, cache):
    x, slope = cache
    return ops.leaky_relu_backward(dout, ops.leaky_relu_forward(x, slope=slope)[1])


def _shape_cases(rng):
    matrices = [tuple(int(n) for n in rng.permutation(range(2, 40))[:2]) for _ in range(2)]
    filters = [tuple(int(n) for n in rng.permutation(range(2, 12))[:4]) for _ in range(3)]
    return [
        *(Case(f"a matrix {shape}", (shape,)) for shape in matrices),
        *(Case(f"filters {shape}", (shape,)) for shape in filters),
    ]


def _initial_std(shape):
    inputs, outputs = init.fan_in(shape), init.fan_out(shape)
    return (2 / inputs) ** 0.5, (2 / (inputs + outputs)) ** 0.5


def _scales(rng, C):
    """γ and β, no two and none of them alike in size, and no γ near 1 or 0."""
    sizes = rng.permutation(np.array([0.5, 0.625, 1.5, 1.75, 2.0, 2.5]))[:C]
    return sizes * rng.choice([-1, 1], C), eighths(rng, C) + 1 / 16


def _norm_case(rng, name, x, *, momentum=0.9, eps=1e-5, training=True):
    C = x.shape[-1]
    gamma, beta = _scales(rng, C)
    mean, var = eighths(rng, C), np.abs(eighths(rng, C)) + 0.25
    options = {"momentum": momentum, "eps": eps, "training": training}
    return Case(name, (x, gamma, beta, mean, var), options)


def _spread(rng, N, C):
    """Features that differ in mean and in width."""
    return eighths(rng, N, C) * rng.permutation(np.arange(1, C + 1)) + 2 * eighths(rng, C)


def _norm_cases(rng):
    with_a_constant = _spread(rng, 5, 3)
    with_a_constant[:, 1] = 1.5
    return [
        _norm_case(rng, "training, one feature", _spread(rng, 4, 1)),
        _norm_case(rng, "training, all sizes different", _spread(rng, 6, 4)),
        _norm_case(rng, "training, momentum 0.75", _spread(rng, 5, 2), momentum=0.75),
        _norm_case(rng, "training, a large eps", _spread(rng, 7, 3), eps=0.25),
        _norm_case(rng, "training, a feature that is constant", with_a_constant),
        _norm_case(rng, "test time", _spread(rng, 6, 4), training=False),
        _norm_case(rng, "test time, a single image", _spread(rng, 1, 3), eps=0.25, training=False),
    ]


def _batch_norm(x, gamma, beta, mean, var, *, momentum, eps, training):
    if not training:
        out, _ = ops.batch_norm_forward(x, gamma, beta, mean=mean, var=var, eps=eps)
        return out, mean, var
    out, _ = ops.batch_norm_forward(x, gamma, beta, eps=eps)
    return out, *ops.running_statistics(x, mean, var, momentum=momentum)


def _norm_backward_case(rng, name, x, eps=1e-5):
    gamma, beta = _scales(rng, x.shape[-1])
    _, (normalized, scale, _, _) = ops.batch_norm_forward(x, gamma, beta, eps=eps)
    return Case(name, (eighths(rng, *x.shape) * 2, (normalized, 1 / scale, gamma)))


def _norm_backward_cases(rng):
    return [
        _norm_backward_case(rng, "one feature", _spread(rng, 4, 1)),
        _norm_backward_case(rng, "all sizes different", _spread(rng, 6, 4)),
        _norm_backward_case(rng, "another batch", _spread(rng, 9, 3)),
        _norm_backward_case(rng, "a large eps", _spread(rng, 5, 2), eps=0.25),
    ]


def _batch_norm_backward(dout, cache):
    normalized, std, gamma = cache
    return ops.batch_norm_backward(dout, (normalized, 1 / std, gamma, True))


def _norm_conv_case(rng, name, *shape, eps=1e-5):
    C = shape[-1]
    x = eighths(rng, *shape) * rng.permutation(np.arange(1, C + 1)) + 2 * eighths(rng, C)
    return Case(name, (x, *_scales(rng, C)), {"eps": eps})


def _norm_conv_cases(rng):
    with_a_constant = _norm_conv_case(rng, "a channel that is constant", 2, 4, 3, 2)
    with_a_constant.args[0][..., 1] = 1.5
    return [
        _norm_conv_case(rng, "one channel", 2, 3, 4, 1),
        _norm_conv_case(rng, "all sizes different", 4, 2, 5, 3),
        _norm_conv_case(rng, "a single image", 1, 3, 5, 4),
        _norm_conv_case(rng, "a large eps", 3, 4, 2, 5, eps=0.25),
        with_a_constant,
    ]


def _prelu_cases(rng):
    shapes = {"a batch": (6, 2), "feature maps": (2, 3, 5, 4), "another batch": (5, 3)}
    return [
        Case(name, (eighths(rng, *shape), (eighths(rng, *shape), _slopes(rng, shape[-1]))))
        for name, shape in shapes.items()
    ]


def _slopes(rng, C):
    return rng.permutation(np.array([0.125, 0.25, 0.375, 0.5]))[:C]


QUESTIONS = (
    Question(
        "a5.sigmoid_forward",
        lambda x: ops.sigmoid_forward(x)[0],
        _sigmoid_cases,
        "sigmoid",
        ask=_without_overflow,
    ),
    Question(
        "a5.sigmoid_backward", ops.sigmoid_backward, _sigmoid_backward_cases, "sigmoid_backward"
    ),
    Question(
        "a5.leaky_relu_forward",
        lambda x, *, slope=0.01: ops.leaky_relu_forward(x, slope=slope)[0],
        _leaky_cases,
        "leaky_relu",
    ),
    Question(
        "a5.leaky_relu_backward",
        _leaky_relu_backward,
        _leaky_backward_cases,
        "leaky_relu_backward",
    ),
    Question("a5.initial_std", _initial_std, _shape_cases, "initial_std", returns=("he", "xavier")),
    Question(
        "a5.batch_norm_forward",
        _batch_norm,
        _norm_cases,
        "batch_norm",
        returns=("out", "new_mean", "new_var"),
    ),
    Question(
        "a5.batch_norm_backward",
        _batch_norm_backward,
        _norm_backward_cases,
        "batch_norm_backward",
        returns=("dx", "dgamma", "dbeta"),
        identities=(
            features_sum_to_zero(
                "A number that is added to a whole feature goes out with its mean, so it changes "
                "nothing: column by column, dx has to sum to zero. Which part of dx sees to that, "
                "and is it whole: its factors, its axis, the parenthesis around it?",
                part=0,
            ),
            orthogonal_to(
                lambda dout, cache: cache[0],
                "If a whole feature is stretched, its standard deviation takes that out again: "
                "column by column, dx times x̂ has to sum to zero. Which part of dx sees to that, "
                "and is it whole: its factors, its axis, the parenthesis around it?",
                part=0,
            ),
        ),
    ),
    Question(
        "a5.batch_norm_conv",
        lambda x, gamma, beta, *, eps: ops.batch_norm_forward(x, gamma, beta, eps=eps)[0],
        _norm_conv_cases,
        "batch_norm_conv",
    ),
    Question(
        "a5.prelu_backward",
        ops.prelu_backward,
        _prelu_cases,
        "prelu_backward",
        returns=("dx", "dslope"),
    ),
)
