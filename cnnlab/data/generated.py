"""Images that are drawn, not collected: shapes and textures, at any size."""

from collections.abc import Callable

import numpy as np

from cnnlab.data.dataset import Dataset
from cnnlab.shapes import expect_generator, expect_whole

_TURN = 2 * np.pi
_CLUTTER = 4  # distractors in the most crowded image
_PIXELS_AT_A_TIME = 1 << 18  # keeps the intermediate arrays small, whatever the size


def generated_shapes(n: int, *, size: int = 32, rng: np.random.Generator) -> Dataset:
    """Draw color images of ten classes: seven shapes and three textures.

    A class shows in the outline or in the pattern and nowhere else. Place, scale, angle and
    colors are left to chance, distractors lie about, light falls from one side, and there is
    noise. So a linear classifier, which weighs single pixels, has little to go by; a small
    ConvNet tells the classes apart (`benchmarks/generated_shapes.py` measures both).

    Parameters
    ----------
    n : how many images; the classes take turns, so that every ten images show each once.
    size : pixels, height and width, from 32 to 227.
    rng : draws everything. The same generator gives the same images, and more of them for a
        larger n; at another size it gives the same scenes.

    Raises
    ------
    ValueError
        If n is not a whole number of at least 1, or size not one from 32 to 227.
    TypeError
        If rng is not a generator.

    Examples
    --------
    >>> generated_shapes(20, rng=np.random.default_rng(0))
    <Dataset shapes: 20 images of 32×32×3, uint8, 10 classes>
    >>> generated_shapes(3, size=227, rng=np.random.default_rng(0)).image_shape
    (227, 227, 3)
    """
    expect_whole("n", n)
    expect_whole("size", size)
    if not 32 <= size <= 227:
        raise ValueError(f"size must be a number of pixels from 32 to 227, got {size}.")
    expect_generator(rng)
    # Each image has a generator of its own, so that it is the same among many or few.
    seed = int(rng.integers(2**63))
    labels = np.arange(n) % len(CLASSES)
    images = np.empty((n, size, size, 3), np.uint8)
    step = max(1, _PIXELS_AT_A_TIME // size**2)
    for start in range(0, n, step):
        rngs = [np.random.default_rng((seed, i)) for i in range(start, min(start + step, n))]
        images[start : start + step] = _draw(labels[start : start + step], size, rngs)
    return Dataset(
        images, labels, tuple(CLASSES), name="shapes", source="drawn by cnnlab", license="CC0"
    )


# Distances to the outline: negative inside. The figure fits a circle of radius 1 about (0, 0);
# x and y are (B, H, W).


def _disk(x, y):
    return np.hypot(x, y) - 0.9


def _ring(x, y):
    return abs(np.hypot(x, y) - 0.7) - 0.22


def _square(x, y):
    return _box(x, y, 0.78, 0.78)


def _triangle(x, y):
    return np.maximum(np.maximum(y, -0.5 * y + 0.866 * x), -0.5 * y - 0.866 * x) - 0.53


def _cross(x, y):
    return np.minimum(_box(x, y, 0.95, 0.27), _box(x, y, 0.27, 0.95))


def _star(x, y):
    # Folded along its ten axes of symmetry, a star is one line, from a tip at (1, 0) to a notch.
    angle = abs((np.arctan2(y, x) + _TURN / 10) % (_TURN / 5) - _TURN / 10)
    radius = np.hypot(x, y)
    notch_x, notch_y = 0.42 * np.cos(_TURN / 10), 0.42 * np.sin(_TURN / 10)
    across = notch_y * (radius * np.cos(angle) - 1) + (1 - notch_x) * radius * np.sin(angle)
    return across / np.hypot(notch_y, 1 - notch_x)


def _crescent(x, y):
    return np.maximum(np.hypot(x + 0.1, y) - 0.9, 0.75 - np.hypot(x - 0.4, y))


def _stripes(x, y):
    return np.maximum(_disk(x, y), _wave(x, 0.5) - 0.125)


def _checkerboard(x, y):
    columns, rows = _wave(x, 0.8) - 0.2, _wave(y, 0.8) - 0.2
    board = np.minimum(abs(columns), abs(rows)) * np.sign(columns * rows)
    return np.maximum(_disk(x, y), board)


def _dots(x, y):
    return np.maximum(_disk(x, y), np.hypot(_wave(x, 0.56), _wave(y, 0.56)) - 0.18)


def _box(x, y, half_width, half_height):
    return np.maximum(abs(x) - half_width, abs(y) - half_height)


def _wave(x, period):
    """Distance to the nearest multiple of the period."""
    return abs((x + period / 2) % period - period / 2)


CLASSES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "disk": _disk,
    "ring": _ring,
    "square": _square,
    "triangle": _triangle,
    "cross": _cross,
    "star": _star,
    "crescent": _crescent,
    "stripes": _stripes,
    "checkerboard": _checkerboard,
    "dots": _dots,
}


def _draw(labels, size, rngs):
    """(B, size, size, 3) uint8: one scene for each label, each from its own generator."""

    def number(low, high):
        return (low + (high - low) * np.array([rng.random() for rng in rngs]))[:, None, None]

    def color(low, high):
        return (low + (high - low) * np.array([rng.random(3) for rng in rngs]))[:, None, None]

    # The image reaches from −1 to 1; lengths are measured in halves of its height.
    middles = (np.arange(size) * 2 + 1) / size - 1

    def turned(left, top, angle):
        """The pixels as seen from a point, with the axes turned: x, y (B, size, size)."""
        x, y = middles - left, middles[:, None] - top
        cos, sin = np.cos(angle), np.sin(angle)
        return (cos * x + sin * y).astype(np.float32), (cos * y - sin * x).astype(np.float32)

    def paint(distance, color):
        # A pixel that the outline crosses is covered in part.
        covered = np.clip(0.5 - distance * (size / 2), 0, 1)[..., None]
        images[...] += covered * (color - images)

    ground = color(0, 1)
    from_the_side, _ = turned(0, 0, number(0, _TURN))
    images = (ground + (number(0, 0.15) * from_the_side)[..., None]).astype(np.float32)
    shown = number(-1, _CLUTTER)
    for place in range(_CLUTTER):
        x, y = turned(number(-1, 1), number(-1, 1), number(0, _TURN))
        width, height = number(0.06, 0.12), number(0.06, 0.3)
        outline = np.where(number(0, 1) < 0.5, np.hypot(x, y) - width, _box(x, y, width, height))
        paint(np.where(place < shown, outline, 1), color(0, 1))

    radius = number(0.55, 0.85)
    reach = 1 - radius
    x, y = turned(reach * number(-1, 1), reach * number(-1, 1), number(-0.3, 0.3))
    x, y = x / radius, y / radius
    distance = np.empty_like(x)
    for label, outline in enumerate(CLASSES.values()):
        members = labels == label
        distance[members] = outline(x[members], y[members])
    # In every channel at least 0.35 away from the ground: seen on any ground.
    paint(distance * radius, (ground + color(0.35, 0.65)) % 1)

    images = images * 255
    for image, rng, strength in zip(images, rngs, number(0, 20).ravel(), strict=True):
        image += strength * rng.standard_normal(image.shape, np.float32)
    return np.clip(images.round(), 0, 255).astype(np.uint8)
