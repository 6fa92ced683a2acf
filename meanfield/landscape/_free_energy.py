import jax
import jax.numpy as jnp
from jax.scipy.special import xlogy
from jaxtyping import Array, Bool, Float

from .._typing import Scalar
from ..attention import AbstractAttention
from ..harmonics import Gegenbauer


def excess_free_energy(
    basis: Gegenbauer, strength: Float[Array, " modes"], coeffs: Float[Array, " k"], noise: Scalar
) -> Scalar:
    """noise int rho log rho - 1/2 iint W rho rho, less its value at the uniform law.

    W has the Funk-Hecke multipliers `strength`, of degree 1 .. K: those of growth without noise.
    """
    density = jnp.maximum(basis.synthesize(coeffs), 0)
    entropy = basis.weights @ xlogy(density, density)
    return noise * entropy - strength @ coeffs[1:] ** 2 / 2


def sums_over_pairs(attention: AbstractAttention, basis: Gegenbauer) -> Bool[Array, ""]:
    """Whether the field is linear in the density, and so the gradient of 1/2 iint W rho rho.

    That of `Unnormalized` is; that of softmax does not change with the mass at all.
    """
    bump = jnp.zeros(basis.size).at[:2].set(jnp.array([1.0, 0.5]))
    field = jax.vmap(lambda mass: attention.mean_field(basis, mass * bump))
    once, twice = field(jnp.array([1.0, 2.0]))
    return jnp.abs(twice - 2 * once).max() <= 1e-9 * jnp.abs(once).max()
