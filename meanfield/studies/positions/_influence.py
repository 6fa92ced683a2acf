from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
import xarray as xr
from scipy.linalg import expm
from scipy.special import ive

from ...attention.kernels import Softmax
from ...attention.masks import AbstractMask, alibi, as_mask, causal, window
from ..machinery import Claim, Study, check_that

ORDER = "the eigenvalues of a triangular matrix are its diagonal"


@dataclass(frozen=True, kw_only=True)
class Influence(Study):
    """How much each early token tells the last one, at each depth: attention near consensus.

        delta_i' = sum_j A_ij delta_j - delta_i,   A = attention where all tokens agree

    `influence` is the last row of e^{t (A - I)}: a law on positions, that of a walk back in time which
    jumps from i to j at the rate A_ij. Under a causal mask, A_ij = 1/i, it lets go of itself like e^{-t} and
    ends at the first token, so that at moderate depth the first and the last token count and those between
    do not: "lost in the middle" without any fit. A sliding window carries information by radius/2 tokens a
    unit of time; biases of ALiBi keep the near tokens longer. `rate` are the rates at which differences
    die, the eigenvalues of I - A; `rotary` those of rotary positions on a ring of two turns.

    Source: arXiv 2411.04990 for the causal limit; Liu et al., arXiv 2307.03172, for the observation.
    """

    masks: tuple[str, ...] = ("causal", "window", "ALiBi")
    """Who sees whom: all tokens before, those within `radius`, or all with a penalty `slope`."""
    n: int = 64
    """Tokens."""
    radius: int = 8
    """Tokens before that a window lets see."""
    slope: float = 0.25
    """Penalty of ALiBi, a token."""
    depth: tuple[float, ...] = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
    """Depths t."""
    beta: float = 4.0
    """Inverse temperature, of rotary positions alone: elsewhere tokens that agree do not feel it."""

    GRID: ClassVar = {"mask": "masks"}
    QUANTITIES: ClassVar = {
        "mask": "tokens that are seen",
        "depth": "depth",
        "position": "position of a token",
        "influence": "influence on the last token",
        "behind": "mean distance to the tokens that count",
        "least": "position of the token that counts least",
        "rate": "rate at which differences die",
        "rotary": "rate at which a mode dies under rotary positions",
        "mode": "mode along the ring",
    }

    def check(self) -> None:
        check_that(0 in self.depth, "a depth of 0", self.depth, "pass depth=(0.0, 1.0)")
        check_that(self.radius < self.n, "a radius below n", self.radius, "raise n")

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        weights = _at_consensus(self._mask(cell["mask"]), 0.0)
        walk = weights - np.eye(self.n)
        influence = np.stack([expm(t * walk)[-1] for t in self.depth])
        position = np.arange(1, self.n + 1)
        ring = np.arange(self.n)
        turns = np.cos(2 * np.pi * 2 * (ring[:, None] - ring) / self.n)
        rotary = np.fft.fft(_at_consensus(as_mask(jnp.asarray(self.beta * turns)), 0.0)[0]).real
        return xr.Dataset(
            {
                "influence": (("depth", "position"), influence),
                "behind": ("depth", influence @ (self.n - position)),
                "least": ("depth", position[influence.argmin(axis=1)].astype(float)),
                "rate": ("position", 1 - np.diag(weights)),
                "rotary": ("mode", 1 - rotary),
            },
            {"depth": list(self.depth), "position": position, "mode": ring},
        )

    def _mask(self, name: str) -> AbstractMask:
        masks = {
            "causal": lambda: causal(self.n),
            "window": lambda: window(self.n, self.radius, backward=True),
            "ALiBi": lambda: alibi(self.n, self.slope),
        }
        check_that(name in masks, "masks named causal, window or ALiBi", name, "pass causal")
        return masks[name]()

    def tiny(self) -> "Influence":
        return replace(self, depth=(0.0, 1.0, 4.0))

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        mass = np.abs(dataset.influence.sum("position") - 1).max(skipna=False)
        # Powers of a triangular matrix that is far from normal: rounding times e^{t} at the start of each.
        claims = [Claim.close("influences of all tokens", mass, 0, 1e-9, "rows of A sum to 1")]
        for part, order in ((2, 1), (4, 2)):
            exact = 1 - ive(order, self.beta) / ive(0, self.beta)
            found = dataset.rotary.isel(mask=0).sel(mode=part)
            # Sums over n places alias Bessel functions of order n/2 - order: below 1e-15 for n = 64.
            alias = 4 * ive(self.n // 2 - order, self.beta) / ive(0, self.beta) + 1e-14
            source = "1 - I_{m/p}(beta)/I_0(beta), p = 2 turns"
            claims.append(Claim.close(f"rotary mode {part}", found, exact, alias, source))
        return claims + [claim for name in self.masks for claim in self._claims(name, dataset)]

    def _claims(self, name: str, dataset: xr.Dataset) -> list[Claim]:
        at = dataset.sel(mask=name)
        if name == "causal":
            exact = 1 - 1 / at.position
            gap = np.abs(at.rate - exact).max(skipna=False)
            own = np.abs(at.influence[:, -1] - np.exp(-(1 - 1 / self.n) * at.depth)).max()
            return [
                Claim.close("causal rates 1 - 1/i", gap, 0, 1e-14, ORDER),
                Claim.close("causal memory of itself", own, 0, 1e-12, "e^{-(1 - 1/n) t}"),
            ]
        if name == "window":
            # Until the walk reaches the first token: jumps of mean radius/2 at rate 1.
            early = [t for t in self.depth if 0 < t * self.radius <= self.n / 4]
            moved = [at.behind.sel(depth=t) / t for t in early]
            # The chance that it has: four times as many jumps as expected, or longer ones: 1e-4 at t = 2.
            source = "a walk with jumps of mean radius/2"
            return [
                Claim.close(f"speed of a window, t = {t:g}", v, self.radius / 2, 0.02, source)
                for t, v in zip(early, moved, strict=True)
            ]
        return []


def _at_consensus(mask: AbstractMask | None, beta: float) -> np.ndarray:
    """The attention matrix where all tokens are one."""
    assert mask is not None
    x = jnp.ones((mask.shape[0], 1))
    return np.asarray(Softmax(beta, mask=mask).weights(x))
