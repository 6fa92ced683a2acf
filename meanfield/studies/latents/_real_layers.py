from dataclasses import dataclass, replace
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ..machinery import Claim, grid
from ._family import AbstractLatents

SOURCE = "a pre-norm layer is a step of TransformerLayers, up to eps of its norms"


@dataclass(frozen=True, kw_only=True)
class RealLayers(AbstractLatents):
    """A recorded layer of a transformer is one step of `TransformerLayers`, layer by layer.

    `error` is the median over tokens of |scheme - recorded| / |recorded step|, `worst` the largest.
    """

    texts: int = 2
    """Texts, of which the first is stepped."""
    tokens: int = 128
    """Tokens of the text."""

    def cells(self) -> list[dict[str, Any]]:
        return grid(step=range(self.model().depth))

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        layer, text = cell["step"], self.corpus()[0]
        x, y = text.cloud(layer), text.cloud(layer + 1)
        z = _step(self.model().layer(layer), x)
        share = np.asarray(jnp.linalg.norm(z - y, axis=1) / jnp.linalg.norm(y - x, axis=1))
        return xr.Dataset({
            "error": ((), float(np.median(share)), {"long_name": "median error over the step"}),
            "worst": ((), float(share.max()), {"long_name": "largest error over the step"}),
        }).assign_coords(step=layer)  # fmt: skip

    def tiny(self) -> "RealLayers":
        return replace(self, tokens=min(self.tokens, 16))

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        # float32: a step of .1 of the states is known to 1e-6; embeddings may be short beside eps.
        first, later = dataset.error[0], dataset.error[1:].max(skipna=False)
        return [
            Claim.at_most("layer 0: error over step", first, 1e-3, SOURCE),
            Claim.at_most("later layers: largest error over step", later, 1e-5, SOURCE),
        ]


@eqx.filter_jit
def _step(scheme, x):
    return scheme.step(x, None)[0]
