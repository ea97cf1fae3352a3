"""Convolution as a matrix product, a few images at a time, so that their columns stay in cache.

Where an image has few channels and a layer few filters, the columns take longer to lay out than the
product to compute. So one row of columns serves several neighboring outputs: it holds all pixels
that they see together, and each of them has filters with zeros where it does not look. That costs
some multiplications by zero, and saves most of the copies.
"""

from typing import Any

import numpy as np

from cnnlab.fast.affine import sum_of_rows
from cnnlab.fast.memory import empty, padded, scratch
from cnnlab.fast.sharing import pieces, share_out, summed
from cnnlab.shapes import output_size, pair

# Numbers that the columns of one block of images may have.
_BLOCK = 2**19

# Multiplications that take as long as to copy one number into the columns, and the fewest filters
# for which a matrix product is worth its time.
_COPY, _NARROW = 50, 16


def neighbors(size: int, kernel_size: int, stride: int, filters: int) -> int:
    """How many outputs side by side should share a row of columns.

    Examples
    --------
    The second convolution of LeNet-5, and one with many filters:

    >>> neighbors(10, 5, 1, 16), neighbors(13, 3, 1, 384)
    (5, 1)
    """

    def cost(t):
        pixels = (t - 1) * stride + kernel_size
        return -(-size // t) * pixels * (max(t * filters, _NARROW) + _COPY)

    return min(range(1, size + 1), key=cost, default=1)


class _Plan:
    """All that is fixed by the shapes."""

    def __init__(self, x_shape, w_shape, stride, pad, groups):
        (self.N, self.H, self.W, self.C), (self.PH, self.PW) = x_shape, pair(pad)
        self.FH, self.FW, self.D, self.K = w_shape
        (self.SH, self.SW), self.G = pair(stride), groups
        self.OH = output_size(self.H, self.FH, stride=self.SH, pad=self.PH)
        self.OW = output_size(self.W, self.FW, stride=self.SW, pad=self.PW)
        # t outputs of a row see a pixels; the last ones may hang over the edge.
        self.t = neighbors(self.OW, self.FW, self.SW, self.K // groups)
        self.a = (self.t - 1) * self.SW + self.FW
        self.TW = -(-self.OW // self.t)
        self.height = (self.OH - 1) * self.SH + self.FH
        self.width = (self.TW - 1) * self.t * self.SW + self.a
        per_image = self.OH * self.TW * self.FH * self.a * self.C
        self.block = max(1, _BLOCK // max(1, per_image))

    def columns(self, x):
        """(n, H, W, C) to (G, n·OH·TW, FH·a·D)."""
        if x.shape[1:3] != (self.height, self.width):
            x = padded(x, self.height, self.width, (self.PH, self.PW))
        n, (s0, s1, s2, s3) = len(x), x.strides
        windows = np.lib.stride_tricks.as_strided(
            x,
            (self.G, n, self.OH, self.TW, self.FH, self.a, self.D),
            (self.D * s3, s0, self.SH * s1, self.t * self.SW * s2, s1, s2, s3),
        )
        columns = scratch("columns", windows.shape, x.dtype)
        columns[...] = windows
        return columns.reshape(self.G, n * self.OH * self.TW, -1)

    def filters(self, w):
        """(FH, FW, D, K) to (G, FH·a·D, t·K/G), with zeros where an output does not look."""
        by_group = w.reshape(self.FH, self.FW, self.D, self.G, -1).transpose(3, 0, 1, 2, 4)
        filters = np.zeros((self.G, self.FH, self.a, self.D, self.t, self.K // self.G), w.dtype)
        for output, seen in self._seen():
            filters[:, :, seen, :, output] = by_group
        return filters.reshape(self.G, self.FH * self.a * self.D, -1)

    def weights(self, dfilters):
        """The transpose of `filters`."""
        dfilters = dfilters.reshape(self.G, self.FH, self.a, self.D, self.t, -1)
        by_group = sum(dfilters[:, :, seen, :, output] for output, seen in self._seen())
        return by_group.transpose(1, 2, 3, 0, 4).reshape(self.FH, self.FW, self.D, self.K)

    def _seen(self):
        """For each of t neighbors the pixels that it sees of the a."""
        for output in range(self.t):
            yield output, slice(output * self.SW, output * self.SW + self.FW)

    def by_group(self, values):
        """(n, OH, TW·t, K) to (G, n·OH·TW, t·K/G)."""
        if self.G == 1:
            return values.reshape(1, -1, self.t * self.K)
        shape = (-1, self.t, self.G, self.K // self.G)
        return values.reshape(shape).transpose(2, 0, 1, 3).reshape(self.G, -1, shape[1] * shape[3])

    def outputs(self, products, b, out):
        """From (G, n·OH·TW, t·K/G) products into out (n, OH, OW, K), with the bias."""
        values = products.reshape(self.G, -1, self.t, self.K // self.G).transpose(1, 2, 0, 3)
        rows = values.reshape(len(out), self.OH, self.TW * self.t * self.K)
        width = self.OW * self.K
        np.add(rows[:, :, :width], np.tile(b, self.OW), out=out.reshape(len(out), self.OH, width))

    def upstream(self, dout):
        """The transpose of `outputs`, without the bias."""
        if self.TW * self.t != self.OW:
            dout = padded(dout, self.OH, self.TW * self.t, (0, 0))
        return self.by_group(dout)

    def downstream(self, dcolumns, dx):
        """The transpose of `columns`: from (G, n·OH·TW, FH·a·D) into dx (n, H, W, C)."""
        n, step = len(dx), self.t * self.SW
        # Windows overlap: cut each into pieces as wide as a step, which lie side by side.
        count = -(-self.a // step)
        total = scratch(
            "padded", (n, self.height, self.TW + count - 1, step, self.G, self.D), dx.dtype
        )
        total[...] = 0
        windows = dcolumns.reshape(self.G, n, self.OH, self.TW, self.FH, self.a, self.D)
        windows = windows.transpose(1, 2, 3, 4, 5, 0, 6)
        for u in range(self.FH):
            rows = total[:, u : u + self.SH * self.OH : self.SH]
            for q in range(count):
                piece = windows[:, :, :, u, q * step : (q + 1) * step]
                rows[:, :, q : q + self.TW, : piece.shape[3]] += piece
        total = total.reshape(n, self.height, -1, self.C)
        dx[...] = total[:, self.PH : self.PH + self.H, self.PW : self.PW + self.W]


def forward(x, w, b, *, stride=1, pad=0, groups=1):
    """As `ops.conv_forward`; arrays are as it needs them already."""
    plan = _Plan(x.shape, w.shape, stride, pad, groups)
    filters = plan.filters(w)
    out = empty((plan.N, plan.OH, plan.OW, plan.K), x.dtype)

    def some(start, stop):
        for images in pieces(start, stop, plan.block):
            columns = plan.columns(x[images])
            shape = plan.G, columns.shape[1], filters.shape[2]
            products = np.matmul(columns, filters, out=scratch("products", shape, x.dtype))
            plan.outputs(products, b, out[images])

    share_out(some, plan.N)
    return out, (plan, x, w)


def backward(dout, cache, *, input_gradient=True):
    """As `ops.conv_backward`; dx is None if it is not asked for."""
    plan, x, w = cache
    turned: Any = plan.filters(w).transpose(0, 2, 1) if input_gradient else None
    dx = empty(x.shape, x.dtype) if input_gradient else None

    def some(start, stop):
        dfilters = np.zeros((plan.G, plan.FH * plan.a * plan.D, plan.t * plan.K // plan.G), x.dtype)
        for images in pieces(start, stop, plan.block):
            columns, dproducts = plan.columns(x[images]), plan.upstream(dout[images])
            dfilters += columns.transpose(0, 2, 1) @ dproducts
            if dx is not None:
                plan.downstream(np.matmul(dproducts, turned, out=columns), dx[images])
        return dfilters, sum_of_rows(dout[start:stop])

    dfilters, db = summed(share_out(some, plan.N))
    return dx, plan.weights(dfilters), db
