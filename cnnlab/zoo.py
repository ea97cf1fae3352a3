"""Networks by name: functions that build them for images of any size."""

from collections.abc import Callable
from functools import partial

import numpy as np

from cnnlab.init import normal
from cnnlab.layers import Affine, Conv, Flatten, MaxPool, ReLU, Shape
from cnnlab.model import Sequential
from cnnlab.ops import Ops, reference

# Small first scores: the network starts out undecided, with a loss of about ln C.
_scores = partial(Affine, init=partial(normal, std=0.01))


class UnknownModelError(ValueError):
    """There is no network of this name."""


def linear(
    input_shape: Shape,
    n_classes: int,
    *,
    rng: np.random.Generator,
    dtype=np.float32,
    ops: Ops = reference,
) -> Sequential:
    """One affine layer, from pixels to scores: what everything else must beat.

    Parameters
    ----------
    input_shape : (H, W, C) of one image.
    n_classes : how many scores.
    rng : draws the weights.
    dtype : float32 to train, float64 to check gradients.
    ops : the table of operations.

    Examples
    --------
    >>> linear((28, 28, 1), 10, rng=np.random.default_rng(0))
    Sequential(2 layers, 7,850 parameters)
    """
    return Sequential([Flatten(), _scores(n_classes)], input_shape, rng=rng, dtype=dtype, ops=ops)


def convnet(
    input_shape: Shape,
    n_classes: int,
    *,
    rng: np.random.Generator,
    dtype=np.float32,
    ops: Ops = reference,
) -> Sequential:
    """Two rounds of convolution, ReLU and pooling, then a hidden layer and the scores.

    Parameters
    ----------
    input_shape : (H, W, C) of one image; H and W must be multiples of 4, for two poolings.
    n_classes : how many scores.
    rng : draws the weights.
    dtype : float32 to train, float64 to check gradients.
    ops : the table of operations.

    Raises
    ------
    ShapeError
        If the pooling windows do not fit the image.

    Examples
    --------
    >>> print(convnet((28, 28, 1), 10, rng=np.random.default_rng(0)).summary())
       layer                           output    parameters    memory
       input                           28×28×1            0    3.1 KB
    0  Conv(32, kernel_size=3, pad=1)  28×28×32         320  100.4 KB
    1  ReLU()                          28×28×32           0  100.4 KB
    2  MaxPool(2)                      14×14×32           0   25.1 KB
    3  Conv(64, kernel_size=3, pad=1)  14×14×64      18,496   50.2 KB
    4  ReLU()                          14×14×64           0   50.2 KB
    5  MaxPool(2)                      7×7×64             0   12.5 KB
    6  Flatten()                       3136               0   12.5 KB
    7  Affine(128)                     128          401,536     512 B
    8  ReLU()                          128                0     512 B
    9  Affine(10)                      10             1,290      40 B
       total                                        421,642  355.4 KB
    """
    layers = [
        *(Conv(32, 3, pad=1), ReLU(), MaxPool(2)),
        *(Conv(64, 3, pad=1), ReLU(), MaxPool(2)),
        *(Flatten(), Affine(128), ReLU(), _scores(n_classes)),
    ]
    return Sequential(layers, input_shape, rng=rng, dtype=dtype, ops=ops)


MODELS: dict[str, Callable[..., Sequential]] = {"convnet": convnet, "linear": linear}


def build(
    name: str, input_shape: Shape, n_classes: int, *, rng: np.random.Generator, **options
) -> Sequential:
    """The network of this name, for images of this shape.

    Parameters
    ----------
    name : one of `MODELS`.
    input_shape, n_classes, rng : as the network's own function takes them.
    options : dtype, ops, and what only some networks have, such as width or dropout.

    Raises
    ------
    UnknownModelError
        A ValueError that lists the names there are.

    Examples
    --------
    >>> build("linear", (32, 32, 3), 10, rng=np.random.default_rng(0))
    Sequential(2 layers, 30,730 parameters)
    """
    if name not in MODELS:
        raise UnknownModelError(f"name must be one of {', '.join(sorted(MODELS))}, got {name!r}.")
    return MODELS[name](input_shape, n_classes, rng=rng, **options)
