import re

import numpy as np
import pytest

from cnnlab.shapes import (
    ShapeError,
    affine_parameters,
    as_upstream,
    conv_parameters,
    expect_floats,
    expect_generator,
    expect_groups,
    expect_number,
    expect_rank,
    expect_whole,
    memory,
    output_size,
    pair,
    receptive_field,
)


def positions(size, kernel_size, stride, pad):
    """Every start of a window that lies inside the padded input, counted one by one."""
    return [
        start for start in range(0, size + 2 * pad, stride) if start + kernel_size <= size + 2 * pad
    ]


@pytest.mark.parametrize(
    ("size", "kernel_size", "stride", "pad", "expected"),
    [
        pytest.param(7, 3, 1, 0, 5, id="lecture-stride-1"),
        pytest.param(7, 3, 2, 0, 3, id="lecture-stride-2"),
        pytest.param(7, 3, 1, 1, 7, id="lecture-pad-1-keeps-7"),
        pytest.param(32, 5, 1, 0, 28, id="lecture-32-to-28"),
        pytest.param(32, 5, 1, 2, 32, id="lecture-ten-5x5-pad-2"),
        pytest.param(227, 11, 4, 0, 55, id="alexnet-conv1"),
        pytest.param(55, 3, 2, 0, 27, id="alexnet-pool1"),
        pytest.param(1, 1, 1, 0, 1, id="one-pixel"),
        pytest.param(4, 4, 3, 0, 1, id="window-covers-input"),
        pytest.param(1, 3, 1, 1, 1, id="window-larger-than-unpadded-input"),
    ],
)
def test_output_size_by_hand(size, kernel_size, stride, pad, expected):
    assert output_size(size, kernel_size, stride=stride, pad=pad) == expected


@pytest.mark.parametrize(("kernel_size", "pad"), [(3, 1), (5, 2), (7, 3)])
def test_padding_of_half_the_window_keeps_the_size(kernel_size, pad):
    assert [output_size(size, kernel_size, pad=pad) for size in range(1, 40)] == list(range(1, 40))


@pytest.mark.parametrize("stride", [1, 2, 3, 5])
@pytest.mark.parametrize("pad", [0, 1, 4])
def test_output_size_counts_positions_or_says_that_pixels_are_left_over(stride, pad):
    for size in range(1, 15):
        for kernel_size in range(1, 15):
            starts = positions(size, kernel_size, stride, pad)
            covered = starts and starts[-1] + kernel_size == size + 2 * pad
            if covered:
                assert output_size(size, kernel_size, stride=stride, pad=pad) == len(starts)
            else:
                with pytest.raises(ShapeError, match=r"does not fit|larger than the input"):
                    output_size(size, kernel_size, stride=stride, pad=pad)


def test_the_stride_that_does_not_fit_is_named_with_the_formula():
    expected = (
        "a window of 3 with stride 3 does not fit an input of 7 with pad 0: "
        "(7 - 3 + 2*0) / 3 + 1 = 2.33. Inputs of 6 or 9 would fit."
    )
    with pytest.raises(ShapeError, match=re.escape(expected)):
        output_size(7, 3, stride=3)


def test_alexnet_needs_227_and_not_the_224_of_the_paper():
    with pytest.raises(ShapeError, match=r"input of 224 .* Inputs of 223 or 227 would fit"):
        output_size(224, 11, stride=4)


@pytest.mark.parametrize("stride", [2, 3, 7])
@pytest.mark.parametrize("pad", [0, 2])
def test_the_sizes_an_error_offers_do_fit(stride, pad):
    for size in range(1, 12):
        for kernel_size in range(1, 12):
            try:
                output_size(size, kernel_size, stride=stride, pad=pad)
            except ShapeError as error:
                offer = re.search(r"(?:Inputs of|that fits is) (\d+)(?: or (\d+))?", str(error))
                for fitting in filter(None, offer.groups()):
                    assert output_size(int(fitting), kernel_size, stride=stride, pad=pad) >= 1


def test_a_window_larger_than_the_input_names_the_smallest_that_fits():
    expected = (
        "a window of 9 is larger than the input: 4 with pad 1 on each side is 6. "
        "The smallest input that fits is 7."
    )
    with pytest.raises(ShapeError, match=re.escape(expected)):
        output_size(4, 9, stride=5, pad=1)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        pytest.param({"size": 0}, "size must be a whole number of at least 1, got 0", id="no-size"),
        pytest.param({"kernel_size": 0}, "kernel_size must be .* at least 1, got 0", id="kernel-0"),
        pytest.param({"stride": 0}, "stride must be .* at least 1, got 0", id="stride-0"),
        pytest.param({"pad": -1}, "pad must be .* at least 0, got -1", id="pad-negative"),
        pytest.param({"size": 7.0}, "size must be .* got 7.0", id="size-float"),
        pytest.param({"stride": 1.5}, "stride must be .* got 1.5", id="stride-float"),
        pytest.param({"pad": "same"}, "pad must be .* got 'same'", id="pad-text"),
        pytest.param({"stride": (2, 2)}, r"stride must be .* got \(2, 2\)", id="stride-tuple"),
    ],
)
def test_output_size_takes_whole_numbers_only(numbers, message):
    numbers = {"size": 7, "kernel_size": 3, **numbers}
    with pytest.raises(ShapeError, match=message):
        output_size(numbers.pop("size"), numbers.pop("kernel_size"), **numbers)


