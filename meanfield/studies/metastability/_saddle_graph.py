from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ...attention.kernels import Unnormalized
from ...dynamics.particles import AttentionFlow
from ...energies import Interaction
from ...geometry import Sphere
from ...landscape.clouds import (
    HeteroclinicGraph,
    critical_points,
    heteroclinic_graph,
    morse_count,
    walk,
)
from ...observables import state
from ...solve import simulate
from ..machinery import Claim, Study, check_that

MORSE = "Milnor, Morse Theory (1963), section 5, on a torus"
_LAST, _NEAR = 27.0, 0.05
"""When runs end, in times e^{2 beta}, and how near to a state they count as there."""


@dataclass(frozen=True, kw_only=True)
class SaddleGraph(Study):
    """Which clouds of n tokens on the circle lead to which under unnormalized attention.

    States of every index, from `starts` random clouds, and between them orbits of steepest ascent of E_beta,
    with e^{beta (<x, y> - 1)}, in `directions` symmetric directions from each: `orbits` counts those from
    a state to an `end`. `count` says how often each index occurs among labelled tokens up to rotations,
    which Morse's inequalities hold against the Betti numbers of a torus.

    From next to each saddle one run of unnormalized attention is read as a walk on the graph: `visits`
    counts the states that it comes near to, `left` the clusters at its end, and `outside` those of its
    transitions to which no orbits lead.

    Source: Conley, Isolated Invariant Sets and the Morse Index (1978), for connecting orbits.
    """

    n: tuple[int, ...] = (3, 4, 5)
    """Numbers of tokens."""
    beta: float = 2.0
    """Inverse temperature."""
    starts: int = field(default=48, metadata={"least": 4})
    """Random clouds, from each of which all indices are searched."""
    directions: int = 48
    """Symmetric directions from each state."""

    GRID: ClassVar = {"n": "n"}
    QUANTITIES: ClassVar = {
        "n": "tokens",
        "x": "tokens of a stationary cloud",
        "energy": "energy of a stationary cloud",
        "index": "directions in which the energy grows",
        "orbits": "orbits from a state to an end",
        "lost": "orbits to none of the states",
        "visits": "states that a run comes near to",
        "outside": "transitions of a run that are not in the graph",
        "left": "clusters at the end of a run",
        "count": "stationary clouds of an index, of labelled tokens up to rotations",
        "betti": "Betti number of the torus",
        "least": "least coefficient of the rest in Morse's inequalities",
        "euler": "alternating sum of the counts",
        "state": "stationary cloud",
        "end": "stationary cloud at the end of an orbit",
        "token": "token",
        "axis": "coordinate",
        "degree": "index",
    }

    def check(self) -> None:
        check_that(min(self.n) >= 2, "n >= 2", min(self.n), "pass n=(3, 4)")
        check_that(self.beta > 0, "beta > 0", self.beta, "pass beta=2.0")

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        energy, n = -Interaction(self.beta, offset=self.beta), cell["n"]
        search, ways = jax.random.split(self.key(cell))
        found = critical_points(energy, n, 2, search, self.starts)
        graph = heteroclinic_graph(energy, found, ways, self.directions)
        visits, outside, left = _walks(graph, self.beta, jax.random.fold_in(ways, 1))
        morse = morse_count(found)
        counts = np.asarray(morse.counts, float)
        states = np.arange(found.energy.size)
        return xr.Dataset(
            {
                "x": (("state", "token", "axis"), found.x),
                "energy": ("state", -found.energy),
                "index": ("state", np.asarray(found.index, float)),
                "orbits": (("state", "end"), np.asarray(graph.orbits, float)),
                "lost": ("state", np.asarray(graph.lost, float)),
                "visits": ("state", visits),
                "outside": ("state", outside),
                "left": ("state", left),
                "count": ("degree", counts),
                "betti": ("degree", np.asarray(morse.betti, float)),
                "least": ((), float(morse.rest.min())),
                "euler": ((), counts @ (-1.0) ** np.arange(n)),
            },
            {"state": states, "end": states, "token": np.arange(n), "degree": np.arange(n)},
        )

    def tiny(self) -> "SaddleGraph":
        return replace(self, n=(3,), starts=8, directions=16)

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        return [claim for n in self.n for claim in _claims(n, dataset.sel(n=n))]


def _claims(n: int, at: xr.Dataset) -> list[Claim]:
    at = at.isel(state=np.isfinite(at.energy.values), end=np.isfinite(at.energy.values))
    orbits, energy = at.orbits.values, at.energy.values
    down = np.where(energy[:, None] >= energy - 1e-9, orbits, 0).sum() if energy.size else np.nan
    whole = np.unique(at.index).size if energy.size else np.nan
    return [
        *_walked(n, at),
        Claim.close(f"orbits to none of the states, n={n}", at.lost.sum(skipna=False), 0, 0, MORSE),
        Claim.close(f"orbits on which the energy does not grow, n={n}", down, 0, 0, "ascent"),
        Claim.close(f"indices, n={n}", whole, n, 0, "each Betti number of the torus is positive"),
        Claim.close(f"Euler characteristic, n={n}", at.euler, 0, 0, MORSE),
        Claim.at_least(f"rest in Morse's inequalities, n={n}", at.least, 0, MORSE),
        # One cluster is the only maximum: all else leads there.
        Claim.close(
            f"ends that nothing leaves, n={n}", (orbits.sum(axis=1) == 0).sum(), 1, 0, MORSE
        ),
    ]


def _walked(n: int, at: xr.Dataset) -> list[Claim]:
    outside, begun = at.outside.sum(skipna=False), at.visits - 1 - (at["index"] > 0)
    worst = np.abs(at.left - 1).max(skipna=False)
    return [
        Claim.close(f"transitions of runs to which no orbits lead, n={n}", outside, 0, 0, MORSE),
        Claim.close(f"clusters at the end of runs, less one, n={n}", worst, 0, 0, "one maximum"),
        Claim.at_least(
            f"states that a run comes near to, beyond its ends, n={n}",
            begun.min(skipna=False),
            0,
            MORSE,
        ),
    ]


def _walks(graph: HeteroclinicGraph, beta: float, key) -> tuple[np.ndarray, ...]:
    """Of a run from next to each state: how many it comes near to, its transitions that no orbits make,
    and the clusters at its end."""
    # An antipodal pair leaves at e^{-2 beta}; all else is quicker.
    ts = jnp.concatenate(
        [jnp.arange(0.0, 60.0, 0.15), 60 + _LAST * np.exp(2 * beta) * jnp.linspace(0.0, 1.0, 401)]
    )
    circle = Sphere(2)
    flow = AttentionFlow(circle, Unnormalized(beta, value=np.exp(-beta) * jnp.eye(2)))
    told = []
    for x, one in zip(graph.states.x, jax.random.split(key, len(graph.states.x)), strict=True):
        start = circle.exp(x, circle.to_tangent(x, 1e-3 * jax.random.normal(one, x.shape)))
        run = simulate(flow, start, ts, observe={"x": state}, tol=1e-8)
        found = walk(graph, ts, run.values["x"], _NEAR)
        clusters, allowed = np.asarray(found.clusters), np.asarray(found.allowed)
        told.append((clusters.size, np.sum(~allowed), clusters[-1] if clusters.size else np.nan))
    return tuple(np.array(part, float) for part in zip(*told, strict=True))
