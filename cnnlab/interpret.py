"""Looking inside a network: what its layers see, what its scores depend on, where it errs."""

import numpy as np

from cnnlab.layers import Softmax
from cnnlab.model import Sequential
from cnnlab.shapes import ShapeError, expect_rank, expect_whole, output_size, pair


def feature_maps(model: Sequential, x: np.ndarray, layer: int) -> np.ndarray:
    """What one layer makes of a batch, at test time.

    Parameters
    ----------
    model : the network.
    x : (N, …) preprocessed inputs.
    layer : its number in `model.summary()`, from 0.

    Returns
    -------
    maps : the output of this layer: (N, OH, OW, K) of a convolution.

    Raises
    ------
    ShapeError, TypeError
        If x is not a batch of the network's inputs.
    IndexError, ValueError
        If the network has no such layer.

    Source: Zeiler & Fergus 2014, "Visualizing and Understanding Convolutional Networks".

    Examples
    --------
    >>> from cnnlab import zoo
    >>> model = zoo.convnet((28, 28, 1), 10, rng=np.random.default_rng(0))
    >>> feature_maps(model, np.zeros((5, 28, 28, 1), np.float32), 2).shape
    (5, 14, 14, 32)
    """
    expect_whole("layer", layer, least=0)
    if layer >= len(model.layers):
        raise IndexError(f"layer must lie between 0 and {len(model.layers) - 1}, got {layer!r}.")
    maps = model.as_inputs(x)
    for each in model.layers[: layer + 1]:
        maps = each.forward(maps)
    return maps


def saliency(model: Sequential, x: np.ndarray, labels) -> np.ndarray:
    """How strongly the score of a class depends on each pixel.

    saliency[n, i, j] = max_c |∂score[n, labels[n]] / ∂x[n, i, j, c]|

    The score is what comes before a softmax: a probability hardly moves once it is near 1.
    The gradients that the last training step left in the network stay as they are.

    Parameters
    ----------
    model : the network, run at test time.
    x : (N, H, W, C) preprocessed images.
    labels : (N,) classes, or one for all images.

    Returns
    -------
    saliency : (N, H, W), at least 0: how much the score changes with one unit of x.

    Raises
    ------
    ShapeError, TypeError
        If x is not a batch of images for this network.
    ValueError
        If there is not one class of the network for each image.

    Source: Simonyan et al. 2014, "Deep Inside Convolutional Networks", section 3.

    Examples
    --------
    The gradient of a linear score is its weights:

    >>> from cnnlab import zoo
    >>> model = zoo.linear((2, 2, 1), 3, rng=np.random.default_rng(0))
    >>> found = saliency(model, np.zeros((1, 2, 2, 1)), 1)
    >>> bool((found.ravel() == np.abs(model.parameters()["1.affine.w"][:, 1])).all())
    True
    """
    expect_rank("x", x, "N H W C")
    scores = model.forward(x)
    labels = _classes(labels, scores)
    gradient = np.zeros_like(scores)
    gradient[np.arange(len(x)), labels] = 1
    kept = [layer.grads for layer in model.layers]
    try:
        for layer in reversed(_up_to_scores(model)):
            gradient = layer.backward(gradient)
    finally:
        for layer, grads in zip(model.layers, kept, strict=True):
            layer.grads = grads
    return np.abs(gradient).max(axis=-1)


