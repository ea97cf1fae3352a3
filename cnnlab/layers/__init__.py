"""Layers: thin objects that hold parameters, gradients, options and one cache.

The mathematics is in `cnnlab.ops`; a layer reaches it through a table of operations, so
that a function you wrote can stand in for ours.
"""

from cnnlab.layers.activations import (
    ELU,
    LeakyReLU,
    Maxout,
    PReLU,
    ReLU,
    Sigmoid,
    Softmax,
    Tanh,
)
from cnnlab.layers.affine import Affine, Flatten
from cnnlab.layers.base import Layer, Shape
from cnnlab.layers.conv import Conv, LocallyConnected, TiledConv
from cnnlab.layers.dropout import Dropout
from cnnlab.layers.loss import L2, HingeLoss, Loss, SoftmaxLoss
from cnnlab.layers.norm import LRN, BatchNorm
from cnnlab.layers.pool import AvgPool, GlobalAvgPool, GlobalMaxPool, MaxPool

__all__ = [
    "ELU",
    "L2",
    "LRN",
    "Affine",
    "AvgPool",
    "BatchNorm",
    "Conv",
    "Dropout",
    "Flatten",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "HingeLoss",
    "Layer",
    "LeakyReLU",
    "LocallyConnected",
    "Loss",
    "MaxPool",
    "Maxout",
    "PReLU",
    "ReLU",
    "Shape",
    "Sigmoid",
    "Softmax",
    "SoftmaxLoss",
    "Tanh",
    "TiledConv",
]
