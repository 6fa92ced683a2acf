from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
import xarray as xr

from ...attention.kernels import Softmax
from ...attention.masks import window
from ...dynamics.particles import AttentionFlow
from ...dynamics.positions import HarmonicMapFlow
from ...geometry import Sphere
from ...solve import simulate
from ..machinery import Claim, Study, check_that, order_of, some_of

HEAT = "angles of maps to the circle obey the heat equation"
WAVE = 0.4
"""Height of the wave at the start."""


@dataclass(frozen=True, kw_only=True)
class WindowLimit(Study):
    """Attention over windows on a ring of positions, against the harmonic-map heat flow that it tends to.

        h_t = velocity P_h h_s + diffusion P_h h_ss,    angles a = s + c t + .4 e^{-D t} sin(s + c t)

    Tokens on a circle begin at the angles s + .4 sin s, once around, and attend evenly to `radius`
    neighbors to either side (`both`) or to those behind (`back`), until D t = `span`: then `tokens` less
    `exact`, angles over the `place` s, is largest by `error`. For fixed radius it falls as n^-2 by
    windows to both sides, by those behind as n^-1; for fixed n it grows as the radius, with the same
    powers, of the window's next moments. `width` is (2 radius + 1)/n, or (radius + 1)/n.

    Source: Eells, Sampson (1964) for the flow; the limit is derived here.
    """

    n: tuple[int, ...] = (48, 96, 192)
    """Tokens, at the smallest radius."""
    radius: tuple[int, ...] = (4, 8, 16)
    """Neighbors on a side, at the largest n."""
    span: float = 0.5
    """The time at the end, times the diffusion."""

    QUANTITIES: ClassVar = {
        "n": "tokens",
        "radius": "neighbors to a side",
        "width": "width of the window over the ring",
        "error": "largest difference of angles [rad]",
        "tokens": "angle of a token less its place [rad]",
        "exact": "the same, by the heat equation [rad]",
        "place": "place on the ring",
        "window": "which neighbors are seen",
        "run": "number of tokens and radius",
    }

    def check(self) -> None:
        check_that(
            len(self.n) > 1 and len(self.radius) > 1, "two n, two radii", self.n, "pass more"
        )
        least = 2 * max(self.radius) + 2
        check_that(min(self.n) > least, "n beyond two windows", min(self.n), "raise n")

    def cells(self) -> list[dict[str, Any]]:
        """Those of the smallest radius, then those of the largest n."""
        pairs = [(n, min(self.radius)) for n in self.n]
        pairs += [(max(self.n), r) for r in self.radius if r != min(self.radius)]
        return [{"run": f"{n}, {r}"} for n, r in pairs]

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        n, radius = (int(part) for part in cell["run"].split(","))
        found = [self._of(n, radius, backward) for backward in (False, True)]
        padded = [
            [np.pad(a, (0, max(self.n) - n), constant_values=np.nan) for a in f] for f in found
        ]
        tokens, exact = np.moveaxis(np.array(padded), 1, 0)
        return xr.Dataset(
            {
                "tokens": (("window", "place"), tokens),
                "exact": (("window", "place"), exact),
                "error": ("window", np.nanmax(np.abs(tokens - exact), axis=1)),
                "width": ("window", [(2 * radius + 1) / n, (radius + 1) / n]),
                "n": ((), n),
                "radius": ((), radius),
            },
            {"window": ["both", "back"], "place": np.arange(max(self.n))},
        )

    def _of(self, n: int, radius: int, backward: bool) -> tuple[np.ndarray, np.ndarray]:
        """Angles at the end less places, of tokens and by the heat equation."""
        mask = window(n, radius, periodic=True, backward=backward)
        limit = HarmonicMapFlow.of_mask(Sphere(2), mask)
        diffusion, velocity = float(limit.diffusion), float(limit.velocity)
        s, end = np.asarray(limit.places), self.span / diffusion
        start = s + WAVE * np.sin(s)
        x = jnp.asarray(np.stack([np.cos(start), np.sin(start)], axis=1))
        flow = AttentionFlow(Sphere(2), Softmax(0.0, mask=mask))
        y = np.asarray(simulate(flow, x, jnp.asarray([0.0, end]), tol=1e-9).final)
        moved = s + velocity * end
        exact = moved + WAVE * np.exp(-self.span) * np.sin(moved)
        # The whole turns that a causal window has made are those of the limit.
        gap = np.arctan2(y[:, 1], y[:, 0]) - exact
        return exact + (gap + np.pi) % (2 * np.pi) - np.pi - moved, exact - moved

    def tiny(self) -> "WindowLimit":
        return replace(self, n=some_of(self.n, (48, 96)), radius=some_of(self.radius, (4, 8)))

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        claims = []
        at_radius = dataset.sel(run=[f"{n}, {min(self.radius)}" for n in self.n])
        at_n = dataset.sel(run=[f"{max(self.n)}, {r}" for r in self.radius])
        for kind, order in (("both", 2), ("back", 1)):
            for name, part, over in (
                ("1/n", at_radius, 1 / at_radius.n),
                ("width", at_n, at_n.width),
            ):
                own = part.sel(window=kind)
                sizes = over.sel(window=kind) if "window" in over.dims else over
                fit = order_of(sizes, own.error, "run")
                # The next moment is smaller by a half-width, pi w radians, or by its square.
                slack = (np.pi * float(own.width.max())) ** order
                claims.append(
                    Claim.close(f"order in the {name}, {kind}", fit.order, order, slack, HEAT)
                )
        return claims
