from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float

from ..._checks import check_choice
from ...attention.engines import Harmonic
from ...attention.kernels import Unnormalized
from ...dynamics.densities import FokkerPlanck
from ...dynamics.particles import AttentionFlow
from ...geometry import Sphere
from ...harmonics import Fourier
from ...landscape.densities import growth_rates
from ...solve import simulate
from ..machinery import AbstractCellwiseStudy, Claim, check_that, some_of

T_END = {5.0: 0.5, 7.0: 0.08}
"""Published final times by beta."""
SAVES, LINEAR = 50, 10
"""Saves, and the one up to which growth is measured: by about e^2."""


@dataclass(frozen=True, kw_only=True)
class DensityClusters(AbstractCellwiseStudy):
    """The density of infinitely many tokens on the circle, from uniform plus noise to clusters.

    USA, solved by `FokkerPlanck` in Fourier modes. The initial noise is random in the degrees up to 8,
    with coefficients of size `size`: how many clusters come of it is chance where rates are close. Two
    noises nu are shown:

    - 0, the equation itself: it has no smallest scale, and its clusters become points. The spectral
      solution ends where it is no longer resolved, that is where it is below -`negative`.
    - .0157, the numerical diffusion of the published Lax-Friedrichs scheme, here in an accurate
      solution: clusters keep a width, which takes a higher `degree` to resolve up to the end; before
      that it ends like the other.

    Without noise, tokens at the quantiles of the same start follow the characteristics: the
    moments of both agree to O(n^-2) (`difference`) as long as the density is resolved.

    Source: Bruno, Pasqualotto, Agazzi, arXiv 2410.23228, figure 4; the comparison with tokens is ours.
    """

    beta: tuple[float, ...] = (5.0, 7.0)
    """Inverse temperatures, of those with a published final time."""
    noises: tuple[float, ...] = (0.0, 0.0157)
    """Strengths of the noise."""
    degree: int = 256
    """Degree of the expansion."""
    size: float = 0.001
    """Size of the initial coefficients."""
    n: int = 4000
    """Tokens on characteristics."""
    negative: float = 1e-3
    """How negative a density may be and count as resolved."""

    max_steps: int = 2000
    """The most steps of a density, which resolved ones do not need."""

    GRID: ClassVar = {"beta": "beta", "noise": "noises"}
    QUANTITIES: ClassVar = {
        "density": "density over that of the uniform law",
        "minimum": "least value of the density",
        "difference": "largest difference of moments, density and tokens",
        "resolved": "whether the density is resolved",
    }

    def check(self) -> None:
        for beta in self.beta:
            check_choice(beta, T_END, "beta")
        check_that(self.degree >= 8, "degree >= 8", self.degree, "the start is rough up to 8")

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        beta, noise = cell["beta"], cell["noise"]
        basis = Fourier(self.degree)
        attention = Unnormalized(beta, engine=Harmonic.of(beta, 2, 1e-10))
        equation = FokkerPlanck(basis, attention, noise)
        ts = T_END[beta] * jnp.linspace(0.0, 1.0, SAVES + 1)
        observe = {"density": basis.synthesize, "low": _low, "minimum": equation.minimum}
        start = self._start(basis)
        # Where it is no longer resolved the solution oscillates, and the run is to end there.
        run = simulate(
            equation, start, ts, observe=observe, tol=1e-7, throw=False, max_steps=self.max_steps
        )
        values = {name: np.array(value) for name, value in run.values.items()}
        low = np.where(np.isfinite(values["minimum"]), values["minimum"], -np.inf)
        lost = np.maximum.accumulate(low < -self.negative)
        values["density"][lost] = np.nan
        difference = np.full(SAVES + 1, np.nan)
        if not noise:
            flow = AttentionFlow(Sphere(2), attention)
            observe = {"low": partial(_low_of, basis)}
            cloud = simulate(flow, self._quantiles(basis, start), ts, observe=observe, tol=1e-7)
            difference = abs(np.asarray(cloud.values["low"]) - values["low"]).max(axis=1)
        rates = np.asarray(growth_rates(attention, 2, noise, 8))
        k = int(rates.argmax())
        size = np.hypot(*values["low"][[0, LINEAR], 2 * k - 2 : 2 * k].T)
        growth = np.log(size[1] / size[0]) / float(ts[LINEAR])
        return xr.Dataset(
            {
                "density": (("save", "angle"), values["density"]),
                "minimum": ("save", values["minimum"]),
                "difference": ("save", difference),
                "resolved": ("save", ~lost),
                "time": ("save", ts),
                "fastest": ((), k),
                "rate": ((), rates[k], {"long_name": "largest growth rate"}),
                "growth": ((), growth / rates[k], {"long_name": "its growth over theory"}),
            },
            {"angle": np.asarray(basis.nodes)},
            {"degree": self.degree},
        )

    def tiny(self) -> "DensityClusters":
        beta, noises = some_of(self.beta, (5.0,)), some_of(self.noises, (0.0,))
        return replace(self, beta=beta, noises=noises, degree=64, n=1000)

    def claims_at(self, cell: dict[str, Any], one: xr.Dataset) -> list[Claim]:
        made = []
        tag = f"beta={cell['beta']:g}, noise={cell['noise']:g}"
        # Each of 16 coefficients couples to the mode by shares of the size it has by then.
        grown = float(one.rate * one.time[LINEAR])
        allowed = 16 * self.size * np.exp(grown) / grown
        name, source = f"growth of the fastest mode over theory, {tag}", "linearization"
        made += Claim.telling(name, one.growth, 1, allowed, source)
        if not cell["noise"]:
            # The moments of n quantiles err by (degree / n)^2, which grows as the density does;
            # a density that is negative by the threshold may be off by as much.
            name, source = f"moments of density and tokens, {tag}", "characteristics"
            worst = one.difference.values[one.resolved.values.astype(bool)].max()
            made.append(Claim.at_most(name, worst, 2 * self.negative, source))
        return made

    def _start(self, basis: Fourier) -> Float[Array, " k"]:
        noise = self.size * jax.random.normal(jax.random.key(self.seed), (16,))
        return jnp.zeros(basis.size).at[0].set(1.0).at[1:17].set(noise)

    def _quantiles(self, basis: Fourier, start: Float[Array, " k"]) -> Float[Array, "n 2"]:
        """Tokens at the quantiles (i + 1/2)/n of the density, from its distribution function."""
        fine = 2 * np.pi * np.arange(2**14 + 1) / 2**14
        points = jnp.asarray(np.stack([np.cos(fine), np.sin(fine)], axis=1))
        rho = np.asarray(basis.evaluate(start, points))
        share = np.concatenate([[0.0], np.cumsum((rho[1:] + rho[:-1]) / 2)]) / 2**14
        angle = np.interp((np.arange(self.n) + 0.5) / self.n, share, fine)
        return jnp.asarray(np.stack([np.cos(angle), np.sin(angle)], axis=1))


def _low(coeffs: Float[Array, " k"]) -> Float[Array, " 16"]:
    """The coefficients of degree 1 to 8."""
    return coeffs[1:17]


def _low_of(basis: Fourier, x: Float[Array, "n 2"]) -> Float[Array, " 16"]:
    return basis.moments(x)[1:17]
