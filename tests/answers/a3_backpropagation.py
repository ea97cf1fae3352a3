"""Right answers to assignment 3, each written in a way of its own."""

import math

import numpy as np

# One gate


def gate_by_match(gate, x, y, dout):
    match gate:
        case "add":
            return dout, dout
        case "mul":
            return dout * y, dout * x
        case _:
            return (dout, 0) if y <= x else (0, dout)


def gate_by_slopes(gate, x, y, dout):
    slopes = {"add": (1, 1), "mul": (y, x), "max": (x >= y, y > x)}
    return tuple(np.array(slopes[gate], np.float32) * dout)


def gate_by_difference(gate, x, y, dout):
    """The slopes of add and mul are exact as differences; only the maximum has a corner."""
    if gate == "max":
        return [dout * (max(x, y) == x), dout * (max(x, y) != x)]
    f = {"add": lambda a, b: a + b, "mul": lambda a, b: a * b}[gate]
    return dout * (f(x + 1, y) - f(x, y)), dout * (f(x, y + 1) - f(x, y))


# f = (x + y) max(y, z)


def branches_gate_by_gate(x, y, z):
    q, m = x + y, max(y, z)
    dq, dm = m, q
    dx, dy, dz = dq, dq, 0.0
    if y >= z:
        dy += dm
    else:
        dz += dm
    return q * m, dx, dy, dz


def branches_by_cases(x, y, z):
    if y >= z:
        return x * y + y * y, y, x + 2 * y, 0.0
    return x * z + y * z, z, z, x + y


def branches_as_arrays(x, y, z):
    m = np.maximum(y, z)
    won = np.float32(y == m)
    return (x + y) * m, m, m + won * (x + y), (1 - won) * (x + y)


# The gradient check


def numeric_in_place(f, x, h=1e-5):
    """On a copy in float64, each entry put back."""
    x = x.astype(np.float64)
    gradient = np.zeros(x.shape)
    for index, kept in np.ndenumerate(x.copy()):
        x[index] = kept + h
        up = f(x)
        x[index] = kept - h
        gradient[index] = (up - f(x)) / (2 * h)
        x[index] = kept
    return gradient


def numeric_by_unit_arrays(f, x, h=1e-5):
    units = np.eye(x.size).reshape(-1, *x.shape)
    return np.array([(f(x + h * e) - f(x - h * e)) / h / 2 for e in units]).reshape(x.shape)


def numeric_flat(f, x, h=1e-5):
    flat = np.array(x, float).ravel()
    gradient = []
    for i in range(flat.size):
        values = []
        for sign in (1, -1):
            moved = flat.copy()
            moved[i] += sign * h
            values.append(f(moved.reshape(x.shape)))
        gradient.append((values[0] - values[1]) * (0.5 / h))
    return np.reshape(gradient, x.shape)


def error_in_a_loop(a, b):
    worst = 0.0
    for one, other in zip(a.ravel(), b.ravel(), strict=True):
        if one != other:
            worst = max(worst, abs(one - other) / max(abs(one), abs(other)))
    return worst


def error_by_division_where(a, b):
    larger = np.maximum(abs(a), abs(b))
    return np.divide(abs(a - b), larger, out=np.zeros_like(larger), where=larger != 0).max()


def error_in_float32(a, b):
    a, b = a.astype(np.float32), b.astype(np.float32)
    with np.errstate(invalid="ignore"):
        return np.nanmax(np.append(np.abs(a - b) / np.maximum(np.abs(a), np.abs(b)), 0))


def direction_plainly(f, x, analytic, v, h=1e-5):
    expected, got = (f(x + h * v) - f(x - h * v)) / (2 * h), (analytic * v).sum()
    larger = max(abs(expected), abs(got))
    return abs(expected - got) / larger if larger else 0.0


def direction_by_vdot(f, x, analytic, v, h=1e-5):
    pair = np.array([np.vdot(analytic, v), 0.5 * (f(x + h * v) - f(x - h * v)) / h])
    return 0.0 if not pair.any() else float(np.ptp(pair) / np.abs(pair).max())


def direction_by_einsum(f, x, analytic, v, h=1e-5):
    step = v * h
    ahead, behind = (f(x + sign * step) for sign in (1, -1))
    got = np.einsum("i,i->", analytic.ravel(), v.ravel())
    return error_in_a_loop(np.array([got]), np.array([(ahead - behind) / (h + h)]))


# Affine


def affine_in_loops(x, w, b):
    out = np.zeros((x.shape[0], w.shape[1]))
    for n in range(x.shape[0]):
        for m in range(w.shape[1]):
            out[n, m] = b[m]
            for d in range(x.shape[1]):
                out[n, m] += x[n, d] * w[d, m]
    return out, (x, w, b)


def affine_by_einsum(x, w, b):
    return np.einsum("nd,dm->nm", x, w) + b[None], None


