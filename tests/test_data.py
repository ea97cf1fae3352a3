import gzip
import hashlib
import importlib.util
import subprocess
import sys
import time
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from cnnlab import data
from cnnlab.data import Dataset
from cnnlab.shapes import ShapeError

ARRAYS = {
    "train_images": "13e619eeda219042c38e7dfde755199f21508068fbc3f3eb290bc254c26acaec",
    "train_labels": "e258f152e4d23eb622cedb4a86073d49d38fd044d66b3eb7689bf537e3798f99",
    "test_images": "96315b1732ab731e68b8def3c284f34b605f7deb7a61e683c7d786265c827c83",
    "test_labels": "b2095bc797d1201e84da76c94012c02d0e6f07af0938df4e00120a3b42d1aa4c",
}
EMBEDDED = files("cnnlab.data") / "fashion-mnist-small.npz"


@pytest.fixture(scope="module")
def script():
    """tools/make_fashion_mnist_subset.py, as a module."""
    path = Path(__file__).parents[1] / "tools" / "make_fashion_mnist_subset.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def numbered(count, *, n_classes=2, channels=1):
    """Images whose pixels all hold the image's number, labeled in turn."""
    images = np.broadcast_to(
        np.arange(count, dtype=np.uint8)[:, None, None, None], (count, 4, 5, 1)
    )
    labels = np.arange(count) % n_classes
    return Dataset(np.repeat(images, channels, axis=3), labels, tuple("abcdefghij"[:n_classes]))


# The embedded images


def test_the_embedded_arrays_are_those_that_were_cut():
    with np.load(EMBEDDED, allow_pickle=False) as arrays:
        found = {name: hashlib.sha256(arrays[name].tobytes()).hexdigest() for name in arrays.files}
        assert {array.dtype for array in arrays.values()} == {np.dtype(np.uint8)}
    assert found == ARRAYS


def test_the_script_cuts_exactly_the_embedded_arrays(script):
    if not script.ORIGINALS.exists():
        pytest.skip(f"the original files are not in {script.ORIGINALS}")
    subset = script.make_subset(script.ORIGINALS)
    found = {name: hashlib.sha256(array.tobytes()).hexdigest() for name, array in subset.items()}
    assert found == ARRAYS


def test_the_script_writes_the_same_bytes_each_time(script, tmp_path, monkeypatch, capsys):
    subset = {"train_images": np.arange(64, dtype=np.uint8).reshape(4, 4, 4, 1)}
    monkeypatch.setattr(script, "make_subset", lambda folder: subset)
    written = []
    for second, name in ((0, "first.npz"), (100_000, "second.npz")):
        monkeypatch.setattr(time, "time", lambda now=1.7e9 + second: now)
        monkeypatch.setattr(script, "TARGET", tmp_path / name)
        monkeypatch.setattr(sys, "argv", ["script", str(tmp_path)])
        script.main()
        written.append((tmp_path / name).read_bytes())
    assert written[0] == written[1]
    assert hashlib.sha256(written[0]).hexdigest() in capsys.readouterr().out


def test_the_script_refuses_a_file_that_is_not_the_original(script, tmp_path):
    path = tmp_path / "train-labels-idx1-ubyte.gz"
    path.write_bytes(gzip.compress(b"\0\0\x08\x01\0\0\0\x01\x07"))
    with pytest.raises(ValueError, match=r"train-labels.* SHA-256 bad3541b.*, got [0-9a-f]{64}"):
        script.read_original(path, (1,))


def test_the_script_reads_an_original(script, tmp_path, monkeypatch):
    content = b"\0\0\x08\x02\0\0\0\x02\0\0\0\x03" + bytes(range(6))
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(content))
    monkeypatch.setitem(script.SHA256, path.stem, hashlib.sha256(content).hexdigest())
    np.testing.assert_array_equal(script.read_original(path, (2, 3)), [[0, 1, 2], [3, 4, 5]])


def test_the_script_takes_the_first_of_each_class_in_order(script):
    labels = np.array([*range(10), *reversed(range(10)), *range(10)])
    assert script.first_of_each_class(labels, 2).tolist() == list(range(20))
    assert script.first_of_each_class(labels, 1).tolist() == list(range(10))


def test_the_embedded_set_is_small():
    assert len(EMBEDDED.read_bytes()) <= 7e6


def test_the_embedded_set_is_balanced_and_described():
    train, test = data.load("fashion-mnist-small")
    assert train.images.shape == (12000, 28, 28, 1)
    assert test.images.shape == (2000, 28, 28, 1)
    assert np.bincount(train.labels).tolist() == [1200] * 10
    assert np.bincount(test.labels).tolist() == [200] * 10
    # The first labels of the originals: all of them are among the first of their class.
    assert train.labels[:10].tolist() == [9, 0, 0, 3, 0, 2, 7, 2, 5, 5]
    assert test.labels[:10].tolist() == [9, 2, 1, 1, 6, 1, 4, 6, 5, 7]
    assert len(train.class_names) == 10
    assert "MIT" in train.license
    assert "zalandoresearch/fashion-mnist" in train.source


