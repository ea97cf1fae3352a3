"""Cut the subset of Fashion-MNIST that ships inside cnnlab from the four original files.

    python tools/make_fashion_mnist_subset.py [FOLDER]

FOLDER holds train-images-idx3-ubyte.gz and its three companions. They come with
Debian's package dataset-fashion-mnist (the default folder) or from
https://github.com/zalandoresearch/fashion-mnist. The result is the first 1,200
training and the first 200 test images of each class, in the original order.
"""

import gzip
import hashlib
import sys
from pathlib import Path

import numpy as np

from cnnlab.data.formats import DataFileError, read_idx

ORIGINALS = Path("/usr/share/datasets/fashion-mnist")
TARGET = Path(__file__).parents[1] / "cnnlab" / "data" / "fashion-mnist-small.npz"
PER_CLASS = {"train": 1200, "test": 200}

# Of the uncompressed files: recompressing them does not change what is inside.
SHA256 = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}


def read_original(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """The array inside a gzipped IDX file, once its content is seen to be the original one."""
    array = read_idx(path, shape)
    found = hashlib.sha256(gzip.decompress(path.read_bytes())).hexdigest()
    if found != SHA256[path.stem]:
        raise DataFileError(
            f"{path} must hold the original file with SHA-256 {SHA256[path.stem]}, got {found}."
        )
    return array


def first_of_each_class(labels: np.ndarray, count: int) -> np.ndarray:
    """Indices of the first `count` examples of every class, in ascending order."""
    return np.sort(np.concatenate([np.flatnonzero(labels == c)[:count] for c in range(10)]))


def make_subset(folder: Path) -> dict[str, np.ndarray]:
    """The four arrays of the subset: images (N, 28, 28, 1) uint8 and labels (N,) uint8."""
    subset = {}
    for split, prefix, count in (("train", "train", 60_000), ("test", "t10k", 10_000)):
        images = read_original(folder / f"{prefix}-images-idx3-ubyte.gz", (count, 28, 28))
        labels = read_original(folder / f"{prefix}-labels-idx1-ubyte.gz", (count,))
        chosen = first_of_each_class(labels, PER_CLASS[split])
        subset[f"{split}_images"] = images[chosen, :, :, None]
        subset[f"{split}_labels"] = labels[chosen]
    return subset


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ORIGINALS
    np.savez_compressed(TARGET, allow_pickle=False, **make_subset(folder))
    digest = hashlib.sha256(TARGET.read_bytes()).hexdigest()
    print(f"{TARGET}: {TARGET.stat().st_size / 1e6:.2f} MB, SHA-256 {digest}")


if __name__ == "__main__":
    main()
