from collections.abc import Callable

import jax
import jax.numpy as jnp
import optimistix as optx
from jaxtyping import Array, Bool, Float

from ..._shown import AbstractShown
from ..._typing import Scalar
from ...attention.kernels import AbstractDensityAttention
from ...dynamics.densities import FokkerPlanck
from ...harmonics import Gegenbauer

Point = Float[Array, " k"]
"""(m_1 .. m_K, noise/critical)."""


class Curve(AbstractShown):
    """Zonal stationary states and their noise as a curve in R^{K+1}, in units of order one.

    A point is (m_1 .. m_K, noise/critical). m_k = c_k/sqrt(N(d, k)) is the mean of the polynomial
    P_k(t), P_k(1) = 1, so that |m_k| <= 1, and m_1 is the mean resultant. `strength` holds
    s_1 .. s_K, the growth rates of the uniform law without noise, over lambda_k.
    """

    attention: AbstractDensityAttention
    basis: Gegenbauer
    strength: Float[Array, " modes"]

    @property
    def critical(self) -> Scalar:
        """The noise at which the uniform law loses stability."""
        return self.strength.max()

    @property
    def scale(self) -> Float[Array, " size"]:
        """sqrt(N(d, k)): the coefficients of a point mass on the axis."""
        return self.basis.moments(jnp.ones(1))

    def coeffs(self, point: Point) -> Float[Array, " k"]:
        """The coefficients of the density, the first of which is 1."""
        return self.scale * jnp.append(1.0, point[:-1])

    def noise(self, point: Point) -> Scalar:
        return self.critical * point[-1]

    def drift(self, moments: Float[Array, " modes"], noise: Scalar) -> Float[Array, " modes"]:
        """d/dt of m_1 .. m_K."""
        equation = FokkerPlanck(self.basis, self.attention, noise)
        coeffs = self.scale * jnp.append(1.0, moments)
        return (equation.drift(jnp.zeros(()), coeffs, None) / self.scale)[1:]

    def linearization(self, point: Point) -> Float[Array, "modes modes"]:
        """The derivative of the drift at a stationary state, at constant mass."""
        return jax.jacfwd(self.drift)(point[:-1], self.noise(point))

    def residual(self, point: Point) -> Float[Array, " modes"]:
        """The drift in units of the decay of each moment at the critical noise."""
        return self.drift(point[:-1], self.noise(point)) / (
            self.critical * self.basis.eigenvalues[1:]
        )

    def defect(self, point: Point) -> Scalar:
        """The flux that is left, |noise grad rho - rho A[rho]| over |noise grad rho|, in L^2.

        Of a stationary zonal density it is 0 everywhere. That of a solution of `residual` is what the
        degree cannot resolve, and large for solutions that exist by truncation only.
        """
        coeffs, noise = self.coeffs(point), self.noise(point)
        diffusion = noise * self.basis.node_gradient(coeffs)
        field = self.attention.mean_field(self.basis, coeffs)
        flux = diffusion - self.basis.synthesize(coeffs) * field
        metric = self.basis.weights * (1 - self.basis.nodes**2)
        return jnp.sqrt(metric @ flux**2) / jnp.sqrt(metric @ diffusion**2)

    def meet(
        self, border: Callable[[Point], Scalar], guess: Point
    ) -> tuple[Point, Bool[Array, ""]]:
        """The point of the curve near `guess` where `border` vanishes, and whether it was found."""
        system = lambda point, _: jnp.append(self.residual(point), border(point))
        newton = optx.Newton(rtol=1e-10, atol=1e-10)
        solution = optx.root_find(system, newton, guess, max_steps=12, throw=False)
        found = (solution.result == optx.RESULTS.successful) & jnp.isfinite(solution.value).all()
        return solution.value, found
