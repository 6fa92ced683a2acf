from dataclasses import dataclass, replace
from typing import Any

import xarray as xr

from ...latents import marginals
from ..machinery import Claim
from ._family import AbstractLatents


@dataclass(frozen=True, kw_only=True)
class AttentionMarginals(AbstractLatents):
    """Is attention doubly stochastic? Column sums over the layers, beside those of causal uniform ones.

    The variables are those of `mf.latents.marginals`: distances of column sums, the mass on attention
    sinks, and the effective beta with what it explains of the logits.

    Source: Sander, Ablin, Blondel and Peyre, arXiv 2110.11773, figure 2.
    """

    texts: int = 4
    """Texts."""

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        return marginals(self.model(), self.corpus(), seed=self.seed)

    def tiny(self) -> "AttentionMarginals":
        return replace(self, texts=min(self.texts, 2), tokens=min(self.tokens, 32))

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        n = self.tokens
        harmonic = sum(1 / j for j in range(1, n + 1))
        exact = "columns of causal uniform attention are H_n - H_{j-1}"
        claims = []
        if not self.recording:
            first = float(dataset.uniform_sink_share.min(skipna=False)) * n
            claims.append(
                Claim.at_least(
                    "uniform column of the first token", first, harmonic, exact, 1e-4 * harmonic
                )
            )
        if not self.real:
            near = (dataset.from_causal / dataset.from_one).max(skipna=False)
            weak = "random weights: logits of order one"
            return [
                *claims,
                Claim.at_most("nearer to causal uniform columns than to 1", near, 1.0, weak),
            ]
        sink = (dataset.sink_share - dataset.uniform_sink_share).mean(skipna=False)
        source = "attention sinks: Xiao et al., arXiv 2309.17453"
        share = dataset.slope_r2.mean(skipna=False)
        beta = "measured: idealized logits explain little"
        return [
            *claims,
            Claim.at_least("mass on sinks beyond uniform", sink, 0.0, source),
            Claim.at_most("logits that inner products explain, mean", share, 0.5, beta),
        ]  # fmt: skip
