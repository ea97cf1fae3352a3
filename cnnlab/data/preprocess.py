"""Preprocessing: from pixels to numbers that a network likes to read."""

from dataclasses import dataclass

import numpy as np

from cnnlab.shapes import ShapeError, expect_rank


@dataclass(frozen=True)
class Standardize:
    """Subtract the mean of each channel and divide by its standard deviation.

    out = (image − mean) / std, one mean and one std per channel.

    The statistics come from the training images only: what the network is tested
    on must not have helped to prepare it.

    Parameters
    ----------
    mean, std : one number per channel, in units of a pixel (0 to 255).

    Source: the lecture, "Data preprocessing"; Simonyan & Zisserman 2015, section 2.1,
    for the mean of each channel.

    Examples
    --------
    >>> images = np.array([0, 10, 20, 30], np.uint8).reshape(1, 2, 2, 1)
    >>> preprocess = Standardize.fit(images)
    >>> preprocess.mean, preprocess(images).ravel().round(2)
    ((15.0,), array([-1.34, -0.45,  0.45,  1.34], dtype=float32))
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def fit(cls, images: np.ndarray) -> "Standardize":
        """Measure mean and standard deviation of each channel over the training images.

        Parameters
        ----------
        images : (N, H, W, C) uint8.

        Raises
        ------
        ShapeError, TypeError
            If the images have the wrong axes, are not uint8, or there are none.
        ValueError
            If a channel has the same value everywhere.
        """
        _expect_pixels(images)
        if images.size == 0:
            raise ShapeError(f"the mean of no pixels is not defined, got shape {images.shape}.")
        mean, std = images.mean(axis=(0, 1, 2)), images.std(axis=(0, 1, 2))
        if not std.all():
            channel = int(np.argmin(std))
            raise ValueError(
                f"every channel must vary to be scaled, got {mean[channel]:g} in every pixel of "
                f"channel {channel}."
            )
        return cls(tuple(mean.tolist()), tuple(std.tolist()))

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Standardized images: (N, H, W, C) uint8 in, the same shape in float32 out."""
        _expect_pixels(images)
        if images.shape[3] != len(self.mean):
            raise ShapeError(
                f"images must have {len(self.mean)} channels, as those that were measured, "
                f"got {images.shape[3]}: shape {images.shape}."
            )
        mean, std = np.array(self.mean, np.float32), np.array(self.std, np.float32)
        return (images.astype(np.float32) - mean) / std


def _expect_pixels(images):
    expect_rank("images", images, "N H W C")
    if images.dtype != np.uint8:
        raise TypeError(
            f"images must be uint8, from 0 to 255, got {images.dtype}: were they "
            f"preprocessed before?"
        )
