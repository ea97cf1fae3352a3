"""Dropout: in training, units are switched off by chance."""

from cnnlab.shapes import as_upstream, expect_floats, expect_generator, expect_number


def dropout_forward(x, *, rate=0.5, rng=None, training=True):
    """In training, set a share of all numbers to zero and enlarge the others to make up for it.

    out = x · m / (1 − rate)  with  m = 0 with probability rate, else 1

    Enlarging in training ("inverted" dropout) keeps the mean, so that at test time there is
    nothing to do: out is then x itself.

    Parameters
    ----------
    x : any shape.
    rate : the probability of being set to zero, at least 0 and less than 1.
    rng : draws m, one uniform number for each of x, kept where it is at least `rate`; needed in
        training only.
    training : whether to drop anything.

    Returns
    -------
    out : x's shape and dtype.
    cache : what `dropout_backward` needs.

    Raises
    ------
    TypeError
        If x does not hold floating-point numbers, or rng is no generator.
    ValueError
        If rate is not at least 0 and less than 1.

    Source: Srivastava et al. 2014, "Dropout"; Krizhevsky et al. 2012, section 4.2.

    Examples
    --------
    >>> import numpy as np
    >>> dropout_forward(np.ones(6), rate=0.5, rng=np.random.default_rng(0))[0]
    array([2., 0., 0., 0., 2., 2.])
    """
    expect_floats("x", x)
    expect_number("rate", rate, least=0, below=1)
    if not training:
        return x, (x.shape, x.dtype, None)
    expect_generator(rng)
    scale = (rng.random(x.shape) >= rate).astype(x.dtype) / x.dtype.type(1 - rate)
    return x * scale, (x.shape, x.dtype, scale)


def dropout_backward(dout, cache):
    """Pass the gradient where the number was kept, enlarged in the same way.

    dx = dout · m / (1 − rate)

    The mask is that of the forward pass: where the output was zeroed, the input had no say.

    Parameters
    ----------
    dout : gradient of the loss with respect to the output, in its shape.
    cache : from `dropout_forward`.

    Returns
    -------
    dx : x's shape and dtype.

    Raises
    ------
    ShapeError
        If dout does not have the shape of the output.

    Source: Srivastava et al. 2014, section 5.1.

    Examples
    --------
    >>> import numpy as np
    >>> out, cache = dropout_forward(np.ones(6), rate=0.5, rng=np.random.default_rng(0))
    >>> dropout_backward(np.arange(6), cache)
    array([ 0.,  0.,  0.,  0.,  8., 10.])
    """
    shape, dtype, scale = cache
    dout = as_upstream(dout, shape, dtype)
    return dout if scale is None else dout * scale
