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
    return _box(x, y, 0.7, 0.7)


def _triangle(x, y):
    return np.maximum(y, 0.866 * abs(x) - 0.5 * y) - 0.5


def _cross(x, y):
    return np.minimum(_box(x, y, 0.95, 0.27), _box(x, y, 0.27, 0.95))


def _star(x, y):
    # Folded along its axes of symmetry, a star is one line, from the tip at its top to a notch.
    angle = abs((np.arctan2(x, -y) + _TURN / 10) % (_TURN / 5) - _TURN / 10)
    radius = np.hypot(x, y)
    notch_x, notch_y = 0.42 * np.cos(_TURN / 10), 0.42 * np.sin(_TURN / 10)
    across = notch_y * (radius * np.cos(angle) - 1) + (1 - notch_x) * radius * np.sin(angle)
    return across / np.hypot(notch_y, 1 - notch_x)


def _crescent(x, y):
    return np.maximum(np.hypot(x + 0.1, y) - 0.9, 0.75 - np.hypot(x - 0.4, y))


def _stripes(x, y):
    return np.maximum(_disk(x, y), _wave(x, 0.52) - 0.13)


def _checkerboard(x, y):
    columns, rows = _wave(x, 0.8) - 0.2, _wave(y, 0.8) - 0.2
    board = np.minimum(abs(columns), abs(rows)) * np.sign(columns * rows)
    return np.maximum(_disk(x, y), board)


def _dots(x, y):
    dots = np.hypot(_wave(x, 0.56), _wave(y, 0.56)) - 0.18
    return np.maximum(_box(x, y, 0.8, 0.8), dots)  # three by three of them, each whole


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
    canvas = _Canvas(size, rngs)
    ground = canvas.color(0, 1)
    canvas.pixels += ground
    canvas.light()
    canvas.clutter()
    # In every channel at least 0.35 away from the ground: seen on any ground.
    canvas.figure(labels, (ground + canvas.color(0.35, 0.65)) % 1)
    canvas.noise()
    return np.clip((canvas.pixels * 255).round(), 0, 255).astype(np.uint8)


class _Canvas:
    """A few images that are painted at once; the chances of each come from its own generator.

    An image reaches from −1 to 1 in both directions, so the scene does not depend on its size.
    """

    def __init__(self, size, rngs):
        self.size, self.rngs = size, rngs
        self.pixels = np.zeros((len(rngs), size, size, 3), np.float32)

    def number(self, low, high):
        """One number for each image, (B, 1, 1)."""
        draws = np.array([rng.random() for rng in self.rngs], np.float32)
        return (low + (high - low) * draws)[:, None, None]

    def color(self, low, high):
        """Three numbers for each image, (B, 1, 1, 3)."""
        draws = np.array([rng.random(3) for rng in self.rngs], np.float32)
        return (low + (high - low) * draws)[:, None, None]

    def turned(self, left, top, angle):
        """The pixels as seen from a point, with the axes turned: x and y, (2, B, size, size)."""
        middles = (np.arange(self.size, dtype=np.float32) * 2 + 1) / self.size - 1
        x, y = middles - left, middles[:, None] - top
        cos, sin = np.cos(angle), np.sin(angle)
        return np.stack([cos * x + sin * y, cos * y - sin * x])

    def paint(self, distance, color):
        """Cover what is inside; a pixel that the outline crosses is covered in part."""
        covered = np.clip(0.5 - distance * (self.size / 2), 0, 1)[..., None]
        self.pixels += covered * (color - self.pixels)

    def light(self):
        """Make one side a little brighter than the other."""
        along, _ = self.turned(0, 0, self.number(0, _TURN))
        self.pixels += (self.number(0, 0.15) * along)[..., None]

    def clutter(self):
        """Scatter small disks and bars, none to four."""
        shown = self.number(-1, _CLUTTER)
        for place in range(_CLUTTER):
            x, y = self.turned(self.number(-1, 1), self.number(-1, 1), self.number(0, _TURN))
            width, height = self.number(0.06, 0.12), self.number(0.06, 0.3)
            disk, bar = np.hypot(x, y) - width, _box(x, y, width, height)
            outline = np.where(self.number(0, 1) < 0.5, disk, bar)
            self.paint(np.where(place < shown, outline, np.inf), self.color(0, 1))

    def figure(self, labels, color):
        """Put the shape or texture of the class somewhere, in one piece."""
        radius = self.number(0.5, 0.85)
        left, top = ((1 - radius) * self.number(-1, 1) for _ in range(2))
        x, y = self.turned(left, top, self.number(-0.3, 0.3)) / radius
        distance = np.empty_like(x)
        for label, outline in enumerate(CLASSES.values()):
            members = labels == label
            distance[members] = outline(x[members], y[members])
        self.paint(distance * radius, color)

    def noise(self):
        """Disturb every pixel, in some images more than in others."""
        strengths = self.number(0, 0.08).ravel()
        for pixels, rng, strength in zip(self.pixels, self.rngs, strengths, strict=True):
            pixels += strength * rng.standard_normal(pixels.shape, np.float32)
