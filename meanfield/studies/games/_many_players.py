from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import xarray as xr
from scipy.special import iv, mathieu_a

from ...attention.kernels import Unnormalized
from ...games.meanfield import Kuramoto, MeanFieldGame, few_players
from ...harmonics import Gegenbauer
from ..machinery import Claim, Study, check_that

KERNELS = {"oscillators": Kuramoto, "attention": Unnormalized}
"""Kuramoto's coupling, of kappa = 1, and unnormalized attention, of beta = 1."""
WHAT = ("cost", "effort", "together")


@dataclass(frozen=True, kw_only=True)
class ManyPlayers(Study):
    """N players on the circle who see each other, and the mean-field game that they become.

    Each pays for control and gains by the mean pull of the others, as in `MeanFieldGames`, but plans for
    what each of them will do. `cost` is what each pays in unit time, `limit` that of infinitely many, who
    see the mean alone. `gap`, N (cost - limit), tends to a number: the limit is reached like 1/N. Of players
    who do not synchronize it is known: the amplitudes of the modes of W = sum_k W_k cos k are independent
    and play a linear-quadratic game each,

        gap = -sum_k k^2 (A_k^2/2) (3 noise - A_k)/(2 noise - A_k),
        A_k = 2 noise - (4 noise^2 - 2 W_k/k^2)^{1/2}

    which is `theory`. `fitted` and `slope` are what parabolas in 1/N through the three largest N say of
    the limits of cost and of gap.

    The equilibrium itself is compared by what players do, `effort`, and by their law: `together` is
    E cos(X_1 - X_2), of infinitely many the square of the length of their mean. Of players who do not
    synchronize N times it tends to 2 noise/(2 noise - A_1) - 1, which is `together_theory`. The distance of
    each to its limit is a power of 1/N: between N and N + 1 its exponent is a difference of logarithms, and
    what a line through the last two of them says of N = infinity, and a parabola through the last three, is
    `exponent`, an interval. Near the noise at which players synchronize five are too few to tell. Two
    oscillators are a pendulum, whose cost is an eigenvalue of Mathieu's equation.

    Source: Lasry and Lions (2007), doi:10.1007/s11537-007-0657-8; Cardaliaguet, Delarue, Lasry, Lions
    (2019), arXiv 1509.02505, for the rate; the number is derived here.
    """

    kernels: tuple[str, ...] = ("oscillators", "attention")
    """What players feel: oscillators, attention."""
    noises: tuple[float, ...] = (0.5, 0.9, 1.5)
    """Strengths of the noise."""
    players: tuple[int, ...] = (2, 3, 4, 5)
    """Numbers of players."""
    points: int = field(default=13, metadata={"least": 9})
    """Of each angle, odd."""

    GRID: ClassVar = {"kernel": "kernels", "noise": "noises"}
    QUANTITIES: ClassVar = {
        "cost": "cost of a player in unit time",
        "limit": "cost in unit time of infinitely many players",
        "gap": "players times (cost - limit)",
        "residual": "largest error of the equation",
        "converged": "whether the equations were solved",
        "fitted": "limit of the costs, extrapolated",
        "slope": "limit of the gaps, extrapolated",
        "theory": "limit of the gaps, of players who do not synchronize",
        "effort": "effort of a player in unit time",
        "effort_limit": "effort in unit time of infinitely many players",
        "together": "mean cosine between two players",
        "together_limit": "mean cosine between two of infinitely many players",
        "together_theory": "limit of players times mean cosine, where they do not synchronize",
        "exponent": "power of 1/players of the distance to the limit, extrapolated",
        "what": "what is compared with its limit",
        "by": "how the exponent is extrapolated",
        "kernel": "what players feel",
        "noise": "strength of the noise",
        "players": "number of players",
    }

    def check(self) -> None:
        fits = {*self.kernels} <= {*KERNELS}
        check_that(fits, f"kernels among {[*KERNELS]}", self.kernels, "choose from these")
        few = min(self.players) >= 2 and max(self.players) <= 5
        odd = self.points % 2 == 1
        check_that(odd, "an odd number of points", self.points, "pass points=13")
        check_that(few, "2 to 5 players", self.players, "pass players=(2, 3, 4)")

    def tiny(self) -> "ManyPlayers":
        return replace(self, kernels=("oscillators",), noises=(0.9,), players=(2, 3, 4), points=11)

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        made: Any = MeanFieldGame
        game = made(Gegenbauer(2, 24), KERNELS[cell["kernel"]](1.0), cell["noise"])  # pyright: ignore[reportCallIssue]
        crowd = game.equilibrium()
        limits = [float(a) for a in (crowd.cost, crowd.effort, crowd.order**2)]
        found = [few_players(game, n, points=self.points) for n in self.players]
        n = np.array(self.players)
        each = lambda name: np.array([float(getattr(one, name)) for one in found])
        values = [each(name) for name in WHAT]
        gap = n * (values[0] - limits[0])
        known = dict(zip(("theory", "together_theory"), _theory(**cell), strict=True))
        return xr.Dataset(
            {
                **{name: ("players", value) for name, value in zip(WHAT, values, strict=True)},
                "gap": ("players", gap),
                "residual": ("players", each("residual")),
                "converged": ("players", each("converged")),
                **dict(zip(("limit", "effort_limit", "together_limit"), limits, strict=True)),
                "fitted": ((), _at_infinity(n, values[0])),
                "slope": ((), _at_infinity(n, gap)),
                **known,
                "exponent": (
                    ("what", "by"),
                    [_exponents(n, v - end) for v, end in zip(values, limits, strict=True)],
                ),
            },
            {"players": n, "what": [*WHAT], "by": ["line", "parabola"]},
        )

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        return [
            c
            for k in self.kernels
            for noise in self.noises
            for c in self._claims(dataset, k, noise)
        ]

    def _claims(self, dataset: xr.Dataset, kernel: str, noise: float) -> list[Claim]:
        one, where = dataset.sel(kernel=kernel, noise=noise), f"{kernel}, noise {noise:g}"
        claims = [Claim.holds(f"{where}: all are solved", one.converged.min() == 1, "Newton")]
        if kernel == "oscillators" and 2 in self.players:
            exact = 2 * noise**2 / 3 * mathieu_a(0, 3 / (4 * noise**2))
            cost = one.cost.sel(players=2)
            # Harmonics of V beyond the sixth, to the power of the cost.
            claims.append(
                Claim.close(f"{where}: two are a pendulum", cost, exact, 2e-6, "Mathieu a_0")
            )
        if len(self.players) >= 3:
            far = abs(float(one.cost.isel(players=-1) - one.limit))
            # Parabolas in 1/N leave a third power, of which N = 4, 5 are within a quarter.
            title = f"{where}: limit of the costs of N players"
            claims.append(
                Claim.close(title, one.fitted, one.limit, far / 4, "Lasry and Lions (2007)")
            )
            claims += [_nearer(one, where, what) for what in WHAT[1:]] + self._known(one, where)
        if len(self.players) >= 4 and noise >= 1.9 * _critical(kernel):
            claims += [c for what in WHAT for c in _rates(one.exponent.sel(what=what), where, what)]
        return claims

    def _known(self, one: xr.Dataset, where: str) -> list[Claim]:
        """Of players who do not synchronize."""
        if not np.isfinite(one.theory):
            return []
        title, known = f"{where}: N times what they pay beyond the limit", float(one.theory)
        paid = Claim.close(title, one.slope, known, 0.05 * abs(known), "modes")
        title, known = f"{where}: N times the mean cosine", float(one.together_theory)
        n, near = one.players.values, one.players.values * one.together.values
        fitted, line = _at_infinity(n, near), _at_infinity(n, near, 2)
        # Twice what the parabola says otherwise than a line.
        return [paid, Claim.close(title, fitted, known, 2 * abs(fitted - line), "modes")]


