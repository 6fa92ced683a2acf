from dataclasses import dataclass, field, replace
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float

from ..._typing import Points, Scalar, Weights
from ...attention.closures import doubly_stochastic_potential, smoothed
from ...attention.kernels import AbstractAttention, Sinkhorn
from ...dynamics.densities import FokkerPlanck
from ...dynamics.reductions import Normal
from ...geometry import Euclidean
from ...harmonics import AbstractBasis, Fourier, SphericalHarmonics
from ...measures import AbstractMeasure, HeatKernel, Mixture
from ...solve import simulate
from ...transport.exact import bures
from ..machinery import Claim, Study, check_that, order_of, some_of
from ._heat_flows import (
    DIFFUSIVITY,
    MIXTURE,
    SOURCE,
    gaussian_heat_flow,
    heat_attention,
    heat_flow,
    labels,
    residual,
)

TOL = 1e-8
"""Tolerance of the integrator: far below the distances that are measured."""
STEP = 0.025
"""Largest step on the line, where the method of order 5 errs by (STEP / variance)^5 or so."""
TURN = np.array([[np.cos(0.5), -np.sin(0.5)], [np.sin(0.5), np.cos(0.5)]])
COVARIANCES = {"Gaussian, R": np.diag([0.5]), "Gaussian, R2": TURN @ np.diag([0.3, 1.0]) @ TURN.T}
CORRECTION = "expansion of Sinkhorn's equation and of the Gaussian average in eps"


@dataclass(frozen=True, kw_only=True)
class HeatLimit(Study):
    """The heat equation as the limit of attention at high inverse temperature, with n = infinity.

        v(x) = (x - E[y | x]) / eps,  kernel e^{-|x-y|^2 / 2 eps},     d_t rho = D Laplacian rho as eps -> 0

    D = 1/2 for Sinkhorn attention, D = 1 for softmax by distance (the blob method). Theorem 1 of the
    source has D = 1 for Sinkhorn attention, in units of its own: the kernel e^{-|x-y|^2 / eps} and
    twice our time. On the sphere v is -P_x E[y | x] / eps.

    Infinitely many tokens on R are labels at even distances with the masses of the start, a trapezoid
    rule that is exact to rounding; Gaussians are closed forms; densities on the circle and S^2 solve the
    mean-field equation in harmonics. `error` is, at `t_end`,
    the distance to the heat flow: W2 on R (by the monotone map) and R^2 (Bures), and the norm of
    densities in H^{-1} on the circle and S^2, which is W2 near the uniform law. Beside it stands over
    (attention, start, eps) the largest `residual` of Sinkhorn's marginals on the way, and the
    leading term of order eps, divided by eps, as measured, `bias`, and exact, `bias_exact`: of the
    variance for Gaussians, -(1/4) log(s_T/s_0) (Sinkhorn) and -log(s_T/s_0) (L2); for the mixture on R
    of the velocity at the start in L2(rho),

        |grad(Lap r / r)| / 4, r = rho^{1/2} (Sinkhorn),    |grad(Lap rho / rho)| / 2 (L2);

    and the fitted `order` in eps, with its 95 % confidence interval from `order_low` to `order_high`.

    Source: Sander, Ablin, Blondel, Peyre (2022), arXiv 2110.11773, theorem 1.
    """

    attentions: tuple[str, ...] = ("Sinkhorn", "L2")
    """Kinds of attention."""
    starts: tuple[str, ...] = ("Gaussian, R", "Gaussian, R2", "mixture, R", "circle", "sphere")
    """Laws at the start; on circle and sphere, mixtures of heat kernels."""
    epsilons: tuple[float, ...] = field(default=(0.1, 0.05, 0.025, 0.0125), metadata={"count": 2})
    """Values of eps, the smallest being half of another."""
    t_end: float = 0.5
    """Final time."""
    n: int = 240
    """Labels on the line."""
    degree: int = 16
    """Degree of the harmonics on S^2; three times as much on the circle."""

    GRID: ClassVar = {"attention": "attentions", "start": "starts", "eps": "epsilons"}
    QUANTITIES: ClassVar = {
        "error": "distance to the heat flow",
        "bias": "first order in eps, over eps",
        "order": "fitted order in eps",
    }

    def compute(self, cell: dict) -> xr.Dataset:
        start, name, eps = cell["start"], cell["attention"], jnp.asarray(cell["eps"])
        if start in COVARIANCES:
            found = self._gaussian(name, eps, COVARIANCES[start])
        elif start == "mixture, R":
            found = self._line(name, eps)
        else:
            found = self._curved(name, eps, 2 if start == "circle" else 3)
        names = ("error", "residual", "bias", "bias_exact")
        return xr.Dataset({k: ((), float(v)) for k, v in zip(names, found, strict=True)})

    def assemble(self, parts: list[xr.Dataset]) -> xr.Dataset:
        whole = super().assemble(parts)
        return whole.assign(order_of(whole.eps, whole.error, "eps"))

    def check(self) -> None:
        check_that(self.n > 3, "n > 3", self.n, "pass n=240")

    def tiny(self) -> "HeatLimit":
        starts = some_of(self.starts, ("mixture, R",))
        return replace(self, starts=starts, epsilons=self.epsilons[:3], t_end=0.25, n=120)

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        made = []
        for name in self.attentions:
            for start in self.starts:
                one, title = dataset.sel(attention=name, start=start), f"{name}, {start}"
                source = SOURCE
                if name == "L2":
                    source = "Carrillo, Craig, Patacchini, arXiv 1709.09195 (blob method)"
                # Half of the share eps/s by which the next term bends the line.
                made.append(Claim.close(f"{title}: order in eps", one.order, 1, 0.05, source))
                if start in (*COVARIANCES, "mixture, R"):
                    ratio = _limit(one.bias) / float(one.bias_exact[0])
                    made.append(Claim.close(
                        f"{title}: constant of eps over the exact one", ratio, 1, 0.02, CORRECTION
                    ))  # fmt: skip
        worst = dataset.residual.values.max()
        return [*made, Claim.at_most("marginal error of Sinkhorn attention", worst, 1e-8, "ott")]

    def _gaussian(self, name: str, eps: Scalar, cov: np.ndarray):
        flow, ts = gaussian_heat_flow(name, eps, len(cov)), jnp.asarray([0.0, self.t_end])
        start: Normal = (jnp.zeros(len(cov)), jnp.asarray(cov))
        _, found = simulate(flow, start, ts, tol=1e-11).final
        heat = cov + 2 * DIFFUSIVITY[name] * self.t_end * np.eye(len(cov))
        growth = np.linalg.slogdet(heat)[1] - np.linalg.slogdet(cov)[1]
        factor = 0.25 if name == "Sinkhorn" else 1.0
        bias = jnp.trace(found - heat) / eps
        return bures(found, jnp.asarray(heat)), 0.0, bias, -factor * growth

    def _line(self, name: str, eps: Scalar):
        x, w = (jnp.asarray(a) for a in labels(MIXTURE, self.n))
        observe = {"residual": jax.tree_util.Partial(_residual, heat_attention(name, eps, 1), w)}
        flow = heat_flow(name, eps, Euclidean(1), w)
        step = min(float(eps), STEP)
        run = simulate(flow, x[:, None], self._times(), observe=observe, dt=step)
        law = MIXTURE.after(2 * DIFFUSIVITY[name] * self.t_end)
        exact = jnp.asarray(law.quantiles(*MIXTURE.tails(np.asarray(x))))
        error = jnp.sqrt(w @ (run.final[:, 0] - exact) ** 2)
        bias, bias_exact = _velocities(name, eps, x, w)
        return error, run.values["residual"].max(), bias, bias_exact

    def _curved(self, name: str, eps: Scalar, d: int):
        basis = Fourier(3 * self.degree) if d == 2 else SphericalHarmonics(self.degree)
        attention = heat_attention(name, eps, d, sphere=True)
        start = basis.analyze(jnp.exp(_two_bumps(d).log_density(basis.points)))
        observe = {"residual": jax.tree_util.Partial(_density_residual, attention, basis)}
        run = simulate(
            FokkerPlanck(basis, attention),
            start / start[0],
            self._times(),
            observe=observe,
            tol=TOL,
        )
        exact = basis.heat(start / start[0], DIFFUSIVITY[name] * self.t_end)
        gap = (run.final - exact)[1:] / jnp.sqrt(basis.eigenvalues[1:])
        return jnp.linalg.norm(gap), run.values["residual"].max(), np.nan, np.nan

    def _times(self) -> Float[Array, " T"]:
        return jnp.linspace(0.0, self.t_end, 3)


