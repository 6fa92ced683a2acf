import jax.numpy as jnp

from ..._checks import check_positive, check_scalar
from ..._door import door
from ..._typing import Scalar


@door
def alignment_blow_up(slope: Scalar | float, strength: Scalar | float = 1.0) -> Scalar:
    """When velocities that align form a shock: the pressureless Euler equation of tokens with inertia.

        rho_t + (rho u)_x = 0,    u_t + u u_x = strength (mean of u - u),    int rho = 1

    With k the strength, along X' = u the slope q = u_x obeys q' = -q^2 - k q, so that

        q(t) = q_0 e^{-k t}/(1 + q_0 (1 - e^{-k t})/k)

    and it blows up at

        t = -log(1 + k/q_0)/k    for q_0 < -k, and never for others:

    alignment wins where it is faster than compression. log 2 for q_0 = -2 and k = 1. It is the monokinetic
    closure: particles x'' = k (mean of x' - x') move along these X until the first two meet.

    - `slope`: q_0, the least slope of the velocity at the start. `strength`: k > 0, the constant kernel.

    Infinity where there is no shock. Raises ValueError for strength <= 0. Source: Carrillo, Choi,
    Tadmor, Tan, Math. Models Methods Appl. Sci. 26 (2016) 185, doi:10.1142/S0218202516500068.
    """
    q, k = check_scalar(slope, "slope"), check_positive(strength, "strength", "pass strength=1.0")
    k = k.astype(q.dtype)
    shock = q < -k
    time = -jnp.log1p(k / jnp.where(shock, q, -2 * k)) / k
    return jnp.where(shock, time, jnp.where(jnp.isnan(q), q, jnp.inf))
