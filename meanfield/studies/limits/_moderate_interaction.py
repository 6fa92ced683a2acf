from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
import xarray as xr

from ...attention.kernels import Softmax
from ...dynamics.particles import AttentionFlow
from ...dynamics.reductions import TwoCluster
from ...geometry import Sphere
from ...solve import simulate
from ..machinery import Claim, Study, check_that, order_of, some_of

PAPER = "Bruno, Pasqualotto, Agazzi 2025, arXiv 2509.25040"
PAIR = "TwoCluster, and what a third one adds"
ALIGNED = 1.0
"""Time of the first phase: off the plane, tokens have shrunk by e^-1."""
WAVE, HEATED = 0.4, 0.15
"""Height of the wave at the start, of both, and the time of the second phase over beta."""
NEAR, FAR = 0.6, 0.9
"""Gaps between three clusters at the start of the third phase [rad]."""
COME = 0.8
"""The share of its gap that the near pair, alone, would have left at the end."""


@dataclass(frozen=True, kw_only=True)
class ModerateInteraction(Study):
    """Many tokens at large beta in three phases, each on its own clock, against its own limit.

        align   t ~ 1:         x' = P_x V x,    x(t) = e^{Vt} x_0 / |e^{Vt} x_0|
        heat    t ~ beta:      d_t rho = -(1/beta) Laplacian rho,    backward
        pair    t ~ e^{beta (1 - cos gap)}:    the nearest two clusters alone

    A token of many sees its own neighborhood: attention returns x + (1/beta) grad log rho. So (SA) with
    V = diag(1, 1, 0) first brings tokens on S^2 to the circle; there V is the identity, and a density
    1 + .4 cos runs the heat equation backward, 1 + .4 e^{t/beta} cos, while it can: it is followed to
    t = .15 beta, and by twice that time waves of sqrt(2 beta) crests, the fastest to grow, begin to
    show; and of three clusters, at gaps of .6 and .9 rad, the near ones move as if
    they were two. `aligned` (root mean square) and `heated` (the largest angle) are distances of tokens
    from these limits, and fall as 1/beta; `behind` is by how much the clock of the pair, which
    `TwoCluster` reads off its gap, is behind, for the third cluster holds the middle one back: by

        e^{-beta (cos near - cos far)} sin far / (2 sin near)

    of the speed of the pair, whose values at the start and at the end are `most` and `least`.

    Source: Bruno, Pasqualotto, Agazzi, arXiv 2509.25040, for the phases.
    """

    beta: tuple[float, ...] = (20.0, 40.0, 80.0)
    """Inverse temperatures."""
    tokens: int = 24
    """Tokens over beta, on the sphere; there are half as many on the circle, of the largest beta."""

    GRID: ClassVar = {"beta": "beta"}
    QUANTITIES: ClassVar = {
        "beta": "inverse temperature",
        "aligned": "distance from the linear flow, root mean square",
        "heated": "distance from the heat equation, largest [rad]",
        "behind": "lag of the pair's clock",
        "most": "share of the third cluster in the pair's speed, at the start",
        "least": "share of the third cluster in the pair's speed, at the end",
        "angle": "angle of a token after the second phase [rad]",
        "exact": "the same, by the heat equation [rad]",
        "gap": "gap of the near pair [rad]",
        "alone": "gap of a pair alone [rad]",
        "token": "token",
        "clock": "time over that of the pair alone",
    }

    def check(self) -> None:
        check_that(len(self.beta) > 1, "two or more beta", self.beta, "pass more")
        check_that(min(self.beta) >= 10, "beta >= 10", self.beta, "raise beta")
        # The fastest mode of the second phase grows by e^{.11 beta}, from rounding.
        check_that(max(self.beta) <= 80, "beta <= 80", self.beta, "lower beta")
        check_that(self.tokens >= 8, "tokens >= 8", self.tokens, "pass tokens=24")

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        beta = cell["beta"]
        angle, exact = _heat(beta, round(self.tokens * max(self.beta) / 2))
        clock = np.linspace(0.0, 1.0, 21)
        gap, alone, behind = _pair(beta, clock)
        return xr.Dataset(
            {
                "aligned": _align(beta, round(self.tokens * beta)),
                "heated": np.abs(angle - exact).max(),
                "behind": behind,
                "most": _share(beta, NEAR, FAR),
                # The middle cluster has then come half of what the gap has lost.
                "least": _share(beta, COME * NEAR, FAR + (1 - COME) * NEAR / 2),
                "angle": ("token", angle),
                "exact": ("token", exact),
                "gap": ("clock", gap),
                "alone": ("clock", alone),
            },
            {"token": np.arange(angle.size), "clock": clock},
        )

    def tiny(self) -> "ModerateInteraction":
        return replace(self, beta=some_of(self.beta, (20.0, 40.0)), tokens=12)

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        # The next term is smaller by 1/(beta s^2), with the scale s = .6 of the laws, in radians.
        slack = 3 / float(dataset.beta.min())
        orders = {
            name: order_of(1 / dataset.beta, dataset[name], "beta").order
            for name in ("aligned", "heated")
        }
        above = float((dataset.behind - dataset.most).max())
        below = float((dataset.least - dataset.behind).max())
        return [
            Claim.close("order in 1/beta, aligned", orders["aligned"], 1, slack, PAPER),
            Claim.close("order in 1/beta, heated", orders["heated"], 1, slack, PAPER),
            # tol = 1e-9 a step
            Claim.at_most("lag of the pair, above its share at the start", above, 0, PAIR, 1e-6),
            Claim.at_most("lag of the pair, below its share at the end", below, 0, PAIR, 1e-6),
        ]


