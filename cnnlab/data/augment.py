"""Augmentation: small changes to training images that do not change what they show.

Each is called with images and a keyword rng; `partial` of functools fixes the options, and
`Augment` makes one of several:

>>> from functools import partial
>>> augment = Augment([flip, partial(shift, pixels=2)])
>>> augment(np.zeros((5, 28, 28, 1), np.uint8), rng=np.random.default_rng(0)).shape
(5, 28, 28, 1)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cnnlab.data.preprocess import expect_measured, expect_pixels, principal
from cnnlab.shapes import (
    ShapeError,
    expect_generator,
    expect_number,
    expect_rank,
    expect_whole,
    pair,
)


@dataclass(frozen=True)
class Augment:
    """Several augmentations, one after the other, as one.

    Parameters
    ----------
    steps : functions (images, rng=…) → images, such as `flip`, called in this order.

    Examples
    --------
    >>> image = np.arange(4, dtype=np.uint8).reshape(1, 1, 4, 1)
    >>> both = Augment([flip, lambda images, *, rng: images + 10])
    >>> both(image, rng=np.random.default_rng(2)).ravel()
    array([13, 12, 11, 10], dtype=uint8)
    """

    steps: Sequence[Callable[..., np.ndarray]]

    def __call__(self, images: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
        """What the last step makes of what the others made of the images."""
        for step in self.steps:
            images = step(images, rng=rng)
        return images


def flip(images: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
    """Mirror each image left to right, or leave it, with equal chance.

    Parameters
    ----------
    images : (N, H, W, C), any dtype.
    rng : decides for each image.

    Returns
    -------
    flipped : images' shape and dtype.

    Source: Krizhevsky et al. 2012, section 4.1 (horizontal reflections).

    Examples
    --------
    >>> image = np.array([[1, 2], [3, 4]]).reshape(1, 2, 2, 1)
    >>> flip(np.repeat(image, 3, axis=0), rng=np.random.default_rng(0))[:, 0, :, 0]
    array([[1, 2],
           [2, 1],
           [2, 1]])
    """
    expect_rank("images", images, "N H W C")
    expect_generator(rng)
    mirrored = rng.random(len(images)) < 0.5
    flipped = images.copy()
    flipped[mirrored] = images[mirrored, :, ::-1]
    return flipped


def shift(images: np.ndarray, *, pixels: int, rng: np.random.Generator) -> np.ndarray:
    """Move each image by up to `pixels` in each direction; zeros come in at the border.

    Parameters
    ----------
    images : (N, H, W, C), any dtype.
    pixels : the largest distance, along the height and along the width.
    rng : draws two whole distances per image, all equally likely.

    Returns
    -------
    shifted : images' shape and dtype.

    Raises
    ------
    ValueError
        If pixels is not a whole number of at least 0.

    Source: Krizhevsky et al. 2012, section 4.1 (translations).

    Examples
    --------
    >>> image = np.array([[1, 2], [3, 4]]).reshape(1, 2, 2, 1)
    >>> shift(image, pixels=1, rng=np.random.default_rng(0))[0, :, :, 0]
    array([[3, 4],
           [0, 0]])
    """
    expect_rank("images", images, "N H W C")
    expect_whole("pixels", pixels, 0)
    padded = np.pad(images, ((0, 0), (pixels, pixels), (pixels, pixels), (0, 0)))
    return random_crop(padded, size=images.shape[1:3], rng=rng)


def random_crop(
    images: np.ndarray, *, size: int | tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    """Cut a window out of each image, somewhere.

    Parameters
    ----------
    images : (N, H, W, C), any dtype.
    size : pixels of the window, one number or (height, width); AlexNet cuts 224 out of 256.
    rng : draws the place in each image, all equally likely.

    Returns
    -------
    crops : (N, height, width, C), in images' dtype.

    Raises
    ------
    ShapeError
        If the window does not fit into the images.

    Source: Krizhevsky et al. 2012, section 4.1.

    Examples
    --------
    >>> images = np.arange(16).reshape(1, 4, 4, 1)
    >>> random_crop(images, size=2, rng=np.random.default_rng(0))[0, :, :, 0]
    array([[ 9, 10],
           [13, 14]])
    """
    height, width = _expect_fitting(images, size)
    expect_generator(rng)
    _, H, W, _ = images.shape
    i, j = rng.integers(0, [H - height + 1, W - width + 1], (len(images), 2)).T
    windows = np.lib.stride_tricks.sliding_window_view(images, (height, width), axis=(1, 2))
    return windows.transpose(0, 1, 2, 4, 5, 3)[np.arange(len(images)), i, j]


def center_crop(images: np.ndarray, *, size: int | tuple[int, int]) -> np.ndarray:
    """Cut the window in the middle out of each image: at test time, in place of `random_crop`.

    Parameters
    ----------
    images : (N, H, W, C), any dtype.
    size : pixels of the window, one number or (height, width).

    Returns
    -------
    crops : (N, height, width, C), in images' dtype.

    Raises
    ------
    ShapeError
        If the window does not fit into the images.

    Examples
    --------
    >>> center_crop(np.arange(16).reshape(1, 4, 4, 1), size=2)[0, :, :, 0]
    array([[ 5,  6],
           [ 9, 10]])
    """
    height, width = _expect_fitting(images, size)
    top, left = (images.shape[1] - height) // 2, (images.shape[2] - width) // 2
    return images[:, top : top + height, left : left + width].copy()


def ten_crops(images: np.ndarray, *, size: int | tuple[int, int]) -> np.ndarray:
    """Cut out the four corners and the center of each image, then the same of its mirror image.

    A network that was trained on random crops may look at all ten, and the mean of its
    probabilities be its answer:

        np.mean([model.predict_probabilities(preprocess(crop)) for crop in crops], axis=0)

    Parameters
    ----------
    images : (N, H, W, C), any dtype.
    size : pixels of a window, one number or (height, width).

    Returns
    -------
    crops : (10, N, height, width, C), in images' dtype.

    Raises
    ------
    ShapeError
        If the window does not fit into the images.

    Source: Krizhevsky et al. 2012, section 4.1.

    Examples
    --------
    >>> ten_crops(np.arange(9).reshape(1, 3, 3, 1), size=1).ravel()
    array([0, 2, 6, 8, 4, 2, 0, 8, 6, 4])
    """
    height, width = _expect_fitting(images, size)
    sides = [
        side[:, rows, columns]
        for side in (images, images[:, :, ::-1])
        for rows in (slice(height), slice(images.shape[1] - height, None))
        for columns in (slice(width), slice(images.shape[2] - width, None))
    ]
    middle = center_crop(images, size=size)
    return np.stack([*sides[:4], middle, *sides[4:], middle[:, :, ::-1]])


def cutout(
    images: np.ndarray,
    *,
    size: int,
    rng: np.random.Generator,
    fill: float | Sequence[float] = 0,
) -> np.ndarray:
    """Cover a square in each image, so that a network does not rely on one part of what it sees.

    The center of the square may be any pixel; what would be outside the image is not covered.

    Parameters
    ----------
    images : (N, H, W, C) uint8.
    size : pixels, the side of the square.
    rng : draws the center in each image, all pixels equally likely.
    fill : from 0 to 255, one number or one per channel, rounded; the mean of the channels, as
        in the paper, is `Standardize.fit(images).mean`.

    Returns
    -------
    covered : images' shape, uint8.

    Raises
    ------
    ShapeError, TypeError
        If the images have the wrong axes or are not uint8, or fill has the wrong length.
    ValueError
        If size is not a whole number of at least 1, or fill is no pixel.

    Source: DeVries & Taylor 2017, "Improved Regularization of Convolutional Neural Networks
    with Cutout", section 3.2.

    Examples
    --------
    >>> images = np.full((1, 4, 5, 1), 7, np.uint8)
    >>> cutout(images, size=2, rng=np.random.default_rng(0))[0, :, :, 0]
    array([[7, 7, 7, 7, 7],
           [7, 7, 7, 7, 7],
           [7, 7, 0, 0, 7],
           [7, 7, 0, 0, 7]], dtype=uint8)
    """
    expect_pixels(images)
    expect_whole("size", size)
    expect_generator(rng)
    color = np.rint(fill)
    N, H, W, C = images.shape
    if color.shape not in ((), (C,)):
        raise ShapeError(f"fill must be one number or {C}, one per channel, got {fill!r}.")
    if not ((color >= 0) & (color <= 255)).all():
        raise ValueError(f"fill must lie between 0 and 255, got {fill!r}.")
    top, left = (rng.integers(0, [H, W], (N, 2)) - size // 2).T[:, :, None]
    rows = (np.arange(H) >= top) & (np.arange(H) < top + size)
    columns = (np.arange(W) >= left) & (np.arange(W) < left + size)
    covered = images.copy()
    covered[rows[:, :, None] & columns[:, None, :]] = color
    return covered


@dataclass(frozen=True, eq=False, repr=False)
class ColorJitter:
    """Change the light: add a random color to each image, mostly one in which images differ.

    out = image + Σ αₖ √λₖ pₖ  with  αₖ normal of mean 0 and standard deviation std, per image

    pₖ and λₖ are the principal components of the colors of all training pixels and their
    variances. The paper has λ in place of √λ; but λ is a squared pixel, so that the strength
    would depend on whether pixels run to 255 or to 1. With √λ an image moves, along each
    component, by about std times as much as colors vary.

    Parameters
    ----------
    directions : (C, C), √λₖ pₖ in row k, in units of a pixel (0 to 255).
    std : the strength, at least 0.

    Source: Krizhevsky et al. 2012, section 4.1 (altering the intensities of the RGB channels).

    Examples
    --------
    >>> gray = np.array([0, 100, 200], np.uint8).reshape(3, 1, 1, 1)
    >>> jitter = ColorJitter.fit(np.repeat(gray, 3, axis=3))
    >>> jitter, jitter.directions.round(1) + 0
    (ColorJitter(3 channels, std=0.1),
     array([[81.6, 81.6, 81.6],
            [ 0. ,  0. ,  0. ],
            [ 0. ,  0. ,  0. ]]))
    >>> jitter(np.repeat(gray, 3, axis=3), rng=np.random.default_rng(0)).reshape(3, 3)
    array([[  1,   1,   1],
           [101, 101, 101],
           [211, 211, 211]], dtype=uint8)
    """

    directions: np.ndarray
    std: float = 0.1

    def __post_init__(self):
        expect_number("std", self.std, least=0)

    @classmethod
    def fit(cls, images: np.ndarray, *, std: float = 0.1) -> "ColorJitter":
        """Measure how colors vary over the training images, (N, H, W, C) uint8.

        Raises
        ------
        ShapeError, TypeError
            If the images have the wrong axes, are not uint8, or there are none.
        ValueError
            If std is not a number of at least 0.
        """
        _, variances, vectors = principal(images, axes=1)
        return cls((vectors * np.sqrt(variances)).T, std)

    def __call__(self, images: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
        """Images in another light: (N, H, W, C) uint8 in and out, cut off at 0 and 255."""
        expect_pixels(images)
        expect_generator(rng)
        C = len(self.directions)
        expect_measured("images", images, (C,))
        color = rng.normal(0, self.std, (len(images), C)) @ self.directions
        # Whole numbers of two bytes hold −255 to 510, and are faster than floats.
        color = np.rint(color.clip(-255, 255)).astype(np.int16)
        return (images + color[:, None, None, :]).clip(0, 255).astype(np.uint8)

    def __repr__(self) -> str:
        return f"ColorJitter({len(self.directions)} channels, std={self.std:g})"


def _expect_fitting(images, size):
    """The height and width of a window, once it fits into the images."""
    expect_rank("images", images, "N H W C")
    height, width = pair(size)
    expect_whole("size", height)
    expect_whole("size", width)
    if height > images.shape[1] or width > images.shape[2]:
        raise ShapeError(
            f"a window of {height}×{width} must fit into the images, got images of "
            f"{images.shape[1]}×{images.shape[2]}."
        )
    return height, width
