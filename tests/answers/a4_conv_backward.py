"""Right answers to assignment 4, each written in a way of its own."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

# Average pooling


def avg_pixel_by_pixel(dout, cache):
    """Asked from the other side: which windows see this pixel?"""
    x, (FH, FW), stride = cache
    dx = np.zeros_like(x)
    _, OH, OW, _ = dout.shape
    for row in range(x.shape[1]):
        for column in range(x.shape[2]):
            for i in range(OH):
                for j in range(OW):
                    if 0 <= row - i * stride < FH and 0 <= column - j * stride < FW:
                        dx[:, row, column] += dout[:, i, j] * (1 / (FH * FW))
    return dx


def avg_over_places(dout, cache):
    x, (FH, FW), S = cache
    _, OH, OW, _ = dout.shape
    dx = np.zeros(x.shape)
    for u in range(FH):
        for v in range(FW):
            dx[:, u : u + S * OH : S, v : v + S * OW : S] += dout / FH / FW
    return dx


def avg_by_matrices_in_float32(dout, cache):
    """Row by row and column by column: pooling is a matrix on either side of the image."""
    x, (FH, FW), stride = cache
    _, H, W, _ = x.shape
    rows, columns = (_band(*size, stride) for size in ((H, FH), (W, FW)))
    dx = np.einsum("ih,nijc,jw->nhwc", rows, dout.astype(np.float32), columns)
    return dx / np.float32(FH * FW)


def _band(size, window, stride):
    """1 where output i sees pixel h."""
    steps = np.arange(size) - stride * np.arange((size - window) // stride + 1)[:, None]
    return ((steps >= 0) & (steps < window)).astype(np.float32)


# Max pooling


def max_four_loops(dout, cache):
    x, (FH, FW), stride = cache
    dx = np.zeros_like(x)
    for n, i, j, c in np.ndindex(dout.shape):
        best, winner = -np.inf, None
        for row in range(i * stride, i * stride + FH):
            for column in range(j * stride, j * stride + FW):
                if x[n, row, column, c] > best:
                    best, winner = x[n, row, column, c], (n, row, column, c)
        dx[winner] += dout[n, i, j, c]
    return dx


def max_add_at(dout, cache):
    x, (FH, FW), stride = cache
    windows = sliding_window_view(x, (FH, FW), axis=(1, 2))[:, ::stride, ::stride]
    u, v = np.divmod(windows.reshape(*dout.shape, FH * FW).argmax(axis=-1), FW)
    n, i, j, c = np.indices(dout.shape)
    dx = np.zeros(x.shape)
    np.add.at(dx, (n, i * stride + u, j * stride + v, c), dout)
    return dx


def max_over_places_in_float32(dout, cache):
    """Channels first, and the first place that holds the maximum takes it from the others."""
    x, (FH, FW), S = cache
    x, left = x.transpose(0, 3, 1, 2), dout.transpose(0, 3, 1, 2).astype(np.float32)
    _, _, OH, OW = left.shape
    views = [
        (..., slice(u, u + S * OH, S), slice(v, v + S * OW, S))
        for u in range(FH)
        for v in range(FW)
    ]
    largest = np.max([x[view] for view in views], axis=0)
    dx = np.zeros(x.shape, np.float32)
    for view in views:
        won = x[view] == largest
        dx[view] += left * won
        left = left * ~won
    return dx.transpose(0, 2, 3, 1)


# The parameters of a convolution


def params_in_four_loops(dout, cache):
    x, w, b, stride, pad = cache
    FH, FW, _, _ = w.shape
    x = np.pad(x, [(0, 0), (pad, pad), (pad, pad), (0, 0)])
    dw, db = np.zeros_like(w), np.zeros_like(b)
    for n, i, j, k in np.ndindex(dout.shape):
        top, left = i * stride, j * stride
        dw[:, :, :, k] += x[n, top : top + FH, left : left + FW] * dout[n, i, j, k]
        db[k] += dout[n, i, j, k]
    return dw, db


def params_by_einsum(dout, cache):
    x, w, _, stride, pad = cache
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    windows = sliding_window_view(padded, w.shape[:2], axis=(1, 2))[:, ::stride, ::stride]
    return np.einsum("nijcuv,nijk->uvck", windows, dout), np.einsum("nijk->k", dout)


def params_as_a_list_in_float32(dout, cache):
    """The filter's gradient one place at a time, channels first, one matrix product each."""
    x, w, _, S, pad = cache
    FH, FW, C, K = w.shape
    _, OH, OW, _ = dout.shape
    x = np.pad(x.astype(np.float32).transpose(3, 0, 1, 2), ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    flat = dout.astype(np.float32).reshape(-1, K)
    places = [
        x[:, :, u : u + S * OH : S, v : v + S * OW : S].reshape(C, -1) @ flat
        for u in range(FH)
        for v in range(FW)
    ]
    return [np.reshape(places, (FH, FW, C, K)), flat.sum(axis=0)]


# Everything


def all_in_four_loops(dout, cache):
    x, w, _, stride, pad = cache
    (_, H, W, _), (FH, FW, _, _) = x.shape, w.shape
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    dpadded = np.zeros(padded.shape)
    for n, i, j, k in np.ndindex(dout.shape):
        rows = slice(i * stride, i * stride + FH)
        columns = slice(j * stride, j * stride + FW)
        dpadded[n, rows, columns] += w[..., k] * dout[n, i, j, k]
    return dpadded[:, pad : pad + H, pad : pad + W], *params_in_four_loops(dout, cache)


def all_over_places(dout, cache):
    x, w, _, S, pad = cache
    _, OH, OW, _ = dout.shape
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    dpadded, dw = np.zeros_like(padded), np.empty_like(w)
    for u, v in np.ndindex(w.shape[:2]):
        place = (slice(None), slice(u, u + S * OH, S), slice(v, v + S * OW, S))
        dw[u, v] = np.tensordot(padded[place], dout, ((0, 1, 2), (0, 1, 2)))
        dpadded[place] += dout @ w[u, v].T
    inside = slice(pad, -pad or None)
    return dpadded[:, inside, inside], dw, dout.sum((0, 1, 2))


def all_by_the_transposed_matrix(dout, cache):
    """im2col as a table of indices, and back again by adding up at those indices."""
    x, w, _, stride, pad = cache
    (N, H, W, C), (FH, FW, _, K), (_, OH, OW, _) = x.shape, w.shape, dout.shape
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    indices = np.arange(padded.size).reshape(padded.shape)
    seen = sliding_window_view(indices, (FH, FW), axis=(1, 2))[:, ::stride, ::stride]
    seen = seen.transpose(0, 1, 2, 4, 5, 3).reshape(N * OH * OW, FH * FW * C)
    flat = dout.reshape(-1, K)
    dw = (padded.ravel()[seen].T @ flat).reshape(w.shape)
    handed = (flat @ w.reshape(-1, K).T).ravel()
    dpadded = np.bincount(seen.ravel(), handed, padded.size).reshape(padded.shape)
    return dpadded[:, pad : pad + H, pad : pad + W], dw, flat.sum(axis=0)


def all_by_the_turned_filter_in_float32(dout, cache):
    """dx is a convolution over dout, with zeros between and around, of the filter turned."""
    x, w, _, stride, pad = cache
    (N, H, W, _), (FH, FW, _, K), (_, OH, OW, _) = x.shape, w.shape, dout.shape
    spread = np.zeros(
        (N, stride * (OH - 1) + 2 * FH - 1, stride * (OW - 1) + 2 * FW - 1, K), np.float32
    )
    inner = spread[:, FH - 1 : spread.shape[1] - FH + 1, FW - 1 : spread.shape[2] - FW + 1]
    inner[:, ::stride, ::stride] = dout
    windows = sliding_window_view(spread, (FH, FW), axis=(1, 2))
    turned = w[::-1, ::-1].astype(np.float32)
    dpadded = np.einsum("nhwkuv,uvck->nhwc", windows, turned)
    dw, db = params_by_einsum(dout, cache)
    return dpadded[:, pad : pad + H, pad : pad + W], dw, db


RIGHT = [
    ("a4.avg_pool_backward", avg_pixel_by_pixel),
    ("a4.avg_pool_backward", avg_over_places),
    ("a4.avg_pool_backward", avg_by_matrices_in_float32),
    ("a4.max_pool_backward", max_four_loops),
    ("a4.max_pool_backward", max_add_at),
    ("a4.max_pool_backward", max_over_places_in_float32),
    ("a4.conv_backward_params", params_in_four_loops),
    ("a4.conv_backward_params", params_by_einsum),
    ("a4.conv_backward_params", params_as_a_list_in_float32),
    ("a4.conv_backward", all_in_four_loops),
    ("a4.conv_backward", all_over_places),
    ("a4.conv_backward", all_by_the_transposed_matrix),
    ("a4.conv_backward", all_by_the_turned_filter_in_float32),
    ("a4.conv_backward_fast", all_over_places),
    ("a4.conv_backward_fast", all_by_the_transposed_matrix),
    ("a4.conv_backward_fast", all_by_the_turned_filter_in_float32),
]
