"""Assignment 7: AlexNet, from its table to a network that has learned."""

from dataclasses import replace
from itertools import zip_longest

import numpy as np

from cnnlab import data, fast
from cnnlab.check.identities import Identity
from cnnlab.check.questions.base import Question, eighths
from cnnlab.check.record import Case, RecordError
from cnnlab.layers import LRN, Affine, Conv, Dropout, Flatten, MaxPool, ReLU
from cnnlab.model import Sequential
from cnnlab.shapes import (
    ShapeError,
    affine_parameters,
    conv_parameters,
    output_size,
    receptive_field,
)

LECTURE = (
    ("conv", 96, 11, 4, 0, 1),
    ("pool", 3, 2),
    ("norm",),
    ("conv", 256, 5, 1, 2, 1),
    ("pool", 3, 2),
    ("norm",),
    ("conv", 384, 3, 1, 1, 1),
    ("conv", 384, 3, 1, 1, 1),
    ("conv", 256, 3, 1, 1, 1),
    ("pool", 3, 2),
    ("fc", 4096),
    ("fc", 4096),
    ("fc", 1000),
)


def table(input_shape, layers):
    """The volume after each layer, and how many numbers the layer learns."""
    shape, volumes, counts = tuple(input_shape), [], []
    for kind, *settings in layers:
        count = 0
        if kind == "conv":
            K, F, S, P, G = settings
            count = sum(conv_parameters(F, shape[2], K, groups=G))
            shape = (*(output_size(size, F, stride=S, pad=P) for size in shape[:2]), K)
        elif kind == "pool":
            F, S = settings
            shape = (*(output_size(size, F, stride=S) for size in shape[:2]), shape[2])
        elif kind == "fc":
            count = sum(affine_parameters(int(np.prod(shape)), settings[0]))
            shape = (settings[0],)
        volumes.append(shape)
        counts.append(count)
    return volumes, counts


def _table_cases(rng):
    K, C, M = (int(number) for number in rng.integers(2, 9, 3))
    G, F, S = 2, int(rng.integers(2, 5)), int(rng.integers(2, 4))
    H, W = (F + S * int(count) - 2 for count in rng.choice(np.arange(4, 9), 2, replace=False))
    drawn = [("conv", G * K, F, S, 1, 1), ("norm",), ("conv", 3 * G, 1, 1, 0, G), ("fc", M)]
    one_by_one = ("conv", 3, 1, 1, 0, 1)
    wide = [("conv", 6, 3, 1, 1, 1), ("pool", 3, 2), ("conv", 5, 3, 1, 0, 1), ("fc", 4)]
    towers = [
        (*layer[:5], 2) if number in (3, 7, 8) else layer for number, layer in enumerate(LECTURE)
    ]
    return [
        Case("one convolution", ((32, 32, 3), [("conv", 10, 5, 1, 2, 1)])),
        Case("convolution and pooling", ((7, 7, 1), [("conv", 2, 3, 2, 1, 1), ("pool", 2, 1)])),
        Case("higher than wide", ((11, 7, 2), wide)),
        Case("the lecture's AlexNet", ((227, 227, 3), list(LECTURE))),
        Case("the paper's, in two towers", ((227, 227, 3), towers)),
        Case("drawn at random", ((H, W, C), drawn)),
        Case(
            "a pooling that does not fit", ((8, 8, 2), [one_by_one, ("pool", 3, 2)]), {}, ValueError
        ),
        Case(
            "a convolution that does not fit",
            ((8, 8, 2), [("norm",), ("conv", 4, 3, 2, 0, 1)]),
            {},
            ValueError,
        ),
    ]


ALEXNET_WINDOWS = [(11, 4), (3, 2), (5, 1), (3, 2), (3, 1), (3, 1), (3, 1), (3, 2)]


def _field_cases(rng):
    drawn = [(int(rng.integers(2, 8)), int(rng.integers(1, 4))) for _ in range(5)]
    return [
        Case("one convolution", ([(5, 2)],)),
        Case("three convolutions of 3×3", ([(3, 1)] * 3,)),
        Case("a stride, then a convolution", ([(3, 2), (4, 1)],)),
        Case("three layers", ([(4, 3), (2, 2), (5, 3)],)),
        Case("AlexNet's last pooling", (list(ALEXNET_WINDOWS),)),
        Case("drawn at random", ([(3, 2), *drawn],)),
    ]


