"""A data set: images, their labels, and where they come from."""

from dataclasses import dataclass, replace

import numpy as np

from cnnlab.data.image_files import ImageFiles
from cnnlab.shapes import ShapeError, expect_rank


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Labeled images, with the names of the classes and the source.

    Parameters
    ----------
    images : (N, H, W, C) uint8, pixels from 0 to 255: an array, or `ImageFiles`, which read the
        pixels when `np.asarray` asks for them.
    labels : (N,) integers, positions in `class_names`.
    class_names : one name per class.
    name, source, license : what this is, where it comes from, what it may be used for.

    Raises
    ------
    ShapeError
        If the images have the wrong axes or there is not one label per image.
    TypeError
        If the images are not uint8 or the labels are not integers.
    ValueError
        If a label is not a class.

    Examples
    --------
    >>> images = np.zeros((3, 28, 28, 1), np.uint8)
    >>> dataset = Dataset(images, np.array([0, 1, 1]), ("shirt", "bag"), name="wardrobe")
    >>> dataset
    <Dataset wardrobe: 3 images of 28×28×1, uint8, 2 classes>
    >>> len(dataset[:2]), dataset.take([2, 0]).labels
    (2, array([1, 0]))
    """

    images: np.ndarray | ImageFiles
    labels: np.ndarray
    class_names: tuple[str, ...]
    name: str = "unnamed"
    source: str = "unknown"
    license: str = "unknown"

    def __post_init__(self):
        if not isinstance(self.images, ImageFiles):
            expect_rank("images", self.images, "N H W C")
        if self.images.dtype != np.uint8:
            raise TypeError(f"images must be uint8, from 0 to 255, got {self.images.dtype}.")
        if self.labels.shape != self.images.shape[:1]:
            raise ShapeError(
                f"labels must hold one label per image, shape {self.images.shape[:1]}, "
                f"got {self.labels.shape}."
            )
        if not np.issubdtype(self.labels.dtype, np.integer):
            raise TypeError(f"labels must be integers, got {self.labels.dtype}.")
        if len(self) and not 0 <= self.labels.min() <= self.labels.max() < self.n_classes:
            raise ValueError(
                f"labels must lie between 0 and {self.n_classes - 1}, one per class name, "
                f"got {self.labels.min()} to {self.labels.max()}."
            )

    @property
    def n_classes(self) -> int:
        """How many classes there are, whether or not each of them occurs."""
        return len(self.class_names)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of one image."""
        return self.images.shape[1:]

    def take(self, indices) -> "Dataset":
        """The data set made of these examples, in this order."""
        return replace(self, images=self.images[indices], labels=self.labels[indices])

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, part: slice) -> "Dataset":
        if not isinstance(part, slice):
            raise TypeError(
                f"a data set is cut with a slice, dataset[:100], or with "
                f"dataset.take([3, 5]); got dataset[{part!r}]."
            )
        return self.take(part)

    def __repr__(self) -> str:
        size = f"{len(self):,} images of {'×'.join(map(str, self.image_shape))}, uint8"
        return f"<Dataset {self.name}: {size}, {self.n_classes} classes>"


def split(
    dataset: Dataset, held_out: float | int, rng: np.random.Generator
) -> tuple[Dataset, Dataset]:
    """Draw two parts in which every class has the same share, such as training and validation.

    Parameters
    ----------
    dataset : what to split; both parts keep its order.
    held_out : size of the second part, a fraction between 0 and 1 or a number of examples.
    rng : chooses which examples go where.

    Returns
    -------
    rest, part : the larger part usually trains, the held-out part validates.

    Raises
    ------
    ValueError
        If one of the parts would be empty.

    Examples
    --------
    >>> images, labels = np.zeros((10, 2, 2, 1), np.uint8), np.array([0, 1] * 5)
    >>> everything = Dataset(images, labels, ("even", "odd"))
    >>> train, validation = split(everything, 0.4, np.random.default_rng(0))
    >>> len(train), validation.labels
    (6, array([1, 0, 0, 1]))
    """
    count = round(held_out * len(dataset)) if isinstance(held_out, float) else held_out
    if not 0 < count < len(dataset):
        raise ValueError(
            f"held_out must leave examples on both sides: a fraction between 0 and 1 or a count "
            f"from 1 to {len(dataset) - 1}, got {held_out!r}."
        )
    # Line the classes up side by side, each in random order, by the share of the class
    # already used; the first `count` in the line hold every class in proportion.
    place = np.empty(len(dataset))
    for label in np.unique(dataset.labels):
        members = rng.permutation(np.flatnonzero(dataset.labels == label))
        place[members] = (np.arange(len(members)) + 0.5) / len(members)
    line = np.argsort(place, kind="stable")
    return dataset.take(np.sort(line[count:])), dataset.take(np.sort(line[:count]))
