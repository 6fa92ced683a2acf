from dataclasses import dataclass, field, replace
from math import comb
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float

from ..._typing import Points, Weights
from ...dynamics.densities import FokkerPlanck
from ...dynamics.particles import AttentionFlow
from ...geometry import Sphere
from ...harmonics import Gegenbauer
from ...measures import VonMisesFisher
from ...solve import simulate
from ..machinery import (
    TELLING,
    AbstractCellwiseStudy,
    Claim,
    attention_named,
    order_of,
    program_of_runs,
    some_of,
)
from ._mean_field_limit import PAIRS, SOURCE

DEGREES = 4


@dataclass(frozen=True, kw_only=True)
class ParticlesVsPde(AbstractCellwiseStudy):
    """The same start as n particles and as a density: their moments differ by n^(-1/2).

        D_n^2 = E sum_{k=1}^4 (1/n sum_i P_k(<x_i, e_1>) - int P_k(<x, e_1>) rho)^2,   P_k(1) = 1

    at the final time, the mean being over independent clouds. rho solves `FokkerPlanck` in zonal
    harmonics, so that no particle enters the reference. Tokens start from the von Mises-Fisher law about
    e_1; USA is scaled to agree with SA at the uniform law. `slope` is that of log D in log n.

    With noise the particles take steps dt of weak order one: their moments are off by O(dt), which is
    to be small beside D at the largest n; `offset` is the difference of the mean over the largest
    clouds, which shows this and the bias of order 1/n.

    Source: Sznitman (1991), doi:10.1007/BFb0085169, theorem 1.4, for interactions without normalizer.
    The density as reference is ours.
    """

    attentions: tuple[str, ...] = ("SA", "USA")
    """Kinds of attention: SA (softmax) and USA (unnormalized)."""
    dimensions: tuple[int, ...] = (2, 3, 16)
    """Ambient dimensions d."""
    noises: tuple[float, ...] = (0.0, 0.1)
    """Strengths nu of the noise."""
    sizes: tuple[int, ...] = field(default=(16, 32, 64, 128, 256), metadata={"count": 3})
    """Numbers of tokens n, three or more."""
    samples: int = field(default=48, metadata={"least": 2})
    """Independent clouds of each size."""
    beta: float = 3.0
    """Inverse temperature."""
    kappa: float = 2.0
    """Concentration of the law at the start."""
    t_end: float = 0.5
    """Final time."""
    dt: float = 0.01
    """Step of noisy particles."""
    degree: int = 32
    """Degree of the density's expansion."""

    GRID: ClassVar = {"attention": "attentions", "d": "dimensions", "noise": "noises"}
    QUANTITIES: ClassVar = {
        "distance": "distance of particles and PDE",
        "density": "moment of the density",
        "offset": "mean moment of the particles, less that of the density",
        "minimum": "least value of the density",
        "slope": "fitted power of n",
    }

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        density, minimum = self._density(cell)
        clouds = self._clouds(cell)  # [n, sample, degree]
        square = ((clouds - density) ** 2).sum(axis=-1)
        mean = square.mean(axis=1)
        spread = square.std(axis=1, ddof=1) / np.sqrt(self.samples)
        largest = clouds[-1]
        offset_error = largest.std(axis=0, ddof=1) / np.sqrt(self.samples)
        return xr.Dataset(
            {
                "distance": ("n", np.sqrt(mean)),
                "distance_error": ("n", spread / (2 * np.sqrt(mean))),
                "density": ("degree", density),
                "offset": ("degree", largest.mean(axis=0) - density),
                "offset_error": ("degree", offset_error),
                "minimum": ((), minimum),
            },
            {"n": list(self.sizes), "degree": np.arange(1, DEGREES + 1)},
        )

    def assemble(self, parts: list[xr.Dataset]) -> xr.Dataset:
        whole = super().assemble(parts)
        fit = order_of(whole.n, whole.distance, "n", whole.distance_error)
        return whole.assign(slope=fit.order, slope_error=fit.order_error)

    def tiny(self) -> "ParticlesVsPde":
        return replace(
            self, attentions=some_of(self.attentions, ("SA",)), sizes=(16, 64, 256),
            dimensions=some_of(self.dimensions, (3,)), noises=some_of(self.noises, (0.1,)),
            degree=20, dt=0.05,
        )  # fmt: skip

    def claims_at(self, cell: dict[str, Any], one: xr.Dataset) -> list[Claim]:
        made = []
        name = f"{cell['attention']}, d={cell['d']}, noise={cell['noise']:g}"
        se = float(one.slope_error)
        # Two moments apart by chance, by 1/n and by dt: 4 standard errors over four degrees. Of
        # moments that are not twice as large nothing is told.
        allowed = 4 * one.offset_error + 2 / max(self.sizes) + self.dt * (cell["noise"] > 0)
        telling = ~(allowed >= TELLING * abs(one.density)).values
        off = (abs(one.offset) / allowed).values[telling]
        made += [
            Claim.close(f"{name}: slope (se {se:.3f})", one.slope, -0.5, 0.1, SOURCE),
            *[
                Claim.at_most(
                    f"{name}: offset of the mean, in units of what is allowed",
                    off.max(), 1.0, "bias O(1/n) + O(dt)",
                )
            ] * bool(off.size),
            Claim.at_least(
                f"{name}: least value of the density", one.minimum, 0.0,
                "a density is positive", 1e-6,
            ),
        ]  # fmt: skip
        return made

    def _density(self, cell: dict[str, Any]) -> tuple[np.ndarray, float]:
        """E P_k(<x, e_1>), k = 1 .. 4, of the density at t_end, and its least value."""
        basis = Gegenbauer(cell["d"], self.degree)
        attention = attention_named(cell["attention"], self.beta, cell["d"])
        equation = FokkerPlanck(basis, attention, cell["noise"])
        start = basis.analyze(jnp.exp(self.kappa * (basis.nodes - 1)))
        ts = jnp.asarray([0.0, self.t_end])
        final = simulate(equation, start / start[0], ts, tol=1e-8).final
        poles = _poles(basis)
        return np.asarray(final[1 : 1 + DEGREES]) / poles, float(equation.minimum(final))

    def _clouds(self, cell: dict[str, Any]) -> np.ndarray:
        """The moments of independent clouds, [n, sample, degree]."""
        d, noise = cell["d"], cell["noise"]
        attention = attention_named(cell["attention"], self.beta, d)
        flow = AttentionFlow(Sphere(d), attention, noise=noise)
        law = VonMisesFisher(jnp.eye(d)[0], self.kappa)
        keys = jax.random.split(self.key(cell), len(self.sizes) * self.samples)
        number = jnp.repeat(jnp.asarray(self.sizes), self.samples)
        dt = jnp.asarray(self.dt) if noise else None
        ts = jnp.asarray([0.0, self.t_end])
        moments = _run(flow, law, keys, number, ts, dt, max(self.sizes))
        return np.asarray(moments).reshape(len(self.sizes), self.samples, DEGREES)


