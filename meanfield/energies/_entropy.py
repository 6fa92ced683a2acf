import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._checks import check_nonnegative
from .._door import door
from .._products import weighted_sum
from .._typing import Points, Scalar, Weights
from ..harmonics import AbstractBasis
from ._base import AbstractEnergy, check_coeffs
from ._interaction import Interaction
from ._quantiles import AbstractQuantiles


class Entropy(AbstractEnergy):
    """The negative of Boltzmann's entropy, as an energy: int rho log rho.

    rho is the density with respect to the uniform law, so the value is 0 for the uniform law and
    positive for any other; on the line, and only there, it is relative to Lebesgue measure, of which
    a law of standard deviation s has at least -log(s) - log(2 pi e)/2. Its gradient flow in
    Wasserstein space is the heat equation (Jordan, Kinderlehrer, Otto, SIAM J. Math. Anal. 29 (1998)).

    A cloud of points has no entropy: calling it on one raises ValueError. A density that is negative
    at a node, because the degree of its basis is too small, has the entropy NaN.
    """

    def _of_points(self, x: Points, w: Weights | None) -> Scalar:
        raise ValueError(
            "expected a density, got points, whose entropy is infinite; use Entropy().on_density, "
            "noise in the dynamics, or observables.entropy_knn to estimate it."
        )

    def _of_density(self, basis: AbstractBasis, coeffs: Float[Array, " k"]) -> Scalar:
        rho = basis.synthesize(coeffs)
        return weighted_sum(basis.weights.astype(rho.dtype), jax.scipy.special.xlogy(rho, rho))

    def _of_quantiles(self, domain: AbstractQuantiles, x: Float[Array, " n"]) -> Scalar:
        weights, stretch = domain.stretch(x, 1.0)
        return domain.entropy - weighted_sum(weights, jnp.log(stretch))


@door
def free_energy(beta: Scalar | float, noise: Scalar | float) -> AbstractEnergy:
    """The free energy that unnormalized attention with noise dissipates.

    F(rho) = noise int rho log rho - 1/(2 beta) iint e^{beta <x, y>} rho rho

    Along `FokkerPlanck(basis, Unnormalized(beta), noise)`, dF/dt = -fp.dissipation(c). Softmax with
    noise does not descend it. Add `Potential(V)` where the flow has one.
    """
    return check_nonnegative(noise, "noise") * Entropy() - Interaction(beta)


@door
def relative_entropy(
    basis: AbstractBasis, coeffs: Float[Array, " k"], reference: Float[Array, " k"]
) -> Scalar:
    """int rho log(rho/pi): the Kullback-Leibler divergence of two positive densities, the second being
    the `reference`; 0 if equal."""
    coeffs, reference = check_coeffs(basis, coeffs), check_coeffs(basis, reference, "reference")
    rho, pi = basis.synthesize(coeffs), basis.synthesize(reference)
    return basis.weights.astype(rho.dtype) @ (jax.scipy.special.xlogy(rho, rho) - rho * jnp.log(pi))


@door
def fisher_information(
    basis: AbstractBasis, coeffs: Float[Array, " k"], reference: Float[Array, " k"] | None = None
) -> Scalar:
    """int |grad log(rho/pi)|^2 rho, with pi (`reference`) uniform by default: the rate at which
    diffusion that leaves pi stationary lowers the relative entropy."""
    coeffs = check_coeffs(basis, coeffs)
    rho = basis.synthesize(coeffs)
    score = jax.vmap(jnp.divide)(basis.node_gradient(coeffs), rho)
    if reference is not None:
        reference = check_coeffs(basis, reference, "reference")
        pi = basis.synthesize(reference)
        score = score - jax.vmap(jnp.divide)(basis.node_gradient(reference), pi)
    return basis.inner(score, jax.vmap(jnp.multiply)(rho, score))
