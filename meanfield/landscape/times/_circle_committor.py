from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from jaxtyping import Array, Bool, Float
from scipy.sparse.linalg import spsolve

from ..._checks import check_integer, check_known
from ..._door import door
from ..._shown import AbstractShown
from ..._typing import Points, Scalar
from ...dynamics import AbstractParticles
from ...geometry import Sphere
from ...solve import SolveError
from .._precision import in_double
from ._first_hits import Level, is_in

_MOST = {1: 2**14, 2: 512}
"""The most nodes an angle, by the number of tokens: a system that is solved in seconds."""
_HALVINGS = 40
"""Of an edge, to find where it enters a set."""
_RESOLVED = 0.02
"""The change of a probability on half of the grid from which the grid counts as too coarse."""


class CircleCommittor(AbstractShown):
    """A committor on a grid of angles.

    - `angles` [N]; `q` [N] of one token, [N, N] of two: the probability to reach B before A;
    - `change`: the most by which q differs from that on half of the nodes: three times the error, or so.
    """

    angles: Float[Array, " N"]
    q: Float[Array, "..."]
    change: Scalar


@door
@in_double
def committor_on_circle(
    flow: AbstractParticles,
    n: int,
    a: Callable[[Points], Any],
    b: Callable[[Points], Any],
    *,
    nodes: int = 128,
    args: Any = None,
) -> CircleCommittor:
    """The committor of one or two tokens on the circle, by the backward Kolmogorov equation.

        sum_i drift_i dq/dtheta_i + nu d^2q/dtheta_i^2 = 0,    q = 0 on A, q = 1 on B

    of any flow with noise, be it a gradient or not. Differences are exact for a constant drift, and edges
    end where they enter a set: of second order in the spacing, and between 0 and 1 at any.

    - `n`: 1 or 2 tokens. For more there is `committor_by_runs`, and for a token in a potential `committor`.
    - `a`, `b`: which clouds [n, 2] are in A and in B: functions that return a truth value, or a number
      that is >= 0 there, such as `lambda x: x[0] @ x[1] - 0.9`.
    - `nodes`: an even number of angles.
    - `args`: those of `simulate`; the drift is that at time 0.

    Raises ValueError for a flow without noise or off the circle, and for sets that share a node or have
    none; SolveError where half as many nodes change q by more than 0.02, or the drift is no number.
    Source: E and Vanden-Eijnden, Annu. Rev. Phys. Chem. 61 (2010) 391; Shortley and Weller,
    J. Appl. Phys. 9 (1938) 334, for edges that end.
    """
    n, nodes = check_integer(n, "n"), check_integer(nodes, "nodes", 8)
    check_known(flow, "a flow", "call committor_on_circle outside of jax.jit")
    if flow.geometry != Sphere(2) or flow.noise is None or not bool(flow.noise > 0):
        raise ValueError(
            "expected a flow with noise on Sphere(2), got one on "
            f"{flow.geometry} with noise {flow.noise}; use committor_by_runs elsewhere."
        )
    if n not in _MOST or nodes > _MOST[n] or nodes % 2:
        raise ValueError(
            f"expected 1 or 2 tokens and an even number of nodes up to {_MOST.get(n, _MOST[2])}, got "
            f"{n} and {nodes}; use committor_by_runs for more tokens, and pass nodes=128."
        )
    fine, coarse = (_solved(flow, n, (a, b), count, args) for count in (nodes, nodes // 2))
    change = np.abs(fine[(slice(None, None, 2),) * n] - coarse).max()
    if not change <= _RESOLVED:
        raise SolveError(
            f"{nodes} nodes do not resolve the committor, which changes by {change:.2g} on half of them: "
            "raise nodes, or the noise."
        )
    return CircleCommittor(jnp.asarray(_angles(nodes)), jnp.asarray(fine), jnp.asarray(change))


def _angles(nodes: int) -> np.ndarray:
    return 2 * np.pi / nodes * np.arange(nodes)


def _solved(flow, n: int, levels: tuple[Level, Level], nodes: int, args) -> np.ndarray:
    """The committor at the nodes [nodes] * n."""
    grid = np.stack(np.meshgrid(*[_angles(nodes)] * n, indexing="ij"), -1).reshape(-1, n)
    drift = np.asarray(_drifts(flow, jnp.asarray(grid), args))
    in_a, in_b = (np.asarray(_inside(level, jnp.asarray(grid))) for level in levels)
    _check_sets(in_a, in_b)
    q, free = in_b.astype(float), np.flatnonzero(~(in_a | in_b))
    if not np.isfinite(drift).all():
        raise SolveError(
            f"the drift is NaN or infinite at {(~np.isfinite(drift)).any(axis=1).sum()} of {len(grid)} "
            "nodes: pass a flow, and args, with a finite drift on the whole circle."
        )
    matrix, source = _equations(grid, drift / float(flow.noise), free, (in_a, in_b), levels, nodes)
    if free.size:
        q[free] = np.clip(spsolve(matrix, source), 0, 1)
    return q.reshape((nodes,) * n)


def _check_sets(in_a: np.ndarray, in_b: np.ndarray) -> None:
    if not (in_a.any() and in_b.any()) or (in_a & in_b).any():
        raise ValueError(
            f"expected sets A and B that are apart, got {in_a.sum()} nodes in A, {in_b.sum()} in B and "
            f"{(in_a & in_b).sum()} in both; change their bounds, or raise nodes."
        )


def _equations(grid, slope, free, inside, levels, nodes: int):
    """The linear system of the free nodes: `slope` is the drift over the noise."""
    n, h = grid.shape[1], 2 * np.pi / nodes
    number = np.full(len(grid), -1)
    number[free] = np.arange(free.size)
    rows, columns, values = [], [], []
    diagonal, source = np.zeros(free.size), np.zeros(free.size)
    for axis in range(n):
        ends = [_neighbours(free, axis, sign, n, nodes) for sign in (1, -1)]
        gaps = [
            _gaps(grid, free, end, axis, sign * h, inside, levels)
            for end, sign in zip(ends, (1, -1), strict=True)
        ]
        for end, gap, sign in zip(ends, gaps, (1, -1), strict=True):
            weight = _bernoulli(-sign * slope[free, axis] * gap) / gap * 2 / (gaps[0] + gaps[1])
            diagonal -= weight
            source -= weight * inside[1][end]
            on = number[end] >= 0
            rows.append(np.flatnonzero(on))
            columns.append(number[end[on]])
            values.append(weight[on])
    rows.append(np.arange(free.size))
    columns.append(np.arange(free.size))
    values.append(diagonal)
    parts = (np.concatenate(part) for part in (values, rows, columns))
    entries, i, j = parts
    return sp.csc_array((entries, (i, j)), shape=(free.size,) * 2), source


def _neighbours(free: np.ndarray, axis: int, sign: int, n: int, nodes: int) -> np.ndarray:
    places = list(np.unravel_index(free, (nodes,) * n))
    places[axis] = (places[axis] + sign) % nodes
    return np.ravel_multi_index(places, (nodes,) * n)


def _gaps(grid, free, end, axis: int, step: float, inside, levels) -> np.ndarray:
    """The length of each edge from a free node, up to where it enters a set."""
    gap = np.full(free.size, abs(step))
    for within, level in zip(inside, levels, strict=True):
        cut = np.flatnonzero(within[end])
        if cut.size:
            along = np.zeros(grid.shape[1])
            along[axis] = step
            share = _entrance(level, jnp.asarray(grid[free[cut]]), jnp.asarray(along))
            gap[cut] *= np.asarray(share)
    return gap


def _bernoulli(z: np.ndarray) -> np.ndarray:
    """z/(e^z - 1): 1 at 0."""
    small = np.abs(z) < 1e-8
    z = np.where(small, 1.0, z)
    return np.where(small, 1.0, z / np.expm1(np.minimum(z, 700)))


@eqx.filter_jit
def _drifts(flow: AbstractParticles, angles: Float[Array, "m n"], args) -> Float[Array, "m n"]:
    zero = jnp.zeros((), angles.dtype)

    def one(angle: Float[Array, " n"]):
        x = _cloud(angle)
        return jnp.sum(flow.drift(zero, x, args) * jnp.stack([-x[:, 1], x[:, 0]], axis=1), axis=1)

    return jax.lax.map(one, angles, batch_size=1024)


@eqx.filter_jit
def _inside(level: Level, angles: Float[Array, "m n"]) -> Bool[Array, " m"]:
    return jax.lax.map(lambda angle: is_in(level, _cloud(angle)), angles, batch_size=1024)


@eqx.filter_jit
def _entrance(
    level: Level, angles: Float[Array, "m n"], along: Float[Array, " n"]
) -> Float[Array, " m"]:
    """The share of the way along an edge at which it enters the set, by halving."""

    def one(angle: Float[Array, " n"]):
        def halve(_, bounds):
            low, high = bounds
            middle = (low + high) / 2
            within = is_in(level, _cloud(angle + middle * along))
            return jnp.where(within, low, middle), jnp.where(within, middle, high)

        start = jnp.zeros((), angles.dtype), jnp.ones((), angles.dtype)
        return jax.lax.fori_loop(0, _HALVINGS, halve, start)[1]

    return jax.lax.map(one, angles, batch_size=1024)


def _cloud(angle: Float[Array, " n"]) -> Points:
    return jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1)