def test_the_license_travels_with_the_images():
    notice = (files("cnnlab.data") / "LICENSE-fashion-mnist.txt").read_text("utf-8")
    assert "Copyright © 2017 Zalando SE" in notice
    assert "The above copyright notice and this permission notice shall be included" in notice


def test_an_unknown_name_lists_the_right_ones():
    words = f"one of {', '.join(data.names())}, got 'mnsit'"
    with pytest.raises(data.UnknownDatasetError, match=words):
        data.load("mnsit")
    assert issubclass(data.UnknownDatasetError, ValueError)


def test_training_rooms_load_no_matplotlib():
    code = (
        "import sys, cnnlab.data, cnnlab.metrics, cnnlab.zoo, cnnlab.train; "
        "print([m for m in ('matplotlib', 'PIL', 'tqdm', 'ipywidgets') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


# Dataset


@pytest.mark.parametrize(
    ("images", "labels", "error", "words"),
    [
        (np.zeros((3, 4, 5), np.uint8), np.zeros(3, int), ShapeError, r"images must have 4 axes"),
        (np.zeros((3, 4, 5, 1)), np.zeros(3, int), TypeError, r"uint8.*got float64"),
        (np.zeros((3, 4, 5, 1), np.uint8), np.zeros(2, int), ShapeError, r"\(3,\), got \(2,\)"),
        (np.zeros((3, 4, 5, 1), np.uint8), np.zeros(3), TypeError, r"integers, got float64"),
        (np.zeros((3, 4, 5, 1), np.uint8), np.array([0, 1, 2]), ValueError, r"0 and 1.*got 0 to 2"),
        (np.zeros((2, 4, 5, 1), np.uint8), np.array([-1, 0]), ValueError, r"got -1 to 0"),
    ],
    ids=["axes", "pixels", "too-few-labels", "float-labels", "no-such-class", "negative"],
)
def test_a_dataset_says_what_is_wrong_with_its_arrays(images, labels, error, words):
    with pytest.raises(error, match=words):
        Dataset(images, labels, ("a", "b"))


def test_a_dataset_is_cut_with_slices_and_indices():
    dataset = numbered(10)
    assert len(dataset[2:5]) == 3
    assert dataset[2:5].images[:, 0, 0, 0].tolist() == [2, 3, 4]
    assert dataset.take([7, 1]).images[:, 0, 0, 0].tolist() == [7, 1]
    assert dataset.take([7, 2]).labels.tolist() == [1, 0]
    assert dataset[2:5].class_names == dataset.class_names
    with pytest.raises(TypeError, match=r"dataset\[:100\].*got dataset\[3\]"):
        dataset[3]


def test_a_dataset_describes_itself():
    assert repr(numbered(10, channels=3)) == (
        "<Dataset unnamed: 10 images of 4×5×3, uint8, 2 classes>"
    )


@pytest.mark.parametrize("held_out", [0.25, 40], ids=["fraction", "count"])
def test_split_keeps_every_class_in_proportion(held_out):
    dataset = numbered(160, n_classes=4)
    rest, part = data.split(dataset, held_out, np.random.default_rng(0))
    assert np.bincount(part.labels).tolist() == [10] * 4
    assert np.bincount(rest.labels).tolist() == [30] * 4
    together = np.concatenate([rest.images, part.images])[:, 0, 0, 0]
    assert sorted(together.tolist()) == list(range(160))
    assert (np.diff(part.images[:, 0, 0, 0].astype(int)) > 0).all(), "the order is kept"


def test_split_keeps_unequal_classes_in_proportion():
    labels = np.array([0] * 60 + [1] * 30 + [2] * 10)
    dataset = Dataset(np.zeros((100, 2, 2, 1), np.uint8), labels, tuple("abc"))
    _, part = data.split(dataset, 0.2, np.random.default_rng(0))
    assert np.bincount(part.labels).tolist() == [12, 6, 2]


def test_split_is_chance_that_the_generator_decides():
    dataset = numbered(100)

    def drawn(seed):
        return data.split(dataset, 10, np.random.default_rng(seed))[1].images[:, 0, 0, 0].tolist()

    assert drawn(0) == drawn(0)
    assert drawn(0) != drawn(1)
    assert drawn(0) != list(range(10))


@pytest.mark.parametrize("held_out", [0, 10, 12, -1, 0.0, 1.0, 0.01], ids=repr)
def test_split_leaves_neither_side_empty(held_out):
    with pytest.raises(ValueError, match=rf"both sides.* from 1 to 9, got {held_out}"):
        data.split(numbered(10), held_out, np.random.default_rng(0))


# The photograph


def test_the_photograph_can_be_scaled():
    photo = data.photograph()
    assert photo.shape == (600, 512, 3)
    assert photo.dtype == np.uint8
    assert photo.std() > 40, "it shows something"
    assert data.photograph(64).shape == (64, 64, 3)
    small = data.photograph((75, 64))
    assert small.shape == (75, 64, 3)
    # 75×64 is the same frame, eight times smaller: each pixel is about the mean of its block.
    blocks = photo.reshape(75, 8, 64, 8, 3).mean(axis=(1, 3))
    assert np.abs(small - blocks).mean() < 4
