from dataclasses import dataclass, replace
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ...solve import simulate
from ..machinery import Claim, check_that, grid
from ._family import AbstractLatents

SOURCE = "one step of an explicit method of order one"


@dataclass(frozen=True, kw_only=True)
class LayerThinness(AbstractLatents):
    """How thin layers are: one layer against the flow of which it is a step, for layers cut thinner.

    `error` [size, step] is the median over tokens of |layer of size h - flow over time h| over the length
    of that step. Thin layers have an error proportional to h; at h = 1 it is what the continuous-time
    picture misses of a layer.
    """

    texts: int = 2
    """Texts, of which the first is moved."""
    tokens: int = 128
    """Tokens of the text."""
    sizes: tuple[float, ...] = (1.0, 0.25, 0.0625)
    """h: 1 is the layer itself."""
    every: int = 1
    """Every so many layers."""
    tol: float = 1e-4
    """Tolerance of the flow."""

    QUANTITIES: ClassVar = {
        "size": "size h of a layer",
    }

    def check(self) -> None:
        super().check()
        falling = len(self.sizes) > 1 and [*self.sizes] == sorted(self.sizes, reverse=True)
        check_that(falling, "sizes that fall", self.sizes, "pass sizes=(1.0, 0.25)")

    def cells(self) -> list[dict[str, Any]]:
        return grid(step=range(0, self.model().depth, self.every))

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        layer, model = cell["step"], self.model()
        x = self.corpus()[0].cloud(layer)
        errors = [
            _error(model.layer(layer), model.flow(layer), x, jnp.asarray(h, x.dtype), self.tol)
            for h in self.sizes
        ]
        words = {"long_name": "median error over the step"}
        found = xr.Dataset({"error": ("size", errors, words)}, {"size": [*self.sizes]})
        return found.assign_coords(step=layer)

    def tiny(self) -> "LayerThinness":
        return replace(self, tokens=min(self.tokens, 16), sizes=self.sizes[:2], every=3)

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        last = dataset.error.isel(size=slice(-2, None))
        ratio = float((last.isel(size=0) / last.isel(size=1)).median(skipna=False))
        order = np.log(ratio) / np.log(float(last["size"][0] / last["size"][1]))
        claims = [Claim.close("order of the error over step in h", order, 1.0, 0.25, SOURCE)]
        if not self.real:
            return claims
        inner = dataset.error.isel(size=0).where(
            (dataset.step > 0) & (dataset.step < 29), drop=True
        )
        prototype = "measured: SmolLM2-135M, layers 1 to 28"
        return [
            *claims,
            Claim.at_least(
                "least error over step at the largest h", inner.min(skipna=False), 0.1, prototype
            ),
            Claim.at_most(
                "largest error over step at the largest h", inner.max(skipna=False), 0.7, prototype
            ),
        ]


@eqx.filter_jit
def _step(scheme, x):
    return scheme.step(x, None)[0]


def _error(scheme, flow, x, h, tol: float) -> float:
    """The median over tokens of the distance of step and flow, over the length of the step."""
    thin = eqx.tree_at(lambda s: s.step_size, scheme, h)
    y = _step(thin, x)
    radii = jnp.linalg.norm(x, axis=1)
    start = x / radii[:, None], radii
    theta, r = simulate(flow, start, jnp.stack([jnp.zeros_like(h), h]), tol=tol).final
    share = jnp.linalg.norm(theta * r[:, None] - y, axis=1) / jnp.linalg.norm(y - x, axis=1)
    return float(jnp.median(share))
