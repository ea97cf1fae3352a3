"""The mathematics, as pure pairs: `forward(x, …) → (out, cache)` and `backward(dout, cache)`.

`reference` is the table through which layers reach these functions. Replace an
entry and a network runs on yours:

>>> from dataclasses import replace
>>> mine = replace(reference, relu=Op(relu_forward, relu_backward))
>>> mine == reference
True
"""

from collections.abc import Callable
from dataclasses import dataclass

from cnnlab.ops.activations import relu_backward, relu_forward
from cnnlab.ops.affine import affine_backward, affine_forward
from cnnlab.ops.conv import conv_backward, conv_forward
from cnnlab.ops.loss import softmax, softmax_loss_backward, softmax_loss_forward
from cnnlab.ops.pool import max_pool_backward, max_pool_forward

__all__ = [
    "Op",
    "Ops",
    "affine_backward",
    "affine_forward",
    "conv_backward",
    "conv_forward",
    "max_pool_backward",
    "max_pool_forward",
    "reference",
    "relu_backward",
    "relu_forward",
    "softmax",
    "softmax_loss_backward",
    "softmax_loss_forward",
]


@dataclass(frozen=True)
class Op:
    """A forward function and the backward function that belongs to it."""

    forward: Callable
    backward: Callable


@dataclass(frozen=True)
class Ops:
    """One Op for each operation that layers use."""

    conv: Op
    max_pool: Op
    affine: Op
    relu: Op
    softmax_loss: Op


reference = Ops(
    conv=Op(conv_forward, conv_backward),
    max_pool=Op(max_pool_forward, max_pool_backward),
    affine=Op(affine_forward, affine_backward),
    relu=Op(relu_forward, relu_backward),
    softmax_loss=Op(softmax_loss_forward, softmax_loss_backward),
)