def test_numpy_integers_are_whole_numbers():
    assert output_size(np.int64(7), np.uint8(3), stride=np.int32(2)) == 3


def seen_pixels(layers):
    """The pixels that output 0 reads, followed back through the layers one by one."""
    seen = {0}
    for kernel_size, stride in reversed(layers):
        seen = {position * stride + tap for position in seen for tap in range(kernel_size)}
    return seen


ALEXNET = [(11, 4), (3, 2), (5, 1), (3, 2), (3, 1), (3, 1), (3, 1), (3, 2)]


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        pytest.param([], 1, id="no-layer"),
        pytest.param([(5, 1)], 5, id="one-layer"),
        pytest.param([(3, 1)] * 2, 5, id="two-3x3-are-a-5x5"),
        pytest.param([(3, 1)] * 3, 7, id="three-3x3-are-a-7x7"),
        pytest.param([(1, 1)] * 4, 1, id="1x1"),
        pytest.param([(3, 2), (3, 1)], 7, id="stride-first"),
        pytest.param([(3, 1), (3, 2)], 5, id="stride-last"),
        pytest.param(ALEXNET, 195, id="alexnet-to-pool5"),
    ],
)
def test_receptive_field(layers, expected):
    assert receptive_field(layers) == expected
    seen = seen_pixels(layers)
    assert max(seen) - min(seen) + 1 == expected


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        pytest.param([(0, 1)], "kernel_size must be .* at least 1, got 0", id="kernel"),
        pytest.param([(3, 0)], "stride must be .* at least 1, got 0", id="stride"),
        pytest.param([3, 3], r"must be a pair \(kernel_size, stride\), got 3", id="flat"),
        pytest.param([((3, 3), 1)], r"kernel_size must be .* got \(3, 3\)", id="two-axes"),
    ],
)
def test_receptive_field_takes_whole_numbers_only(layers, message):
    with pytest.raises(ShapeError, match=message):
        receptive_field(layers)


@pytest.mark.parametrize(
    ("kernel_size", "in_channels", "filters", "expected"),
    [
        pytest.param(5, 3, 10, (750, 10), id="lecture-760"),
        pytest.param(11, 3, 96, (34_848, 96), id="alexnet-conv1"),
        pytest.param((3, 5), 2, 7, (210, 7), id="not-square"),
        pytest.param(1, 64, 32, (2048, 32), id="1x1"),
    ],
)
def test_conv_parameters(kernel_size, in_channels, filters, expected):
    assert conv_parameters(kernel_size, in_channels, filters) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param((0, 3, 10), "kernel_size must be .* got 0", id="kernel"),
        pytest.param(((3, 0), 3, 10), "kernel_size must be .* got 0", id="kernel-width"),
        pytest.param((3, 0, 10), "in_channels must be .* got 0", id="channels"),
        pytest.param((3, 3, 1.5), "filters must be .* got 1.5", id="filters"),
    ],
)
def test_conv_parameters_takes_whole_numbers_only(arguments, message):
    with pytest.raises(ShapeError, match=message):
        conv_parameters(*arguments)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        # AlexNet's second convolution in two towers: each filter reads 48 of 96 channels.
        pytest.param({"groups": 2}, (5 * 5 * 48 * 256, 256), id="towers"),
        pytest.param({"tile": 2}, (4 * 5 * 5 * 96 * 256, 4 * 256), id="tiled"),
        pytest.param({"tile": (27, 3)}, (81 * 5 * 5 * 96 * 256, 81 * 256), id="tile-by-axis"),
        pytest.param({"tile": 3, "groups": 4}, (9 * 5 * 5 * 24 * 256, 9 * 256), id="both"),
    ],
)
def test_parameters_of_groups_and_tiles(options, expected):
    assert conv_parameters(5, 96, 256, **options) == expected


def test_a_filter_over_the_whole_image_has_the_parameters_of_a_fully_connected_layer():
    assert affine_parameters(6 * 6 * 256, 4096) == conv_parameters(6, 256, 4096)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        pytest.param(
            lambda: conv_parameters(3, 96, 255, groups=2),
            "2 groups must divide .* got 96 channels and 255 filters",
            id="filters",
        ),
        pytest.param(
            lambda: expect_groups(3, 4, 6), "3 groups must .* 4 channels and 6", id="channels"
        ),
        pytest.param(lambda: expect_groups(0, 4, 6), "groups must be .* got 0", id="no-group"),
        pytest.param(lambda: conv_parameters(3, 4, 4, tile=0), "tile must be .* got 0", id="tile"),
        pytest.param(lambda: affine_parameters(0, 4), "inputs must be .* got 0", id="inputs"),
        pytest.param(lambda: affine_parameters(4, True), "units must be .* got True", id="units"),
    ],
)
def test_counts_that_make_no_sense(call, message):
    with pytest.raises(ShapeError, match=message):
        call()


