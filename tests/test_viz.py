import re
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt

from cnnlab import graph, viz
from cnnlab.shapes import ShapeError, receptive_field
from cnnlab.train import History

mpl.use("agg")


HISTORY = SimpleNamespace(
    train_loss=[2.0, 1.0, 0.5],
    train_accuracy=[0.2, 0.6, 0.8],
    validation_loss=[2.1, 1.2, 0.9],
    validation_accuracy=[0.2, 0.5, 0.7],
)
SOBEL = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])

DRAWN_ON_ONE_AXES = {
    "plot_history": lambda ax: viz.plot_history(HISTORY, ax),
    "plot_confusion": lambda ax: viz.plot_confusion([[3, 1], [0, 4]], ["cat", "dog"], ax),
    "image": lambda ax: viz.image(np.eye(4), ax),
    "numbers": lambda ax: viz.numbers(SOBEL, ax),
    "gallery": lambda ax: viz.gallery(np.random.default_rng(0).random((6, 5, 4)), ax),
    "sliding_window": lambda ax: viz.sliding_window(7, 3, stride=3, ax=ax),
    "computational_graph": lambda ax: viz.computational_graph(example(), ax),
    "who_sees_whom": lambda ax: viz.who_sees_whom(np.eye(4), ax=ax),
    "receptive_field_tower": lambda ax: viz.receptive_field_tower([(3, 1), (3, 2)], ax),
}


@pytest.mark.parametrize("draw", DRAWN_ON_ONE_AXES.values(), ids=DRAWN_ON_ONE_AXES)
def test_draws_on_the_axes_it_is_given_and_returns_it(draw):
    ax = viz.row(1)[0]
    assert draw(ax) is ax
    assert ax.has_data() or ax.patches


@pytest.mark.parametrize("draw", DRAWN_ON_ONE_AXES.values(), ids=DRAWN_ON_ONE_AXES)
def test_the_same_picture_has_the_same_bytes(draw):
    first, second = viz.svg(draw(None)), viz.svg(draw(None))
    assert first == second
    assert b"dc:date" not in first


def test_photographs_inside_a_picture_have_the_same_bytes_too():
    photo = np.random.default_rng(0).integers(0, 256, (120, 100, 3), dtype=np.uint8)
    assert viz.svg(viz.image(photo)) == viz.svg(viz.image(photo))
    assert b"data:image/png;base64," in viz.svg(viz.image(photo))


def test_history_labels_its_axes_and_its_lines():
    ax = viz.plot_history(HISTORY)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "loss")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "training (accuracy 80 %)",
        "validation (accuracy 70 %)",
    ]
    np.testing.assert_array_equal(ax.lines[1].get_xydata(), [[1, 2.1], [2, 1.2], [3, 0.9]])


def test_history_without_validation_has_one_line():
    history = SimpleNamespace(
        **(vars(HISTORY) | {"validation_loss": [], "validation_accuracy": []})
    )
    assert len(viz.plot_history(history).lines) == 1


def test_confusion_puts_true_classes_in_rows():
    ax = viz.plot_confusion([[5, 2], [0, 7]], ["cat", "dog"])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted class", "true class")
    cells = {text.get_position(): text.get_text() for text in ax.texts}
    assert cells[(1, 0)] == "2"  # a cat taken for a dog: first row, second column
    assert [label.get_text() for label in ax.get_yticklabels()] == ["cat", "dog"]


def test_confusion_counts_can_be_read_on_every_shade():
    counts = [[100 - share, share] for share in range(0, 101, 5)]
    matrix = np.zeros((len(counts), len(counts)), int)
    matrix[:, :2] = counts
    ax = viz.plot_confusion(matrix, [str(i) for i in range(len(counts))])
    shades = plt.get_cmap("Blues")
    for text in ax.texts:
        column, row = text.get_position()
        if matrix[row, column]:
            assert contrast(text.get_color(), shades(matrix[row, column] / 100)) > 4


