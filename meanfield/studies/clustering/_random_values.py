from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ..._intervals import Z95, wilson
from ...attention.kernels import Softmax
from ...dynamics.particles import RandomValues as Flow
from ...geometry import Sphere
from ...landscape.times import RandomPair
from ...solve import simulate
from ..machinery import AbstractCellwiseStudy, Claim, check_that, program_of_runs, some_of

CRITICAL = {3: 0.0, 8: 1.23894, 32: 2.04703}
"""arcosh((d-1)/2)^{1/2} to five digits."""


@dataclass(frozen=True, kw_only=True)
class RandomValues(AbstractCellwiseStudy):
    """Two tokens under value matrices drawn anew in each layer: how often they end antipodal.

        dx_i = P_{x_i} dW m_i - (s^2 (d-1)/2) |m_i|^2 x_i dt

    from orthogonal tokens. `antipodal` is the probability by the scale function of <x_1, x_2>
    (`RandomPair`), over beta; `share` that of runs of the tokens themselves at `tried` to time t_end, with
    its 95 % interval. Merged tokens always attract; antipodes do from beta_c = arcosh((d-1)/2)^{1/2} on.

    Source: arXiv 2601.21942 (whose scaling of beta may differ).
    """

    dimensions: tuple[int, ...] = (3, 8, 32)
    """Ambient dimensions d."""
    beta: tuple[float, ...] = tuple(float(b) for b in np.round(np.arange(0.0, 4.55, 0.1), 10))
    """Inverse temperatures of the curves."""
    tried: tuple[float, ...] = (1.0, 2.0, 3.0)
    """Inverse temperatures of the runs."""
    largest: int = 8
    """The largest dimension in which tokens are run."""
    runs: int = 4000
    """Runs of a pair."""
    t_end: float = 15.0
    """End of the runs."""
    dt: float = 0.005
    """Steps of the runs."""

    GRID: ClassVar = {"d": "dimensions"}
    QUANTITIES: ClassVar = {
        "antipodal": "probability of antipodes",
        "critical": "inverse temperature from which antipodes attract",
        "share": "share of runs that end antipodal",
        "share_low": "lower end of its interval",
        "share_high": "upper end of its interval",
        "undecided": "share of runs that are neither merged nor antipodal",
        "theory": "probability of antipodes where runs were made",
        "tried": "inverse temperature of runs",
    }

    def check(self) -> None:
        check_that(self.runs >= 10, "runs >= 10", self.runs, "pass runs=4000")
        check_that(self.dt > 0, "dt > 0", self.dt, "pass dt=0.02")

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        d = cell["d"]
        curve = [float(RandomPair(beta, d).antipodal()) for beta in self.beta]
        theory = [float(RandomPair(beta, d).antipodal()) for beta in self.tried]
        ends = np.full((len(self.tried), self.runs), np.nan)
        if d <= self.largest:
            keys = jax.random.split(self.key(cell), self.runs)
            for k, beta in enumerate(self.tried):
                ends[k] = _ends(jnp.asarray(beta), d, self.t_end, self.dt, keys)
        apart, merged = (ends < -0.9).sum(axis=1), (ends > 0.9).sum(axis=1)
        known = np.isfinite(ends).all(axis=1)
        low, high = wilson(apart, self.runs)
        values = {
            "share": apart / self.runs,
            "share_low": low,
            "share_high": high,
            "undecided": 1 - (apart + merged) / self.runs,
        }
        counted = {name: ("tried", np.where(known, v, np.nan)) for name, v in values.items()}
        curves = {"antipodal": ("beta", curve), "theory": ("tried", theory)}
        found = xr.Dataset(counted | curves, {"beta": list(self.beta), "tried": list(self.tried)})
        return found.assign(critical=float(RandomPair(1.0, d).critical_beta()))

    def tiny(self) -> "RandomValues":
        return replace(
            self, dimensions=some_of(self.dimensions, (3, 8)), beta=some_of(self.beta, (0.0, 1.0, 2.0)),
            tried=some_of(self.tried, (2.0,)), largest=3, runs=200, dt=0.05,
        )  # fmt: skip

    def claims_at(self, cell: dict[str, Any], at: xr.Dataset) -> list[Claim]:
        claims = []
        d = cell["d"]
        if d in CRITICAL:
            source = "(d-1)/cosh^2 beta = 2"
            name = f"critical beta, d={d}"
            claims.append(Claim.close(name, at.critical, CRITICAL[d], 6e-6, source))
        never = at.antipodal.where(at.beta < at.critical, 0).max(skipna=False)
        claims.append(Claim.close(f"antipodes below it, d={d}", never, 0, 0, "they repel"))
        for beta in self.tried if d <= self.largest else ():
            claims += self._runs(d, at.sel(tried=beta))
        return claims

    def _runs(self, d: int, at: xr.Dataset) -> list[Claim]:
        source = "scale function of <x_1, x_2>"
        # Two standard errors, and what steps leave, of first order: the share of d dt that the noise moves a
        # token in one. It was measured to be as large: -7 % at d dt = .06, -16 % at .16.
        # Where none should part, one or two runs may still be on their way back.
        error = np.sqrt(at.theory * (1 - at.theory) / self.runs)
        slack = Z95 * error + d * self.dt * at.theory + at.undecided + 3 / self.runs
        name = f"antipodal, d={d}, beta={float(at.tried):g}"
        return Claim.telling(name, at.share, at.theory, slack, source, effect=max(at.theory, 0.05))


@program_of_runs
def _ends(beta, d: int, t_end, dt, keys):
    """<x_1, x_2> at the end of each run from orthogonal tokens."""
    flow, x = Flow(Sphere(d), Softmax(beta)), jnp.eye(2, d)
    ts = jnp.stack([jnp.zeros(()), jnp.asarray(t_end, float)])

    def end(key):
        run = simulate(flow, x, ts, key=key, dt=dt, throw=False)
        return run.final[0] @ run.final[1], run.ok

    return jax.vmap(end)(keys)
