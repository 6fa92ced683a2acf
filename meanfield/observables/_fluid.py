import jax.numpy as jnp
from jax.scipy.special import i0e
from jaxtyping import Array, Float

from .._checks import check_finite, check_positive, check_precision, guard, is_concrete
from .._door import door
from .._products import weighted_sum
from .._shown import AbstractShown
from .._typing import Points, Scalar, Weights
from ._cloud_checks import masses, on_sphere


class Fluid(AbstractShown):
    """What tokens with inertia on the circle are as a fluid, at given angles.

    `density` [m], of mean 1; `velocity` [m], their mean angular velocity there, and `pressure` [m], the
    density times the variance of it, 0 where all move alike.
    """

    density: Float[Array, " m"]
    velocity: Float[Array, " m"]
    pressure: Float[Array, " m"]


@door
def fluid(
    x: Points,
    p: Points,
    angles: Float[Array, " m"],
    width: Scalar | float = 0.1,
    w: Weights | None = None,
) -> Fluid:
    """The first three moments of velocity of the kinetic picture of tokens with inertia, on the circle.

        rho = sum_i w_i k(theta_i - a),    rho u = sum_i w_i omega_i k(theta_i - a),
        pressure = sum_i w_i (omega_i - u)^2 k(theta_i - a),    k(b) = e^{(cos b - 1)/width^2}/Z

    omega_i is the angular velocity of token i, and F_i its force along the circle. Along `MomentumFlow`

        rho_t + (rho u)_a = 0,
        (rho u)_t + (rho u^2 + pressure)_a = sum_i w_i F_i k(theta_i - a) - friction rho u

    hold exactly, for any number of tokens. They close where pressure is 0: if velocities are a smooth
    function of the place at first, pressure is about width^2 rho (u_a)^2, and stays so until tokens meet;
    from then on several streams pass each place, and pressure does not vanish with the width.

    - `x`, `p`: tokens [n, 2] and their velocities [n, 2]. `angles`: a, in radians.
    - `width`: of the von Mises kernel k, of mean 1; above the distance of neighbours.

    Raises ValueError for tokens off the circle. The velocity where there is no mass is NaN.
    Source: Carrillo, Choi, Tadmor, Tan (2016), doi:10.1142/S0218202516500068, for the closure; arXiv
    2603.16535 for attention with momentum.
    """
    x, angles = on_sphere(x), check_precision(angles, "angles")
    p = check_finite(p, "p") if is_concrete(p) else check_precision(p, "p")
    if x.shape[1] != 2 or p.shape != x.shape:
        raise ValueError(
            f"expected tokens and velocities of shape [n, 2], got {list(x.shape)} and {list(p.shape)}; "
            "pass those of Sphere(2)."
        )
    angles = guard(angles, jnp.isfinite(angles).all(), "expected finite angles; leave others out.")
    p = p.astype(x.dtype)
    w, sharpness = masses(w, x), check_positive(width, "width").astype(x.dtype) ** -2
    turning = x[:, 0] * p[:, 1] - x[:, 1] * p[:, 0]
    to = jnp.stack([jnp.cos(angles), jnp.sin(angles)]).astype(x.dtype)
    # cos - 1 = -|x - y|^2/2, which does not round small angles off.
    apart = jnp.sum((x[:, :, None] - to) ** 2, axis=1)
    near = w[:, None] * jnp.exp(-sharpness * apart / 2) / i0e(sharpness)
    density = near.sum(axis=0)
    velocity = weighted_sum(turning, near) / density
    pressure = jnp.sum((turning[:, None] - velocity) ** 2 * near, axis=0)
    return Fluid(density, velocity, pressure)
