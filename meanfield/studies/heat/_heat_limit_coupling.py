from dataclasses import dataclass, field, replace
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float

from ..._typing import Scalar
from ...geometry import Euclidean
from ...solve import simulate
from ..machinery import Claim, Study, check_that, order_of, program_of_runs, some_of
from ._heat_flows import (
    DIFFUSIVITY,
    NORMAL,
    SOURCE,
    gaussian_heat_flow,
    heat_attention,
    heat_flow,
    residual,
)


@dataclass(frozen=True, kw_only=True)
class HeatLimitCoupling(Study):
    """How fast eps may fall with the number of tokens n: the error against both at once.

    Tokens start at the quantiles (i - 1/2)/n of a normal law on the line, so that nothing is left to
    chance, and move as in `HeatLimit`. `error` is W2 at `t_end` between the cloud and the same quantiles
    of the heat flow, over (attention, n, eps), and `bias` the distance of that law from the one at
    n = infinity, over (attention, eps). While the kernel reaches enough neighbours, the error is the
    bias, of order eps; where it does not, tokens feel themselves alone and stand still. So there is a
    best eps for each n, which falls about like n^(-1/2), and with it the error.
    `residual` is the error of Sinkhorn's marginals at the end.

    Source: Sander, Ablin, Blondel, Peyre, arXiv 2110.11773, theorem 1, for the limit; the coupling is
    ours.
    """

    attentions: tuple[str, ...] = ("Sinkhorn", "L2")
    """Kinds of attention."""
    sizes: tuple[int, ...] = field(default=(32, 128, 512), metadata={"count": 2})
    """Numbers of tokens, each four times the one before."""
    epsilons: tuple[float, ...] = (0.4, 0.2, 0.1, 0.05, 0.025, 0.0125, 0.00625)
    """Variances of the kernel, each half of the one before."""
    t_end: float = 0.5
    """Final time."""

    GRID: ClassVar = {"attention": "attentions", "n": "sizes", "eps": "epsilons"}
    QUANTITIES: ClassVar = {
        "error": "W2 to the heat flow",
        "bias": "W2 to the law of infinitely many tokens",
        "residual": "error of Sinkhorn's marginals at the end",
    }

    def check(self) -> None:
        many = all(b == 4 * a for a, b in zip(self.sizes, self.sizes[1:], strict=False))
        check_that(many, "sizes each four times the one before", self.sizes, "pass (32, 128, 512)")
        missing = {self._first() / 2**k for k, _ in enumerate(self.sizes)} - {*self.epsilons}
        check_that(not missing, "epsilons that halve from 0.2 on, one a size", self.epsilons,
                   "pass (0.2, 0.1, 0.05, 0.00625)")  # fmt: skip

    def _first(self) -> float:
        """The eps of the smallest cloud, on the way eps ~ n^(-1/2)."""
        return max((e for e in self.epsilons if e <= 0.2), default=min(self.epsilons))

    def compute(self, cell: dict) -> xr.Dataset:
        name, n, eps = cell["attention"], cell["n"], jnp.asarray(cell["eps"])
        ts = jnp.asarray([0.0, self.t_end])
        level = (np.arange(n) + 0.5) / n
        start, heat = (
            law.quantiles(level, 1 - level)
            for law in (NORMAL, NORMAL.after(2 * DIFFUSIVITY[name] * self.t_end))
        )
        x, worst = _tokens(name, eps, jnp.asarray(start)[:, None], ts)
        before = (jnp.zeros(1), jnp.asarray(NORMAL.variances)[:, None])
        _, cov = simulate(gaussian_heat_flow(name, eps, 1), before, ts, tol=1e-10).final
        spread = np.sqrt(NORMAL.variances[0] + 2 * DIFFUSIVITY[name] * self.t_end)
        values = {
            "error": _rms(np.sort(x) - heat),
            "bias": abs(np.sqrt(float(cov[0, 0])) - spread),
            "residual": float(worst),
        }
        return xr.Dataset({k: ((), v) for k, v in values.items()})

    def tiny(self) -> "HeatLimitCoupling":
        return replace(
            self,
            attentions=some_of(self.attentions, ("Sinkhorn",)),
            sizes=(32, 128),
            epsilons=(0.2, 0.1, 0.05, 0.00625),
            t_end=0.25,
        )

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        made = []
        for name in self.attentions:
            one = dataset.sel(attention=name)
            steps = [(n, self._first() / 2**k) for k, n in enumerate(self.sizes)]
            errors = xr.DataArray([float(one.error.sel(n=n, eps=e)) for n, e in steps], dims="n")
            slope = order_of(xr.DataArray([*self.sizes], dims="n"), errors, "n").order
            made += [
                # The bias falls like n^(-1/2), and what tails add to it a little faster or slower.
                Claim.close(f"{name}: order in n at eps ~ n^(-1/2)", slope, -0.5, 0.12, SOURCE),
            ]
            if {0.1, 0.00625} <= {*self.epsilons}:
                made.append(Claim.at_least(
                    f"{name}: error at eps ~ n^-2, of the second over the first",
                    float(one.error.sel(n=self.sizes[1], eps=0.00625))
                    / float(one.error.sel(n=self.sizes[0], eps=0.1)), 1,
                    "a kernel narrower than the distance of neighbours moves nothing",
                ))  # fmt: skip
        worst = dataset.residual.values.max()
        return [*made, Claim.at_most("marginal error of Sinkhorn attention", worst, 1e-8, "ott")]


@program_of_runs
def _tokens(name: str, eps: Scalar, x: Float[Array, "n one"], ts: Float[Array, " T"]):
    """The tokens at the end, and the error of the marginals there."""
    flow = heat_flow(name, eps, Euclidean(1))
    run = simulate(flow, x, ts, dt=jnp.minimum(eps, 0.05), throw=False)
    return (run.final[:, 0], residual(heat_attention(name, eps, 1), run.final, None)), run.ok


def _rms(gap: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.asarray(gap) ** 2)))