def small_alexnet(input_shape, n_classes, *, dropout=0.5, rng, ops=fast.ops):
    """The network of this assignment."""
    H, _, _ = input_shape
    layers = [
        *(Conv(8, 4, pad=(34 - H) // 2), ReLU(), MaxPool(3, stride=2), LRN()),
        *(Conv(16, 3, pad=1), ReLU(), MaxPool(3, stride=2), LRN()),
        *(Conv(24, 3, pad=1), ReLU(), Conv(16, 3, pad=1), ReLU(), MaxPool(3, stride=2)),
        *(Flatten(), Affine(64), ReLU(), Dropout(dropout), Affine(n_classes)),
    ]
    return Sequential(layers, input_shape, rng=rng, ops=ops)


# Another table than the library's own, to see whether it is handed on.
_OTHER = replace(fast.ops)
_KINDS = [
    type(layer).__name__
    for layer in small_alexnet((28, 28, 1), 10, rng=np.random.default_rng(0)).layers
]


def describe(build, input_shape, n_classes, seed, options):
    """The network that `build` makes: the sizes of its layers, and whose operations they use."""
    options = {name: _OTHER if name == "ops" else value for name, value in options.items()}
    try:
        network = build(input_shape, n_classes, rng=np.random.default_rng(seed), **options)
    except ShapeError as error:
        raise RecordError(
            "build layers of which each fits what the one before gives. Compare the volumes with "
            "the table, from the image on: the first that differs is the one to look at. Here "
            f"{error}"
        ) from None
    if not isinstance(network, Sequential):
        what = "None" if network is None else type(network).__name__
        raise RecordError(f"return a network, a Sequential; this returned {what}")
    for number, (kind, layer) in enumerate(zip_longest(_KINDS, network.layers)):
        found = "missing" if layer is None else type(layer).__name__
        if found != kind:
            raise RecordError(
                f"layer {number}, counted from 0, is {found}, expected {kind or 'none'}; "
                f"there are {len(network.layers)} layers, expected {len(_KINDS)}"
            )
    other = build(input_shape, n_classes, rng=np.random.default_rng(seed + 1), **options)
    pairs = zip(network.parameters().values(), other.parameters().values(), strict=True)
    names = [f"{number} {kind}" for number, kind in enumerate(_KINDS)]
    counts = [sum(p.size for p in layer.params.values()) for layer in network.layers]
    rates = [layer.rate for layer in network.layers if isinstance(layer, Dropout)]
    return {
        "shapes": dict(zip(names, network.shapes[1:], strict=True)),
        "parameters": dict(zip(names, counts, strict=True)),
        "rate of dropout": rates,
        "ops handed on": int(network.ops is _OTHER if "ops" in options else True),
        "rng handed on": int(any((mine != theirs).any() for mine, theirs in pairs)),
    }


def _build_cases(rng):
    seed, classes, side = (int(rng.integers(*ends)) for ends in ((0, 999), (11, 30), (9, 14)))
    return [
        Case("28×28 gray images", ((28, 28, 1), 10, seed, {})),
        Case("32×32 color images", ((32, 32, 3), 10, seed, {})),
        Case(f"{classes} classes", ((28, 28, 3), classes, seed, {})),
        Case("another size", ((2 * side, 2 * side, 2), 5, seed, {})),
        Case("without dropout", ((28, 28, 1), 10, seed, {"dropout": 0.0})),
        Case("another table of operations", ((28, 28, 1), 10, seed, {"ops": "other"})),
    ]


def _network(seed):
    return small_alexnet((28, 28, 1), 10, dropout=0.0, rng=np.random.default_rng(seed))


def after_training(train, x, labels, x_test, test_labels, seed):
    """The classes that a network says with the weights that `train` leaves."""
    network, trained = _network(seed), _network(seed)
    train(trained, x, labels, rng=np.random.default_rng(seed + 1))
    changed = False
    for name, w in network.parameters().items():
        changed |= bool((w != trained.parameters()[name]).any())
        w[...] = trained.parameters()[name]
    if not changed:
        raise RecordError("no weight of the network has changed")
    with np.errstate(all="ignore"):  # diverged or not, it has an answer
        return network.predict(x_test)


def _drawn(rng, *counts):
    """Standardized images of the training and the test set, with their labels."""
    sets = data.load("fashion-mnist-small")
    preprocess = data.Standardize.fit(np.asarray(sets[0].images))
    for images, count in zip(sets, counts, strict=False):
        chosen = images.take(rng.permutation(len(images))[:count])
        yield from (preprocess(np.asarray(chosen.images)), chosen.labels.astype(int))


def _fifty(rng):
    x, labels = _drawn(rng, 50)
    return [Case("50 images", (x, labels, x, labels, int(rng.integers(1000))))]


def _many(rng):
    images = list(_drawn(rng, 2000, 1000))
    return [Case("1000 new images", (*images, int(rng.integers(1000))))]


def _true_labels(x, labels, x_test, test_labels, seed):
    return test_labels


def _several_answers(*rest, **options):
    return len(np.unique(rest[-1])) > 1


_ONE_ANSWER = Identity(
    "Every image gets the same answer",
    "A network that says one class for all has learned nothing, or has been broken: print the loss "
    "after each step. Growing or nan: steps that are too large, or uphill. Stuck near 2.3, the "
    "logarithm of 10: dead ReLUs after steps that were too large, steps that are far too small, or "
    "images and labels that do not belong together.",
    _several_answers,
)


def _share(x, labels, x_test, test_labels, seed, result):
    return np.mean(result == test_labels)


_GUESSING = Identity(
    "It is no better than guessing",
    "One image in ten is right by chance. Do the images and the labels of a batch belong together, "
    "taken with the same numbers from the same order? If they do, print the loss: does it fall?",
    lambda *rest: _share(*rest) > 0.2,
)


def _learned(look):
    """What is broken by every result with mistakes: only asked for where there are too many."""
    return Identity("It learns, but not enough yet", look, lambda *rest: _share(*rest) == 1)


_NOT_BY_HEART = _learned(
    "Print the loss every ten steps. Still falling at the end: more steps, or larger ones. "
    "Jumping: smaller ones. Is the velocity of each weight kept from step to step, and does every "
    "step take all images and change all weights?",
)
_NOT_ENOUGH = _learned(
    "Count your steps: is there one behind each batch, does every image come up once in an epoch, "
    "and are there several epochs? Print the loss of each epoch: still falling, more epochs or "
    "larger steps; jumping, smaller ones. Is the velocity, or the optimizer that keeps it, made "
    "once, before the loops?",
)


def probabilities(scores):
    shifted = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def ensemble_errors(scores, labels):
    """The error of each network, and of all together."""
    each = probabilities(scores)
    single = (each.argmax(axis=-1) != labels).mean(axis=1)
    return single, float((each.mean(axis=0).argmax(axis=-1) != labels).mean())


def _clear(scores):
    """The images about which nothing is decided by rounding."""
    each = probabilities(scores)
    ordered = np.sort(np.concatenate([each, each.mean(axis=0, keepdims=True)]), axis=-1)
    return (ordered[..., -1] - ordered[..., -2] > 1e-4).all(axis=0)


def _ensemble_case(rng, name, M, N, C, shift=0.0):
    """Scores of M networks of which each is sure in its own way; N is a power of 2."""
    labels = rng.integers(0, C, 2 * N)
    scores = rng.normal(size=(M, 2 * N, C)) + 1.2 * np.eye(C)[labels]
    scores = scores * rng.uniform(0.3, 5, (M, 2 * N, 1)) + shift * rng.normal(size=(M, 2 * N, 1))
    keep = np.flatnonzero(_clear(scores))[:N]
    return Case(name, (scores[:, keep], labels[keep]))


def _ensemble_cases(rng):
    return [
        _ensemble_case(rng, "two networks", 2, 16, 3),
        _ensemble_case(rng, "three networks", 3, 256, 4),
        _ensemble_case(rng, "seven networks", 7, 512, 10),
        _ensemble_case(rng, "large scores", 3, 64, 5, shift=1000.0),
    ]


def occlusion(predict, image, label, size):
    """How far the probability of a class falls where a gray square covers the image."""
    H, W, _ = image.shape
    drop = np.zeros((H - size + 1, W - size + 1))
    before = predict(image[np.newaxis])[0, label]
    for i, j in np.ndindex(drop.shape):
        covered = image.copy()
        covered[i : i + size, j : j + size] = 0
        drop[i, j] = before - predict(covered[np.newaxis])[0, label]
    return drop


class _Linear:
    """Answers that are sums of weighted pixels: what a square hides is easy to say."""

    def __init__(self, w):
        self.w = w

    def __call__(self, x):
        if np.ndim(x) != 4:
            raise ValueError(f"images come as (N, H, W, C), got shape {np.shape(x)}")
        return np.tensordot(x, self.w, 3)


def _occlusion_cases(rng):
    def case(name, H, W, C, classes, size):
        w = eighths(rng, H, W, C, classes)
        return Case(name, (_Linear(w), eighths(rng, H, W, C), int(rng.integers(1, classes)), size))

    return [
        case("a gray image", 4, 5, 1, 2, 2),
        case("all sizes different", 9, 12, 2, 5, 3),
        case("a square of one pixel", 3, 5, 2, 4, 1),
    ]


QUESTIONS = (
    Question(
        "a7.table",
        table,
        _table_cases,
        "alexnet_table",
        returns=("volumes", "parameters"),
        library=("shapes",),
    ),
    Question("a7.receptive_field", receptive_field, _field_cases, "receptive_field"),
    Question(
        "a7.build",
        lambda *args: describe(small_alexnet, *args),
        _build_cases,
        "small_alexnet",
        ask=describe,
        library=("layers", "model", "init", "shapes", "fast.ops"),
    ),
    Question(
        "a7.overfit",
        _true_labels,
        _fifty,
        "training",
        seconds=15.0,
        identities=(_ONE_ANSWER, _GUESSING, _NOT_BY_HEART),
        ask=after_training,
        least=48,
        library=("optim",),
    ),
    Question(
        "a7.train",
        _true_labels,
        _many,
        "training",
        seconds=25.0,
        identities=(_ONE_ANSWER, _GUESSING, _NOT_ENOUGH),
        ask=after_training,
        least=750,
        library=("optim",),
    ),
    Question(
        "a7.ensemble",
        ensemble_errors,
        _ensemble_cases,
        "ensemble_errors",
        returns=("single", "together"),
    ),
    Question("a7.occlusion", occlusion, _occlusion_cases, "occlusion"),
)
