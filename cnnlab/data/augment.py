"""Augmentation: small changes to training images that do not change what they show."""

import numpy as np

from cnnlab.shapes import expect_rank


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

    Source: Krizhevsky et al. 2012, section 4.1 (translations).

    Examples
    --------
    >>> image = np.array([[1, 2], [3, 4]]).reshape(1, 2, 2, 1)
    >>> shift(image, pixels=1, rng=np.random.default_rng(0))[0, :, :, 0]
    array([[3, 4],
           [0, 0]])
    """
    expect_rank("images", images, "N H W C")
    N, H, W, _ = images.shape
    padded = np.pad(images, ((0, 0), (pixels, pixels), (pixels, pixels), (0, 0)))
    corners = rng.integers(0, 2 * pixels + 1, (N, 2))
    return np.stack(
        [image[i : i + H, j : j + W] for image, (i, j) in zip(padded, corners, strict=True)]
    )


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
    mirrored = rng.random(len(images)) < 0.5
    return np.where(mirrored[:, None, None, None], images[:, :, ::-1], images)
