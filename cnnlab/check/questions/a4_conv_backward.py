"""Assignment 4: the way back through pooling and convolution."""

import numpy as np

from cnnlab import ops
from cnnlab.check.identities import same_product, same_sum
from cnnlab.check.questions.base import Question, eighths
from cnnlab.check.record import Case
from cnnlab.shapes import output_size


def _pool_case(rng, name, x, kernel_size, stride, draw=eighths):
    x = draw(rng, *x)
    (FH, FW), (N, H, W, C) = kernel_size, x.shape
    OH, OW = output_size(H, FH, stride=stride), output_size(W, FW, stride=stride)
    # Divided by FH·FW, as an average does, these are still exact.
    dout = eighths(rng, N, OH, OW, C) * (FH * FW)
    return Case(name, (dout, (x, kernel_size, stride)))


def _below_zero(rng, *shape):
    return -1 - np.abs(eighths(rng, *shape))


def _after_relu(rng, *shape):
    """Mostly zeros, and few different numbers: windows without a positive one, and ties."""
    return np.maximum(rng.integers(-4, 3, shape), 0) / 2.0


def _pool_cases(rng):
    # The first is small enough to follow by hand; in the last all extents differ.
    return [
        _pool_case(rng, "one image, one channel", (1, 4, 6, 1), (2, 2), 2),
        _pool_case(rng, "overlapping windows, 3×3 at stride 2", (2, 7, 5, 3), (3, 3), 2),
        _pool_case(rng, "windows of 3×2 at stride 1", (2, 5, 4, 3), (3, 2), 1),
        _pool_case(rng, "after a ReLU: zeros and ties", (2, 5, 9, 3), (3, 3), 2, _after_relu),
        _pool_case(rng, "no number above zero", (2, 4, 5, 3), (2, 3), 2, _below_zero),
        _pool_case(rng, "gaps between the windows", (2, 5, 7, 3), (2, 1), 3),
        _pool_case(rng, "windows of 4×5, all sizes different", (2, 8, 15, 7), (4, 5), 2),
    ]


def _conv_case(rng, name, x, w, *, stride=1, pad=0):
    x, w, b = eighths(rng, *x), eighths(rng, *w), eighths(rng, w[3])
    (N, H, W, _), (FH, FW, _, K) = x.shape, w.shape
    OH = output_size(H, FH, stride=stride, pad=pad)
    OW = output_size(W, FW, stride=stride, pad=pad)
    return Case(name, (eighths(rng, N, OH, OW, K), (x, w, b, stride, pad)))


def _conv_cases(rng):
    return [
        _conv_case(rng, "one filter, one channel", (1, 4, 5, 1), (2, 3, 1, 1)),
        _conv_case(rng, "square filters, padded", (2, 5, 4, 3), (3, 3, 3, 2), pad=1),
        _conv_case(rng, "stride 2", (2, 7, 9, 2), (3, 3, 2, 4), stride=2),
        _conv_case(rng, "stride 2 and padding", (3, 6, 10, 2), (2, 4, 2, 3), stride=2, pad=1),
        _conv_case(
            rng, "1×1 filters at stride 3: pixels nobody saw", (2, 7, 4, 5), (1, 1, 5, 3), stride=3
        ),
        _conv_case(rng, "small images, padding 2", (2, 3, 4, 2), (4, 3, 2, 3), pad=2),
        _conv_case(rng, "a batch, all sizes different", (2, 10, 9, 4), (5, 3, 4, 8)),
    ]


def _small_and_large(rng):
    small = _conv_case(rng, "9 positions", (1, 4, 4, 2), (2, 2, 2, 3))
    return small, _conv_case(rng, "1677 positions", (1, 44, 40, 2), (2, 2, 2, 3))


def _avg_pool_backward(dout, cache):
    x, kernel_size, stride = cache
    _, inner = ops.avg_pool_forward(x, kernel_size=kernel_size, stride=stride)
    return ops.avg_pool_backward(dout, inner)


def _max_pool_backward(dout, cache):
    x, kernel_size, stride = cache
    _, inner = ops.max_pool_forward(x, kernel_size=kernel_size, stride=stride)
    return ops.max_pool_backward(dout, inner)


def _conv_backward(dout, cache):
    x, w, b, stride, pad = cache
    _, inner = ops.conv_forward(x, w, b, stride=stride, pad=pad)
    return ops.conv_backward(dout, inner)


def _conv_backward_params(dout, cache):
    return _conv_backward(dout, cache)[1:]


def _out_times_dout(dout, cache):
    """⟨out, dout⟩ without the bias: linear in x, and linear in w."""
    x, w, b, stride, pad = cache
    out, _ = ops.conv_forward(x, w, np.zeros_like(b), stride=stride, pad=pad)
    return np.vdot(out, dout)


TOO_OFTEN = "Something is counted too often, or not at all"


def _products(variable, place, part):
    return same_product(
        f"{variable} · d{variable} is not what it has to be",
        lambda dout, cache: cache[place],
        _out_times_dout,
        "Without the bias, an output is a sum of weights times pixels. So "
        f"{variable} · d{variable}, added up, has to be the same as out · dout, added up. "
        f"{TOO_OFTEN}: check the start of each window, then = and +=.",
        part=part,
    )


QUESTIONS = (
    Question(
        "a4.avg_pool_backward",
        _avg_pool_backward,
        _pool_cases,
        "avg_pool_backward",
        identities=(
            same_sum(
                "A window hands back no more and no less than it was given: the shares of its "
                f"pixels add up to its entry of dout. {TOO_OFTEN}: check the start of each window, "
                "then = and +=, then what the gradient is divided by."
            ),
        ),
    ),
    Question(
        "a4.max_pool_backward",
        _max_pool_backward,
        _pool_cases,
        "max_pool_backward",
        identities=(
            same_sum(
                "Each window hands its gradient to one pixel, so nothing gets lost and nothing is "
                f"paid twice. {TOO_OFTEN}: check the start of each window, then = and +=, then "
                "what happens where two pixels are equal."
            ),
        ),
    ),
    Question(
        "a4.conv_backward_params",
        _conv_backward_params,
        _conv_cases,
        "conv_backward",
        returns=("dw", "db"),
        identities=(_products("w", 1, part=0),),
    ),
    Question(
        "a4.conv_backward",
        _conv_backward,
        _conv_cases,
        "conv_backward",
        returns=("dx", "dw", "db"),
        identities=(_products("x", 0, part=0), _products("w", 1, part=1)),
    ),
    Question(
        "a4.conv_backward_fast",
        _conv_backward,
        _conv_cases,
        "conv_backward",
        returns=("dx", "dw", "db"),
        identities=(_products("x", 0, part=0), _products("w", 1, part=1)),
        no_loops=_small_and_large,
    ),
)
