import numpy as np
import pytest

from cnnlab import data, zoo
from cnnlab.data.generated import CLASSES, generated_shapes
from cnnlab.optim import SGD
from cnnlab.train import Trainer, evaluate


def drawn(n, *, size=32, seed=0):
    return generated_shapes(n, size=size, rng=np.random.default_rng(seed))


@pytest.mark.parametrize("size", [32, 61, 227])
def test_images_have_the_size_asked_for(size):
    dataset = drawn(11, size=size)
    assert dataset.images.shape == (11, size, size, 3)
    assert dataset.images.dtype == np.uint8
    assert dataset.image_shape == (size, size, 3)
    assert all(image.std() > 5 for image in dataset.images), "each shows something"


def test_every_ten_images_show_every_class():
    dataset = drawn(35)
    assert dataset.class_names == tuple(CLASSES)
    assert dataset.n_classes == 10
    assert dataset.labels.tolist() == [*range(10)] * 3 + [*range(5)]


def test_the_generator_decides_what_is_drawn():
    images = drawn(20).images
    np.testing.assert_array_equal(images, drawn(20).images)
    assert (images != drawn(20, seed=1).images).any(axis=(1, 2, 3)).all()
    assert len(np.unique(images.reshape(20, -1), axis=0)) == 20
    rng = np.random.default_rng(0)
    first, second = (generated_shapes(5, rng=rng).images for _ in range(2))
    assert (first != second).any(), "the generator moves on"


@pytest.mark.parametrize("size", [32, 200])
def test_a_longer_set_starts_with_the_shorter_one(size):
    np.testing.assert_array_equal(drawn(30, size=size).images[:7], drawn(7, size=size).images)


def test_an_image_does_not_depend_on_those_drawn_with_it(monkeypatch):
    together = drawn(23).images
    monkeypatch.setattr("cnnlab.data.generated._PIXELS_AT_A_TIME", 3 * 32 * 32)
    np.testing.assert_array_equal(drawn(23).images, together)


def test_a_scene_is_the_same_at_any_size(monkeypatch):
    monkeypatch.setattr("cnnlab.data.generated._Canvas.noise", lambda canvas: None)
    small, large = drawn(20).images, drawn(20, size=96).images
    shrunk = large.reshape(20, 32, 3, 32, 3, 3).mean(axis=(2, 4))
    assert abs(shrunk - small).mean() < 2
    assert abs(shrunk - small[::-1]).mean() > 30


@pytest.mark.parametrize("outline", CLASSES.values(), ids=CLASSES)
def test_a_figure_fits_its_circle_and_fills_some_of_it(outline):
    axis = np.linspace(-2, 2, 401)
    x, y = np.meshgrid(axis, axis)
    inside = outline(x[None], y[None])[0] < 0
    assert not inside[np.hypot(x, y) > 1.001].any()
    assert 0.2 < inside.sum() / (np.hypot(x, y) < 1).sum() < 0.9
    assert np.hypot(x, y)[inside].max() > 0.85


def test_a_distance_is_one():
    # Towards the outline the distance falls by as much as one moves, or else edges would blur.
    axis = np.linspace(-1, 1, 801)
    x, y = np.meshgrid(axis, axis)
    for name, outline in CLASSES.items():
        distance = outline(x[None], y[None])[0]
        slope = np.hypot(*np.gradient(distance, axis[1] - axis[0]))
        assert np.median(slope[abs(distance) < 0.02]) == pytest.approx(1, abs=0.02), name


@pytest.fixture
def only(monkeypatch):
    """Leave out of the scenes everything but the ground and one more thing."""

    def leave(thing):
        for other in {"light", "clutter", "figure", "noise"} - {thing}:
            monkeypatch.setattr(f"cnnlab.data.generated._Canvas.{other}", lambda *_: None)

    return leave


def test_the_figure_is_seen_on_its_ground(only):
    only("figure")
    for image in drawn(100).images:
        colors, counts = np.unique(image.reshape(-1, 3), axis=0, return_counts=True)
        ground, figure = colors[np.argsort(counts)[:-3:-1]].astype(int)
        assert (abs(ground - figure) > 0.34 * 255).all()
        assert counts.max() < 1000, "something is drawn"


def test_the_figure_is_whole(only):
    only("figure")
    images = drawn(200).images
    border = np.ones((32, 32), bool)
    border[1:-1, 1:-1] = False
    around = images[:, border]
    # The outermost pixel may be touched, no more.
    assert (around == around[:, :1]).all(axis=(1, 2)).mean() > 0.9, "the ground goes all around"


def test_an_edge_is_one_pixel_wide_at_any_size(only):
    only("figure")
    for size in (32, 96, 192):
        for image in drawn(51, size=size).images[::10]:  # the disks
            distance = abs(image - image[0, 0].astype(float)).sum(axis=2)
            covered = distance / distance.max()
            radius = np.sqrt(covered.sum() / np.pi)
            crossed = ((covered > 0) & (covered < 1)).sum()
            assert crossed / (2 * np.pi * radius) == pytest.approx(1, abs=0.12)


def test_the_light_changes_slowly(only):
    only("light")
    images = drawn(50).images.astype(int)
    assert (images.std(axis=(1, 2)).max(axis=1) > 1).mean() > 0.8
    assert abs(np.diff(images, axis=1)).max() <= 0.15 * 255 * 2 / 32 + 1


def test_some_images_have_clutter_and_some_have_none(only):
    only("clutter")
    images = drawn(300).images.reshape(300, -1, 3)
    clear = (images == np.median(images, axis=1, keepdims=True)).all(axis=(1, 2))
    assert 0.1 < clear.mean() < 0.3, "one in five"
    assert 0.01 < (images != np.median(images, axis=1, keepdims=True)).any(axis=2).mean() < 0.1


def test_noise_is_strong_in_some_images_and_weak_in_others(only):
    only("noise")
    images = drawn(200).images.reshape(200, -1)
    spread = np.stack([images[:, channel::3].std(axis=1) for channel in range(3)]).max(axis=0)
    assert spread.min() < 2
    assert 0.05 * 255 < spread.max() < 0.09 * 255


def test_a_linear_classifier_does_not_get_far():
    train, test = drawn(3000), drawn(500, seed=1)
    rng = np.random.default_rng(0)
    model = zoo.linear(train.image_shape, 10, rng=rng)
    preprocess = data.Standardize.fit(np.asarray(train.images))
    trainer = Trainer(model, SGD(model, learning_rate=0.001), preprocess=preprocess, rng=rng)
    history = trainer.fit(train, epochs=5)
    assert history.train_accuracy[-1] > 0.2, "it does learn something by heart"
    _, share = evaluate(model, test, preprocess)
    assert share < 0.3


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"n": 0}, ValueError, "n must be a whole number of at least 1, got 0"),
        ({"n": 2.5}, ValueError, "n must be a whole number of at least 1, got 2.5"),
        ({"size": 31}, ValueError, "from 32 to 227, got 31"),
        ({"size": 228}, ValueError, "from 32 to 227, got 228"),
        ({"size": "32"}, ValueError, "size must be a whole number.*got '32'"),
        ({"rng": 0}, TypeError, "rng must be a generator.*got int"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_wrong_arguments_are_told(arguments, error, words):
    with pytest.raises(error, match=words):
        generated_shapes(**{"n": 1, "rng": np.random.default_rng(0), **arguments})
