import matplotlib as mpl
import numpy as np
import pytest

from cnnlab import viz
from cnnlab.data import Dataset
from cnnlab.shapes import ShapeError

mpl.use("agg")
RNG = np.random.default_rng(0)
PHOTO = RNG.integers(0, 256, (9, 12, 3), np.uint8)
CLASSES = ("shirt", "bag", "coat")

DRAWN = {
    "plot_filters": lambda: viz.plot_filters(np.sin(np.arange(72.0)).reshape(3, 3, 2, 4)),
    "plot_feature_maps": lambda: viz.plot_feature_maps(np.cos(np.arange(54.0)).reshape(3, 6, 3)),
    "plot_saliency": lambda: viz.plot_saliency(PHOTO, PHOTO.max(axis=2) / 255),
    "plot_occlusion": lambda: viz.plot_occlusion(PHOTO, np.eye(3, 4), size=3, stride=3),
    "plot_mistakes": lambda: viz.plot_mistakes(wardrobe(), np.full((7, 3), 1 / 3), range(7)),
}


def wardrobe(N=7):
    return Dataset(np.zeros((N, 8, 8, 1), np.uint8), np.arange(N) % 3, CLASSES)


def wall(ax):
    (drawn,) = ax.images
    return np.ma.filled(drawn.get_array(), np.nan)


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
def test_the_same_picture_has_the_same_bytes(draw):
    assert viz.svg(draw()) == viz.svg(draw())


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
def test_a_picture_fits_the_page_and_no_words_are_cut_off_or_covered(draw):
    axes = np.ravel(draw())
    figure = axes[0].figure
    figure.canvas.draw()
    assert figure.get_size_inches()[0] <= 7.6
    titles = [ax.title.get_window_extent() for ax in axes if ax.get_title()]
    for i, title in enumerate(titles):
        assert 0 <= title.x0 < title.x1 <= figure.bbox.x1
        assert 0 <= title.y0 < title.y1 <= figure.bbox.y1
        assert not any(title.overlaps(other) for other in titles[:i])


@pytest.mark.parametrize(
    ("draw", "count"),
    [
        (lambda ax: viz.plot_filters(np.ones((3, 3, 1, 4)), *ax), 1),
        (lambda ax: viz.plot_feature_maps(np.ones((3, 3, 4)), *ax), 1),
        (lambda axes: viz.plot_saliency(np.eye(3), np.eye(3), axes=axes), 2),
        (lambda axes: viz.plot_occlusion(np.eye(3), [[1.0]], size=3, axes=axes), 2),
    ],
)
def test_draws_on_the_axes_it_is_given_and_returns_them(draw, count):
    axes = viz.row(count)
    assert list(np.ravel(draw(axes))) == axes
    assert all(ax.images for ax in axes)


def test_filters_over_color_are_drawn_in_color():
    w = RNG.normal(size=(2, 2, 3, 5))
    drawn = wall(viz.plot_filters(w))
    second = w[..., 1]
    np.testing.assert_allclose(drawn[1:3, 4:6], (second - second.min()) / np.ptp(second))


def test_filters_over_gray_are_drawn_signed():
    w = RNG.normal(size=(2, 2, 1, 5))
    drawn = wall(viz.plot_filters(w))
    np.testing.assert_allclose(drawn[1:3, 4:6], w[:, :, 0, 1] / np.abs(w[:, :, 0, 1]).max())


def test_deeper_filters_have_a_row_each_and_a_picture_for_each_channel():
    w = RNG.normal(size=(2, 2, 4, 6))
    w[..., 0] = 0  # a filter that has died is white
    ax = viz.plot_filters(w, most=5)
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("filters 0 to 4 of 6", "channels")
    drawn = wall(ax)
    assert drawn.shape == (5 * 3 + 1, 4 * 3 + 1)
    for k, c in np.ndindex(5, 4):
        expected = w[:, :, c, k] / (np.abs(w[..., k]).max() or 1)
        np.testing.assert_allclose(drawn[3 * k + 1 : 3 * k + 3, 3 * c + 1 : 3 * c + 3], expected)


