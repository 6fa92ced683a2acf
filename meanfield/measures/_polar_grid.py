"""The quadrature rule of polar cosines t = tanh s, whose law is proportional to sech(s)^{d-1}."""

import functools
import math

import numpy as np


@functools.cache
def polar_grid(d: int) -> np.ndarray:
    """Offsets from the mode that reach down to e^{-38} of the peak, by steps that resolve it."""
    reach = 9.5 / math.sqrt(d - 1) + 38 / (d - 1)
    # The poles of tanh bound the step for small d, the width of the peak for large d.
    half = math.ceil(reach / min(0.13, 0.5 / math.sqrt(d - 1)))
    return np.linspace(-reach, reach, 2 * half + 1)
