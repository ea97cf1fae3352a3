"""Right answers to assignment 5, each written in a way of its own."""

import math

import numpy as np

# Sigmoid


def sigmoid_by_tanh(x):
    return 0.5 * (1 + np.tanh(x / 2))


def sigmoid_plain(x):
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-x))


def sigmoid_of_the_distance(x):
    e = np.exp(-abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def sigmoid_by_masks_in_float32(x):
    x = x.astype(np.float32)
    out = np.zeros_like(x)
    up = x > 0
    out[up] = 1 / (1 + np.exp(-x[up]))
    out[~up] = np.exp(x[~up]) / (1 + np.exp(x[~up]))
    return out


def sigmoid_one_by_one(x):
    flat = []
    for number in x.ravel().tolist():
        if number < 0:
            flat.append(math.exp(number) / (1 + math.exp(number)))
        else:
            flat.append(1 / (1 + math.exp(-number)))
    return np.array(flat).reshape(x.shape)


def sigmoid_backward_product(dout, cache):
    return dout * cache * (1 - cache)


def sigmoid_backward_difference(dout, cache):
    return dout * (cache - cache**2)


def sigmoid_backward_around_a_half_in_float32(dout, cache):
    off = cache.astype(np.float32) - np.float32(0.5)
    return dout.astype(np.float32) * (np.float32(0.25) - off * off)


# Leaky ReLU


def leaky_where(x, *, slope=0.01):
    return np.where(x > 0, x, slope * x)


def leaky_max(x, *, slope=0.01):
    return np.maximum(slope * x, x)


def leaky_sum_in_float32(x, *, slope=0.01):
    x = x.astype(np.float32)
    return np.maximum(x, 0) + slope * np.minimum(x, 0)


def leaky_one_by_one(x, *, slope=0.01):
    out = x.copy()
    for index in np.ndindex(x.shape):
        if x[index] < 0:
            out[index] *= slope
    return out


def leaky_backward_where(dout, cache):
    x, slope = cache
    return np.where(x > 0, dout, slope * dout)


def leaky_backward_mask(dout, cache):
    x, slope = cache
    dx = dout.copy()
    dx[x <= 0] *= slope
    return dx


def leaky_backward_steepness_in_float32(dout, cache):
    x, slope = cache
    up = (x > 0).astype(np.float32)
    return dout * (up + slope * (1 - up))


# Initialization


def std_by_prod(shape):
    inputs = np.prod(shape[:-1])
    outputs = np.prod(shape) / shape[-2]
    return np.sqrt(2 / inputs), np.sqrt(2 / (inputs + outputs))


def std_case_by_case(shape):
    if len(shape) == 2:
        inputs, outputs = shape
    else:
        FH, FW, C, K = shape
        inputs, outputs = FH * FW * C, FH * FW * K
    return [math.sqrt(2 / inputs), math.sqrt(2 / (inputs + outputs))]


def std_by_mean_in_float32(shape):
    *window, inputs, outputs = shape
    places = math.prod(window)
    both = np.float32(places * (inputs + outputs)) / 2
    return np.float32(2 / (places * inputs)) ** 0.5, both**-0.5


# Batch normalization


def norm_in_steps(x, gamma, beta, running_mean, running_var, *, momentum, eps, training):
    if training:
        mean, var = x.mean(axis=0), x.var(axis=0)
        running_mean = momentum * running_mean + (1 - momentum) * mean
        running_var = momentum * running_var + (1 - momentum) * var
    else:
        mean, var = running_mean, running_var
    return gamma * (x - mean) / np.sqrt(var + eps) + beta, running_mean, running_var


def norm_feature_by_feature(x, gamma, beta, means, variances, *, momentum, eps, training):
    out, means, variances = np.empty_like(x), means.copy(), variances.copy()
    for c in range(x.shape[1]):
        column = x[:, c]
        if training:
            mean = sum(column) / len(column)
            var = sum((column - mean) ** 2) / len(column)
            means[c] += (1 - momentum) * (mean - means[c])
            variances[c] += (1 - momentum) * (var - variances[c])
        else:
            mean, var = means[c], variances[c]
        out[:, c] = gamma[c] / math.sqrt(var + eps) * (column - mean) + beta[c]
    return [out, means, variances]


def norm_transposed_in_float32(x, gamma, beta, means, variances, *, momentum, eps, training):
    """Features first, and scale and shift put together into one line a·x + b."""
    rows = x.T.astype(np.float32)
    center, width = rows.mean(axis=1), rows.var(axis=1)
    used = (center, width) if training else (means, variances)
    a = gamma / np.sqrt(used[1] + eps)
    out = (a[:, None] * (rows - used[0][:, None]) + beta[:, None]).T
    share = (1 - momentum) if training else 0
    return out, (1 - share) * means + share * center, (1 - share) * variances + share * width


def norm_backward_compact(dout, cache):
    normalized, std, gamma = cache
    dgamma, dbeta = (dout * normalized).sum(axis=0), dout.sum(axis=0)
    N = len(dout)
    return gamma / std * (dout - dbeta / N - normalized * dgamma / N), dgamma, dbeta


def norm_backward_along_the_graph(dout, cache):
    """Node by node, with x − μ put together again."""
    normalized, std, gamma = cache
    N, centered = len(dout), normalized * std
    dnormalized = dout * gamma
    dvar = (dnormalized * centered).sum(axis=0) * -0.5 * std**-3
    dmean = -dnormalized.sum(axis=0) / std - 2 * dvar * centered.mean(axis=0)
    dx = dnormalized / std + dvar * 2 * centered / N + dmean / N
    return dx, (normalized * dout).sum(axis=0), dout.sum(axis=0)


def norm_backward_by_jacobian(dout, cache):
    """One matrix for each feature: I − 1/N − x̂x̂ᵀ/N."""
    normalized, std, gamma = cache
    N, C = dout.shape
    dx = np.empty((N, C))
    for c in range(C):
        jacobian = np.eye(N) - 1 / N - np.outer(normalized[:, c], normalized[:, c]) / N
        dx[:, c] = gamma[c] / std[c] * jacobian @ dout[:, c]
    return dx, np.einsum("nc,nc->c", dout, normalized), np.einsum("nc->c", dout)


def norm_backward_projected_in_float32(dout, cache):
    """What lies along 1 and along x̂ is taken away, one after the other."""
    normalized, std, gamma = (array.astype(np.float32) for array in cache)
    dout = dout.astype(np.float32)
    along = (dout * normalized).mean(axis=0)
    dx = dout - dout.mean(axis=0)
    dx -= normalized * along
    return [dx * (gamma / std), along * len(dout), dout.sum(axis=0)]


def conv_norm_by_axes(x, gamma, beta, *, eps):
    mean, var = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
    return gamma * (x - mean) / np.sqrt(var + eps) + beta


def conv_norm_by_reshape(x, gamma, beta, *, eps):
    rows = x.reshape(-1, x.shape[3])
    normalized = (rows - rows.mean(axis=0)) / np.sqrt(rows.var(axis=0) + eps)
    return (gamma * normalized + beta).reshape(x.shape)


def conv_norm_channel_by_channel_in_float32(x, gamma, beta, *, eps):
    out = []
    for c in range(x.shape[3]):
        channel = x[..., c].astype(np.float32)
        center = channel - channel.mean()
        out.append(gamma[c] * center / ((center**2).mean() + eps) ** 0.5 + beta[c])
    return np.stack(out, axis=-1)


# PReLU


def prelu_where(dout, cache):
    x, slope = cache
    axes = tuple(range(x.ndim - 1))
    return np.where(x > 0, dout, slope * dout), (dout * np.minimum(x, 0)).sum(axis=axes)


def prelu_by_rows(dout, cache):
    x, slope = cache
    rows, drows = x.reshape(-1, x.shape[-1]), dout.reshape(-1, x.shape[-1])
    below = rows <= 0
    dx = drows * (1 - below) + drows * below * slope
    return dx.reshape(x.shape), np.sum(drows * rows * below, axis=0)


def prelu_one_by_one_in_float32(dout, cache):
    x, slope = cache
    dx, dslope = np.zeros(x.shape, np.float32), np.zeros(slope.shape, np.float32)
    for index in np.ndindex(x.shape):
        if x[index] > 0:
            dx[index] = dout[index]
        else:
            dx[index] = slope[index[-1]] * dout[index]
            dslope[index[-1]] += x[index] * dout[index]
    return dx, dslope


RIGHT = [
    ("a5.sigmoid_forward", sigmoid_by_tanh),
    ("a5.sigmoid_forward", sigmoid_plain),
    ("a5.sigmoid_forward", sigmoid_of_the_distance),
    ("a5.sigmoid_forward", sigmoid_by_masks_in_float32),
    ("a5.sigmoid_forward", sigmoid_one_by_one),
    ("a5.sigmoid_backward", sigmoid_backward_product),
    ("a5.sigmoid_backward", sigmoid_backward_difference),
    ("a5.sigmoid_backward", sigmoid_backward_around_a_half_in_float32),
    ("a5.leaky_relu_forward", leaky_where),
    ("a5.leaky_relu_forward", leaky_max),
    ("a5.leaky_relu_forward", leaky_sum_in_float32),
    ("a5.leaky_relu_forward", leaky_one_by_one),
    ("a5.leaky_relu_backward", leaky_backward_where),
    ("a5.leaky_relu_backward", leaky_backward_mask),
    ("a5.leaky_relu_backward", leaky_backward_steepness_in_float32),
    ("a5.initial_std", std_by_prod),
    ("a5.initial_std", std_case_by_case),
    ("a5.initial_std", std_by_mean_in_float32),
    ("a5.batch_norm_forward", norm_in_steps),
    ("a5.batch_norm_forward", norm_feature_by_feature),
    ("a5.batch_norm_forward", norm_transposed_in_float32),
    ("a5.batch_norm_backward", norm_backward_compact),
    ("a5.batch_norm_backward", norm_backward_along_the_graph),
    ("a5.batch_norm_backward", norm_backward_by_jacobian),
    ("a5.batch_norm_backward", norm_backward_projected_in_float32),
    ("a5.batch_norm_conv", conv_norm_by_axes),
    ("a5.batch_norm_conv", conv_norm_by_reshape),
    ("a5.batch_norm_conv", conv_norm_channel_by_channel_in_float32),
    ("a5.prelu_backward", prelu_where),
    ("a5.prelu_backward", prelu_by_rows),
    ("a5.prelu_backward", prelu_one_by_one_in_float32),
]
