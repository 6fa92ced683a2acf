import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..._products import weighted_sum
from ..._typing import Scalar
from ...attention.kernels import AbstractDensityAttention
from ...harmonics import Gegenbauer


def excess_free_energy(
    basis: Gegenbauer, strength: Float[Array, " modes"], coeffs: Float[Array, " k"], noise: Scalar
) -> Scalar:
    """noise int rho log rho - 1/2 iint W rho rho, less its value at the uniform law.

    W has the Funk-Hecke multipliers `strength`, of degree 1 .. K: those of growth without noise.
    """
    density = basis.synthesize(coeffs)
    # Rounding, at the nodes of next to no weight, makes densities of 0 negative; log 0 has no slope.
    positive = density > 0
    safe = jnp.where(positive, density, 1)
    entropy = weighted_sum(basis.weights, jnp.where(positive, safe * jnp.log(safe), 0))
    return noise * entropy - strength @ coeffs[1:] ** 2 / 2


def sums_over_pairs(attention: AbstractDensityAttention, basis: Gegenbauer) -> Bool[Array, ""]:
    """Whether the field is linear in the density, and so the gradient of 1/2 iint W rho rho.

    That of `Unnormalized` is; that of softmax does not change with the mass at all.
    """
    bump = jnp.zeros(basis.size).at[:2].set(jnp.array([1.0, 0.5]))
    field = jax.vmap(lambda mass: attention.mean_field(basis, mass * bump))
    once, twice = field(jnp.array([1.0, 2.0]))
    return jnp.abs(twice - 2 * once).max() <= 1e-9 * jnp.abs(once).max()


def least_density(
    attention: AbstractDensityAttention,
    basis: Gegenbauer,
    coeffs: Float[Array, " k"],
    noise: Scalar,
) -> Scalar:
    """The least value at the nodes of a stationary density, rho = e^{a/noise}/Z with grad a = A[rho].

    Not of the sum of harmonics: their size near the poles, sqrt(N(d, k)), makes rounding there as large as
    1e7 at d = 30, where the density is 0 and the nodes have no weight.
    """
    logs = attention.attraction(basis, coeffs, basis.nodes) / noise
    return jnp.exp(logs.min() - jax.nn.logsumexp(logs, b=basis.weights))
