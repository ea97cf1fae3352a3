"""One real photograph, for pictures of what a convolution does."""

import numpy as np


def photograph(size: int | tuple[int, int] | None = None) -> np.ndarray:
    """A portrait of Grace Hopper, who wrote one of the first compilers.

    The photograph was taken for the United States Navy, is in the public domain, and
    ships with matplotlib as sample data; nothing is downloaded.

    Parameters
    ----------
    size : pixels to crop and scale it to, one number for a square or (height, width);
        by default the photograph as it is, 600×512.

    Returns
    -------
    photo : (H, W, 3) uint8, red, green and blue from 0 to 255.

    Examples
    --------
    >>> photograph().shape, photograph(128).shape, photograph((96, 64)).shape
    ((600, 512, 3), (128, 128, 3), (96, 64, 3))
    """
    # Loaded here: the rest of the package needs NumPy only.
    from matplotlib.cbook import get_sample_data
    from PIL import Image, ImageOps

    from cnnlab.shapes import pair

    photo = Image.open(get_sample_data("grace_hopper.jpg", asfileobj=False)).convert("RGB")
    if size is not None:
        height, width = pair(size)
        photo = ImageOps.fit(photo, (width, height))
    return np.array(photo)
