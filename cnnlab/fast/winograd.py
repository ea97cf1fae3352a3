"""Winograd convolution: fewer multiplications for the same sums.

Along one axis, m outputs of a filter of r weights are the products of two polynomials, seen from
the other side. A polynomial is known by its values at enough points, and values multiply one by
one: m + r − 1 multiplications in place of m·r. Over two axes that is (m + r − 1)² in place of
(m·r)²: 36 in place of 144 for tiles of 4×4 outputs and filters of 3×3.

out = Aᵀ [ (G w Gᵀ) ⊙ (Bᵀ d B) ] A

for a tile d of (m + r − 1)² pixels, summed over the channels before A is applied. The price are
sums that cancel: results lose digits as tiles grow. Filters must move one pixel at a time;
`polyphase` makes them do so.

Source: Lavin & Gray 2016, "Fast algorithms for convolutional neural networks"; Winograd 1980,
"Arithmetic complexity of computations".
"""

import math
from functools import cache
from typing import Any

import numpy as np

from cnnlab.fast.affine import sum_of_rows
from cnnlab.fast.memory import empty, padded, scratch
from cnnlab.fast.polyphase import Phases
from cnnlab.fast.sharing import pieces, share_out, summed
from cnnlab.shapes import output_size, pair

# Where the polynomials are evaluated, the mildest numbers first; the last point is infinity.
_POINTS = (0.0, 1.0, -1.0, 0.5, -2.0, 2.0, -0.5)

# Tiles to transform at a time: enough for an efficient matrix product, few enough for the cache.
# More channels need more of them, since their filters are read once for all.
_TILES = 64
_TILES_PER_CHANNEL = 0.25

# Numbers to add to others at a time, and weights of filters to transform.
_NUMBERS, _COLUMNS = 2**17, 2**13


