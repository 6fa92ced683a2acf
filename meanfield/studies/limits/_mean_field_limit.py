import math
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float

from ..._typing import Key, Points, Weights
from ...dynamics.particles import AttentionFlow
from ...geometry import Sphere
from ...measures import VonMisesFisher
from ...observables import second_moment
from ...solve import simulate
from ..machinery import (
    AbstractCellwiseStudy,
    Claim,
    attention_named,
    order_of,
    program_of_runs,
    some_of,
)

SOURCE = "Sznitman (1991), Topics in propagation of chaos, theorem 1.4: fluctuations of size n^-1/2"
PAIRS = 2**22
"""Pairs of tokens that are held at once."""


@dataclass(frozen=True, kw_only=True)
class MeanFieldLimit(AbstractCellwiseStudy):
    """Clouds of n tokens against the mean-field limit n -> infinity: distance n^(-1/2).

        D_n(t)^2 = E |m_n - m|^2 + E |S_n - S|_F^2,   m = int x dmu_t,  S = int x x^T dmu_t

    D is the root mean square, over independent clouds, of a distance of measures that is 0 for equal
    first and second moments: the maximum mean discrepancy of the kernel <x, y> + <x, y>^2, whose
    test functions are bounded and Lipschitz. The limit (m, S) is replaced by the mean over
    `references` clouds of `n_reference` tokens each. Its variance, known from their spread, is
    subtracted; its bias is of order 1/n_reference, against the n^(-1/2) that is measured.

    Tokens start from the von Mises-Fisher law about e_1, so that the limit moves and has no symmetry
    that fixes its moments; USA is scaled to agree with SA at the uniform law. Nearer to uniform, in
    high d, small clouds part from the limit by distances of order one, and n must be larger before
    the rate shows.

    The dataset has `distance` and its standard error over (attention, d, n, time), the `slope` of
    its logarithm in log n, and `floor`, the error of the reference.

    Source: Sznitman (1991), doi:10.1007/BFb0085169, theorem 1.4, for interactions without normalizer.
    """

    attentions: tuple[str, ...] = ("SA", "USA")
    """Kinds of attention: SA (softmax) and USA (unnormalized)."""
    dimensions: tuple[int, ...] = (2, 3, 16)
    """Ambient dimensions d."""
    sizes: tuple[int, ...] = field(default=(32, 64, 128, 256), metadata={"count": 3})
    """Numbers of tokens n, three or more."""
    samples: int = field(default=96, metadata={"least": 2})
    """Independent clouds of each size."""
    n_reference: int = 1024
    """Tokens of a reference cloud."""
    references: int = field(default=16, metadata={"least": 2})
    """Independent reference clouds."""
    beta: float = 3.0
    """Inverse temperature."""
    spread: float = 1.0
    """Spread of the law at the start: its concentration kappa is d / spread."""
    t_end: float = 1.5
    """Final time; the distance is stored at its thirds too."""

    GRID: ClassVar = {"attention": "attentions", "d": "dimensions"}
    QUANTITIES: ClassVar = {
        "distance": "distance to the limit",
        "floor": "error of the reference",
        "exact_start": "distance at the start, exact",
        "slope": "fitted power of n",
    }

    def compute(self, cell: dict) -> xr.Dataset:
        first, second = jax.random.split(self.key(cell))
        reference = self._moments(cell, first, (self.n_reference,), self.references)[0]
        centre = reference.mean(axis=0)
        floor = ((reference - centre) ** 2).sum(axis=-1).mean(axis=0) / (self.references - 1)
        clouds = self._moments(cell, second, self.sizes, self.samples)
        square = ((clouds - centre) ** 2).sum(axis=-1)  # [n, sample, time]
        mean = square.mean(axis=1) - floor
        spread = square.std(axis=1, ddof=1) / np.sqrt(self.samples)
        return xr.Dataset(
            {
                "distance": (("n", "time"), np.sqrt(mean)),
                "distance_error": (("n", "time"), spread / (2 * np.sqrt(mean))),
                "floor": ("time", np.sqrt(floor)),
                "exact_start": ((), self._exact_start(cell["d"])),
            },
            {"n": list(self.sizes), "time": self._times()},
        )

    def assemble(self, parts: list[xr.Dataset]) -> xr.Dataset:
        whole = super().assemble(parts)
        fit = order_of(whole.n, whole.distance, "n", whole.distance_error)
        return whole.assign(slope=fit.order, slope_error=fit.order_error)

    def tiny(self) -> "MeanFieldLimit":
        return replace(
            self,
            attentions=some_of(self.attentions, ("SA",)),
            dimensions=some_of(self.dimensions, (3,)),
            sizes=(16, 32, 64, 128),
            n_reference=512,
            t_end=1.0,
        )

    def claims_at(self, cell: dict[str, Any], one: xr.Dataset) -> list[Claim]:
        made = []
        name = f"{cell['attention']}, d = {cell['d']}"
        end = one.isel(time=-1)
        made += [
            Claim.close(
                f"{name}: slope of log distance in log n (se {float(end.slope_error):.3f})",
                end.slope, -0.5, 0.1, SOURCE,
            ),
            # Four standard errors, of the mean over sizes of the scaled squares.
            *Claim.telling(
                f"{name}: n D^2 at the start", *_start(one), "independent samples: tr Cov"
            ),
            Claim.at_most(
                f"{name}: error of the reference over the least distance",
                (one.floor / one.distance).values.max(), 0.5, "the reference is far larger",
            ),
        ]  # fmt: skip
        return made

    def _times(self) -> np.ndarray:
        return np.linspace(0.0, self.t_end, 4)

    def _moments(self, cell: dict, key: Key, sizes: tuple[int, ...], samples: int) -> np.ndarray:
        """First and second moments of independent clouds, [sizes, samples, times, d + d^2]."""
        d = cell["d"]
        flow = AttentionFlow(Sphere(d), attention_named(cell["attention"], self.beta, d))
        law = VonMisesFisher(jnp.eye(d)[0], d / self.spread)
        keys = jax.random.split(key, len(sizes) * samples)
        number = jnp.repeat(jnp.asarray(sizes), samples)
        moments = _run(flow, law, keys, number, jnp.asarray(self._times()), max(sizes))
        return np.asarray(moments).reshape(len(sizes), samples, *moments.shape[1:])

    def _exact_start(self, d: int) -> float:
        """n D_n(0)^2 = 2 - |m|^2 - |S|_F^2: the trace of the covariance of (x, x x^T)."""
        resultant = float(VonMisesFisher(jnp.eye(d)[0], d / self.spread).resultant())
        along = 1 - (d - 1) * resultant * self.spread / d  # E <x, e_1>^2, by parts
        return 2 - resultant**2 - along**2 - (1 - along) ** 2 / (d - 1)


