"""Proofs of the operations that slide a window, and of the fully connected one."""

import numpy as np
from hypothesis import strategies as st
from scipy import signal

from proofs.base import Case, Proof, normal, pair, run_onnx, to_nchw, to_nhwc

# Oracles.


def padded(x, pad):
    PH, PW = pair(pad)
    return np.pad(x, ((0, 0), (PH, PH), (PW, PW), (0, 0)))


def windows(x, kernel_size, stride):
    """(n, i, j), window for every position, one by one."""
    (FH, FW), (SH, SW) = pair(kernel_size), pair(stride)
    N, H, W, _ = x.shape
    for n in range(N):
        for i in range((H - FH) // SH + 1):
            for j in range((W - FW) // SW + 1):
                yield (n, i, j), x[n, i * SH : i * SH + FH, j * SW : j * SW + FW]


def output(x, kernel_size, stride, channels):
    """An empty output of the right size."""
    (FH, FW), (SH, SW) = pair(kernel_size), pair(stride)
    N, H, W, _ = x.shape
    return np.zeros((N, (H - FH) // SH + 1, (W - FW) // SW + 1, channels))


def slide(x, kernel_size, stride, pad, dot):
    """dot(window, i, j) → K numbers, at every position."""
    x, answers = padded(x, pad), {}
    for place, window in windows(x, kernel_size, stride):
        answers[place] = dot(window, *place[1:])
    K = len(next(iter(answers.values()), []))
    out = output(x, kernel_size, stride, K)
    for place, answer in answers.items():
        out[place] = answer
    return out


def conv_loops(x, w, b, *, stride=1, pad=0, groups=1):
    D, K = w.shape[2], w.shape[3]

    def dot(window, i, j):
        answer = np.array(b, float)
        for k in range(K):
            first = k // (K // groups) * D
            for index in np.ndindex(w.shape[:3]):
                u, v, c = index
                answer[k] += window[u, v, first + c] * w[u, v, c, k]
        return answer

    return slide(x, w.shape[:2], stride, pad, dot) if len(x) else None


def conv_scipy(x, w, b, *, stride=1, pad=0, groups=1):
    if groups > 1 or not len(x):
        return None
    SH, SW = pair(stride)
    maps = [
        [signal.correlate(image, w[..., k], mode="valid")[::SH, ::SW, 0] + b[k] for image in images]
        for images in [padded(x, pad)]
        for k in range(w.shape[3])
    ]
    return np.moveaxis(np.array(maps), 0, -1)


def conv_onnx(x, w, b, *, stride=1, pad=0, groups=1):
    filters = np.ascontiguousarray(w.transpose(3, 2, 0, 1))
    out = run_onnx(
        "Conv", to_nchw(x), filters, b, strides=pair(stride), pads=pair(pad) * 2, group=groups
    )
    return to_nhwc(out)


def tiled_loops(x, w, b, *, stride=1, pad=0):
    TH, TW = w.shape[:2]

    def dot(window, i, j):
        answer = np.array(b[i % TH, j % TW], float)
        for k in range(w.shape[5]):
            for index in np.ndindex(w.shape[2:5]):
                answer[k] += window[index] * w[(i % TH, j % TW, *index, k)]
        return answer

    return slide(x, w.shape[2:4], stride, pad, dot)


def tiled_scipy(x, w, b, *, stride=1, pad=0):
    """Every set of filters over the whole image; then from each what is its turn."""
    (SH, SW), (TH, TW) = pair(stride), w.shape[:2]
    full = np.array(
        [
            [
                [
                    [
                        signal.correlate(image, w[p, q, ..., k], mode="valid")[::SH, ::SW, 0]
                        + b[p, q, k]
                        for k in range(w.shape[5])
                    ]
                    for image in padded(x, pad)
                ]
                for q in range(TW)
            ]
            for p in range(TH)
        ]
    )
    full = np.moveaxis(full, 3, -1)
    out = np.empty(full.shape[2:])
    for i, j in np.ndindex(out.shape[1:3]):
        out[:, i, j] = full[i % TH, j % TW, :, i, j]
    return out


def pool_loops(summarize):
    def oracle(x, *, kernel_size=2, stride=None):
        stride = kernel_size if stride is None else stride
        out = output(x, kernel_size, stride, x.shape[3])
        for place, window in windows(x, kernel_size, stride):
            for c in range(x.shape[3]):
                out[(*place, c)] = summarize([float(value) for value in window[:, :, c].ravel()])
        return out

    return oracle


def pool_onnx(operator):
    def oracle(x, *, kernel_size=2, stride=None):
        stride = kernel_size if stride is None else stride
        out = run_onnx(operator, to_nchw(x), kernel_shape=pair(kernel_size), strides=pair(stride))
        return to_nhwc(out)

    return oracle


def affine_loops(x, w, b):
    out = np.empty((len(x), w.shape[1]))
    for n, m in np.ndindex(out.shape):
        out[n, m] = b[m] + sum(x[n, d] * w[d, m] for d in range(w.shape[0]))
    return out


def flatten_loops(x):
    return np.array([[x[(n, *i)] for i in np.ndindex(x.shape[1:])] for n in range(len(x))])


# Cases: N, H, W, C, K, FH, FW, and tiles differ from each other.


def conv_case(name, sizes, stride=1, pad=0, groups=1):
    N, H, W, C, K, FH, FW = sizes
    arrays = normal(N, H, W, C), normal(FH, FW, C // groups, K, seed=1), normal(K, seed=2)
    options = {"stride": stride, "pad": pad}
    return Case(name, arrays, options | ({"groups": groups} if groups > 1 else {}))


def tiled_case(name, sizes, tile, stride=1, pad=0):
    """As many sets of filters as the tile has places."""
    N, H, W, C, K, FH, FW = sizes
    arrays = normal(N, H, W, C), normal(*tile, FH, FW, C, K, seed=1), normal(*tile, K, seed=2)
    return Case(name, arrays, {"stride": stride, "pad": pad})


def local_case(name, sizes, stride=1, pad=0):
    _, H, W, _, _, FH, FW = sizes
    (SH, SW), (PH, PW) = pair(stride), pair(pad)
    positions = (H - FH + 2 * PH) // SH + 1, (W - FW + 2 * PW) // SW + 1
    return tiled_case(name, sizes, positions, stride, pad)


def pool_case(name, shape, kernel_size, stride=None):
    return Case(name, (normal(*shape),), {"kernel_size": kernel_size, "stride": stride})


POOLS = (
    pool_case("overlapping", (3, 7, 9, 4), 3, 2),
    pool_case("2x2", (3, 6, 8, 5), 2),
    pool_case("not-square", (5, 6, 8, 3), (2, 4)),
    pool_case("stride-by-axis", (5, 7, 8, 3), (4, 2), (1, 3)),
    pool_case("stride-leaves-gaps", (2, 7, 6, 3), (1, 2), (3, 4)),
    pool_case("global", (2, 4, 6, 3), (4, 6)),
    pool_case("1x1", (2, 4, 6, 3), 1),
)


@st.composite
def slides(draw, *, most_pad=2):
    """((H, W), (FH, FW), stride, pad) that fit together."""
    axes = []
    for _ in range(2):
        F, S, P = draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(0, most_pad))
        positions = draw(st.integers(1, 4))
        size = (positions - 1) * S + F - 2 * P
        if size < 1:
            P, size = 0, (positions - 1) * S + F
        axes.append((size, F, S, P, positions))
    return tuple(zip(*axes, strict=True))


@st.composite
def random_conv(draw):
    (H, W), (FH, FW), stride, pad, _ = draw(slides())
    groups = draw(st.integers(1, 3))
    C, K = groups * draw(st.integers(1, 3)), groups * draw(st.integers(1, 3))
    return conv_case("random", (draw(st.integers(1, 3)), H, W, C, K, FH, FW), stride, pad, groups)


@st.composite
def random_tiled(draw, *, local=False):
    (H, W), (FH, FW), stride, pad, positions = draw(slides())
    sizes = (*draw(st.tuples(st.integers(1, 3))), H, W, *draw(st.tuples(*[st.integers(1, 3)] * 2)))
    tile = positions if local else tuple(draw(st.integers(1, most)) for most in positions)
    return tiled_case("random", (*sizes, FH, FW), tile, stride, pad)


@st.composite
def random_pool(draw):
    (H, W), kernel_size, stride, _, _ = draw(slides(most_pad=0))
    N, C = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    return pool_case("random", (N, H, W, C), kernel_size, stride)


@st.composite
def random_affine(draw):
    N, D, M = (draw(st.integers(1, 6)) for _ in range(3))
    return Case("random", (normal(N, D), normal(D, M, seed=1), normal(M, seed=2)))


@st.composite
def random_volume(draw):
    return Case("random", (normal(*draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))),))


PROOFS = (
    Proof(
        "conv",
        (
            conv_case("stride-2-padded", (3, 8, 9, 2, 5, 4, 7), 2, (1, 2)),
            conv_case("unpadded", (2, 7, 9, 3, 5, 4, 6)),
            conv_case("padded", (2, 7, 9, 3, 5, 4, 6), 1, (1, 2)),
            conv_case("stride-2", (2, 8, 11, 3, 4, 6, 5), 2),
            conv_case("stride-by-axis", (3, 7, 10, 2, 5, 1, 4), (2, 3)),
            conv_case("stride-leaves-gaps", (2, 7, 10, 3, 5, 1, 4), (3, 2)),
            conv_case("1x1", (3, 4, 6, 2, 5, 1, 1)),
            conv_case("filter-covers-image", (3, 4, 6, 2, 5, 4, 6)),
            conv_case("padding-beyond-the-filter", (1, 5, 4, 2, 3, 3, 2), 1, 3),
            conv_case("two-towers", (3, 5, 7, 4, 6, 2, 3), 1, (1, 0), groups=2),
            conv_case("three-towers-strided", (2, 7, 8, 9, 6, 3, 4), 2, 0, groups=3),
            conv_case("depthwise", (2, 5, 6, 3, 3, 2, 4), groups=3),
        ),
        {"loops": conv_loops, "scipy.signal.correlate": conv_scipy, "ONNX Conv": conv_onnx},
        random_conv(),
        homogeneous_in=(0, 1),
        zeroed=(2,),
    ),
    Proof(
        "local",
        (
            local_case("padded", (3, 4, 6, 2, 5, 3, 4), 1, (1, 0)),
            local_case("unpadded", (2, 4, 7, 3, 5, 2, 6)),
            local_case("strided", (2, 7, 8, 3, 4, 5, 2), (2, 3)),
            local_case("1x1", (2, 3, 5, 4, 6, 1, 1)),
            local_case("filter-covers-image", (2, 3, 5, 4, 6, 3, 5)),
        ),
        {"loops": tiled_loops, "scipy.signal.correlate": tiled_scipy},
        random_tiled(local=True),
        homogeneous_in=(0, 1),
        zeroed=(2,),
    ),
    Proof(
        "tiled",
        (
            tiled_case("padded", (3, 5, 8, 2, 6, 3, 4), (2, 3), 1, (1, 0)),
            tiled_case("unpadded", (2, 6, 8, 3, 5, 4, 2), (1, 3)),
            tiled_case("strided", (2, 9, 8, 3, 4, 5, 2), (2, 1), (2, 3)),
            tiled_case("tile-does-not-divide", (2, 8, 6, 3, 5, 4, 1), (3, 4)),
            tiled_case("1x1", (2, 3, 5, 4, 6, 1, 1), (3, 2)),
        ),
        {"loops": tiled_loops, "scipy.signal.correlate": tiled_scipy},
        random_tiled(),
        homogeneous_in=(0, 1),
        zeroed=(2,),
    ),
    Proof(
        "max_pool",
        POOLS,
        {"loops": pool_loops(max), "ONNX MaxPool": pool_onnx("MaxPool")},
        random_pool(),
        homogeneous_in=(0,),
        keeps_integers=True,
    ),
    Proof(
        "avg_pool",
        POOLS,
        {
            "loops": pool_loops(lambda values: sum(values) / len(values)),
            "ONNX AveragePool": pool_onnx("AveragePool"),
        },
        random_pool(),
        homogeneous_in=(0,),
    ),
    Proof(
        "flatten",
        (
            Case("volume", (normal(3, 2, 4, 5),)),
            Case("row", (normal(3, 7),)),
            Case("numbers", (normal(3),)),
        ),
        {"loops": flatten_loops, "ONNX Flatten": lambda x: run_onnx("Flatten", x, axis=1)},
        random_volume(),
        homogeneous_in=(0,),
        keeps_integers=True,
    ),
    Proof(
        "affine",
        (
            Case("plain", (normal(3, 6), normal(6, 4, seed=1), normal(4, seed=2))),
            Case("one-output", (normal(3, 5), normal(5, 1, seed=1), normal(1, seed=2))),
            Case("one-input", (normal(4, 1), normal(1, 3, seed=1), normal(3, seed=2))),
        ),
        {"loops": affine_loops, "ONNX Gemm": lambda x, w, b: run_onnx("Gemm", x, w, b)},
        random_affine(),
        homogeneous_in=(0, 1),
        zeroed=(2,),
    ),
)
