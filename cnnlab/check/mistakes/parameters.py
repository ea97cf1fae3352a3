"""Mistakes in counting what a layer learns: dense, local, tiled and conv, each on its own."""

import math
from itertools import permutations

from cnnlab.check.mistakes.base import mistake


def _right(size_in, size_out, kernel_size, tile):
    (OH, OW, K), (TH, TW), filters = size_out, tile, math.prod(kernel_size) * size_in[2]
    dense = (math.prod(size_in) + 1) * OH * OW * K
    one = (filters + 1) * K
    return dense, OH * OW * one, TH * TW * one, one


NO_BIASES = "The biases are missing"
BIASES = "Each unit, and each filter that is learned, has one bias of its own."
EACH_UNIT = "Each unit has one bias of its own: how many units are there?"
EACH_FILTER = "Each filter that is learned has one bias of its own: how many are there?"


def _biases(size_out, tile):
    (OH, OW, K), (TH, TW) = size_out, tile
    return {"dense": OH * OW * K, "local": OH * OW * K, "tiled": TH * TW * K, "conv": K}


def _register_biases():
    """Biases are forgotten, counted once for each filter, or once for all."""

    def wrong_biases(place, part, count):
        def wrong(size_in, size_out, kernel_size, tile):
            right = _right(size_in, size_out, kernel_size, tile)[place]
            return right - _biases(size_out, tile)[part] + count(size_out, tile)

        return wrong

    per_filter = "Only K biases are counted"
    per_set = "One bias for each set of filters"
    own = "A set holds K filters, and each of them has a bias of its own."
    for place, part in enumerate(("dense", "local", "tiled", "conv")):
        key = f"parameter_counts.{part}"
        look = EACH_UNIT if part == "dense" else EACH_FILTER
        mistake(key, NO_BIASES, look)(wrong_biases(place, part, lambda out, tile: 0))
        mistake(key, "Only one bias is counted", look)(
            wrong_biases(place, part, lambda out, tile: 1)
        )
        if part != "conv":
            mistake(key, per_filter, look)(wrong_biases(place, part, lambda out, tile: out[2]))
    for place, part, sets in (
        (1, "local", lambda out, tile: math.prod(out[:2])),
        (2, "tiled", lambda out, tile: math.prod(tile)),
    ):
        mistake(f"parameter_counts.{part}", per_set, own)(wrong_biases(place, part, sets))


DEPTH = "A filter spans the full depth of the input: C is a factor too."
FILTERS = "There are K filters, each with weights of its own."


@mistake("parameter_counts", NO_BIASES, BIASES)
def counts_without_biases(size_in, size_out, kernel_size, tile):
    right = _right(size_in, size_out, kernel_size, tile)
    pairs = zip(right, _biases(size_out, tile).values(), strict=True)
    return tuple(count - biases for count, biases in pairs)


@mistake(
    "parameter_counts",
    "Floats where whole numbers are wanted",
    "A number of parameters is an int. / makes a float, * of whole numbers does not.",
)
def counts_floats(size_in, size_out, kernel_size, tile):
    return tuple(map(float, _right(size_in, size_out, kernel_size, tile)))


_register_biases()


def _in_order(order):
    def counts_in_another_order(size_in, size_out, kernel_size, tile):
        right = _right(size_in, size_out, kernel_size, tile)
        return tuple(right[place] for place in order)

    mistake(
        "parameter_counts",
        "The four counts are returned in another order",
        "The order is dense, local, tiled, conv.",
        together=True,
    )(counts_in_another_order)


for _order in permutations(range(4)):
    if _order != (0, 1, 2, 3):
        _in_order(_order)


def _of_filters(part, name, look):
    """A wrong count of a layer of filters, made of (C, K, FH, FW) and the number of sets."""
    place = ("local", "tiled", "conv").index(part)

    def register(wrong):
        def counted(size_in, size_out, kernel_size, tile):
            sets = (math.prod(size_out[:2]), math.prod(tile), 1)[place]
            return wrong(size_in[2], size_out[2], *kernel_size, sets)

        mistake(f"parameter_counts.{part}", name, look)(counted)

    return register


for _part in ("local", "tiled", "conv"):
    _of_filters(_part, "The channels of the input are not counted", DEPTH)(
        lambda C, K, FH, FW, sets: sets * (FH * FW + 1) * K
    )
    _of_filters(_part, "One filter only", FILTERS)(
        lambda C, K, FH, FW, sets: sets * (FH * FW * C + 1)
    )
    _of_filters(
        _part,
        "The window is taken to be square",
        "kernel_size is (FH, FW), and the two may differ.",
    )(lambda C, K, FH, FW, sets: sets * (FH * FH * C + 1) * K)
    _of_filters(_part, "FH and FW are added", "A window of FH rows and FW columns has how many?")(
        lambda C, K, FH, FW, sets: sets * ((FH + FW) * C + 1) * K
    )


def _count(part, name, look):
    return mistake(f"parameter_counts.{part}", name, look)


@_count(
    "dense",
    "Only K units are counted",
    "Each of the OH·OW·K output numbers is a unit of its own, with a weight for each input number.",
)
def dense_k_units(size_in, size_out, kernel_size, tile):
    return (math.prod(size_in) + 1) * size_out[2]


@_count(
    "dense",
    "One unit for each position",
    "Each position has K output numbers, and each of them is a unit of its own.",
)
def dense_a_unit_for_each_position(size_in, size_out, kernel_size, tile):
    return (math.prod(size_in) + 1) * math.prod(size_out[:2])


