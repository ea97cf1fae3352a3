import pickle
from collections import Counter
from functools import partial

import numpy as np
import pytest

from cnnlab import data
from cnnlab.data import Augment, ColorJitter, center_crop, cutout, flip, random_crop, shift
from cnnlab.shapes import ShapeError

RNG = np.random.default_rng
PHOTO = data.photograph((24, 20))

AUGMENTATIONS = {
    "flip": flip,
    "shift": partial(shift, pixels=2),
    "random_crop": partial(random_crop, size=(20, 17)),
    "cutout": partial(cutout, size=5, fill=(1, 2, 3)),
    "jitter": ColorJitter.fit(PHOTO[None]),
    "several": Augment([flip, partial(shift, pixels=2), ColorJitter.fit(PHOTO[None], std=0.2)]),
}
each = pytest.mark.parametrize("augment", AUGMENTATIONS.values(), ids=AUGMENTATIONS)


# What all have in common


@each
def test_chance_comes_from_the_generator_and_differs_between_images(augment):
    images = np.stack([PHOTO] * 30)
    first = augment(images, rng=RNG(0))
    np.testing.assert_array_equal(first, augment(images, rng=RNG(0)))
    assert (first != augment(images, rng=RNG(1))).any()
    assert any((other != first[0]).any() for other in first)


@each
def test_images_are_left_as_they_were(augment):
    images = np.stack([PHOTO] * 8)
    out = augment(images, rng=RNG(0))
    assert out.dtype == np.uint8
    assert out.flags.c_contiguous
    assert not np.shares_memory(out, images)
    np.testing.assert_array_equal(images, np.stack([PHOTO] * 8))


@each
def test_each_can_be_sent_to_another_process(augment):
    images = np.stack([PHOTO] * 8)
    sent = pickle.loads(pickle.dumps(augment))
    np.testing.assert_array_equal(sent(images, rng=RNG(0)), augment(images, rng=RNG(0)))


@each
def test_no_images_make_no_images(augment):
    assert len(augment(np.zeros((0, 24, 20, 3), np.uint8), rng=RNG(0))) == 0


@each
def test_each_says_what_is_wrong_with_images_and_chance(augment):
    with pytest.raises(ShapeError, match=r"images must have 4 axes \(N, H, W, C\), got 3"):
        augment(PHOTO, rng=RNG(0))
    with pytest.raises(TypeError, match=r"rng must be a generator.*got int"):
        augment(PHOTO[None], rng=0)


@pytest.mark.parametrize("augment", [partial(cutout, size=3), AUGMENTATIONS["jitter"]])
def test_what_writes_colors_wants_bytes(augment):
    with pytest.raises(TypeError, match=r"images must be uint8.*got float64"):
        augment(PHOTO[None] / 255, rng=RNG(0))


# Each one


def test_several_augmentations_run_in_turn_on_one_generator():
    images, rng = np.stack([PHOTO] * 8), RNG(0)
    expected = shift(flip(images, rng=rng), pixels=3, rng=rng)
    both = Augment([flip, partial(shift, pixels=3)])
    np.testing.assert_array_equal(both(images, rng=RNG(0)), expected)
    np.testing.assert_array_equal(Augment([])(images, rng=RNG(0)), images)


def test_shift_moves_each_image_and_fills_with_zeros():
    image = np.zeros((5, 6, 2), np.uint8)
    image[2, 3] = 1, 2
    moved = shift(np.stack([image] * 400), pixels=1, rng=RNG(0))
    assert moved.dtype == np.uint8
    places = Counter()
    for result in moved:
        ((i, j),) = np.argwhere(result[..., 0])
        assert result[i, j].tolist() == [1, 2], "channels move together"
        assert result.sum() == 3, "nothing wraps around"
        places[i - 2, j - 3] += 1
    assert set(places) == {(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)}
    assert min(places.values()) > 20, "all distances are equally likely"


@pytest.mark.parametrize("pixels", [-1, 1.5])
def test_shift_needs_a_distance(pixels):
    with pytest.raises(ValueError, match=rf"pixels must be.* at least 0, got {pixels}"):
        shift(PHOTO[None], pixels=pixels, rng=RNG(0))


