"""Dropout."""

from cnnlab.layers.base import Layer


class Dropout(Layer):
    """Not there yet."""
