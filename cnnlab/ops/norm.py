"""Normalization: signals are brought to a common size."""

import numpy as np

from cnnlab.shapes import ShapeError, as_upstream, expect_floats, expect_number, expect_whole


def batch_norm_forward(x, gamma, beta, *, mean=None, var=None, eps=1e-5):
    """Give every feature mean 0 and variance 1 over the batch, then scale and shift it.

    out = γ·x̂ + β  with  x̂ = (x − μ) / √(σ² + ε)

    In training μ and σ² are the mean and variance of the batch itself, feature by feature;
    the variance divides by the count, not by the count less one. After a convolution the
    channels are the features, and every position of every image counts. At test time μ and
    σ² are given: constants that `running_statistics` gathered, so that an image does not
    depend on its neighbors. A batch with a single number per feature gives β.

    Parameters
    ----------
    x : (N, C) or (N, H, W, C); statistics are taken over all axes but the last.
    gamma, beta : (C,) scale and shift of each feature.
    mean, var : (C,) statistics to use, both or neither; None takes those of the batch.
    eps : ε, keeps a constant feature from being divided by zero.

    Returns
    -------
    out : x's shape and dtype; the other arrays are converted to it.
    cache : what `batch_norm_backward` needs.

    Raises
    ------
    ShapeError
        If an array has the wrong shape, or statistics are to be taken of an empty batch.
    TypeError
        If x does not hold floating-point numbers.
    ValueError
        If only one of mean and var is given, or eps is less than 1e-15.

    Source: Ioffe & Szegedy 2015, "Batch Normalization", algorithm 1 and section 3.2.

    Examples
    --------
    >>> x = np.array([[1.0, 10.0], [3.0, 30.0]])
    >>> out, cache = batch_norm_forward(x, np.ones(2), np.zeros(2))
    >>> out.round(3)
    array([[-1., -1.],
           [ 1.,  1.]])
    """
    _expect_features(x, gamma=gamma, beta=beta)
    expect_number("eps", eps, least=1e-15)
    if (mean is None) != (var is None):
        raise ValueError("mean and var must be given together, or neither.")
    gamma, beta = np.asarray(gamma, x.dtype), np.asarray(beta, x.dtype)
    of_batch = mean is None
    if of_batch:
        mean, var = _statistics(x)
    else:
        _expect_features(x, mean=mean, var=var)
        mean, var = np.asarray(mean, x.dtype), np.asarray(var, x.dtype)
    scale = 1 / np.sqrt(var + x.dtype.type(eps))
    normalized = (x - mean) * scale
    return gamma * normalized + beta, (normalized, scale, gamma, of_batch)


def batch_norm_backward(dout, cache):
    """Gradients of batch normalization; in training they go through the statistics too.

    dx = γ / √(σ² + ε) · (dout − mean(dout) − x̂·mean(dout·x̂))
    dγ = Σ dout·x̂
    dβ = Σ dout

    Means and sums run over all axes but the last. The first mean is the share of μ, the
    second that of σ²: dx is orthogonal to 1 and to x̂, because neither a shift nor a scaling
    of the batch changes the output. At test time both are missing.

    Parameters
    ----------
    dout : gradient of the loss with respect to the output, in its shape.
    cache : from `batch_norm_forward`.

    Returns
    -------
    dx : x's shape, in x's dtype like the others.
    dgamma, dbeta : (C,).

    Raises
    ------
    ShapeError
        If dout does not have the shape of the output.

    Source: Ioffe & Szegedy 2015, section 3, written compactly.

    Examples
    --------
    >>> x = np.array([[1.0, 10.0], [3.0, 30.0]])
    >>> out, cache = batch_norm_forward(x, np.ones(2), np.zeros(2))
    >>> dx, dgamma, dbeta = batch_norm_backward(np.array([[1.0, 0.0], [3.0, 2.0]]), cache)
    >>> dgamma.round(3), dbeta
    (array([2., 2.]), array([4., 2.]))
    """
    normalized, scale, gamma, of_batch = cache
    dout = as_upstream(dout, normalized.shape, normalized.dtype)
    axes = tuple(range(dout.ndim - 1))
    dgamma, dbeta = (dout * normalized).sum(axis=axes), dout.sum(axis=axes)
    if not of_batch:
        return gamma * scale * dout, dgamma, dbeta
    count = dout.size // dout.shape[-1]
    dx = gamma * scale * (dout - dbeta / count - normalized * (dgamma / count))
    return dx, dgamma, dbeta


