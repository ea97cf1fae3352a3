"""Mistakes in the arithmetic of sizes."""

from cnnlab.check.mistakes.base import mistake
from cnnlab.shapes import ShapeError, output_size


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


def _positions_only(room, stride):
    if room % stride or room // stride + 1 < 0:
        raise ShapeError("does not fit")
    return room // stride + 1


def _down_to_nothing(room, stride):
    if room // stride + 1 < 0:
        raise ShapeError("does not fit")
    return room // stride + 1


POLICIES = {
    "strict": _strict,
    "remainder only": _remainder_only,
    "positions only": _positions_only,
    "down to nothing": _down_to_nothing,
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
    ),
    "positions only": (
        "No position at all is not refused",
        "Where the result comes out as 0, the window does not fit either: it is the room to move "
        "that must not be negative.",
    ),
}
COUNTS = {
    "The + 1 is missing": (
        "Count the positions by hand for size 7, window 3, stride 1: the first one counts too.",
        lambda room, stride: room // stride,
    ),
    "The + 1 comes before the division": (
        "First count the steps, by dividing the room by the stride; then comes the first position.",
        lambda room, stride: (room + 1) // stride,
    ),
    "A float where a whole number is wanted": (
        "A number of positions is an int. / always makes a float, and a fraction where the window "
        "does not fit: look at the remainder first.",
        lambda room, stride: room / stride + 1,
    ),
}
REMAINDERS = {
    "Brackets are missing": (
        "% comes before + and −: only of the last term is the remainder taken.",
        (lambda size, window, pad, stride: size - window + 2 * pad % stride,),
    ),
    "The remainder of something else": (
        "What has to be a multiple of the stride? It is the room to move, with the padding.",
        (
            lambda size, window, pad, stride: size % stride,
            lambda size, window, pad, stride: (size - window) % stride,
            lambda size, window, pad, stride: (size + 2 * pad) % stride,
            lambda size, window, pad, stride: ((size - window + 2 * pad) // stride + 1) % stride,
        ),
    ),
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

    def counting(count, policy):
        def wrong(size, kernel_size, *, stride=1, pad=0):
            room = size - kernel_size + 2 * pad
            if policy:
                policy(room, stride)
            return count(room, stride)

        return wrong

    def looking_at(remainder, refuses):
        def wrong(size, kernel_size, *, stride=1, pad=0):
            room = size - kernel_size + 2 * pad
            if (refuses and room < 0) or remainder(size, kernel_size, pad, stride):
                raise ShapeError("does not fit")
            return room // stride + 1

        return wrong

    for name, (look, room) in ROOMS.items():
        for policy in POLICIES.values():
            mistake("output_size", name, look)(size_with(room, policy))
    for how, policy in POLICIES.items():
        name, look = NOT_STRICT.get(how, ("Rounded where the window does not fit", ROUNDING))
        right = size_with(lambda size, window, pad: size - window + 2 * pad, policy)
        if how != "strict":
            mistake("output_size", name, look)(right)
    for name, (look, count) in COUNTS.items():
        for refusing in (_strict, _positions_only, _half_strict, _remainder_only, None):
            mistake("output_size", name, look)(counting(count, refusing))
    for name, (look, remainders) in REMAINDERS.items():
        for remainder in remainders:
            for refuses in (True, False):
                mistake("output_size", name, look)(looking_at(remainder, refuses))


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
