from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float

from ..._typing import Key, Points
from ...transport.distances import Divergence, sinkhorn_divergence
from ..machinery import Claim, Study

SOURCE = "del Barrio, Gonzalez-Sanz, Loubes and Niles-Weed (2022), arXiv 2204.09105"
PAIRS = 2**20
"""Pairs of points that are in memory at once."""


@dataclass(frozen=True, kw_only=True)
class Minibatch(Study):
    """The Sinkhorn divergence of minibatches: its bias falls like 1/b, its fluctuation like b^(-1/2).

    Two normal clouds of n points in R^d, their means at distance 1. S_b is the divergence between b points
    drawn from each, with replacement, so that the clouds are exactly the laws of the batches; S that of
    the clouds. With phi, psi the potentials of S about their means, which are its derivatives,

        S_b = S + mean phi(x) + mean psi(y) + O(1/b)

    - `bias` = E S_b - S, from S_b less the linear part, whose mean is 0: without it most of the noise
      is gone. `bias_error` is its standard error, `rest_spread` the standard deviation of one batch.
    - `spread`, the standard deviation of S_b, beside `linear_spread`, that of the linear part.

    Over (d, epsilon, b), with epsilon in units of the mean cost; `bias_slope` and `spread_slope` are
    the fitted powers p of b, with errors, in c b^p e^{r/b} for the bias, c b^p for the spread. `full`
    is S. `converged` is the share of batches whose iteration converged. The bias is the larger the
    smaller epsilon and the larger d, and is then slower to reach that order.

    Source: del Barrio, Gonzalez-Sanz, Loubes and Niles-Weed, arXiv 2204.09105.
    """

    dimensions: tuple[int, ...] = field(default=(2, 5), metadata={"least": 1})
    """Dimensions d."""
    epsilons: tuple[float, ...] = (0.2, 1.0)
    """Regularizations in units of the mean cost."""
    sizes: tuple[int, ...] = (16, 32, 64, 128, 256)
    """Points b of a batch."""
    batches: int = 256
    """Batches of each size."""
    n: int = 512
    """Points of a cloud."""

    GRID: ClassVar = {"d": "dimensions", "epsilon": "epsilons"}
    QUANTITIES: ClassVar = {
        "bias": "bias of the minibatch divergence",
        "rest_spread": "deviation of a batch beyond the linear part",
        "spread": "deviation of the minibatch divergence",
        "linear_spread": "deviation of its linear part",
        "converged": "share of batches that converged",
        "full": "divergence of the whole clouds",
        "bias_slope": "fitted power of b in the bias",
        "spread_slope": "fitted power of b in the deviation",
        "b": "points a batch",
        "d": "dimension",
    }

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        first, second, draws = jax.random.split(self.key(cell), 3)
        x = jax.random.normal(first, (self.n, cell["d"]))
        y = jax.random.normal(second, (self.n, cell["d"])).at[:, 0].add(1.0)
        full = sinkhorn_divergence(x, y, relative_epsilon=cell["epsilon"], tol=1e-7)
        parts = tuple(h - h.mean() for h in full.potentials)
        rows = []
        for b in self.sizes:
            keys = jax.random.split(jax.random.fold_in(draws, b), self.batches)
            values, linear, converged = _draw(keys, x, y, parts, full.epsilon, b)
            rows.append(_moments(np.asarray(values - full.value), np.asarray(linear), converged))
        whole = xr.concat(rows, dim="b").assign_coords(b=list(self.sizes))
        sigma = np.sqrt(sum(float(jnp.var(h)) for h in parts))
        bias = _power(whole.bias, whole.bias_error, 1 / whole.b)
        spread = _power(whole.spread, whole.spread_error)
        slopes = {"bias_slope": bias[0], "bias_slope_error": bias[1]}
        slopes |= {"spread_slope": spread[0], "spread_slope_error": spread[1]}
        return whole.assign(
            linear_spread=sigma / np.sqrt(whole.b), full=float(full.value), **slopes
        )

    def tiny(self) -> "Minibatch":
        return replace(
            self, dimensions=(2,), epsilons=(0.5,), sizes=(8, 16, 32, 64), n=128, batches=64
        )

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        made = []
        for cell in self.cells():
            one, name = dataset.sel(cell), f"d = {cell['d']}, epsilon = {cell['epsilon']:g}"
            # S_b = linear + rest, and standard deviations obey the triangle inequality: the rest, least
            # for the largest b, may turn the line by at most log(1 + rest / linear) at its other end.
            rest = one.rest_spread / one.linear_spread
            turn = float(np.log1p(rest.isel(b=0)) / np.log(self.sizes[-1] / self.sizes[0]))
            # The bias is fitted with its next order; .05 is for the orders after that.
            for part, power, bend in (("bias", -1.0, 0.05), ("spread", -0.5, turn)):
                slope, error = float(one[f"{part}_slope"]), float(one[f"{part}_slope_error"])
                what = f"{part}, {name}: power of b (se {error:.3f})"
                made += Claim.telling(what, slope, power, 3 * error + bend, SOURCE)
            last, what = one.isel(b=-1), f"spread, {name}: over that of the linear part"
            ratio, error = last.spread / last.linear_spread, last.spread_error / last.linear_spread
            made += Claim.telling(what, ratio, 1.0, 3 * error + rest.isel(b=-1), SOURCE)
        share = dataset.converged.values.min()
        return [*made, Claim.close("share of converged iterations", share, 1.0, 0.0, "ott")]


@eqx.filter_jit
def _draw(keys: Array, x: Points, y: Points, parts, epsilon, b: int):
    """S_b, its linear part, and whether it converged, for each batch."""

    def one(key: Key):
        i, j = jax.random.randint(key, (2, b), 0, x.shape[0])
        found: Divergence = sinkhorn_divergence(x[i], y[j], epsilon=epsilon, tol=1e-6)
        return found.value, parts[0][i].mean() + parts[1][j].mean(), found.converged

    return jax.lax.map(one, keys, batch_size=min(len(keys), max(1, PAIRS // b**2)))


def _moments(gap: Float[np.ndarray, " r"], linear: Float[np.ndarray, " r"], converged: Array):
    """The mean and standard deviation of S_b - S over batches, with their standard errors."""
    count, rest, spread = len(gap), gap - linear, gap.std(ddof=1)
    square = (gap - gap.mean()) ** 2
    values = {
        "bias": rest.mean(),
        "bias_error": rest.std(ddof=1) / np.sqrt(count),
        "rest_spread": rest.std(ddof=1),
        "spread": spread,
        "spread_error": square.std(ddof=1) / np.sqrt(count) / (2 * spread),
        "converged": float(converged.mean()),
    }
    return xr.Dataset({name: ((), value) for name, value in values.items()})


def _power(value: xr.DataArray, error: xr.DataArray, *further: xr.DataArray) -> tuple[float, float]:
    """The p of log value = p log b + constant + multiples of `further`, and its standard error.

    Least squares, weighted by the relative errors.
    """
    weight = (value / error).values
    columns = np.stack([np.log(value.b), np.ones(value.b.size), *further], axis=1)
    inverse = np.linalg.pinv(columns * weight[:, None])
    power = inverse[0] @ (weight * np.log(value.values))
    return float(power), float(np.linalg.norm(inverse[0]))
