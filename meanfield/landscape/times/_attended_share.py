import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy.special import gammaln, roots_legendre

from ..._checks import check_dimension, check_known, check_positive
from ..._door import door
from ..._typing import Scalar

_FAR = 30.0
"""Exponents beyond which those of the keys, z, are integrated by the number of keys up to them."""
_TAIL = 45.0
"""e^-45 is less than rounding."""


@door
def attended_share(scale: Scalar | float, d: int) -> Scalar:
    """The limit of E sum_j w_j^2 in long contexts: the chance that attention draws the same key twice.

        w_j = e^{beta_n <q, y_j>}/Z,    beta_n = scale n^{2/(d-1)},    n uniform keys on S^{d-1}, n -> inf

    At this beta_n the best keys share the attention as the points of a Poisson process of exponents u, in
    number N(u) = C u^{m/2} up to u, with m = d - 1 and C = (c_d/m) (2/scale)^{m/2}:

        E sum w^2 = int e^{-psi(z)} p(z) dz,    psi(z) = int N(z + g) e^{-g - e^{-g}} dg,
        p(z) = int N(z + g) (2 e^{-2g} - e^{-3g}) e^{-e^{-g}} dg

    From 0, attention spread over ever more keys, for small scales, to 1, one key, for large ones. 1/share is
    the effective number of keys. By quadrature, right to 1e-11 for scales above .01 and d <= 20; the dtype
    is that of `scale`. Raises ValueError for scale <= 0, d < 2, and a scale that is traced.
    Source: after arXiv 2605.08505; the Poisson limit is that of extreme values.
    """
    d, scale = check_dimension(d, 2), check_positive(scale, "scale", "pass scale=1.0")
    check_known(scale, "a scale", "call it outside of jit")
    m, s = d - 1, float(scale)
    # c_d/m (2/s)^{m/2}, with c_d the density of cos at 1, up to its power.
    c = math.exp(gammaln(d / 2) - gammaln(m / 2)) / math.sqrt(math.pi)
    log_size = math.log(c / m) + m / 2 * math.log(2 / s)
    if log_size > 2 * _TAIL:  # the share is below 1/size
        return jnp.zeros((), scale.dtype)
    size = math.exp(log_size)
    z, weight = _nodes(-_TAIL, _FAR, 600)
    psi, p = _averages(z, size, m)
    near = weight @ (np.exp(-psi) * p)
    # Beyond, by v = N(z): z itself may run to thousands before e^-v is small.
    first = size * _FAR ** (m / 2)
    # Of 1/z there are powers, smooth in log v: so are its nodes up to 1.
    logs, log_weight = _nodes(math.log(first), math.log(max(first, 1.0)), 300)
    v, weight = _nodes(max(first, 1.0), first + _TAIL, 300)
    v, weight = np.append(np.exp(logs), v), np.append(np.exp(logs) * log_weight, weight)
    z = (v / size) ** (2 / m)
    psi, p = _far_averages(z, v, m)
    far = weight @ (np.exp(-psi) * p / (m / 2 * v / z))
    return jnp.asarray(near + far, scale.dtype)


def _far_averages(z: Float[np.ndarray, " k"], v: Float[np.ndarray, " k"], m: int):
    """psi and p where N(z) = v and z > 5: N(z + g) - v alone counts, as e^{-g-e^{-g}} has mass 1, and
    2 e^{-2g} - e^{-3g} with e^{-e^{-g}} has none."""
    g, weight = _nodes(-5.0, _TAIL, 400)
    e = np.exp(-g)
    change = v[:, None] * np.expm1(m / 2 * np.log1p(g / z[:, None])) * weight * np.exp(-e)
    return v + (change * e).sum(axis=1), (change * (2 * e**2 - e**3)).sum(axis=1)


def _averages(z: Float[np.ndarray, " k"], size: float, m: int):
    """psi and p: averages of N(z + g) = size y^m, with y^2 = z + g, in which they are smooth at 0."""
    y, weight = _nodes(np.sqrt(np.maximum(z - 5, 0)), np.sqrt(np.maximum(z, 0) + _TAIL), 400)
    g = y**2 - z[:, None]
    e = np.exp(-g)
    each = size * y**m * 2 * y * weight * np.exp(-e)
    return (each * e).sum(axis=1), (each * (2 * e**2 - e**3)).sum(axis=1)


def _nodes(low, high, count: int):
    """Gauss-Legendre nodes and weights on intervals, along the last axis."""
    low, high = np.asarray(low)[..., None], np.asarray(high)[..., None]
    x, w = roots_legendre(count)
    return (low + high) / 2 + (high - low) / 2 * x, (high - low) / 2 * w
