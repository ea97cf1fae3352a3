"""Convolution with a stride, turned into one without: every phase of the pixels is a channel.

A filter that moves S pixels at a time sees the image as S·S coarser ones, each of every S-th pixel.
Laid on top of each other as channels they are read by a filter of ⌈F/S⌉ weights that moves by one:

x'[n, i, j, (p, q, c)] = x_padded[n, i·S + p, j·S + q, c] and likewise for w.

AlexNet's first convolution, 11×11 with stride 4 over 227×227×3, becomes one of 3×3 over 57×57×48.
Some weights of the new filters are zero, since 3·4 > 11.
"""

import math

import numpy as np

from cnnlab.fast.memory import scratch


class Phases:
    """From one to the other and back, for these shapes; 1 ≤ stride."""

    def __init__(self, x_shape, w_shape, out_size, stride, pad, groups):
        (_, self.H, self.W, self.C), self.w_shape = x_shape, w_shape
        self.stride, self.pad, self.G = stride, pad, groups
        self.extent = tuple(-(-F // S) for F, S in zip(w_shape[:2], stride, strict=True))
        self.size = tuple(length + E - 1 for length, E in zip(out_size, self.extent, strict=True))

    def shape(self, n):
        """Of n images taken apart: (n, H', W', S·S·C)."""
        return n, *self.size, math.prod(self.stride) * self.C

    def images(self, x):
        """(n, H, W, C) to (n, H', W', S·S·C), in scratch memory."""
        out, padded = scratch("coarse", self.shape(len(x)), x.dtype), self._padded(x.dtype)
        padded[...] = 0
        inside, phases = self._inside(padded), self._phases(padded)
        for image, coarse in zip(x, out, strict=True):
            inside[...] = image
            coarse.reshape(phases.shape)[...] = phases
        return out

    def images_back(self, dout, dx):
        """The transpose of `images`: from (n, H', W', S·S·C) into dx (n, H, W, C)."""
        padded = self._padded(dx.dtype)
        inside, phases = self._inside(padded), self._phases(padded)
        for dimage, dcoarse in zip(dx, dout, strict=True):
            phases[...] = dcoarse.reshape(phases.shape)
            dimage[...] = inside

    def _padded(self, dtype):
        """Room for one padded image."""
        (SH, SW), (QH, QW) = self.stride, self.size
        return scratch("fine", (QH * SH, QW * SW, self.C), dtype)

    def _inside(self, padded):
        """The image in it, a view."""
        PH, PW = self.pad
        return padded[PH : PH + self.H, PW : PW + self.W]

    def _phases(self, padded):
        """The padded image as (H', W', G, SH, SW, D), a view."""
        (SH, SW), (QH, QW) = self.stride, self.size
        return padded.reshape(QH, SH, QW, SW, self.G, -1).transpose(0, 2, 4, 1, 3, 5)

    def filters(self, w):
        """(FH, FW, D, K) to (⌈FH/S⌉, ⌈FW/S⌉, S·S·D, K)."""
        (SH, SW), (EH, EW), (FH, FW, D, K) = self.stride, self.extent, self.w_shape
        padded = np.zeros((EH * SH, EW * SW, D, K), w.dtype)
        padded[:FH, :FW] = w
        phases = padded.reshape(EH, SH, EW, SW, D, K).transpose(0, 2, 1, 3, 4, 5)
        return phases.reshape(EH, EW, SH * SW * D, K)

    def filters_back(self, dphases):
        """The transpose of `filters`."""
        (SH, SW), (EH, EW), (FH, FW, D, K) = self.stride, self.extent, self.w_shape
        phases = dphases.reshape(EH, EW, SH, SW, D, K).transpose(0, 2, 1, 3, 4, 5)
        return phases.reshape(EH * SH, EW * SW, D, K)[:FH, :FW]
