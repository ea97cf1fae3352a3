"""How good predictions are, as numbers a person can read."""

import numpy as np

from cnnlab.shapes import ShapeError, expect_rank


def accuracy(predictions: np.ndarray, labels: np.ndarray) -> float:
    """The share of examples whose class was found, from 0 to 1.

    Parameters
    ----------
    predictions : (N, C) scores or probabilities, the largest of a row being the
        prediction, or (N,) predicted classes.
    labels : (N,) true classes.

    Raises
    ------
    ShapeError
        If there is not one prediction per label, or there are none.

    Examples
    --------
    >>> accuracy(np.array([[0.1, 0.9], [0.8, 0.2]]), np.array([1, 1]))
    0.5
    >>> accuracy(np.array([1, 0, 1, 1]), np.array([1, 1, 1, 1]))
    0.75
    """
    predictions = np.asarray(predictions)
    if predictions.ndim == 2:
        predictions = predictions.argmax(axis=1)
    labels = _check(predictions, labels)
    return float((predictions == labels).mean())


def top_k_accuracy(scores: np.ndarray, labels: np.ndarray, *, k: int) -> float:
    """The share of examples whose class is among the k highest scores, from 0 to 1.

    Among equal scores the lower class comes first, as in `accuracy`, which this equals
    for k = 1: a network that gives every class the same score gains nothing by it.

    Parameters
    ----------
    scores : (N, C) scores or probabilities.
    labels : (N,) true classes.
    k : from 1 to C. ImageNet results are quoted for k = 1 and k = 5.

    Raises
    ------
    ShapeError
        If there is not one row of scores per label, or there are none.
    ValueError
        If k is not between 1 and C, or a label is not a class.

    Examples
    --------
    >>> scores = np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]])
    >>> top_k_accuracy(scores, np.array([1, 2]), k=2)
    0.5
    """
    scores = np.asarray(scores)
    expect_rank("scores", scores, "N C")
    labels = _check(scores[:, 0], labels)
    n_classes = scores.shape[1]
    if not 1 <= k <= n_classes:
        raise ValueError(f"k must lie between 1 and the {n_classes} classes, got {k!r}.")
    _check_classes("labels", labels, n_classes)
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return float((best == labels[:, None]).any(axis=1).mean())


def confusion_matrix(labels: np.ndarray, predictions: np.ndarray, n_classes: int) -> np.ndarray:
    """Count which class was taken for which: one row per true class.

    Parameters
    ----------
    labels : (N,) true classes.
    predictions : (N,) predicted classes.
    n_classes : C, how many classes there are.

    Returns
    -------
    matrix : (C, C) integers; matrix[t, p] examples of class t were predicted as p. The
        diagonal is right, each row sums to the examples of its class.

    Raises
    ------
    ShapeError
        If there is not one prediction per label, or there are none.
    ValueError
        If a label or a prediction is not a class.

    Examples
    --------
    >>> confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 2)
    array([[1, 1],
           [0, 1]])
    """
    predictions = np.asarray(predictions)
    labels = _check(predictions, labels)
    _check_classes("labels", labels, n_classes)
    _check_classes("predictions", predictions, n_classes)
    matrix = np.zeros((n_classes, n_classes), np.int64)
    # Not matrix[…] += 1, which would count a pair that occurs twice only once.
    np.add.at(matrix, (labels, predictions), 1)
    return matrix


def _check(predictions, labels):
    """Labels as an array, once there is one for each of the predictions."""
    labels = np.asarray(labels)
    if labels.ndim != 1 or predictions.shape != labels.shape:
        raise ShapeError(
            f"there must be one prediction per label, got predictions for {predictions.shape} "
            f"and labels of shape {labels.shape}."
        )
    if len(labels) == 0:
        raise ShapeError("an accuracy of no examples is not defined, got 0 labels.")
    return labels


def _check_classes(name, values, n_classes):
    if not np.issubdtype(values.dtype, np.integer):
        raise ValueError(f"{name} must be integers, got {values.dtype}.")
    if values.min() < 0 or values.max() >= n_classes:
        raise ValueError(
            f"{name} must lie between 0 and {n_classes - 1}, got {values.min()} to {values.max()}."
        )
