"""Wrong versions that learners really write: a file for each family of operations."""

from cnnlab.check.mistakes import (  # noqa: F401 - they fill MISTAKES
    activations,
    affine_as_conv,
    alexnet,
    batch_norm,
    conv,
    conv_backward,
    convolve,
    data,
    dropout,
    equivariance,
    gates,
    gradcheck,
    initial,
    layers,
    local,
    loss,
    lrn,
    parameters,
    patch,
    pool,
    pool_backward,
    sizes,
    steps,
)
from cnnlab.check.mistakes.base import (
    MISTAKES,
    Mistake,
    SizesClash,
    Undecided,
    WrongNumbers,
    mistake,
)

__all__ = ["MISTAKES", "Mistake", "SizesClash", "Undecided", "WrongNumbers", "mistake"]
