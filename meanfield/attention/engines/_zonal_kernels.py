"""Kernels e^{beta <x, y>} as functions of the polar cosine t = <x, y>, scaled to 1 at t = 1."""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float

from ..._checks import check_scalar
from ..._typing import Scalar

Profile = Callable[[Float[Array, " m"]], Float[Array, " m"]]


def exponential(beta: Scalar | float) -> Profile:
    """e^{beta (t - 1)}."""
    beta = check_scalar(beta, "beta")
    return lambda t: jnp.exp(beta * (t - 1))


def tilted(beta: Scalar) -> Profile:
    """t e^{beta (t - 1)}: the component of the attention field along x."""
    return lambda t: t * jnp.exp(beta * (t - 1))


def primitive(beta: Scalar) -> Profile:
    """int_1^t e^{beta (s - 1)} ds, whose gradient in x is the tangent field e^{beta (t-1)} P_x y."""

    def profile(t):
        z = beta * (t - 1)
        small = jnp.abs(z) < 1e-5
        safe = jnp.where(small, 1.0, z)
        # (e^z - 1)/z, to 1e-16 by its Taylor series where the quotient loses digits.
        return (t - 1) * jnp.where(small, 1 + z / 2 + z * z / 6, jnp.expm1(safe) / safe)

    return profile
