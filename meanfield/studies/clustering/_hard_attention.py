from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ...attention.kernels import Hardmax
from ...dynamics.particles import hardmax_path
from ..machinery import Claim, Study, check_that, grid, order_of, some_of

SETTLED = "Alcalde, Fantuzzi, Zuazua: tokens tend to leaders"


@dataclass(frozen=True, kw_only=True)
class HardAttention(Study):
    """Hard attention in the plane: tokens move to leaders, which stay where they are.

        x_i' = x_{s(i)} - x_i,   s(i) = argmax_j <x_i, x_j>

    solved exactly between changes of s (`hardmax_path`). `x` are tokens over time, `leader` those that see
    themselves, `turn_time` when a token changes whom it sees and `turn_gap` how far the two scores are apart
    then, as the states at that time tell. `layers` is the error at `compared` of layers
    x_i + a/(1 + a)(x_{s(i)} - x_i), which is of first order in a. `cell` is the leader that each point of a
    grid sees: a fan of cones.

    Source: Alcalde, Fantuzzi, Zuazua, arXiv 2407.01602.
    """

    n: int = 40
    """Tokens."""
    draws: int = 4
    """Clouds, of which the first is drawn."""
    center: float = 0.3
    """Both coordinates of the mean of the start, of variance one: off the origin, tokens turn."""
    t_end: float = 12.0
    """End of the runs."""
    times: int = 121
    """Times that are saved, evenly."""
    compared: float = 1.2
    """The time at which layers are compared."""
    alpha: tuple[float, ...] = (0.04, 0.02, 0.01, 0.005)
    """Steps a of the layers."""
    resolution: int = 241
    """Points of the grid of cells, a side."""

    QUANTITIES: ClassVar = {
        "x": "token",
        "leader": "whether a token sees itself",
        "ends_at": "distance to the nearest leader at the end",
        "turn_time": "time at which a token turns to another",
        "turn_gap": "scores of the two at that time, less their maximum",
        "turns": "changes of whom tokens see",
        "layers": "largest error of a token by layers",
        "cell": "leader of a point",
        "side": "coordinate of a point over the extent",
        "other": "other coordinate of a point over the extent",
        "extent": "extent of the grid",
        "alpha": "step of a layer",
        "turn": "change, in the order of time",
    }

    def check(self) -> None:
        check_that(self.n >= 3, "n >= 3", self.n, "pass n=40")
        check_that(self.compared <= self.t_end, "compared <= t_end", self.compared, "raise t_end")

    def cells(self) -> list[dict[str, Any]]:
        return grid(draw=range(self.draws))

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        start = jax.random.normal(self.key(cell), (self.n, 2)) + self.center
        ts = np.linspace(0, self.t_end, self.times)
        path = hardmax_path(start, jnp.asarray(ts))
        final = np.asarray(path.states[-1])
        leader = np.asarray(Hardmax().leaders(path.states[-1]))
        apart = np.linalg.norm(final[:, None] - final[leader], axis=-1).min(axis=1)
        gaps = [
            _gap(start, *turn) for turn in zip(path.times, path.tokens, path.leaders, strict=True)
        ]
        padding = np.full(self.n, np.nan)
        times, gap = padding.copy(), padding.copy()
        times[: len(gaps)], gap[: len(gaps)] = np.asarray(path.times)[: self.n], gaps[: self.n]
        exact = np.asarray(hardmax_path(start, jnp.array([self.compared])).states[0])
        errors = [_layers(np.asarray(start), self.compared, a) - exact for a in self.alpha]
        side, extent = np.linspace(-1, 1, self.resolution), 1.05 * np.abs(np.asarray(start)).max()
        points = extent * np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1).reshape(-1, 2)
        seen = Hardmax().best(jnp.asarray(points), jnp.asarray(final[leader]))
        return xr.Dataset(
            {
                "x": (("time", "token", "axis"), np.asarray(path.states)),
                "leader": ("token", leader),
                "ends_at": ("token", apart),
                "turn_time": ("turn", times),
                "turn_gap": ("turn", gap),
                "turns": ((), float(path.times.size)),
                "layers": ("alpha", np.abs(errors).max(axis=(1, 2))),
                "extent": ((), extent),
                "cell": (("side", "other"), np.asarray(seen).reshape(len(side), -1)),
            },
            {"time": ts, "alpha": list(self.alpha), "side": side, "other": side},
        )

    def tiny(self) -> "HardAttention":
        return replace(
            self, draws=min(self.draws, 2), alpha=some_of(self.alpha, (0.02, 0.01, 0.005)),
            times=31, resolution=31,
        )  # fmt: skip

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        # What is left of the way at t_end: e^{-t} times a power of t, for those who follow followers.
        left = 20 * self.t_end * np.exp(-self.t_end)
        claims = [
            Claim.at_most("distance to a leader at the end", dataset.ends_at.max(), left, SETTLED),
        ]
        leads = dataset.x.where(dataset.leader)
        moved = np.abs(leads - leads.isel(time=0)).max()
        claims.append(Claim.close("movement of leaders", moved, 0, 1e-12, "they see themselves"))
        if (dataset.turns > 0).any():
            gap = dataset.turn_gap.max()
            claims.append(Claim.close("scores where tokens turn", gap, 0, 1e-12, "both are best"))
        fit = order_of(dataset.alpha, dataset.layers.mean("draw"), "alpha")
        # A turn falls anywhere between two layers: errors of first order that jitter by half, and with four
        # steps over a factor of 8 a slope that jitters by .2.
        claims.append(Claim.close("order of layers", fit.order, 1, 0.4, "Euler's method"))
        return claims


def _gap(start, time, token, leader) -> float:
    """How far below the best score of a token that of its new leader is, once it turns."""
    x = hardmax_path(start, time[None]).states[0]
    scores = np.asarray(x @ x[token])
    return float(scores.max() - scores[int(leader)]) / float(np.abs(scores).max())


def _layers(x: np.ndarray, end: float, alpha: float) -> np.ndarray:
    """The tokens by layers of step alpha, of the time log(1 + alpha) each."""
    count = round(end / np.log1p(alpha))
    step = -np.expm1(-end / count)  # alpha/(1 + alpha), of layers that end at the time
    for _ in range(count):
        x = x + step * (x[(x @ x.T).argmax(axis=1)] - x)
    return x