def occlusion(
    model: Sequential,
    x: np.ndarray,
    labels,
    *,
    size: int | tuple[int, int],
    stride: int | tuple[int, int] = 1,
    fill: float | np.ndarray = 0.0,
) -> np.ndarray:
    """The probability of a class while a patch hides one part of the image after the other.

    Where it is low, the network has lost what it recognized the class by.

    Parameters
    ----------
    model : the network, run at test time.
    x : (N, H, W, C) preprocessed images, left as they are.
    labels : (N,) classes, or one for all images.
    size : of the patch, pixels, one number or (height, width); it must fit exactly.
    stride : pixels from one place to the next.
    fill : what the patch consists of, one number or one for each channel: 0 is the mean gray
        of standardized images.

    Returns
    -------
    probabilities : (N, OH, OW), for each place of the patch.

    Raises
    ------
    ShapeError, TypeError
        If x is not a batch of images for this network, or the patch or its fill does not fit.
    ValueError
        If there is not one class of the network for each image.

    Source: Zeiler & Fergus 2014, section 4.2.

    Examples
    --------
    >>> from cnnlab import zoo
    >>> model = zoo.linear((28, 28, 1), 10, rng=np.random.default_rng(0))
    >>> occlusion(model, np.zeros((2, 28, 28, 1)), 3, size=8, stride=4).shape
    (2, 6, 6)
    """
    expect_rank("x", x, "N H W C")
    x = model.as_inputs(x)
    (N, H, W, C), (FH, FW), (SH, SW) = x.shape, pair(size), pair(stride)
    if np.shape(fill) not in ((), (C,)):
        raise ShapeError(
            f"fill must be one number or one for each of {C} channels, got shape {np.shape(fill)}."
        )
    OH, OW = output_size(H, FH, stride=SH), output_size(W, FW, stride=SW)
    labels = _classes(labels, np.empty((N, *model.output_shape)))
    probabilities = np.empty((N, OH, OW), model.dtype)
    # All places of one row at a time: memory does not grow with the image's height.
    for n, i in np.ndindex(N, OH):
        covered = np.repeat(x[n : n + 1], OW, axis=0)
        for j in range(OW):
            covered[j, i * SH : i * SH + FH, j * SW : j * SW + FW] = fill
        probabilities[n, i] = _probabilities(model, covered)[:, labels[n]]
    return probabilities


def worst_mistakes(probabilities: np.ndarray, labels: np.ndarray, k: int = 12) -> np.ndarray:
    """Which examples the network got wrong with the greatest confidence.

    Parameters
    ----------
    probabilities : (N, C) of each class.
    labels : (N,) true classes.
    k : how many to name.

    Returns
    -------
    indices : (k,) of the examples, the worst first; fewer where fewer are wrong. Among equals
        the first come first.

    Raises
    ------
    ShapeError
        If there is not one row of probabilities per label.
    ValueError
        If k is not a whole number of at least 1.

    Examples
    --------
    >>> probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]])
    >>> worst_mistakes(probabilities, np.array([0, 0, 0]))
    array([2, 1])
    """
    probabilities, labels = np.asarray(probabilities), np.asarray(labels)
    expect_rank("probabilities", probabilities, "N C")
    expect_whole("k", k)
    if labels.shape != probabilities.shape[:1]:
        raise ShapeError(
            f"there must be one label for each row of probabilities, {probabilities.shape}, got "
            f"labels of shape {labels.shape}."
        )
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    confidence = probabilities[wrong].max(axis=1)
    return wrong[np.argsort(-confidence, kind="stable")[:k]]


def _up_to_scores(model):
    """The layers that make the scores: all but a softmax at the end."""
    ends_in_softmax = model.layers and isinstance(model.layers[-1], Softmax)
    return model.layers[:-1] if ends_in_softmax else model.layers


def _probabilities(model, x):
    # Two softmaxes in a row would make everything nearly equally likely.
    has_softmax = len(_up_to_scores(model)) < len(model.layers)
    return model.predict_scores(x) if has_softmax else model.predict_probabilities(x)


def _classes(labels, scores):
    """(N,) whole numbers, each a class of the network."""
    if scores.ndim != 2:
        raise ShapeError(f"the network must end in scores, (N, C), got {scores.shape}.")
    (N, C), labels = scores.shape, np.asarray(labels)
    if labels.dtype.kind not in "iu" or labels.shape not in ((), (N,)):
        raise ValueError(
            f"labels must be one class or one for each of {N} images, whole numbers, got "
            f"{labels.dtype} of shape {labels.shape}."
        )
    if labels.size and not 0 <= labels.min() <= labels.max() < C:
        raise ValueError(
            f"labels must lie between 0 and {C - 1}, got {labels.min()} to {labels.max()}."
        )
    return np.broadcast_to(labels, N)
