import gzip
import io
import tarfile
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnlab.data.formats import DataFileError, read_cifar10, read_idx, read_mnist

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (2, 3, 4), dtype=np.uint8)
RECORDS = RNG.integers(0, 256, (6, 2, 3073), dtype=np.uint8)
RECORDS[..., 0] %= 10
BATCHES = [
    f"cifar-10-batches-bin/{name}.bin"
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")
]


def idx(array):
    """An array of bytes in the format of http://yann.lecun.com/exdb/mnist."""
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return b"\x00\x00\x08" + bytes([array.ndim]) + sizes + array.tobytes()


def tar(members, *, kind=tarfile.REGTYPE):
    """(name, content) pairs in an archive, each of this kind."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size, member.type = len(content), kind
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


def cifar_members():
    texts = [("cifar-10-batches-bin/batches.meta.txt", b"airplane\nautomobile\n")]
    return [
        *texts,
        *((name, batch.tobytes()) for name, batch in zip(BATCHES, RECORDS, strict=True)),
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("formats")


def write_idx(folder, content, *, compressed=False):
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(content if compressed else gzip.compress(content, mtime=0))
    return path


def write_cifar(folder, content, *, compressed=False):
    path = folder / "cifar-10-binary.tar.gz"
    path.write_bytes(content if compressed else gzip.compress(content, mtime=0))
    return path


def peak_while(action):
    """The most memory in bytes that an action takes, which must end in a DataFileError."""
    tracemalloc.start()
    try:
        with pytest.raises(DataFileError):
            action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# IDX


@pytest.mark.parametrize("array", [PIXELS, PIXELS[0], PIXELS[0, 0], PIXELS[:0]], ids=str)
def test_idx_is_read_as_it_was_written(folder, array):
    found = read_idx(write_idx(folder, idx(array)), array.shape)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "00 00 08 03.*got nothing"),
        (b"\x00\x00", "got 00 00"),
        (b"\x00\x00\x0d" + idx(PIXELS)[3:], "IDX file of bytes with 3 axes.*got 00 00 0d 03"),
        (idx(PIXELS[0]), "got 00 00 08 02"),
        (b"\x89PNG" + idx(PIXELS)[4:], "got 89 50 4e 47"),
        (idx(PIXELS)[:10], r"shape \(2, 3, 4\), got \(2,\)"),
        (idx(PIXELS[:1]), r"shape \(2, 3, 4\), got \(1, 3, 4\)"),
        (idx(PIXELS)[:-1], "cut off: 24 bytes expected, got 23"),
        (idx(PIXELS) + b"\x00", "must end after 24 bytes"),
    ],
    ids=["empty", "magic-cut", "floats", "axes", "png", "sizes-cut", "shape", "short", "long"],
)
def test_a_wrong_idx_file_is_named_and_described(folder, content, words):
    with pytest.raises(DataFileError, match=f"train-images-idx3-ubyte.gz.*{words}"):
        read_idx(write_idx(folder, content), (2, 3, 4))


@pytest.mark.parametrize(
    "content",
    [
        idx(PIXELS),
        gzip.compress(idx(PIXELS))[:-1],
        gzip.compress(idx(PIXELS))[:-8],
        gzip.compress(idx(PIXELS))[:-8] + bytes(8),
        gzip.compress(idx(PIXELS)) + b"more",
        b"<html>please log in</html>",
        b"",
    ],
    ids=["plain", "cut", "no-checksum", "wrong-checksum", "appended", "page", "empty"],
)
def test_what_is_not_a_whole_gzip_file_is_named(folder, content):
    with pytest.raises(DataFileError, match=r"train-images-idx3-ubyte\.gz"):
        read_idx(write_idx(folder, content, compressed=True), (2, 3, 4))


def test_a_missing_file_is_told_as_python_does(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.gz"):
        read_idx(tmp_path / "nowhere.gz", (1,))


def test_no_memory_is_reserved_for_what_a_header_promises(folder):
    promised = (60_000, 28, 28)
    lying = idx(PIXELS)[:4] + np.array(promised, ">u4").tobytes() + b"\x00" * 10
    path = write_idx(folder, lying)
    assert peak_while(lambda: read_idx(path, promised)) < 4e6
    assert peak_while(lambda: read_idx(path, (2, 3, 4))) < 1e6


def test_no_more_is_unpacked_than_the_array_takes(folder):
    path = write_idx(folder, idx(PIXELS) + bytes(20_000_000))
    assert peak_while(lambda: read_idx(path, (2, 3, 4))) < 4e6


# MNIST


def write_mnist(folder, *, labels=(3, 1, 4)):
    images = RNG.integers(0, 256, (5, 28, 28), dtype=np.uint8)
    labels = np.array([*labels, 5, 9], np.uint8)
    for part, chosen in (("train", slice(3)), ("t10k", slice(3, 5))):
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            path = folder / f"{part}-{kind}-ubyte.gz"
            path.write_bytes(gzip.compress(idx(array[chosen])))
    return images


def test_mnist_is_read_from_its_four_files(tmp_path):
    images = write_mnist(tmp_path)
    train_images, train_labels, test_images, test_labels = read_mnist(tmp_path, (3, 2))
    np.testing.assert_array_equal(train_images, images[:3, :, :, None])
    np.testing.assert_array_equal(test_images, images[3:, :, :, None])
    assert (train_labels.tolist(), test_labels.tolist()) == ([3, 1, 4], [5, 9])


def test_a_label_that_is_no_digit_is_found_with_its_file(tmp_path):
    write_mnist(tmp_path, labels=(3, 10, 4))
    with pytest.raises(DataFileError, match=r"train-labels-idx1-ubyte.gz must .* 0 to 9, got 10"):
        read_mnist(tmp_path, (3, 2))


# CIFAR-10


def test_cifar10_is_read_as_its_page_describes_it(folder):
    write_cifar(folder, tar(cifar_members()))
    train_images, train_labels, test_images, test_labels = read_cifar10(folder, per_batch=2)
    assert train_images.shape == (10, 32, 32, 3)
    assert test_images.shape == (2, 32, 32, 3)
    np.testing.assert_array_equal(train_labels, RECORDS[:5, :, 0].ravel())
    np.testing.assert_array_equal(test_labels, RECORDS[5, :, 0])
    # "The first 1024 bytes are the red channel values, the next 1024 the green, and the final
    # 1024 the blue. The values are stored in row-major order."
    for image, record in ((train_images[3], RECORDS[1, 1]), (test_images[1], RECORDS[5, 1])):
        for channel in range(3):
            for row, column in ((0, 0), (0, 31), (7, 2), (31, 31)):
                value = record[1 + 1024 * channel + 32 * row + column]
                assert image[row, column, channel] == value


def test_the_files_in_the_archive_may_stand_in_any_order(folder):
    write_cifar(folder, tar(cifar_members()[::-1]))
    _, train_labels, _, test_labels = read_cifar10(folder, per_batch=2)
    np.testing.assert_array_equal(train_labels, RECORDS[:5, :, 0].ravel())
    np.testing.assert_array_equal(test_labels, RECORDS[5, :, 0])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (tar(cifar_members()[:-1]), "must hold .*test_batch.bin, but there is no such file"),
        (tar([]), "must hold .*data_batch_1.bin, but"),
        (tar([(BATCHES[0], bytes(6145))]), "data_batch_1.bin in .* 6,146 bytes, got 6,145"),
        (tar([(BATCHES[0], bytes(6147))]), "data_batch_1.bin in .* 6,146 bytes, got 6,147"),
        (tar([(BATCHES[0], b"")], kind=tarfile.SYMTYPE), "data_batch_1.bin in .* must be a file"),
        (tar([(BATCHES[0], b"\x0a" * 6146), *cifar_members()[2:]]), "labels from 0 to 9, got 10"),
        (tar(cifar_members())[:5000], "damaged or cut off"),
        (b"no archive at all" * 100, "damaged or cut off"),
        (tar([("filler", bytes(1_000_000))]), "goes on"),
    ],
    ids=["one-missing", "empty", "short", "long", "link", "label", "cut", "no-tar", "too-much"],
)
def test_a_wrong_archive_is_named_and_described(folder, content, words):
    write_cifar(folder, content)
    with pytest.raises(DataFileError, match=f"cifar-10-binary.tar.gz.*{words}|{words}"):
        read_cifar10(folder, per_batch=2)


def test_nothing_in_an_archive_is_written_anywhere(tmp_path, monkeypatch):
    inner = tmp_path / "inner"
    inner.mkdir()
    monkeypatch.chdir(inner)
    outside = [("../outside", b"!"), (str(tmp_path / "absolute"), b"!"), ("beside", b"!")]
    write_cifar(inner, tar([*outside, *cifar_members()]))
    read_cifar10(inner, per_batch=2)
    assert [path.name for path in tmp_path.rglob("*")] == ["inner", "cifar-10-binary.tar.gz"]


def test_an_archive_that_swells_takes_no_memory(folder):
    member = tarfile.TarInfo("pax")
    member.size, member.type = 50_000_000, tarfile.XHDTYPE  # a header of fifty megabytes
    write_cifar(folder, member.tobuf() + bytes(50_000_000))
    assert peak_while(lambda: read_cifar10(folder, per_batch=2)) < 5e6


# Anything at all


def only_data_file_errors(action):
    """Run something on a damaged file: it works, or it ends in the error that is documented."""
    try:
        return action()
    except DataFileError as error:
        return None if ".gz" in str(error) else error


damage = st.lists(st.tuples(st.integers(0), st.integers(1, 255)), max_size=4)


def damaged(content, changes, length):
    content = bytearray(content)
    for place, difference in changes:
        content[place % len(content)] ^= difference
    return bytes(content[: length % (len(content) + 1)] if length else content)


@given(st.binary(max_size=64), st.booleans())
def test_any_bytes_give_an_idx_array_or_the_right_error(folder, content, compressed):
    path = write_idx(folder, content, compressed=compressed)
    assert only_data_file_errors(lambda: read_idx(path, (2, 3, 4))) is None


@given(damage, st.integers(0), st.booleans())
def test_a_damaged_idx_file_gives_an_array_or_the_right_error(folder, changes, length, outside):
    content = gzip.compress(idx(PIXELS), mtime=0) if outside else idx(PIXELS)
    path = write_idx(folder, damaged(content, changes, length), compressed=outside)
    found = only_data_file_errors(lambda: read_idx(path, (2, 3, 4)))
    assert found is None or found.shape == (2, 3, 4)


@given(damage, st.integers(0), st.booleans())
def test_a_damaged_archive_gives_images_or_the_right_error(folder, changes, length, outside):
    content = gzip.compress(tar(cifar_members()), mtime=0) if outside else tar(cifar_members())
    write_cifar(folder, damaged(content, changes, length), compressed=outside)
    found = only_data_file_errors(lambda: read_cifar10(folder, per_batch=2))
    assert found is None or found[0].shape == (10, 32, 32, 3)


def test_every_byte_of_a_header_may_be_wrong(folder):
    content = tar(cifar_members()[1:2])
    for place in range(512):
        for value in (0x30, 0xFF):
            changed = content[:place] + bytes([value]) + content[place + 1 :]
            write_cifar(folder, gzip.compress(changed, 1), compressed=True)
            assert only_data_file_errors(lambda: read_cifar10(folder, per_batch=2)) is None
