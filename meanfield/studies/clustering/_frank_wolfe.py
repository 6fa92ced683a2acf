from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import scipy
import xarray as xr
from jaxtyping import Float

from ...dynamics.particles import hardmax_path
from ..machinery import Claim, Study, check_that, some_of

PAPER = "Alcalde, Geshkovski, Ruiz-Balet, arXiv 2508.09628"
ENDS = 0.95, 0.6
"""Radii of a polygon of tokens between which its lifetime is measured."""
Tokens = Float[np.ndarray, "n 2"]


@dataclass(frozen=True, kw_only=True)
class FrankWolfe(Study):
    """Hard attention in the hull of its tokens as the method of Frank and Wolfe, and how long softmax is so.

        x' = argmax_{v} <x, v> - x,    the largest ascent of |x|^2/2 among the vertices v of the hull

    The `vertex` tokens, on the unit circle, stay; each of the others, `x` over time, moves on a straight
    line to the vertex of the cell where it began, x = v + (x_0 - v) e^{-t}; `off` is how far it is from
    that. `ascent` is the rate of |x|^2/2 by differences of the path, less what the method says, its gap
    max <x, v> - |x|^2. `cell` is the vertex that each point of a grid sees. Under softmax a regular
    polygon of tokens of radius r shrinks, r' = -r (1 - sum_j w_j cos a_j): `lifetime` is how long it
    takes from .95 to .6, of tokens, and `expected` by quadrature: of order e^{beta r^2 (1 - cos(2
    pi/k))}.

    Source: Alcalde, Geshkovski, Ruiz-Balet, arXiv 2508.09628.
    """

    vertices: int = field(default=7, metadata={"least": 3})
    """Tokens at the corners of the hull."""
    inside: int = 60
    """Tokens inside."""
    t_end: float = 6.0
    """End of the paths."""
    times: int = 61
    """Times that are saved, evenly."""
    resolution: int = 201
    """Points of the grid of cells, a side."""
    polygon: int = field(default=4, metadata={"least": 2})
    """Tokens of the polygon."""
    beta: tuple[float, ...] = (2.0, 4.0, 6.0, 8.0, 10.0, 12.0)
    """Inverse temperatures of the softmax."""

    GRID: ClassVar = {"beta": "beta"}
    QUANTITIES: ClassVar = {
        "x": "token",
        "vertex": "corner of the hull",
        "goal": "vertex that a token sees at the start",
        "off": "largest distance of a token from its straight line",
        "ascent": "rate of |x|^2/2 less the gap of Frank and Wolfe, largest",
        "half_square": "|x|^2/2, mean over tokens",
        "cell": "vertex that a point sees",
        "side": "coordinate of a point",
        "other": "other coordinate of a point",
        "lifetime": "time in which a polygon of tokens shrinks",
        "expected": "time in which a polygon of tokens shrinks, by quadrature",
        "beta": "beta",
    }

    def check(self) -> None:
        check_that(self.times >= 11, "times >= 11", self.times, "pass times=61")

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        beta, k = cell["beta"], self.polygon
        return self._hard().assign(
            lifetime=((), _lifetime(k, beta)), expected=((), _by_quadrature(k, beta))
        )

    def _hard(self) -> xr.Dataset:
        """The same for every beta."""
        first, second, third = jax.random.split(jax.random.key(self.seed), 3)
        # Corners at angles that differ by at least half of those of a regular polygon.
        shift = jax.random.uniform(first, (self.vertices,), minval=-0.25, maxval=0.25)
        angle = 2 * np.pi * (np.arange(self.vertices) + np.asarray(shift)) / self.vertices
        vertex = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        shares = jax.random.dirichlet(second, jnp.full(self.vertices, 0.3), (self.inside,))
        start = (
            np.asarray(shares)
            @ vertex
            * np.asarray(jax.random.uniform(third, (self.inside, 1), minval=0.5, maxval=0.97))
        )
        ts = np.linspace(0, self.t_end, self.times)
        both = jnp.asarray(np.concatenate([vertex, start]))
        x = np.asarray(hardmax_path(both, jnp.asarray(ts)).states)
        goal = (start @ vertex.T).argmax(axis=1)
        line = vertex[goal] + np.exp(-ts)[:, None, None] * (start - vertex[goal])
        moved = np.abs(x[:, : self.vertices] - vertex).max()
        inside = x[:, self.vertices :]
        side = np.linspace(-1, 1, self.resolution)
        points = np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1)
        return xr.Dataset(
            {
                "x": (("time", "token", "axis"), inside),
                "vertex": (("corner", "axis"), vertex),
                "goal": ("token", goal),
                "off": ((), max(moved, np.abs(inside - line).max())),
                "ascent": ((), _ascent(inside, vertex, ts)),
                "half_square": ("time", (inside**2).sum(axis=2).mean(axis=1) / 2),
                "cell": (("side", "other"), (points @ vertex.T).argmax(axis=2)),
            },
            {"time": ts, "side": side, "other": side},
        )

    def assemble(self, parts) -> xr.Dataset:
        whole = Study.assemble(self, parts)
        shared = [name for name in whole.data_vars if name not in ("lifetime", "expected")]
        return whole.assign({name: whole[name].isel(beta=0, drop=True) for name in shared})

    def tiny(self) -> "FrankWolfe":
        return replace(
            self, inside=12, times=31, resolution=41, beta=some_of(self.beta, (2.0, 6.0))
        )

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        # Rounding of some ten operations; a central difference of e^{-t} is off by step^2/6 times 4 e^{-2t}.
        step = self.t_end / (self.times - 1)
        claims = [
            Claim.close("tokens off their straight lines", dataset.off, 0, 1e-12, PAPER),
            Claim.close(
                "ascent of |x|^2/2 off the gap", dataset.ascent, 0, 4 * step**2, "Frank and Wolfe"
            ),
        ]
        for beta in self.beta:
            at = dataset.sel(beta=beta)
            name = f"lifetime of a polygon, beta={beta:g}"
            claims.append(
                Claim.close(name, at.lifetime, at.expected, 1e-6 * at.expected, "quadrature")
            )
        return claims


