"""Assignment 6: what training needs besides layers."""

import math
from functools import partial

import numpy as np

from cnnlab import ops, optim
from cnnlab.check.identities import Identity
from cnnlab.check.questions.base import Question, eighths
from cnnlab.check.record import Case, RecordError

# Preprocessing


def _standardize(train, test):
    mean, std = train.mean(axis=(0, 1, 2)), train.std(axis=(0, 1, 2))
    return (train - mean) / std, (test - mean) / std


def _images(rng, shape, means, stds):
    """Images with exactly these means and standard deviations, in whole numbers."""
    # Of every 16 numbers, 6 are ±1.5 and 10 are ±0.5: mean 0, and the mean of the squares is 1.
    sixteen = np.repeat([-1.5, -0.5, 0.5, 1.5], [3, 5, 5, 3])
    channels = [
        mean + std * rng.permutation(np.tile(sixteen, math.prod(shape) // 16))
        for mean, std in zip(means, stds, strict=True)
    ]
    return np.stack(channels, axis=-1).reshape(*shape, len(means)).astype(np.uint8)


def _standardize_cases(rng):
    def case(name, train, test, C):
        means, stds = rng.integers(60, 180, (2, C)), rng.permutation([4, 8, 16, 32])[:C]
        return Case(
            name, (_images(rng, train, means[0], stds), _images(rng, test, means[1], stds[::-1]))
        )

    return [
        case("one channel", (4, 2, 4), (2, 2, 4), 1),
        case("three channels, all sizes different", (5, 8, 4), (2, 8, 4), 3),
        case("four channels, as many test images", (3, 8, 2), (3, 8, 2), 4),
    ]


# Augmentation


def _crop_and_flip(images, tops, lefts, mirrored, *, size):
    height, width = size
    crops = np.empty((len(images), height, width, images.shape[3]), images.dtype)
    for n, (top, left) in enumerate(zip(tops, lefts, strict=True)):
        crop = images[n, top : top + height, left : left + width]
        crops[n] = crop[:, ::-1] if mirrored[n] else crop
    return crops


def _crop_cases(rng):
    def case(name, shape, size, mirrored):
        N, H, W, _ = shape
        # At least one offset of each axis is not 0, and no two are alike.
        tops, lefts = (rng.permutation(room + 1)[:N] for room in (H - size[0], W - size[1]))
        return Case(name, (eighths(rng, *shape), tops, lefts, np.array(mirrored)), {"size": size})

    return [
        case("nothing mirrored", (2, 6, 7, 1), (3, 4), [False, False]),
        case("everything mirrored", (2, 6, 9, 3), (4, 5), [True, True]),
        case("some mirrored, three channels", (4, 9, 10, 3), (5, 2), [True, False, True, True]),
        case("square", (3, 7, 8, 2), (4, 4), [False, True, False]),
    ]


# Dropout


def _drop(x, *, rate, rng, training):
    out, _ = ops.dropout_forward(x, rate=rate, rng=rng, training=training)
    return out, out != 0 if training else np.ones(x.shape, bool)


def _measured(x, seed, result, given, *, rate, rng, training):
    """What every way of drawing has in common; at test time out itself."""
    out, mask = (np.asarray(part) for part in result.values())
    for name, part in {"out": out, "mask": mask}.items():
        if (training or name == "out") and (part.shape != x.shape or part.dtype.kind not in "biuf"):
            raise RecordError(f"{name} has to be an array in the shape of x, {x.shape}")
    if not training:
        return {"out": out, "mask": {}}
    if np.allclose(out, x * mask - rate):
        raise RecordError("out is x * mask, and the rate subtracted from it")
    zero = out == 0
    if zero.any() and rng.bit_generator.state == np.random.default_rng(seed).bit_generator.state:
        raise RecordError("nothing is drawn from rng")
    factors = out[~zero] / x[~zero]
    factor = np.median(factors) if factors.size else 0.0
    chance = 3 / np.sqrt(x.size)
    measured = {
        "the share of zeros": _nearest(zero.mean(), (rate, 1 - rate), chance),
        "the factor of the others": _nearest(factor, (1 / (1 - rate),), 1e-4),
        "how many have another factor": int((~np.isclose(factors, factor, rtol=1e-4)).sum()),
        "how many rows, columns or images share their zeros": _alike(zero),
    }
    dropped = mask == 0
    agrees = float((dropped == zero).mean())
    by_chance = (
        rate**2 + (1 - rate) ** 2,
        1 - rate,
    )  # as a fresh mask does, or one that is all True
    fits = {
        "the largest entry": float(mask.max()),
        "the share of entries that agree with out": _nearest(agrees, by_chance, chance),
        # Else a mask would be called right that fits an out that is not.
        "the share of zeros": _nearest(dropped.mean(), (rate, 1 - rate), chance),
        "how many rows, columns or images share their zeros": _alike(dropped),
    }
    return {"out": measured, "mask": fits}


def _alike(zero):
    """How many rows, columns and so on have zeros where the first one has them."""
    axes = (np.moveaxis(zero, axis, 0) for axis in range(zero.ndim))
    return int(sum((rows[1:] == rows[:1]).reshape(len(rows) - 1, -1).all(1).sum() for rows in axes))


def _nearest(number, expected, distance):
    """What chance may do to an expected number is taken off; others are rounded."""
    for known in expected:
        if abs(number - known) <= distance:
            return float(known)
    return round(float(number), 2)


def _dropout_cases(rng):
    def case(name, shape, rate, *, training=True):
        x = eighths(rng, *shape)
        x[x == 0] = 2.5  # what is zero in out was dropped
        seed = int(rng.integers(2**32))
        options = {"rate": rate, "rng": np.random.default_rng(seed), "training": training}
        return Case(name, (x,), options, measure=partial(_measured, x, seed))

    return [
        case("rate 1/4", (40, 50), 0.25),
        case("rate 3/4, images", (5, 8, 6, 10), 0.75),
        case("rate 1/2, images", (4, 6, 10, 9), 0.5),
        case("at test time, rate 3/4", (2, 3, 5, 4), 0.75, training=False),
    ]


def _dropout_backward(dout, cache):
    mask, rate = cache
    return dout * mask / (1 - rate)


def _dropout_backward_cases(rng):
    def case(name, shape, rate):
        mask = rng.random(shape) >= rate
        mask.flat[:2] = True, False
        dout = eighths(rng, *shape)
        dout[dout == 0] = 2.5
        return Case(name, (dout, (mask, rate)))

    return [
        case("rate 1/2", (3, 4), 0.5),
        case("rate 3/4, images", (3, 4, 5, 2), 0.75),
        case("rate 7/8, images", (2, 6, 4, 5), 0.875),
    ]


# Local response normalization


def _lrn(x, *, n, k, alpha, beta):
    return ops.lrn_forward(x, n=n, k=k, alpha=alpha, beta=beta)[0]


# Roots and whole powers are rounded alike on every machine; other powers are not.
_LRN = [
    ("one position, n = 3", (1, 1, 1, 5), {"n": 3, "k": 1.0, "alpha": 0.5, "beta": 1.0}),
    ("all sizes different", (2, 5, 4, 6), {"n": 3, "k": 2.0, "alpha": 0.25, "beta": 0.5}),
    ("n = 5", (2, 4, 3, 8), {"n": 5, "k": 2.0, "alpha": 0.5, "beta": 2.0}),
    ("more neighbors than channels", (5, 2, 4, 3), {"n": 7, "k": 4.0, "alpha": 0.125, "beta": 0.5}),
]


def _no_zeros(rng, *shape):
    x = eighths(rng, *shape)
    return np.where(x == 0, 0.5, x)


def _lrn_cases(rng):
    return [Case(name, (_no_zeros(rng, *shape),), dict(options)) for name, shape, options in _LRN]


def _lrn_backward(dout, cache):
    x, n, k, alpha, beta = cache
    _, inner = ops.lrn_forward(x, n=n, k=k, alpha=alpha, beta=beta)
    return ops.lrn_backward(dout, inner)


def _lrn_backward_cases(rng):
    return [
        Case(name, (_no_zeros(rng, *shape), (_no_zeros(rng, *shape), *options.values())))
        for name, shape, options in _LRN
    ]


# The step, the penalty, and the learning rate


def _momentum_step(w, g, v, *, learning_rate, momentum, weight_decay):
    v = momentum * v - learning_rate * (g + weight_decay * w)
    return w + v, v


def _momentum_cases(rng):
    def case(name, shape, learning_rate, momentum, weight_decay, *, first=False):
        w, g, v = (eighths(rng, *shape) for _ in range(3))
        options = {
            "learning_rate": learning_rate,
            "momentum": momentum,
            "weight_decay": weight_decay,
        }
        return Case(name, (w, g, v * (not first)), options)

    return [
        case("the first step", (4,), 0.5, 0.75, 0.0, first=True),
        case("a later step", (3, 2), 0.5, 0.75, 0.0),
        case("with weight decay", (2, 3, 4), 0.25, 0.5, 0.125),
        case("a small share is kept", (3, 2, 2, 4), 0.125, 0.25, 0.5),
    ]


def _plateau(accuracies, *, learning_rate, patience):
    return learning_rate * optim.Plateau(factor=0.1, patience=patience)(0.0, accuracies)


def _plateau_cases(rng):
    def case(name, percent, patience, learning_rate=0.01):
        options = {"learning_rate": learning_rate, "patience": patience}
        return Case(name, ([float(p) / 100 for p in percent],), options)

    first = int(rng.integers(20, 40))
    return [
        case("better every time", [30, 40, 50, 55], 2),
        case("one epoch without a better one", [30, 50, 40, 60], 2),
        case("two of them, patience 2", [30, 50, 40, 45], 2),
        case("two of them, patience 3", [30, 50, 40, 45], 3),
        case("as good as the best is not better", [30, 50, 50, 50], 2),
        case("rising, but below the best", [60, 40, 45, 50], 3, 0.1),
        case("better between the two", [30, 50, 40, 60, 55, 70, 65], 2),
        case("better after the division", [30, 50, 40, 45, 60, 61], 2),
        case("a long plateau", [30, 50, 40, 45, 42, 46, 41], 2),
        case("two plateaus", [30, 50, 49, 48, 60, 59, 58, 57], 2, 0.1),
        case("patience 1", [30, 50, 40, 60, 55], 1, 0.1),
        case("the first epoch was the best", [50, 40, 30, 20, 45, 48], 3),
        case("all alike", [first] * 7, 3, 0.1),
        case("drawn at random", rng.integers(30, 60, 12), 2, 0.1),
        case("better by very little", [30, 50, 50.005, 50.01], 2),
        case("nothing right at first", [0, 0], 2),
        case("before the first epoch", [], 2),
    ]


QUESTIONS = (
    Question(
        "a6.standardize",
        _standardize,
        _standardize_cases,
        "standardize",
        returns=("train", "test"),
    ),
    Question("a6.crop_and_flip", _crop_and_flip, _crop_cases, "crop_and_flip"),
    Question(
        "a6.dropout_forward", _drop, _dropout_cases, "dropout_forward", returns=("out", "mask")
    ),
    Question(
        "a6.dropout_backward",
        _dropout_backward,
        _dropout_backward_cases,
        "dropout_backward",
        identities=(
            Identity(
                "A gradient reaches what was dropped",
                "Where the mask is False the output was 0, whatever x held: x had no say, and its "
                "gradient is 0.",
                lambda dout, cache, dx: not dx[~cache[0]].any(),
            ),
        ),
    ),
    Question("a6.lrn_forward", _lrn, _lrn_cases, "lrn_forward"),
    Question("a6.lrn_backward", _lrn_backward, _lrn_backward_cases, "lrn_backward"),
    Question(
        "a6.momentum_step", _momentum_step, _momentum_cases, "momentum_step", returns=("w", "v")
    ),
    Question("a6.plateau", _plateau, _plateau_cases, "plateau", atol=1e-8),
)