def _align(beta: float, n: int) -> float:
    """How far tokens over S^2, denser around the first axis, are from the linear flow."""
    k = np.arange(n) + 0.5
    z, turn = 1 - 2 * k / n, np.pi * (1 + 5**0.5) * k
    r = np.sqrt(1 - z**2)
    x = np.stack([r * np.cos(turn) + WAVE, r * np.sin(turn), z], axis=1)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    values = np.array([1.0, 1.0, 0.0])
    flow = AttentionFlow(Sphere(3), Softmax(beta, value=jnp.diag(jnp.asarray(values))))
    y = np.asarray(simulate(flow, jnp.asarray(x), jnp.asarray([0.0, ALIGNED]), tol=1e-6).final)
    exact = x * np.exp(values * ALIGNED)
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    return float(np.sqrt(np.mean(np.sum((y - exact) ** 2, axis=1))))


def _heat(beta: float, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Angles of tokens after the second phase, and those of equal mass by the heat equation."""
    mass = 2 * np.pi * (np.arange(n) + 0.5) / n - np.pi
    start = _wave(mass, WAVE)
    x = jnp.asarray(np.stack([np.cos(start), np.sin(start)], axis=1))
    flow = AttentionFlow(Sphere(2), Softmax(beta))
    y = np.asarray(simulate(flow, x, jnp.asarray([0.0, HEATED * beta]), tol=1e-11).final)
    exact = _wave(mass, WAVE * np.exp(HEATED))
    turns = np.arctan2(y[:, 1], y[:, 0]) - exact
    return exact + np.arctan2(np.sin(turns), np.cos(turns)), exact


def _wave(mass: np.ndarray, height: float) -> np.ndarray:
    """Angles below which a law of density (1 + height cos)/2 pi has these masses, times 2 pi, by Newton."""
    angle = mass.copy()
    for _ in range(60):
        angle -= (angle + height * np.sin(angle) - mass) / (1 + height * np.cos(angle))
    return angle


def _share(beta: float, near: float, far: float) -> float:
    """What a third cluster takes from the speed of a pair."""
    return float(np.exp(-beta * (np.cos(near) - np.cos(far))) * np.sin(far) / (2 * np.sin(near)))


def _pair(beta: float, clock: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Gaps of the near pair of three clusters and of a pair alone, and the lag of the former's clock."""
    pair = TwoCluster(Softmax(beta), jnp.asarray([0.5, 0.5]))
    time = float(pair.passage_time(np.cos(NEAR), np.cos(COME * NEAR)))
    places = np.cumsum([0.0, NEAR, FAR])
    x = jnp.asarray(np.stack([np.cos(places), np.sin(places)], axis=1))
    flow = AttentionFlow(Sphere(2), Softmax(beta))
    ts = jnp.asarray(time * clock)
    three = simulate(flow, x, ts, observe={"r": lambda x: x[0] @ x[1]}, tol=1e-9).values["r"]
    two = simulate(pair, jnp.asarray(np.cos(NEAR)), ts, observe={"r": lambda r: r}, tol=1e-9)
    read = float(pair.passage_time(np.cos(NEAR), three[-1]))
    gap, alone = (np.arccos(np.clip(r, -1, 1)) for r in (three, two.values["r"]))
    return gap, alone, 1 - read / time
