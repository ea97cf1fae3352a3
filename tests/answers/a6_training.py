"""Right answers to assignment 6, each written in a way of its own."""

from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from cnnlab import ops

# Preprocessing


def standardize_by_channel(train, test):
    done = [np.empty(split.shape) for split in (train, test)]
    for c in range(train.shape[-1]):
        mean, std = np.mean(train[..., c]), np.std(train[..., c])
        for out, split in zip(done, (train, test), strict=True):
            out[..., c] = (split[..., c] - mean) / std
    return done


def standardize_by_moments(train, test):
    flat = train.reshape(-1, train.shape[-1]).astype(np.float64)
    mean = flat.mean(axis=0)
    std = ((flat**2).mean(axis=0) - mean**2) ** 0.5
    return tuple(split / std - mean / std for split in (train, test))


def standardize_in_float32(train, test):
    train, test = train.astype(np.float32), test.astype(np.float32)
    mean, std = train.mean((0, 1, 2), keepdims=True), train.std((0, 1, 2), keepdims=True)
    return (train - mean) / (std + np.float32(1e-7)), (test - mean) / (std + np.float32(1e-7))


# Augmentation


def crop_and_mirror_all(images, tops, lefts, mirrored, *, size):
    windows = sliding_window_view(images, size, axis=(1, 2)).transpose(0, 1, 2, 4, 5, 3)
    crops = windows[np.arange(len(images)), tops, lefts]
    return np.where(mirrored[:, None, None, None], crops[:, :, ::-1], crops)


def crop_pixel_by_pixel(images, tops, lefts, mirrored, *, size):
    out = np.zeros((len(images), *size, images.shape[3]), images.dtype)
    for n, i, j in np.ndindex(len(images), *size):
        column = size[1] - 1 - j if mirrored[n] else j
        out[n, i, j] = images[n, tops[n] + i, lefts[n] + column]
    return out


def crop_as_a_list(images, tops, lefts, mirrored, *, size):
    crops = []
    for image, top, left, flip in zip(images, tops, lefts, mirrored, strict=True):
        crop = image[top:, left:][: size[0], : size[1]]
        crops.append(np.fliplr(crop) if flip else crop)
    return np.array(crops).astype(np.float32)


# Dropout


def drop_by_choice(x, *, rate, rng, training):
    if not training:
        return x.copy(), np.ones_like(x)
    mask = rng.choice([0.0, 1.0], size=x.shape, p=[rate, 1 - rate])
    return x * mask / (1 - rate), mask


def drop_by_binomial_in_float32(x, *, rate, rng, training):
    if not training:
        return x, None
    mask = rng.binomial(1, 1 - rate, size=x.shape)
    return np.float32(x) * mask * np.float32(1 / (1 - rate)), mask


def drop_number_by_number(x, *, rate, rng, training):
    out, mask = x.copy(), np.ones(x.shape, dtype=bool)
    if training:
        for place in np.ndindex(x.shape):
            if rng.uniform() < rate:
                out[place], mask[place] = 0, False
            else:
                out[place] /= 1 - rate
    return out, mask


def drop_the_first_of_a_permutation(x, *, rate, rng, training):
    mask = np.ones(x.size, bool)
    if training:
        mask[rng.permutation(x.size)[: round(rate * x.size)]] = False
    mask = mask.reshape(x.shape)
    return (np.where(mask, x / (1 - rate), 0), mask) if training else (x, mask)


def drop_the_upper_end(x, *, rate, rng, training):
    keep = rng.random(x.shape) < 1 - rate
    return (x * keep / (1 - rate), keep) if training else (x, keep)


def drop_back_where(dout, cache):
    mask, rate = cache
    return np.where(mask, dout / (1 - rate), 0)


def drop_back_in_place_of_a_copy(dout, cache):
    mask, rate = cache
    dx = dout.astype(np.float32)
    dx[~mask] = 0
    return dx * np.float32(1 / (1 - rate))


def drop_back_by_library(dout, cache):
    mask, rate = cache
    return ops.dropout_backward(dout, (dout.shape, dout.dtype, mask / (1 - rate)))


# Local response normalization