def test_flip_mirrors_about_half_left_to_right():
    image = np.arange(24, dtype=np.uint8).reshape(3, 4, 2)
    flipped = flip(np.stack([image] * 400), rng=RNG(0))
    assert flipped.dtype == np.uint8
    mirrored = sum(np.array_equal(result, image[:, ::-1]) for result in flipped)
    same = sum(np.array_equal(result, image) for result in flipped)
    assert mirrored + same == 400
    assert 160 < mirrored < 240


def test_random_crop_cuts_every_window_equally_often():
    image = np.arange(4 * 6 * 2).reshape(4, 6, 2)
    windows = {image[i : i + 3, j : j + 4].tobytes(): (i, j) for i in range(2) for j in range(3)}
    crops = random_crop(np.stack([image] * 600), size=(3, 4), rng=RNG(0))
    assert crops.shape == (600, 3, 4, 2)
    places = Counter(windows[crop.tobytes()] for crop in crops)
    assert len(places) == 6
    assert min(places.values()) > 70


def test_a_window_as_large_as_the_image_is_the_image():
    images = np.stack([PHOTO] * 3)
    np.testing.assert_array_equal(random_crop(images, size=(24, 20), rng=RNG(0)), images)
    np.testing.assert_array_equal(center_crop(images, size=(24, 20)), images)
    assert not np.shares_memory(center_crop(images, size=(24, 20)), images)


def test_center_crop_leaves_equal_borders():
    image = np.zeros((1, 7, 9, 1))
    image[:, 2:-2, 3:-3] = 1
    assert (center_crop(image, size=3) == 1).all()
    assert center_crop(image, size=(3, 5)).sum() == 9
    # AlexNet: 227 out of 256 leave 14 above and 15 below.
    rows = np.arange(256).reshape(1, 256, 1, 1)
    assert center_crop(rows, size=(227, 1)).ravel()[[0, -1]].tolist() == [14, 240]


def test_ten_crops_are_the_corners_and_the_center_and_their_mirror_images():
    images = np.random.default_rng(0).integers(0, 255, (2, 5, 8, 3))
    crops = data.ten_crops(images, size=(3, 4))
    assert crops.shape == (10, 2, 3, 4, 3)
    corners = [(0, 0), (0, 4), (2, 0), (2, 4), (1, 2)]
    for number, (i, j) in enumerate(corners):
        window = images[:, i : i + 3, j : j + 4]
        np.testing.assert_array_equal(crops[number], window)
        mirrored = crops[5:, :, :, ::-1]
        assert sum(np.array_equal(crop, window) for crop in mirrored) == 1


def test_crops_must_fit():
    for crop in (center_crop, data.ten_crops, partial(random_crop, rng=RNG(0))):
        with pytest.raises(ShapeError, match=r"21×21 must fit .*, got images of 24×20"):
            crop(PHOTO[None], size=21)
        with pytest.raises(ShapeError, match=r"25×2 must fit .*, got images of 24×20"):
            crop(PHOTO[None], size=(25, 2))
        with pytest.raises(ValueError, match=r"size must be.* at least 1, got 0"):
            crop(PHOTO[None], size=(3, 0))


@pytest.mark.parametrize("size", [1, 2, 3, 9])
def test_cutout_covers_a_square_around_any_pixel(size):
    images = np.full((3000, 4, 5, 1), 7, np.uint8)
    covered = cutout(images, size=size, rng=RNG(0))[..., 0] == 0
    expected = set()
    for i in range(4):
        for j in range(5):
            mask = np.zeros((4, 5), bool)
            top, left = i - size // 2, j - size // 2
            mask[max(top, 0) : top + size, max(left, 0) : left + size] = True
            expected.add(mask.tobytes())
    counts = Counter(mask.tobytes() for mask in covered)
    assert set(counts) == expected
    if size < 3:
        assert min(counts.values()) > 100, "all centers are equally likely"


