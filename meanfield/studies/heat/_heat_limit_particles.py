from dataclasses import dataclass, field, replace
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import scipy
import xarray as xr
from jaxtyping import Array, Float

from ..._typing import Points, Scalar
from ...dynamics.reductions import Normal
from ...geometry import Euclidean
from ...measures import Gaussian
from ...solve import simulate
from ...transport.exact import gaussian_wasserstein
from ..machinery import Claim, Study, order_of, program_of_runs, some_of
from ._heat_flows import DIFFUSIVITY, gaussian_heat_flow, heat_attention, heat_flow, residual

COVARIANCES = {"R": np.diag([0.5]), "R2": np.array([[0.6, 0.2], [0.2, 0.9]])}
SOURCE = "sampling: the central limit theorem, and Bobkov and Ledoux (2019) for W2 on the line"


@dataclass(frozen=True, kw_only=True)
class HeatLimitParticles(Study):
    """Clouds of n tokens at fixed eps against the closed form for infinitely many: distance n^(-1/2).

    Tokens are drawn from a normal law and move as in `HeatLimit`, which at n = infinity keeps them
    normal. `distance` is the root mean square over independent clouds of the distance to that normal
    law at `t_end`: W2 on R; on R^2 that of the normal laws of equal mean and covariance, a lower bound
    (Gelbrich). Sampling dominates it. `to_heat` is the distance to the heat flow, which for large n is
    the bias of eps, `bias`. Over (attention, start, n), with `distance_error`, the standard error of
    the first, and the largest `residual` of Sinkhorn's marginals; and the `order` in n, with its 95 %
    confidence interval from `order_low` to `order_high`, which follows from `distance_error`.

    Source: Bobkov and Ledoux, Memoirs of the AMS 1259 (2019): on the line E W2^2 of a normal sample
    is (log log n)/n; Gelbrich (1990), doi:10.1002/mana.19901470121.
    """

    attentions: tuple[str, ...] = ("Sinkhorn", "L2")
    """Kinds of attention."""
    starts: tuple[str, ...] = ("R", "R2")
    """Normal laws at the start."""
    sizes: tuple[int, ...] = field(default=(32, 64, 128, 256, 512), metadata={"count": 2})
    """Numbers of tokens."""
    samples: int = field(default=16, metadata={"least": 2})
    """Independent clouds of each size."""
    eps: float = 0.2
    """The variance of the kernel."""
    t_end: float = 0.5
    """Final time."""

    GRID: ClassVar = {"attention": "attentions", "start": "starts", "n": "sizes"}
    QUANTITIES: ClassVar = {
        "distance": "distance to the law of infinitely many tokens",
        "to_heat": "distance to the heat flow",
        "bias": "distance of that law to the heat flow",
        "order": "fitted order in n",
    }

    def compute(self, cell: dict) -> xr.Dataset:
        name, cov, eps = cell["attention"], COVARIANCES[cell["start"]], jnp.asarray(self.eps)
        d = len(cov)
        start: Normal = (jnp.zeros(d), jnp.asarray(cov))
        limit: Normal = simulate(
            gaussian_heat_flow(name, eps, d), start, self._times(), tol=1e-10
        ).final
        heat: Normal = (start[0], start[1] + 2 * DIFFUSIVITY[name] * self.t_end * jnp.eye(d))
        keys = jax.random.split(self.key(cell), self.samples)
        clouds, worst = _clouds(name, eps, Gaussian(*start), keys, cell["n"], self._times())
        away, to_heat = ([_distance(x, law) ** 2 for x in clouds] for law in (limit, heat))
        distance = np.sqrt(np.mean(away))
        values = {
            "distance": distance,
            "distance_error": np.std(away, ddof=1) / (2 * distance * np.sqrt(self.samples)),
            "to_heat": np.sqrt(np.mean(to_heat)),
            "bias": _between(limit, heat),
            "residual": float(worst.max()),
        }
        return xr.Dataset({k: ((), v) for k, v in values.items()})

    def assemble(self, parts: list[xr.Dataset]) -> xr.Dataset:
        whole = super().assemble(parts)
        return whole.assign(order_of(whole.n, whole.distance, "n", whole.distance_error))

    def tiny(self) -> "HeatLimitParticles":
        kept = {
            "attentions": some_of(self.attentions, ("Sinkhorn",)),
            "starts": some_of(self.starts, ("R2",)),
        }
        return replace(self, **kept, sizes=(8, 24, 72), t_end=0.25)

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        made = []
        for name in self.attentions:
            for start in self.starts:
                one = dataset.sel(attention=name, start=start)
                # Three standard errors, and .06 for log log n, which bends the line.
                allowed = 0.06 + 3 / scipy.stats.norm.ppf(0.975) * float(one.order_high - one.order)
                title = f"{name}, {start}: order in n"
                made += Claim.telling(title, one.order, -0.5, allowed, SOURCE)
        worst = dataset.residual.values.max()
        return [*made, Claim.at_most("marginal error of Sinkhorn attention", worst, 1e-8, "ott")]

    def _times(self) -> Float[Array, " T"]:
        return jnp.asarray([0.0, self.t_end])


@program_of_runs
def _clouds(name: str, eps: Scalar, law: Gaussian, keys: Array, n: int, ts: Float[Array, " T"]):
    """Independent clouds at the end [samples, n, d], and the errors of their marginals."""
    flow, attention = heat_flow(name, eps, Euclidean(law.d)), heat_attention(name, eps, law.d)
    dt = jnp.minimum(eps / 2, 0.05)

    def one(key):
        run = simulate(flow, law.sample(key, n), ts, dt=dt, throw=False)
        return (run.final, residual(attention, run.final, None)), run.ok

    return jax.lax.map(one, keys)


def _distance(x: Points, law: Normal) -> float:
    """W2 between a cloud and a normal law on the line; of normal laws of equal moments elsewhere."""
    mean, cov = law
    if x.shape[1] == 1:
        return _line_distance(np.sort(np.asarray(x)[:, 0]), float(mean[0]), float(cov[0, 0]))
    return float(gaussian_wasserstein(x.mean(axis=0), jnp.cov(x.T, bias=True), mean, cov))


def _between(one: Normal, other: Normal) -> float:
    return float(gaussian_wasserstein(one[0], one[1], other[0], other[1]))


def _line_distance(x: np.ndarray, mean: float, variance: float) -> float:
    """W2 between sorted points and N(mean, variance): the i-th faces the quantiles of its level."""
    inner = scipy.stats.norm.ppf(np.arange(1, len(x)) / len(x))
    edge = scipy.stats.norm.pdf(np.concatenate([[-np.inf], inner, [np.inf]]))
    facing = edge[:-1] - edge[1:]  # the mean of standard quantiles over each level, over n
    centred = x - mean
    square = np.mean(centred**2) - 2 * np.sqrt(variance) * centred @ facing + variance
    return float(np.sqrt(max(square, 0.0)))
