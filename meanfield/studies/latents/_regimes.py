from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr

from ...latents import Recording, fit_regimes
from ...latents.profiles import interval
from ..machinery import Claim
from ._family import AbstractLatents, split

TOLD = {
    "log_likelihood": "log density of held-out steps, nats a step and dimension",
    "gain": "gain of log density over the fewest regimes, nats a step and dimension",
    "occupation": "mean probability of each regime",
    "support": "number of regimes that held-out texts support",
}
ALONG = {"layers": "layer", "tokens": "token"}
SOURCE = "Carson and Reisizadeh (2025), arXiv 2506.04374, who report four"


@dataclass(frozen=True, kw_only=True)
class Regimes(AbstractLatents):
    """How many linear regimes do hidden states switch between, along layers and along tokens?

    Switching linear dynamics (`mf.latents.fit_regimes`) of each rank and number of regimes, by the log
    density of held-out texts: `layers_log_likelihood` [rank, regimes] along the layers of each token,
    `tokens_log_likelihood` along the tokens of some layers, with intervals over texts, and `layers_gain`,
    `tokens_gain`, what more regimes have over the fewest, text by text. `layers_support` and
    `tokens_support` [rank] are the least numbers of regimes that no larger number betters by more
    than the interval of what it gains; NaN for one held-out text. `layers_occupation` and
    `tokens_occupation`: how probable each regime is along the way.

    A gain that is sure may still be small: Gaussian noise that is not, or not equally large everywhere,
    is better told by several regimes too. Needs the extra `meanfield-jax[regimes]`.

    Source: Carson and Reisizadeh (2025), arXiv 2506.04374, who follow sentences and report four.
    """

    regimes: tuple[int, ...] = (1, 2, 3, 4)
    """Numbers of regimes."""
    ranks: tuple[int, ...] = (2, 4, 8)
    """Numbers of principal axes in which regimes are told apart."""
    followed: int = field(default=64, metadata={"least": 4})
    """Tokens of each text that are followed along layers."""
    levels: int = 4
    """Layers that are followed along tokens, evenly spaced."""
    iterations: int = 30
    """Iterations of expectation and maximization."""
    tries: int = 2
    """Starts of it."""

    def quantities(self) -> dict[str, str]:
        return {
            **{f"{way}_{name}": f"{words}, along {way}" for way in ALONG for name, words in TOLD.items()},
            **{f"time_{way}": f"step along {way}" for way in ALONG},
            "rank": "principal axes in which regimes are told apart",
            "regimes": "number of regimes",
            "regime": "regime",
        }  # fmt: skip

    def cells(self) -> list[dict[str, Any]]:
        return [{"part": "whole"}]

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        return xr.merge([self._along(way) for way in ALONG], join="exact", compat="equals")

    def tiny(self) -> "Regimes":
        sizes = {"texts": min(self.texts, 8), "tokens": min(self.tokens, 24)}
        return replace(
            self, regimes=(1, 2), ranks=(2,), followed=8, levels=2, iterations=4, tries=1, **sizes
        )

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        claims = []
        for way in ALONG:
            total = dataset[f"{way}_occupation"].sum("regime", skipna=True)
            claims.append(
                Claim.at_most(
                    f"along {way}: probabilities of regimes off 1 in sum",
                    abs(total - 1).max(skipna=False),
                    1e-4,
                    "definition",
                )
            )
        return claims

    def _along(self, way: str) -> xr.Dataset:
        texts = self.corpus()
        found = fit_regimes(
            *split([self._followed(text, way) for text in texts]),
            regimes=self.regimes,
            ranks=self.ranks,
            along=ALONG[way],
            tokens=self.followed,
            iterations=self.iterations,
            starts=self.tries,
            seed=self.seed,
        )
        support = [_support(gain, self.regimes, self.seed) for gain in _by_rank(found)]
        found = found.assign(support=("rank", support)).rename(time=f"time_{way}")
        found[f"time_{way}"] = np.arange(found.sizes[f"time_{way}"])
        return found.rename({name: f"{way}_{name}" for name in found.data_vars})

    def _followed(self, text: Recording, way: str) -> Recording:
        if way == "layers":
            return text
        places = np.linspace(0, len(text.layers) - 1, min(self.levels, len(text.layers)))
        return text.select(text.layers[np.unique(places.round().astype(int))].tolist())


def _by_rank(found: xr.Dataset) -> list[np.ndarray]:
    """The gains [text, regimes] of each rank."""
    return [found.gain_each.sel(rank=rank).values for rank in found["rank"].values]


def _support(gain: np.ndarray, regimes: tuple[int, ...], seed: int) -> float:
    """The least number of regimes that no larger one surely betters."""
    if len(gain) < 2:
        return float("nan")
    for count in sorted(regimes):
        own = gain[:, regimes.index(count)]
        more = [gain[:, k] - own for k, other in enumerate(regimes) if other > count]
        if not any(interval(each, seed)[1] > 0 for each in more):
            return float(count)
    return float(max(regimes))
