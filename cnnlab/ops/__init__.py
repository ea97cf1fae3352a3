"""The mathematics, as pure pairs: `forward(x, …) → (out, cache)` and `backward(dout, cache)`.

A pair changes nothing that it is given. A cache may hold the inputs and the output themselves, not
copies of them: leave them as they are until `backward` has been called.

`reference` is the table through which layers reach these functions. Replace an
entry and a network runs on yours:

>>> from dataclasses import replace
>>> mine = replace(reference, relu=Op(relu_forward, relu_backward))
>>> mine == reference
True
"""

from collections.abc import Callable
from dataclasses import dataclass

from cnnlab.ops.activations import (
    elu_backward,
    elu_forward,
    leaky_relu_backward,
    leaky_relu_forward,
    maxout_backward,
    maxout_forward,
    prelu_backward,
    prelu_forward,
    relu_backward,
    relu_forward,
    sigmoid_backward,
    sigmoid_forward,
    softmax_backward,
    softmax_forward,
    tanh_backward,
    tanh_forward,
)
from cnnlab.ops.affine import affine_backward, affine_forward, flatten_backward, flatten_forward
from cnnlab.ops.conv import conv_backward, conv_forward
from cnnlab.ops.dropout import dropout_backward, dropout_forward
from cnnlab.ops.local import local_backward, local_forward, tiled_backward, tiled_forward
from cnnlab.ops.loss import (
    hinge_loss_backward,
    hinge_loss_forward,
    l2_backward,
    l2_forward,
    softmax_loss_backward,
    softmax_loss_forward,
)
from cnnlab.ops.norm import (
    batch_norm_backward,
    batch_norm_forward,
    lrn_backward,
    lrn_forward,
    running_statistics,
)
from cnnlab.ops.pool import avg_pool_backward, avg_pool_forward, max_pool_backward, max_pool_forward

__all__ = [
    "Op",
    "Ops",
    "affine_backward",
    "affine_forward",
    "avg_pool_backward",
    "avg_pool_forward",
    "batch_norm_backward",
    "batch_norm_forward",
    "conv_backward",
    "conv_forward",
    "dropout_backward",
    "dropout_forward",
    "elu_backward",
    "elu_forward",
    "flatten_backward",
    "flatten_forward",
    "hinge_loss_backward",
    "hinge_loss_forward",
    "l2_backward",
    "l2_forward",
    "leaky_relu_backward",
    "leaky_relu_forward",
    "local_backward",
    "local_forward",
    "lrn_backward",
    "lrn_forward",
    "max_pool_backward",
    "max_pool_forward",
    "maxout_backward",
    "maxout_forward",
    "prelu_backward",
    "prelu_forward",
    "reference",
    "relu_backward",
    "relu_forward",
    "running_statistics",
    "sigmoid_backward",
    "sigmoid_forward",
    "softmax_backward",
    "softmax_forward",
    "softmax_loss_backward",
    "softmax_loss_forward",
    "tanh_backward",
    "tanh_forward",
    "tiled_backward",
    "tiled_forward",
]


@dataclass(frozen=True)
class Op:
    """A forward function and the backward function that belongs to it.

    `backward_params`, if there is one, gives what `backward` gives without the gradient of x. It
    is for the first layer of a network, whose input nobody trains.
    """

    forward: Callable
    backward: Callable
    backward_params: Callable | None = None


@dataclass(frozen=True)
class Ops:
    """One Op for each operation that layers use."""

    conv: Op
    local: Op
    tiled: Op
    max_pool: Op
    avg_pool: Op
    flatten: Op
    affine: Op
    sigmoid: Op
    tanh: Op
    relu: Op
    leaky_relu: Op
    prelu: Op
    elu: Op
    maxout: Op
    softmax: Op
    batch_norm: Op
    lrn: Op
    dropout: Op
    softmax_loss: Op
    hinge_loss: Op
    l2: Op


reference = Ops(
    conv=Op(conv_forward, conv_backward),
    local=Op(local_forward, local_backward),
    tiled=Op(tiled_forward, tiled_backward),
    max_pool=Op(max_pool_forward, max_pool_backward),
    avg_pool=Op(avg_pool_forward, avg_pool_backward),
    flatten=Op(flatten_forward, flatten_backward),
    affine=Op(affine_forward, affine_backward),
    sigmoid=Op(sigmoid_forward, sigmoid_backward),
    tanh=Op(tanh_forward, tanh_backward),
    relu=Op(relu_forward, relu_backward),
    leaky_relu=Op(leaky_relu_forward, leaky_relu_backward),
    prelu=Op(prelu_forward, prelu_backward),
    elu=Op(elu_forward, elu_backward),
    maxout=Op(maxout_forward, maxout_backward),
    softmax=Op(softmax_forward, softmax_backward),
    batch_norm=Op(batch_norm_forward, batch_norm_backward),
    lrn=Op(lrn_forward, lrn_backward),
    dropout=Op(dropout_forward, dropout_backward),
    softmax_loss=Op(softmax_loss_forward, softmax_loss_backward),
    hinge_loss=Op(hinge_loss_forward, hinge_loss_backward),
    l2=Op(l2_forward, l2_backward),
)
