from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from ...latents import (
    AttentionPotential,
    Constant,
    DriftFit,
    Linear,
    Quadratic,
    Recording,
    Writes,
)
from ...latents.fits import AbstractFamily, fit_drifts
from ..machinery import Claim, grid
from ._family import AbstractLatents, numbers, split

MEAN = "it draws to the mean, and so does a constant push; derived here"
MEASURED = "measured: SmolLM2-135M"


TOLD = {
    "r2": "share of held-out increments explained",
    "low": "lower end of its 95 % interval",
    "high": "upper end of its 95 % interval",
    "train": "share of train increments explained",
    "noise": "noise beside the drift",
    "naive": "noise without a drift",
    "gradient": "share of the drift that is a gradient",
    "contraction": "rate of contraction",
    "degrees": "effective number of parameters",
    "ridge": "relative ridge",
    "converged": "whether the fit converged",
}
"""What is kept of a fit, in words."""


FAMILIES = {"constant": Constant, "writes": Writes, "quadratic": Quadratic, "linear": Linear}


@dataclass(frozen=True, kw_only=True)
class DriftByLayer(AbstractLatents):
    """Drift and noise of each layer, fitted: which family of fields explains the increments?

    Of each family, `<family>_r2` on held-out texts with the ends of its interval, `<family>_train`; of
    `linear` and `quadratic` also noise, naive noise, the share that is a gradient, and the rate of
    contraction. `attention` is idealized self-attention at the best of `betas`, which favours it: what
    it explains has to be held against `constant`, for it draws tokens to their mean.
    `writes`, of what the layer itself adds, needs states in the middle of layers.
    """

    families: tuple[str, ...] = ("constant", "attention", "writes", "quadratic", "linear")
    """Families of drifts."""
    betas: tuple[float, ...] = (1.0, 4.0, 16.0, 64.0)
    """Inverse temperatures of idealized attention."""
    every: int = 1
    """Every so many steps."""

    def quantities(self) -> dict[str, str]:
        return {
            f"{name}_{key}": f"{words}, {name}"
            for name in self.families
            for key, words in TOLD.items()
        }

    def cells(self) -> list[dict[str, Any]]:
        layers = self.corpus()[0].layers.tolist()
        return grid(step=layers[:-1][:: self.every])

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        pairs = zip(self.corpus(), self.kept(), strict=True)
        parts = split([_step(text, cell["step"], rows) for text, rows in pairs])
        found = {}
        names = [n for n in self.families if n != "writes" or parts[0][0].mid is not None]
        asked = [(name, family) for name in names for family in self._families(name)]
        fits = fit_drifts(*parts, [one for _, one in asked], sinks=None, seed=self.seed)
        for name in names:
            own = [fit for (whose, _), fit in zip(asked, fits, strict=True) if whose == name]
            best = max(own, key=lambda fit: fit.r2_test)
            found |= {f"{name}_{key}": value for key, value in _told(best, name).items()}
        return numbers(found).assign_coords(step=cell["step"])

    def tiny(self) -> "DriftByLayer":
        smaller = {"texts": min(self.texts, 4), "tokens": min(self.tokens, 48), "every": 3}
        return replace(self, betas=self.betas[:1], **smaller)

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        claims = []
        if "writes_r2" in dataset:
            least, own = dataset.writes_r2.min(skipna=False), "increments are sums of writes"
            claims.append(Claim.at_least("writes explain, least", least, 0.8, own))
        if "linear_r2" in dataset:
            gain = (dataset.linear_noise / dataset.linear_naive).max(skipna=False)
            law = "a drift takes away what it explains"
            claims.append(Claim.at_most("noise over naive noise, largest", gain, 1.05, law))
        return claims + (self._real(dataset) if self.real else [])

    def _real(self, dataset: xr.Dataset) -> list[Claim]:
        claims, known = [], {*dataset.data_vars}
        late = dataset.where(dataset.step >= 2, drop=True)
        if "attention_r2" in known:
            # SmolLM2-135M has .1105 at layer 15, .104 to .123, and less than .093 at all other layers.
            name = "idealized attention explains, upper end of the interval, from layer 2 on"
            most = late.attention_high.max(skipna=False)
            claims.append(Claim.at_most(name, most, 0.15, MEASURED))
        if {"attention_r2", "constant_r2"} <= known:
            share = (late.attention_r2 / late.constant_r2).max(skipna=False)
            name = "idealized attention over a constant push, largest from layer 2 on"
            claims.append(Claim.at_most(name, share, 1.0, MEAN))
        if {"linear_r2", "quadratic_r2"} <= known:
            ratio, name = late.quadratic_r2 / late.linear_r2, "gradient over linear drift"
            least, most = ratio.min(skipna=False), ratio.max(skipna=False)
            claims += [
                Claim.at_least(f"{name}, least", least, 0.75, MEASURED),
                Claim.at_most(f"{name}, largest", most, 1.0, MEASURED, 0.02),
            ]
        return claims

    def _families(self, name: str) -> list[AbstractFamily]:
        if name == "attention":
            return [AttentionPotential(beta) for beta in self.betas]
        return [FAMILIES[name]()]


def _told(fit: DriftFit, name: str) -> dict[str, float]:
    """The numbers of a fit that are kept."""
    low, high = fit.r2_interval
    found = {"r2": fit.r2_test, "low": low, "high": high, "train": fit.r2_train}
    if name in ("linear", "quadratic"):
        found |= {"noise": fit.noise, "naive": fit.noise_naive, "gradient": fit.gradient_share}
        found |= {"contraction": fit.contraction, "degrees": fit.degrees, "ridge": fit.ridge}
    return found | {"converged": float(fit.converged)}


def _step(text: Recording, layer: int, rows: np.ndarray) -> Recording:
    """A recording of one step of some tokens, with the states in its middle."""
    entry = text.layers.tolist().index(layer)
    return Recording(
        text.states[entry : entry + 2][:, rows],
        mid=None if text.mid is None else text.mid[entry : entry + 1][:, rows],
        layers=text.layers[entry : entry + 2],
        positions=text.positions[rows],
    )
