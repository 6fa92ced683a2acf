import jax.numpy as jnp
from scipy.optimize import brentq

from ..._checks import check_dimension
from ..._typing import Scalar


def tricritical_beta(d: int) -> Scalar:
    """The beta_* above which noisy unnormalized attention on S^{d-1} clusters by a jump.

    I_{d/2+1}(beta_*)/I_{d/2}(beta_*) = 1/d,  or  a_2/a_1 = 1/d in the multipliers of e^{beta <x, y>}

    For beta <= beta_* the mean resultant leaves 0 continuously as the noise falls below
    `critical_noise`; for larger beta it jumps, at a noise above the critical one (see `crossing`).
    2.44692, 1.81615, 1.26655 for d = 2, 3, 8; it tends to 1 as d grows.

    Raises ValueError if d < 2.
    Source: arXiv 2604.16288 and 2606.05140.
    """
    d = check_dimension(d, least=2)
    # The ratio increases with beta, lies below beta/(d + 2), and exceeds 1/d at beta = 4 already.
    root = brentq(lambda beta: _ratio(d / 2, beta) - 1 / d, 0.5, 4.0, xtol=1e-15)
    return jnp.asarray(root, dtype=float)


def _ratio(order: float, beta: float, terms: int = 64) -> float:
    """I_{order+1}(beta)/I_{order}(beta) by Gauss's continued fraction, whose terms are all positive."""
    ratio = 0.0
    for j in range(terms, 0, -1):
        ratio = 1 / (2 * (order + j) / beta + ratio)
    return ratio