@_count("dense", "The channels of the input are not counted", "It reads all H·W·C numbers.")
def dense_without_depth(size_in, size_out, kernel_size, tile):
    return (math.prod(size_in[:2]) + 1) * math.prod(size_out)


@_count(
    "dense",
    "Inputs and outputs are added",
    "Each output has a weight for each input: how many pairs are that?",
)
def dense_added(size_in, size_out, kernel_size, tile):
    return math.prod(size_in) + math.prod(size_out)


@_count(
    "dense",
    "Each unit sees a window only",
    "That is what locally connected means. Fully connected, each unit reads the whole input.",
)
def dense_is_local(size_in, size_out, kernel_size, tile):
    return _right(size_in, size_out, kernel_size, tile)[1]


@_count(
    "dense",
    "A bias for each input",
    "A bias is added to an output: there are as many as outputs.",
)
def dense_bias_for_each_input(size_in, size_out, kernel_size, tile):
    return math.prod(size_in) * math.prod(size_out) + math.prod(size_in)


@_count(
    "local",
    "A set of filters for each pixel of the input",
    "Count the positions of the window: that is the size of the output.",
)
def local_at_each_pixel(size_in, size_out, kernel_size, tile):
    return math.prod(size_in[:2]) * _right(size_in, size_out, kernel_size, tile)[3]


@_count(
    "local",
    "The filters are shared by all positions",
    "That is a convolution. Here every position has filters of its own.",
)
def local_is_conv(size_in, size_out, kernel_size, tile):
    return _right(size_in, size_out, kernel_size, tile)[3]


@_count(
    "local",
    "Every output is connected to the whole input",
    "That is fully connected. Here each output sees the pixels of its window.",
)
def local_is_dense(size_in, size_out, kernel_size, tile):
    return _right(size_in, size_out, kernel_size, tile)[0]


AS_OFTEN = "The tile is counted as often as it is laid"
AGAIN = "What is used again is not learned again: how many sets does one tile hold?"


@_count("tiled", AS_OFTEN, AGAIN)
def tiled_laid(size_in, size_out, kernel_size, tile):
    laid = (size_out[0] // tile[0]) * (size_out[1] // tile[1])
    return laid * _right(size_in, size_out, kernel_size, tile)[3]


@_count("tiled", AS_OFTEN, AGAIN)
def tiled_is_local(size_in, size_out, kernel_size, tile):
    return _right(size_in, size_out, kernel_size, tile)[1]


@_count(
    "tiled",
    "Height and width of the tile are added",
    "A tile of TH rows and TW columns holds how many sets?",
)
def tiled_added(size_in, size_out, kernel_size, tile):
    return sum(tile) * _right(size_in, size_out, kernel_size, tile)[3]


ONE_SIDE = "Only one side of the tile is counted"
BOTH_SIDES = "A tile has TH rows and TW columns of sets."


@_count("tiled", ONE_SIDE, BOTH_SIDES)
def tiled_height_only(size_in, size_out, kernel_size, tile):
    return tile[0] * _right(size_in, size_out, kernel_size, tile)[3]


@_count("tiled", ONE_SIDE, BOTH_SIDES)
def tiled_width_only(size_in, size_out, kernel_size, tile):
    return tile[1] * _right(size_in, size_out, kernel_size, tile)[3]


@_count(
    "tiled",
    "The filters are shared by all positions",
    "That is a tile of 1. Here a tile holds several sets of filters.",
)
def tiled_is_conv(size_in, size_out, kernel_size, tile):
    return _right(size_in, size_out, kernel_size, tile)[3]


@_count(
    "conv",
    "A bias for each position",
    "The K biases are shared by all positions, just as the weights are.",
)
def conv_bias_for_each_position(size_in, size_out, kernel_size, tile):
    return _right(size_in, size_out, kernel_size, tile)[3] + (math.prod(size_out) - size_out[2])


@_count(
    "conv",
    "The weights are counted for each position",
    "All positions share one set of filters. What is used again is not learned again.",
)
def conv_is_local(size_in, size_out, kernel_size, tile):
    return _right(size_in, size_out, kernel_size, tile)[1]


def _connections(size_in, size_out, kernel_size):
    return math.prod(size_out) * math.prod(kernel_size) * size_in[2]


CONNECTIONS = "The connections are counted, not the weights"
LEARNED = "A weight that is used at many positions is many connections, and is learned once."


@_count("conv", CONNECTIONS, LEARNED)
def conv_connections(size_in, size_out, kernel_size, tile):
    return _connections(size_in, size_out, kernel_size)


@_count("conv", CONNECTIONS, LEARNED)
def conv_connections_and_biases(size_in, size_out, kernel_size, tile):
    return _connections(size_in, size_out, kernel_size) + size_out[2]


@_count("tiled", CONNECTIONS, LEARNED)
def tiled_connections(size_in, size_out, kernel_size, tile):
    return _connections(size_in, size_out, kernel_size)


@_count("tiled", CONNECTIONS, LEARNED)
def tiled_connections_and_biases(size_in, size_out, kernel_size, tile):
    return _connections(size_in, size_out, kernel_size) + math.prod(tile) * size_out[2]


@_count("tiled", AS_OFTEN, AGAIN)
def tiled_positions_by_places(size_in, size_out, kernel_size, tile):
    laid = math.prod(size_out[:2]) // math.prod(tile)
    return laid * _right(size_in, size_out, kernel_size, tile)[3]
