import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from scipy.integrate import solve_ivp
from scipy.optimize import brentq
from scipy.special import ive

from ...attention.engines import Harmonic
from ...attention.kernels import Unnormalized
from ...dynamics.densities import FokkerPlanck
from ...dynamics.particles import AttentionFlow
from ...energies import AbstractEnergy, Circle, Entropy, Pairwise
from ...geometry import Sphere
from ...harmonics import Fourier
from ...schemes import EntropicJKO, QuantileJKO, ScharfetterGummel
from ...solve import rollout, simulate
from ...transport.densities import HeatGrid
from ...transport.exact import wasserstein_circle
from ..machinery import Claim, Study, check_share, check_that, program_of_runs, some_of
from ._circle_quantiles import LEVELS, between, inverse, shares

MOMENTS = 48
"""Moments of the reduction: the last are below 1e-12."""
NODES = 2 * np.pi * np.arange(256) / 256
"""Angles at which the start is expanded."""
BINS = 90
"""Arcs over which densities are averaged for pictures."""
ORDER = {"particles": 0.5, "volumes": 1.0, "quantiles": 1.0, "entropic": 1.0}
"""Orders in n, and in tau."""
SOURCES = {
    "particles": "Sznitman (1991), theorem 1.4",
    "density": "spectral accuracy",
    "volumes": "Schlichting and Seis, arXiv 2004.13981",
    "quantiles": "Jordan, Kinderlehrer, Otto (1998)",
    "entropic": "Carlier et al. (2017), doi:10.1137/15M1050264",
}


