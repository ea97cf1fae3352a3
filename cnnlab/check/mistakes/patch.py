"""Mistakes in one output of one filter: patch and kernel of the same shape."""

import numpy as np

from cnnlab.check.mistakes.base import mistake


@mistake(
    "patch_response",
    "The kernel is not used",
    "The sum runs over the patch alone. Each pixel is first multiplied by the weight at its place.",
)
def patch_sum(patch, kernel):
    return patch.sum()


@mistake(
    "patch_response",
    "The products are not summed",
    "The products are right, one per place. A dot product goes one step further.",
)
def patch_products(patch, kernel):
    return patch * kernel


@mistake(
    "patch_response",
    "Added up along one axis only",
    "The result still holds one number for each column. Python's own sum stops after the first "
    "axis of an array; the array's own method does not.",
)
def patch_column_sums(patch, kernel):
    return sum(patch * kernel)


@mistake(
    "patch_response",
    "The largest product instead of the sum",
    "That is closer to pooling. A dot product adds the products up.",
)
def patch_max(patch, kernel):
    return (patch * kernel).max()


@mistake(
    "patch_response",
    "A mean instead of a sum",
    "The result is right but for one constant factor: the number of places in the window.",
)
def patch_mean(patch, kernel):
    return (patch * kernel).mean()


@mistake(
    "patch_response",
    "A matrix product instead of products place by place",
    "The operator @ multiplies rows by columns. Here each pixel meets the one weight at its place.",
)
def patch_matmul(patch, kernel):
    return patch @ kernel


@mistake(
    "patch_response",
    "A matrix product instead of products place by place",
    "The operator @ multiplies rows by columns. Here each pixel meets the one weight at its place.",
)
def patch_matmul_sum(patch, kernel):
    return (patch @ kernel).sum()


@mistake(
    "patch_response",
    "The kernel is turned by 180°",
    "Place (0, 0) of the patch belongs to place (0, 0) of the kernel: nothing is flipped here.",
)
def patch_flipped(patch, kernel):
    return (patch * kernel[::-1, ::-1]).sum()


@mistake(
    "patch_response",
    "The kernel is transposed",
    "Rows of the patch belong to rows of the kernel. Is there a .T, or [j, i] for [i, j]?",
)
def patch_transposed(patch, kernel):
    return (patch * kernel.T).sum()


@mistake(
    "patch_response",
    "A matrix product instead of products place by place",
    "np.dot multiplies rows by columns. Here each pixel meets the one weight at its place.",
)
def patch_dot(patch, kernel):
    return np.dot(patch, kernel)


@mistake(
    "patch_response",
    "Pixels and weights are added, not multiplied",
    "Each pixel is multiplied by the weight at its place; only then comes the sum.",
)
def patch_plus_kernel(patch, kernel):
    return (patch + kernel).sum()
