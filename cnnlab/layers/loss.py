"""Losses and penalties, as objects."""

from cnnlab.layers.base import Layer


class Loss(Layer):
    """Not there yet."""


class SoftmaxLoss(Layer):
    """Not there yet."""


class HingeLoss(Layer):
    """Not there yet."""


class L2(Layer):
    """Not there yet."""
