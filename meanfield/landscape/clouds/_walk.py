import itertools

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ..._checks import check_finite, check_instance, check_known, check_positive, guard
from ..._door import door
from ..._shown import AbstractShown
from ._heteroclinic import HeteroclinicGraph

_MOST = 7
"""Tokens, of which all permutations are tried."""
_TOGETHER = 1e-6
"""The distance below which tokens of a stationary cloud count as one."""


class Walk(AbstractShown):
    """A run, read as a walk on the graph of stationary clouds.

    `states` [k]: those that it came near to, in order; `since`, `until` [k]: the first and the last of the
    times there; `clusters` [k]: how many tokens of each are apart: where they become fewer, tokens have
    merged; `allowed` [k - 1]: whether orbits lead from one to the next, perhaps by others between them;
    `distance` [T, m]: from each cloud to each state, up to rotations, reflections and permutations.
    """

    states: Int[Array, " k"]
    since: Float[Array, " k"]
    until: Float[Array, " k"]
    clusters: Int[Array, " k"]
    allowed: Bool[Array, " transitions"]
    distance: Float[Array, "T m"]


@door
def walk(
    graph: HeteroclinicGraph,
    ts: Float[Array, " T"],
    x: Float[Array, "T n d"],
    radius: float = 0.1,
) -> Walk:
    """Which stationary clouds a run comes near to, and whether the graph leads from one to the next.

        distance(x, y)^2 = min over permutations P and orthogonal R of mean_i |x_i - (P y R)_i|^2

    R by singular values, P among all n!. A run that descends the energy of the graph goes from saddle to
    saddle: a merging of clusters is a transition. Between states it is near none.

    - `graph`: of `heteroclinic_graph`; n at most 7. `ts`, `x`: of a run that kept its clouds by
      `observe={"x": mf.observables.state}`; as many times as it takes not to jump over a state.
    - `radius`: below which a cloud is near the state that is next to it; well below the distances of states.

    Raises ValueError for clouds that do not fit the graph, and under jit.
    Source: Conley, Isolated Invariant Sets and the Morse Index (1978), for the graph.
    """
    check_instance(graph, HeteroclinicGraph, "a graph", "pass heteroclinic_graph(...)")
    radius = float(check_positive(radius, "radius"))
    check_known((graph, ts, x), "a run", "call walk outside of jax.jit")
    known, x, ts = np.asarray(graph.states.x), check_finite(x, "x"), check_finite(ts, "ts")
    if x.shape[1:] != known.shape[1:] or len(ts) != len(x) or x.shape[1] > _MOST:
        raise ValueError(
            f"expected clouds x [{len(ts)}, n, d] of at most {_MOST} tokens, as in the graph, got "
            f"{list(x.shape)}; pass run.ts and run.values['x']."
        )
    guard(ts, (jnp.diff(ts) > 0).all(), "expected increasing times ts; pass run.ts.")
    distance = np.sqrt(np.maximum(_squares(np.asarray(x), known), 0))
    near = np.where(distance.min(axis=1) < radius, distance.argmin(axis=1), -1)
    seen = np.flatnonzero(near >= 0)
    begins = np.flatnonzero(np.diff(near[seen], prepend=-1) != 0)
    ends = np.append(begins[1:], len(seen))[: len(begins)] - 1
    states = near[seen][begins]
    leads = _closure(np.asarray(graph.orbits) > 0)
    return Walk(
        jnp.asarray(states, int),
        ts[seen[begins]],
        ts[seen[ends]],
        jnp.asarray([_apart(known[i]) for i in states], int),
        jnp.asarray(leads[states[:-1], states[1:]], bool),
        jnp.asarray(distance, x.dtype),
    )


def _squares(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The squared distances [T, m] of clouds x [T, n, d] from clouds y [m, n, d]."""
    n = x.shape[1]
    size = (x**2).sum(axis=(1, 2))[:, None] + (y**2).sum(axis=(1, 2))
    best = np.zeros_like(size)
    for order in map(list, itertools.permutations(range(n))):
        products = np.einsum("tnd,mne->tmde", x, y[:, order])
        best = np.maximum(best, np.linalg.svd(products, compute_uv=False).sum(axis=-1))
    return (size - 2 * best) / n


def _closure(edges: np.ndarray) -> np.ndarray:
    """Whether there is a way from one node to another."""
    ways = edges | np.eye(len(edges), dtype=bool)
    for _ in range(len(edges)):
        ways = ways | ((ways.astype(int) @ ways.astype(int)) > 0)
    return ways


def _apart(x: np.ndarray) -> int:
    """The number of different tokens, each of which no earlier one is near to."""
    gaps = np.linalg.norm(x[:, None] - x, axis=-1)
    return int(sum(not (row[:i] < _TOGETHER).any() for i, row in enumerate(gaps)))
