from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import scipy
import xarray as xr

from ..._typing import Scalar
from ...transport.distances import wasserstein
from ...transport.exact import gaussian_wasserstein
from ...transport.sequences import (
    adapted_empirical,
    adapted_gaussian,
    adapted_rate,
    adapted_wasserstein,
    gaussian_knothe_rosenblatt,
)
from ..machinery import Z95, Claim, Study, order_of, some_of

DISTANCES = ("W2", "AW2", "Knothe-Rosenblatt")
MEASURES = ("plain", "adapted")
STEPS = 2


@dataclass(frozen=True, kw_only=True)
class AdaptedDistances(Study):
    """How far laws of sequences are by couplings that look ahead, and by such that do not.

    - `gaussian`, squared distances of x_2 = a x_1 + z from x_2 = -a x_1 + z, over a:
      4 + 2 a^2 - 2 sqrt(a^4 + 4) for W2, min(4 a^2, 4) for AW2, 4 a^2 for Knothe and Rosenblatt.
    - `told`, squared distances of a step of +-eps that announces the next one, +-1, from one that does
      not: eps^2 for W2, eps^2 + 2 for AW2.
    - `distance` AW1 of n sampled walks x_2 = x_1 + z from their law, in the mean over draws. A plain
      sample tells each z by its x_1, and stays at E|z - z'| = 2/sqrt(pi) at least; rounded to cells of
      n^{-1/3} it falls by n^{-1/3}.

    Source: Backhoff, Bartl, Beiglboeck, Wiesel, arXiv 2002.07261; Gunasingam and Wong, arXiv 2404.06625;
    Pflug and Pichler (2012), doi:10.1137/110825054.
    """

    n: tuple[int, ...] = (30, 100, 300, 1000)
    """Paths of a sample."""
    draws: int = 8
    """Samples of each size."""
    quantiles: int = 40
    """Of a step of the walk, which stand for its normal law."""
    slopes: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5)
    """Numbers a."""
    eps: tuple[float, ...] = (1.0, 0.3, 0.1, 0.03, 0.01)
    """First steps that announce the second."""

    GRID: ClassVar = {"n": "n"}
    QUANTITIES: ClassVar = {
        "n": "number of sampled paths",
        "measure": "empirical measure",
        "each": "AW1 between a sample and the law",
        "distance": "mean AW1 between sample and law",
        "order": "fitted power of the number of paths",
        "slope": "dependence of the second step on the first one",
        "kind": "distance",
        "gaussian": "squared distance between Gaussian laws",
        "eps": "size of the first step",
        "way": "distance",
        "told": "squared distance between what is announced and what is not",
    }

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        n, law = cell["n"], jnp.asarray(self._law())
        side = n ** -adapted_rate(STEPS, 1)
        found = np.empty((self.draws, len(MEASURES)))
        for draw, key in enumerate(jax.random.split(self.key(cell), self.draws)):
            paths = jnp.cumsum(jax.random.normal(key, (n, STEPS)), axis=1)
            cells = adapted_empirical(paths[:, :, None], side)[:, :, 0]
            laws = (paths, cells)
            found[draw] = [float(adapted_wasserstein(x, law, cost=_moved).cost) for x in laws]
        return xr.Dataset(
            {"each": (("draw", "measure"), found)},
            {"draw": np.arange(self.draws), "measure": list(MEASURES)},
        )

    def assemble(self, parts: list[xr.Dataset]) -> xr.Dataset:
        whole = super().assemble(parts)
        whole["distance"] = whole.each.mean("draw", skipna=False)
        spread = whole.each.std("draw", ddof=1, skipna=False)
        whole["distance_error"] = spread / np.sqrt(self.draws)
        fit = order_of(whole.n.astype(float), whole.distance, "n", whole.distance_error)
        gaussian = xr.DataArray(
            [[float(d) ** 2 for d in _gaussian(a)] for a in self.slopes],
            {"slope": list(self.slopes), "kind": list(DISTANCES)},
        )
        told = xr.DataArray(
            [_told(eps) for eps in self.eps], {"eps": list(self.eps), "way": list(DISTANCES[:2])}
        )
        return whole.merge(fit).assign(gaussian=gaussian, told=told)

    def _law(self) -> np.ndarray:
        """The walk of steps in all pairs of quantiles, alike where its first step is."""
        first, second = np.meshgrid(self._steps(), self._steps(), indexing="ij")
        return np.stack([first, first + second], axis=-1).reshape(-1, STEPS)

    def _steps(self) -> np.ndarray:
        z = scipy.stats.norm.ppf((np.arange(self.quantiles) + 0.5) / self.quantiles)
        return z / np.sqrt(np.mean(z**2))

    def tiny(self) -> "AdaptedDistances":
        return replace(
            self,
            n=some_of(self.n, (30, 100)), draws=3, quantiles=12,
            slopes=some_of(self.slopes, (0.5, 1.0, 2.0)), eps=some_of(self.eps, (1.0, 0.1)),
        )  # fmt: skip

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        a2, eps2 = dataset.slope**2, dataset.eps**2
        gaussian = {
            "W2": 4 + 2 * a2 - 2 * np.sqrt(a2**2 + 4),
            "AW2": np.minimum(4 * a2, 4),
            "Knothe-Rosenblatt": 4 * a2,
        }
        off = {
            f"Gaussian laws, {kind}": dataset.gaussian.sel(kind=kind) - exact
            for kind, exact in gaussian.items()
        }
        off["announced, W2"] = dataset.told.sel(way="W2") - eps2
        off["announced, AW2"] = dataset.told.sel(way="AW2") - (eps2 + 2)
        claims = [
            Claim.close(name, np.abs(gap).max(skipna=False), 0, 1e-9, "closed forms")
            for name, gap in off.items()
        ]
        return [*claims, *self._of_samples(dataset)]

    def _of_samples(self, dataset: xr.Dataset) -> list[Claim]:
        q = self._steps()
        # E|z - q| of a normal z. For |x_1 - y_1| + E|x_2 - y_1 - q| >= E|z - q|, q at no step is less.
        floor = float(np.mean(q * (2 * scipy.stats.norm.cdf(q) - 1) + 2 * scipy.stats.norm.pdf(q)))
        plain, adapted = (dataset.sel(measure=measure) for measure in MEASURES)
        # Four standard errors, of a few draws.
        slack = 4 * plain.distance_error
        gap = (plain.distance - floor + slack).min(skipna=False)
        claims = [Claim.at_least("plain samples over 2/sqrt(pi)", gap, 0, "triangle inequality")]
        # A sample that tells all futures would stay above.
        last = adapted.isel(n=-1)
        source = "samples that meet on cells"
        claims.append(Claim.at_most("adapted samples below it", last.distance, floor - 0.2, source))
        if len(self.n) > 1:
            # From tens to hundreds of paths, a tenth off the limit; two standard errors.
            reach = 0.1 + Z95 * float(adapted.order_error)
            source = "Backhoff, Bartl, Beiglboeck, Wiesel, n^{-1/3}"
            name = "power of adapted samples"
            claims += Claim.telling(name, adapted.order, -1 / 3, reach, source)
        return claims


def _gaussian(slope: float) -> tuple[Scalar, Scalar, Scalar]:
    covs = (jnp.array([[1.0, a], [a, 1 + a * a]]) for a in (slope, -slope))
    zero = jnp.zeros(STEPS)
    first, second = ((zero, cov) for cov in covs)
    laws = (*first, *second)
    return (
        gaussian_wasserstein(*laws),
        adapted_gaussian(*laws),
        gaussian_knothe_rosenblatt(*laws),
    )


def _told(eps: float) -> tuple[float, float]:
    told, untold = (jnp.array([[e, 1.0], [-e, -1.0]]) for e in (eps, 0.0))
    return float(wasserstein(told, untold).cost), float(adapted_wasserstein(told, untold).cost)


def _moved(x: jax.Array, y: jax.Array) -> jax.Array:
    return jnp.abs(x - y).sum()
