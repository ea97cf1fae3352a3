"""Mistakes in the convolution of mathematics, with the flip, over all places that touch."""

import numpy as np

from cnnlab.check.mistakes.base import mistake


def _spread(image, kernel, *, size=None, add=True, read=None):
    """Each pixel puts a copy of the kernel where it stands, as in loops."""
    (H, W), (FH, FW) = image.shape, kernel.shape
    out = np.zeros(size or (H + FH - 1, W + FW - 1))
    for i, j, u, v in np.ndindex(H, W, FH, FW):
        product = image[i, j] * (kernel[read(u, v)] if read else kernel[u, v])
        out[i + u, j + v] = product + (out[i + u, j + v] if add else 0)
    return out


def _pad(image, kernel, less=1):
    FH, FW = kernel.shape
    return np.pad(image, ((FH - less, FH - less), (FW - less, FW - less)))


def _slide(padded, kernel):
    """The windows that fit, each multiplied with the kernel as it is."""
    (H, W), (FH, FW) = padded.shape, kernel.shape
    out = np.zeros((max(H - FH + 1, 0), max(W - FW + 1, 0)))
    for i, j in np.ndindex(out.shape):
        out[i, j] = (padded[i : i + FH, j : j + FW] * kernel).sum()
    return out


NO_FLIP = "The kernel ends up the wrong way round"
STAR = (
    "Around the single star the kernel has to stand upright. Do you slide a window? Then turn the "
    "kernel. Do you hand out? Then do not."
)


@mistake("convolve", NO_FLIP, STAR)
def convolve_correlate(image, kernel):
    return _slide(_pad(image, kernel), kernel)


HALF = "The kernel is turned along one axis only"
BOTH = "Half a turn swaps top and bottom, and left and right."


@mistake("convolve", HALF, BOTH)
def convolve_rows_turned(image, kernel):
    return _slide(_pad(image, kernel), kernel[::-1])


@mistake("convolve", HALF, BOTH)
def convolve_columns_turned(image, kernel):
    return _slide(_pad(image, kernel), kernel[:, ::-1])


@mistake(
    "convolve",
    "Rows and columns of the kernel are swapped",
    "kernel[u, v] lands u rows down and v columns to the right.",
)
def convolve_transposed(image, kernel):
    return _spread(image, kernel, read=lambda u, v: (v, u))


@mistake(
    "convolve",
    "Rows and columns of the kernel are swapped",
    "kernel[u, v] lands u rows down and v columns to the right.",
)
def convolve_transposed_kernel(image, kernel):
    return _spread(image, kernel.T)


def _draw(image, kernel, size):
    """The same with slices: an error where the kernel hangs over the edge."""
    (H, W), (FH, FW), out = image.shape, kernel.shape, np.zeros(size)
    for i, j in np.ndindex(H, W):
        out[i : i + FH, j : j + FW] += image[i, j] * kernel
    return out


INSIDE = "Only the places where the kernel fits are there"
ALL = "Here all places count where kernel and image touch at all: the result is larger than both."


@mistake("convolve", INSIDE, ALL)
def convolve_valid(image, kernel):
    return _slide(image, kernel[::-1, ::-1])


@mistake("convolve", INSIDE, ALL)
def convolve_drawn_inside(image, kernel):
    (H, W), (FH, FW) = image.shape, kernel.shape
    return _draw(image, kernel, (H - FH + 1, W - FW + 1))


@mistake("convolve", INSIDE, f"{ALL} Nor is the kernel turned.")
def convolve_valid_unturned(image, kernel):
    return _slide(image, kernel)


CUT = "The result is cut to the size of the image"


@mistake("convolve", CUT, ALL)
def convolve_cut(image, kernel):
    return _spread(image, kernel)[: image.shape[0], : image.shape[1]]


