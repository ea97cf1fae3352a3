"""Convolution with a stride, turned into one without: every phase of the pixels is a channel.

A filter that moves S pixels at a time sees the image as S·S coarser ones, each of every S-th pixel.
Laid on top of each other as channels they are read by a filter of ⌈F/S⌉ weights that moves by one:

x'[n, i, j, (p, q, c)] = x_padded[n, i·S + p, j·S + q, c] and likewise for w.

AlexNet's first convolution, 11×11 with stride 4 over 227×227×3, becomes one of 3×3 over 57×57×48.
Some weights of the new filters are zero, since 3·4 > 11.
"""

import numpy as np

from cnnlab.fast.memory import empty, scratch
from cnnlab.fast.sharing import share_out


class Phases:
    """From one to the other and back, for these shapes; 1 ≤ stride."""

    def __init__(self, x_shape, w_shape, out_size, stride, pad, groups):
        (self.N, self.H, self.W, self.C), self.w_shape = x_shape, w_shape
        self.stride, self.pad, self.G = stride, pad, groups
        self.extent = tuple(-(-F // S) for F, S in zip(w_shape[:2], stride, strict=True))
        self.size = tuple(length + E - 1 for length, E in zip(out_size, self.extent, strict=True))

    def images(self, x):
        """(N, H, W, C) to (N, H', W', S·S·C)."""
        (SH, SW), (PH, PW), (QH, QW) = self.stride, self.pad, self.size
        out = empty((self.N, QH, QW, SH * SW * self.C), x.dtype)

        def some(start, stop):
            padded = scratch("phases", (QH * SH, QW * SW, self.C), x.dtype)
            padded[...] = 0
            for n in range(start, stop):
                padded[PH : PH + self.H, PW : PW + self.W] = x[n]
                phases = padded.reshape(QH, SH, QW, SW, self.G, -1).transpose(0, 2, 4, 1, 3, 5)
                out[n].reshape(phases.shape)[...] = phases

        share_out(some, self.N)
        return out

    def images_back(self, dphases):
        """The transpose of `images`."""
        (SH, SW), (PH, PW), (QH, QW) = self.stride, self.pad, self.size
        dx = empty((self.N, self.H, self.W, self.C), dphases.dtype)

        def some(start, stop):
            for n in range(start, stop):
                phases = dphases[n].reshape(QH, QW, self.G, SH, SW, -1).transpose(0, 3, 1, 4, 2, 5)
                padded = phases.reshape(QH * SH, QW * SW, self.C)
                dx[n] = padded[PH : PH + self.H, PW : PW + self.W]

        share_out(some, self.N)
        return dx

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