def test_cutout_fills_with_a_color():
    images = np.zeros((5, 6, 6, 3), np.uint8)
    covered = cutout(images, size=20, fill=(10, 20.6, 255), rng=RNG(0))
    assert (covered == [10, 21, 255]).all()
    assert (cutout(images, size=20, fill=9, rng=RNG(0)) == 9).all()
    mean = data.ChannelMean.fit(PHOTO[None])
    hidden = cutout(PHOTO[None], size=60, fill=mean.mean, rng=RNG(0))
    assert np.abs(mean(hidden)).max() <= 0.5, "after centering, nothing is there"


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"size": 0}, ValueError, r"size must be.* at least 1, got 0"),
        ({"size": 2.5}, ValueError, r"size must be.* got 2.5"),
        ({"size": 2, "fill": 256}, ValueError, r"fill must lie between 0 and 255, got 256"),
        ({"size": 2, "fill": (0, -1, 0)}, ValueError, r"fill must lie .* got \(0, -1, 0\)"),
        ({"size": 2, "fill": np.nan}, ValueError, r"fill must lie .* got nan"),
        ({"size": 2, "fill": (0, 0)}, ShapeError, r"one number or 3, one per channel, got \(0, 0"),
    ],
)
def test_cutout_says_what_is_wrong_with_its_options(options, error, words):
    with pytest.raises(error, match=words):
        cutout(PHOTO[None], rng=RNG(0), **options)


def test_color_jitter_moves_colors_as_they_vary():
    # Gray in the middle, so that nothing is cut off.
    colors = RNG(1).multivariate_normal([128] * 3, 100 * np.diag([4, 2, 1]) + 50, 5000)
    training = np.rint(colors).astype(np.uint8).reshape(50, 10, 10, 3)
    jitter = ColorJitter.fit(training, std=0.3)
    moved = jitter(np.full((4000, 2, 2, 3), 128, np.uint8), rng=RNG(0)).astype(int) - 128
    assert (moved == moved[:, :1, :1]).all(), "one color for the whole image"
    pixels = training.reshape(-1, 3)
    found, expected = np.cov(moved[:, 0, 0].T), 0.3**2 * np.cov(pixels.T)
    np.testing.assert_allclose(found, expected, atol=0.06 * expected.max())
    assert np.abs(moved.mean(axis=(0, 1, 2))).max() < 0.3


def test_color_jitter_cuts_off_and_does_not_wrap_around():
    images = np.stack([PHOTO] * 50)
    out = ColorJitter(1e9 * np.eye(3), std=1)(images, rng=RNG(0))
    np.testing.assert_array_equal(np.unique(out[:, 0, 0]), [0, 255])
    # Brighter or darker, but never both in one channel of an image.
    difference = out.astype(int) - images
    up, down = (difference > 0).any(axis=(1, 2)), (difference < 0).any(axis=(1, 2))
    assert not (up & down).any()


def test_color_jitter_of_strength_0_does_nothing():
    jitter = ColorJitter.fit(PHOTO[None], std=0)
    np.testing.assert_array_equal(jitter(PHOTO[None], rng=RNG(0)), PHOTO[None])
    assert repr(jitter) == "ColorJitter(3 channels, std=0)"


def test_color_jitter_takes_gray_images_too():
    images = np.full((100, 3, 3, 1), 100, np.uint8)
    images[:50] = 140
    out = ColorJitter.fit(images, std=0.2)(images, rng=RNG(0)) - images.astype(float)
    assert 3 < out[:, 0, 0, 0].std() < 5, "0.2 of a standard deviation of 20"


def test_color_jitter_says_what_is_wrong():
    with pytest.raises(ValueError, match=r"std must be.* at least 0, got -0.1"):
        ColorJitter.fit(PHOTO[None], std=-0.1)
    with pytest.raises(ShapeError, match=r"no pixels"):
        ColorJitter.fit(PHOTO[None][:0])
    with pytest.raises(ShapeError, match=r"have 3 channels, as those that were.*\(1, 24, 20, 1\)"):
        ColorJitter.fit(PHOTO[None])(PHOTO[None, ..., :1], rng=RNG(0))
