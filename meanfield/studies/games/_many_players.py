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
    the limits of cost and of gap. Two oscillators are a pendulum, whose cost is an eigenvalue of Mathieu's
    equation.

    Source: Lasry and Lions (2007), doi:10.1007/s11537-007-0657-8; Cardaliaguet, Delarue, Lasry, Lions
    (2019), arXiv 1509.02505, for the rate; the number is derived here.
    """

    kernels: tuple[str, ...] = ("oscillators", "attention")
    """What players feel: oscillators, attention."""
    noises: tuple[float, ...] = (0.5, 0.9)
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
        limit = float(game.equilibrium().cost)
        found = [few_players(game, n, points=self.points) for n in self.players]
        cost, n = np.array([float(one.cost) for one in found]), np.array(self.players)
        gap = n * (cost - limit)
        at = lambda name: ("players", np.array([float(getattr(one, name)) for one in found]))
        return xr.Dataset(
            {
                "cost": ("players", cost),
                "gap": ("players", gap),
                "residual": at("residual"),
                "converged": at("converged"),
                "limit": ((), limit),
                "fitted": ((), _at_infinity(n, cost)),
                "slope": ((), _at_infinity(n, gap)),
                "theory": ((), _theory(cell["kernel"], cell["noise"])),
            },
            {"players": n},
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
            if np.isfinite(one.theory):
                title, known = f"{where}: N times what they pay beyond the limit", float(one.theory)
                claims.append(Claim.close(title, one.slope, known, 0.05 * abs(known), "modes"))
        return claims


def _at_infinity(n: np.ndarray, values: np.ndarray) -> float:
    """What a parabola in 1/N through the three largest N says of N = infinity."""
    if len(n) < 3:
        return np.nan
    last = np.argsort(n)[-3:]
    return float(np.linalg.solve(np.vander(1 / n[last], 3), values[last])[-1])


def _theory(kernel: str, noise: float) -> float:
    """The limit of the gap; NaN where players synchronize."""
    k = np.arange(1, 13)
    strength = np.where(k == 1, 1.0, 0.0) if kernel == "oscillators" else 2 * iv(k, 1.0)
    room = 4 * noise**2 - 2 * strength / k**2
    if room.min() <= 0:
        return np.nan
    gain = 2 * noise - np.sqrt(room)
    return float(-np.sum(k**2 * gain**2 / 2 * (3 * noise - gain) / (2 * noise - gain)))
