"""How training went, and what came of it."""

from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from cnnlab.viz.style import BLUE, FAINT, VERMILLION, ink_on, new_axes


def plot_history(history, ax: Axes | None = None) -> Axes:
    """Draw the loss of every epoch, for training and (where measured) for validation.

    Where there are validation accuracies, the last one is written in the legend.

    Parameters
    ----------
    history : has the lists train_loss, train_accuracy, validation_loss and
        validation_accuracy, one number per epoch; the last two may be empty.
    ax : where to draw; a new figure by default.

    Returns
    -------
    ax : the Axes with one line per split.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> history = SimpleNamespace(train_loss=[2.3, 1.9], train_accuracy=[0.1, 0.3],
    ...                           validation_loss=[], validation_accuracy=[])
    >>> [line.get_label() for line in plot_history(history).lines]
    ['training (accuracy 30 %)']
    """
    ax = new_axes(ax, 6, 3.4)
    splits = (
        ("training", history.train_loss, history.train_accuracy, BLUE, "o-"),
        ("validation", history.validation_loss, history.validation_accuracy, VERMILLION, "s--"),
    )
    for name, losses, accuracies, color, marks in splits:
        if len(losses):
            label = f"{name} (accuracy {accuracies[-1]:.0%})".replace("%", " %")
            epochs = range(1, len(losses) + 1)
            ax.plot(epochs, losses, marks, color=color, label=label, markersize=5)
    ax.set(xlabel="epoch", ylabel="loss")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlim(0.5, max(len(history.train_loss), 1) + 0.5)
    ax.spines[["top", "right"]].set_visible(False)
    if ax.lines:
        ax.legend(frameon=False)
    return ax


def plot_confusion(matrix, class_names, ax: Axes | None = None) -> Axes:
    """Draw a confusion matrix: which class was taken for which, and how often.

    Each row is shaded by its share, so that rare classes can be read as well as
    common ones; the counts stand in the cells.

    Parameters
    ----------
    matrix : (C, C) counts, one row per true class, one column per predicted class.
    class_names : C names, in the order of the rows.
    ax : where to draw; a new figure by default.

    Returns
    -------
    ax : the Axes with C² cells.

    Raises
    ------
    ValueError
        If the matrix is not square or the names are not one per row.

    Examples
    --------
    >>> ax = plot_confusion([[9, 1], [3, 7]], ["cat", "dog"])
    >>> [text.get_text() for text in ax.texts]
    ['9', '1', '3', '7']
    """
    matrix = np.asarray(matrix)
    C = len(class_names)
    if matrix.shape != (C, C):
        raise ValueError(
            f"a confusion matrix of {C} classes has shape {(C, C)}, got {matrix.shape}."
        )
    side = max(3.2, 0.55 * C + 1.6)
    ax = new_axes(ax, side, side)
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    ax.imshow(share, cmap="Blues", vmin=0, vmax=1, interpolation="none")
    for (row, column), count in np.ndenumerate(matrix):
        ink = ink_on(plt.get_cmap("Blues")(share[row, column])) if count else FAINT
        ax.text(column, row, f"{count}", ha="center", va="center", color=ink, fontsize=10)
    turned: dict[str, Any] = (
        {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if C > 3 else {}
    )
    ax.set_xticks(range(C), class_names, **turned)
    ax.set_yticks(range(C), class_names)
    ax.set(xlabel="predicted class", ylabel="true class")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return ax
