"""Dropout: in training, units are switched off by chance."""

from cnnlab.layers.base import Layer
from cnnlab.shapes import expect_number


class Dropout(Layer):
    """In training, set a share of all numbers to zero and enlarge the others; any shape.

    At test time nothing happens. The layer draws from a generator of its own, made from the
    one it is built with: the weights of other layers do not depend on it.

    Parameters
    ----------
    rate : the probability of being set to zero, at least 0 and less than 1.

    Source: Krizhevsky et al. 2012, section 4.2.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Dropout(0.5)
    >>> layer.build((6,), rng=np.random.default_rng(0))
    >>> x = np.ones((1, 6))
    >>> set(layer.forward(x, training=True).ravel().tolist()), (layer.forward(x) == x).all()
    ({0.0, 2.0}, np.True_)
    """

    op = "dropout"

    def __init__(self, rate: float = 0.5):
        super().__init__()
        expect_number("rate", rate, least=0, below=1)
        self.rate = rate

    def build(self, input_shape, *, rng, **options):
        super().build(input_shape, rng=rng, **options)
        (self.rng,) = rng.spawn(1)

    def _options(self, training):
        return {"rate": self.rate, "rng": self.rng, "training": training}

    def __repr__(self) -> str:
        return f"Dropout({self.rate})"
