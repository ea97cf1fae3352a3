"""The official file formats: IDX (MNIST and its kin) and the binary version of CIFAR-10.

A file is not trusted. What it says about itself is compared with what is expected before
anything is reserved for it, and never more is unpacked than a right file holds.
"""

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path

import numpy as np


class DataFileError(ValueError):
    """A file does not hold what it should; the message names the file."""


def read_idx(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """The array of bytes inside a gzipped IDX file, such as train-images-idx3-ubyte.gz.

    Two zeros, the type (8 for unsigned bytes), the number of axes; the size of each axis as a
    big-endian number of four bytes; then the array, its last axis fastest.

    Parameters
    ----------
    path : the file.
    shape : the size of each axis that the file must have.

    Returns
    -------
    array : of this shape, uint8, read-only.

    Raises
    ------
    DataFileError
        If the file is cut off, damaged, too long, of another type or of another shape.

    Source: LeCun, Cortes & Burges, "The MNIST database of handwritten digits".

    Examples
    --------
    >>> import tempfile
    >>> labels = bytes([0, 0, 8, 1, 0, 0, 0, 3]) + bytes([5, 0, 4])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "train-labels-idx1-ubyte.gz")
    ...     _ = path.write_bytes(gzip.compress(labels))
    ...     read_idx(path, (3,))
    array([5, 0, 4], dtype=uint8)
    """
    expected = bytes([0, 0, 8, len(shape)]) + np.array(shape, ">u4").tobytes()
    with _readable(path), gzip.open(path) as stream:
        header = stream.read(len(expected))
        if header[:4] != expected[:4]:
            raise DataFileError(
                f"{path} must start with {expected[:4].hex(' ')}, as an IDX file of bytes with "
                f"{len(shape)} axes does, got {header[:4].hex(' ') or 'nothing'}."
            )
        if header != expected:
            found = np.frombuffer(header[4 : len(header) // 4 * 4], ">u4")
            raise DataFileError(
                f"{path} must hold an array of shape {shape}, got {tuple(found.tolist())}."
            )
        content = _read_exactly(stream, prod(shape), path)
        # Asked for one byte more, gzip looks at the end of the file and at its checksum.
        if stream.read(1):
            raise DataFileError(f"{path} must end after {prod(shape):,} bytes, but goes on.")
    return np.frombuffer(content, np.uint8).reshape(shape)


def read_mnist(
    folder: Path, counts: tuple[int, int] = (60_000, 10_000)
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The images and labels in the four files of MNIST, or of a data set in its format.

    Parameters
    ----------
    folder : holds train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, and the two of t10k.
    counts : how many training and test images there must be.

    Returns
    -------
    train_images, train_labels, test_images, test_labels : (N, 28, 28, 1) and (N,), uint8.

    Raises
    ------
    DataFileError
        As `read_idx`, or if a label is not a number from 0 to 9.
    """
    train, test = (
        (
            read_idx(folder / f"{part}-images-idx3-ubyte.gz", (count, 28, 28))[..., None],
            _digits(read_idx(path := folder / f"{part}-labels-idx1-ubyte.gz", (count,)), path),
        )
        for part, count in zip(("train", "t10k"), counts, strict=True)
    )
    return *train, *test


def read_cifar10(
    folder: Path, per_batch: int = 10_000
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The images and labels inside cifar-10-binary.tar.gz; nothing is unpacked to the disk.

    It holds data_batch_1.bin to data_batch_5.bin and test_batch.bin. In each of them
    an image takes 3,073 bytes: its label, then 32×32 pixels of red, of green and of blue.

    Parameters
    ----------
    folder : holds the archive.
    per_batch : how many images each of its six files must hold.

    Returns
    -------
    train_images, train_labels : (5 · per_batch, 32, 32, 3) and (5 · per_batch,), uint8.
    test_images, test_labels : (per_batch, 32, 32, 3) and (per_batch,), uint8.

    Raises
    ------
    DataFileError
        If the archive or a file in it is cut off, damaged, too long or missing, or a label is
        not a number from 0 to 9.

    Source: Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images"; the format
    is described at https://www.cs.toronto.edu/~kriz/cifar.html.
    """
    path = folder / "cifar-10-binary.tar.gz"
    train = [f"cifar-10-batches-bin/data_batch_{number}.bin" for number in range(1, 6)]
    wanted = [*train, "cifar-10-batches-bin/test_batch.bin"]
    size = per_batch * 3073
    images = np.empty((len(wanted), per_batch, 32, 32, 3), np.uint8)
    labels = np.empty((len(wanted), per_batch), np.uint8)
    missing = set(wanted)
    with _readable(path), gzip.open(path) as stream:
        # The other members are two short texts: a tenth more is plenty.
        bounded = _Bounded(stream, int(len(wanted) * size * 1.1) + 100_000, path)
        with tarfile.open(fileobj=bounded, mode="r|") as archive:
            for member in archive:
                if member.name not in missing:
                    continue
                content = archive.extractfile(member) if member.isreg() else None
                if content is None or member.size != size:
                    raise DataFileError(
                        f"{member.name} in {path} must be a file of {size:,} bytes, "
                        f"got {member.size:,}."
                    )
                batch = np.frombuffer(_read_exactly(content, size, path), np.uint8)
                batch, place = batch.reshape(per_batch, 3073), wanted.index(member.name)
                labels[place] = batch[:, 0]
                images[place] = batch[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
                missing.remove(member.name)
    if missing:
        raise DataFileError(f"{path} must hold {min(missing)}, but there is no such file in it.")
    _digits(labels, path)
    return images[:5].reshape(-1, 32, 32, 3), labels[:5].reshape(-1), images[5], labels[5]


def _digits(labels: np.ndarray, path: Path) -> np.ndarray:
    """The labels, once they are seen to be from 0 to 9."""
    if labels.max(initial=0) > 9:
        raise DataFileError(f"{path} must hold labels from 0 to 9, got {labels.max()}.")
    return labels


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Whatever a damaged archive does to its reader is told in one sentence."""
    try:
        yield
    except DataFileError:
        raise
    except (EOFError, gzip.BadGzipFile, zlib.error, tarfile.TarError, ValueError) as error:
        raise DataFileError(f"{path} is damaged or cut off: {error}.") from None


def _read_exactly(stream, size: int, path: Path) -> bytes:
    """Read what should be there, a piece at a time: no memory is reserved for what is not."""
    pieces, left = [], size
    while left and (piece := stream.read(min(left, 1 << 20))):
        pieces.append(piece)
        left -= len(piece)
    if left:
        raise DataFileError(f"{path} is cut off: {size:,} bytes expected, got {size - left:,}.")
    return b"".join(pieces)


class _Bounded(io.BufferedIOBase):
    """A stream that ends in an error where it has given more than it should hold."""

    def __init__(self, stream: io.BufferedIOBase, limit: int, path: Path):
        self.stream, self.left, self.path = stream, limit, path

    def read(self, size: int | None = -1, /) -> bytes:
        content = self.stream.read(size)
        self.left -= len(content)
        if self.left < 0:
            raise DataFileError(f"{self.path} must not hold more than CIFAR-10, but goes on.")
        return content
