from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import jax
import numpy as np
import xarray as xr

from ...landscape.times import attended_share
from ..machinery import Claim, Study, check_that, some_of

SOURCE = "after arXiv 2605.08505, by quadrature over the Poisson limit"
KNOWN = {
    (3, 0.25): 0.25240, (3, 1.0): 0.63526, (3, 2.0): 0.78807, (3, 8.0): 0.94012, (5, 1.0): 0.14648
}  # fmt: skip
"""The limit at (d, scale), to the digits printed."""


@dataclass(frozen=True, kw_only=True)
class LongContext(Study):
    """How many of n keys attention looks at where beta grows with the length of the context.

    beta_n = scale n^{2/(d-1)}: `limit` is E sum w^2 for n -> inf, and `share` its mean over `draws` of n
    uniform keys and a fixed query, with the standard error `error`; `weights` are the mean ordered
    weights, the largest first.

    Source: after arXiv 2605.08505.
    """

    d: tuple[int, ...] = (2, 3, 5)
    """Ambient dimensions."""
    scale: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
    """beta_n over n^{2/(d-1)}."""
    n: int = 20_000
    """Keys."""
    draws: int = field(default=400, metadata={"least": 2})
    """Independent draws of all keys."""

    GRID: ClassVar = {"d": "d", "scale": "scale"}
    QUANTITIES: ClassVar = {
        "limit": "E sum w^2, limit of long contexts",
        "share": "mean of sum w^2",
        "error": "standard error of the mean of sum w^2",
        "weights": "mean weight, by rank",
        "rank": "rank of a key",
        "d": "dimension",
        "scale": "beta n^(-2/(d-1))",
    }

    def check(self) -> None:
        check_that(min(self.scale) > 0, "scale > 0", min(self.scale), "pass scale=(1.0,)")
        check_that(self.n >= 100, "n >= 100", self.n, "pass n=20000")

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        d, scale = cell["d"], cell["scale"]
        rng = np.random.default_rng(np.asarray(jax.random.key_data(self.key(cell))))
        beta = scale * self.n ** (2 / (d - 1))
        squares, ordered = np.zeros(self.draws), np.zeros(20)
        for draw in range(self.draws):
            cosine = 2 * rng.beta((d - 1) / 2, (d - 1) / 2, self.n) - 1
            best = -np.sort(-cosine)
            w = np.exp(beta * (best - best[0]))
            w = w / w.sum()
            squares[draw], ordered = w @ w, ordered + w[:20] / self.draws
        return xr.Dataset(
            {
                "limit": ((), float(attended_share(scale, d))),
                "share": ((), squares.mean()),
                "error": ((), squares.std(ddof=1) / np.sqrt(self.draws)),
                "weights": ("rank", ordered),
            },
            {"rank": np.arange(1, 21)},
        )

    def tiny(self) -> "LongContext":
        return replace(self, d=some_of(self.d, (3,)), scale=(0.25, 1.0), n=2_000, draws=200)

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        made = [
            Claim.close(
                f"E sum w^2, d={d}, scale={s:g}", dataset.limit.sel(d=d, scale=s), known, 6e-6, SOURCE
            )
            for (d, s), known in KNOWN.items()
            if d in self.d and s in self.scale
        ]  # fmt: skip
        for d in self.d:
            for s in self.scale:
                at = dataset.sel(d=d, scale=s)
                # Three standard errors, one of many numbers; keys at angle t have 1 - t^2/2 + t^4/24, a
                # share u/6 beta of their exponents u, of some units where they count.
                blur = 3 * at.error + at.limit * 2 / (s * self.n ** (2 / (d - 1)))
                name = f"mean of sum w^2, n={self.n}, d={d}, scale={s:g}"
                made += Claim.telling(name, at.share, at.limit, blur, SOURCE)
        return made
