from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Bool, Float
from scipy.special import gammaln, ive

from ..._typing import Points, Scalar
from ...attention.engines import Harmonic
from ...attention.kernels import AbstractAttention, MultiHead, Sinkhorn, Softmax, Unnormalized
from ...dynamics.densities import FokkerPlanck
from ...dynamics.particles import AttentionFlow
from ...geometry import Sphere
from ...harmonics import AbstractBasis, Fourier, Gegenbauer
from ...landscape.densities import growth_rates
from ...solve import simulate
from ..machinery import AbstractCellwiseStudy, Claim, program_of_runs

SOURCE = "Funk-Hecke and linearization: rate_k = k (k + d - 2) (s_k - noise)"
HEADS = {
    "SA": ((Softmax, 1),),
    "USA": ((Unnormalized, 1),),
    "Sinkhorn": ((Sinkhorn, 1),),
    "two heads": ((Softmax, 1), (Softmax, 2)),
    "noisy USA": ((Unnormalized, 1),),
}
"""The heads of each interaction: their kinds, and their beta over that of the study."""
LARGEST = 100.0
"""The beta beyond which USA has the kernel e^{beta (<x, y> - 1)}, in place of e^{beta <x, y>}."""
STRENGTHS = {
    Softmax: lambda a, mean, beta: a / mean,
    Unnormalized: lambda a, mean, beta: a * np.exp(beta - offset(beta)),
    Sinkhorn: lambda a, mean, beta: a / (mean + a),
}
"""beta s_k of each kind, from the multipliers a_k and a_0 of e^{beta (<x, y> - 1)}."""


@dataclass(frozen=True, kw_only=True)
class GrowthRates(AbstractCellwiseStudy):
    """Growth of each degree about the uniform law: closed form, linearization, PDE and particles.

        rate_k = k (k + d - 2) (s_k - noise)
    s_k = a_k/beta (USA),  a_k/(a_0 beta) (SA),  a_k/((a_0 + a_k) beta) (Sinkhorn)

    a_k are the multipliers of e^{beta <x, y>}, divided by e^beta for beta > 100; several heads add their
    s_k. `closed` evaluates this
    by Bessel functions and `linearized` is `landscape.growth_rates`. `pde` starts `FokkerPlanck` from
    1 + size p_k and from 1 - size p_k, whose difference has no second order; `particles`, on the
    circle without noise, starts a perturbed lattice of tokens, summed by harmonics. Each is the
    logarithm of the amplification over the time in which it happened.

    Source: arXiv 2604.16288 and 2606.05140, for USA and SA; the rest is ours.
    """

    attentions: tuple[str, ...] = ("SA", "USA", "Sinkhorn", "two heads", "noisy USA")
    """Interactions: SA, USA, doubly stochastic, softmax heads at beta and 2 beta, USA with noise."""
    dimensions: tuple[int, ...] = (2, 3, 8)
    """Ambient dimensions d."""
    beta: float = 3.0
    """Inverse temperature."""
    noise: float = 0.05
    """Noise of the noisy interaction."""
    max_degree: int = 6
    """Largest degree that is measured."""
    size: float = 1e-4
    """Coefficient of the perturbation."""
    n: int = 128
    """Tokens on the circle; more where beta needs them."""

    GRID: ClassVar = {"attention": "attentions", "d": "dimensions"}
    QUANTITIES: ClassVar = {
        "closed": "growth rate, closed form",
        "linearized": "growth rate, linearized",
        "pde": "growth rate, PDE",
        "particles": "growth rate, tokens",
    }

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        name, d = cell["attention"], cell["d"]
        noise = self.noise if name.startswith("noisy") else 0.0
        attention, closed = self._attention(name), self._closed(name, d, noise)
        ends = self._ends(closed, self._closed(name, d, noise, self._resolved()).max())
        basis = Gegenbauer(d, 2 * self.max_degree + 4)
        equation = FokkerPlanck(basis, attention, noise)
        rates = {
            "closed": closed,
            "linearized": growth_rates(attention, d, noise, self.max_degree)[1:],
            "pde": _by_density(equation, jnp.asarray(self.size), ends),
            "particles": np.full_like(closed, np.nan),
        }
        if d == 2 and not noise:
            flow = AttentionFlow(Sphere(2), attention)
            rates["particles"] = _by_particles(flow, self._lattices(), ends)
        degrees = {"degree": np.arange(1, self.max_degree + 1)}
        return xr.Dataset({k: ("degree", np.asarray(v)) for k, v in rates.items()}, degrees)

    def tiny(self) -> "GrowthRates":
        return replace(self, attentions=("SA",), dimensions=(2,), max_degree=4)

    def claims_at(self, cell: dict[str, Any], one: xr.Dataset) -> list[Claim]:
        name = f"{cell['attention']}, d={cell['d']}"
        largest = abs(one.closed).max()
        relative = lambda way: float(abs(one[way] / one.closed - 1).max())
        # The linearization is accurate relative to its largest entry. PDE and particles are odd in the
        # size (a lattice of size < 0 is that of size > 0, turned), so that they err through the third
        # order: by (2 size e)^2, or 3e-7, at the size to which they grow, and by the tolerances
        # of the runs over the size, 1e-7. That makes six digits.
        made = [
            Claim.at_most(
                f"{name}: linearized against closed form",
                abs(one.linearized - one.closed).max() / largest, 1e-12, SOURCE,
            ),
            Claim.at_most(f"{name}: PDE, relative error", relative("pde"), 1e-6, SOURCE),
        ]  # fmt: skip
        if not np.isnan(one.particles).any():
            error = relative("particles")
            made.append(Claim.at_most(f"{name}: particles, relative error", error, 1e-6, SOURCE))
        return made

    def _attention(self, name: str) -> AbstractAttention:
        heads = []
        for kind, factor in HEADS[name]:
            beta = factor * self.beta
            if kind is Sinkhorn:  # whose sums are iterated, to well below the perturbation
                heads.append(Sinkhorn(beta, tol=1e-11))
            else:
                shift: dict[str, Any] = {"offset": offset(beta)} if kind is Unnormalized else {}
                heads.append(kind(beta, engine=Harmonic.of(beta, 2), **shift))
        return heads[0] if len(heads) == 1 else MultiHead(heads)

    def _closed(
        self, name: str, d: int, noise: float, degree: int | None = None
    ) -> Float[np.ndarray, " degrees"]:
        k = np.arange(1, (degree or self.max_degree) + 1)
        strength = np.zeros(k.shape)
        for kind, factor in HEADS[name]:
            beta = factor * self.beta
            strength += STRENGTHS[kind](multiplier(k, beta, d), multiplier(0, beta, d), beta) / beta
        return k * (k + d - 2) * (strength - noise)

    def _ends(self, closed: Float[np.ndarray, " k"], fastest: float) -> Float[Array, " k"]:
        """A time for each degree: to grow by e, unless others would first grow by e^4, perhaps of a
        degree above those that are measured, as where beta is large."""
        longest = 4 / fastest if fastest > 0 else np.inf
        return jnp.asarray(np.minimum(1 / abs(closed), longest))

    def _resolved(self) -> int:
        """A degree at which the multiplier of the kernel, e^{-n^2/(2 beta)}, is below 1e-13."""
        return max(self.max_degree, int(8 * np.sqrt(2 * self.beta)))

    def _lattices(self) -> Float[Array, "k n 2"]:
        """Equispaced tokens, moved so that the density is 1 + 2 size cos(k theta) to first order."""
        k = np.arange(1, self.max_degree + 1)[:, None]
        n = max(self.n, self._resolved())
        even = 2 * np.pi * (np.arange(n) + 0.5) / n
        angle = even - 2 * self.size / k * np.sin(k * even)
        return jnp.asarray(np.stack([np.cos(angle), np.sin(angle)], axis=-1))


