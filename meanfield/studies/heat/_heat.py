from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float

from ..._typing import Points
from ...dynamics.densities import FokkerPlanck
from ...dynamics.particles import GradientFlow
from ...energies import Entropy, Potential
from ...geometry import Sphere
from ...harmonics import Gegenbauer
from ...measures import HeatKernel, brownian_angle
from ...observables import state
from ...schemes import ScharfetterGummel
from ...solve import rollout, simulate
from ...solve.methods import GeodesicEuler
from ..machinery import AbstractCellwiseStudy, Claim, check_that, some_of

TABLES = 1e-7
"""What the tabulated entropy and density of `HeatKernel` leave, with room to spare."""
TOL = 1e-10
"""Tolerance of the spectral run; errors add up to some hundred times as much."""
SHOWN = 6
"""Degrees whose decay is shown."""


@dataclass(frozen=True, kw_only=True)
class Heat(AbstractCellwiseStudy):
    """The heat flow on S^{d-1} in three discretizations, against the heat kernel.

        d_t rho = Laplacian rho,    rho(0) = the heat kernel at time s

    Time is counted in relaxation times 1/(d-1), the inverse of the first eigenvalue, and s is
    `start` of them. The spectral method integrates coefficients of `degree`; finite volumes take
    `steps` implicit steps between two times on `volumes` cells; `n` particles take exact Brownian
    increments. The dataset has, over (d, time), the entropies `entropy` and `entropy_exact`,
    relative distances `spectral_error` in L2 and `volume_error` in L1, and over (d, time, degree)
    the coefficients `decay`, over the norm at the start, and their exact `decay_exact`; and the means
    `cloud` of P_k(x_1) over the particles, their exact values and exact standard errors.

    Source: Hsu, Stochastic Analysis on Manifolds (2002), for the heat kernel of a manifold; Beckner
    (1992) for its entropy on spheres, doi:10.1073/pnas.89.11.4816.
    """

    dimensions: tuple[int, ...] = (2, 3, 8, 64)
    """Ambient dimensions d."""
    start: float = 1.0
    """Age of the heat kernel at the start, in relaxation times."""
    end: float = 2.0
    """Time at the end, in relaxation times."""
    times: int = 9
    """Times at which densities are compared, the start first."""
    degree: int = 40
    """Degree of the spectral method."""
    volumes: int = 256
    """Finite volumes."""
    steps: int = 64
    """Steps of finite volumes from one time to the next."""
    n: int = 40000
    """Particles."""

    GRID: ClassVar = {"d": "dimensions"}
    QUANTITIES: ClassVar = {
        "entropy": "entropy of the spectral solution [nat]",
        "entropy_exact": "entropy of the heat kernel [nat]",
        "spectral_error": "relative L2 error, spectral",
        "volume_error": "relative L1 error, finite volumes",
        "decay": "coefficient of the density",
        "cloud": "mean of P_k(x_1) over the particles",
        "time": "time in relaxation times",
    }

    def compute(self, cell: dict) -> xr.Dataset:
        d = cell["d"]
        ts = np.linspace(0.0, self.end, self.times) / (d - 1)
        age = self.start / (d - 1)
        laws = [HeatKernel(d, t) for t in ts + age]
        basis = Gegenbauer(d, self.degree)
        coeffs = self._spectral(basis, jnp.asarray(ts))
        exact = basis.analyze(_densities(laws, basis.points))
        norm = _norm(exact)[0]
        share = coeffs[0, 1 : SHOWN + 1] / norm
        cloud = self._cloud(basis, laws[0], jnp.asarray(ts), self.key(cell))
        eigenvalues, moments = basis.eigenvalues[1 : SHOWN + 1], ("time", "degree")
        return xr.Dataset(
            {
                "entropy": ("time", jax.vmap(lambda c: Entropy().on_density(basis, c))(coeffs)),
                "entropy_exact": ("time", [-float(law.entropy()) for law in laws]),
                "spectral_error": ("time", _norm(coeffs - exact) / _norm(exact)),
                "volume_error": ("time", self._volumes(basis, laws, ts)),
                "decay": (moments, coeffs[:, 1 : SHOWN + 1] / norm),
                "decay_exact": (moments, share * np.exp(-ts[:, None] * eigenvalues)),
                "cloud": (moments, cloud),
                "cloud_error": (moments, self._sampling(basis, laws)),
                "cloud_exact": (moments, np.exp(-(ts + age)[:, None] * eigenvalues)),
            },
            {"time": np.linspace(0.0, self.end, self.times), "degree": np.arange(1, SHOWN + 1)},
        )

    def check(self) -> None:
        check_that(self.times > 1, "times > 1", self.times, "pass times=9")
        check_that(
            self.degree >= 2 * SHOWN, f"degree >= {2 * SHOWN}", self.degree, "pass degree=40"
        )

    def tiny(self) -> "Heat":
        few = {"times": 3, "degree": 24, "n": 4000, "steps": 128}
        return replace(self, dimensions=some_of(self.dimensions, (3,)), volumes=128, **few)

    def claims_at(self, cell: dict[str, Any], one: xr.Dataset) -> list[Claim]:
        d = cell["d"]
        kernel = "heat kernel, summed in extended precision"
        gap = np.abs((one.decay - one.decay_exact).values).max()
        score = np.abs(((one.cloud - one.cloud_exact) / one.cloud_error).values).max()
        # Beckner: the entropy falls at least like e^{-2 (d-1) t}, which is e^{-2 time}.
        law = one.entropy * np.exp(2 * one.time)
        # Each step of h^2 and tau errs by a share of the curvature, which is of order 1/start.
        width, tau = np.pi / self.volumes, self.end / (self.times - 1) / self.steps
        bound = (width**2 * (d - 1) + tau) * (1 + 1 / self.start)
        return [
            Claim.at_most(f"d={d}: degrees 1 to {SHOWN} against e^(-k(k+d-2)t)", gap, 1e3 * TOL, "calculus"),
            Claim.at_most(
                f"d={d}: spectral method, L2", one.spectral_error.values.max(), TABLES, kernel
            ),
            Claim.at_most(
                f"d={d}: entropy", np.abs((one.entropy - one.entropy_exact).values).max(), TABLES, kernel
            ),
            Claim.at_most(
                f"d={d}: growth of entropy e^(2(d-1)t)", law.diff("time").values.max(), TABLES,
                "Beckner (1992), logarithmic Sobolev inequality on the sphere",
            ),
            Claim.at_most(f"d={d}: finite volumes, L1", one.volume_error.values.max(), bound, kernel),
            # The largest of a few dozen normal deviations passes five once in 1e5 runs.
            Claim.at_most(f"d={d}: particles, in standard errors", score, 5, "central limit theorem"),
        ]  # fmt: skip

    def _spectral(self, basis: Gegenbauer, ts: Float[Array, " T"]) -> Float[Array, "T k"]:
        flow = FokkerPlanck(basis, None, 1.0)
        at_pole = basis.moments(jnp.ones(1))
        start = basis.heat(at_pole, self.start / (basis.d - 1))
        return simulate(flow, start, ts, observe={"c": state}, tol=TOL).values["c"]

    def _volumes(self, basis: Gegenbauer, laws: list[HeatKernel], ts: np.ndarray) -> np.ndarray:
        """The L1 distance of finite volumes from each law."""
        tau = (ts[1] - ts[0]) / self.steps
        scheme = ScharfetterGummel(basis, None, 1.0, tau, self.volumes)
        exact = _densities(laws, scheme.points)
        start = exact[0] / (scheme.weights @ exact[0])
        steps = self.steps * (self.times - 1)
        found = rollout(scheme, start, steps, observe={"rho": state}).values["rho"]
        return np.asarray(jnp.abs(found[:: self.steps] - exact) @ scheme.weights)

    def _cloud(self, basis: Gegenbauer, law: HeatKernel, ts: Float[Array, " T"], key):
        """The mean of P_k(x_1) over the particles for k = 1 .. SHOWN."""
        first, second = jax.random.split(key)
        sphere, dt = Sphere(basis.d), float(ts[1] - ts[0])
        still = GradientFlow(sphere, Potential(lambda x: 0 * x[0]), 1.0)
        solver = GeodesicEuler(sphere, brownian_angle(basis.d, dt))
        path = simulate(
            still, law.sample(first, self.n), ts, key=second, dt=dt, solver=solver,
            observe={"t": lambda x: x[:, 0]},
        )  # fmt: skip

        return jax.lax.map(lambda t: _polynomials(basis, t).mean(axis=1), path.values["t"])

    def _sampling(self, basis: Gegenbauer, laws: list[HeatKernel]) -> Float[Array, "T k"]:
        """The standard error of that mean: the deviation of P_k(x_1) under each law, over sqrt(n)."""
        weights = _densities(laws, basis.points) * basis.weights  # [T, q]
        each = _polynomials(basis, basis.points[:, 0])  # [k, q]
        variance = weights @ (each**2).T - (weights @ each.T) ** 2
        return jnp.sqrt(variance / self.n)


def _polynomials(basis: Gegenbauer, t: Float[Array, " n"]) -> Float[Array, "k n"]:
    """P_k(t), k = 1 .. SHOWN."""
    scaled = jnp.diag(1 / basis.moments(jnp.ones(1)))[1 : SHOWN + 1]
    return jax.vmap(lambda row: basis.evaluate(row, t))(scaled)


def _densities(laws: list[HeatKernel], x: Points) -> Float[Array, "T q"]:
    return jnp.stack([jnp.exp(law.log_density(x)) for law in laws])


def _norm(coeffs: Float[Array, "T k"]) -> Float[Array, " T"]:
    return jnp.linalg.norm(coeffs, axis=1)
