"""Right answers as learners may write them: at least three different ones to each question.

Each file is for one page or assignment; RIGHT lists (question id, function).
"""

from answers import (
    a1_convolution,
    a2_variants_pooling,
    a3_backpropagation,
    a4_conv_backward,
    a5_signals,
    a6_training,
    a7_alexnet,
    s0_start,
)

RIGHT_ANSWERS = [
    *s0_start.RIGHT,
    *a1_convolution.RIGHT,
    *a2_variants_pooling.RIGHT,
    *a3_backpropagation.RIGHT,
    *a4_conv_backward.RIGHT,
    *a5_signals.RIGHT,
    *a6_training.RIGHT,
    *a7_alexnet.RIGHT,
]
