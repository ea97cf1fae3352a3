"""Right answers to assignment 7, each written in a way of its own."""

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from cnnlab import shapes
from cnnlab.layers import LRN, Affine, Conv, Dropout, Flatten, MaxPool, ReLU
from cnnlab.model import Sequential
from cnnlab.optim import SGD, Adam

# The table


def table_by_hand(input_shape, layers):
    """Every formula written out, and the volumes as lists."""
    volumes, counts = [], []
    shape = list(input_shape)
    for layer in layers:
        count = 0
        if layer[0] == "conv":
            _, K, F, S, P, G = layer
            H, W, C = shape
            if (H - F + 2 * P) % S or (W - F + 2 * P) % S:
                raise ValueError("does not fit")
            count = F * F * C // G * K + K
            shape = [(H - F + 2 * P) // S + 1, (W - F + 2 * P) // S + 1, K]
        elif layer[0] == "pool":
            _, F, S = layer
            H, W, C = shape
            if (H - F) % S or (W - F) % S:
                raise ValueError("does not fit")
            shape = [(H - F) // S + 1, (W - F) // S + 1, C]
        elif layer[0] == "fc":
            count = (math.prod(shape) + 1) * layer[1]
            shape = [layer[1]]
        volumes.append(shape)
        counts.append(count)
    return volumes, counts


def table_by_functions(input_shape, layers):
    def conv(shape, K, F, S, P, G):
        H, W = (shapes.output_size(side, F, stride=S, pad=P) for side in shape[:2])
        return (H, W, K), G * ((F * F * (shape[2] // G) + 1) * (K // G))

    def pool(shape, F, S):
        H, W = (shapes.output_size(side, F, stride=S) for side in shape[:2])
        return (H, W, shape[2]), 0

    def norm(shape):
        return shape, 0

    def fc(shape, M):
        return (M,), sum(shapes.affine_parameters(math.prod(shape), M))

    kinds, rows = {"conv": conv, "pool": pool, "norm": norm, "fc": fc}, []
    for kind, *settings in layers:
        rows.append(kinds[kind](rows[-1][0] if rows else input_shape, *settings))
    volumes, counts = zip(*rows, strict=True)
    return volumes, counts


def table_of_a_recursion(input_shape, layers):
    if not layers:
        return [], np.zeros(0, int).tolist()
    (kind, *settings), *others = layers
    shape, count = tuple(input_shape), 0
    if kind == "fc":
        count = int(np.prod([*shape, settings[0]])) + settings[0]
        shape = (settings[0],)
    elif kind != "norm":
        K, F, S, P, G = settings if kind == "conv" else (shape[2], *settings, 0, 1)
        count = sum(shapes.conv_parameters(F, shape[2], K, groups=G)) if kind == "conv" else 0
        H, W, _ = shape
        shape = (
            shapes.output_size(H, F, stride=S, pad=P),
            shapes.output_size(W, F, stride=S, pad=P),
            K,
        )
    volumes, counts = table_of_a_recursion(shape, others)
    return [shape, *volumes], [count, *counts]


# The receptive field


def field_backward(layers):
    """From one unit down to the image."""
    field = 1
    for F, S in reversed(layers):
        field = (field - 1) * S + F
    return field


def field_by_products(layers):
    strides = [S for _, S in layers]
    return 1 + sum((F - 1) * math.prod(strides[:n]) for n, (F, _) in enumerate(layers))


def field_by_places(layers):
    """All pixels that are seen, one by one."""
    places = np.zeros(1, int)
    for F, S in layers[::-1]:
        places = np.unique(places[:, np.newaxis] * S + np.arange(F))
    return len(range(places[0], places[-1] + 1))


# The network


def build_in_one_list(input_shape, n_classes, *, dropout=0.5, rng, ops=None):
    more = {} if ops is None else {"ops": ops}
    return Sequential(
        [
            Conv(8, 4, stride=1, pad=17 - input_shape[1] // 2),
            ReLU(),
            MaxPool(3, stride=2),
            LRN(),
            Conv(16, 3, pad=1),
            ReLU(),
            MaxPool(3, stride=2),
            LRN(),
            Conv(24, 3, pad=1),
            ReLU(),
            Conv(16, 3, pad=1),
            ReLU(),
            MaxPool(3, stride=2),
            Flatten(),
            Affine(64),
            ReLU(),
            Dropout(dropout),
            Affine(n_classes),
        ],
        input_shape,
        rng=rng,
        **more,
    )


def build_by_appending(input_shape, n_classes, **options):
    layers, rate = [], options.pop("dropout", 0.5)
    for filters, kernel_size, pad, rest in (
        (8, 4, (31 - input_shape[0] + 3) // 2, "pn"),
        (16, 3, 1, "pn"),
        (24, 3, 1, ""),
        (16, 3, 1, "p"),
    ):
        layers += [Conv(filters, kernel_size, pad=pad), ReLU()]
        layers += [MaxPool(3, stride=2) if letter == "p" else LRN() for letter in rest]
    layers += [Flatten(), Affine(64), ReLU(), Dropout(rate), Affine(n_classes)]
    return Sequential(layers, input_shape, **options)


def build_by_a_search_for_the_padding(input_shape, n_classes, *, dropout=0.5, rng, **ops):
    pad = next(p for p in range(50) if shapes.output_size(input_shape[0], 4, stride=1, pad=p) == 31)

    def block(filters):
        return [Conv(filters, (3, 3), stride=(1, 1), pad=(1, 1)), ReLU()]

    pool = [MaxPool((3, 3), stride=(2, 2)) for _ in range(3)]
    layers = [Conv(8, 4, pad=pad), ReLU(), pool[0], LRN(), *block(16), pool[1], LRN()]
    layers += [*block(24), *block(16), pool[2], Flatten(), Affine(64), ReLU()]
    return Sequential([*layers, Dropout(dropout), Affine(n_classes)], input_shape, rng=rng, **ops)


# Training


def overfit_with_sgd(network, x, y, *, rng):
    optimizer = SGD(network, learning_rate=0.01, momentum=0.9)
    for _ in range(120):
        network.loss_and_gradients(x, y)
        optimizer.step()


def overfit_with_adam(network, x, y, *, rng):
    optimizer = Adam(network, learning_rate=0.003)
    for _ in range(80):
        network.loss_and_gradients(x, y)
        optimizer.step()


def overfit_in_batches_until_it_is_done(network, x, y, *, rng):
    """Without momentum, ten images at a time."""
    while (network.predict(x) != y).any():
        for images in np.split(rng.permutation(len(x)), 5):
            _, gradients = network.loss_and_gradients(x[images], y[images])
            for name, w in network.parameters().items():
                w -= 0.03 * gradients[name]


def train_by_hand(network, x, y, *, rng):
    velocity = dict.fromkeys(network.parameters(), 0.0)
    for epoch in range(8):
        rate = 0.02 if epoch < 6 else 0.002
        for images in np.array_split(rng.permutation(len(x)), 63):
            _, gradients = network.loss_and_gradients(x[images], y[images])
            for name, w in network.parameters().items():
                velocity[name] = 0.9 * velocity[name] - rate * gradients[name]
                w += velocity[name]


def train_with_adam(network, x, y, *, rng):
    optimizer = Adam(network, learning_rate=0.002, weight_decay=1e-4)
    for _ in range(8):
        order = rng.permutation(len(x))
        for start in range(0, len(x), 50):
            images = order[start : start + 50]
            network.loss_and_gradients(x[images], y[images])
            optimizer.step()


def train_on_batches_drawn_at_random_and_flipped(network, x, y, *, rng):
    optimizer, steps = SGD(network, learning_rate=0.02, weight_decay=5e-4), 500
    for step in range(steps):
        images = rng.integers(0, len(x), 32)
        turned = x[images][:, :, :: rng.choice([-1, 1])]
        optimizer.learning_rate = 0.02 * (1 - step / steps)
        network.loss_and_gradients(turned, y[images])
        optimizer.step()


# The ensemble


def ensemble_with_loops(scores, labels):
    M, N, C = scores.shape
    single, together = np.zeros(M), 0.0
    for n in range(N):
        total = np.zeros(C)
        for m in range(M):
            powers = np.exp(scores[m, n] - np.max(scores[m, n]))
            probabilities = powers / np.sum(powers)
            single[m] += np.argmax(probabilities) != labels[n]
            total += probabilities
        together += np.argmax(total) != labels[n]
    return single / N, together / N


def ensemble_in_float32(scores, labels):
    scores = scores - scores.max(axis=2, keepdims=True)
    powers = np.exp(scores.astype(np.float32))
    total = np.einsum("mnc,mn->nc", powers, 1 / powers.sum(axis=2))
    single = [np.float32(1 - np.mean(np.argmax(s, axis=1) == labels)) for s in scores]
    return np.array(single), np.mean(total.argmax(axis=1) != labels)


def ensemble_by_logarithms(scores, labels):
    """Classes first; the logarithm of a sum of exponentials."""
    scores = scores.transpose(2, 0, 1)
    largest = scores.max(axis=0)
    log_sum = largest + np.log(np.exp(scores - largest).sum(axis=0))
    each = np.exp(scores - log_sum)
    right = each.argmax(axis=0) == labels
    together = each.sum(axis=1).argmax(axis=0) == labels
    return 1 - right.sum(axis=1) / labels.size, 1 - together.sum() / labels.size


# Occlusion


def occlusion_with_loops(predict, image, label, size):
    H, W, C = image.shape
    rows, columns = H - size + 1, W - size + 1
    result = np.zeros((rows, columns))
    for i in range(rows):
        for j in range(columns):
            x = np.array([image])
            for u in range(size):
                for v in range(size):
                    for c in range(C):
                        x[0, i + u, j + v, c] = 0
            result[i, j] = predict(np.array([image]))[0][label] - predict(x)[0][label]
    return result


def occlusion_in_one_batch(predict, image, label, size):
    H, W, _ = image.shape
    places = list(np.ndindex(H - size + 1, W - size + 1))
    batch = np.repeat(image[np.newaxis], len(places) + 1, axis=0)
    for x, (i, j) in zip(batch, places, strict=False):
        x[i : i + size, j : j + size] = 0
    says = predict(batch)[:, label]
    return (says[-1] - says[:-1]).reshape(H - size + 1, W - size + 1)


def occlusion_by_masks_in_float32(predict, image, label, size):
    H, W, _ = image.shape
    rows = np.arange(H)[:, np.newaxis]
    columns = np.arange(W)
    image = image.astype(np.float32)
    before = predict(image[np.newaxis])[0, label]

    def drop(i, j):
        seen = (rows < i) | (rows >= i + size) | (columns < j) | (columns >= j + size)
        return before - predict((image * seen[:, :, np.newaxis])[np.newaxis])[0, label]

    OH, OW = sliding_window_view(image[:, :, 0], (size, size)).shape[:2]
    return np.array([[drop(i, j) for j in range(OW)] for i in range(OH)])


RIGHT = [
    ("a7.table", table_by_hand),
    ("a7.table", table_by_functions),
    ("a7.table", table_of_a_recursion),
    ("a7.receptive_field", field_backward),
    ("a7.receptive_field", field_by_products),
    ("a7.receptive_field", field_by_places),
    ("a7.build", build_in_one_list),
    ("a7.build", build_by_appending),
    ("a7.build", build_by_a_search_for_the_padding),
    ("a7.overfit", overfit_with_sgd),
    ("a7.overfit", overfit_with_adam),
    ("a7.overfit", overfit_in_batches_until_it_is_done),
    ("a7.train", train_by_hand),
    ("a7.train", train_with_adam),
    ("a7.train", train_on_batches_drawn_at_random_and_flipped),
    ("a7.ensemble", ensemble_with_loops),
    ("a7.ensemble", ensemble_in_float32),
    ("a7.ensemble", ensemble_by_logarithms),
    ("a7.occlusion", occlusion_with_loops),
    ("a7.occlusion", occlusion_in_one_batch),
    ("a7.occlusion", occlusion_by_masks_in_float32),
]