def multiplier(k, beta: float, d: int):
    """a_k e^{-beta}, a_k = Gamma(d/2) (2/beta)^{d/2-1} I_{k+d/2-1}(beta): of e^{beta (<x, y> - 1)}."""
    scale = np.exp(gammaln(d / 2) + (d / 2 - 1) * np.log(2 / beta))
    return scale * ive(k + d / 2 - 1, beta)


def offset(beta: float) -> float:
    """That of USA: 0, or beta where e^beta nears the end of the range of floats."""
    return beta if beta > LARGEST else 0.0


@program_of_runs
def _by_density(
    equation: FokkerPlanck, size: Scalar, ends: Float[Array, " k"]
) -> tuple[Float[Array, " k"], Bool[Array, "..."]]:
    unit = jnp.eye(equation.basis.size)

    def one(direction, end):
        ts = jnp.stack([jnp.zeros_like(end), end])
        starts = unit[0] + size * jnp.stack([direction, -direction])
        run = jax.vmap(lambda x0: simulate(equation, x0, ts, tol=1e-13, throw=False))(starts)
        up, down = run.final
        return jnp.log((up - down) @ direction / (2 * size)) / end, run.ok

    return jax.vmap(one)(unit[1 : 1 + len(ends)], ends)


@program_of_runs
def _by_particles(
    flow: AttentionFlow, starts: Float[Array, "k n 2"], ends: Float[Array, " k"]
) -> tuple[Float[Array, " k"], Bool[Array, "..."]]:
    basis = Fourier(len(ends))

    def one(start, end, index):
        ts = jnp.stack([jnp.zeros_like(end), end])
        run = simulate(flow, start, ts, tol=1e-11, throw=False)
        ratio = _cosine(basis, run.final, index) / _cosine(basis, start, index)
        return jnp.log(ratio) / end, run.ok

    return jax.vmap(one)(starts, ends, 2 * jnp.arange(len(ends)) + 1)


def _cosine(basis: AbstractBasis, x: Points, index) -> Scalar:
    return basis.moments(x)[index]
