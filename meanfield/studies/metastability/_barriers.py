from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import xarray as xr

from ...attention.kernels import Unnormalized
from ...landscape.densities import (
    Barrier,
    barrier,
    branch,
    critical_noise,
    crossing,
    tricritical_beta,
)
from ..machinery import Claim, Study, check_that, some_of

ORDER = np.linspace(0, 0.95, 96)
"""Order parameters at which profiles are kept, where they are computed so far."""
CONTINUED = "states of drift = 0 by continuation"
STATES = 3
"""Unstable states of the branch, before its fold, that barriers are held against."""


@dataclass(frozen=True, kw_only=True)
class Barriers(Study):
    """The free-energy barrier between the uniform law and a cluster, from one spinodal to the other.

    Unnormalized attention with noise on S^{d-1}, at beta = `ratio` times the tricritical: F*(r), the least
    free energy at order r, over r, at noises that lie a `share` of the way from the spinodal at which
    the uniform law gives way to that at which the cluster does. The height from the uniform law rises,
    that from the cluster falls, and they meet where the free energies cross.

    Source: arXiv 2604.16288 and 2606.05140 for the states.
    """

    d: tuple[int, ...] = (2, 3, 8)
    """Ambient dimensions."""
    ratio: float = 2.0
    """beta over the tricritical one: more than 1, where the transition is a jump."""
    share: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.97)
    """Places between the spinodals, inside (0, 1)."""

    GRID: ClassVar = {"d": "d"}
    QUANTITIES: ClassVar = {
        "share": "place between the spinodals",
        "r": "mean resultant",
        "beta": "inverse temperature",
        "lower": "noise at which the uniform law gives way",
        "upper": "noise at which the cluster ceases to exist",
        "level": "noise",
        "saddle": "mean resultant of the saddle",
        "cluster": "mean resultant of the cluster",
        "height": "height over the uniform law, in units of the noise",
        "back": "height over the cluster, in units of the noise",
        "free_energy": "least free energy at given order, in units of the noise",
        "crossing": "noise at which free energies cross",
        "jump": "mean resultant of the cluster there, by continuation",
        "jump_found": "mean resultant of the cluster there, from the profile",
        "tilt": "height from the uniform law less that from the cluster, there",
        "saddle_gap": "largest distance to the saddles by continuation",
        "height_gap": "largest distance to the heights by continuation",
    }

    def check(self) -> None:
        check_that(self.ratio >= 1.05, "ratio >= 1.05", self.ratio, "the jump is there: pass 2.0")
        inside = all(0 < share < 1 for share in self.share)
        check_that(inside, "share between 0 and 1", self.share, "pass share=(0.5,)")

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        d, attention = cell["d"], Unnormalized(self.ratio * tricritical_beta(cell["d"]))
        states = branch(attention, d)
        cross = crossing(states)
        there = barrier(attention, d, cross.noise)
        lower, upper = map(float, there.spinodals)
        levels = lower + np.array(self.share) * (upper - lower)
        walls = [barrier(attention, d, level) for level in levels]
        at = {
            name: ("share", np.array([getattr(wall, name) for wall in walls]))
            for name in ("saddle", "cluster", "height", "back")
        }
        return xr.Dataset(
            {
                **at,
                "level": ("share", levels),
                "free_energy": (("share", "r"), np.stack([_levels(wall) for wall in walls])),
                "beta": ((), attention.beta),
                "lower": ((), lower),
                "upper": ((), upper),
                "crossing": ((), cross.noise),
                "jump": ((), cross.jump),
                "jump_found": ((), there.cluster),
                "tilt": ((), there.height - there.back),
                **_gaps(attention, d, states),
            },
            {"share": list(self.share), "r": ORDER},
        )

    def tiny(self) -> "Barriers":
        return replace(self, d=some_of(self.d, (2,)), share=some_of(self.share, (0.5, 0.9)))

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        return [claim for d in self.d for claim in _claims(d, dataset.sel(d=d), self.ratio)]


def _claims(d: int, at: xr.Dataset, ratio: float) -> list[Claim]:
    # Both methods solve their equations to 1e-10; near a fold errors of r are some hundred times as large.
    cross = "free energies cross there, by continuation"
    linear = float(critical_noise(Unnormalized(ratio * tricritical_beta(d)), d))
    return [
        Claim.close(f"saddles, d={d}", at.saddle_gap, 0, 1e-7, CONTINUED),
        Claim.close(f"heights, d={d}", at.height_gap, 0, 1e-8, CONTINUED),
        Claim.close(f"both heights at the crossing, d={d}", at.tilt, 0, 1e-8, cross),
        Claim.close(f"cluster at the crossing, d={d}", at.jump_found, at.jump, 1e-7, cross),
        Claim.close(f"lower spinodal, d={d}", at.lower, linear, 1e-10, "growth of the uniform law"),
    ]


def _levels(wall: Barrier) -> np.ndarray:
    """F* at the common orders; NaN beyond where it was computed."""
    order, free = np.asarray(wall.profile.order), np.asarray(wall.profile.free_energy)
    return np.where(order[-1] >= ORDER, np.interp(ORDER, order, free), np.nan)


def _gaps(attention: Unnormalized, d: int, states) -> dict[str, Any]:
    """How far saddles and heights are from those of the branch, before its fold."""
    fold = int(np.argmax(np.asarray(states.noise)))
    assert fold > STATES, "the branch has too few states before its fold"
    gaps = []
    for k in range(fold - STATES, fold):
        wall = barrier(attention, d, states.noise[k])
        height = states.free_energy[k] / states.noise[k]
        gaps.append([abs(wall.saddle - states.order[k]), abs(wall.height - height)])
    saddle, height = np.max(gaps, axis=0)
    return {"saddle_gap": ((), saddle), "height_gap": ((), height)}
