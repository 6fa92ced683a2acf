from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import xarray as xr
from scipy.integrate import solve_ivp

from ...landscape.times import alignment_blow_up
from ..machinery import Claim, Study, check_that, some_of

SOURCE = "Carrillo, Choi, Tadmor, Tan (2016), doi:10.1142/S0218202516500068; log 2 for slope -2"
UNTIL = 6.0
TRACERS, MOMENTS = 24, 49


@dataclass(frozen=True, kw_only=True)
class AlignmentShock(Study):
    """Tokens with inertia whose velocities align, and the pressureless Euler equation that they are.

    n particles start evenly on [-pi, pi] with velocities slope sin(x), and obey x'' = mean of x' - x', by
    scipy: `meet` is when two first meet, up to t = 6, and `shock` when the fluid blows up, infinite for
    slopes of at least -1. Neighbors at the middle start with a slope that is slope h^2/24 less steep, h
    their distance, so that they meet late by h^2 `late`. `steepest` is the slope of the fluid halfway to
    the shock, or at t = 1, by the particles, and `theory` its formula. `path` and `speed` are those of 24
    particles until they meet, or until t = 6, at the shares `moment` of that time.

    Source: Carrillo, Choi, Tadmor, Tan (2016), doi:10.1142/S0218202516500068; as a closure of tokens with
    momentum, arXiv 2603.16535.
    """

    slope: tuple[float, ...] = (-0.8, -1.5, -2.0, -4.0)
    """The slope of the velocity in the middle."""
    n: tuple[int, ...] = (50, 100, 200)
    """Even numbers of particles."""

    GRID: ClassVar = {"slope": "slope", "n": "n"}
    QUANTITIES: ClassVar = {
        "meet": "when two particles first meet",
        "shock": "when the fluid blows up",
        "late": "delay of the particles over the square of their distance",
        "steepest": "slope of the velocity, particles",
        "theory": "slope of the velocity, fluid",
        "path": "place of a particle",
        "speed": "velocity of a particle",
        "moment": "time over the end of the paths",
        "tracer": "number of a particle that is followed",
        "slope": "slope of the velocity at the start",
        "n": "particles",
    }

    def check(self) -> None:
        check_that(max(self.slope) < 0, "slope < 0", max(self.slope), "pass slope=(-2.0,)")
        even = all(n % 2 == 0 and n >= 10 for n in self.n)
        check_that(even, "even n >= 10", self.n, "pass n=(50,)")

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        slope, n = cell["slope"], cell["n"]
        shock = float(alignment_blow_up(slope))
        x = np.pi * (2 * np.arange(n) + 1 - n) / n
        seen = min(shock / 2, 1.0)
        meet, steepest, at = _run(x, slope * np.sin(x), seen)
        kept = np.linspace(0, n - 1, min(n, TRACERS)).round().astype(int)
        h, faded = 2 * np.pi / n, np.exp(-seen)
        return xr.Dataset(
            {
                "meet": ((), meet),
                "shock": ((), shock),
                "late": ((), (meet - shock) / h**2 if np.isfinite(shock) else np.nan),
                "steepest": ((), steepest),
                "theory": ((), slope * faded / (1 + slope * (1 - faded))),
                "path": (("moment", "tracer"), at[kept].T),
                "speed": (("moment", "tracer"), at[n + kept].T),
            },
            {"moment": np.linspace(0, 1, MOMENTS), "tracer": np.arange(kept.size)},
        )

    def tiny(self) -> "AlignmentShock":
        return replace(self, slope=some_of(self.slope, (-0.8, -2.0)), n=(50,))

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        return [c for slope in self.slope for n in self.n for c in _claims(dataset, slope, n)]


def _claims(dataset: xr.Dataset, slope: float, n: int) -> list[Claim]:
    at, h = dataset.sel(slope=slope, n=n), 2 * np.pi / n
    where = f"slope={slope:g}, n={n}"
    known = np.log(2) if slope == -2 else float(at.shock)
    if slope >= -1:
        return [
            Claim.holds(f"no shock, {where}", not np.isfinite(at.shock), SOURCE),
            Claim.holds(f"no particles meet, {where}", not np.isfinite(at.meet), SOURCE),
        ]
    # dt/dslope = 1/(slope^2 + slope), times the slope that neighbors lack; next terms are h^2 of it.
    late = -slope / 24 / (slope**2 + slope)
    return [
        Claim.close(f"shock, {where}", at.shock, known, 1e-12, SOURCE),
        Claim.close(f"particles meet, {where}", at.meet, known, 2 * late * h**2, SOURCE),
        Claim.close(f"late by h^2, {where}", at.late, late, 4 * h**2 * late + 1e-6 / h**2, "expansion"),
        # The slope of the middle pair is h^2/24 less, amplified by (theory/slope)^2 e^t.
        Claim.close(
            f"slope on the way, {where}", at.steepest, at.theory,
            0.2 * h**2 * float(at.theory) ** 2, "monokinetic closure",
        ),
    ]  # fmt: skip


def _run(x, v, seen: float) -> tuple[float, float, np.ndarray]:
    """When neighbors first meet, infinite if they do not; their steepest slope at time `seen`; and places
    and velocities [2 n, moments] until they meet."""
    n = len(x)

    def meet(t, s):
        return np.diff(s[:n]).min()

    meet.terminal = True  # pyright: ignore[reportFunctionMemberAccess]

    def rates(t, s):
        return np.concatenate([s[n:], s[n:].mean() - s[n:]])

    start = np.concatenate([x, v])
    found = solve_ivp(
        rates, (0, UNTIL), start, "DOP853", events=meet, rtol=1e-11, atol=1e-13, dense_output=True
    )
    at = found.sol(seen)
    first = found.t_events[0]
    meet_at = float(first[0]) if first.size else np.inf
    steepest = float((np.diff(at[n:]) / np.diff(at[:n])).min())
    return meet_at, steepest, found.sol(np.linspace(0, min(meet_at, UNTIL), MOMENTS))
