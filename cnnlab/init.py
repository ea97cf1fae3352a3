"""Where weights start: each initializer draws an array of a given shape from a generator."""

import math

import numpy as np


def zeros(shape, *, dtype=np.float32) -> np.ndarray:
    """An array of zeros: right for biases, and a trap for weights (no symmetry is broken)."""
    return np.zeros(shape, dtype)


def normal(shape, *, std: float, rng: np.random.Generator, dtype=np.float32) -> np.ndarray:
    """Numbers from a Gaussian of mean 0 and the given standard deviation.

    Examples
    --------
    >>> normal((1000, 100), std=0.01, rng=np.random.default_rng(0)).std().round(4)
    np.float32(0.01)
    """
    return rng.normal(0.0, std, shape).astype(dtype)


def fan_in(shape) -> int:
    """How many inputs each unit reads: the product of all axes but the last.

    Examples
    --------
    >>> fan_in((5, 5, 3, 10)), fan_in((784, 10))
    (75, 784)
    """
    return math.prod(shape[:-1])


def he(shape, *, rng: np.random.Generator, dtype=np.float32) -> np.ndarray:
    """Gaussian weights of standard deviation √(2/n), n the number of inputs of a unit.

    Keeps the size of the signal from layer to layer when ReLU sets half of it to
    zero. The lecture's slide says "n is the number of outputs"; in the paper, and
    here, n counts inputs.

    Source: He et al. 2015, "Delving Deep into Rectifiers", section 2.2.

    Examples
    --------
    >>> he((3, 3, 32, 64), rng=np.random.default_rng(0)).std().round(3)
    np.float32(0.083)
    >>> round(math.sqrt(2 / (3 * 3 * 32)), 3)
    0.083
    """
    return normal(shape, std=math.sqrt(2 / fan_in(shape)), rng=rng, dtype=dtype)
