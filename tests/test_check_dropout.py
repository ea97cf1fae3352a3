"""Dropout is judged by what all ways of drawing have in common."""

import numpy as np
import pytest

from asking import verdict_on
from cnnlab.check.questions import find
from cnnlab.check.verdict import RIGHT, WRONG


def _drop(x, keep, rate, training):
    return (x * keep / (1 - rate), keep) if training else (x, None)


def _global(x, *, rate, rng, training):
    return _drop(x, np.random.rand(*x.shape) >= rate, rate, training)  # noqa: NPY002


def _fresh(x, *, rate, rng, training):
    return _drop(x, np.random.default_rng().random(x.shape) >= rate, rate, training)


@pytest.mark.parametrize("answer", [_global, _fresh])
def test_numbers_from_another_generator_are_named(answer):
    verdict = verdict_on("a6.dropout_forward", answer)
    assert verdict.mistake == "The numbers are not drawn from rng"


def _in_place(x, *, rate, rng, training):
    mask = np.ones(x.shape)
    if training:
        mask = rng.random(x.shape) >= rate
        x *= mask
        x /= 1 - rate
    return x, mask


def test_dropping_in_place_is_named():
    assert verdict_on("a6.dropout_forward", _in_place).mistake == "The input is overwritten"


def _in_order(x, *, rate, rng, training):
    rng.random()
    return _drop(x, np.arange(x.size).reshape(x.shape) >= rate * x.size, rate, training)


def _uneven(x, *, rate, rng, training):
    out, mask = _drop(x, rng.random(x.shape) >= rate, rate, training)
    return out * (1 + 0.1 * (np.arange(x.shape[-1]) == 0)), mask


def _somewhat_more(x, *, rate, rng, training):
    return _drop(x, rng.random(x.shape) >= rate * 1.2, rate, training)


UNKNOWN = [
    (_in_order, "how many rows, columns or images share their zeros"),
    (_uneven, "how many have another factor"),
    (_somewhat_more, "the share of zeros"),
    (lambda x, **options: (x[:1], x == x), "out has to be an array in the shape of x, (40, 50)"),
    (lambda x, **options: (x, None), "mask has to be an array in the shape of x, (40, 50)"),
    (lambda x, **options: (None, None), "out has to be an array in the shape of x, (40, 50)"),
]


@pytest.mark.parametrize(("answer", "words"), UNKNOWN)
def test_what_is_not_right_is_said_in_words(answer, words):
    verdict = verdict_on("a6.dropout_forward", answer)
    assert (verdict.status, verdict.mistake) == (WRONG, "")
    assert words in verdict.text


def test_brackets_are_named_however_numbers_are_drawn():
    def answer(x, *, rate, rng, training):
        keep = rng.choice([False, True], x.shape, p=[rate, 1 - rate])
        return (x * keep / 1 - rate, keep) if training else (x, None)

    assert verdict_on("a6.dropout_forward", answer).mistake == "The rate is subtracted"


@pytest.mark.parametrize("answer", [_in_order, _somewhat_more])
def test_a_mask_that_fits_an_out_that_is_wrong_is_not_called_right(answer):
    assert "mask is right" not in verdict_on("a6.dropout_forward", answer).text


def test_a_right_answer_passes_whatever_is_drawn():
    def answer(x, *, rate, rng, training):
        return _drop(x, rng.random(x.shape) >= rate, rate, training)

    assert all(verdict_on("a6.dropout_forward", answer, s).status == RIGHT for s in range(100))


def test_a_fresh_mask_on_the_way_back_breaks_an_identity():
    def answer(dout, cache):
        return dout * (np.random.default_rng(7).random(dout.shape) >= cache[1]) / (1 - cache[1])

    verdict = verdict_on("a6.dropout_backward", answer)
    assert verdict.mistake == "A gradient reaches what was dropped"


def test_the_images_have_the_statistics_they_are_drawn_for():
    for case in find("a6.standardize").cases(np.random.default_rng(3)):
        for images in case.args:
            std = images.std(axis=(0, 1, 2))
            assert set(std) <= {4.0, 8.0, 16.0, 32.0}
            assert (images.mean(axis=(0, 1, 2)) % 1 == 0).all()