def test_memory_counts_bytes():
    assert memory((55, 55, 96)) == 55 * 55 * 96 * 4
    assert memory((2, 3), dtype=np.float64) == np.zeros((2, 3)).nbytes
    assert memory(()) == 4
    assert memory((0, 3)) == 0
    for shape in ((3, -1), (3.5,)):
        with pytest.raises(ShapeError, match=r"every size of the shape must be .* at least 0, got"):
            memory(shape)


def test_pair():
    assert pair(2) == (2, 2)
    assert pair((2, 3)) == (2, 3)
    assert pair([2, 3]) == (2, 3)
    with pytest.raises(ShapeError, match=r"one number or \(height, width\), got \(1, 2, 3\)"):
        pair((1, 2, 3))
    with pytest.raises(ShapeError, match=r"one number or \(height, width\), got \(1,\)"):
        pair((1,))


def test_expect_rank():
    expect_rank("x", np.zeros((1, 2, 3, 4)), "N H W C")
    with pytest.raises(ShapeError, match=r"x must have 4 axes \(N, H, W, C\), got 1: shape \(3,\)"):
        expect_rank("x", np.zeros(3), "N H W C")
    with pytest.raises(TypeError, match="x must be a NumPy array, got list"):
        expect_rank("x", [[1.0]], "N D")


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_expect_floats_lets_floats_pass(dtype):
    expect_floats("x", np.zeros(3, dtype))


@pytest.mark.parametrize("dtype", ["uint8", "int64", "bool", "complex128"])
def test_expect_floats_says_how_to_convert(dtype):
    expected = rf"x must hold .* got {dtype}: convert it first, x\.astype\(np\.float32\)"
    with pytest.raises(TypeError, match=expected):
        expect_floats("x", np.zeros(3, dtype))


def test_as_upstream():
    assert as_upstream([[1, 2]], (1, 2), np.float32).dtype == np.float32
    assert as_upstream(1.0, (), np.float64).shape == ()
    dout = np.ones(3)
    assert as_upstream(dout, (3,), np.float64) is dout, "nothing is copied without need"
    expected = "dout must have the output's shape (3,), got (3, 1)."
    with pytest.raises(ShapeError, match=re.escape(expected)):
        as_upstream(np.ones((3, 1)), (3,), np.float64)


def test_expect_floats_needs_an_array():
    expect_floats("x", np.float32(1.0))
    with pytest.raises(TypeError, match="x must be a NumPy array, got float"):
        expect_floats("x", 1.0)
    with pytest.raises(TypeError, match="x must be a NumPy array, got list"):
        expect_floats("x", [1.0])


def test_expect_generator():
    expect_generator(np.random.default_rng(0))
    for wrong in (0, None, np.random, np.random.RandomState(0)):
        with pytest.raises(TypeError, match=r"rng must be a generator such as np\.random\.def"):
            expect_generator(wrong)


@pytest.mark.parametrize("value", [0, 0.5, np.float32(0.25), np.int64(0)])
def test_expect_number_lets_numbers_pass(value):
    expect_number("rate", value, least=0, below=1)


@pytest.mark.parametrize(
    ("value", "limits", "words"),
    [
        (1, {"least": 0, "below": 1}, "a finite number of at least 0 and less than 1, got 1"),
        (-0.1, {"least": 0}, "a finite number of at least 0, got -0.1"),
        (3, {"below": 2.5}, "a finite number less than 2.5, got 3"),
        (np.nan, {}, "a finite number, got nan"),
        (np.inf, {"least": 0}, "a finite number of at least 0, got inf"),
        ("a", {"least": 0}, "a finite number of at least 0, got 'a'"),
        (None, {}, "a finite number, got None"),
    ],
)
def test_expect_number_says_the_limits(value, limits, words):
    with pytest.raises(ValueError, match=re.escape(f"rate must be {words}.")):
        expect_number("rate", value, **limits)


@pytest.mark.parametrize("value", [True, 2.5, "2", None, 0])
def test_expect_whole(value):
    expect_whole("epochs", np.int64(3))
    with pytest.raises(ValueError, match="epochs must be a whole number of at least 1, got"):
        expect_whole("epochs", value)


def test_no_is_not_zero():
    expect_whole("pad", 0, 0)
    with pytest.raises(ValueError, match="pad must be a whole number of at least 0, got False"):
        expect_whole("pad", False, 0)