def test_confusion_refuses_names_that_do_not_match():
    with pytest.raises(ValueError, match=r"of 3 classes has shape \(3, 3\), got \(2, 2\)"):
        viz.plot_confusion(np.eye(2), ["a", "b", "c"])


@pytest.mark.parametrize("shape", [(4,), (4, 4, 2), (2, 4, 4, 1)], ids=str)
def test_image_refuses_what_is_not_an_image(shape):
    with pytest.raises(ValueError, match="an image is"):
        viz.image(np.zeros(shape))


def test_signed_images_have_zero_in_the_middle():
    low, high = viz.image(np.array([[-1.0, 0], [0, 3]]), signed=True).images[0].get_clim()
    assert low == -high


def test_bytes_and_fractions_look_alike():
    fractions = np.random.default_rng(0).random((5, 5))
    assert viz.image(fractions).images[0].get_clim() == (0, 1)
    assert viz.image((fractions * 255).astype(np.uint8)).images[0].get_clim() == (0, 255)


def wall(ax):
    (drawn,) = ax.images
    return np.ma.filled(drawn.get_array(), np.nan)


def test_a_gallery_has_each_picture_in_its_own_range():
    pictures = np.array([[[0, 5], [10, 0]], [[-2, -1], [0, -2]], [[7, 7], [7, 7]]])
    nan = np.nan
    np.testing.assert_array_equal(
        wall(viz.gallery(pictures, columns=2)),
        [
            [nan, nan, nan, nan, nan, nan, nan],
            [nan, 0, 0.5, nan, 0, 0.5, nan],
            [nan, 1, 0, nan, 1, 0, nan],
            [nan, nan, nan, nan, nan, nan, nan],
            [nan, 0, 0, nan, nan, nan, nan],
            [nan, 0, 0, nan, nan, nan, nan],
            [nan, nan, nan, nan, nan, nan, nan],
        ],
    )


def test_a_signed_gallery_keeps_zero_in_the_middle():
    pictures = np.array([[[0, 4], [-2, 1]], [[0, 0], [-1, 0]]])
    ax = viz.gallery(pictures, signed=True)
    assert ax.images[0].get_clim() == (-1, 1)
    np.testing.assert_array_equal(wall(ax)[1:3, 1:3], [[0, 1], [-0.5, 0.25]])
    np.testing.assert_array_equal(wall(ax)[1:3, 4:6], [[0, 0], [-1, 0]])
    together = wall(viz.gallery(pictures, signed=True, together=True))
    np.testing.assert_array_equal(together[1:3, 4:6], [[0, 0], [-0.25, 0]])


def test_a_gallery_in_color_keeps_the_proportions_of_the_colors():
    pictures = np.random.default_rng(0).normal(size=(1, 2, 2, 3))
    scaled = (pictures - pictures.min()) / np.ptp(pictures)
    drawn = wall(viz.gallery(pictures))
    np.testing.assert_allclose(drawn[1:3, 1:3], scaled[0])
    np.testing.assert_array_equal(drawn[0], 1)  # white between the pictures


def test_nothing_in_a_gallery_is_transparent():
    for options in ({}, {"signed": True}):
        (drawn,) = viz.gallery(np.zeros((3, 2, 2)), **options).images
        assert drawn.to_rgba(drawn.get_array())[..., 3].min() == 1


@pytest.mark.parametrize("shape", [(4, 4), (2, 4, 4, 2), (0, 4, 4), (1, 2, 4, 4, 1)], ids=str)
def test_a_gallery_refuses_what_is_not_a_batch_of_images(shape):
    with pytest.raises(ShapeError, match="pictures must be a batch of images"):
        viz.gallery(np.zeros(shape))


def test_convolution_step_shows_outputs_so_far():
    pixels = np.arange(25).reshape(5, 5)
    source, weights, result = viz.convolution_step(pixels, SOBEL, 1, 0)
    assert len(source.texts) == 25
    assert len(weights.texts) == 9
    assert [text.get_text() for text in result.texts] == ["8", "8", "8", "8"]
    frame = source.patches[-1]
    assert (frame.get_x(), frame.get_y()) == (-0.5, 0.5)
    assert (frame.get_width(), frame.get_height()) == (3, 3)


