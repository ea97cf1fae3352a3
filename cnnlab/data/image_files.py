"""Images that stay in their files until somebody looks at them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cnnlab.data.formats import DataFileError

# By content, not by name; and none of the formats that Pillow needs other programs for.
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "WEBP")
# More than photographs have; a small file that claims even more is a trap.
_MOST_PIXELS = 80_000_000


class ImageFiles:
    """Stands in for an array (N, H, W, 3) of uint8: each use reads the files it needs.

    A slice or an array of indices gives other `ImageFiles`, without reading; `np.asarray`
    reads. So code for both kinds of images begins with `np.asarray(images[...])`.

    Parameters
    ----------
    paths : one file for each image; BMP, GIF (its first picture), JPEG, PNG or WebP.
    size : H = W, in pixels. The largest square in the middle of the image is scaled to it.

    Raises
    ------
    DataFileError
        On reading, if a file is no image, damaged, or larger than 80 million pixels.

    Source: Krizhevsky et al. 2012, section 2, for scaling and cropping the middle.

    Examples
    --------
    >>> from matplotlib.cbook import get_sample_data
    >>> path = Path(get_sample_data("grace_hopper.jpg", asfileobj=False))
    >>> images = ImageFiles([path] * 1000, size=227)
    >>> images.shape, images[10:20]
    ((1000, 227, 227, 3), <ImageFiles: 10 files, read as 227×227×3>)
    >>> np.asarray(images[[0, 5]]).shape, images[0].shape
    ((2, 227, 227, 3), (227, 227, 3))
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, paths: Sequence[Path], size: int):
        self.paths, self.size = np.array(paths, object), size

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, H, W, C) of the array that this stands for."""
        return len(self.paths), self.size, self.size, 3

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, part):
        if isinstance(part, tuple):
            raise TypeError(
                f"images in files are chosen by number only, got {part!r}: read them first, "
                f"np.asarray(images)."
            )
        paths = self.paths[part]
        return _read(paths, self.size) if isinstance(paths, Path) else ImageFiles(paths, self.size)

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        if copy is False:
            raise ValueError("images in files are always read into a new array, got copy=False.")
        images = np.empty(self.shape, np.uint8)
        for image, path in zip(images, self.paths, strict=True):
            image[...] = _read(path, self.size)
        return images.astype(dtype or np.uint8, copy=False)

    def __repr__(self) -> str:
        return f"<ImageFiles: {len(self):,} files, read as {self.size}×{self.size}×3>"


def _read(path: Path, size: int) -> np.ndarray:
    """(size, size, 3) uint8: the middle of the image in this file."""
    # Loaded here: most data sets need NumPy only.
    from PIL import Image, ImageOps

    try:
        with Image.open(path, formats=_FORMATS) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise ValueError(f"{image.width}×{image.height} pixels are too many")
            upright = ImageOps.exif_transpose(image)
            # By way of RGBA, because palettes with a transparent color do not go straight.
            return np.array(ImageOps.fit(upright.convert("RGBA").convert("RGB"), (size, size)))
    except Exception as error:  # Pillow's decoders raise whatever they stumble over
        raise DataFileError(f"{path} cannot be read as an image: {error}.") from None
