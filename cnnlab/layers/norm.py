"""Layers that normalize."""

from cnnlab.layers.base import Layer


class BatchNorm(Layer):
    """Not there yet."""


class LRN(Layer):
    """Not there yet."""