def _residual(attention: AbstractAttention, w: Weights, x: Points) -> Scalar:
    return residual(attention, x, w)


def _density_residual(
    attention: AbstractAttention, basis: AbstractBasis, coeffs: Float[Array, " k"]
) -> Scalar:
    """The marginal error of Sinkhorn attention at a density: int rho |e^g int k e^g rho - 1|."""
    if not isinstance(attention, Sinkhorn):
        return jnp.zeros((), coeffs.dtype)
    beta, rho = attention.beta, basis.synthesize(coeffs)
    factor = jnp.exp(doubly_stochastic_potential(beta, basis, coeffs))
    mass, _ = smoothed(beta, basis, basis.analyze(rho * factor))
    return basis.weights @ jnp.abs(rho * (factor * basis.synthesize(mass) - 1))


def _two_bumps(d: int) -> AbstractMeasure:
    """A law on the sphere whose heat flow is known, without symmetry on the circle."""
    other = jnp.asarray([np.cos(2.0), np.sin(2.0), 0.0])[:d]
    return Mixture([HeatKernel(d, 0.3), HeatKernel(d, 0.4, other)], jnp.asarray([0.6, 0.4]))


@eqx.filter_jit
def _velocities(name: str, eps: Scalar, x: Float[Array, " n"], w: Float[Array, " n"]):
    """The distance in L2(rho) of the velocity from its limit, over eps, and the limit of that."""
    score = jax.grad(MIXTURE.log_density)
    power = 0.5 if name == "Sinkhorn" else 1.0  # the correction is that of rho to this power

    def curvature(z):  # Lap(rho^p) / rho^p
        return power * jax.grad(score)(z) + (power * score(z)) ** 2

    attention = heat_attention(name, eps, 1)
    velocity = attention(x[:, None], None, w)[:, 0] + x / eps
    gap = velocity + DIFFUSIVITY[name] * jax.vmap(score)(x)
    exact = power / 2 * jax.vmap(jax.grad(curvature))(x)
    return jnp.sqrt(w @ gap**2) / eps, jnp.sqrt(w @ exact**2)


def _limit(bias: xr.DataArray) -> float:
    """The value at eps = 0 of the line through the two smallest eps."""
    (e, f), (b, c) = bias.eps.values[:2], bias.values[:2]
    return float((f * b - e * c) / (f - e))