def affine_transposed_in_float32(x, w, b):
    return [(w.T.astype(np.float32) @ x.T.astype(np.float32) + b[:, None]).T, {"x": x}]


def affine_with_a_one(x, w, b):
    """The bias as a weight of an input that is always 1."""
    return np.hstack([x, np.ones((len(x), 1))]) @ np.vstack([w, b]), (x, w)


def affine_back_in_loops(dout, cache):
    x, w, b = cache
    dx, dw, db = np.zeros(x.shape), np.zeros(w.shape), np.zeros(b.shape)
    for n in range(dout.shape[0]):
        for m in range(dout.shape[1]):
            db[m] += dout[n, m]
            for d in range(x.shape[1]):
                dx[n, d] += dout[n, m] * w[d, m]
                dw[d, m] += dout[n, m] * x[n, d]
    return dx, dw, db


def affine_back_by_einsum(dout, cache):
    x, w, _ = cache
    return [
        np.einsum("nm,dm->nd", dout, w),
        np.einsum("nd,nm->dm", x, dout),
        np.einsum("nm->m", dout),
    ]


def affine_back_in_float32(dout, cache):
    x, w, _ = (array.astype(np.float32) for array in cache)
    dout = dout.astype(np.float32)
    return (w @ dout.T).T, sum(map(np.outer, x, dout)), np.ones(len(dout), np.float32) @ dout


# ReLU


def relu_in_place(x):
    out = x.copy()
    out[out < 0] = 0
    return out, x


def relu_by_size(x):
    return (x + np.abs(x)) / 2, x > 0


def relu_in_float32(x):
    return np.where(x > 0, x, 0).astype(np.float32), None


def relu_back_by_mask(dout, cache):
    return np.where(cache > 0, dout, 0)


def relu_back_in_place(dout, cache):
    dx = np.array(dout)
    dx[cache <= 0] = 0
    return dx


def relu_back_in_float32(dout, cache):
    return dout.astype(np.float32) * np.heaviside(cache, 0)


# Softmax loss


def softmax_row_by_row(scores, y):
    N, C = scores.shape
    loss, dscores = 0.0, np.zeros((N, C))
    for n in range(N):
        top = max(scores[n])
        total = sum(math.exp(s - top) for s in scores[n])
        loss += math.log(total) - (scores[n, y[n]] - top)
        for c in range(C):
            dscores[n, c] = (math.exp(scores[n, c] - top) / total - (c == y[n])) / N
    return loss / N, dscores


def softmax_by_logaddexp(scores, y):
    log_p = scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)
    one_hot = np.eye(scores.shape[1])[y]
    return -(log_p * one_hot).sum() / len(y), (np.exp(log_p) - one_hot) / len(y)


def softmax_classes_first_in_float32(scores, y):
    s = scores.T.astype(np.float32)
    s = s - s.max(0)
    e = np.exp(s)
    dscores = e / e.sum(0)
    rows = np.arange(len(y))
    loss = np.mean(np.log(e.sum(0)) - s[y, rows])
    dscores[y, rows] -= 1
    return [loss, dscores.T / len(y)]


RIGHT = [
    ("a3.gate_backward", gate_by_match),
    ("a3.gate_backward", gate_by_slopes),
    ("a3.gate_backward", gate_by_difference),
    ("a3.branches", branches_gate_by_gate),
    ("a3.branches", branches_by_cases),
    ("a3.branches", branches_as_arrays),
    ("a3.numeric_gradient", numeric_in_place),
    ("a3.numeric_gradient", numeric_by_unit_arrays),
    ("a3.numeric_gradient", numeric_flat),
    ("a3.relative_error", error_in_a_loop),
    ("a3.relative_error", error_by_division_where),
    ("a3.relative_error", error_in_float32),
    ("a3.directional_error", direction_plainly),
    ("a3.directional_error", direction_by_vdot),
    ("a3.directional_error", direction_by_einsum),
    ("a3.affine_forward", affine_in_loops),
    ("a3.affine_forward", affine_by_einsum),
    ("a3.affine_forward", affine_transposed_in_float32),
    ("a3.affine_forward", affine_with_a_one),
    ("a3.affine_backward", affine_back_in_loops),
    ("a3.affine_backward", affine_back_by_einsum),
    ("a3.affine_backward", affine_back_in_float32),
    ("a3.relu_forward", relu_in_place),
    ("a3.relu_forward", relu_by_size),
    ("a3.relu_forward", relu_in_float32),
    ("a3.relu_backward", relu_back_by_mask),
    ("a3.relu_backward", relu_back_in_place),
    ("a3.relu_backward", relu_back_in_float32),
    ("a3.softmax_loss", softmax_row_by_row),
    ("a3.softmax_loss", softmax_by_logaddexp),
    ("a3.softmax_loss", softmax_classes_first_in_float32),
]
