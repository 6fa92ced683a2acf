import itertools
from dataclasses import dataclass, field, replace
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from scipy.special import betaincinv, ndtri

from ...attention.kernels import Unnormalized
from ...dynamics.particles import AttentionFlow
from ...energies import AbstractEnergy, Entropy, GradedLine, Interaction, InternalEnergy, Potential
from ...geometry import Sphere
from ...schemes import EntropicJKO, ParticleJKO, QuantileJKO, SecondOrderJKO
from ...solve import rollout, simulate
from ...transport.densities import Box
from ..machinery import Claim, Study, check_that, some_of

ROUNDING = 1e-11
"""Errors below this are rounding: no order is read from them."""
JKO = "Jordan, Kinderlehrer, Otto (1998)"
EXTRAPOLATION = "Zaitzeff, Esedoglu, Garikipati, arXiv 1908.10246"
ORDERS = {
    "quantiles, tau": (1, JKO),
    "porous medium, tau": (1, JKO),
    "second order, tau": (2, EXTRAPOLATION),
    "second order, porous medium, tau": (2, EXTRAPOLATION),
    "entropic, tau": (1, "doi:10.1137/15M1050264"),
    "particles, tau": (1, JKO),
    "quantiles, N": (2, "midpoint rule, fitted tails"),
    "porous medium, N": (2, "midpoint rule, fitted fronts"),
    "graded quantiles, N": (2, "midpoint rule"),
    "entropic, epsilon": (2, "debiased: even in epsilon"),
}
"""Expected orders, in the quantity named last."""


def _well(x):
    return x[0] ** 2 / 2


def _bump(x):
    return x[0] ** 2 / 2 + jnp.exp(-(x[0] ** 2))


@dataclass(frozen=True, kw_only=True)
class JkoOrders(Study):
    """How the errors of all minimizing movements fall with tau, N and epsilon.

    In tau, to the time 1, against the solution of the equation: the Ornstein-Uhlenbeck law
    N(1, 1/4) (quantiles, second order, entropic), Barenblatt's profile from t = 1 to 2 (porous
    medium), the flow of unnormalized attention (particles). In N, against three times as many
    quantiles: laws that are no image of the exact ones, in the bulk 1/10 < u < 9/10, or in W2 where
    they are graded. In epsilon, against the exact movements of ten steps of .1,

        m -> m/(1 + tau),   s -> (s + sqrt(s^2 + 4 tau (1 + tau)))/(2 (1 + tau)),

    which quantiles follow to rounding (`exact quantiles`). The dataset has, over (scheme, level),
    `size` (1/tau, N or 1/epsilon), `error` and `order`, between a level and the one before.

    Source: Jordan, Kinderlehrer, Otto (1998); Zaitzeff, Esedoglu, Garikipati, arXiv 1908.10246.
    """

    methods: tuple[str, ...] = ("exact quantiles", *ORDERS)
    """Schemes, and what is refined."""
    steps: tuple[int, ...] = field(default=(10, 20, 40, 80), metadata={"count": 2})
    """Steps to the time 1."""
    quantiles: tuple[int, ...] = field(default=(33, 99, 297, 891), metadata={"count": 3})
    """Numbers N, each three times the one before."""
    epsilons: tuple[float, ...] = field(default=(0.8, 0.4, 0.2, 0.1), metadata={"count": 2})
    """Regularizations, descending."""

    GRID: ClassVar = {"scheme": "methods"}
    QUANTITIES: ClassVar = {
        "size": "resolution",
        "error": "error",
        "order": "order between levels",
        "scheme": "scheme and what is refined",
    }

    def check(self) -> None:
        third = all(b == 3 * a for a, b in zip(self.quantiles, self.quantiles[1:], strict=False))
        check_that(third, "quantiles each three times the one before", self.quantiles,
                   "pass (33, 99, 297)")  # fmt: skip

    def compute(self, cell: dict) -> xr.Dataset:
        method = cell["scheme"]
        if method == "exact quantiles":
            size, error = self.quantiles, [_recursion(n) for n in self.quantiles]
        elif method.endswith("N"):
            size, error = self.quantiles[:-1], self._in_number(method)
        elif method.endswith("epsilon"):
            size = [1 / e for e in self.epsilons]
            error = [_entropic(10, e, _movements(0.1, 10)) for e in self.epsilons]
        else:
            size, error = self.steps, [_in_tau(method, steps) for steps in self.steps]
        order = np.full(len(size), np.nan)
        order[1:] = -np.diff(np.log(error)) / np.diff(np.log(size))
        names = {"size": np.array(size, float), "error": np.array(error), "order": order}
        return xr.Dataset(
            {name: ("level", values) for name, values in names.items()},
            {"level": np.arange(len(size))},
        )

    def tiny(self) -> "JkoOrders":
        return replace(self, methods=some_of(self.methods, ("second order, tau",)), steps=(10, 20))

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        made = []
        for method in self.methods:
            one = dataset.sel(scheme=method)
            if method == "exact quantiles":
                worst = one.error.values.max()
                made.append(Claim.at_most(f"{method}: error", worst, 1e-10, JKO))
                continue
            expected, source = ORDERS[method]
            seen = one.order.values[1:][one.error.values[1:] > ROUNDING]
            order = seen[-1] if seen.size else np.nan
            # Grading by the logarithm of N costs .1 at these N.
            share = 0.2 if method in ("graded quantiles, N", "entropic, epsilon") else 0.1
            made.append(Claim.close(f"{method}: order", order, expected, share, source))
            if method == "entropic, epsilon":
                made.append(
                    Claim.at_most("entropic: error at the last", one.error[-1], 1e-3, source)
                )
        return made

    def _in_number(self, method: str) -> list[float]:
        porous, graded = method.startswith("porous"), method.startswith("graded")
        energy = InternalEnergy(2.0) if porous else Potential(_bump) + Entropy()
        scheme = QuantileJKO(energy, 0.1, GradedLine() if graded else None)
        ends = []
        for n in self.quantiles:
            u = np.asarray(scheme.domain.levels(n))
            x = np.sin(_barenblatt(0.2, u)) if porous else ndtri(u) + np.tanh(2 * ndtri(u))
            ends.append((u, np.asarray(rollout(scheme, jnp.asarray(x), 4).final)))
        errors = []
        for (u, coarse), (v, fine) in itertools.pairwise(ends):
            if graded:
                gap = coarse - np.interp(ndtri(u), ndtri(v), fine)
                errors.append(float(np.sqrt(scheme.domain.masses(len(u)) @ gap**2)))
            else:
                gap = coarse - fine[1::3]
                errors.append(float(np.abs(gap[np.abs(u - 0.5) < 0.4]).max()))
        return errors


