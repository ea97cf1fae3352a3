"""Assignment 2: layers that share less than a convolution, and pooling."""

import math

import numpy as np

from cnnlab import ops
from cnnlab.check.questions.base import Question, eighths
from cnnlab.check.record import Case
from cnnlab.shapes import affine_parameters, conv_parameters, output_size


def _sharing_case(rng, name, x, w, tile=None, *, stride=1, pad=0):
    """A set of filters for each place of the tile, or for each position."""
    (_, H, W, _), (FH, FW, _, K) = x, w
    OH = output_size(H, FH, stride=stride, pad=pad)
    OW = output_size(W, FW, stride=stride, pad=pad)
    sets = tile or (OH, OW)
    options = {"stride": stride, "pad": pad} if (stride, pad) != (1, 0) else {}
    return Case(name, (eighths(rng, *x), eighths(rng, *sets, *w), eighths(rng, *sets, K)), options)


def _local_cases(rng):
    # The first is small enough to follow by hand; in the others all extents differ.
    return [
        _sharing_case(rng, "one filter, one channel", (1, 3, 4, 1), (2, 2, 1, 1)),
        _sharing_case(rng, "a batch, all sizes different", (2, 9, 11, 5), (3, 4, 5, 6)),
        _sharing_case(rng, "square filters, padded", (2, 5, 4, 3), (3, 3, 3, 2), pad=1),
        _sharing_case(rng, "stride 2, a square of outputs", (2, 7, 9, 2), (3, 5, 2, 4), stride=2),
        _sharing_case(rng, "stride 2 and padding", (3, 6, 10, 2), (2, 4, 2, 3), stride=2, pad=1),
        _sharing_case(rng, "1×1 filters", (2, 3, 4, 5), (1, 1, 5, 3)),
    ]


def _tiled_cases(rng):
    def case(name, x, w, tile, **options):
        return _sharing_case(rng, name, x, w, tile, **options)

    return [
        case("two filters take turns along a row", (1, 3, 6, 1), (2, 2, 1, 1), (1, 2)),
        case("one tile: a convolution", (2, 5, 7, 3), (3, 2, 3, 4), (1, 1)),
        case("a tile of 2×3, all sizes different", (4, 13, 15, 7), (5, 6, 7, 8), (2, 3)),
        case("square filters, padded", (2, 5, 4, 3), (3, 3, 3, 2), (3, 2), pad=1),
        case("stride 2", (2, 7, 11, 2), (3, 3, 2, 4), (2, 2), stride=2),
        case("stride 2 and padding", (3, 6, 10, 2), (2, 4, 2, 3), (3, 2), stride=2, pad=1),
        case("a tile for every position: locally connected", (2, 4, 6, 3), (3, 2, 3, 4), (2, 5)),
    ]