@program_of_runs
def _run(flow, law, keys, number, ts, dt, most: int):
    """The final moments [clouds, 4] of clouds of `number` tokens, at most `most`.

    Every cloud has `most` tokens, those beyond its number without mass: one program serves all.
    """
    basis = Gegenbauer(flow.geometry.d, DEGREES)

    def one(cell):
        (start, noise), n = jax.random.split(cell[0]), cell[1]
        w = jnp.where(jnp.arange(most) < n, 1 / n, 0).astype(ts.dtype)
        x0 = law.sample(start, most)
        run = simulate(flow.reweight(w), x0, ts, tol=1e-5, dt=dt, key=noise, throw=False)
        return _moments(basis, w, run.final), run.ok

    batch = max(1, min(len(keys), PAIRS // most**2))
    return jax.lax.map(one, (keys, number), batch_size=batch)


def _moments(basis: Gegenbauer, w: Weights, x: Points) -> Float[Array, " 4"]:
    return basis.moments(basis.coordinates(x), w)[1:] / _poles(basis)


def _poles(basis: Gegenbauer) -> Float[np.ndarray, " 4"]:
    """p_k(1) = sqrt(N(d, k)), k = 1 .. 4."""
    d = basis.d
    return np.sqrt([_harmonics(d, k) for k in range(1, DEGREES + 1)])


def _harmonics(d: int, k: int) -> float:
    """The number of harmonics of degree k >= 1 on S^{d-1}."""
    return (2 * k + d - 2) / k * comb(k + d - 3, k - 1)
