"""Mistakes in the arithmetic of sizes."""

from cnnlab.check.mistakes.base import mistake
from cnnlab.shapes import ShapeError, output_size


@mistake(
    "output_size",
    "The + 1 is missing",
    "Count the positions by hand for size 7, window 3, stride 1: the first one counts too.",
)
def size_without_one(size, kernel_size, *, stride=1, pad=0):
    return output_size(size, kernel_size, stride=stride, pad=pad) - 1


def _strict(room, stride):
    if room < 0 or room % stride:
        raise ShapeError("does not fit")
    return room // stride + 1


def _half_strict(room, stride):
    if room < 0:
        raise ShapeError("does not fit")
    return room // stride + 1


def _remainder_only(room, stride):
    if room % stride:
        raise ShapeError("does not fit")
    return room // stride + 1


POLICIES = {
    "strict": _strict,
    "remainder only": _remainder_only,
    "half strict": _half_strict,
    "down": lambda room, stride: room // stride + 1,
    "up": lambda room, stride: -(-room // stride) + 1,
    "nearest": lambda room, stride: round(room / stride) + 1,
    "up, half strict": lambda room, stride: _half_strict(-(-room // stride) * stride, stride),
}
ROOMS = {
    "Padding counted on one side only": (
        "Zeros are added at both ends of the axis. How much longer does it become?",
        lambda size, window, pad: size - window + pad,
    ),
    "The padding is ignored": (
        "Zeros are added at both ends of the axis: it becomes longer.",
        lambda size, window, pad: size - window,
    ),
}
NOT_STRICT = {
    "remainder only": (
        "A window that is larger than the input is not refused",
        "There the room to move is less than nothing, and may leave no remainder all the same.",
    )
}
ROUNDING = (
    "Rounding makes a remainder disappear in silence. Look at the remainder first, and raise "
    "ValueError where there is one."
)


def _register_sizes():
    """Each wrong amount of room, and each kind of rounding: learners write all of them."""

    def size_with(room, policy):
        def wrong(size, kernel_size, *, stride=1, pad=0):
            return policy(room(size, kernel_size, pad), stride)

        return wrong

    for name, (look, room) in ROOMS.items():
        for policy in POLICIES.values():
            mistake("output_size", name, look)(size_with(room, policy))
    for how, policy in POLICIES.items():
        name, look = NOT_STRICT.get(how, ("Rounded where the window does not fit", ROUNDING))
        right = size_with(lambda size, window, pad: size - window + 2 * pad, policy)
        if how != "strict":
            mistake("output_size", name, look)(right)


_register_sizes()


@mistake(
    "output_size",
    "Brackets are missing",
    "// comes before + and −: only the last term is divided by the stride.",
)
def size_without_brackets(size, kernel_size, *, stride=1, pad=0):
    return size - kernel_size + 2 * pad // stride + 1


@mistake(
    "output_size",
    "A float where a whole number is wanted",
    "A number of positions is an int: / makes a float, also where the window fits exactly.",
)
def size_float(size, kernel_size, *, stride=1, pad=0):
    return float(output_size(size, kernel_size, stride=stride, pad=pad))


@mistake(
    "output_size",
    "A float, and a fraction where the window does not fit",
    "/ always makes a float. And there is no such thing as a third of a position: where the "
    "division leaves a remainder, raise ValueError.",
)
def size_fraction(size, kernel_size, *, stride=1, pad=0):
    return (size - kernel_size + 2 * pad) / stride + 1


@mistake(
    "output_size",
    "The window is compared with the input before it is padded",
    "A window that is larger than the input may still fit, once there are zeros around it.",
)
def size_compared_unpadded(size, kernel_size, *, stride=1, pad=0):
    if kernel_size > size:
        raise ShapeError("does not fit")
    return output_size(size, kernel_size, stride=stride, pad=pad)


@mistake(
    "output_size",
    "The stride is ignored",
    "The formula divides by the stride. At stride 1 one does not notice.",
)
def size_without_stride(size, kernel_size, *, stride=1, pad=0):
    return output_size(size, kernel_size, stride=1, pad=pad)


@mistake(
    "output_size",
    "A window that just fits is refused",
    "A window as large as the padded input has one position: no room to move is still room for it.",
)
def size_refuses_no_room(size, kernel_size, *, stride=1, pad=0):
    if size - kernel_size + 2 * pad <= 0:
        raise ShapeError("does not fit")
    return output_size(size, kernel_size, stride=stride, pad=pad)
