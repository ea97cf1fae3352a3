"""Right answers to assignment 1, each written in a way of its own."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from cnnlab import ops


def conv_loops(x, w, b, *, stride=1, pad=0):
    N, H, W, _ = x.shape
    FH, FW, _, K = w.shape
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    OH, OW = (H - FH + 2 * pad) // stride + 1, (W - FW + 2 * pad) // stride + 1
    out = np.empty((N, OH, OW, K))
    for i in range(OH):
        for j in range(OW):
            window = padded[:, i * stride : i * stride + FH, j * stride : j * stride + FW]
            out[:, i, j] = np.tensordot(window, w, 3) + b
    return out


def conv_einsum(x, w, b, *, stride=1, pad=0):
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    windows = sliding_window_view(padded, w.shape[:2], axis=(1, 2))[:, ::stride, ::stride]
    return np.einsum("nijcuv,uvck->nijk", windows, w) + b


def conv_channels_first_in_float32(x, w, b, *, stride=1, pad=0):
    x, w = x.astype(np.float32).transpose(0, 3, 1, 2), w.astype(np.float32).transpose(3, 2, 0, 1)
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    windows = sliding_window_view(padded, w.shape[2:], axis=(2, 3))[:, :, ::stride, ::stride]
    out = np.tensordot(windows, w, ((1, 4, 5), (1, 2, 3)))
    return out + b.astype(np.float32)


def conv_over_places(x, w, b, *, stride=1, pad=0):
    """A loop over the few places of the window, not over the many positions."""
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    OH = (x.shape[1] - w.shape[0] + 2 * pad) // stride + 1
    OW = (x.shape[2] - w.shape[1] + 2 * pad) // stride + 1
    out = np.zeros((len(x), OH, OW, w.shape[3])) + b
    for u in range(w.shape[0]):
        for v in range(w.shape[1]):
            seen = padded[:, u : u + stride * OH : stride, v : v + stride * OW : stride]
            out += seen @ w[u, v]
    return out


def size_by_counting(size, kernel_size, *, stride=1, pad=0):
    starts = range(0, size + 2 * pad - kernel_size + 1, stride)
    if not starts or starts[-1] + kernel_size != size + 2 * pad:
        raise ValueError("does not fit")
    return len(starts)


def size_by_divmod(size, kernel_size, *, stride=1, pad=0):
    whole, rest = divmod(size - kernel_size + 2 * pad, stride)
    if rest or whole < 0:
        raise ValueError(f"{rest} pixels left over")
    return np.int64(whole + 1)


def convolve_by_stars(image, kernel):
    """Each pixel is a star that draws the kernel."""
    (H, W), (FH, FW) = image.shape, kernel.shape
    out = np.zeros((H + FH - 1, W + FW - 1))
    for i in range(H):
        for j in range(W):
            out[i : i + FH, j : j + FW] += image[i, j] * kernel
    return out


def convolve_by_windows(image, kernel):
    FH, FW = kernel.shape
    padded = np.pad(image, ((FH - 1, FH - 1), (FW - 1, FW - 1)))
    windows = sliding_window_view(padded, (FH, FW))
    return np.einsum("ijuv,uv->ij", windows, kernel[::-1, ::-1])


def convolve_by_places_in_float32(image, kernel):
    """The other way around: each place of the kernel draws the image."""
    return convolve_by_stars(kernel.astype(np.float32), image.astype(np.float32))


def convolve_row_by_row(image, kernel):
    out = np.zeros((len(image) + len(kernel) - 1, image.shape[1] + kernel.shape[1] - 1))
    for i, row in enumerate(image):
        for u, weights in enumerate(kernel):
            out[i + u] += np.convolve(row, weights)
    return out


RIGHT = [
    ("a1.output_size", size_by_counting),
    ("a1.output_size", size_by_divmod),
    ("a1.conv_loops", conv_loops),
    ("a1.conv_loops", conv_einsum),
    ("a1.conv_loops", conv_channels_first_in_float32),
    ("a1.conv_forward", lambda *args, **options: (conv_over_places(*args, **options), None)),
    ("a1.conv_forward", lambda *args, **options: (conv_einsum(*args, **options), args)),
    ("a1.conv_forward", ops.conv_forward),
    ("a1.convolve", convolve_by_stars),
    ("a1.convolve", convolve_by_windows),
    ("a1.convolve", convolve_by_places_in_float32),
    ("a1.convolve", convolve_row_by_row),
]
