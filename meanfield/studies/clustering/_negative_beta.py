from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ...attention.kernels import Unnormalized
from ...dynamics.particles import AttentionFlow
from ...geometry import Sphere
from ...solve import simulate
from ..machinery import Claim, Study, check_that, grid, some_of, uniform_starts, wilson

PAPER = "arXiv 2507.22857: tokens on the circle meet from almost all starts for beta >= -.16"
TRIANGLE = "f'(2 pi/3) = -e^{-beta/2} (1/2 + 3 beta/4) for f(a) = e^{beta cos a} sin a"
SAFE, THRESHOLD = -0.16, -2 / 3


@dataclass(frozen=True, kw_only=True)
class NegativeBeta(Study):
    """Whether tokens on the circle meet under unnormalized attention whose beta is negative.

    From uniform starts, `met` is the share of clouds that end in one cluster, with its 95 % interval
    from `low` to `high`, and `triangle` the share that end in three clusters a third of the circle
    apart, which are stable if and only if beta < -2/3. The rest end elsewhere or are on their way.

    Source: arXiv 2507.22857.
    """

    beta: tuple[float, ...] = (-3.0, -2.0, -1.0, -0.5, -0.16, 0.5)
    """Inverse temperatures, but 0."""
    n: int = 6
    """Tokens."""
    starts: int = field(default=200, metadata={"least": 2})
    """Clouds."""
    time: float = 200.0
    """How long they run."""

    QUANTITIES: ClassVar = {
        "met": "share of clouds that meet",
        "low": "share that meet, lower end",
        "high": "share that meet, upper end",
        "triangle": "share of clouds in three clusters",
        "beta": "beta",
    }

    def check(self) -> None:
        check_that(0 not in self.beta, "beta != 0", 0, "pass beta=(-1.0,)")
        check_that(self.n >= 3, "n >= 3", self.n, "pass n=6")

    def cells(self) -> list[dict[str, Any]]:
        return grid(beta=self.beta)

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        flow = AttentionFlow(Sphere(2), Unnormalized(cell["beta"]))
        starts = uniform_starts(self.key(cell), self.starts, self.n, 2)
        ends = np.asarray(_ends(flow, starts, jnp.asarray([0.0, self.time])))
        angle = np.arctan2(ends[..., 1], ends[..., 0])
        first, third = (np.abs(np.exp(1j * k * angle).mean(axis=1)) for k in (1, 3))
        met = int((first > 1 - 1e-6).sum())
        low, high = wilson(met, self.starts)
        return xr.Dataset(
            {
                "met": ((), met / self.starts),
                "low": ((), low),
                "high": ((), high),
                "triangle": ((), ((third > 1 - 1e-6) & (first < 0.5)).mean()),
            }
        )

    def tiny(self) -> "NegativeBeta":
        return replace(self, beta=some_of(self.beta, (-3.0, -0.16)), starts=32)

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        made = []
        for beta in self.beta:
            at = dataset.sel(beta=beta)
            if beta >= SAFE:
                made.append(Claim.close(f"share that meets, beta={beta:g}", at.met, 1, 0, PAPER))
            if beta > THRESHOLD:
                name = f"share in three clusters, beta={beta:g}"
                made.append(Claim.close(name, at.triangle, 0, 0, TRIANGLE))
            if beta <= -3:
                name = f"some clouds do not meet, beta={beta:g}"
                made.append(Claim.holds(name, at.met < 1, "arXiv 2507.22857: not below -2/3"))
        return made


@eqx.filter_jit
def _ends(flow: AttentionFlow, starts, ts):
    return jax.lax.map(lambda x: simulate(flow, x, ts, tol=1e-7).final, starts)
