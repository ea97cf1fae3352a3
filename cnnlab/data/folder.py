"""A folder of images as a data set, whatever its size."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cnnlab.data.dataset import Dataset
from cnnlab.data.formats import DataFileError
from cnnlab.data.image_files import ImageFiles
from cnnlab.shapes import expect_whole

_SUFFIXES = {".bmp", ".gif", ".jpg", ".jpeg", ".png", ".webp"}


def folder(
    path: str | Path, size: int = 227, *, class_names: Sequence[str] | None = None
) -> Dataset:
    """The images in a folder with one sub-folder for each class, as ImageNet is laid out.

    Nothing is read yet: the images are `ImageFiles`, which read a batch when it is needed.

    Parameters
    ----------
    path : the folder of one part, such as "flowers/train".
    size : height and width in pixels that every image is scaled and cropped to.
    class_names : the classes in their order; by default the names of the sub-folders, sorted.
        For the test part, give `train.class_names`: then a label means the same in both.

    Raises
    ------
    DataFileError
        If there is no such folder, or no images in it or in a sub-folder, or a sub-folder is
        not one of class_names.
    ValueError
        If size is not a whole number of at least 1.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as path:
    ...     for name in ("cat", "dog"):
    ...         Path(path, name).mkdir()
    ...         Image.new("RGB", (60, 40), "orange").save(Path(path, name, "1.png"))
    ...     pets = folder(path, size=32)
    ...     pets.class_names, pets.image_shape, pets.images[0][16, 16].tolist()
    (('cat', 'dog'), (32, 32, 3), [255, 165, 0])
    """
    path = Path(path)
    expect_whole("size", size)
    if not path.is_dir():
        raise DataFileError(f"{path} must be a folder with a sub-folder for each class.")
    found = sorted(
        entry.name for entry in path.iterdir() if entry.is_dir() and entry.name[0] != "."
    )
    names = tuple(found if class_names is None else class_names)
    if not found:
        raise DataFileError(f"{path} must hold a sub-folder for each class, got none.")
    if strange := sorted(set(found) - set(names)):
        raise DataFileError(
            f"{path} must hold sub-folders of the classes {', '.join(names)}, got {strange[0]}."
        )
    files, labels = [], []
    for name in found:
        inside = sorted(
            file
            for file in (path / name).rglob("*")
            if file.suffix.lower() in _SUFFIXES and file.name[0] != "."
        )
        if not inside:
            raise DataFileError(
                f"{path / name} must hold images ({' '.join(sorted(_SUFFIXES))}), got none."
            )
        files += inside
        labels += [names.index(name)] * len(inside)
    return Dataset(
        ImageFiles(files, size), np.array(labels), names, name=path.name, source=str(path)
    )
