from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.linalg import expm
from scipy.optimize import root_scalar

from ..._checks import check_known, check_positive, guard
from ..._door import door
from ..._shown import AbstractShown
from ..._typing import Points, Scalar
from ...dynamics import AbstractParticles
from ...geometry import Sphere
from ...transport.costs import weights_or_uniform
from ..clouds import frames, moved

_STILL = 1e-6
"""The speed, relative to the largest rate, up to which a cloud counts as stationary."""
_LONGEST = 1e4
"""Times, in units of 1/rate, after which a cloud counts as staying."""


class DwellTime(AbstractShown):
    """How long a saddle holds a cloud that comes near.

    `time` until it leaves; `rate`: the largest rate of growth at the saddle; `rates` [m]: the real parts of
    all, descending; `distance` of the cloud from the saddle at first.
    """

    time: Scalar
    rate: Scalar
    rates: Float[Array, " m"]
    distance: Scalar


@door
def dwell_time(
    flow: AbstractParticles,
    saddle: Points,
    x: Points,
    radius: Scalar | float,
    args: Any = None,
) -> DwellTime:
    """The time that a cloud x spends within a radius of a stationary cloud, by the linear flow there.

        |e^{A T} log_saddle(x)| = radius,    A = d drift/dx,    |v|^2 = sum_i w_i |v_i|^2

    which is T = log(radius/distance)/lambda for an x off along one eigenvector, of eigenvalue lambda > 0. For
    any flow on a sphere, whether a gradient or not: of antipodes of masses w, w' under `Softmax(beta)`
    lambda = w/(w + w' e^{2 beta}) + w'/(w' + w e^{2 beta}). Right to the order of the radius, where the
    flow bends: for clusters keep it well below 1/beta. Infinite where nothing grows.

    - `saddle`, `x`: clouds [n, d], tokens in the same order; merge clusters first, to heavy tokens, by
      `flow.reweight(masses)`. Dense: n(d-1) up to some hundreds. Time 0 of the flow counts.

    Raises ValueError for a saddle that moves, an x outside of the radius, a token of no mass, and under jit.
    Source: Kifer, Israel J. Math. 40 (1981) 74, for the logarithm.
    """
    radius = float(check_positive(radius, "radius"))
    if not isinstance(flow.geometry, Sphere):
        raise ValueError("expected a flow on a Sphere, got another geometry; use Sphere(d).")
    saddle, x = flow.check(saddle), flow.check(x)
    check_known((flow, saddle, x), "clouds", "call dwell_time outside of jax.jit")
    if saddle.shape != x.shape:
        raise ValueError(
            f"expected x of shape {list(saddle.shape)}, got {list(x.shape)}; pass as many tokens."
        )
    w = weights_or_uniform(flow.weights, len(x), x.dtype, "weights")
    guard(w, (w > 0).all(), "expected weights > 0, got a token of no mass; leave it out.")
    matrix, speed, shift = map(np.asarray, _linear(flow, saddle, x, w, args))
    rates = np.sort(np.linalg.eigvals(matrix).real)[::-1]
    if not float(np.linalg.norm(speed)) <= _STILL * np.abs(rates).max():
        raise ValueError(
            f"expected a stationary saddle, got a speed of {float(np.linalg.norm(speed)):.1e}; find it "
            "by mf.landscape.saddle."
        )
    distance = float(np.linalg.norm(shift))
    if not distance < radius:
        raise ValueError(
            f"expected x within {radius:g} of the saddle, got a distance of {distance:.4g}; raise radius."
        )
    time = _crossing(matrix, shift, radius, rates[0])
    return DwellTime(*(jnp.asarray(part, x.dtype) for part in (time, rates[0], rates, distance)))


@eqx.filter_jit
def _linear(flow, saddle, x, w, args):
    """A, the velocity at the saddle and log(saddle, x), in orthonormal coordinates of the metric."""
    bases, root = frames(saddle), jnp.repeat(jnp.sqrt(w), x.shape[1] - 1)

    def coordinates(v: Points) -> Float[Array, " m"]:
        return root * jnp.einsum("ndm,nd->nm", bases, v, precision="highest").ravel()

    def velocity(y: Float[Array, " m"]) -> Float[Array, " m"]:
        at = moved(saddle, bases, y / root)
        return coordinates(flow.drift(jnp.zeros((), x.dtype), at, args))

    still = jnp.zeros(root.size, x.dtype)
    shift = coordinates(flow.geometry.log(saddle, x))
    return jax.jacfwd(velocity)(still), velocity(still), shift


def _crossing(matrix: np.ndarray, shift: np.ndarray, radius: float, rate: float) -> float:
    """When |e^{At} shift| = radius; infinite if it is not within `_LONGEST`/rate."""
    excess = lambda t: np.log(np.linalg.norm(expm(t * matrix) @ shift) / radius)
    if not rate > 0 or not shift.any():
        return np.inf
    after = 1 / rate
    while excess(after) < 0:
        after *= 2
        if after * rate > _LONGEST:
            return np.inf
    return root_scalar(excess, bracket=(0, after), rtol=1e-12).root
