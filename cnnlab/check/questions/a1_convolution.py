"""Assignment 1: the size of the output, convolution forward, and convolution with the flip."""

import numpy as np

from cnnlab.check.questions.base import Question, eighths
from cnnlab.check.record import Case
from cnnlab.ops import conv_forward
from cnnlab.shapes import output_size


def _conv_case(rng, name, x, w, **options):
    return Case(name, (eighths(rng, *x), eighths(rng, *w), eighths(rng, w[3])), options)


def _conv_cases(rng):
    # In the last all extents differ: a swapped axis has nowhere to hide.
    return [
        _conv_case(rng, "one filter, one channel", (1, 4, 4, 1), (3, 3, 1, 1)),
        _conv_case(rng, "square filters, padded", (2, 5, 4, 3), (3, 3, 3, 2), pad=1),
        _conv_case(rng, "stride 2", (2, 7, 9, 2), (3, 3, 2, 4), stride=2),
        _conv_case(rng, "stride 2 and padding", (3, 6, 10, 2), (2, 4, 2, 3), stride=2, pad=1),
        _conv_case(rng, "1×1 filters", (2, 3, 4, 5), (1, 1, 5, 3)),
        _conv_case(rng, "a batch, all sizes different", (2, 10, 9, 4), (5, 3, 4, 8)),
    ]


def _small_and_large(rng):
    small = _conv_case(rng, "9 positions", (1, 4, 4, 2), (2, 2, 2, 3))
    return small, _conv_case(rng, "1677 positions", (1, 44, 40, 2), (2, 2, 2, 3))


def _output_size_cases(rng):
    def case(size, kernel_size, *, stride=1, pad=0, note=""):
        given = [f"{size}, window {kernel_size}"]
        given += [f"stride {stride}"] * (stride > 1) + [f"pad {pad}"] * (pad > 0)
        room = size - kernel_size + 2 * pad
        raises = ValueError if room < 0 or room % stride else None
        note = ": does not fit" if raises else note
        return Case(
            ", ".join(given) + note, (size, kernel_size), {"stride": stride, "pad": pad}, raises
        )

    kernel_size, stride, pad, count = (int(rng.integers(low, 9)) for low in (3, 2, 1, 2))
    fits = (count - 1) * stride + kernel_size - 2 * pad
    # A stride drawn here may exceed the drawn count: keep the input at least one pixel.
    fits += stride * max(0, -(-(1 - fits) // stride))
    return [
        case(7, 3),
        case(7, 3, stride=2),
        case(7, 3, stride=3),
        case(7, 3, pad=1),
        case(32, 5, pad=2),
        case(227, 11, stride=4),
        case(5, 5, note=": just fits"),
        case(2, 5),
        # No room by just one stride: as a number of positions that is 0, which is not below 0.
        case(2, 3),
        case(4, 6, stride=2),
        case(2, 3, pad=1, note=": fits with the zeros"),
        case(9, 4, stride=3, pad=2),
        case(fits, kernel_size, stride=stride, pad=pad),
        case(fits + 1, kernel_size, stride=stride, pad=pad),
    ]


def _convolve_cases(rng):
    def case(name, image, kernel):
        return Case(name, (eighths(rng, *image), eighths(rng, *kernel)))

    star = np.zeros((3, 4))
    star[1, 2] = 1
    return [
        Case("a single star", (star, eighths(rng, 2, 3))),
        case("one pixel in each", (1, 1), (1, 1)),
        case("all sizes different", (4, 9), (3, 2)),
        case("a square kernel", (3, 5), (3, 3)),
        case("a row over a column", (1, 5), (3, 1)),
        case("a kernel that is larger than the image", (2, 3), (4, 5)),
    ]


def _convolve(image, kernel):
    FH, FW = kernel.shape
    padded = np.pad(image, ((FH - 1, FH - 1), (FW - 1, FW - 1)))
    turned = kernel[::-1, ::-1, None, None]
    return _conv_out(padded[None, :, :, None], turned, np.zeros(1))[0, :, :, 0]


def _conv_out(x, w, b, *, stride=1, pad=0):
    return conv_forward(x, w, b, stride=stride, pad=pad)[0]


QUESTIONS = (
    Question("a1.output_size", output_size, _output_size_cases, "output_size", library=()),
    Question("a1.conv_loops", _conv_out, _conv_cases, "conv_forward"),
    Question(
        "a1.conv_forward",
        _conv_out,
        _conv_cases,
        "conv_forward",
        returns=("out", "cache"),
        no_loops=_small_and_large,
        loop_at_most="Here one matrix product is to do all positions at once.",
    ),
    Question("a1.convolve", _convolve, _convolve_cases, "convolve"),
)
