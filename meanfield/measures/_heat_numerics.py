"""The heat kernel of S^{d-1} on the host, for tables: by its series, or for short times by its logarithm.

With m = d - 1 and density against the normalized uniform measure,

    rho(theta) = sum_k N(d, k) e^{-k(k + d - 2) s} P_k(cos theta).

For small s the terms cancel. There rho = |S^m| (4 pi s)^{-m/2} e^{-theta^2/4s} e^{(m-1)^2 s/4}
(theta / sin theta)^{(m-1)/2} e^psi with a psi that is smooth at s = 0: separating variables,

    d_s psi + (theta/s) psi' = psi'' + (m-1)/theta psi' + psi'^2 - c (1/sin^2 - 1/theta^2),

c = (m-1)(m-3)/4, whose power series in s and theta^2 is a recursion. It is 0 on S^1 and S^3.
"""

import functools
import math
from typing import NamedTuple

import numpy as np
import scipy

from ..harmonics import zonal_polynomials

_ORDERS, _POWERS = 12, 40


class PolarLaw(NamedTuple):
    """The law of the polar angle, in cells of a fine grid."""

    edges: np.ndarray
    below: np.ndarray
    above: np.ndarray
    entropy: float


def is_short(d: int, s: float) -> bool:
    """Whether s is in the range of the expansion; at the border both are good to about 1e-11."""
    return s < min(0.05, 0.64 / d)


def log_heat_kernel(d: int, s: float, theta: np.ndarray) -> np.ndarray:
    """log rho at angles theta [n]."""
    return _log_expansion(d, s, theta) if is_short(d, s) else _log_series(d, s, theta)


def _log_series(d: int, s: float, theta: np.ndarray) -> np.ndarray:
    polynomials = zonal_polynomials(d, np.cos(theta.astype(np.longdouble)))
    total = largest = next(polynomials)
    count = np.longdouble(d)
    for k, polynomial in enumerate(polynomials, start=1):
        size = count * np.exp(-np.longdouble(k) * (k + d - 2) * s)
        total = total + size * polynomial
        largest = np.maximum(largest, size * np.abs(polynomial))
        if size < 1e-22 and (k + d - 2) * s > 1 / (k + 1):
            break
        # N(d, k + 1) / N(d, k), which is 1 on the circle.
        count *= np.longdouble((2 * k + d) * (k + d - 2)) / ((k + 1) * (2 * k + d - 2))
    # Below its own rounding the sum says nothing.
    floor = 4 * np.finfo(np.longdouble).eps * largest
    return np.log(np.maximum(total, floor)).astype(float)


def _log_expansion(d: int, s: float, theta: np.ndarray) -> np.ndarray:
    m = d - 1
    # The series in theta converges below pi, where (theta / sin theta) has its pole as well.
    inside = np.minimum(theta, 3.0)
    in_theta = s ** np.arange(1, _ORDERS + 1) @ _expansion(d)
    psi = np.polynomial.polynomial.polyval(inside**2, in_theta)
    jacobian = -(m - 1) / 2 * np.log(np.sinc(inside / np.pi))
    area = math.log(2) + d / 2 * math.log(math.pi) - math.lgamma(d / 2)
    flat = area - m / 2 * math.log(4 * math.pi * s) - theta**2 / (4 * s)
    return flat + (m - 1) ** 2 * s / 4 + jacobian + psi


@functools.cache
def _expansion(d: int) -> np.ndarray:
    """a [orders, powers] of psi = sum_{j >= 1, i} a_ji s^j theta^{2i}."""
    m, i = d - 1, np.arange(_POWERS)
    # 1/sin^2 - 1/theta^2 = sum_i 2 (2i + 1) zeta(2i + 2) pi^{-2i-2} theta^{2i}.
    potential = 2 * (2 * i + 1) * scipy.special.zeta(2 * i + 2) / np.pi ** (2 * i + 2)
    a = np.zeros((_ORDERS + 1, _POWERS))
    for j in range(1, _ORDERS + 1):
        source = -(m - 1) * (m - 3) / 4 * potential if j == 1 else np.zeros(_POWERS)
        source[:-1] += (2 * i * (2 * i + m - 2) * a[j - 1])[1:]
        for p in range(1, j - 1):
            square = np.convolve(2 * i * a[p], 2 * i * a[j - 1 - p])
            source += square[1 : _POWERS + 1]
        a[j] = source / (j + 2 * i)
    return a[1:]


@functools.lru_cache(maxsize=64)
def polar_law(d: int, s: float, cells: int = 1500) -> PolarLaw:
    """The distribution function from both ends, by four Gauss points a cell."""
    m = d - 1
    reach = min(math.pi, math.sqrt(2 * s) * (math.sqrt(m) + 10))
    edges = np.linspace(0, reach, cells + 1)
    if reach == math.pi:
        # Cells that shrink towards the antipode, so that small probabilities are met there too.
        left = math.pi - edges[-21]
        edges = np.concatenate([edges[:-20], math.pi - left * 0.95 ** np.arange(1, 500), [math.pi]])
    points, weights = np.polynomial.legendre.leggauss(4)
    half = np.diff(edges)[:, None] / 2
    theta = edges[:-1, None] + half * (points + 1)
    log_rho = log_heat_kernel(d, s, theta.ravel()).reshape(theta.shape)
    log_area = math.lgamma(d / 2) - math.lgamma(m / 2) - math.log(math.pi) / 2
    log_density = log_rho + log_area + (m - 1) * np.log(np.sin(theta))
    mass = half * weights * np.exp(log_density)
    mass /= mass.sum()
    below = np.concatenate([[0], np.cumsum(mass.sum(1))])
    above = np.concatenate([np.cumsum(mass.sum(1)[::-1])[::-1], [0]])
    return PolarLaw(edges, below, above, -float(np.sum(mass * log_rho)))


def flat_radii(d: int, law: PolarLaw) -> tuple[np.ndarray, np.ndarray]:
    """Radii of the standard normal law of R^{d-1} and the angles that have the same probability.

    Only probabilities that both sums hold to many digits are used.
    """
    shape = (d - 1) / 2
    keep = (law.below > 1e-30) & (law.above > 1e-13)
    below, above = law.below[keep], law.above[keep]
    lower = scipy.special.gammaincinv(shape, np.minimum(below, 0.5))
    upper = scipy.special.gammainccinv(shape, np.minimum(above, 0.5))
    return np.sqrt(2 * np.where(below < 0.5, lower, upper)), law.edges[keep]
