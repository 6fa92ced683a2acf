"""What a density on the sphere, in harmonics, feels of kernels e^{beta <x, y>}."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..._checks import check_scalar, tolerance
from ..._door import door
from ..._shown import AbstractShown
from ..._typing import Scalar
from ...harmonics import AbstractBasis
from ..engines import exponential, primitive

ITERATIONS = 40
"""Of the averaged iteration, which divides the error by 3: to rounding in double precision."""


class Smoothing(AbstractShown):
    """The multipliers of the two convolutions of `smoothed`, which depend on no density."""

    mass: Float[Array, " k"]
    pull: Float[Array, " k"]

    @staticmethod
    def by(beta: Scalar, basis: AbstractBasis, dtype) -> "Smoothing":
        """Those of e^{beta (t - 1)} and of its primitive, in this precision."""
        beta = beta.astype(dtype)
        profiles = exponential(beta), primitive(beta)
        return Smoothing(*(basis.multipliers(profile, dtype=dtype) for profile in profiles))

    def of(
        self, basis: AbstractBasis, coeffs: Float[Array, " k"]
    ) -> tuple[Float[Array, " k"], Float[Array, " k"]]:
        """The two convolutions of a density."""
        return basis.convolve(coeffs, self.mass), basis.convolve(coeffs, self.pull)


@door
def smoothed(
    beta: Scalar | float, basis: AbstractBasis, coeffs: Float[Array, " k"]
) -> tuple[Float[Array, " k"], Float[Array, " k"]]:
    """Two convolutions of a density: its mass Z e^{-beta}, and the function whose gradient is
    the unnormalized field, int e^{beta (<x, y> - 1)} P_x y rho(y) dy."""
    return Smoothing.by(check_scalar(beta, "beta"), basis, coeffs.dtype).of(basis, coeffs)


@door
def doubly_stochastic_potential(
    beta: Scalar | float, basis: AbstractBasis, coeffs: Float[Array, " k"]
) -> Float[Array, " q"]:
    """g at the nodes such that e^{g(x) + beta (<x, y> - 1) + g(y)} has the marginals one under rho.

        g = -log int e^{beta (<x, y> - 1)} e^{g(y)} rho(y) dy

    The iteration is g <- g/3 + (2/3) (the right side), whose slopes at the solution are at most 1/3 for
    beta > 0; it is the one of `transport.solve(symmetric=True)` on functions in place of points. rho may
    be negative at nodes, as densities of too low a degree are, as long as its convolution is not. Where
    the iteration does not reach the solution to rounding, as it may not for beta < 0, g is NaN.

    Source: Sander, Ablin, Blondel, Peyre, arXiv 2110.11773, section 3.
    """
    rho = basis.synthesize(coeffs)
    smoothing = Smoothing.by(check_scalar(beta, "beta"), basis, coeffs.dtype)
    return _potential(smoothing, basis, rho)


@eqx.filter_jit
def _potential(
    smoothing: Smoothing, basis: AbstractBasis, rho: Float[Array, " q"]
) -> Float[Array, " q"]:
    def step(g, _):
        mass, _ = smoothing.of(basis, basis.analyze(rho * jnp.exp(g)))
        return (g - 2 * jnp.log(basis.synthesize(mass))) / 3, None

    g = jax.lax.scan(step, jnp.zeros_like(rho), None, length=ITERATIONS)[0]
    error = jnp.abs(step(g, None)[0] - g).max()
    return jnp.where(error <= tolerance(g.dtype) * (1 + jnp.abs(g).max()), g, jnp.nan)


def tilted_density(
    beta: Scalar, basis: AbstractBasis, coeffs: Float[Array, " k"]
) -> Float[Array, " k"]:
    """The coefficients of rho e^g: its softmax field is the Sinkhorn field of rho."""
    g = doubly_stochastic_potential(beta, basis, coeffs)
    return basis.analyze(basis.synthesize(coeffs) * jnp.exp(g))