@mistake("convolve", CUT, ALL)
def convolve_same(image, kernel):
    (H, W), (top, left) = image.shape, ((F - 1) // 2 for F in kernel.shape)
    return _spread(image, kernel)[top : top + H, left : left + W]


@mistake("convolve", CUT, ALL)
def convolve_without_room(image, kernel):
    return _spread(image, kernel, size=image.shape)


@mistake("convolve", CUT, ALL)
def convolve_drawn_without_room(image, kernel):
    return _draw(image, kernel, image.shape)


@mistake(
    "convolve",
    "What hangs over the edge comes in on the other side",
    "Nothing wraps around: the result is larger than the image, so that all of it has room.",
)
def convolve_circular(image, kernel):
    (H, W), out = image.shape, np.zeros(image.shape)
    for i, j, u, v in np.ndindex(*image.shape, *kernel.shape):
        out[(i + u) % H, (j + v) % W] += image[i, j] * kernel[u, v]
    return out


@mistake(
    "convolve",
    "Each product replaces the one before it",
    "Where two copies overlap, both count (a dark pixel hands out zeros, too): = or +=?",
)
def convolve_replaced(image, kernel):
    return _spread(image, kernel, add=False)


RING = "There are too many zeros around the result"
LAST_PLACE = "At the outermost place kernel and image still share one pixel. How large is that?"


@mistake("convolve", RING, LAST_PLACE)
def convolve_one_ring_more(image, kernel):
    return _slide(_pad(image, kernel, less=0), kernel[::-1, ::-1])


@mistake("convolve", RING, LAST_PLACE)
def convolve_one_row_more(image, kernel):
    return np.pad(_spread(image, kernel), ((0, 1), (0, 1)))


@mistake("convolve", "There are too many zeros around the image", LAST_PLACE)
def convolve_padded_too_far(image, kernel):
    (H, W), (FH, FW) = image.shape, kernel.shape
    return convolve_one_ring_more(image, kernel)[: H + FH - 1, : W + FW - 1]


NOT_ENOUGH = "Not enough zeros around the image"
HANGS_OVER = (
    "The outermost place shares one pixel with the kernel: how far does the kernel hang over?"
)


def _half_padded(image, kernel):
    FH, FW = kernel.shape
    return np.pad(image, ((FH // 2, FH // 2), (FW // 2, FW // 2)))


@mistake("convolve", NOT_ENOUGH, HANGS_OVER)
def convolve_half_padded(image, kernel):
    return _slide(_half_padded(image, kernel), kernel[::-1, ::-1])


@mistake("convolve", NOT_ENOUGH, HANGS_OVER)
def convolve_half_padded_in_full_size(image, kernel):
    (H, W), (FH, FW), padded = image.shape, kernel.shape, _half_padded(image, kernel)
    out = np.zeros((H + FH - 1, W + FW - 1))
    for i, j in np.ndindex(out.shape):
        out[i, j] = (padded[i : i + FH, j : j + FW] * kernel[::-1, ::-1]).sum()
    return out


@mistake(
    "convolve",
    "Height and width of the kernel are swapped",
    "The result has H + FH − 1 rows and W + FW − 1 columns.",
)
def convolve_size_swapped(image, kernel):
    (H, W), (FH, FW) = image.shape, kernel.shape
    return _spread(image, kernel, size=(H + FW - 1, W + FH - 1))


@mistake(
    "convolve",
    "The kernel does not count",
    "A pixel hands out the kernel times its brightness.",
)
def convolve_without_kernel(image, kernel):
    return _spread(image, np.ones_like(kernel))


@mistake(
    "convolve",
    "The brightness of the pixels does not count",
    "A pixel hands out the kernel times its brightness.",
)
def convolve_without_image(image, kernel):
    return _spread(np.ones_like(image), kernel)


@mistake(
    "convolve",
    "A mean instead of a sum",
    "What lands in one place is added up; nothing is divided.",
)
def convolve_mean(image, kernel):
    return _spread(image, kernel / kernel.size)


@mistake(
    "convolve",
    "The result holds whole numbers only",
    "What stands behind the decimal point is cut off when a number is put into an array of ints.",
)
def convolve_truncated(image, kernel):
    return _spread(image, kernel).astype(int)
