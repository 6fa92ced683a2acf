import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..._checks import check_dimension
from ..._door import door


@door
def log_cap_measure(angle: Float[Array, "*batch"], d: int) -> Float[Array, "*batch"]:
    """log F, where F is the share of S^{d-1} within `angle` of a point.

        F = int_0^angle sin^{d-2} / int_0^pi sin^{d-2} = (1/2) I_{sin^2 angle}((d-1)/2, 1/2)

    up to pi/2, and one minus that of pi - angle beyond; -inf at angle 0. The logarithm is computed
    as such, to rounding for every d >= 2, where F itself underflows. F is angle/pi on the circle and
    sin^2(angle/2) on S^2. Raises ValueError if d < 2.
    """
    d = check_dimension(d, least=2)
    half = jnp.minimum(angle, math.pi - angle)
    right = _log_tail(jnp.zeros((), angle.dtype), d) + math.log(2)
    log_half = (d - 1) * jnp.log(jnp.sin(half)) + _log_tail(jnp.cos(half), d) - right
    return jnp.where(angle <= math.pi / 2, log_half, jnp.log1p(-jnp.exp(log_half)))


def _log_tail(cosine: Float[Array, "*batch"], d: int) -> Float[Array, "*batch"]:
    """log( int_0^angle sin^{d-2} / sin(angle)^{d-1} ) for cosine >= 0.

    With cos = tanh s this is log int_0^inf (cosh v + cosine sinh v)^{-(d-1)} dv, the integral of a
    smooth decaying function, for which the double-exponential trapezoid rule is exact to rounding.
    """
    v, log_weight = (jnp.asarray(a, cosine.dtype) for a in _half_line(d))
    growth = jnp.log1p(2 * jnp.sinh(v / 2) ** 2 + cosine[..., None] * jnp.sinh(v))
    return jax.nn.logsumexp(log_weight - (d - 1) * growth, axis=-1)


@functools.cache
def _half_line(d: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes v = exp(u - e^{-u}) / (d - 1) and log weights on (0, inf), for decay like e^{-(d-1)v}."""
    step = 0.1
    reach = 9 / math.sqrt(d - 1) + 40 / (d - 1)  # beyond it every integrand is below e^{-38}
    u = np.arange(-3.8, math.log(reach * (d - 1)) + 0.3, step)
    v = np.exp(u - np.exp(-u)) / (d - 1)
    return v, np.log(step * v * (1 + np.exp(-u)))