def _nearer(one: xr.Dataset, where: str, what: str) -> Claim:
    apart = np.abs((one[what] - one[f"{what}_limit"]).values[np.argsort(one.players.values)])
    title = f"{where}: share of the distance of {what} to its limit that one more player leaves"
    return Claim.at_most(title, (apart[1:] / apart[:-1]).max(), 1, "Lasry and Lions (2007)")


def _rates(exponent: xr.DataArray, where: str, what: str) -> list[Claim]:
    low, high = (float(end) for end in (exponent.min(skipna=False), exponent.max(skipna=False)))
    title, source = f"{where}: exponent of 1/N of the {what}", "Cardaliaguet et al. (2019)"
    return [
        Claim.at_most(f"{title}, low end", low, 1, source),
        Claim.at_least(f"{title}, high end", high, 1, source),
        Claim.at_most(f"{title}, width", high - low, 0, "of N = 2 to 5", 0.15),
    ]


def _at_infinity(n: np.ndarray, values: np.ndarray, terms: int = 3) -> float:
    """What a parabola in 1/N through the three largest N, or a line through two, says of N = infinity."""
    if len(n) < terms:
        return np.nan
    last = np.argsort(n)[-terms:]
    return float(np.linalg.solve(np.vander(1 / n[last], terms), values[last])[-1])


def _exponents(n: np.ndarray, apart: np.ndarray) -> list[float]:
    """Of c/N^p, extrapolated by a line and by a parabola; NaN where the distance changes its sign."""
    order = np.argsort(n)
    n, apart = n[order], apart[order]
    if len(n) < 4 or not (apart[1:] * apart[:-1] > 0).all():
        return [np.nan, np.nan]
    local = np.log(apart[:-1] / apart[1:]) / np.log(n[1:] / n[:-1])
    middle = np.sqrt(n[1:] * n[:-1])
    return [_at_infinity(middle, local, 2), _at_infinity(middle, local)]


def _strengths(kernel: str) -> np.ndarray:
    """W_k of W = sum_k W_k cos k."""
    k = np.arange(1, 13)
    return np.where(k == 1, 1.0, 0.0) if kernel == "oscillators" else 2 * iv(k, 1.0)


def _critical(kernel: str) -> float:
    """The noise below which players synchronize: those of infinite number."""
    return float(np.sqrt(_strengths(kernel)[0] / 2))


def _theory(kernel: str, noise: float) -> tuple[float, float]:
    """The limits of the gap and of N times the mean cosine; NaN where players synchronize."""
    k, strength = np.arange(1, 13), _strengths(kernel)
    room = 4 * noise**2 - 2 * strength / k**2
    if room.min() <= 0:
        return np.nan, np.nan
    gain = 2 * noise - np.sqrt(room)
    gap = -np.sum(k**2 * gain**2 / 2 * (3 * noise - gain) / (2 * noise - gain))
    return float(gap), float(2 * noise / np.sqrt(room[0]) - 1)
