"""Proofs of activations, normalization, dropout and losses."""

import math

import numpy as np
from hypothesis import strategies as st
from scipy import special

from proofs.base import Case, Proof, normal, run_onnx, to_nchw, to_nhwc

# Oracles.


def each(function):
    """The same function of every number, one by one."""

    def oracle(x, **options):
        out = np.empty(x.shape)
        for index in np.ndindex(x.shape):
            out[index] = function(float(x[index]), **options)
        return out

    return oracle


def prelu_loops(x, slope):
    out = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        leak = slope[index[-1]] if len(slope) > 1 else slope[0]
        out[index] = x[index] if x[index] > 0 else leak * x[index]
    return out


def rows(function):
    """The same function of every list of numbers along the last axis."""

    def oracle(x, **options):
        flat = [function([float(v) for v in row], **options) for row in x.reshape(-1, x.shape[-1])]
        return np.array(flat).reshape(*x.shape[:-1], -1)

    return oracle


def maxout_row(row, *, pieces=2):
    return [max(row[start : start + pieces]) for start in range(0, len(row), pieces)]


def softmax_row(row):
    total = math.fsum(math.exp(v) for v in row)
    return [math.exp(v) / total for v in row]


def lrn_row(row, *, n=5, k=2.0, alpha=1e-4, beta=0.75):
    out = []
    for i, a in enumerate(row):
        first, last = max(0, i - n // 2), min(len(row) - 1, i + n // 2)
        energy = sum(row[j] ** 2 for j in range(first, last + 1))
        out.append(a / (k + alpha * energy) ** beta)
    return out


def single(*options):
    """Whether ONNX, which keeps options in single precision, can take them as they are."""
    return all(float(np.float32(option)) == option for option in options)


def lrn_onnx(x, *, n=5, k=2.0, alpha=1e-4, beta=0.75):
    # ONNX divides alpha by the size of the window.
    if x.ndim != 4 or not single(k, alpha * n, beta):
        return None
    # The evaluator walks over as many channels as there are images: give it as many.
    batches = (np.repeat(image[None], x.shape[3], axis=0) for image in x)
    options = {"size": n, "bias": k, "alpha": alpha * n, "beta": beta}
    return np.array([to_nhwc(run_onnx("LRN", to_nchw(batch), **options))[0] for batch in batches])


def leaky_relu_onnx(x, *, slope=0.01):
    return run_onnx("LeakyRelu", x, alpha=slope) if single(slope) else None


def elu_onnx(x, *, alpha=1.0):
    return run_onnx("Elu", x, alpha=alpha) if single(alpha) else None


def batch_norm_loops(x, gamma, beta, *, mean=None, var=None, eps=1e-5):
    out = np.empty(x.shape)
    for c in range(x.shape[-1]):
        values = [float(v) for v in x[..., c].ravel()]
        if mean is None:
            mu = math.fsum(values) / len(values)
            variance = math.fsum((v - mu) ** 2 for v in values) / len(values)
        else:
            mu, variance = mean[c], var[c]
        scaled = [gamma[c] * (v - mu) / math.sqrt(variance + eps) + beta[c] for v in values]
        out[..., c] = np.reshape(scaled, x.shape[:-1])
    return out


def batch_norm_onnx(x, gamma, beta, *, mean=None, var=None, eps=1e-5):
    if not single(eps):
        return None
    if mean is None:
        start = np.zeros_like(gamma), np.ones_like(gamma)
        inputs, options = (to_nchw(x), gamma, beta, *start), {"training_mode": 1, "outputs": 3}
        return to_nhwc(run_onnx("BatchNormalization", *inputs, epsilon=eps, **options)[0])
    return to_nhwc(run_onnx("BatchNormalization", to_nchw(x), gamma, beta, mean, var, epsilon=eps))


def dropout_loops(x, *, rate=0.5, rng, training=True):
    if not training:
        return x
    draws = np.random.default_rng(rng).random(x.shape)
    out = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        if draws[index] >= rate:
            out[index] = x[index] / (1 - rate)
    return out


def softmax_loss_loops(x, y):
    losses = [
        math.log(math.fsum(math.exp(v) for v in row)) - row[i] for row, i in zip(x, y, strict=True)
    ]
    return math.fsum(losses) / len(losses)


def hinge_loss_loops(x, y, *, margin=1.0):
    total = 0.0
    for row, label in zip(x, y, strict=True):
        for c, score in enumerate(row):
            if c != label:
                total += max(0.0, score - row[label] + margin)
    return total / len(x)


def l2_loops(w, *, strength):
    return strength * math.fsum(float(v) ** 2 for v in w.ravel()) / 2


# Cases.

VOLUME, ROW = Case("volume", (normal(3, 2, 4, 6),)), Case("row", (normal(3, 6),))
LIST = Case("numbers", (normal(6, seed=3),))
ANY = (VOLUME, ROW, LIST)


def with_options(*cases, **options):
    return tuple(Case(case.id, case.arguments, options) for case in cases)


def feature_case(name, *shape, given=False, **options):
    C = shape[-1]
    arrays = 3 * normal(*shape) + 1, normal(C, seed=1), normal(C, seed=2)
    if given:
        options |= {"mean": normal(C, seed=3), "var": normal(C, seed=4) ** 2 + 0.5}
    return Case(name, arrays, options)


def loss_case(name, N, C, **options):
    labels = np.random.default_rng(5).integers(0, C, N)
    return Case(name, (2 * normal(N, C), labels), options)


shapes = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)
seeds = st.integers(0, 1000)
positive = st.floats(0.125, 2.0, width=32)


