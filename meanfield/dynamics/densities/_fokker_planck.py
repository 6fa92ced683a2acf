from collections.abc import Callable
from typing import Any, cast

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float

from ..._checks import check_finite, check_integer, check_nonnegative, check_weights, guard
from ..._door import door
from ..._products import weighted_sum
from ..._typing import Coefficients, Key, Points, Scalar, Weights
from ...attention.kernels import AbstractAttention, AbstractDensityAttention, check_isotropic
from ...geometry import Sphere
from ...harmonics import AbstractBasis, Gegenbauer
from ._density_sampling import sample_density
from ._imex import AbstractImex

NEGATIVE = 1e-3
"""The mass on which a density may be negative: series of a finite degree are, a little."""


class FokkerPlanck(AbstractImex):
    """The mean-field equation of attention with noise: the density of infinitely many tokens.

    d_t rho = noise Lap rho - div(rho (A[rho] - grad V))

    where A[rho] is the attention of the cloud rho, tangent to the sphere. It is solved by Galerkin's
    method: the state is the vector of coefficients of rho in `basis`, c = basis.analyze(rho), of which
    the first is the mass, exactly 1 for ever. Diffusion is implicit and limits no step.

    - `basis`: `Fourier(K)` on the circle, `Gegenbauer(d, K)` for densities with the axis e_1 in any
      d, `SphericalHarmonics(K)` on S^2. Where K is too small densities become negative (observe
      `fp.minimum`), and a run whose density does has failed. Densities of width s need K of about 6/s.
    - `attention`: `Softmax`, `Unnormalized`, `Sinkhorn`, `MultiHead` of these, with no query, key or
      mask, and a value that is None or a multiple of the identity; None for a linear equation.
    - `noise`: nu >= 0. `potential`: V, a function of one point [d]; with `Gegenbauer` it must depend
      on x[0] alone.

    The limit of `AttentionFlow(Sphere(d), attention, potential=V, noise=nu)` for n -> infinity.
    Raises ValueError for an attention with matrices, negative noise, or a start that is no density.
    Source: Geshkovski, Letrouit, Polyanskiy, Rigollet, arXiv 2312.10794, section 3.
    """

    basis: AbstractBasis
    attention: AbstractAttention | None
    noise: Scalar = eqx.field(default=0.0, converter=lambda a: check_nonnegative(a, "noise"))
    potential: Callable[[Float[Array, " d"]], Scalar] | None = None

    def __check_init__(self):
        super().__check_init__()
        check_isotropic(self.attention, self.basis.d)

    def prepared(self, dtype: DTypeLike) -> "FokkerPlanck":
        if self.attention is None:
            return self
        attention = cast(AbstractDensityAttention, self.attention)  # as was checked
        return eqx.tree_at(
            lambda flow: flow.attention, self, attention.tabulated(self.basis, dtype)
        )

    def velocity(self, coeffs: Coefficients) -> Float[Array, "q ..."]:
        """A[rho] - grad V at the nodes: in the form of `basis.node_gradient`."""
        velocity = jnp.zeros_like(self.basis.node_gradient(coeffs))
        if self.attention is not None:
            attention = cast(AbstractDensityAttention, self.attention)  # as was checked
            velocity = velocity + attention.mean_field(self.basis, coeffs)
        if self.potential is not None:
            velocity = velocity - self._slopes(self.potential, coeffs.dtype)
        return velocity

    def _slopes(self, potential: Callable, dtype) -> Float[Array, "q ..."]:
        """grad V at the nodes, from V itself: its rounded expansion would be all noise near the poles
        of large d."""
        x = self.basis.points.astype(dtype)
        gradient = Sphere(self.basis.d).to_tangent(x, jax.vmap(jax.grad(potential))(x))
        if isinstance(self.basis, Gegenbauer):
            # V'(t) (e_1 - t x) is the gradient, of first component V'(t) (1 - t^2).
            return gradient[:, 0] / ((1 - x[:, 0]) * (1 + x[:, 0]))
        return gradient

    def explicit(self, t: Scalar, state: Coefficients, args: Any) -> Coefficients:
        density = self.basis.synthesize(state)
        flux = jax.vmap(jnp.multiply)(density, self.velocity(state))
        return -self.basis.node_divergence(flux)

    def damping(self, dtype) -> Coefficients:
        return self.noise.astype(dtype) * self.basis.eigenvalues.astype(dtype)

    def check(self, state) -> Coefficients:
        state = check_finite(state, "x0")
        if state.shape != (self.basis.size,):
            raise ValueError(
                f"expected {self.basis.size} coefficients of a density, got shape "
                f"{list(state.shape)}; pass basis.analyze(rho0), or basis.moments(x) for a cloud."
            )
        off = jnp.abs(state[0] - 1)
        message = (
            "expected a density of mass 1 (coefficient 0); divide the coefficients by the first."
        )
        guard(state, off <= 1e-3, message)
        for wrong, right in self.requirements(state).items():
            guard(state, right, f"expected a density, got one for which {wrong}.")
        return state

    def requirements(self, state: Coefficients) -> dict[str, Bool[Array, ""]]:
        density = self.basis.synthesize(state)
        message = (
            "the density is negative, on a mass of more than 1e-3; raise the degree of the basis, "
            "or smooth the start by basis.heat(coeffs, t)"
        )
        # By mass: far from it, values of high degree and dimension are all rounding.
        negative = weighted_sum(self.basis.weights.astype(density.dtype), jnp.maximum(-density, 0))
        return {message: negative <= NEGATIVE}

    def dissipation(self, coeffs: Coefficients) -> Scalar:
        """int rho |A[rho] - grad V - noise grad log rho|^2: for unnormalized attention, and where there
        is none, the rate at which the free energy falls."""
        density = self.basis.synthesize(coeffs)
        score = jax.vmap(jnp.divide)(self.basis.node_gradient(coeffs), density)
        speed = self.velocity(coeffs) - self.noise.astype(coeffs.dtype) * score
        return self.basis.inner(speed, jax.vmap(jnp.multiply)(density, speed))

    def minimum(self, coeffs: Coefficients) -> Scalar:
        """The least value of the density at the nodes: negative once the degree is too small."""
        return self.basis.synthesize(coeffs).min()

    @door
    def from_particles(
        self, x: Points, w: Weights | None = None, smoothing: Scalar | float = 0.0
    ) -> Coefficients:
        """The density of a cloud [n, d]: its moments, smoothed by the heat kernel of time `smoothing`."""
        w = None if w is None else check_weights(w, len(x))
        moments = self.basis.moments(self.basis.coordinates(x), w)
        return self.basis.heat(moments, check_nonnegative(smoothing, "smoothing"))

    @door
    def sample(self, key: Key, coeffs: Coefficients, n: int) -> Points:
        """n independent particles [n, d] of a density, where it is positive: negative values count
        as 0, so see that `minimum` is not far below. By the inverse distribution function on a fine
        grid of angles; the axis of a `Gegenbauer` density is e_1."""
        return sample_density(key, self.basis, coeffs, check_integer(n, "n"))