def _ascent(x, vertex, ts) -> float:
    half = (x**2).sum(axis=2) / 2
    rate = (half[2:] - half[:-2]) / (ts[2:] - ts[:-2])[:, None]
    gap = (x @ vertex.T).max(axis=2) - 2 * half
    return float(np.abs(rate - gap[1:-1]).max())


def _corners(k: int) -> np.ndarray:
    return 2 * np.pi * np.arange(k) / k


def _lifetime(k: int, beta: float) -> float:
    """How long tokens at the corners of a regular polygon need from radius .95 to .6, by scipy."""
    first, last = ENDS

    def rates(t, s):
        x = s.reshape(k, 2)
        logits = beta * x @ x.T
        w = np.exp(logits - logits.max(axis=1, keepdims=True))
        return (w / w.sum(axis=1, keepdims=True) @ x - x).ravel()

    def small(t, s):
        return np.hypot(s[0], s[1]) - last

    small.terminal = True  # pyright: ignore[reportFunctionMemberAccess]
    start = first * np.stack([np.cos(_corners(k)), np.sin(_corners(k))], axis=1)
    span = (0.0, 2 * _by_quadrature(k, beta))
    found = scipy.integrate.solve_ivp(
        rates, span, start.ravel(), "DOP853", events=small, rtol=1e-11, atol=1e-13
    )
    return float(found.t_events[0][0]) if found.t_events[0].size else np.nan


def _by_quadrature(k: int, beta: float) -> float:
    cosines = np.cos(_corners(k))

    def slowness(r: float) -> float:
        w = np.exp(beta * r**2 * (cosines - 1))
        # 1 - sum w_j cos a_j, by differences: it may be as small as e^{-beta}.
        return 1 / (r * (w @ (1 - cosines)) / w.sum())

    return scipy.integrate.quad(slowness, ENDS[1], ENDS[0], epsabs=0, epsrel=1e-11, limit=200)[0]