def test_convolution_step_moves_by_the_stride():
    source, *_ = viz.convolution_step(np.zeros((5, 7)), SOBEL, 1, 2, stride=2)
    frame = source.patches[-1]
    assert (frame.get_x(), frame.get_y()) == (3.5, 1.5)


def test_convolution_step_says_what_does_not_fit():
    with pytest.raises(ShapeError, match="does not fit an input of 7"):
        viz.convolution_step(np.zeros((7, 7)), SOBEL, 0, 0, stride=3)
    with pytest.raises(IndexError, match=r"5×5: it has no place \(5, 0\)"):
        viz.convolution_step(np.zeros((7, 7)), SOBEL, 5, 0)


def test_sliding_window_marks_the_one_that_falls_off():
    dashed = [
        patch for patch in viz.sliding_window(7, 3, stride=3).patches if patch.get_ls() == "--"
    ]
    assert len(dashed) == 1
    assert not [p for p in viz.sliding_window(7, 3, stride=2).patches if p.get_ls() == "--"]


def test_who_sees_whom_colors_what_the_output_sees():
    band = np.eye(5) + np.eye(5, k=1) + np.eye(5, k=-1)
    ax = viz.who_sees_whom([band, band], output=2)
    inputs = ax.collections[0].get_facecolor()
    seen = [tuple(color) == mpl.colors.to_rgba(viz.VERMILLION) for color in inputs]
    assert seen == [True] * 5
    assert len(ax.lines) == 2 * np.count_nonzero(band)


def test_who_sees_whom_refuses_layers_that_do_not_stack():
    with pytest.raises(ValueError, match=r"\(4, 2\) cannot stand on 3 units"):
        viz.who_sees_whom([np.ones((5, 3)), np.ones((4, 2))])


@pytest.mark.parametrize("layers", [[(3, 1)] * 3, [(3, 2)] * 3, [(5, 1), (2, 2)]], ids=str)
def test_tower_stands_on_the_receptive_field(layers):
    ax = viz.receptive_field_tower(layers)
    assert ax.get_yticklabels()[0].get_text() == f"input: {receptive_field(layers)}"


def test_shown_pictures_carry_their_words(capsys):
    viz.show(viz.row(2), alt='Two "empty" frames.')
    assert capsys.readouterr().out == '[picture: Two "empty" frames.]\n'
    assert not plt.get_fignums()
    page = viz.Picture(b"<svg/>", 'Two "empty" frames.', "A caption.")._repr_html_()
    assert 'alt="Two &quot;empty&quot; frames."' in page
    assert re.search(r'src="data:image/svg\+xml;base64,[A-Za-z0-9+/=]+"', page)
    assert "A caption." in page


def test_pictures_without_words_are_refused():
    with pytest.raises(ValueError, match="every picture needs alt text"):
        viz.show(viz.row(1), alt=" ")


def contrast(ink, ground):
    """The contrast of two colors as WCAG 2 defines it, from 1 to 21."""

    def luminance(color):
        parts = np.array(mpl.colors.to_rgb(color))
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    low, high = sorted([luminance(ink), luminance(ground)])
    return (high + 0.05) / (low + 0.05)


# The computational graph


def example():
    x, y, z = graph.Value(-2, "x"), graph.Value(5, "y"), graph.Value(-4, "z")
    return (x + y) * z


def neuron():
    w = [graph.Value(number, f"w{i}") for i, number in enumerate((2, -3, -3))]
    x = [graph.Value(number, f"x{i}") for i, number in enumerate((-1, -2))]
    return graph.reciprocal(graph.exp(-(w[0] * x[0] + w[1] * x[1] + w[2])) + 1)


def written(ax, color):
    return sorted(text.get_text() for text in ax.texts if text.get_color() == color)


