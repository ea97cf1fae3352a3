"""Right answers to assignment 2, each written in a way of its own."""

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from cnnlab import ops

# Locally connected


def local_six_loops(x, w, b, *, stride=1, pad=0):
    N, H, W, C = x.shape
    OH, OW, FH, FW, _, K = w.shape
    out = np.zeros((N, OH, OW, K))
    for n, i, j, k in np.ndindex(out.shape):
        out[n, i, j, k] = b[i, j, k]
        for u, v, c in np.ndindex(FH, FW, C):
            row, column = i * stride + u - pad, j * stride + v - pad
            if 0 <= row < H and 0 <= column < W:
                out[n, i, j, k] += x[n, row, column, c] * w[i, j, u, v, c, k]
    return out


def local_einsum(x, w, b, *, stride=1, pad=0):
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    windows = sliding_window_view(padded, w.shape[2:4], axis=(1, 2))[:, ::stride, ::stride]
    return np.einsum("nijcuv,ijuvck->nijk", windows, w) + b


def local_channels_first_in_float32(x, w, b, *, stride=1, pad=0):
    """The windows of one position are the rows of a matrix, its filters the columns."""
    x, w = x.astype(np.float32).transpose(3, 0, 1, 2), w.astype(np.float32)
    OH, OW, FH, FW, _, K = w.shape
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    rows = []
    for i in range(OH):
        for j in range(OW):
            window = padded[:, :, i * stride :, j * stride :][:, :, :FH, :FW]
            flat = window.transpose(1, 2, 3, 0).reshape(len(window[0]), -1)
            rows.append(flat @ w[i, j].reshape(-1, K) + b[i, j].astype(np.float32))
    return np.stack(rows, axis=1).reshape(-1, OH, OW, K)


# Tiled


def tiled_one_convolution_for_each_set(x, w, b, *, stride=1, pad=0):
    TH, TW = w.shape[:2]
    first = ops.conv_forward(x, w[0, 0], b[0, 0], stride=stride, pad=pad)[0]
    out = np.empty_like(first)
    for p, q in np.ndindex(TH, TW):
        whole = ops.conv_forward(x, w[p, q], b[p, q], stride=stride, pad=pad)[0]
        out[:, p::TH, q::TW] = whole[:, p::TH, q::TW]
    return out


