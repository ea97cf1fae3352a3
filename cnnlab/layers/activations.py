"""Layers that bend: activation functions, applied to every number on its own."""


from cnnlab.layers.base import Layer


class ReLU(Layer):
    """Keep what is positive, set the rest to zero; any shape.

    Examples
    --------
    >>> layer = ReLU()
    >>> layer.build((3,), rng=np.random.default_rng(0))
    >>> layer.forward(np.array([[-1.0, 0.0, 2.0]])), layer.backward(np.ones((1, 3)))
    (array([[0., 0., 2.]]), array([[0., 0., 1.]]))
    """

    op = "relu"


class Sigmoid(Layer):
    """Not there yet."""


class Tanh(Layer):
    """Not there yet."""


class LeakyReLU(Layer):
    """Not there yet."""


class PReLU(Layer):
    """Not there yet."""


class ELU(Layer):
    """Not there yet."""


class Maxout(Layer):
    """Not there yet."""


class Softmax(Layer):
    """Not there yet."""