def test_a_graph_has_values_in_green_and_gradients_in_red():
    f = example()
    ax = viz.computational_graph(f)
    assert written(ax, viz.GREEN) == sorted(["−2", "5", "−4", "3", "−12"])
    assert written(ax, viz.VERMILLION) == []
    f.backward()
    ax = viz.computational_graph(f)
    assert written(ax, viz.VERMILLION) == sorted(["−4", "−4", "3", "−4", "1"])
    assert {"x", "y", "z", "+", "×"} <= {text.get_text() for text in ax.texts}
    assert len(ax.patches) == 2, "one circle for each gate"
    assert len(ax.lines) == 5, "one wire for each input of a gate, and the way out"


def test_a_gradient_stands_below_its_value():
    f = example()
    f.backward()
    texts = viz.computational_graph(f).texts
    places = {color: [] for color in (viz.GREEN, viz.VERMILLION)}
    for text in texts:
        if text.get_color() in places:
            places[text.get_color()].append(text.get_position())
    for (x, above), (same_x, below) in zip(*places.values(), strict=True):
        assert x == same_x
        assert above < below, "y runs downwards"


@pytest.mark.parametrize("make", [example, neuron])
def test_nothing_is_written_over_anything_else(make):
    f = make()
    f.backward()
    ax = viz.computational_graph(f)
    ax.figure.canvas.draw()
    boxes = [text.get_window_extent() for text in ax.texts]
    boxes += [circle.get_window_extent() for circle in ax.patches]
    gates = {node.gate.symbol for node in graph.topological(f) if node.gate}
    names = [text.get_text() for text in ax.texts]
    for i, one in enumerate(boxes):
        for j, other in enumerate(boxes[:i]):
            inside = i >= len(names) and names[j] in gates if j < len(names) else False
            assert inside or not one.overlaps(other), (i, j)
    frame = ax.get_window_extent()
    for box in boxes:
        assert frame.x0 <= box.x0
        assert box.x1 <= frame.x1 + 1


def test_live_is_a_line_for_each_epoch_where_there_is_no_notebook(capsys):
    draw = viz.live()
    draw(History([2.0], [0.5], seconds=[1.0]))
    draw(History([2.0, 1.0], [0.5, 0.75], seconds=[1.0, 2.0]))
    assert capsys.readouterr().out == (
        "epoch 1 in 1.0 s; train loss 2.000, accuracy 50.0%\n"
        "epoch 2 in 2.0 s; train loss 1.000, accuracy 75.0%\n"
    )


def test_live_is_one_picture_that_grows_in_a_notebook(monkeypatch, capsys):
    import IPython

    shown = []

    class Handle:
        def update(self, picture):
            shown.append(("again", picture))

    def display(picture, *, display_id):
        assert display_id is True
        shown.append(("new", picture))
        return Handle()

    monkeypatch.setattr(IPython, "get_ipython", lambda: object())
    monkeypatch.setattr("IPython.display.display", display)
    draw, open_figures = viz.live(), plt.get_fignums()
    for epochs in (1, 2, 3):
        draw(History([2.0] * epochs, [0.5] * epochs, seconds=[1.0] * epochs))
    assert [how for how, _ in shown] == ["new", "again", "again"]
    pictures = [picture.source for _, picture in shown]
    assert len(set(pictures)) == 3
    assert shown[2][1].alt.startswith("Learning curve: epoch 3 in 1.0 s; train loss 2.000")
    assert plt.get_fignums() == open_figures
    assert capsys.readouterr().out == ""


def test_a_wire_that_bends_beyond_all_nodes_is_drawn_whole():
    y = graph.Value(2.0, "y")
    end = graph.maximum(y, y) * y + y**-0.5
    end.backward()
    ax = viz.computational_graph(end)
    (low, high) = sorted(ax.get_ylim())
    for line in ax.lines:
        assert low < min(line.get_ydata())
        assert max(line.get_ydata()) < high


def test_a_small_number_is_no_zero():
    x = graph.Value(0.0036, "x")
    end = x * 1
    end.backward()
    texts = [text.get_text() for text in viz.computational_graph(end).texts]
    assert "0.0036" in texts
    x.value = -0.0036
    end.backward()
    assert "−0.0036" in [text.get_text() for text in viz.computational_graph(end).texts]