def tile_size(size: int, kernel_size: int, tile: int = 5) -> int:
    """The m ≤ tile that covers this many outputs with the fewest products; 0 if none can."""
    # Infinity is a point as well.
    largest = min(tile, len(_POINTS) + 2 - kernel_size)
    costs = {
        m: (m + kernel_size - 1) * -(-size // m) for m in range(2, largest + 1) if kernel_size > 1
    }
    return min(costs, key=lambda m: (costs[m], -m), default=0)


def multiplications(
    out_size: tuple[int, int], kernel_size: tuple[int, int], stride: tuple[int, int]
) -> float:
    """How many products each pair of channels costs for one image; infinite where none can."""
    total = 1.0
    for size, extent, step in zip(out_size, kernel_size, stride, strict=True):
        phases = -(-extent // step)
        m = tile_size(size, phases)
        total *= step * -(-size // m) * (m + phases - 1) if m else np.inf
    return total


@cache
def transforms(m: int, r: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The matrices of one axis: Aᵀ (m, a), G (a, r) and Bᵀ (a, a), with a = m + r − 1.

    Examples
    --------
    Two outputs of a filter of three weights, from four products:

    >>> A, G, B = transforms(2, 3)
    >>> d, g = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 10.0, 100.0])
    >>> A @ ((G @ g) * (B @ d)), np.correlate(d, g)
    (array([321., 432.]), array([321., 432.]))
    """
    a = m + r - 1
    points = np.array(_POINTS[: a - 1])
    A, G, B = np.zeros((m, a)), np.zeros((a, r)), np.zeros((a, a))
    A[:, :-1] = points ** np.arange(m)[:, None]
    A[-1, -1] = G[-1, -1] = 1
    for j, point in enumerate(points):
        others = np.delete(points, j)
        G[j] = point ** np.arange(r) / np.prod(point - others)
        B[j, :-1] = np.poly(others)[::-1]
    B[-1] = np.poly(points)[::-1]
    return A, G, B


class _Plan:
    """All that is fixed by the shapes: sizes, tiles and the matrices of both axes at once."""

    def __init__(self, x_shape, w_shape, dtype, pad, groups, tile):
        (self.N, self.H, self.W, self.C), (self.PH, self.PW) = x_shape, pad
        self.FH, self.FW, self.D, self.K = w_shape
        self.G = groups
        self.OH = output_size(self.H, self.FH, stride=1, pad=self.PH)
        self.OW = output_size(self.W, self.FW, stride=1, pad=self.PW)
        self.m = tile_size(self.OH, self.FH, tile), tile_size(self.OW, self.FW, tile)
        (mh, mw) = self.m
        if mh * mw == 0:
            raise ValueError(
                f"winograd needs filters of 2 to {len(_POINTS)} pixels that overlap, or of as many "
                f"strides, and some output, got {self.FH}×{self.FW} and {self.OH}×{self.OW} of "
                f"output."
            )
        self.a = mh + self.FH - 1, mw + self.FW - 1
        self.tiles = -(-self.OH // mh), -(-self.OW // mw)
        # For each kind of matrix that of the rows and that of the columns.
        along = transforms(mh, self.FH), transforms(mw, self.FW)
        self.A, self.F, self.B = (
            tuple(matrix.astype(dtype) for matrix in both) for both in zip(*along, strict=True)
        )
        tiles = max(_TILES, _TILES_PER_CHANNEL * (self.C + self.K))
        self.block = max(1, round(tiles / max(1, self.tiles[0] * self.tiles[1])))

    def filters(self, w):
        """(FH, FW, D, K) to (a², G, D, K/G)."""
        by_group = w.reshape(self.FH * self.FW, self.D, self.G, -1).transpose(0, 2, 1, 3)
        return self._evaluated(by_group)

    def turned_filters(self, w):
        """(FH, FW, D, K) to (a², G, K/G, D): as rows lie, the matrix product is faster."""
        by_group = w.reshape(self.FH * self.FW, self.D, self.G, -1).transpose(0, 2, 3, 1)
        return self._evaluated(by_group)

    def _evaluated(self, by_group):
        """(FH·FW, G, A, B) to (a², G, A, B)."""
        u = empty((math.prod(self.a), *by_group.shape[1:]), by_group.dtype)
        values = np.ascontiguousarray(by_group).reshape(self.FH, self.FW, -1)
        _transform_shared(self.F, values, u.reshape(*self.a, -1))
        return u

    def weights(self, du):
        """The transpose of `filters`: (a², G, D, K/G) to (FH, FW, D, K)."""
        by_group = np.empty((self.FH, self.FW, self.G, self.D, self.K // self.G), du.dtype)
        columns = by_group.reshape(self.FH, self.FW, -1)
        _transform_shared(_transposed(self.F), du.reshape(*self.a, -1), columns)
        return by_group.transpose(0, 1, 3, 2, 4).reshape(self.FH, self.FW, self.D, self.K)

    def inputs(self, x):
        """(n, H, W, C) to (a², n·tiles, C)."""
        (TH, TW), (mh, mw), (ah, aw) = self.tiles, self.m, self.a
        n = len(x)
        x = padded(x, TH * mh + self.FH - 1, TW * mw + self.FW - 1, (self.PH, self.PW))
        s = x.strides
        tiles = np.lib.stride_tricks.as_strided(
            x, (ah, aw, n, TH, TW, self.C), (s[1], s[2], s[0], mh * s[1], mw * s[2], s[3])
        )
        v = scratch("tiles", tiles.shape, x.dtype)
        v[...] = tiles
        both = v.reshape(ah, aw, -1)
        _transform(self.B, both, both)
        return v.reshape(ah * aw, n * TH * TW, self.C)

    def by_group(self, values):
        """(a², M, G·B) to (a², G, M, B), a view."""
        return values.reshape(*values.shape[:2], self.G, -1).transpose(0, 2, 1, 3)

    def outputs(self, products, out):
        """From (a², M, K) products into out (n, OH, OW, K)."""
        (TH, TW), (mh, mw) = self.tiles, self.m
        n = len(out)
        y = scratch("tiles", (mh, mw, n, TH, TW, self.K), out.dtype)
        _transform(self.A, products.reshape(*self.a, -1), y.reshape(mh, mw, -1))
        whole = out
        if (TH * mh, TW * mw) != out.shape[1:3]:
            whole = scratch("padded", (n, TH * mh, TW * mw, self.K), out.dtype)
        whole.reshape(n, TH, mh, TW, mw, self.K)[...] = y.transpose(2, 3, 0, 4, 1, 5)
        if whole is not out:
            out[...] = whole[:, : self.OH, : self.OW]

    def upstream(self, dout):
        """The transpose of `outputs`: (n, OH, OW, K) to (a², M, K)."""
        (TH, TW), (mh, mw) = self.tiles, self.m
        n, whole = len(dout), dout
        if (TH * mh, TW * mw) != dout.shape[1:3]:
            whole = padded(dout, TH * mh, TW * mw, (0, 0))
        y = scratch("tiles", (mh, mw, n, TH, TW, self.K), dout.dtype)
        y[...] = whole.reshape(n, TH, mh, TW, mw, self.K).transpose(2, 4, 0, 1, 3, 5)
        products = scratch("products", (math.prod(self.a), n * TH * TW, self.K), dout.dtype)
        _transform(_transposed(self.A), y.reshape(mh, mw, -1), products.reshape(*self.a, -1))
        return products

    def downstream(self, dv, dx):
        """The transpose of `inputs`: from (a², M, C) into dx (n, H, W, C)."""
        (TH, TW), (mh, mw), (ah, aw) = self.tiles, self.m, self.a
        n = len(dx)
        dtiles = scratch("tiles", (ah, aw, n, TH, TW, self.C), dx.dtype)
        both = dtiles.reshape(ah, aw, -1)
        _transform(_transposed(self.B), dv.reshape(both.shape), both)
        # Tiles overlap: cut each into pieces of m×m, which lie side by side without overlap.
        QH, QW = -(-ah // mh), -(-aw // mw)
        total = scratch("padded", (n, TH + QH - 1, mh, TW + QW - 1, mw, self.C), dx.dtype)
        total[...] = 0
        for p in range(QH):
            for q in range(QW):
                piece = dtiles[p * mh : (p + 1) * mh, q * mw : (q + 1) * mw]
                rows, columns = piece.shape[:2]
                total[:, p : p + TH, :rows, q : q + TW, :columns] += piece.transpose(
                    2, 3, 0, 4, 1, 5
                )
        total = total.reshape(n, (TH + QH - 1) * mh, (TW + QW - 1) * mw, self.C)
        dx[...] = total[:, self.PH : self.PH + self.H, self.PW : self.PW + self.W]


def _transform(matrices, values, out):
    """Both axes of tiles: (p, a)-matrix along the rows, (q, b)-matrix along the columns.

    values : (a, b, L) and out : (p, q, L); both may be the same.
    """
    (p, _), (_, b) = (matrix.shape for matrix in matrices)
    rows = scratch("padded", (p, b, values.shape[2]), values.dtype)
    np.matmul(matrices[0], values.transpose(1, 0, 2), out=rows.transpose(1, 0, 2))
    np.matmul(matrices[1], rows, out=out)


def _transform_shared(matrices, values, out):
    """As `_transform`, some of the L at a time, on all threads."""

    def some(start, stop):
        for columns in pieces(start, stop, _COLUMNS):
            _transform(matrices, values[..., columns], out[..., columns])

    share_out(some, values.shape[2], least=_COLUMNS)


def _transposed(matrices):
    return tuple(matrix.T for matrix in matrices)


def forward(x, w, b, *, stride=1, pad=0, groups=1, tile=5):
    """As `ops.conv_forward`; arrays are as it needs them already.

    tile : the largest m; larger tiles save more multiplications, and lose more digits.
    """
    stride, pad, phases, shape = pair(stride), pair(pad), None, x.shape
    if stride != (1, 1):
        sizes = zip(x.shape[1:3], w.shape[:2], stride, pad, strict=True)
        out_size = tuple(output_size(size, F, stride=S, pad=P) for size, F, S, P in sizes)
        phases = Phases(x.shape, w.shape, out_size, stride, pad, groups)
        shape, w, pad = phases.shape(len(x)), phases.filters(w), (0, 0)
    plan = _Plan(shape, w.shape, x.dtype, pad, groups, tile)
    u = plan.filters(w)
    out = empty((plan.N, plan.OH, plan.OW, plan.K), x.dtype)

    def some(start, stop):
        for images in pieces(start, stop, plan.block):
            v = plan.inputs(x[images] if phases is None else phases.images(x[images]))
            products = scratch("products", (*v.shape[:2], plan.K), x.dtype)
            np.matmul(plan.by_group(v), u, out=plan.by_group(products))
            plan.outputs(products, out[images])
            out[images] += b

    share_out(some, plan.N)
    return out, (phases, plan, x, w)


def backward(dout, cache, *, input_gradient=True):
    """As `ops.conv_backward`; dx is None if it is not asked for."""
    phases, plan, x, w = cache
    u: Any = plan.turned_filters(w) if input_gradient else None
    dx = empty(x.shape, x.dtype) if input_gradient else None

    def some(start, stop):
        du = empty((math.prod(plan.a), plan.G, plan.D, plan.K // plan.G), x.dtype)
        du[...] = 0
        for images in pieces(start, stop, plan.block):
            dproducts = plan.by_group(plan.upstream(dout[images]))
            v = plan.inputs(x[images] if phases is None else phases.images(x[images]))
            columns = plan.by_group(v).transpose(0, 1, 3, 2)
            # Some places at a time: their products are added while they are in cache.
            for places in pieces(0, len(du), max(1, _NUMBERS // du[0].size)):
                products = scratch("places", du[places].shape, du.dtype)
                du[places] += np.matmul(columns[places], dproducts[places], out=products)
            if dx is not None:
                np.matmul(dproducts, u, out=plan.by_group(v))
                if phases is None:
                    plan.downstream(v, dx[images])
                else:
                    coarse = scratch("coarse", phases.shape(len(dx[images])), x.dtype)
                    plan.downstream(v, coarse)
                    phases.images_back(coarse, dx[images])
        return du, sum_of_rows(dout[start:stop])

    du, db = summed(share_out(some, plan.N))
    dw = plan.weights(du)
    return dx, dw if phases is None else phases.filters_back(dw), db
