"""Right answers as learners may write them: at least three different ones to each question.

Each file is for one page or assignment; RIGHT lists (question id, function).
"""

from answers import a1_convolution, a4_conv_backward, a7_alexnet, s0_start

RIGHT_ANSWERS = [
    *s0_start.RIGHT,
    *a1_convolution.RIGHT,
    *a4_conv_backward.RIGHT,
    *a7_alexnet.RIGHT,
]