def test_of_many_filters_and_channels_the_first_are_drawn():
    ax = viz.plot_filters(RNG.normal(size=(2, 2, 4, 6)), most=3)
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("filters 0 to 2 of 6", "channels 0 to 2 of 4")
    assert wall(ax).shape == (3 * 3 + 1, 3 * 3 + 1)


def test_feature_maps_are_gray_unless_something_is_negative():
    maps = np.arange(8.0).reshape(2, 2, 2)
    ax = viz.plot_feature_maps(maps)
    assert ax.images[0].get_clim() == (0, 1)
    np.testing.assert_allclose(wall(ax)[1:3, 4:6], [[0, 1 / 3], [2 / 3, 1]])
    ax = viz.plot_feature_maps(maps - 4)
    assert ax.images[0].get_clim() == (-1, 1)
    np.testing.assert_allclose(wall(ax)[1:3, 4:6], [[-1, -1 / 3], [1 / 3, 1]])


def test_the_strongest_saliency_is_white():
    axes = viz.plot_saliency(np.eye(4), np.eye(4) / 1000)
    assert wall(axes[1]).max() == axes[1].images[0].get_clim()[1] == 1


def test_saliency_of_zero_is_black():
    assert wall(viz.plot_saliency(np.eye(4), np.zeros((4, 4)))[1]).max() == 0


def test_occlusion_lies_where_the_patch_had_its_center():
    pixels, probabilities = np.zeros((7, 9)), np.ones((3, 3))
    probabilities[1, 2] = 0.25
    axes = viz.plot_occlusion(pixels, probabilities, size=(3, 5), stride=2, class_name="bag")
    frame = axes[0].patches[-1]
    assert (frame.get_xy(), frame.get_width(), frame.get_height()) == ((3.5, 1.5), 5, 3)
    left, right, bottom, top = axes[1].images[0].get_extent()
    # The first patch covers rows 0 to 2 and columns 0 to 4, the last rows 4 to 6, columns 4 to 8.
    assert (top + 1, bottom - 1) == (1, 5)
    assert (left + 1, right - 1) == (2, 6)
    assert axes[1].images[0].get_clim() == (0, 1)
    assert axes[1].get_xlim() == axes[0].get_xlim()
    assert axes[1].get_ylim() == axes[0].get_ylim()
    assert axes[1].get_title() == "probability of bag"


def test_mistakes_say_what_was_said_and_what_is_right():
    probabilities = np.full((7, 3), 0.0)
    probabilities[:, 1] = 1
    probabilities[5] = [0.126, 0.2, 0.674]
    axes = viz.plot_mistakes(wardrobe(), probabilities, [5, 0])
    assert [ax.get_title() for ax in axes] == [
        "says coat, 67 %\nis coat",
        "says bag, 100 %\nis shirt",
    ]


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: viz.plot_filters(np.ones((3, 3, 2))), r"w must have 4 axes"),
        (lambda: viz.plot_feature_maps(np.ones((2, 3, 3, 4))), r"maps must have 3 axes \(H, W, K"),
        (
            lambda: viz.plot_saliency(PHOTO, np.ones((9, 11))),
            r"each pixel of the image, \(9, 12\), got \(9, 11\)",
        ),
        (
            lambda: viz.plot_occlusion(PHOTO, np.eye(3), size=3, stride=3),
            r"each place of the patch, \(3, 4\), got \(3, 3\)",
        ),
        (
            lambda: viz.plot_mistakes(wardrobe(), np.ones((6, 3)), [1]),
            r"of shape \(7, 3\), one row for each image, got \(6, 3\)",
        ),
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(draw, message):
    with pytest.raises(ShapeError, match=message):
        draw()


def test_no_mistakes_cannot_be_drawn():
    with pytest.raises(ValueError, match="at least one image to draw, got none"):
        viz.plot_mistakes(wardrobe(), np.ones((7, 3)), [])


def test_a_grid_holds_as_many_as_it_is_asked_for():
    axes = viz.grid(7, 3)
    assert len(axes) == len(axes[0].figure.axes) == 7
    places = [ax.get_subplotspec().get_gridspec().get_geometry() for ax in axes]
    assert set(places) == {(3, 3)}
