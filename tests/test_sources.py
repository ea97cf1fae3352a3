import gzip
import hashlib
import io
import tarfile
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from click.testing import CliRunner

from cnnlab import data
from cnnlab.cli import main
from cnnlab.data import fetch
from cnnlab.data.fetch import Download, File
from cnnlab.data.formats import read_cifar10, read_mnist
from cnnlab.data.sources import SOURCES

NOWHERE = "http://127.0.0.1:9/"  # the port where everything is thrown away: nobody listens


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(fetch, "SYSTEM_FOLDER", tmp_path / "system")
    return tmp_path / "cache"


def idx(array):
    sizes = np.array(array.shape, ">u4").tobytes()
    return gzip.compress(bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes())


def mnist_files():
    rng = np.random.default_rng(0)
    return {
        f"{part}-{kind}-ubyte.gz": idx(rng.integers(0, 10, (count, *axes), dtype=np.uint8))
        for part, count in (("train", 30), ("t10k", 20))
        for kind, axes in (("images-idx3", (28, 28)), ("labels-idx1", ()))
    }


def cifar_files():
    rng, file = np.random.default_rng(0), io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}.bin")
            member.size = 4 * 3073
            content = rng.integers(0, 10, member.size, dtype=np.uint8).tobytes()
            archive.addfile(member, io.BytesIO(content))
    return {"cifar-10-binary.tar.gz": file.getvalue()}


SMALL = {
    "mnist": (mnist_files(), partial(read_mnist, counts=(30, 20))),
    "fashion-mnist": (mnist_files(), partial(read_mnist, counts=(30, 20))),
    "cifar-10": (cifar_files(), partial(read_cifar10, per_batch=4)),
}


def use_small(monkeypatch, name):
    """Let the table ask for small files, which are to be had nowhere."""
    contents, read = SMALL[name]
    small = [File(n, len(c), hashlib.md5(c).hexdigest()) for n, c in contents.items()]
    row = replace(SOURCES[name], read=read, download=Download(name, tuple(small), (NOWHERE,)))
    monkeypatch.setitem(SOURCES, name, row)


@pytest.fixture(params=SMALL)
def by_hand(request, monkeypatch, cache):
    """The name of a data set whose (small) files somebody has put into the cache."""
    use_small(monkeypatch, request.param)
    (cache / request.param).mkdir(parents=True)
    for name, content in SMALL[request.param][0].items():
        (cache / request.param / name).write_bytes(content)
    return request.param


def run(*arguments):
    return CliRunner().invoke(main, ["data", *arguments])


def test_official_files_become_data_sets(by_hand):
    train, test = data.load(by_hand)
    sizes, shape = ((20, 4), (32, 32, 3)) if by_hand == "cifar-10" else ((30, 20), (28, 28, 1))
    assert (len(train), len(test)) == sizes
    assert train.image_shape == test.image_shape == shape
    assert train.n_classes == test.n_classes == 10
    assert train.labels.dtype == np.int64
    assert (train.name, test.name) == (f"{by_hand}, train", f"{by_hand}, test")
    assert train.source.startswith("http")
    assert "unknown" not in train.license


def test_get_says_what_there_is_and_where(by_hand, cache):
    done = run("get", by_hand)
    assert done.exit_code == 0, done.output
    assert f"<Dataset {by_hand}, train: " in done.output
    assert f"<Dataset {by_hand}, test: " in done.output
    assert done.output.endswith(f"in {cache / by_hand}\n")


def test_a_damaged_file_is_one_sentence(by_hand, cache):
    name = next(iter(SMALL[by_hand][0]))
    (cache / by_hand / name).write_bytes(b"damaged")
    done = run("get", by_hand)
    assert done.exit_code == 1
    assert f"Error: {cache / by_hand / name} is not the official file" in done.output
    assert "Traceback" not in done.output


