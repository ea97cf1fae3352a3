import numpy as np
import pytest

from cnnlab import ops
from cnnlab.shapes import ShapeError
from cnnlab.widgets import convolution_explorer

rng = np.random.default_rng(0)
IMAGE = rng.integers(-9, 10, (7, 7))
KERNELS = {"first": rng.integers(-3, 4, (3, 3)), "wide": rng.integers(-3, 4, (2, 5))}


def expected(kernel, **options):
    x, w = IMAGE[None, :, :, None].astype(float), KERNELS[kernel][:, :, None, None]
    return ops.conv_forward(x, w, np.zeros(1), **options)[0][0, :, :, 0]


def picture(explorer):
    return explorer.children[-1].value


def test_output_agrees_with_the_library_after_every_change():
    explorer = convolution_explorer(IMAGE, KERNELS)
    np.testing.assert_array_equal(explorer.output, expected("first"))
    explorer.pad.value = 1
    np.testing.assert_array_equal(explorer.output, expected("first", pad=1))
    explorer.stride.value = 2
    np.testing.assert_array_equal(explorer.output, expected("first", pad=1, stride=2))
    explorer.stride.value, explorer.pad.value, explorer.kernel.value = 1, 2, "wide"
    np.testing.assert_array_equal(explorer.output, expected("wide", pad=2))


@pytest.mark.parametrize(
    ("control", "value"), [("kernel", "wide"), ("position", 3), ("stride", 2), ("pad", 1)]
)
def test_each_control_changes_the_picture(control, value):
    explorer = convolution_explorer(IMAGE, KERNELS)
    before = picture(explorer)
    getattr(explorer, control).value = value
    assert picture(explorer) != before


def test_the_dot_product_is_spelled_out():
    explorer = convolution_explorer([[1, 2], [3, 4]], {"k": [[1, -1], [0, 2]]})
    assert "row 0:  1·1 + 2·(−1) = −1" in picture(explorer)
    assert "row 1:  3·0 + 4·2 = 8" in picture(explorer)
    assert "dot product = 7" in picture(explorer)


def test_a_window_that_does_not_fit_says_why_and_recovers():
    explorer = convolution_explorer(IMAGE, KERNELS)
    explorer.stride.value = 3
    assert explorer.output is None
    assert "does not fit an input of 7" in picture(explorer)
    assert explorer.position.disabled
    explorer.pad.value = 1
    assert explorer.output.shape == (3, 3)
    assert not explorer.position.disabled


def test_a_position_that_is_gone_becomes_the_last():
    explorer = convolution_explorer(IMAGE, KERNELS, position=24)
    explorer.stride.value = 2
    assert explorer.position.value == explorer.position.max == 8


def test_nothing_jumps():
    explorer = convolution_explorer(IMAGE, KERNELS)

    def size():
        return picture(explorer).split('viewBox="')[1].split('"')[0]

    sizes = {size()}
    for pad, stride, kernel in ((2, 1, "wide"), (0, 3, "first"), (1, 2, "first")):
        explorer.pad.value, explorer.stride.value, explorer.kernel.value = pad, stride, kernel
        sizes.add(size())
    assert len(sizes) == 1


def test_controls_say_what_they_are():
    explorer = convolution_explorer(IMAGE, KERNELS)
    controls = [control for box in explorer.children[:-1] for control in box.children]
    names = [control.description for control in controls if control.description]
    assert names == ["kernel", "stride", "padding", "position"]
    assert 'role="img" aria-label="Input 7×7, kernel first 3×3' in picture(explorer)


def test_a_reader_without_a_kernel_sees_a_still_picture():
    explorer = convolution_explorer(IMAGE, KERNELS)
    bundle = explorer._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert '<img alt="Input 7×7' in bundle["text/html"]
    assert "Run this cell to move it." in bundle["text/html"]
    again = convolution_explorer(IMAGE, KERNELS)._repr_mimebundle_()
    assert bundle["text/html"] == again["text/html"]
    assert bundle["text/plain"] == again["text/plain"]
    assert "0x" not in bundle["text/plain"]


def test_names_are_not_taken_for_markup():
    explorer = convolution_explorer(IMAGE, {'<b>"&': KERNELS["first"]})
    assert "<b>" not in picture(explorer)
    assert "kernel &lt;b&gt;&quot;&amp; 3×3" in picture(explorer)


@pytest.mark.parametrize(
    ("image", "kernels", "words"),
    [
        (np.zeros((13, 3)), KERNELS, "image must have 1 to 12 rows and columns"),
        (np.zeros(3), KERNELS, "image must have 2 axes"),
        (IMAGE, {"huge": np.zeros((6, 6))}, "huge must have 1 to 5 rows and columns"),
    ],
    ids=["large image", "flat image", "large kernel"],
)
def test_refuses_what_cannot_be_read(image, kernels, words):
    with pytest.raises(ShapeError, match=words):
        convolution_explorer(image, kernels)


def test_slider_and_number_move_together():
    explorer = convolution_explorer(IMAGE, KERNELS)
    number, slider = explorer.children[1].children
    slider.value = 7
    assert number.value == explorer.position.value == 7
    number.value = 9
    assert slider.value == 9
