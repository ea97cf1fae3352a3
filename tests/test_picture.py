"""The picture on a card: where a result that is an image is wrong."""

import base64
import re

import numpy as np
import pytest

from answers.a1_convolution import conv_loops
from asking import verdict_on
from cnnlab.check.picture import sight


def _arrays(shape, at):
    expected = np.arange(np.prod(shape), dtype=float).reshape(shape)
    got = expected.copy()
    got[at] += 5
    return expected, got, expected == got


def test_the_worst_channel_of_the_worst_image_is_shown():
    expected, got, close = _arrays((2, 4, 5, 3), (1, 2, 3, 0))
    seen = sight("dx", expected, got, close)
    assert seen.where == "dx, image 1, channel 0"
    assert seen.expected.shape == seen.got.shape == (4, 5)
    assert seen.words() == (
        "dx, image 1, channel 0: expected, yours, and the difference side by side. 1 of 20 numbers "
        "differ, in row 2 and column 3."
    )


def test_of_filters_the_window_is_shown():
    expected, got, close = _arrays((3, 4, 2, 5), (1, slice(2, 4), 1, 3))
    seen = sight("dw", expected, got, close)
    assert seen.where == "dw, channel 1, filter 3"
    assert seen.expected.shape == (3, 4)
    assert "2 of 12 numbers differ, in row 1 and columns 2 to 3." in seen.words()


@pytest.mark.parametrize("shape", [(2, 2, 5, 3), (2, 5, 2, 3), (5, 5), (5,), (2, 5, 5)])
def test_what_is_small_or_no_image_has_no_picture(shape):
    assert sight("", *_arrays(shape, (0,) * len(shape))) is None


@pytest.mark.parametrize(("side", "texts"), [(4, True), (12, False)])
@pytest.mark.parametrize("bad", [7.5, np.nan, np.inf, -np.inf])
def test_it_is_drawn_with_words_whatever_the_numbers(side, texts, bad):
    expected, got, _ = _arrays((1, side, side, 1), (0, 1, 1, 0))
    got[0, 1, 1, 0] = bad
    page = sight("", expected, got, expected == got).html()
    (source,) = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', page)
    drawn = base64.b64decode(source).decode()
    assert "<svg" in drawn
    assert ("data:image/png" in drawn) is not texts
    assert 'alt="image 0, channel 0: expected, yours, and the difference' in page


def test_a_card_has_a_picture_where_numbers_differ_and_none_where_the_shape_does():
    padded = verdict_on(
        "a1.conv_loops",
        lambda x, w, b, *, stride=1, pad=0: conv_loops(
            np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode="edge"), w, b, stride=stride
        ),
    )
    assert "<img alt=" in padded.html()
    assert "<img" not in str(padded)
    assert "<img" not in verdict_on("a1.conv_loops", lambda x, w, b, **_: x).html()
    assert "<img" not in verdict_on("a1.conv_loops", conv_loops).html()
    whole = verdict_on("a1.conv_loops", lambda x, w, b, **o: conv_loops(x, w, b, **o).astype(int))
    assert whole.sight is None  # case 1 is 2×2