@program_of_runs
def _run(flow: AttentionFlow, law: VonMisesFisher, keys, number, ts, most: int):
    """The moments [clouds, times, p] of clouds of `number` tokens, at most `most`.

    Every cloud has `most` tokens, those beyond its number without mass: one program serves all.
    """

    def one(cell):
        key, n = cell
        w = jnp.where(jnp.arange(most) < n, 1 / n, 0).astype(ts.dtype)
        observe = {"moments": jax.tree_util.Partial(_moments_of, w)}
        x0 = law.sample(key, most)
        run = simulate(flow.reweight(w), x0, ts, observe=observe, tol=1e-5, throw=False)
        return run.values["moments"], run.ok

    # A batch that divides their number: a remainder would be a second program.
    batch = math.gcd(len(keys), max(1, 1 << (PAIRS // most**2).bit_length() - 1))
    return jax.lax.map(one, (keys, number), batch_size=batch)


def _moments_of(w: Weights, x: Points) -> Float[Array, " p"]:
    return jnp.concatenate([w @ x, second_moment(x, w).ravel()])


def _start(one: xr.Dataset) -> tuple[float, float, float]:
    """The mean over sizes of n D_n(0)^2, its exact value, and four standard errors."""
    first = one.isel(time=0)
    square = first.n * first.distance**2
    error = 2 * first.n * first.distance * first.distance_error
    return (
        float(square.mean()),
        float(first.exact_start),
        4 * float(np.sqrt((error**2).sum())) / first.n.size,
    )
