from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import scipy
import xarray as xr

from ...attention.kernels import Unnormalized
from ...dynamics.particles import MomentumFlow
from ...energies import Interaction
from ...geometry import Sphere
from ...solve import simulate
from ..machinery import Claim, Study, check_that, order_of, program_of_runs, some_of

PENDULUM = "two tokens are a pendulum: a'' = -e^{beta cos a} sin a - friction a'"
ENERGY = "kinetic energy less interaction is constant without friction"
NEAR = 0.5
"""The angle at which tokens with much friction are compared with those without inertia."""


@dataclass(frozen=True, kw_only=True)
class Momentum(Study):
    """Tokens with inertia and friction under unnormalized attention: swings, energy, and the limit without.

        x_i' = p_i,    p_i' = P_{x_i} attention(x)_i - friction p_i - |p_i|^2 x_i

    `angle` is that of two tokens from rest, `pendulum` that of the pendulum that they are: they pass each
    other until friction stops them. `energy` is the kinetic energy less the interaction of n tokens from
    rest, less its start. `meets` is when the pendulum comes to the angle .5, over the friction, which for
    much friction tends to the `limit` of two tokens without inertia.

    Source: after arXiv 2603.16535; the pendulum is ours.
    """

    beta: float = 1.0
    """Inverse temperature."""
    friction: tuple[float, ...] = (0.0, 0.5, 2.0, 6.0, 12.0, 24.0)
    """Frictions."""
    angle: float = 2.0
    """The angle between two tokens at the start."""
    n: int = 24
    """Tokens whose energy is followed."""
    t_end: float = 12.0
    """End of the runs."""
    times: int = 121
    """Times that are saved, evenly."""

    GRID: ClassVar = {"friction": "friction"}
    QUANTITIES: ClassVar = {
        "angle": "angle between two tokens [rad]",
        "pendulum": "angle of the pendulum [rad]",
        "energy": "kinetic energy less interaction, less its start",
        "meets": "time to come near, over friction",
        "limit": "time to come near without inertia",
        "friction": "friction",
    }

    def check(self) -> None:
        check_that(NEAR < self.angle < 3.1, ".5 < angle < 3.1", self.angle, "pass angle=2.0")
        check_that(self.times >= 11, "times >= 11", self.times, "pass times=121")

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        ts = jnp.linspace(0.0, self.t_end, self.times)
        sphere, friction = Sphere(3), cell["friction"]
        flow = MomentumFlow(sphere, Unnormalized(self.beta), friction)
        half = self.angle / 2
        pair = jnp.array([[np.sin(half), 0, np.cos(half)], [-np.sin(half), 0, np.cos(half)]])
        x = np.asarray(_run(flow, pair, ts, jnp.asarray(self.beta))[0])
        first, second = (np.arctan2(x[:, k, 0], x[:, k, 2]) for k in (0, 1))
        exact = _pendulum(self.beta, friction, self.angle, np.asarray(ts))
        cloud = sphere.sample(jax.random.key(self.seed), self.n)
        energy = np.asarray(_run(flow, cloud, ts, jnp.asarray(self.beta))[1])
        meets = _meets(self.beta, friction, self.angle) / friction if friction else np.nan
        return xr.Dataset(
            {
                "angle": ("time", first - second),
                "pendulum": ("time", exact),
                "energy": ("time", energy - energy[0]),
                "meets": ((), meets),
                "limit": ((), _without_inertia(self.beta, self.angle)),
            },
            {"time": np.asarray(ts)},
        )

    def tiny(self) -> "Momentum":
        return replace(self, friction=some_of(self.friction, (0.0, 0.5, 12.0, 24.0)), n=8, times=31)

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        # Runs of tolerance 1e-9: errors grow with the phase of some ten swings.
        gap = np.abs(dataset.angle - dataset.pendulum).max(skipna=False)
        claims = [Claim.close("angle of two tokens off the pendulum", gap, 0, 1e-5, PENDULUM)]
        if 0.0 in self.friction:
            moved = np.abs(dataset.energy.sel(friction=0.0)).max(skipna=False)
            claims.append(Claim.close("energy without friction", moved, 0, 1e-5, ENERGY))
        rise = dataset.energy.diff("time").max(skipna=False)
        claims.append(Claim.at_most("rise of the energy, largest", rise, 0, ENERGY, 1e-5))
        much = dataset.sel(friction=[f for f in self.friction if f >= 6])
        if much.friction.size >= 2:
            # t/friction = limit + c/friction^2 + ..., the start's transient and the slope along the way.
            fit = order_of(1 / much.friction, np.abs(much.meets - much.limit), "friction")
            last = float(1 / much.friction.min()) ** 2
            slack = 8 * last  # of the next term, friction^{-4}, relative to the first
            claims.append(Claim.close("order in 1/friction", fit.order, 2, slack, "expansion"))
        return claims


@program_of_runs
def _run(flow: MomentumFlow, start, ts, beta):
    """Tokens from rest, and their kinetic energy less their interaction."""
    still, energy = jnp.zeros_like(start), Interaction(beta)

    def total(state):
        return flow.kinetic(state[1]) - energy(state[0])

    seen = {"x": _tokens, "total": total}
    run = simulate(flow, (start, still), ts, tol=1e-9, observe=seen, throw=False)
    return (run.values["x"], run.values["total"]), run.ok


def _tokens(state):
    return state[0]


def _pendulum(beta: float, friction: float, start: float, ts) -> np.ndarray:
    """Its angle, from rest."""

    def rates(t, s):
        return [s[1], -np.exp(beta * np.cos(s[0])) * np.sin(s[0]) - friction * s[1]]

    found = scipy.integrate.solve_ivp(
        rates, (0, ts[-1]), [start, 0.0], "DOP853", ts, rtol=1e-11, atol=1e-13
    )
    return found.y[0]


def _meets(beta: float, friction: float, start: float) -> float:
    """When the pendulum first comes to NEAR."""

    def rates(t, s):
        return [s[1], -np.exp(beta * np.cos(s[0])) * np.sin(s[0]) - friction * s[1]]

    def near(t, s):
        return s[0] - NEAR

    near.terminal = True  # pyright: ignore[reportFunctionMemberAccess]
    end = 10 * (1 + friction) * _without_inertia(beta, start)
    found = scipy.integrate.solve_ivp(
        rates, (0, end), [start, 0.0], "Radau", events=near, rtol=1e-10, atol=1e-12
    )
    return float(found.t_events[0][0]) if found.t_events[0].size else np.nan


def _without_inertia(beta: float, start: float) -> float:
    """From start to NEAR by a' = -e^{beta cos a} sin a."""
    pace = lambda a: np.exp(-beta * np.cos(a)) / np.sin(a)
    return scipy.integrate.quad(pace, NEAR, start, epsabs=0, epsrel=1e-12)[0]
