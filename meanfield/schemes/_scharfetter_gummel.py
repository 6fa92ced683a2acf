from collections.abc import Callable
from typing import Any, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._checks import check_integer, check_scalar, guard
from .._products import weighted_sum
from .._typing import Scalar
from ..attention.kernels import AbstractAttention, AbstractDensityAttention, check_isotropic
from ..energies import Potential
from ..harmonics import AbstractBasis, Fourier, Gegenbauer
from ._base import AbstractScheme
from ._density_checks import check_density
from ._tridiagonal import solve_chain

Values = Float[Array, " cells"]


class ScharfetterGummel(AbstractScheme):
    """Finite volumes for the mean-field equation that keep the density positive at any step.

    m_i (rho_i' - rho_i)/tau = G_{i+1/2} - G_{i-1/2},
    G_{i+1/2} = (noise p/h) (B(delta) rho'_{i+1} - B(-delta) rho'_i),  B(z) = z/(e^z - 1),

    with delta = (psi_i - psi_{i+1})/noise and psi = V - attraction[rho] taken at the old density. The
    new density is implicit: one tridiagonal system a step. Mass is kept exactly; for unnormalized
    attention with beta > 0 and no value matrix, whose kernel is positive definite, the free energy
    falls at *any* tau. Stationary states e^{-psi/noise} are kept to rounding. Order 2 in the cell
    width, 1 in tau.

    - `basis`: `Gegenbauer(d, K)` for densities of the polar angle from e_1, in any d, or `Fourier(K)`
      for the whole circle; it carries the convolution, so K need only resolve the kernel.
    - `attention`, `noise` > 0, `potential`: as in `FokkerPlanck`.
    - `tau`: the time step; `cells`: their number, 256 by default.

    The state is the density at the cell centres, [cells], relative to the uniform law; `points` are
    those centres and `weights` their masses m_i.

    Raises ValueError for noise 0, another basis, or a start with negative values or another mass.
    Source: Schlichting, Seis, arXiv 2004.13981, equation (SG).
    """

    basis: AbstractBasis
    attention: AbstractAttention | None
    noise: Scalar = eqx.field(converter=lambda a: check_scalar(a, "noise"))
    tau: Scalar = eqx.field(converter=lambda a: check_scalar(a, "tau"))
    cells: int = eqx.field(
        static=True, default=256, converter=lambda n: check_integer(n, "cells", 4)
    )
    potential: Callable[[Float[Array, " d"]], Scalar] | None = None

    def __check_init__(self):
        super().__check_init__()
        if not isinstance(self.basis, Gegenbauer | Fourier):
            raise ValueError("expected Gegenbauer or Fourier, got another basis; use FokkerPlanck.")
        if self.potential is not None:
            Potential(self.potential)  # refuses what is no function
        check_isotropic(self.attention, self.basis.d)
        guard(self.noise, self.noise > 0, "expected noise > 0; use FokkerPlanck without noise.")
        guard(self.tau, self.tau > 0, "expected tau > 0, got a step that is not; pass 0.01.")

    @property
    def angles(self) -> Values:
        """The cell centres: polar angles in (0, pi), or angles in (0, 2 pi)."""
        return jnp.asarray((np.arange(self.cells) + 0.5) * self._width)

    @property
    def points(self) -> Float[Array, "cells d"]:
        """The cell centres as unit vectors [cells, d]."""
        plane = jnp.stack([jnp.cos(self.angles), jnp.sin(self.angles)], axis=1)
        return jnp.pad(plane, ((0, 0), (0, self.basis.d - 2)))

    @property
    def weights(self) -> Values:
        """The masses m_i of the cells under the uniform law, of sum 1."""
        return jnp.asarray(self._geometry()[0])

    def step(self, state: Values, args: Any) -> tuple[Values, dict[str, Array]]:
        dtype = state.dtype
        mass, faces = (jnp.asarray(table, dtype) for table in self._geometry())
        psi, noise = self._psi(state), self.noise.astype(dtype)
        delta = (psi - jnp.roll(psi, -1)) / noise
        # The face i stands between the cells i and i + 1; the last one closes the circle, or is a pole.
        rate = self.tau.astype(dtype) * noise * faces / self._width
        right, left = rate * _bernoulli(delta), rate * _bernoulli(-delta)
        # Each column has the sum m_i, for what leaves a cell enters its neighbours.
        new, _ = solve_chain(mass, left, right, mass * state, self._periodic)
        # Over many steps a relative rounding of each would show as lost mass.
        new = new * (weighted_sum(mass, state) / weighted_sum(mass, new))
        return new, {"minimum": new.min()}

    def moments(self, state: Values) -> Float[Array, " k"]:
        """The coefficients of the density in the basis."""
        weights = self.weights.astype(state.dtype) * state
        return self.basis.moments(self._coordinates(state.dtype), weights)

    def free_energy(self, state: Values) -> Scalar:
        """noise sum m rho log rho + sum m V rho - (1/2) sum m attraction rho, which each step lowers
        for unnormalized attention: that of `energies.free_energy` plus e^beta/(2 beta)."""
        local = self.noise.astype(state.dtype) * jax.scipy.special.xlogy(state, state)
        local = local + state * (self._psi(state) + self._external(state.dtype)) / 2
        return weighted_sum(self.weights.astype(state.dtype), local)

    def project(self, state: Values) -> Values:
        return state

    def remedy(self) -> str:
        return "take a smaller tau, a larger noise, or an attention of a smaller beta"

    def check(self, state) -> Values:
        return check_density(state, self.weights, "evaluate it at scheme.points")

    @property
    def _periodic(self) -> bool:
        return isinstance(self.basis, Fourier)

    @property
    def _width(self) -> float:
        return (2 if self._periodic else 1) * np.pi / self.cells

    def _coordinates(self, dtype) -> Float[Array, "cells ..."]:
        return self.basis.coordinates(self.points.astype(dtype))

    def _external(self, dtype) -> Values:
        points = self.points.astype(dtype)
        return (
            jnp.zeros(self.cells, dtype)
            if self.potential is None
            else jax.vmap(self.potential)(points)
        )

    def _psi(self, state: Values) -> Values:
        psi = self._external(state.dtype)
        if self.attention is None:
            return psi
        at = self._coordinates(state.dtype)
        attention = cast(AbstractDensityAttention, self.attention)  # as was checked
        return psi - attention.attraction(self.basis, self.moments(state), at)

    def _geometry(self) -> tuple[np.ndarray, np.ndarray]:
        """Cell masses, and the density of the uniform law in angle at the right face of each cell."""
        if self._periodic:
            return np.full(self.cells, 1 / self.cells), np.full(self.cells, 1 / (2 * np.pi))
        nodes, weights = np.polynomial.legendre.leggauss(12)
        inside = (np.arange(self.cells)[:, None] + (1 + nodes) / 2) * self._width
        right = np.arange(1, self.cells + 1) * self._width
        mass = self._polar_law(inside) @ weights * self._width / 2
        faces = self._polar_law(right) / mass.sum()
        faces[-1] = 0
        return mass / mass.sum(), faces

    def _polar_law(self, angle: np.ndarray) -> np.ndarray:
        """sin^{d-2}, but never so small that the poles of large d are lost to underflow."""
        return np.maximum(np.sin(angle) ** (self.basis.d - 2), 1e-24)


def _bernoulli(z: Values) -> Values:
    """B(z) = z/(e^z - 1), by its series near 0 and without overflow of it or of its derivative."""
    small = jnp.abs(z) < 1e-3
    safe = jnp.where(small, 1.0, jnp.minimum(z, jnp.log(jnp.finfo(z.dtype).max) / 2))
    return jnp.where(small, 1 - z / 2 + z * z / 12, safe / jnp.expm1(safe))
