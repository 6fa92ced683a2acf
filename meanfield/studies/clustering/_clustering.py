from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ...attention.kernels import Softmax
from ...measures import Uniform
from ...observables import clusters, state
from ..machinery import Z95, AbstractCheckpointStudy, Claim, some_of

PAPER = "Geshkovski, Letrouit, Polyanskiy, Rigollet, arXiv 2312.10794"
ON_THE_CIRCLE = {
    1.0: (1, f"{PAPER}, section 5: beta <= 1 ends in one cluster"),
    4.0: (2, f"{PAPER}, figure 4"),
    9.0: (3, f"{PAPER}, figure 4"),
}
"""The number of clusters of 32 uniform tokens at t = 30, by beta."""


@dataclass(frozen=True, kw_only=True)
class Clustering(AbstractCheckpointStudy):
    """How many clusters n uniform tokens form on S^{d-1}, over time and beta.

    Self-attention with Q = K = V = I. Every start ends in one cluster, but two clusters at distance
    of order 1 stay apart for about e^beta/(2 beta): at moderate times the circle shows several, and
    the more the larger beta. The number is random: at t = 30 it is most often 2 for beta = 4 and 3 for
    beta = 9.

    `count` holds the single-linkage clusters of angle `linkage`; `mean` comes with its 95 % interval
    over realizations. `x` holds the first two coordinates, on the circle all there are, of the first
    realization that ends in the most common number of clusters.

    Source: Geshkovski, Letrouit, Polyanskiy, Rigollet, arXiv 2312.10794, figure 4.
    """

    dimensions: tuple[int, ...] = (2, 3, 8, 32)
    """Ambient dimensions d."""
    betas: tuple[float, ...] = (1.0, 4.0, 9.0)
    """Inverse temperatures."""
    n: int = 32
    """Tokens."""
    realizations: int = field(default=128, metadata={"least": 2})
    """Random starts."""
    checkpoints: int = 50
    """Times after the start at which clusters are counted, evenly spaced."""
    linkage: float = 0.1
    """Tokens within this angle belong together."""
    substeps: int = 6
    """Layers between two checkpoints, where faithful: h = .1 at the published size."""
    tol: float = 1e-6
    """Tolerance of the adaptive integrator."""

    GRID: ClassVar = {"d": "dimensions", "beta": "betas"}
    QUANTITIES: ClassVar = {
        "count": "number of clusters",
        "mean": "mean number of clusters",
        "low": "lower end of the 95 % interval of the mean",
        "high": "upper end of the 95 % interval of the mean",
        "x": "first two coordinates of the tokens, one start",
    }

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        d, shape = cell["d"], (self.realizations, self.n, cell["d"])
        key = jax.random.fold_in(jax.random.key(self.seed), d)
        starts = Uniform(d).sample(key, self.realizations * self.n).reshape(shape)
        count, tokens, ok = _follow(self, jnp.asarray(cell["beta"]), starts)
        mean, error = np.mean(count, axis=0), np.std(count, axis=0, ddof=1)
        error = Z95 * error / np.sqrt(self.realizations)
        return xr.Dataset(
            {
                "count": (("realization", "time"), count),
                "mean": ("time", mean),
                "low": ("time", mean - error),
                "high": ("time", mean + error),
                "x": (("time", "token", "axis"), tokens),
                "completed": ((), np.mean(ok)),
            },
            {"time": self.times()},
        ).assign_attrs(integrator=self.integrator())

    def tiny(self) -> "Clustering":
        return replace(
            self, dimensions=some_of(self.dimensions, (2,)), realizations=24, checkpoints=10
        )

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        done = dataset.completed.min()
        claims = [Claim.close("share of runs completed", done, 1, 0, "no failure")]
        if 2 not in self.dimensions or self.end != 30 or self.n != 32:
            return claims
        last = dataset["count"].sel(d=2).isel(time=-1)
        return claims + [
            Claim.close(
                f"circle, beta={beta:g}, t=30: the most common number of clusters",
                np.bincount(last.sel(beta=beta)).argmax(), number, 0, source,
            )
            for beta, (number, source) in ON_THE_CIRCLE.items()
            if beta in self.betas
        ]  # fmt: skip


@partial(jax.jit, static_argnums=0)
def _follow(study: Clustering, beta, starts):
    """Numbers of clusters [realization, time], and a typical realization in two coordinates."""
    values, ok = jax.vmap(partial(study.follow, Softmax(beta), observe={"x": state}))(starts)
    history = values["x"]
    each = history.reshape(-1, *history.shape[2:])
    count = jax.lax.map(lambda x: clusters(x, study.linkage).count, each)
    count = count.reshape(history.shape[:2])
    typical = count[:, -1] == jnp.bincount(count[:, -1], length=study.n + 1).argmax()
    return count, history[typical.argmax(), :, :, :2], ok
