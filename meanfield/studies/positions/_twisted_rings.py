from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
import xarray as xr

from ...attention.kernels import Softmax
from ...attention.masks import window
from ...dynamics.particles import AttentionFlow
from ...dynamics.reductions import TwistedRing
from ...geometry import Sphere
from ...observables import state
from ...solve import simulate
from ..machinery import Claim, Study, check_that

KNOWN = {0.0: (0.20717517, 0.54364143), 2.0: (0.17421847, 0.38657048)}
"""Heights at t = 4 and 10 of 40 tokens in two twists from .1, each seeing 3 to either side."""
WIDEST = 0.6809228
"""Times the twists: the width of a window, in turns of the ring, from which on they are unstable."""


@dataclass(frozen=True, kw_only=True)
class TwistedRings(Study):
    """Local attention on a ring of positions: twisted states on a circle, and how they unwind on S^2.

        z' = z (1 - z^2)(1 - What(z))

    `height` follows this equation (`TwistedRing`), `tokens` the height of the n tokens, which begin evenly
    spread over a circle of latitude. `growth` is the largest growth rate of a twisted state on the circle
    z = 0, over the width of the window, 2 radius/n; `widest` the largest width of a stable one. On S^2 no
    window keeps it: `unwinding` is the growth rate of the mean height.

    Source: Wiley, Strogatz, Girvan, Chaos 16, 015103 (2006), for beta = 0 on the circle.
    """

    beta: tuple[float, ...] = (0.0, 2.0)
    """Inverse temperatures."""
    n: int = 40
    """Tokens of the runs."""
    twists: int = 2
    """Turns of the tokens of the runs, once around the ring."""
    radius: int = 3
    """Neighbors to either side that a token of the runs sees."""
    start: float = 0.1
    """Height at the start."""
    t_end: float = 10.0
    """End of the runs."""
    times: int = 21
    """Times that are saved, evenly."""
    ring: int = 400
    """Tokens of the ring whose twisted states are tested for stability."""
    windings: tuple[int, ...] = (1, 2)
    """Turns of these states."""
    radii: tuple[int, ...] = (10, 30, 50, *range(60, 70), 80, 100, 120, *range(132, 138), 150, 180)
    """Windows of these states."""

    GRID: ClassVar = {"beta": "beta"}
    QUANTITIES: ClassVar = {
        "height": "height over the equator",
        "tokens": "height over the equator, of tokens",
        "spread": "largest difference between heights of tokens",
        "winding": "turns around the ring",
        "width": "width of the window over the ring",
        "growth": "largest growth rate on the circle",
        "unwinding": "growth rate of the mean height on the sphere",
        "widest": "largest stable width of the window over the ring",
    }

    def check(self) -> None:
        check_that(self.times >= 3, "times >= 3", self.times, "pass times=21")
        least = max(self.radii)
        check_that(2 * least < self.ring, "radii below half of the ring", least, "raise ring")

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        ts = jnp.linspace(0.0, self.t_end, self.times)
        attention = Softmax(cell["beta"], mask=window(self.n, self.radius, periodic=True))
        reduced = TwistedRing(attention, self.n, self.twists)
        height = simulate(reduced, self.start, ts, observe={"z": state}, tol=1e-10)
        flow = AttentionFlow(Sphere(3), attention)
        run = simulate(flow, self._latitude(), ts, observe={"z": _heights}, tol=1e-9)
        tokens = np.asarray(run.values["z"])
        rates = [[self._rates(cell["beta"], q, r) for r in self.radii] for q in self.windings]
        growth, unwinding = np.moveaxis(np.array(rates), -1, 0)
        widths = 2 * np.array(self.radii) / self.ring
        stable = np.where(growth <= 1e-12, widths, 0).max(axis=1)
        return xr.Dataset(
            {
                "height": ("time", np.asarray(height.values["z"])),
                "tokens": ("time", tokens.mean(axis=1)),
                "spread": ("time", np.ptp(tokens, axis=1)),
                "growth": (("winding", "width"), growth),
                "unwinding": (("winding", "width"), unwinding),
                "widest": ("winding", stable),
            },
            {"time": np.asarray(ts), "winding": list(self.windings), "width": widths},
        )

    def _latitude(self):
        angles = 2 * np.pi * self.twists * np.arange(self.n) / self.n
        s = np.sqrt(1 - self.start**2)
        height = np.full(self.n, self.start)
        return jnp.asarray(np.stack([s * np.cos(angles), s * np.sin(angles), height], axis=1))

    def _rates(self, beta: float, twists: int, radius: int) -> tuple[float, float]:
        attention = Softmax(beta, mask=window(self.ring, radius, periodic=True))
        state = TwistedRing(attention, self.ring, twists)
        return float(state.planar_rates()[1:].max()), float(state.transverse_rates()[0])

    def tiny(self) -> "TwistedRings":
        return replace(self, radii=(60, 66, 67, 135, 136))

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        source = "closed equation for the height, exact for the tokens"
        gap = np.abs(dataset.height - dataset.tokens).max(skipna=False) + dataset.spread.max()
        # Runs of tolerance 1e-9, whose errors grow with the height by e^{1 - What} times a length of 10.
        claims = [Claim.close("tokens against their height", gap, 0, 1e-6, source)]
        published = (self.n, self.twists, self.radius, self.start) == (40, 2, 3, 0.1)
        for beta in self.beta if published else ():
            for t, z in zip((4.0, 10.0), KNOWN.get(beta, ()), strict=False):
                found = dataset.height.sel(beta=beta).sel(time=t, method="nearest")
                if abs(float(found.time) - t) < 1e-9:
                    name = f"height at t = {t:g}, beta = {beta:g}"
                    claims.append(Claim.close(name, found, z, 2e-8, "integration in scipy"))
        for winding in self.windings if 0.0 in self.beta else ():
            found = dataset.widest.sel(beta=0.0, winding=winding) + 1 / self.ring
            # A window of 2 R + 1 tokens; a turn has n/winding tokens, and so widths are known to 2/n of it.
            name = f"widest stable window, {winding} turns"
            source = "Wiley, Strogatz, Girvan 2006, in a continuum of tokens"
            claims.append(
                Claim.close(name, found, WIDEST / winding, 3 * winding / self.ring, source)
            )
        least = dataset.unwinding.min(skipna=False)
        claims.append(Claim.at_least("unwinding on the sphere", least, 1e-6, "1 - What > 0"))
        return claims


def _heights(x):
    return x[:, 2]
