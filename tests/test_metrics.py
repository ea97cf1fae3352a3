import numpy as np
import pytest

from cnnlab.metrics import accuracy, confusion_matrix, top_k_accuracy
from cnnlab.shapes import ShapeError

RNG = np.random.default_rng(0)
SCORES = RNG.normal(size=(50, 7))
LABELS = RNG.integers(0, 7, 50)


def test_accuracy_takes_scores_or_labels():
    expected = np.mean(
        [max(range(7), key=lambda c: row[c]) == y for row, y in zip(SCORES, LABELS, strict=True)]
    )
    assert accuracy(SCORES, LABELS) == expected
    assert accuracy(SCORES.argmax(axis=1), LABELS) == expected
    assert accuracy(LABELS, LABELS) == 1.0
    assert isinstance(accuracy(SCORES, LABELS), float)


@pytest.mark.parametrize("k", [1, 2, 5])
def test_top_k_counts_the_k_best(k):
    hits = [
        y in sorted(range(7), key=lambda c: -row[c])[:k]
        for row, y in zip(SCORES, LABELS, strict=True)
    ]
    assert top_k_accuracy(SCORES, LABELS, k=k) == np.mean(hits)


def test_top_1_is_accuracy_and_top_all_is_everything():
    assert top_k_accuracy(SCORES, LABELS, k=1) == accuracy(SCORES, LABELS)
    assert top_k_accuracy(SCORES, LABELS, k=7) == 1.0


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_a_network_that_prefers_nothing_gains_nothing(value):
    labels = np.arange(10)
    same = np.full((10, 10), value)
    assert accuracy(same, labels) == 0.1
    assert top_k_accuracy(same, labels, k=1) == 0.1
    assert top_k_accuracy(same, labels, k=5) == 0.5


def test_confusion_has_one_row_per_true_class():
    labels, predictions = np.array([0, 0, 0, 2, 2]), np.array([0, 1, 1, 2, 0])
    expected = [[1, 2, 0], [0, 0, 0], [1, 0, 1]]
    assert confusion_matrix(labels, predictions, 3).tolist() == expected


def test_confusion_agrees_with_accuracy_and_counts():
    matrix = confusion_matrix(LABELS, SCORES.argmax(axis=1), 7)
    assert matrix.trace() / matrix.sum() == accuracy(SCORES, LABELS)
    assert matrix.sum(axis=1).tolist() == np.bincount(LABELS, minlength=7).tolist()


def test_confusion_does_not_overflow_small_integers():
    labels = np.full(300, 99, np.uint8)
    assert confusion_matrix(labels, labels, 100)[99, 99] == 300


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: accuracy(SCORES, LABELS[:9]), ShapeError, r"\(50,\).* of shape \(9,\)"),
        (lambda: accuracy(LABELS, LABELS[:, None]), ShapeError, r"one prediction per label"),
        (lambda: accuracy(SCORES[:0], LABELS[:0]), ShapeError, r"no examples"),
        (lambda: top_k_accuracy(LABELS, LABELS, k=1), ShapeError, r"scores must have 2 axes"),
        (lambda: top_k_accuracy(SCORES, LABELS, k=8), ValueError, r"1 and the 7 classes, got 8"),
        (lambda: top_k_accuracy(SCORES, LABELS, k=0), ValueError, r"got 0"),
        (lambda: top_k_accuracy(SCORES, LABELS + 1, k=1), ValueError, r"labels.*0 and 6, got 1 to"),
        (lambda: confusion_matrix(LABELS, LABELS, 6), ValueError, r"labels must lie.* 0 and 5"),
        (lambda: confusion_matrix(LABELS, LABELS - 1, 7), ValueError, r"predictions must.*got -1"),
        (lambda: confusion_matrix(LABELS, LABELS * 1.0, 7), ValueError, r"predictions.*float64"),
        (lambda: confusion_matrix(LABELS, LABELS[:3], 7), ShapeError, r"\(3,\).*\(50,\)"),
    ],
)  # fmt: skip
def test_errors_say_what_was_expected(call, error, words):
    with pytest.raises(error, match=words):
        call()