def _laid(array, x, w, stride, pad):
    (_, H, W, _), (TH, TW, FH, FW) = x.shape, w.shape[:4]
    rows, columns = (
        np.arange((size - F + 2 * pad) // stride + 1) % T
        for size, F, T in ((H, FH, TH), (W, FW, TW))
    )
    return array[rows[:, None], columns]


def tiled_as_locally_connected(x, w, b, *, stride=1, pad=0):
    """The tile is laid out over all positions."""
    filters, biases = (_laid(array, x, w, stride, pad) for array in (w, b))
    return local_einsum(x, filters, biases, stride=stride, pad=pad)


def tiled_by_loops_in_float32(x, w, b, *, stride=1, pad=0):
    filters, biases = (_laid(array, x, w, stride, pad) for array in (w, b))
    return local_channels_first_in_float32(x, filters, biases, stride=stride, pad=pad)


# Fully connected


def filters_by_loops(w, shape):
    H, W, C = shape
    filters = np.zeros((H, W, C, w.shape[1]))
    for h in range(H):
        for column in range(W):
            for c in range(C):
                filters[h, column, c] = w[(h * W + column) * C + c]
    return filters


def filters_one_by_one(w, shape):
    return np.stack([unit.reshape(shape) for unit in w.T], axis=-1)


def filters_by_their_indices_in_float32(w, shape):
    return w.astype(np.float32)[np.arange(len(w)).reshape(shape)]


# Counting


def counts_by_shapes(size_in, size_out, kernel_size, tile):
    (OH, OW, K), (H, W, C), (FH, FW), (TH, TW) = size_out, size_in, kernel_size, tile
    layers = [
        [(H * W * C, OH * OW * K), (OH * OW * K,)],
        [(OH, OW, FH, FW, C, K), (OH, OW, K)],
        [(TH, TW, FH, FW, C, K), (TH, TW, K)],
        [(FH, FW, C, K), (K,)],
    ]
    return [sum(math.prod(array) for array in layer) for layer in layers]


def counts_by_units(size_in, size_out, kernel_size, tile):
    positions, K = size_out[0] * size_out[1], size_out[2]
    seen = kernel_size[0] * kernel_size[1] * size_in[2]
    conv = K * (seen + 1)
    dense = positions * K * (size_in[0] * size_in[1] * size_in[2] + 1)
    return dense, positions * conv, tile[0] * tile[1] * conv, conv


def counts_by_numpy(size_in, size_out, kernel_size, tile):
    K, C = size_out[-1], size_in[-1]
    sets = np.array([size_out[0] * size_out[1], np.prod(tile), 1])
    filters = sets * np.prod(kernel_size) * C * K + sets * K
    return np.prod(size_in) * np.prod(size_out) + np.prod(size_out), *filters


# Pooling


def max_searched(x, *, kernel_size, stride):
    N, H, W, C = x.shape
    FH, FW = kernel_size
    out = np.full((N, (H - FH) // stride + 1, (W - FW) // stride + 1, C), -np.inf)
    for n, i, j, c in np.ndindex(out.shape):
        for u in range(FH):
            for v in range(FW):
                pixel = x[n, i * stride + u, j * stride + v, c]
                if pixel > out[n, i, j, c]:
                    out[n, i, j, c] = pixel
    return out


def max_of_windows(x, *, kernel_size, stride):
    windows = sliding_window_view(x, kernel_size, axis=(1, 2))[:, ::stride, ::stride]
    return windows.max(axis=(4, 5))


def max_of_places_in_float32(x, *, kernel_size, stride):
    """Channels first, and the larger one of two places at a time."""
    (FH, FW), S, x = kernel_size, stride, x.astype(np.float32).transpose(0, 3, 1, 2)
    OH, OW = (x.shape[2] - FH) // S + 1, (x.shape[3] - FW) // S + 1
    out = np.full((*x.shape[:2], OH, OW), -np.inf, np.float32)
    for u in range(FH):
        for v in range(FW):
            out = np.maximum(out, x[:, :, u : u + S * OH : S, v : v + S * OW : S])
    return out.transpose(0, 2, 3, 1)


def max_rows_then_columns(x, *, kernel_size, stride):
    rows = sliding_window_view(x, kernel_size[0], axis=1)[:, ::stride].max(axis=-1)
    return sliding_window_view(rows, kernel_size[1], axis=2)[:, :, ::stride].max(axis=-1)


def avg_added_up(x, *, kernel_size, stride):
    N, H, W, C = x.shape
    FH, FW = kernel_size
    out = np.zeros((N, (H - FH) // stride + 1, (W - FW) // stride + 1, C))
    for n, i, j, c in np.ndindex(out.shape):
        for u in range(FH):
            for v in range(FW):
                out[n, i, j, c] += x[n, i * stride + u, j * stride + v, c] / (FH * FW)
    return out


def avg_of_windows(x, *, kernel_size, stride):
    return sliding_window_view(x, kernel_size, axis=(1, 2))[:, ::stride, ::stride].mean((-2, -1))


def avg_as_a_convolution_in_float32(x, *, kernel_size, stride):
    """A filter for each channel that sees this channel only, with equal weights."""
    C = x.shape[3]
    w = np.broadcast_to(np.eye(C) / math.prod(kernel_size), (*kernel_size, C, C))
    return ops.conv_forward(x.astype(np.float32), w, np.zeros(C), stride=stride)[0]


# Where a layer follows a shift


def follows_by_padding(layer, image, rows, columns):
    H, W = image.shape
    moved, out = (np.pad(a, ((rows, 0), (columns, 0)))[:H, :W] for a in (image, layer(image)))
    return layer(moved) == out


def follows_by_rolling(layer, image, rows, columns):
    def moved(a):
        a = np.roll(a, (rows, columns), axis=(0, 1))
        a[:rows], a[:, :columns] = 0, 0
        return a

    return np.abs(layer(moved(image)) - moved(layer(image))) < 1e-9


def follows_in_loops_and_float32(layer, image, rows, columns):
    def moved(a):
        new = np.zeros_like(a, dtype=np.float32)
        for i in range(rows, len(a)):
            for j in range(columns, len(a[0])):
                new[i, j] = a[i - rows, j - columns]
        return new

    first, last = layer(moved(image)), moved(layer(image))
    return np.isclose(first, last, rtol=1e-4, atol=1e-5)


RIGHT = [
    ("a2.local_forward", local_six_loops),
    ("a2.local_forward", local_einsum),
    ("a2.local_forward", local_channels_first_in_float32),
    ("a2.tiled_forward", tiled_one_convolution_for_each_set),
    ("a2.tiled_forward", tiled_as_locally_connected),
    ("a2.tiled_forward", tiled_by_loops_in_float32),
    ("a2.equivariance", follows_by_padding),
    ("a2.equivariance", follows_by_rolling),
    ("a2.equivariance", follows_in_loops_and_float32),
    ("a2.affine_as_conv", filters_by_loops),
    ("a2.affine_as_conv", filters_one_by_one),
    ("a2.affine_as_conv", filters_by_their_indices_in_float32),
    ("a2.parameter_counts", counts_by_shapes),
    ("a2.parameter_counts", counts_by_units),
    ("a2.parameter_counts", counts_by_numpy),
    ("a2.max_pool_forward", max_searched),
    ("a2.max_pool_forward", max_of_windows),
    ("a2.max_pool_forward", max_of_places_in_float32),
    ("a2.avg_pool_forward", avg_added_up),
    ("a2.avg_pool_forward", avg_of_windows),
    ("a2.avg_pool_forward", avg_as_a_convolution_in_float32),
    ("a2.max_pool_fast", max_of_windows),
    ("a2.max_pool_fast", max_of_places_in_float32),
    ("a2.max_pool_fast", max_rows_then_columns),
]