def randomly(**options):
    """Any shape, and options drawn from these strategies."""
    return st.builds(
        lambda shape, seed, options: Case("random", (normal(*shape, seed=seed),), options),
        shapes,
        seeds,
        st.fixed_dictionaries(options),
    )


@st.composite
def random_prelu(draw):
    shape = draw(shapes)
    slopes = draw(st.sampled_from([1, shape[-1]]))
    return Case("random", (normal(*shape, seed=draw(seeds)), normal(slopes, seed=1)))


@st.composite
def random_maxout(draw):
    shape, pieces = draw(shapes), draw(st.integers(1, 4))
    x = normal(*shape[:-1], shape[-1] * pieces, seed=draw(seeds))
    return Case("random", (x,), {"pieces": pieces})


@st.composite
def random_batch_norm(draw):
    # In training at least three numbers for each feature: of two, only the sign is left.
    shape = draw(st.integers(3, 5)), *draw(shapes)[:3]
    options = {"eps": draw(st.sampled_from([1e-5, 2**-20, 2**-7])), "given": draw(st.booleans())}
    return feature_case("random", *shape, **options)


@st.composite
def random_loss(draw, **options):
    N, C = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    return loss_case("random", N, C, **{name: draw(value) for name, value in options.items()})


PROOFS = (
    Proof(
        "sigmoid",
        ANY,
        {
            "loops": each(lambda v: 1 / (1 + math.exp(-v))),
            "scipy.special.expit": special.expit,
            "ONNX Sigmoid": lambda x: run_onnx("Sigmoid", x),
        },
        randomly(),
    ),
    Proof(
        "tanh",
        ANY,
        {"loops": each(math.tanh), "ONNX Tanh": lambda x: run_onnx("Tanh", x)},
        randomly(),
    ),
    Proof(
        "relu",
        ANY,
        {"loops": each(lambda v: max(0.0, v)), "ONNX Relu": lambda x: run_onnx("Relu", x)},
        randomly(),
        homogeneous_in=(0,),
    ),
    Proof(
        "leaky_relu",
        (*ANY, *with_options(Case("steep", VOLUME.arguments), slope=0.25)),
        {
            "loops": each(lambda v, slope=0.01: v if v > 0 else slope * v),
            "ONNX LeakyRelu": leaky_relu_onnx,
        },
        randomly(slope=st.floats(-0.5, 0.875, width=32)),
        homogeneous_in=(0,),
    ),
    Proof(
        "prelu",
        (
            Case("volume", (normal(3, 2, 4, 6), normal(6, seed=1))),
            Case("row", (normal(3, 6), normal(6, seed=1))),
            Case("shared", (normal(3, 2, 4, 5), normal(1, seed=1))),
        ),
        {"loops": prelu_loops, "ONNX PRelu": lambda x, slope: run_onnx("PRelu", x, slope)},
        random_prelu(),
        homogeneous_in=(0,),
    ),
    Proof(
        "elu",
        (*ANY, *with_options(Case("deep", VOLUME.arguments), alpha=2.5)),
        {
            "loops": each(lambda v, alpha=1.0: v if v > 0 else alpha * (math.exp(v) - 1)),
            "ONNX Elu": elu_onnx,
        },
        randomly(alpha=positive),
    ),
    Proof(
        "maxout",
        (*ANY, *with_options(Case("three-pieces", VOLUME.arguments), pieces=3)),
        {"loops": rows(maxout_row)},
        random_maxout(),
        homogeneous_in=(0,),
    ),
    Proof(
        "softmax",
        ANY,
        {
            "loops": rows(softmax_row),
            "scipy.special.softmax": lambda x: special.softmax(x, axis=-1),
            "ONNX Softmax": lambda x: run_onnx("Softmax", x, axis=-1),
        },
        randomly(),
    ),
    Proof(
        "batch_norm",
        (
            feature_case("affine", 3, 4),
            feature_case("convolutional", 3, 2, 4, 5),
            feature_case("large-eps", 5, 2, 3, eps=0.125),
            feature_case("small-eps", 3, 2, 4, 5, eps=2**-20),
            feature_case("test-time", 3, 2, 4, 5, given=True),
            feature_case("test-time-affine", 3, 4, given=True, eps=2**-10),
        ),
        {"loops": batch_norm_loops, "ONNX BatchNormalization": batch_norm_onnx},
        random_batch_norm(),
        homogeneous_in=(1,),
        zeroed=(2,),
        per_image=False,
    ),
    Proof(
        "lrn",
        (
            Case("alexnet", (20 * normal(3, 2, 4, 7),)),
            *with_options(Case("strong", VOLUME.arguments), n=3, k=1.0, alpha=0.5, beta=0.75),
            *with_options(Case("wide", VOLUME.arguments), n=13, k=0.5, alpha=0.25, beta=1.5),
            *with_options(Case("alone", ROW.arguments), n=1, k=1.0, alpha=2.0, beta=0.5),
        ),
        {"loops": rows(lrn_row), "ONNX LRN": lrn_onnx},
        randomly(n=st.sampled_from([1, 3, 5, 9]), k=positive, alpha=positive, beta=positive),
    ),
    Proof(
        "dropout",
        (
            *with_options(VOLUME, rng=3),
            *with_options(Case("often", ROW.arguments), rate=0.8, rng=4),
            *with_options(Case("never", ROW.arguments), rate=0.0, rng=5),
            *with_options(Case("test-time", LIST.arguments), rng=6, training=False),
        ),
        {"loops": dropout_loops},
        randomly(rate=st.floats(0, 0.875), rng=seeds, training=st.booleans()),
        homogeneous_in=(0,),
        per_image=False,
    ),
    Proof(
        "softmax_loss",
        (loss_case("batch", 3, 4), loss_case("one", 1, 5), loss_case("two-classes", 6, 2)),
        {
            "loops": softmax_loss_loops,
            "ONNX SoftmaxCrossEntropyLoss": lambda x, y: run_onnx(
                "SoftmaxCrossEntropyLoss", x, y, reduction="mean"
            ),
        },
        random_loss(),
        batched=(0, 1),
        per_image=False,
    ),
    Proof(
        "hinge_loss",
        (loss_case("batch", 3, 4), loss_case("one", 1, 5), loss_case("wide", 6, 3, margin=2.5)),
        {"loops": hinge_loss_loops},
        random_loss(margin=positive),
        batched=(0, 1),
        per_image=False,
    ),
    Proof(
        "l2",
        with_options(
            Case("filters", (normal(3, 2, 4, 5),)), Case("row", (normal(3),)), strength=0.3
        ),
        {"loops": l2_loops},
        randomly(strength=positive),
        batched=(),
        per_image=False,
    ),
)
