"""Identities name what a wrong result breaks, where no known mistake explains it."""

import dataclasses
import re

import numpy as np
import pytest

from asking import verdict_on
from cnnlab import ops
from cnnlab.check.identities import (
    features_sum_to_zero,
    orthogonal_to,
    rows_sum_to_zero,
    same_product,
    same_sum,
)
from cnnlab.check.mistakes import Mistake
from cnnlab.check.questions import Question
from cnnlab.check.questions.base import eighths
from cnnlab.check.record import Case
from cnnlab.check.verdict import RIGHT, WRONG


def _scores(rng):
    return [Case("it", (eighths(rng, 3, 4), np.array([0, 3, 1])))]


def _softmax_gradient(x, y):
    return ops.softmax_loss_backward(1.0, ops.softmax_loss_forward(x, y)[1])


def _pool_case(rng):
    dout = eighths(rng, 2, 2, 3, 2)
    return [Case("overlapping", (dout, (eighths(rng, 2, 5, 7, 2), (3, 3), 2)))]


def _pool_backward(dout, cache):
    x, kernel_size, stride = cache
    return ops.max_pool_backward(
        dout, ops.max_pool_forward(x, kernel_size=kernel_size, stride=stride)[1]
    )


def _norm_case(rng):
    return [Case("it", (eighths(rng, 5, 3), (eighths(rng, 5, 3), np.array([1.0, 2, 3]))))]


def _normalized(dout, cache):
    x = cache[0]
    return (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-5)


def _norm_backward(dout, cache):
    x, gamma = cache
    _, kept = ops.batch_norm_forward(x, gamma, np.zeros(3))
    return ops.batch_norm_backward(dout, kept)[0]


def _affine_case(rng):
    return [Case("it", (eighths(rng, 5, 2), (eighths(rng, 5, 3), eighths(rng, 3, 2))))]


def _affine_backward(dout, cache):
    x, w = cache
    return dout @ w.T, x.T @ dout, dout.sum(axis=0)


FULL = ("dx", "dw", "db")
QUESTIONS = {
    "rows": Question("t", _softmax_gradient, _scores, "t", identities=(rows_sum_to_zero("Look."),)),
    "sum": Question("t", _pool_backward, _pool_case, "t", identities=(same_sum("Look."),)),
    "features": Question(
        "t",
        _norm_backward,
        _norm_case,
        "t",
        identities=(features_sum_to_zero("Look."), orthogonal_to(_normalized, "Look there.")),
    ),
    "product": Question(
        "t",
        _affine_backward,
        _affine_case,
        "t",
        returns=FULL,
        identities=(
            same_product(
                "dw does not agree with the output",
                lambda dout, cache: cache[1],
                lambda dout, cache: np.vdot(cache[0] @ cache[1], dout),
                "Look.",
                part=1,
            ),
        ),
    ),
}
BROKEN = [
    ("rows", lambda x, y: np.exp(_softmax_gradient(x, y)), "The rows of the gradient do not sum"),
    ("sum", lambda d, c: _pool_backward(d, c) * 0.5, "The sum of dx is not the sum of dout"),
    ("features", lambda d, c: _norm_backward(d, c) + 0.1, "dx does not sum to zero over the batch"),
    ("features", lambda d, c: _norm_backward(d, c) + _normalized(d, c), "dx · x̂ does not sum"),
    (
        "product",
        lambda d, c: (d @ c[1].T, c[0].T @ d * 3, d.sum(axis=0)),
        "dw does not agree with the output",
    ),
]


@pytest.mark.parametrize(("name", "answer", "words"), BROKEN)
def test_a_broken_identity_is_named(name, answer, words):
    question = QUESTIONS[name]
    right = lambda *args: question.returned(question.reference(*args))  # noqa: E731
    assert verdict_on(question, right).status == RIGHT
    verdict = verdict_on(question, answer)
    assert verdict.status == WRONG
    assert verdict.title.startswith(words)
    assert verdict.title == f"{verdict.mistake}."
    assert re.match(r"(dx and db are right.\n)?Look", verdict.text)


KEPT = [
    ("rows", lambda x, y: _softmax_gradient(x, y) * 3),
    ("sum", lambda d, c: np.full(c[0].shape, d.sum() / c[0].size)),
    ("features", lambda d, c: _norm_backward(d, c) * 3),
    ("product", lambda d, c: (d @ c[1].T + 1, c[0].T @ d, d.sum(axis=0))),
    ("product", lambda d, c: (1.0, 2.0, 3.0)),
    ("product", lambda d, c: None),
    ("rows", lambda x, y: "text"),
    ("rows", lambda x, y: x[99]),
]


@pytest.mark.parametrize(("name", "answer"), KEPT)
def test_an_identity_that_is_kept_or_says_nothing_is_not_named(name, answer):
    verdict = verdict_on(QUESTIONS[name], answer)
    assert (verdict.status, verdict.mistake) == (WRONG, "")


def test_a_known_mistake_comes_before_an_identity(monkeypatch):
    known = {"t": [Mistake("Tripled", "Look.", lambda d, c: _pool_backward(d, c) * 3)]}
    monkeypatch.setattr("cnnlab.check.questions.base.MISTAKES", known)
    tripled = lambda d, c: _pool_backward(d, c) * 3  # noqa: E731
    assert verdict_on(QUESTIONS["sum"], tripled).mistake == "Tripled"
    doubled = lambda d, c: _pool_backward(d, c) * 2  # noqa: E731
    assert verdict_on(QUESTIONS["sum"], doubled).mistake == "The sum of dx is not the sum of dout"


def test_an_identity_that_the_right_result_breaks_says_nothing():
    question = dataclasses.replace(QUESTIONS["rows"], identities=(same_sum("Look."),))
    assert verdict_on(question, lambda x, y: _softmax_gradient(x, y) * 3).mistake == ""
