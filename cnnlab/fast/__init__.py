"""The same operations, fast: other algorithms behind the same signatures, and threads.

`fast.ops` is the table of operations that networks use by default. Each entry that differs from
`ops.reference`, the plain functions that the pages show, is held equal to it by tests.

>>> from dataclasses import replace
>>> from cnnlab.ops import Op, reference
>>> from cnnlab.fast import ops
>>> [name for name in vars(ops) if getattr(ops, name) != getattr(reference, name)]
['conv', 'max_pool', 'avg_pool', 'affine', 'tanh', 'relu', 'lrn']

Whoever wants exactly one algorithm of convolution, or the plain functions, makes a table of that:

>>> from functools import partial
>>> gemm = replace(ops.conv, forward=partial(conv_forward, algorithm="gemm"))
>>> exact, plain = replace(ops, conv=gemm), reference
"""

from dataclasses import replace

from cnnlab.fast.activations import relu_backward, relu_forward, tanh_backward, tanh_forward
from cnnlab.fast.affine import affine_backward, affine_backward_params, affine_forward
from cnnlab.fast.conv import (
    ALGORITHMS,
    choose,
    conv_backward,
    conv_backward_params,
    conv_forward,
)
from cnnlab.fast.memory import release
from cnnlab.fast.norm import lrn_backward, lrn_forward
from cnnlab.fast.pool import (
    avg_pool_backward,
    avg_pool_forward,
    max_pool_backward,
    max_pool_forward,
)
from cnnlab.fast.sharing import joined, set_threads, share_out, shares, summed, threads
from cnnlab.ops import Op, Ops, reference

__all__ = [
    "ALGORITHMS",
    "affine_backward",
    "affine_backward_params",
    "affine_forward",
    "avg_pool_backward",
    "avg_pool_forward",
    "choose",
    "conv_backward",
    "conv_backward_params",
    "conv_forward",
    "is_by_image",
    "joined",
    "lrn_backward",
    "lrn_forward",
    "max_pool_backward",
    "max_pool_forward",
    "ops",
    "release",
    "relu_backward",
    "relu_forward",
    "set_threads",
    "share_out",
    "shares",
    "summed",
    "tanh_backward",
    "tanh_forward",
    "threads",
]

ops = replace(
    reference,
    conv=Op(conv_forward, conv_backward, conv_backward_params),
    max_pool=Op(max_pool_forward, max_pool_backward),
    avg_pool=Op(avg_pool_forward, avg_pool_backward),
    affine=Op(affine_forward, affine_backward, affine_backward_params),
    tanh=Op(tanh_forward, tanh_backward),
    relu=Op(relu_forward, relu_backward),
    lrn=Op(lrn_forward, lrn_backward),
)

# What does with every image the same, whatever else is in the batch. Not so: batch normalization,
# and dropout, which draws for the whole batch; softmax and losses come last and are small.
_BY_IMAGE = frozenset(
    [
        "conv",
        "local",
        "tiled",
        "max_pool",
        "avg_pool",
        "flatten",
        "affine",
        "sigmoid",
        "tanh",
        "relu",
        "leaky_relu",
        "prelu",
        "elu",
        "maxout",
        "lrn",
    ]
)


def is_by_image(name: str, of: Ops) -> bool:
    """Whether an operation treats each image of a batch by itself, and threads may share it.

    Of the functions of this table that is known; not of any that took the place of one.

    Examples
    --------
    >>> is_by_image("conv", ops), is_by_image("conv", reference), is_by_image("dropout", ops)
    (True, False, False)
    """
    return name in _BY_IMAGE and getattr(of, name) == getattr(ops, name)
