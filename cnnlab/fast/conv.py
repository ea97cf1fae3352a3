"""Convolution, fast: the algorithm that suits the shapes."""

from functools import partial

import numpy as np

from cnnlab.fast import gemm, winograd
from cnnlab.ops import Op
from cnnlab.ops.conv import check
from cnnlab.shapes import as_upstream, output_size, pair

# From these channels of a tower on, in and out, the matrix products of the transformed tiles are
# large enough to pay for the transforms.
_CHANNELS = 16

# Winograd must save this share of the multiplications at least.
_SAVING = 0.4


def choose(x_shape, w_shape, *, stride=1, pad=0, groups=1) -> str:
    """The algorithm for these shapes: "winograd" where it saves work, otherwise "gemm".

    It needs filters that overlap, and channels enough.

    Examples
    --------
    The first convolution of AlexNet, and that of LeNet-5:

    >>> choose((32, 227, 227, 3), (11, 11, 3, 96), stride=4)
    'winograd'
    >>> choose((32, 28, 28, 1), (5, 5, 1, 6), pad=2)
    'gemm'
    """
    (_, H, W, _), (FH, FW, D, K), (SH, SW), (PH, PW) = x_shape, w_shape, pair(stride), pair(pad)
    OH, OW = output_size(H, FH, stride=SH, pad=PH), output_size(W, FW, stride=SW, pad=PW)
    if min(SH * SW * D, K // groups) < _CHANNELS or OH * OW == 0:
        return "gemm"
    saved = 1 - winograd.multiplications((OH, OW), (FH, FW), (SH, SW)) / (OH * OW * FH * FW)
    return "winograd" if saved >= _SAVING else "gemm"


# Name → forward(x, w, b, *, stride, pad, groups) and backward(dout, cache, *, input_gradient).
# "winograd" saves most, "winograd-2" saves less and loses hardly more digits than "gemm".
ALGORITHMS = {
    "gemm": Op(gemm.forward, gemm.backward),
    "winograd": Op(winograd.forward, winograd.backward),
    "winograd-2": Op(partial(winograd.forward, tile=2), winograd.backward),
}


def conv_forward(x, w, b, *, stride=1, pad=0, groups=1, algorithm="auto"):
    """As `ops.conv_forward`, by one of `ALGORITHMS`; "auto" takes what `choose` says.

    In single precision the largest error is about 10⁻⁶ of the standard deviation of the result for
    "gemm", 10⁻⁴ for "winograd", and 10⁻⁵ for "winograd-2".

    Source: Lavin & Gray 2016, "Fast algorithms for convolutional neural networks".
    """
    check(x, w, b, groups)
    x, w, b = (np.ascontiguousarray(array, x.dtype) for array in (x, w, b))
    options = {"stride": stride, "pad": pad, "groups": groups}
    name = algorithm
    if algorithm == "auto":
        # Half precision has no digits to lose.
        name = choose(x.shape, w.shape, **options) if x.dtype.itemsize > 2 else "gemm"
    if name not in ALGORITHMS:
        known = ", ".join(["auto", *ALGORITHMS])
        raise ValueError(f"algorithm must be one of {known}, got {algorithm!r}.")
    out, cache = ALGORITHMS[name].forward(x, w, b, **options)
    return out, (name, out.shape, out.dtype, cache)


def conv_backward(dout, cache):
    """As `ops.conv_backward`."""
    return _backward(dout, cache, input_gradient=True)


def conv_backward_params(dout, cache):
    """The gradients of the filters and biases alone, for a layer that reads the images."""
    return _backward(dout, cache, input_gradient=False)[1:]


def _backward(dout, cache, *, input_gradient):
    name, shape, dtype, cache = cache
    dout = np.ascontiguousarray(as_upstream(dout, shape, dtype))
    return ALGORITHMS[name].backward(dout, cache, input_gradient=input_gradient)