def running_statistics(x, mean, var, *, momentum=0.9):
    """Mean and variance over many batches, for use at test time.

    mean ← m·mean + (1 − m)·μ,  var ← m·var + (1 − m)·σ²

    As in Keras and ONNX σ² divides by the count; the paper and PyTorch use the unbiased
    variance here, which divides by the count less one.

    Parameters
    ----------
    x : (N, C) or (N, H, W, C), a batch in training.
    mean, var : (C,) what was gathered so far.
    momentum : m, the share of it that is kept.

    Returns
    -------
    mean, var : (C,) new arrays, in the dtype of the old ones.

    Raises
    ------
    ShapeError, TypeError
        As `batch_norm_forward`.
    ValueError
        If momentum is not at least 0 and less than 1.

    Source: Ioffe & Szegedy 2015, section 3.1.

    Examples
    --------
    >>> running_statistics(np.array([[1.0], [3.0]]), np.zeros(1), np.ones(1))
    (array([0.2]), array([1.]))
    """
    _expect_features(x, mean=mean, var=var)
    expect_floats("mean", mean)
    expect_floats("var", var)
    expect_number("momentum", momentum, least=0, below=1)
    return tuple(
        (momentum * old + (1 - momentum) * new).astype(old.dtype)
        for old, new in zip((mean, var), _statistics(x), strict=True)
    )


def lrn_forward(x, *, n=5, k=2.0, alpha=1e-4, beta=0.75):
    """Divide every number by a power of the energy of its neighbors across channels.

    out[…, i] = x[…, i] / s[…, i]^β  with  s[…, i] = k + α·Σ_{j = i − n//2}^{i + n//2} x[…, j]²

    Channels beyond the first and the last count as zero. The lecture remarks that such layers
    are "not common anymore".

    Parameters
    ----------
    x : (…, C) activations.
    n : channels that a sum runs over, an odd number.
    k, alpha, beta : the constants of the formula.

    Returns
    -------
    out : x's shape and dtype.
    cache : what `lrn_backward` needs.

    Raises
    ------
    TypeError
        If x does not hold floating-point numbers.
    ValueError
        If n is not an odd whole number, k is less than 1e-15, or alpha or beta is negative.

    Source: Krizhevsky et al. 2012, section 3.3.

    Examples
    --------
    >>> lrn_forward(np.array([1.0, 2.0, 3.0]), n=3, k=1.0, alpha=1.0, beta=1.0)[0].round(3)
    array([0.167, 0.133, 0.214])
    """
    check_lrn(x, n, k, alpha, beta)
    k, alpha, beta = (x.dtype.type(number) for number in (k, alpha, beta))
    s = k + alpha * _window_sum(x**2, n)
    power = s**-beta
    return x * power, (x, s, power, n, alpha, beta)


def lrn_backward(dout, cache):
    """Gradient of local response normalization.

    dx[…, i] = dout[…, i]·s[…, i]^−β − 2·α·β·x[…, i]·Σ_j dout[…, j]·x[…, j]·s[…, j]^(−β−1)

    The sum over j from i − n//2 to i + n//2 collects from all neighbors that x[…, i] held down.

    Parameters
    ----------
    dout : gradient of the loss with respect to the output, in its shape.
    cache : from `lrn_forward`.

    Returns
    -------
    dx : x's shape and dtype.

    Raises
    ------
    ShapeError
        If dout does not have the shape of the output.

    Source: the quotient rule, applied to Krizhevsky et al. 2012, section 3.3.

    Examples
    --------
    >>> out, cache = lrn_forward(np.array([1.0, 2.0]), n=3, k=1.0, alpha=1.0, beta=1.0)
    >>> lrn_backward(np.array([36.0, 0.0]), cache)
    array([ 4., -4.])
    """
    x, s, power, n, alpha, beta = cache
    dout = as_upstream(dout, x.shape, x.dtype)
    return dout * power - 2 * alpha * beta * x * _window_sum(dout * x * power / s, n)


def check_lrn(x, n, k, alpha, beta) -> None:
    """Raise the errors of `lrn_forward` unless its arguments make sense."""
    expect_floats("x", x)
    if x.ndim == 0:
        raise ShapeError("x must have at least one axis, its channels, got a single number.")
    expect_whole("n", n)
    if n % 2 == 0:
        raise ValueError(f"n must be odd, as many channels before as after, got {n}.")
    expect_number("k", k, least=1e-15)
    expect_number("alpha", alpha, least=0)
    expect_number("beta", beta, least=0)


def _statistics(x):
    if x.size == 0:
        raise ShapeError(f"the statistics of an empty batch are not defined, got shape {x.shape}.")
    axes = tuple(range(x.ndim - 1))
    return x.mean(axis=axes), x.var(axis=axes)


def _expect_features(x, **arrays):
    expect_floats("x", x)
    if x.ndim < 2:
        raise ShapeError(f"x must be a batch, (N, C) or (N, H, W, C), got shape {x.shape}.")
    for name, array in arrays.items():
        if np.shape(array) != x.shape[-1:]:
            raise ShapeError(
                f"{name} must hold one number per feature, shape {x.shape[-1:]}, "
                f"got {np.shape(array)}."
            )


def _window_sum(x, n):
    """Σ over the n channels around each channel; those beyond the ends count as zero."""
    C, half = x.shape[-1], min(n // 2, x.shape[-1])
    total = x.copy()
    for distance in range(1, half + 1):
        total[..., distance:] += x[..., : C - distance]
        total[..., : C - distance] += x[..., distance:]
    return total