def _in_tau(method: str, steps: int) -> float:
    """The error at the time 1."""
    if method.startswith("entropic"):
        return _entropic(steps, 0.1, _law())
    if method.startswith("particles"):
        return _particles(steps)
    u = (np.arange(33) + 0.5) / 33
    scheme = SecondOrderJKO if method.startswith("second") else QuantileJKO
    energy: AbstractEnergy = Potential(_well) + Entropy()
    start, exact = (mean + deviation * ndtri(u) for mean, deviation in ((1.0, 0.5), _law()))
    if "porous" in method:
        energy, start, exact = InternalEnergy(2.0), _barenblatt(1.0, u), _barenblatt(2.0, u)
    run = rollout(scheme(energy, 1 / steps), jnp.asarray(start), steps)
    return float(jnp.sqrt(((run.final - exact) ** 2).mean()))


def _law() -> tuple[float, float]:
    """Mean and deviation of N(1, 1/4) after the time 1 of the Ornstein-Uhlenbeck process."""
    return float(np.exp(-1)), float(np.sqrt(1 - 0.75 * np.exp(-2)))


def _movements(tau: float, steps: int) -> tuple[float, float]:
    """The same after exact movements."""
    m, s = 1.0, 0.5
    for _ in range(steps):
        m, s = m / (1 + tau), (s + np.sqrt(s**2 + 4 * tau * (1 + tau))) / (2 * (1 + tau))
    return m, float(s)


def _recursion(n: int) -> float:
    z = ndtri((np.arange(n) + 0.5) / n)
    run = rollout(QuantileJKO(Potential(_well) + Entropy(), 0.1), jnp.asarray(1 + z / 2), 10)
    m, s = _movements(0.1, 10)
    return float(jnp.abs(run.final - m - s * z).max())


def _entropic(steps: int, epsilon: float, law: tuple[float, float]) -> float:
    """How far mean and deviation of the density are from those of `law`."""
    domain = Box(-5.0, 5.0, 240)
    scheme = EntropicJKO(domain, Potential(_well) + Entropy(), 1 / steps, epsilon)
    rho = rollout(scheme, domain.evaluate(lambda x: jnp.exp(-2 * (x[0] - 1) ** 2)), steps).final
    x, mass = domain.points[:, 0], domain.weights * rho
    mean = mass @ x
    deviation = jnp.sqrt(mass @ (x - mean) ** 2)
    return float(jnp.hypot(mean - law[0], deviation - law[1]))


def _particles(steps: int) -> float:
    sphere, beta = Sphere(3), 2.0
    x = sphere.sample(jax.random.key(1), 8)
    flow = AttentionFlow(sphere, Unnormalized(beta))
    exact = simulate(flow, x, jnp.array([0.0, 1.0]), tol=1e-10).final
    run = rollout(ParticleJKO(sphere, -Interaction(beta), 1 / steps), x, steps)
    return float(jnp.sqrt((sphere.distance(run.final, exact) ** 2).mean()))


def _barenblatt(t: float, u: np.ndarray) -> np.ndarray:
    """Quantiles of t^(-1/3) (C - x^2 t^(-2/3)/12)_+, of mass 1."""
    edge = np.sqrt(12 * ((3 / 4) * np.sqrt(1 / 12)) ** (2 / 3))
    return t ** (1 / 3) * edge * (2 * betaincinv(2, 2, u) - 1)
