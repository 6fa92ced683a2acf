from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr

from ...latents import Recording, fit_regimes
from ...latents.profiles import interval
from ..machinery import Claim, check_that
from ._family import AbstractLatents, split

TOLD = {
    "log_likelihood": "log density of held-out steps, nats a step and dimension",
    "gain": "gain of log density over the fewest regimes, nats a step and dimension",
    "occupation": "mean probability of each regime",
    "support": "number of regimes that held-out texts support",
}
ALONG = {"layers": "layer", "tokens": "token"}
MEASURED = "measured: SmolLM2-135M, not four regimes but no last one"
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

    A gain that is sure may still be no regime: layers that differ, or noise that is not Gaussian, are
    told better by several as well. Look at `occupation`: regimes that follow depth, or that tell `levels`
    apart, are layers by another name. Needs the extra `meanfield-jax[regimes]`.

    Source: Carson and Reisizadeh (2025), arXiv 2506.04374, who follow sentences and report four.
    """

    regimes: tuple[int, ...] = (1, 2, 3, 4)
    """Numbers of regimes."""
    ranks: tuple[int, ...] = (2, 4, 8)
    """Numbers of principal axes in which regimes are told apart."""
    followed: int = field(default=64, metadata={"least": 4})
    """Tokens of each text that are followed along layers."""
    levels: tuple[float, ...] = (0.75,)
    """Layers that are followed along tokens, as shares of the depth."""
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

    def check(self) -> None:
        super().check()
        shares = bool(self.levels) and all(0 <= share <= 1 for share in self.levels)
        check_that(shares, "levels from 0 to 1", self.levels, "pass levels=(0.75,)")

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        return xr.merge([self._along(way) for way in ALONG], join="exact", compat="equals")

    def tiny(self) -> "Regimes":
        sizes = {"texts": min(self.texts, 8), "tokens": min(self.tokens, 24)}
        return replace(self, regimes=(1, 2), ranks=(2,), followed=8, iterations=4, tries=1, **sizes)

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
        if self.real and dataset.sizes["text"] > 1 and {*self.regimes} >= {1, 2, 3, 4}:
            claims += [claim for way in ALONG for claim in _measured(dataset, way)]
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
        last = len(text.layers) - 1
        return text.select(sorted({int(text.layers[round(share * last)]) for share in self.levels}))


def _measured(dataset: xr.Dataset, way: str) -> list[Claim]:
    """A second regime is told; the fourth adds little, at each rank."""
    low = dataset[f"{way}_gain_low"].sel(regimes=2).min(skipna=False)
    gain = dataset[f"{way}_gain"]
    fourth = (1 - gain.sel(regimes=3) / gain.sel(regimes=4)).max(skipna=False)
    name = f"along {way}: share of the gain of four regimes that is the fourth's, largest"
    return [
        Claim.at_least(f"along {way}: gain of a second regime, lower end", low, 0.0, SOURCE),
        Claim.at_most(name, fourth, 0.25, MEASURED),
    ]


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