@dataclass(frozen=True, kw_only=True)
class FourWays(Study):
    """One free energy on the circle, run as particles, density, minimizing movements, reduction.

        F(rho) = noise int rho log rho - 1/2 iint <x, y> rho rho,   d_t rho = div(rho grad dF/drho)

    This is linear attention (`Unnormalized(0)`) with noise, whose moments z_k = E e^{i k theta} obey
    z_k' = (k/2)(z_1 z_{k-1} - conj(z_1) z_{k+1}) - noise k^2 z_k: noisy Kuramoto oscillators. From two
    bumps the law comes together in one. The ways are

    - `particles`: n = 250 4^level, with independent starts and noise, steps of tau/2;
    - `density`: the Fokker-Planck equation in harmonics; `volumes`: the same by finite volumes;
    - `quantiles`: exact minimizing movements of 128 2^level quantiles; `entropic`: by Sinkhorn;
    - `reduction`: the moments, closed by their decay, to 1e-10.

    All but the spectral ones halve tau = .1/2^level, or the error 1/sqrt(n), from one level to the next.
    The dataset has, over (level, way), the quantiles, the `density` averaged over arcs, and over
    (level, way, other) the `distance`: the root mean square over times of W2 (and over the `samples`
    of particles).

    Source: the comparison is ours; the sources of each way are those of its claims.
    """

    ways: tuple[str, ...] = (
        "particles", "density", "volumes", "quantiles", "entropic", "reduction",
    )  # fmt: skip
    """Ways, `reduction` among them."""
    levels: tuple[int, ...] = (0, 1, 2)
    """Levels of refinement, ascending."""
    noise: float = 0.2
    """Strength of the noise; below 1/2 the uniform law is unstable."""
    times: tuple[float, ...] = (0.4, 1.2, 2.4, 6.0)
    """Times at which laws are compared, multiples of .1."""
    samples: int = field(default=8, metadata={"least": 2})
    """Independent clouds."""

    GRID: ClassVar = {"way": "ways", "level": "levels"}
    QUANTITIES: ClassVar = {
        "density": "density over that of the uniform law",
        "order": "mean resultant",
        "settled": "distance of the reduction from rest",
        "distance": "W2 between two ways",
        "way": "way",
        "other": "other way",
        "u": "level of the quantile",
    }

    def check(self) -> None:
        check_that(
            "reduction" in self.ways, "ways with 'reduction'", self.ways, "all are held to it"
        )
        check_that(
            self.noise < 0.5, "noise < 1/2", self.noise, "pass 0.2, for a law that is not flat"
        )
        check_that(list(self.levels) == sorted(set(self.levels)), "ascending levels", self.levels,
                   "sort them")  # fmt: skip
        check_that(list(self.times) == sorted(set(self.times)), "ascending times", self.times,
                   "sort them")  # fmt: skip
        for time in self.times:
            check_share(time, 0.1, "times that are multiples of 0.1", "the first step is that long")

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        way, level = cell["way"], cell["level"]
        runs = {
            "particles": self._particles, "density": self._density, "volumes": self._volumes,
            "quantiles": self._quantiles, "entropic": self._entropic, "reduction": self._reduction,
        }  # fmt: skip
        quantiles = np.asarray(runs[way](level))  # [sample, time, quantile]
        edges = 2 * np.pi * np.arange(BINS + 1) / BINS
        counts = np.apply_along_axis(lambda x: shares(x, edges), -1, quantiles)
        sizes = np.broadcast_to(quantiles, (self.samples, *quantiles.shape[1:]))
        return xr.Dataset(
            {
                "position": (("sample", "time", "u"), sizes),
                "density": (("time", "angle"), BINS * counts.mean(axis=0)),
                "order": ("time", _resultant(quantiles)),
                "settled": ((), abs(self._moments((0.0, 100.0))[-1, 0])),
            },
            {"time": list(self.times), "angle": (edges[1:] + edges[:-1]) / 2, "u": LEVELS},
        )

    def assemble(self, parts: list[xr.Dataset]) -> xr.Dataset:
        whole = super().assemble(parts)
        x = jnp.asarray(whole.position.transpose("level", "time", "way", "sample", "u").values)
        two = jax.vmap(wasserstein_circle)
        pairs = jax.jit(
            lambda row: jax.lax.map(lambda a: jax.lax.map(lambda b: two(a, b), row), row)
        )
        square = np.array([[pairs(row) ** 2 for row in level] for level in x])
        # Samples of one way are not compared with each other: they share nothing.
        distance = np.sqrt(square.mean(axis=(1, -1)))
        spread = (square.mean(axis=1)).std(axis=-1, ddof=1) / np.sqrt(self.samples)
        dims = ("level", "way", "other")
        whole = whole.drop_vars("position").assign_coords(other=whole.way.values)
        return whole.assign(
            distance=(dims, distance),
            distance_error=(dims, spread / np.maximum(2 * distance, 1e-300)),
        )

    def tiny(self) -> "FourWays":
        ways = some_of(self.ways, ("volumes", "quantiles", "reduction"))
        return replace(self, ways=ways, levels=self.levels[:1], times=self.times[:2], samples=2)

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        apart = dataset.distance.sel(other="reduction")
        made, ways = [], [way for way in self.ways if way != "reduction"]
        for way in ways:
            gap = apart.sel(way=way)
            size = self._size(way, max(self.levels))
            made.append(Claim.at_most(f"{way}: W2 to the reduction", gap[-1], size, SOURCES[way]))
            if gap.size > 2 and way in ORDER:
                rate = float(np.log2(gap[0] / gap[-1])) / (gap.size - 1)
                name = f"{way}: order in {'n' if way == 'particles' else 'tau'}"
                share = 0.5 if way == "particles" else 1.0
                made.append(Claim.close(name, share * rate, ORDER[way], 0.15, SOURCES[way]))
        for one, two in itertools.combinations(ways, 2):
            gap = dataset.distance.sel(way=one, other=two)
            sizes = [self._size(one, level) + self._size(two, level) for level in self.levels]
            name = f"{one}, {two}: W2 over what both may be off, the largest of all levels"
            worst = (gap / sizes).values.max()
            made.append(Claim.at_most(name, worst, 1, "triangle inequality"))
        exact = "r = I_1(r/noise)/I_0(r/noise): Sakaguchi (1988)"
        order = dataset.settled.sel(way="reduction").values.max()
        made.append(Claim.close("order at rest", order, equilibrium(self.noise), 1e-6, exact))
        return made

    def _size(self, way: str, level: int) -> float:
        """How far a way may be off: a step moves a law by its size at most; a mean of n angles varies
        by 2/sqrt(n) or so."""
        if way == "density":
            return 1e-5
        return (0.4 if way == "particles" else 0.2) / 2**level

    def _tau(self, level: int) -> float:
        return 0.1 / 2**level

    def _steps(self, level: int) -> list[int]:
        return [round(t / self._tau(level)) for t in self.times]

    def _energy(self) -> AbstractEnergy:
        return self.noise * Entropy() - Pairwise(jnp.dot)

    def _particles(self, level: int) -> np.ndarray:
        n, attention = 250 * 4**level, Unnormalized(0.0, engine=Harmonic(Fourier(2)))
        flow = AttentionFlow(Sphere(2), attention, noise=self.noise)
        ts = jnp.asarray([0.0, *self.times])

        def one(key):
            first, second = jax.random.split(key)
            angles = jnp.interp(jax.random.uniform(first, (n,)), LEVELS, start(LEVELS))
            x0 = jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=1)
            look = {"angle": lambda x: jnp.arctan2(x[:, 1], x[:, 0])}
            dt = jnp.asarray(self._tau(level) / 2)
            run = simulate(flow, x0, ts, dt=dt, key=second, observe=look, throw=False)
            return run.values["angle"][1:], run.ok

        keys = jax.random.split(self.key({"way": "particles", "level": level}), self.samples)
        found = program_of_runs(lambda keys: jax.lax.map(one, keys))(keys)
        angles = np.sort(np.mod(found, 2 * np.pi), axis=-1)
        return angles[..., (LEVELS * n).astype(int)]

    def _density(self, level: int) -> list:
        basis = Fourier(32)
        flow = FokkerPlanck(basis, Unnormalized(0.0), self.noise)
        ts = jnp.asarray([0.0, *self.times])
        first = basis.analyze(jnp.asarray(start_density(np.asarray(basis.nodes))))
        c = simulate(flow, first, ts, observe={"c": lambda c: c}, tol=1e-8).values["c"]
        return [[inverse(values, 0.0) for values in np.asarray(basis.synthesize(c[1:]))]]

    def _volumes(self, level: int) -> list:
        cells = 64 * 2**level
        scheme = ScharfetterGummel(
            Fourier(16), Unnormalized(0.0), self.noise, self._tau(level), cells
        )
        first = jnp.asarray(start_density(np.asarray(scheme.angles)))
        return [
            [inverse(v, np.pi / cells) for v in self._roll(scheme, first / first.mean(), level)]
        ]

    def _quantiles(self, level: int) -> list:
        n = 128 * 2**level
        u = (np.arange(n) + 0.5) / n
        scheme = QuantileJKO(self._energy(), self._tau(level), Circle())
        ends = self._roll(scheme, jnp.asarray(start(u)), level)
        return [[between(u, x) for x in ends]]

    def _entropic(self, level: int) -> list:
        # Debiased, it errs by epsilon^2 and tau; the kernel needs K^2 >= 50/(tau epsilon).
        tau, epsilon = self._tau(level), 0.125 / 2 ** (level / 2)
        degree = 8 * math.ceil(np.sqrt(50 / tau / epsilon) / 8)
        scheme = EntropicJKO(HeatGrid(Fourier(degree)), self._energy(), tau, epsilon)
        nodes = np.arctan2(scheme.points[:, 1], scheme.points[:, 0])
        first = jnp.asarray(start_density(nodes))
        return [[inverse(values, 0.0) for values in self._roll(scheme, first, level)]]

    def _roll(self, scheme, first, level: int) -> np.ndarray:
        run = rollout(scheme, first, self._steps(level)[-1], observe={"x": lambda x: x})
        return np.asarray(run.values["x"])[self._steps(level)]

    def _reduction(self, level: int) -> list:
        waves = np.exp(1j * np.arange(1, MOMENTS + 1)[:, None] * NODES)
        moments = self._moments(self.times)
        return [[inverse(1 + 2 * (z.conj() @ waves).real, 0.0) for z in moments]]

    def _moments(self, times: Sequence[float]) -> np.ndarray:
        """z_k at these times, k = 1 .. MOMENTS."""
        k = np.arange(1, MOMENTS + 1)

        def slope(_, parts):
            z = np.ascontiguousarray(parts).view(complex)
            below, above = np.concatenate([[1], z[:-1]]), np.concatenate([z[1:], [0]])
            moved = k / 2 * (z[0] * below - z[0].conj() * above)
            return (moved - self.noise * k**2 * z).view(float)

        first = np.exp(1j * k[:, None] * NODES) @ start_density(NODES) / len(NODES)
        ts = {"t_span": (0, times[-1]), "t_eval": times}
        path = solve_ivp(slope, y0=first.view(float), method="Radau", rtol=1e-10, atol=1e-12, **ts)
        return path.y.T.copy().view(complex)


def start_density(angle: np.ndarray) -> np.ndarray:
    """Two bumps, relative to the uniform law."""
    bumps = [(0.6, 2.2, 3.0), (0.4, 5.0, 4.0)]
    each = [w * np.exp(k * (np.cos(angle - at) - 1)) / ive(0, k) for w, at, k in bumps]
    return np.sum(each, axis=0)


def start(u: np.ndarray) -> np.ndarray:
    """The quantiles of the start."""
    return inverse(start_density(NODES), 0.0, u)


def equilibrium(noise: float) -> float:
    """The positive root r of r = I_1(r/noise)/I_0(r/noise), for noise < 1/2."""
    root = brentq(lambda r: ive(1, r / noise) / ive(0, r / noise) - r, 1e-3, 1.0)
    return float(np.asarray(root))


def _resultant(quantiles: np.ndarray) -> np.ndarray:
    """|z_1|, averaged over samples."""
    return np.abs(np.exp(1j * quantiles).mean(axis=-1)).mean(axis=0)
