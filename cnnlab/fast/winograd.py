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

from functools import cache

import numpy as np

from cnnlab.fast.affine import product
from cnnlab.fast.memory import empty, padded, scratch
from cnnlab.fast.polyphase import Phases
from cnnlab.fast.sharing import pieces, share_out
from cnnlab.shapes import output_size, pair

# Where the polynomials are evaluated, the mildest numbers first; the last point is infinity.
_POINTS = (0.0, 1.0, -1.0, 0.5, -2.0, 2.0, -0.5)

# Tiles to transform at a time: enough for an efficient matrix product, few enough for the cache.
_TILES = 128


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
        vertical, horizontal = transforms(mh, self.FH), transforms(mw, self.FW)
        # Two axes at once: one matrix product in place of two passes over the data.
        self.A, self.F, self.B = (
            np.kron(*both).astype(dtype) for both in zip(vertical, horizontal, strict=True)
        )
        self.block = max(1, _TILES // max(1, self.tiles[0] * self.tiles[1]))

    def filters(self, w):
        """(FH, FW, D, K) to (a², G, D, K/G)."""
        by_group = w.reshape(self.FH * self.FW, self.D, self.G, -1).transpose(0, 2, 1, 3)
        u = product(self.F, by_group.reshape(self.FH * self.FW, -1))
        return u.reshape(-1, self.G, self.D, self.K // self.G)

    def turned_filters(self, w):
        """(FH, FW, D, K) to (a², G, K/G, D): as rows lie, the matrix product is faster."""
        by_group = w.reshape(self.FH * self.FW, self.D, self.G, -1).transpose(0, 2, 3, 1)
        u = product(self.F, by_group.reshape(self.FH * self.FW, -1))
        return u.reshape(-1, self.G, self.K // self.G, self.D)

    def inputs(self, x):
        """(n, H, W, C) to (a², n·tiles, C)."""
        (TH, TW), (mh, mw), (ah, aw) = self.tiles, self.m, self.a
        n = len(x)
        x = padded(x, TH * mh + self.FH - 1, TW * mw + self.FW - 1, (self.PH, self.PW))
        s = x.strides
        tiles = np.lib.stride_tricks.as_strided(
            x, (ah, aw, n, TH, TW, self.C), (s[1], s[2], s[0], mh * s[1], mw * s[2], s[3])
        )
        gathered = scratch("tiles", tiles.shape, x.dtype)
        gathered[...] = tiles
        v = scratch("v", (ah * aw, n * TH * TW, self.C), x.dtype)
        np.matmul(self.B, gathered.reshape(ah * aw, -1), out=v.reshape(ah * aw, -1))
        return v

    def by_group(self, values):
        """(a², M, G·B) to (a², G, M, B), a view."""
        return values.reshape(*values.shape[:2], self.G, -1).transpose(0, 2, 1, 3)

    def outputs(self, products, out):
        """From (a², M, K) products into out (n, OH, OW, K)."""
        (TH, TW), (mh, mw) = self.tiles, self.m
        n = len(out)
        y = scratch("tiles", (mh, mw, n, TH, TW, self.K), out.dtype)
        np.matmul(self.A, products.reshape(len(products), -1), out=y.reshape(mh * mw, -1))
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
        products = scratch("products", (len(self.B), n * TH * TW, self.K), dout.dtype)
        np.matmul(self.A.T, y.reshape(mh * mw, -1), out=products.reshape(len(products), -1))
        return products

    def downstream(self, dv, dx):
        """The transpose of `inputs`: from (a², M, C) into dx (n, H, W, C)."""
        (TH, TW), (mh, mw), (ah, aw) = self.tiles, self.m, self.a
        n = len(dx)
        dtiles = scratch("tiles", (ah, aw, n, TH, TW, self.C), dx.dtype)
        np.matmul(self.B.T, dv.reshape(len(dv), -1), out=dtiles.reshape(ah * aw, -1))
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


def forward(x, w, b, *, stride=1, pad=0, groups=1, tile=5):
    """As `ops.conv_forward`; arrays are as it needs them already.

    tile : the largest m; larger tiles save more multiplications, and lose more digits.
    """
    stride, pad, phases = pair(stride), pair(pad), None
    if stride != (1, 1):
        sizes = zip(x.shape[1:3], w.shape[:2], stride, pad, strict=True)
        out_size = tuple(output_size(size, F, stride=S, pad=P) for size, F, S, P in sizes)
        phases = Phases(x.shape, w.shape, out_size, stride, pad, groups)
        x, w, pad = phases.images(x), phases.filters(w), (0, 0)
    plan = _Plan(x.shape, w.shape, x.dtype, pad, groups, tile)
    u = plan.filters(w)
    out = empty((plan.N, plan.OH, plan.OW, plan.K), x.dtype)

    def some(start, stop):
        for images in pieces(start, stop, plan.block):
            v = plan.inputs(x[images])
            products = scratch("products", (*v.shape[:2], plan.K), x.dtype)
            np.matmul(plan.by_group(v), u, out=plan.by_group(products))
            plan.outputs(products, out[images])
            out[images] += b

    share_out(some, plan.N)
    return out, (phases, plan, x, w)


def backward(dout, cache, *, input_gradient=True):
    """As `ops.conv_backward`; dx is None if it is not asked for."""
    phases, plan, x, w = cache
    u = plan.turned_filters(w)
    dx = empty(x.shape, x.dtype) if input_gradient else None

    def some(start, stop):
        shape = len(plan.B), plan.G, plan.D, plan.K // plan.G
        du, more = empty(shape, x.dtype), scratch("du", shape, x.dtype)
        du[...] = 0
        for images in pieces(start, stop, plan.block):
            dproducts = plan.by_group(plan.upstream(dout[images]))
            v = plan.inputs(x[images])
            du += np.matmul(plan.by_group(v).transpose(0, 1, 3, 2), dproducts, out=more)
            if dx is not None:
                np.matmul(dproducts, u, out=plan.by_group(v))
                plan.downstream(v, dx[images])
        return du, dout[start:stop].sum(axis=(0, 1, 2))

    parts = share_out(some, plan.N)
    du, db = (sum(part[1:], start=part[0]) for part in zip(*parts, strict=True))
    du = du.transpose(0, 2, 1, 3).reshape(len(plan.B), -1)
    dw = product(plan.F.T, du).reshape(w.shape)
    if phases is not None:
        dx, dw = None if dx is None else phases.images_back(dx), phases.filters_back(dw)
    return dx, dw, db
