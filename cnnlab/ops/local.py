"""Filters that are shared by few positions, or by none."""


def local_forward(x, w, b, *, stride=1, pad=0):
    raise NotImplementedError


def local_backward(dout, cache):
    raise NotImplementedError


def tiled_forward(x, w, b, *, stride=1, pad=0):
    raise NotImplementedError


def tiled_backward(dout, cache):
    raise NotImplementedError