def test_a_file_of_the_system_is_read_with_care(monkeypatch, tmp_path):
    use_small(monkeypatch, "mnist")
    folder = tmp_path / "system" / "mnist"
    folder.mkdir(parents=True)
    for name, content in SMALL["mnist"][0].items():
        (folder / name).write_bytes(content[:-1])
    done = run("get", "mnist")
    assert done.exit_code == 1
    assert f"{folder / 'train-images-idx3-ubyte.gz'} is damaged or cut off" in done.output


@pytest.mark.parametrize("command", ["data get", "train --data"])
def test_without_a_network_the_error_says_what_to_put_where(command, monkeypatch, cache):
    use_small(monkeypatch, "cifar-10")
    done = CliRunner().invoke(main, [*command.split(), "cifar-10"])
    assert done.exit_code == 1
    assert done.stderr.splitlines()[-1] == (
        "Error: cifar-10-binary.tar.gz could not be downloaded: 127.0.0.1:9 cannot be reached. "
        f"Without a network, fetch what is missing on another machine and put it into "
        f"{cache / 'cifar-10'}: {NOWHERE}cifar-10-binary.tar.gz"
    )
    assert not [path for path in cache.rglob("*") if path.is_file()]


@pytest.mark.parametrize("command", ["data get", "train --data"])
def test_a_cache_that_cannot_be_written_is_told(command, monkeypatch, cache):
    use_small(monkeypatch, "cifar-10")
    cache.write_text("a file where the folder should be")
    done = CliRunner().invoke(main, [*command.split(), "cifar-10"])
    assert done.exit_code == 1
    assert str(cache) in done.output
    assert isinstance(done.exception, SystemExit), "in words, without a traceback"


def test_get_knows_the_names():
    done = run("get", "imagenet")
    assert done.exit_code == 2
    assert "one of cifar-10, fashion-mnist, fashion-mnist-small, mnist, shapes" in " ".join(
        done.output.split()
    )


def test_list_tells_what_is_here_and_what_would_be_downloaded(cache):
    folder = cache / "mnist"
    folder.mkdir(parents=True)
    for file in SOURCES["mnist"].download.files:
        (folder / file.name).touch()
    lines = run("list").output.splitlines()
    names, places = [line.split()[0] for line in lines[::2]], [line.strip() for line in lines[1::2]]
    assert names == data.names()
    assert dict(zip(names, places, strict=True)) == {
        "cifar-10": "170.1 MB to download",
        "fashion-mnist": "30.9 MB to download",
        "fashion-mnist-small": "comes with cnnlab",
        "mnist": f"in {folder}",
        "shapes": "comes with cnnlab",
    }
    assert all(len(line) < 100 for line in lines)
    assert all(SOURCES[name].about in line for name, line in zip(names, lines[::2], strict=True))


def test_the_shapes_are_drawn(monkeypatch):
    asked = []

    def few(n, *, rng):
        asked.append((n, rng.integers(100)))
        return data.generated_shapes(20, rng=rng)

    monkeypatch.setattr("cnnlab.data.sources.generated_shapes", few)
    train, test = data.load("shapes")
    assert [n for n, _ in asked] == [10_000, 2_000]
    assert asked[0][1] != asked[1][1], "the test images are others"
    assert train.image_shape == test.image_shape == (32, 32, 3)
    assert train.class_names[train.labels[3]] == "triangle"
    assert train.name == "shapes, train"


def test_the_whole_of_fashion_mnist_begins_with_the_embedded_part(monkeypatch):
    monkeypatch.undo()
    if SOURCES["fashion-mnist"].download.find() is None:
        pytest.skip("fashion-mnist is not here")
    for whole, part, count in zip(
        data.load("fashion-mnist"), data.load("fashion-mnist-small"), (60_000, 10_000), strict=True
    ):
        assert whole.images.shape == (count, 28, 28, 1)
        assert np.bincount(whole.labels).tolist() == [count // 10] * 10
        assert whole.class_names == part.class_names
        for label in range(10):
            these = part.images[part.labels == label]
            np.testing.assert_array_equal(whole.images[whole.labels == label][: len(these)], these)
