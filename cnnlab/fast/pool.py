"""Pooling, fast: along one axis, then along the other, some images at a time."""

import numpy as np

from cnnlab.fast.memory import empty, scratch
from cnnlab.fast.sharing import pieces, share_out
from cnnlab.shapes import as_upstream, expect_floats, expect_rank, output_size, pair

# Numbers of a few images that are pooled at a time, to stay in cache.
_BLOCK = 2**19


def max_pool_forward(x, *, kernel_size=2, stride=None):
    """As `ops.max_pool_forward`.

    The largest of each row of a window first, then the largest of those: FH + FW comparisons in
    place of FH·FW. Who won is found out on the way back.
    """
    expect_rank("x", x, "N H W C")
    (FH, FW), (SH, SW) = pair(kernel_size), pair(kernel_size if stride is None else stride)
    N, H, W, C = x.shape
    OH, OW = output_size(H, FH, stride=SH), output_size(W, FW, stride=SW)
    out = empty((N, OH, OW, C), x.dtype)

    block = _images(x)

    def some(start, stop):
        for images in pieces(start, stop, block):
            part = x[images]
            rows = scratch("rows", (len(part), H, OW, C), x.dtype)
            _combine(np.maximum, [part[:, :, v : v + SW * OW : SW] for v in range(FW)], rows)
            _combine(np.maximum, [rows[:, u : u + SH * OH : SH] for u in range(FH)], out[images])

    share_out(some, N)
    return out, (x, out, (FH, FW), (SH, SW))


def max_pool_backward(dout, cache):
    """As `ops.max_pool_backward`: among equals the first of a window wins."""
    x, out, (FH, FW), (SH, SW) = cache
    dout = as_upstream(dout, out.shape, x.dtype if x.dtype.kind == "f" else None)
    (N, OH, OW, C), H = out.shape, x.shape[1]
    dx, block = empty(x.shape, dout.dtype), _images(x)

    def some(start, stop):
        for images in pieces(start, stop, block):
            part, dpart = x[images], dx[images]
            rows = scratch("rows", (len(part), H, OW, C), x.dtype)
            drows = scratch("drows", rows.shape, dout.dtype)
            apart, dapart = _apart("apart", part, SW), _apart("dapart", dpart, SW)
            across = [(v % SW, np.s_[:, :, v // SW : v // SW + OW]) for v in range(FW)]
            down = [np.s_[:, u : u + SH * OH : SH] for u in range(FH)]
            for phase in range(SW):
                columns = part[:, :, phase::SW]
                apart[phase, :, :, : columns.shape[2]] = columns
            taps = [apart[phase][tap] for phase, tap in across]
            _combine(np.maximum, taps, rows)
            drows[...] = 0
            _hand_out(
                dout[images], out[images], [rows[tap] for tap in down], [drows[tap] for tap in down]
            )
            dapart[...] = 0
            _hand_out(drows, rows, taps, [dapart[phase][tap] for phase, tap in across])
            for phase in range(SW):
                columns = dpart[:, :, phase::SW]
                columns[...] = dapart[phase, :, :, : columns.shape[2]]

    share_out(some, N)
    return dx


def _apart(role, x, stride):
    """Room for the columns of x that are a stride apart: (S, n, H, ⌈W/S⌉, C)."""
    n, H, W, C = x.shape
    return scratch(role, (stride, n, H, -(-W // stride), C), x.dtype)


def avg_pool_forward(x, *, kernel_size=2, stride=None):
    """As `ops.avg_pool_forward`."""
    expect_rank("x", x, "N H W C")
    expect_floats("x", x)
    (FH, FW), (SH, SW) = pair(kernel_size), pair(kernel_size if stride is None else stride)
    N, H, W, C = x.shape
    OH, OW = output_size(H, FH, stride=SH), output_size(W, FW, stride=SW)
    out, block = empty((N, OH, OW, C), x.dtype), _images(x)
    share = x.dtype.type(1 / (FH * FW))

    def some(start, stop):
        for images in pieces(start, stop, block):
            part, held = x[images], out[images]
            columns = scratch("columns", (len(part), OH, W, C), x.dtype)
            _combine(np.add, [part[:, u : u + SH * OH : SH] for u in range(FH)], columns)
            _combine(np.add, [columns[:, :, v : v + SW * OW : SW] for v in range(FW)], held)
            held *= share

    share_out(some, N)
    return out, (x.shape, out.shape, x.dtype, (FH, FW), (SH, SW))


def avg_pool_backward(dout, cache):
    """As `ops.avg_pool_backward`."""
    x_shape, out_shape, dtype, (FH, FW), (SH, SW) = cache
    dout = as_upstream(dout, out_shape, dtype)
    (N, _, W, C), (_, OH, OW, _) = x_shape, out_shape
    dx, share = empty(x_shape, dtype), dtype.type(1 / (FH * FW))

    def some(start, stop):
        for images in pieces(start, stop, _images(dx)):
            part = np.multiply(dout[images], share)
            columns = scratch("columns", (len(part), OH, W, C), dtype)
            _spread(part, [columns[:, :, v : v + SW * OW : SW] for v in range(FW)], columns, SW)
            _spread(columns, [dx[images, u : u + SH * OH : SH] for u in range(FH)], dx[images], SH)

    share_out(some, N)
    return dx


def _spread(values, taps, out, stride):
    """Add the values to each tap of an empty `out`."""
    if len(taps) == stride:  # the taps are all of it, and do not overlap
        for tap in taps:
            tap[...] = values
        return
    out[...] = 0
    for tap in taps:
        tap += values


def _images(x):
    """How many images to pool at a time."""
    return max(1, _BLOCK // max(1, x[:1].size))


def _combine(operation, taps, out):
    """All taps, one after the other, by np.maximum or np.add."""
    if len(taps) == 1:
        out[...] = taps[0]
        return
    operation(taps[0], taps[1], out=out)
    for tap in taps[2:]:
        operation(out, tap, out=out)


def _hand_out(dout, out, taps, dtaps):
    """Add the gradient of the largest, `out` of the taps, to the first that is as large."""
    left, here = scratch("left", out.shape, bool), scratch("here", out.shape, bool)
    part = scratch("part", out.shape, dout.dtype)
    left[...] = True
    for tap, dtap in zip(taps[:-1], dtaps[:-1], strict=True):
        np.equal(tap, out, out=here)
        here &= left
        left ^= here
        dtap += np.multiply(dout, here, out=part)
    # If none before it was, the last one is.
    dtaps[-1][...] += np.multiply(dout, left, out=part)
