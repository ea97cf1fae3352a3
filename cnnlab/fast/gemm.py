"""Convolution as a matrix product, a few images at a time, so that their columns stay in cache."""

import numpy as np

from cnnlab.fast.memory import empty, padded, scratch
from cnnlab.fast.sharing import pieces, share_out, summed
from cnnlab.shapes import output_size, pair

# Numbers that the columns of one block of images may have.
_BLOCK = 2**19


class _Plan:
    """All that is fixed by the shapes."""

    def __init__(self, x_shape, w_shape, stride, pad, groups):
        (self.N, self.H, self.W, self.C), (self.PH, self.PW) = x_shape, pair(pad)
        self.FH, self.FW, self.D, self.K = w_shape
        (self.SH, self.SW), self.G = pair(stride), groups
        self.OH = output_size(self.H, self.FH, stride=self.SH, pad=self.PH)
        self.OW = output_size(self.W, self.FW, stride=self.SW, pad=self.PW)
        per_image = self.OH * self.OW * self.FH * self.FW * self.C
        self.block = max(1, _BLOCK // max(1, per_image))

    def columns(self, x):
        """(n, H, W, C) to (G, n·OH·OW, FH·FW·D): one row per position, as in `ops.conv`."""
        PH, PW = self.PH, self.PW
        if PH or PW:
            x = padded(x, self.H + 2 * PH, self.W + 2 * PW, (PH, PW))
        n, (s0, s1, s2, s3) = len(x), x.strides
        windows = np.lib.stride_tricks.as_strided(
            x,
            (self.G, n, self.OH, self.OW, self.FH, self.FW, self.D),
            (self.D * s3, s0, self.SH * s1, self.SW * s2, s1, s2, s3),
        )
        rows, weights = n * self.OH * self.OW, self.FH * self.FW * self.D
        # What is copied in one go should be long: along a window, or along a row of windows.
        if self.FW * self.D >= self.OW:
            columns = scratch("columns", windows.shape, x.dtype)
            columns[...] = windows
            return columns.reshape(self.G, rows, weights)
        windows = windows.transpose(0, 4, 5, 6, 1, 2, 3)
        columns = scratch("columns", windows.shape, x.dtype)
        columns[...] = windows
        return columns.reshape(self.G, weights, rows).transpose(0, 2, 1)

    def turned(self):
        """The padding with which the turned filters give the gradient of the input, if any does."""
        pad = self.FH - 1 - self.PH, self.FW - 1 - self.PW
        return pad if (self.SH, self.SW) == (1, 1) and min(pad) >= 0 else None

    def filters(self, w):
        """(FH, FW, D, K) to (G, FH·FW·D, K/G)."""
        by_group = w.reshape(self.FH * self.FW * self.D, self.G, -1).transpose(1, 0, 2)
        return np.ascontiguousarray(by_group)

    def by_group(self, values):
        """(n, OH, OW, K) to (G, n·OH·OW, K/G)."""
        return values.reshape(-1, self.G, self.K // self.G).transpose(1, 0, 2)

    def downstream(self, dcolumns, dx):
        """The transpose of `columns`: from (G, n·OH·OW, FH·FW·D) into dx (n, H, W, C)."""
        n = len(dx)
        shape = (n, self.H + 2 * self.PH, self.W + 2 * self.PW, self.G, self.D)
        dpadded = scratch("padded", shape, dx.dtype)
        dpadded[...] = 0
        windows = dcolumns.reshape(self.G, n, self.OH, self.OW, self.FH, self.FW, self.D)
        for u in range(self.FH):
            for v in range(self.FW):
                rows = slice(u, u + self.SH * self.OH, self.SH)
                columns = slice(v, v + self.SW * self.OW, self.SW)
                dpadded[:, rows, columns] += windows[..., u, v, :].transpose(1, 2, 3, 0, 4)
        inside = dpadded[:, self.PH : self.PH + self.H, self.PW : self.PW + self.W]
        dx[...] = inside.reshape(dx.shape)


def forward(x, w, b, *, stride=1, pad=0, groups=1):
    """As `ops.conv_forward`; arrays are as it needs them already."""
    plan = _Plan(x.shape, w.shape, stride, pad, groups)
    filters = plan.filters(w)
    out = empty((plan.N, plan.OH, plan.OW, plan.K), x.dtype)

    def some(start, stop):
        for images in pieces(start, stop, plan.block):
            np.matmul(plan.columns(x[images]), filters, out=plan.by_group(out[images]))
            out[images] += b

    share_out(some, plan.N)
    return out, (plan, x, w)


def backward(dout, cache, *, input_gradient=True):
    """As `ops.conv_backward`; dx is None if it is not asked for."""
    plan, x, w = cache
    filters = plan.filters(w).transpose(0, 2, 1)
    turned = plan.turned() if input_gradient else None
    dx = empty(x.shape, x.dtype) if input_gradient and turned is None else None

    def some(start, stop):
        dw = np.zeros((plan.G, plan.FH * plan.FW * plan.D, plan.K // plan.G), x.dtype)
        for images in pieces(start, stop, plan.block):
            columns, by_group = plan.columns(x[images]), plan.by_group(dout[images])
            dw += columns.transpose(0, 2, 1) @ by_group
            if dx is not None:
                dcolumns = scratch("dcolumns", columns.shape, x.dtype)
                plan.downstream(np.matmul(by_group, filters, out=dcolumns), dx[images])
        return dw, dout[start:stop].sum(axis=(0, 1, 2))

    dw, db = summed(share_out(some, plan.N))
    if turned is not None:
        dx = _input_gradient(dout, w, turned, plan.G)
    return dx, dw.transpose(1, 0, 2).reshape(w.shape), db


def _input_gradient(dout, w, pad, groups):
    """The convolution of dout with the filters turned by 180°, from the filters to the channels."""
    FH, FW, D, K = w.shape
    by_group = w[::-1, ::-1].reshape(FH, FW, D, groups, K // groups).transpose(0, 1, 4, 3, 2)
    turned = np.ascontiguousarray(by_group).reshape(FH, FW, K // groups, groups * D)
    return forward(dout, turned, w.dtype.type(0), pad=pad, groups=groups)[0]