def lrn_by_padding(x, *, n, k, alpha, beta):
    padded = np.pad(x**2, [(0, 0)] * (x.ndim - 1) + [(n // 2, n // 2)])
    return x * (k + alpha * sliding_window_view(padded, n, axis=-1).sum(axis=-1)) ** -beta


def lrn_with_a_band(x, *, n, k, alpha, beta):
    i = np.arange(x.shape[-1])
    band = np.abs(i[:, None] - i) <= n // 2
    return x / np.power(k + alpha * np.einsum("nhwj,ji->nhwi", x * x, band), beta)


def lrn_with_five_loops_in_float32(x, *, n, k, alpha, beta):
    x = x.astype(np.float32)
    out, C = np.zeros_like(x), x.shape[3]
    for place in np.ndindex(x.shape):
        i = place[3]
        near = range(max(0, i - n // 2), min(C - 1, i + n // 2) + 1)
        total = sum(x[(*place[:3], j)] ** 2 for j in near)
        out[place] = x[place] / (k + alpha * total) ** beta
    return out


def lrn_back_with_a_jacobian(dout, cache):
    """All derivatives of out[j] with respect to x[i] in one array."""
    x, n, k, alpha, beta = cache
    i = np.arange(x.shape[-1])
    band = (np.abs(i[:, None] - i) <= n // 2).astype(float)
    s = k + alpha * x**2 @ band
    slopes = -2 * alpha * beta * (x * s ** (-beta - 1))[..., None] * band * x[..., None, :]
    slopes += np.eye(len(i)) * (s**-beta)[..., None]
    return np.einsum("...j,...ji->...i", dout, slopes)


def lrn_back_by_padding(dout, cache):
    x, n, k, alpha, beta = cache

    def around(a):
        padded = np.pad(a, ((0, 0), (0, 0), (0, 0), (n // 2, n // 2)))
        return sliding_window_view(padded, n, axis=-1).sum(axis=-1)

    s = k + alpha * around(x**2)
    out = x * s**-beta
    return dout * s**-beta - 2 * alpha * beta * x * around(dout * out / s)


def lrn_back_channel_by_channel(dout, cache):
    x, n, k, alpha, beta = (np.float32(part) for part in cache)
    C, half = x.shape[-1], int(n) // 2
    near = [[j for j in range(C) if abs(i - j) <= half] for i in range(C)]
    s = np.stack([k + alpha * (x[..., near[i]] ** 2).sum(-1) for i in range(C)], -1)
    dx = np.empty_like(x)
    for i in range(C):
        total = sum(dout[..., j] * x[..., j] / s[..., j] ** (beta + 1) for j in near[i])
        dx[..., i] = dout[..., i] / s[..., i] ** beta - 2 * alpha * beta * x[..., i] * total
    return dx


# The step, and the learning rate


def momentum_in_copies(w, g, v, *, learning_rate, momentum, weight_decay):
    w, v = w.copy(), v.copy()
    v *= momentum
    v -= learning_rate * g
    v -= learning_rate * weight_decay * w
    w += v
    return w, v


def momentum_in_float32(w, g, v, *, learning_rate, momentum, weight_decay):
    w, g, v = (a.astype(np.float32) for a in (w, g, v))
    down = -(g + weight_decay * w)
    v = learning_rate * down + momentum * v
    return [w + v, v]


def momentum_by_number(w, g, v, *, learning_rate, momentum, weight_decay):
    new_w, new_v = np.empty(w.shape), np.empty(w.shape)
    for place in np.ndindex(w.shape):
        slope = g[place] + weight_decay * w[place]
        new_v[place] = momentum * v[place] - learning_rate * slope
        new_w[place] = w[place] + new_v[place]
    return new_w, new_v


def plateau_by_maximum(accuracies, *, learning_rate, patience):
    start, rate = 0, learning_rate
    for epoch in range(1, len(accuracies)):
        if accuracies[epoch] > max(accuracies[:epoch]):
            start = epoch
        elif epoch - start == patience:
            start, rate = epoch, rate * 0.1
    return rate


def plateau_by_runs(accuracies, *, learning_rate, patience):
    """Each run of epochs without a new best counts as often as the patience fits into it."""
    bests = [n for n, a in enumerate(accuracies) if n == 0 or a > max(accuracies[:n])]
    runs = [b - a - 1 for a, b in pairwise([*bests, len(accuracies)])]
    return learning_rate / 10 ** sum(run // patience for run in runs)


def plateau_with_a_countdown(accuracies, *, learning_rate, patience):
    best, left = -1.0, patience
    for accuracy in accuracies:
        if accuracy > best:
            best, left = accuracy, patience
            continue
        left -= 1
        if not left:
            learning_rate, left = learning_rate / 10, patience
    return np.float64(learning_rate)


RIGHT = [
    ("a6.standardize", standardize_by_channel),
    ("a6.standardize", standardize_by_moments),
    ("a6.standardize", standardize_in_float32),
    ("a6.crop_and_flip", crop_and_mirror_all),
    ("a6.crop_and_flip", crop_pixel_by_pixel),
    ("a6.crop_and_flip", crop_as_a_list),
    ("a6.dropout_forward", drop_by_choice),
    ("a6.dropout_forward", drop_by_binomial_in_float32),
    ("a6.dropout_forward", drop_number_by_number),
    ("a6.dropout_forward", drop_the_first_of_a_permutation),
    ("a6.dropout_forward", drop_the_upper_end),
    ("a6.dropout_backward", drop_back_where),
    ("a6.dropout_backward", drop_back_in_place_of_a_copy),
    ("a6.dropout_backward", drop_back_by_library),
    ("a6.lrn_forward", lrn_by_padding),
    ("a6.lrn_forward", lrn_with_a_band),
    ("a6.lrn_forward", lrn_with_five_loops_in_float32),
    ("a6.lrn_backward", lrn_back_with_a_jacobian),
    ("a6.lrn_backward", lrn_back_by_padding),
    ("a6.lrn_backward", lrn_back_channel_by_channel),
    ("a6.momentum_step", momentum_in_copies),
    ("a6.momentum_step", momentum_in_float32),
    ("a6.momentum_step", momentum_by_number),
    ("a6.plateau", plateau_by_maximum),
    ("a6.plateau", plateau_by_runs),
    ("a6.plateau", plateau_with_a_countdown),
]
