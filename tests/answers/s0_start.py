"""Right answers to the question of page 00."""

import numpy as np

RIGHT = [
    ("s0.patch_response", lambda patch, kernel: float((patch * kernel).sum())),
    ("s0.patch_response", lambda patch, kernel: np.vdot(patch, kernel)),
    ("s0.patch_response", lambda patch, kernel: np.einsum("ij,ij->", patch, kernel)),
]
