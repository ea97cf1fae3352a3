import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cnnlab import data
from cnnlab.data import DataFileError, Dataset, ImageFiles

RNG = np.random.default_rng(0)
# A photograph of sorts: smooth, so that every format keeps it.
WAVES = np.sin(np.linspace(0, 5, 40))[:, None, None] * np.cos(np.linspace(0, 3, 60))[:, None]
PHOTO = (127 + 120 * WAVES * [1, 0.5, -0.7]).astype(np.uint8)


@pytest.fixture(scope="module")
def pets(tmp_path_factory):
    """Three cats and two dogs, and things that are no images."""
    folder = tmp_path_factory.mktemp("data") / "pets"
    for name in ("cat/b.jpg", "cat/a.PNG", "cat/more/c.jpeg", "dog/2.webp", "dog/1.bmp"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(PHOTO + len(name)).save(path)
    for name in ("notes.txt", "cat/notes.txt", "dog/._1.bmp", ".cache/1.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("no image")
    return folder


# The folder


def test_sub_folders_are_classes_and_files_come_in_order(pets):
    dataset = data.folder(pets, size=20)
    assert repr(dataset) == "<Dataset pets: 5 images of 20×20×3, uint8, 2 classes>"
    assert dataset.class_names == ("cat", "dog")
    assert dataset.labels.tolist() == [0, 0, 0, 1, 1]
    names = [path.relative_to(pets).as_posix() for path in dataset.images.paths]
    assert names == ["cat/a.PNG", "cat/b.jpg", "cat/more/c.jpeg", "dog/1.bmp", "dog/2.webp"]
    assert dataset.source == str(pets)


def test_images_are_227_pixels_unless_told_otherwise(pets):
    assert data.folder(str(pets)).image_shape == (227, 227, 3)


def test_class_names_give_labels_their_meaning(pets):
    dataset = data.folder(pets, class_names=["dog", "eel", "cat"])
    assert dataset.class_names == ("dog", "eel", "cat")
    assert dataset.labels.tolist() == [2, 2, 2, 0, 0]


@pytest.mark.parametrize(
    ("make", "options", "error", "words"),
    [
        ([], {}, DataFileError, "flowers must be a folder"),
        (["flowers/"], {}, DataFileError, "flowers must hold a sub-folder for each class, got non"),
        (["flowers/1.png"], {}, DataFileError, "must hold a sub-folder for each class, got none"),
        (["flowers/.git/1.png"], {}, DataFileError, "a sub-folder for each class, got none"),
        (["flowers/rose/1.png", "flowers/aster/"], {}, DataFileError, "aster must hold images"),
        (["flowers/rose/1.txt"], {}, DataFileError, r"rose must hold images \(.bmp .* got none"),
        (["flowers/rose/1.png"], {"class_names": ["tulip"]}, DataFileError, "tulip, got rose"),
        (["flowers/rose/1.png"], {"size": 0}, ValueError, "size must be a whole number"),
    ],
)
def test_a_folder_that_is_laid_out_otherwise_is_told(tmp_path, make, options, error, words):
    for name in make:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).mkdir() if name.endswith("/") else (tmp_path / name).touch()
    with pytest.raises(error, match=words):
        data.folder(tmp_path / "flowers", **options)


def test_a_data_set_of_files_is_cut_without_reading(tmp_path):
    paths = [tmp_path / f"{number}.png" for number in range(6)]
    labels = np.array([0, 1] * 3)
    dataset = Dataset(ImageFiles(paths, 8), labels, ("even", "odd"))
    assert dataset.image_shape == (8, 8, 3)
    assert dataset.take([4, 0]).images.paths.tolist() == [paths[4], paths[0]]
    assert len(dataset[:5][1:]) == 4
    rest, part = data.split(dataset, 2, np.random.default_rng(0))
    assert (len(rest), part.labels.tolist()) == (4, [0, 1])
    with pytest.raises(DataFileError, match=r"4\.png cannot be read as an image: .*No such file"):
        np.asarray(dataset[4:].images)


# Images in files


@pytest.mark.parametrize(
    "part",
    [slice(1, 4), slice(None, None, -2), [3, 0, 3], np.array([4]), np.arange(5) > 2, slice(9, 9)],
    ids=str,
)
def test_files_are_chosen_as_images_of_an_array_are(pets, part):
    images = data.folder(pets, size=16).images
    array = np.asarray(images)
    assert array.shape == images.shape == (5, 16, 16, 3)
    assert array.dtype == images.dtype == np.uint8
    assert array.ndim == images.ndim
    assert isinstance(images[part], ImageFiles)
    np.testing.assert_array_equal(np.asarray(images[part]), array[part])
    assert images[part].shape == array[part].shape
    assert len(images[part]) == len(array[part])


@pytest.mark.parametrize("place", [0, -1, np.int64(2)])
def test_a_single_image_is_read(pets, place):
    images = data.folder(pets, size=16).images
    assert isinstance(images[place], np.ndarray)
    np.testing.assert_array_equal(images[place], np.asarray(images)[place])


def test_files_convert_as_arrays_do(pets):
    images = data.folder(pets, size=16).images
    floats = np.asarray(images, np.float32)
    assert floats.dtype == images.__array__(np.float32).dtype == np.float32
    np.testing.assert_array_equal(floats, np.asarray(images))
    with pytest.raises(ValueError, match="always read into a new array, got copy=False"):
        np.array(images, copy=False)
    with pytest.raises(TypeError, match=r"chosen by number only, got \(0, 1\): read them first"):
        images[0, 1]
    with pytest.raises(IndexError):
        images[5]


def thirds(*colors, upright):
    """Three stripes beside each other, or one above the other."""
    image = np.repeat(np.array(colors, np.uint8), 30, axis=0)[None].repeat(30, axis=0)
    return Image.fromarray(image.swapaxes(0, 1) if upright else image)


@pytest.mark.parametrize("upright", [False, True])
def test_the_middle_square_is_kept_and_scaled(tmp_path, upright):
    thirds((255, 0, 0), (0, 255, 0), (0, 0, 255), upright=upright).save(tmp_path / "1.png")
    for size in (30, 15, 60):
        (image,) = np.asarray(ImageFiles([tmp_path / "1.png"], size))
        assert image.shape == (size, size, 3)
        # At the edge, scaling mixes in a little of what was cut off.
        edge = 0 if size == 30 else 2
        assert (image[edge : size - edge, edge : size - edge] == (0, 255, 0)).all()


def test_scaling_keeps_what_an_image_shows(tmp_path):
    Image.fromarray(PHOTO[:, 10:50]).save(tmp_path / "1.png")
    (small,) = np.asarray(ImageFiles([tmp_path / "1.png"], 20))
    blocks = PHOTO[:, 10:50].reshape(20, 2, 20, 2, 3).mean(axis=(1, 3))
    assert abs(small - blocks).max() < 3


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_every_kind_of_image_becomes_red_green_and_blue(tmp_path, mode):
    kind = "jpg" if mode == "CMYK" else "png"
    image = Image.fromarray(np.full((8, 8, 3), 255, np.uint8)).convert(mode)
    options = {"transparency": bytes(range(255, -1, -1))} if mode == "P" else {}
    image.save(tmp_path / f"1.{kind}", **options)
    (found,) = np.asarray(ImageFiles([tmp_path / f"1.{kind}"], 8))
    assert found.shape == (8, 8, 3)
    assert (found > 250).all()


def test_a_photograph_taken_sideways_is_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it clockwise by 90 degrees
    image = thirds((255, 0, 0), (0, 0, 0), (0, 0, 255), upright=False).resize((30, 30))
    image.save(tmp_path / "1.png", exif=exif)
    (found,) = np.asarray(ImageFiles([tmp_path / "1.png"], 30))
    assert found[2, 15, 0] > 200, "what was on the left is at the top"
    assert found[27, 15, 2] > 200


def test_a_folder_of_files_describes_itself(pets):
    assert repr(data.folder(pets, 16).images) == "<ImageFiles: 5 files, read as 16×16×3>"


# Files that are no images


def encoded(kind):
    file = io.BytesIO()
    Image.fromarray(PHOTO).save(file, kind)
    return file.getvalue()


def png_that_claims(width, height):
    def chunk(name, content):
        return (
            struct.pack(">I", len(content))
            + name
            + content
            + struct.pack(">I", zlib.crc32(name + content))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(bytes(100)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "cannot identify"),
        (b"<html>", "cannot identify"),
        (encoded("JPEG")[:-200], "truncated"),
        (encoded("PNG")[:-200], "truncated"),
        (png_that_claims(9000, 9000), "9000×9000 pixels are too many"),
        (png_that_claims(60_000, 60_000), "decompression bomb"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EOF\n", "cannot identify"),
    ],
    ids=["empty", "page", "jpeg-cut", "png-cut", "large", "bomb", "program"],
)
def test_a_file_that_is_no_image_is_named(tmp_path, content, words):
    path = tmp_path / "1.png"
    path.write_bytes(content)
    with pytest.raises(DataFileError, match=rf"1\.png cannot be read as an image: .*{words}"):
        np.asarray(ImageFiles([path], 8))


@given(
    kind=st.sampled_from(["BMP", "GIF", "JPEG", "PNG", "WEBP"]),
    changes=st.lists(st.tuples(st.integers(0), st.integers(1, 255)), max_size=4),
    length=st.integers(0),
)
def test_a_damaged_image_is_read_or_gives_the_right_error(tmp_path_factory, kind, changes, length):
    content = bytearray(encoded(kind))
    for place, difference in changes:
        content[place % len(content)] ^= difference
    path = tmp_path_factory.getbasetemp() / "damaged.png"
    path.write_bytes(content[: length % (len(content) + 1)] if length else content)
    read_or_refused(path)


@pytest.mark.parametrize("kind", ["BMP", "GIF", "JPEG", "PNG", "WEBP"])
def test_every_byte_of_a_header_may_be_wrong(tmp_path, kind):
    content, path = encoded(kind), tmp_path / "1.png"
    for place in range(min(len(content), 100)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        read_or_refused(path)


def read_or_refused(path):
    try:
        images = np.asarray(ImageFiles([path], 8))
    except DataFileError as error:
        found = str(error)
    else:
        found = images.shape
    assert found == (1, 8, 8, 3) or path.name in found