class _Layer:
    """(H, W) → (H, W): windows on a padded image, and something that each place adds for itself."""

    def __init__(self, w, of_place=0.0):
        self.w, self.of_place = w, of_place

    def __call__(self, image):
        (TH, TW, F, *_), x = self.w.shape, np.asarray(image)[None, :, :, None]
        out, _ = ops.tiled_forward(x, self.w, np.zeros((TH, TW, 1)), pad=F // 2)
        return out[0, :, :, 0] + self.of_place


def _shift_cases(rng):
    def case(name, size, tile, F, rows, columns, of_place=0.0):
        layer = _Layer(eighths(rng, *tile, F, F, 1, 1), of_place)
        return Case(name, (layer, eighths(rng, *size), rows, columns))

    return [
        case("a convolution, one column to the right", (4, 5), (1, 1), 3, 0, 1),
        case("a convolution, two rows down", (6, 5), (1, 1), 3, 2, 0),
        case("a convolution, both", (7, 9), (1, 1), 3, 1, 3),
        case("two sets take turns", (6, 8), (1, 2), 3, 1, 2),
        case("locally connected", (5, 7), (5, 7), 3, 2, 1),
        case("each place adds its own", (4, 6), (1, 1), 1, 1, 2, np.arange(24.0).reshape(4, 6)),
        case("no shift at all", (5, 4), (5, 4), 3, 0, 0),
    ]


def _shift(image, rows, columns):
    return np.pad(image, ((rows, 0), (columns, 0)))[: image.shape[0], : image.shape[1]]


def _follows_shift(layer, image, rows, columns):
    both = layer(_shift(image, rows, columns)), _shift(layer(image), rows, columns)
    return np.isclose(*both)


def _affine_cases(rng):
    def case(name, shape, units):
        return Case(name, (eighths(rng, math.prod(shape), units), shape))

    return [
        case("one unit, one channel", (2, 3, 1), 1),
        case("all sizes different", (3, 4, 2), 5),
        case("a square image", (3, 3, 4), 2),
        case("one row", (1, 4, 3), 2),
    ]


def _count_cases(rng):
    def case(name, size_in, kernel_size, filters, tile, stride=1):
        sizes = zip(size_in[:2], kernel_size, strict=True)
        out = (*(output_size(size, F, stride=stride) for size, F in sizes), filters)
        return Case(name, (size_in, out, kernel_size, tile))

    FH, FW, C, K, TH, TW = (int(rng.integers(*bounds)) for bounds in _BOUNDS)
    return [
        case("one number in, one number out", (1, 1, 1), (1, 1), 1, (1, 1)),
        case("32×32×3, ten 5×5 filters", (32, 32, 3), (5, 5), 10, (2, 2)),
        case("the first layer of AlexNet", (227, 227, 3), (11, 11), 96, (5, 5), 4),
        case("all sizes different", (9, 13, 5), (3, 2), 4, (6, 8)),
        case("drawn at random", (FH + 11, FW + 16, C), (FH, FW), K, (TH, TW)),
    ]


_BOUNDS = ((2, 4), (4, 6), (6, 9), (9, 12), (2, 4), (4, 6))


def _pool_case(rng, name, x, kernel_size, stride, draw=eighths):
    # Divided by FH·FW, as an average does, these are still exact.
    x = draw(rng, *x) * math.prod(kernel_size)
    return Case(name, (x,), {"kernel_size": kernel_size, "stride": stride})


def _pool_cases(rng):
    # In the first windows lie side by side.
    return [
        _pool_case(rng, "one image, one channel", (1, 4, 6, 1), (2, 2), 2),
        _pool_case(
            rng, "windows of 4×5, all sizes different", (3, 16, 19, 6), (4, 5), 2, _shuffled
        ),
        _pool_case(rng, "overlapping windows, 3×3 at stride 2", (2, 7, 5, 3), (3, 3), 2),
        _pool_case(rng, "windows of 3×2 at stride 1", (2, 5, 4, 3), (3, 2), 1),
        _pool_case(rng, "no number above zero", (2, 4, 5, 3), (2, 3), 2, _below_zero),
        _pool_case(rng, "gaps between the windows", (2, 5, 7, 3), (2, 1), 3),
    ]


def _below_zero(rng, *shape):
    """Far below: no number that a search might start at is low enough."""
    return (-1 - abs(eighths(rng, *shape))) * 2**20


def _shuffled(rng, *shape):
    """No two alike, so that a place is never hidden by an equal number elsewhere."""
    count = math.prod(shape)
    return (rng.permutation(count).reshape(shape) - count // 2) / 8


def _small_and_large(rng):
    small = _pool_case(rng, "8 positions", (2, 4, 4, 2), (2, 2), 2)
    return small, _pool_case(rng, "3200 positions", (2, 80, 80, 2), (2, 2), 2)


def _local_out(x, w, b, *, stride=1, pad=0):
    return ops.local_forward(x, w, b, stride=stride, pad=pad)[0]


def _tiled_out(x, w, b, *, stride=1, pad=0):
    return ops.tiled_forward(x, w, b, stride=stride, pad=pad)[0]


def _affine_as_conv(w, shape):
    return w.reshape(*shape, w.shape[1])


def _parameter_counts(size_in, size_out, kernel_size, tile):
    (*positions, K), C = size_out, size_in[2]
    dense = affine_parameters(math.prod(size_in), math.prod(size_out))
    sets = (tuple(positions), tile, 1)
    return sum(dense), *(sum(conv_parameters(kernel_size, C, K, tile=one)) for one in sets)


def _max_pool_out(x, *, kernel_size, stride):
    return ops.max_pool_forward(x, kernel_size=kernel_size, stride=stride)[0]


def _avg_pool_out(x, *, kernel_size, stride):
    return ops.avg_pool_forward(x, kernel_size=kernel_size, stride=stride)[0]


QUESTIONS = (
    Question("a2.local_forward", _local_out, _local_cases, "local_forward"),
    Question(
        "a2.tiled_forward",
        _tiled_out,
        _tiled_cases,
        "tiled_forward",
        library=("shapes.output_size", "ops.conv_forward"),
    ),
    Question("a2.equivariance", _follows_shift, _shift_cases, "follows_shift"),
    Question("a2.affine_as_conv", _affine_as_conv, _affine_cases, "affine_as_conv"),
    Question(
        "a2.parameter_counts",
        _parameter_counts,
        _count_cases,
        "parameter_counts",
        returns=("dense", "local", "tiled", "conv"),
    ),
    Question("a2.max_pool_forward", _max_pool_out, _pool_cases, "max_pool_forward"),
    Question(
        "a2.avg_pool_forward",
        _avg_pool_out,
        _pool_cases,
        "avg_pool_forward",
        library=("shapes.output_size", "ops.conv_forward"),
    ),
    Question(
        "a2.max_pool_fast",
        _max_pool_out,
        _pool_cases,
        "max_pool_forward",
        no_loops=_small_and_large,
    ),
)
