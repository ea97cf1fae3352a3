"""Where weights start: each initializer makes an array of a given shape.

All are called alike, init(shape, rng=…, dtype=…), so that a layer takes any of them; those with
a choice of their own are fixed first, as in `functools.partial(normal, std=0.01)`.
"""

import math

import numpy as np

from cnnlab.shapes import ShapeError, expect_generator, expect_number, expect_whole


def zeros(shape, *, rng: np.random.Generator | None = None, dtype=np.float32) -> np.ndarray:
    """An array of zeros: right for biases, and a trap for weights (no symmetry is broken).

    Chance has no part in it; a generator is taken only to be called as the others are.
    """
    return np.zeros(shape, dtype)


def normal(shape, *, std: float, rng: np.random.Generator, dtype=np.float32) -> np.ndarray:
    """Numbers from a Gaussian of mean 0 and the given standard deviation.

    Raises
    ------
    TypeError
        If rng is no generator.
    ValueError
        If std is negative or no finite number.

    Examples
    --------
    >>> normal((1000, 100), std=0.01, rng=np.random.default_rng(0)).std().round(4)
    np.float32(0.01)
    """
    expect_generator(rng)
    expect_number("std", std, least=0)
    return rng.normal(0.0, std, shape).astype(dtype)


def fan_in(shape) -> int:
    """How many inputs each unit reads: the product of all axes but the last.

    Examples
    --------
    >>> fan_in((5, 5, 3, 10)), fan_in((784, 10))
    (75, 784)
    """
    return math.prod(_weights(shape)[:-1])


def fan_out(shape) -> int:
    """How many units read each input: the product of all axes but the last but one.

    A pixel inside an image is read by a filter once for each place in it.

    Examples
    --------
    >>> fan_out((5, 5, 3, 10)), fan_out((784, 10))
    (250, 10)
    """
    *window, _, outputs = _weights(shape)
    return math.prod(window) * outputs


def xavier(shape, *, rng: np.random.Generator, dtype=np.float32) -> np.ndarray:
    """Gaussian weights of standard deviation √(2/(n_in + n_out)).

    A compromise between √(1/n_in), which keeps the size of the signal on its way forward where
    units are linear around zero, such as tanh, and √(1/n_out), which keeps that of the gradient
    on its way back. Many courses use √(1/n_in) alone under the same name.

    Parameters
    ----------
    shape : of the weights, (D, M) or (FH, FW, C, K).
    rng : draws them.
    dtype : of the result.

    Raises
    ------
    ShapeError
        If the shape has fewer than two axes, or no inputs.
    TypeError
        If rng is no generator.

    Source: Glorot & Bengio 2010, "Understanding the difficulty of training deep feedforward
    neural networks", equation 12.

    Examples
    --------
    >>> xavier((3, 3, 32, 64), rng=np.random.default_rng(0)).std().round(3)
    np.float32(0.048)
    >>> round(math.sqrt(2 / (3 * 3 * (32 + 64))), 3)
    0.048
    """
    std = math.sqrt(2 / (fan_in(shape) + fan_out(shape)))
    return normal(shape, std=std, rng=rng, dtype=dtype)


def he(shape, *, rng: np.random.Generator, dtype=np.float32) -> np.ndarray:
    """Gaussian weights of standard deviation √(2/n), n the number of inputs of a unit.

    Keeps the size of the signal from layer to layer when ReLU sets half of it to
    zero. The lecture's slide says "n is the number of outputs"; in the paper, and
    here, n counts inputs.

    Parameters
    ----------
    shape : of the weights, (D, M) or (FH, FW, C, K).
    rng : draws them.
    dtype : of the result.

    Raises
    ------
    ShapeError
        If the shape has fewer than two axes, or no inputs.
    TypeError
        If rng is no generator.

    Source: He et al. 2015, "Delving Deep into Rectifiers", section 2.2.

    Examples
    --------
    >>> he((3, 3, 32, 64), rng=np.random.default_rng(0)).std().round(3)
    np.float32(0.083)
    >>> round(math.sqrt(2 / (3 * 3 * 32)), 3)
    0.083
    """
    return normal(shape, std=math.sqrt(2 / fan_in(shape)), rng=rng, dtype=dtype)


def _weights(shape):
    if not isinstance(shape, tuple | list) or len(shape) < 2:
        raise ShapeError(f"weights need a shape (…, inputs, outputs), got {shape}.")
    for size in shape:
        expect_whole("every size of the weights", size, error=ShapeError)
    return tuple(shape)
