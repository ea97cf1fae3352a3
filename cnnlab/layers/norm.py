"""Layers that normalize."""

import numpy as np

from cnnlab.layers.base import Layer
from cnnlab.ops import lrn_forward, running_statistics
from cnnlab.shapes import expect_number


class BatchNorm(Layer):
    """Give every feature mean 0 and variance 1, then scale and shift it as training sees fit.

    In training the statistics are those of the batch; at test time those gathered on the way.
    Put it after an affine or convolution layer and before what bends.

    Parameters
    ----------
    momentum : the share of the running statistics that a batch leaves.
    eps : added to the variance.

    params: gamma (C,) and beta (C,), neither of which decays. buffers: mean (C,) and var (C,).
    Input (N, C) or (N, H, W, C), output the same.

    Source: Ioffe & Szegedy 2015, algorithm 2.

    Examples
    --------
    >>> layer = BatchNorm()
    >>> layer.build((2,), rng=np.random.default_rng(0))
    >>> out = layer.forward(np.array([[1.0, 10.0], [3.0, 30.0]]), training=True)
    >>> out.round(3), layer.buffers["mean"]
    (array([[-1., -1.],
           [ 1.,  1.]]), array([0.2, 2. ], dtype=float32))
    """

    op = "batch_norm"

    def __init__(self, *, momentum: float = 0.9, eps: float = 1e-5):
        super().__init__()
        expect_number("momentum", momentum, least=0, below=1)
        expect_number("eps", eps, least=1e-15)
        self.momentum, self.eps = momentum, eps

    def _create_params(self, input_shape, rng, dtype):
        return {"gamma": np.ones(input_shape[-1], dtype), "beta": np.zeros(input_shape[-1], dtype)}

    def _create_buffers(self, input_shape, dtype):
        return {"mean": np.zeros(input_shape[-1], dtype), "var": np.ones(input_shape[-1], dtype)}

    def _options(self, training):
        return {"eps": self.eps} | ({} if training else self.buffers)

    def _forward(self, x, training):
        result = super()._forward(x, training)
        if training:
            new = running_statistics(x, **self.buffers, momentum=self.momentum)
            for array, value in zip(self.buffers.values(), new, strict=True):
                array[...] = value
        return result

    def __repr__(self) -> str:
        options = {"momentum": (self.momentum, 0.9), "eps": (self.eps, 1e-5)}
        changed = [f"{name}={value}" for name, (value, usual) in options.items() if value != usual]
        return f"BatchNorm({', '.join(changed)})"


class LRN(Layer):
    """Local response normalization: channels hold their neighbors down, as in AlexNet.

    Parameters
    ----------
    n : channels that a sum runs over, an odd number.
    k, alpha, beta : the constants of the formula in `ops.lrn_forward`.

    Input (N, …, C), output the same.

    Source: Krizhevsky et al. 2012, section 3.3.
    """

    op = "lrn"

    def __init__(self, *, n: int = 5, k: float = 2.0, alpha: float = 1e-4, beta: float = 0.75):
        super().__init__()
        self.n, self.k, self.alpha, self.beta = n, k, alpha, beta
        # Constants that make no sense are refused now, not with the first batch.
        lrn_forward(np.zeros(1), **self._options(training=False))

    def _options(self, training):
        return {"n": self.n, "k": self.k, "alpha": self.alpha, "beta": self.beta}

    def __repr__(self) -> str:
        usual = {"n": 5, "k": 2.0, "alpha": 1e-4, "beta": 0.75}
        options = self._options(training=False)
        changed = [f"{name}={value}" for name, value in options.items() if value != usual[name]]
        return f"LRN({', '.join(changed)})"
