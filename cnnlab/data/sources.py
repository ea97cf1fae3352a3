"""Where data sets come from: a name for each, and one function that loads it."""

from collections.abc import Callable
from importlib.resources import files

import numpy as np

from cnnlab.data.dataset import Dataset


class UnknownDatasetError(ValueError):
    """There is no data set of this name."""


def load(name: str) -> tuple[Dataset, Dataset]:
    """The training part and the test part of a data set.

    Parameters
    ----------
    name : one of `names()`.

    Returns
    -------
    train, test : balanced or not as the data set is; the test part is for the end.

    Raises
    ------
    UnknownDatasetError
        A ValueError that lists the names there are.

    Examples
    --------
    >>> train, test = load("fashion-mnist-small")
    >>> len(train), len(test), train.class_names[train.labels[0]]
    (12000, 2000, 'ankle boot')
    """
    if name not in SOURCES:
        raise UnknownDatasetError(f"name must be one of {', '.join(names())}, got {name!r}.")
    return SOURCES[name]()


def names() -> list[str]:
    """The names that `load` knows.

    Examples
    --------
    >>> names()
    ['fashion-mnist-small']
    """
    return sorted(SOURCES)


def fashion_mnist_small() -> tuple[Dataset, Dataset]:
    """12,000 + 2,000 images of clothes, 28×28×1, ten balanced classes; ships with cnnlab.

    The first 1,200 training and the first 200 test images of each class of
    Fashion-MNIST, in their order there; `tools/make_fashion_mnist_subset.py` cuts them.

    Source: Xiao, Rasul & Vollgraf 2017, "Fashion-MNIST: a Novel Image Dataset for
    Benchmarking Machine Learning Algorithms".

    Examples
    --------
    >>> train, test = fashion_mnist_small()
    >>> np.bincount(test.labels)
    array([200, 200, 200, 200, 200, 200, 200, 200, 200, 200])
    """
    with (
        files("cnnlab.data").joinpath("fashion-mnist-small.npz").open("rb") as file,
        np.load(file, allow_pickle=False) as arrays,
    ):
        train, test = (
            Dataset(
                arrays[f"{part}_images"],
                arrays[f"{part}_labels"].astype(np.int64),
                class_names=(
                    *("T-shirt", "trouser", "pullover", "dress", "coat"),
                    *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
                ),
                name=f"fashion-mnist-small, {part}",
                source="https://github.com/zalandoresearch/fashion-mnist",
                license="MIT, copyright 2017 Zalando SE",
            )
            for part in ("train", "test")
        )
    return train, test


SOURCES: dict[str, Callable[[], tuple[Dataset, Dataset]]] = {
    "fashion-mnist-small": fashion_mnist_small,
}
