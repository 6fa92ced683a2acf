from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from ...latents import lines_of_thought
from ..machinery import Claim
from ._family import AbstractLatents, split


@dataclass(frozen=True, kw_only=True)
class LinesOfThought(AbstractLatents):
    """What an affine map does not say of the next layer's states, over depth: is its log linear?

    `residual` and `spread` of `mf.latents.lines_of_thought`; `slope` of log residual a layer and the
    share `r2` of its variance that a line explains, from the first layer after the embedding to the one
    before the last.

    Source: Sarfati, Liu, Boulle and Earls (2024), arXiv 2410.01545.
    """

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        found = lines_of_thought(*split(self.corpus()))
        inner = found.isel(step=slice(1, -1)) if found.step.size > 3 else found
        x, y = inner.step.values.astype(float), np.log(inner.residual.values)
        slope = float(np.polyfit(x, y, 1)[0])
        r2 = float(np.corrcoef(x, y)[0, 1] ** 2)
        return found.assign(
            slope=((), slope, {"long_name": "slope of log residual a layer"}),
            r2=((), r2, {"long_name": "share of its variance on a line"}),
        )

    def tiny(self) -> "LinesOfThought":
        return replace(self, texts=min(self.texts, 4), tokens=min(self.tokens, 48))

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        share = (dataset.residual / dataset.spread).max(skipna=False)
        known = "an affine map that says nothing leaves the whole variance"
        claims = [Claim.at_most("residual over variance, largest", share, 1.0, known)]
        if not self.real:
            return claims
        source = "Sarfati et al. (2024), arXiv 2410.01545: exponential growth"
        return [
            *claims,
            Claim.at_least("log residual on a line", dataset.r2, 0.7, source),
            Claim.at_least("slope of log residual", dataset.slope, 0.0, source),
        ]
