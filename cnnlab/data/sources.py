"""Where data sets come from: a table with a row for each, and `load`, which reads it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.resources import files

import numpy as np

from cnnlab.data.dataset import Dataset
from cnnlab.data.fetch import Download, File
from cnnlab.data.formats import read_cifar10, read_mnist
from cnnlab.data.generated import CLASSES, generated_shapes


class UnknownDatasetError(ValueError):
    """There is no data set of this name."""


def load(name: str) -> tuple[Dataset, Dataset]:
    """The training part and the test part of a data set, downloaded if it is not here.

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
    DownloadError
        If it is not here and cannot be downloaded: which file to put where, by hand.
    DataFileError
        If a file does not hold what it should.

    Examples
    --------
    >>> train, test = load("fashion-mnist-small")
    >>> len(train), len(test), train.class_names[train.labels[0]]
    (12000, 2000, 'ankle boot')
    """
    if name not in SOURCES:
        raise UnknownDatasetError(f"name must be one of {', '.join(names())}, got {name!r}.")
    row = SOURCES[name]
    arrays = row.read() if row.download is None else row.read(row.download.fetch())

    def part(which, images, labels):
        labels = labels.astype(np.int64)
        return Dataset(images, labels, row.class_names, f"{name}, {which}", row.source, row.license)

    return part("train", *arrays[:2]), part("test", *arrays[2:])


def names() -> list[str]:
    """The names that `load` knows.

    Examples
    --------
    >>> names()
    ['cifar-10', 'fashion-mnist', 'fashion-mnist-small', 'mnist', 'shapes']
    """
    return sorted(SOURCES)


@dataclass(frozen=True)
class Source:
    """A row of the table: what a data set shows, and where it comes from.

    Parameters
    ----------
    about : one line.
    class_names, source, license : as in `Dataset`.
    read : returns train_images, train_labels, test_images, test_labels; takes the folder of
        the files, if there is a download.
    download : the files that it takes, or None if it comes with cnnlab.
    """

    about: str
    class_names: tuple[str, ...]
    source: str
    license: str
    read: Callable[..., tuple[np.ndarray, ...]]
    download: Download | None = None

    @property
    def place(self) -> str:
        """Where it is, in a few words."""
        if self.download is None:
            return "comes with cnnlab"
        if folder := self.download.find():
            return f"in {folder}"
        return f"{self.download.size / 1e6:.1f} MB to download"


def _read_fashion_mnist_small():
    """The first 1,200 training and 200 test images of each class, in their original order."""
    # tools/make_fashion_mnist_subset.py cut them.
    with (
        files("cnnlab.data").joinpath("fashion-mnist-small.npz").open("rb") as file,
        np.load(file, allow_pickle=False) as arrays,
    ):
        return tuple(
            arrays[f"{part}_{what}"] for part in ("train", "test") for what in ("images", "labels")
        )


def _draw_shapes():
    train = generated_shapes(10_000, rng=np.random.default_rng(0))
    test = generated_shapes(2_000, rng=np.random.default_rng(1))
    return train.images, train.labels, test.images, test.labels


# Sizes and MD5 sums as the authors publish them.
_FASHION_MNIST = Download(
    "fashion-mnist",
    (
        File("train-images-idx3-ubyte.gz", 26_421_880, "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        File("train-labels-idx1-ubyte.gz", 29_515, "25c81989df183df01b3e8a0aad5dffbe"),
        File("t10k-images-idx3-ubyte.gz", 4_422_102, "bef4ecab320f06d8554ea6380940ec79"),
        File("t10k-labels-idx1-ubyte.gz", 5_148, "bb300cfdad3c16e7a12a480ee83cd310"),
    ),
    (
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
)
_MNIST = Download(
    "mnist",
    (
        File("train-images-idx3-ubyte.gz", 9_912_422, "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        File("train-labels-idx1-ubyte.gz", 28_881, "d53e105ee54ea40749a09fcbcd1e9432"),
        File("t10k-images-idx3-ubyte.gz", 1_648_877, "9fb629c4189551a2d022fa330f9573f3"),
        File("t10k-labels-idx1-ubyte.gz", 4_542, "ec29112dd5afa0611ce80d1b7f02629c"),
    ),
    (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
)
_CIFAR_10 = Download(
    "cifar-10",
    (File("cifar-10-binary.tar.gz", 170_052_171, "c32a1d4ab5d03f1284b67883e8d87530"),),
    ("https://www.cs.toronto.edu/~kriz/",),
)

_CLOTHES = Source(
    "60,000 + 10,000 gray images of clothes, 28×28",
    class_names=(
        *("T-shirt", "trouser", "pullover", "dress", "coat"),
        *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
    ),
    # Xiao, Rasul & Vollgraf 2017, "Fashion-MNIST: a Novel Image Dataset for Benchmarking
    # Machine Learning Algorithms".
    source="https://github.com/zalandoresearch/fashion-mnist",
    license="MIT, copyright 2017 Zalando SE",
    read=read_mnist,
    download=_FASHION_MNIST,
)

SOURCES = {
    "fashion-mnist-small": replace(
        _CLOTHES,
        about="12,000 + 2,000 of the images of fashion-mnist",
        read=_read_fashion_mnist_small,
        download=None,
    ),
    "fashion-mnist": _CLOTHES,
    "mnist": Source(
        "60,000 + 10,000 gray images of handwritten digits, 28×28",
        class_names=tuple("0123456789"),
        source="http://yann.lecun.com/exdb/mnist/",
        license="CC BY-SA 3.0, copyright Yann LeCun and Corinna Cortes",
        read=read_mnist,
        download=_MNIST,
    ),
    "cifar-10": Source(
        "50,000 + 10,000 color photographs of animals and vehicles, 32×32",
        class_names=(
            *("airplane", "automobile", "bird", "cat", "deer"),
            *("dog", "frog", "horse", "ship", "truck"),
        ),
        source="https://www.cs.toronto.edu/~kriz/cifar.html",
        license="none stated; the authors ask to cite Krizhevsky 2009",
        read=read_cifar10,
        download=_CIFAR_10,
    ),
    "shapes": Source(
        "10,000 + 2,000 color drawings of shapes and textures, 32×32",
        class_names=tuple(CLASSES),
        source="drawn by cnnlab.data.generated_shapes",
        license="CC0",
        read=_draw_shapes,
    ),
}
