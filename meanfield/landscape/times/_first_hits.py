"""Which of two sets a noisy run enters first, of many runs at once."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ..._checks import as_array
from ..._typing import Points, Scalar
from ...dynamics import AbstractParticles
from ...geometry import AbstractGeometry

Level = Callable[[Points], Any]
"""A function of a cloud that is true, or a number >= 0, in a set."""
NOWHERE, IN_A, IN_B, FAILED = range(4)
_AT_ONCE = 2**20
"""Pairs of tokens of the runs that go on at a time."""


class Ways(NamedTuple):
    """How runs go: with which flow and strength of noise, between which sets, by steps dt, of which
    there are at most `most`."""

    flow: AbstractParticles
    noise: Scalar
    levels: tuple[Level, Level]
    dt: Scalar
    most: Int[Array, ""]
    args: Any


class _Place(NamedTuple):
    """Where runs are, the levels of A and B there, negative outside, and how far A and B are."""

    x: Float[Array, "k n d"]
    value: Float[Array, "k 2"]
    distance: Float[Array, "k 2"]


class _Lanes(NamedTuple):
    """The runs that go on, their numbers and steps; the number of the next; what became of all."""

    at: _Place
    run: Int[Array, " k"]
    step: Int[Array, " k"]
    following: Int[Array, ""]
    outcomes: Int[Array, " total"]


def lanes_for(total: int, n: int) -> int:
    """How many runs of n tokens go on at a time."""
    return max(1, min(total, 1024, _AT_ONCE // n**2))


def level_at(level: Level, x: Points) -> Array:
    """The level of a cloud: a truth value, or a number."""
    value = as_array(level(x), "the value of a set's function")
    if value.shape != () or not (value.dtype == bool or jnp.issubdtype(value.dtype, jnp.floating)):
        raise ValueError(
            f"expected one real number or truth value of a cloud, got {value.dtype} of shape "
            f"{list(value.shape)}; return x[0] @ x[1] - 0.9, say."
        )
    return value


def is_in(level: Level, x: Points) -> Bool[Array, ""]:
    """Whether a cloud is in the set of a level: where it is true, or a number >= 0."""
    value = level_at(level, x)
    return value if value.dtype == bool else value >= 0


@eqx.filter_jit
def first_hits(
    ways: Ways, starts: Float[Array, "m n d"], runs: int, lanes: int, key
) -> Int[Array, "m runs"]:
    """What each of the `runs` from each start enters first: NOWHERE, IN_A, IN_B, or FAILED.

    Lanes whose run is over take the next one. Noise belongs to a run and a step, not to a lane.
    """
    places = jax.lax.map(lambda x: _place(ways, x), starts, batch_size=lanes)
    total = starts.shape[0] * runs

    def advance(now: _Lanes) -> _Lanes:
        keys = jax.vmap(lambda r, s: jax.random.fold_in(jax.random.fold_in(key, r), s))
        then, outcome = jax.vmap(lambda at, key: _step(ways, at, key))(
            now.at, keys(now.run, now.step)
        )
        over = (outcome != NOWHERE) | (now.step + 1 >= ways.most)
        outcomes = now.outcomes.at[jnp.where(over, now.run, total)].set(outcome, mode="drop")
        run = jnp.where(over, now.following + jnp.cumsum(over) - 1, now.run)
        fresh = jax.tree.map(lambda part: part[jnp.minimum(run, total - 1) // runs], places)
        at = jax.tree.map(lambda new, old: jnp.where(_as(over, new), new, old), fresh, then)
        step = jnp.where(over, 0, now.step + 1)
        return _Lanes(at, run, step, now.following + over.sum(), outcomes)

    run = jnp.arange(lanes)
    start = jax.tree.map(lambda part: part[jnp.minimum(run, total - 1) // runs], places)
    begun = _Lanes(start, run, 0 * run, jnp.asarray(lanes), jnp.zeros(total, int))
    ended = jax.lax.while_loop(lambda now: (now.run < total).any(), advance, begun)
    return ended.outcomes.reshape(-1, runs)


def _as(flag: Bool[Array, " k"], like: Array) -> Array:
    return flag.reshape(flag.shape + (1,) * (like.ndim - 1))


def _place(ways: Ways, x: Points) -> _Place:
    parts = [_level_and_distance(ways.flow.geometry, level, x) for level in ways.levels]
    value, distance = (jnp.stack(part) for part in zip(*parts, strict=True))
    return _Place(x, value, distance)


def _level_and_distance(space: AbstractGeometry, level: Level, x: Points) -> tuple[Scalar, Scalar]:
    """A level, and the way to its zero along its gradient, to second order; of a truth value +-1, and a
    way without end."""
    if jax.eval_shape(lambda x: level_at(level, x), x).dtype == bool:
        value = jnp.where(level_at(level, x), 1, -1).astype(x.dtype)
        return value, jnp.full((), jnp.inf, x.dtype)
    number = lambda x: level_at(level, x).astype(x.dtype)
    value, slope = jax.value_and_grad(number)(x)
    slope = space.to_tangent(x, slope)
    length = jnp.sqrt(jnp.sum(slope**2))
    ahead = slope / jnp.where(length > 0, length, 1)
    one, zero = jnp.ones((), x.dtype), jnp.zeros((), x.dtype)
    rise = lambda t: jax.jvp(lambda t: number(space.exp(x, t * ahead)), (t,), (one,))[1]
    bend = jax.jvp(rise, (zero,), (one,))[1]
    # value + length t + bend t^2/2 = 0
    root = jnp.sqrt(jnp.maximum(length**2 - 2 * bend * value, 0))
    return value, 2 * jnp.abs(value) / (length + root)


def _step(ways: Ways, at: _Place, key) -> tuple[_Place, Int[Array, ""]]:
    """The next place, and the set that was entered on the way.

    Between steps a path is a Brownian bridge, which meets what is at distances D0 and D1 of its ends with
    the probability e^{-D0 D1/(nu dt)}: sets are not missed by paths that return within a step.
    """
    kick, luck = jax.random.split(key)
    x = _moved(ways, at.x, jax.random.normal(kick, at.x.shape, at.x.dtype))
    then = _place(ways, x)
    chance = jnp.exp(-at.distance * then.distance / (ways.noise * ways.dt))
    drawn = jax.random.uniform(luck, (2,), x.dtype)
    hit = drawn < jnp.where(then.value >= 0, 1, chance)
    first = jnp.where(hit.all(), drawn[0] < drawn[1], hit[0])
    outcome = jnp.where(hit.any(), jnp.where(first, IN_A, IN_B), NOWHERE)
    fine = jnp.isfinite(x).all() & jnp.isfinite(then.value).all()
    return then, jnp.where(fine, outcome, FAILED)


def _moved(ways: Ways, x: Points, normal: Points) -> Points:
    """A step along a geodesic by the mean of the drifts at its start and at the end of a step of Euler's:
    of weak order 2 in flat space and on the circle, Heun's method for constant noise."""
    flow, dt, space = ways.flow, ways.dt, ways.flow.geometry
    zero = jnp.zeros((), x.dtype)
    drift = lambda x: space.to_tangent(x, flow.drift(zero, x, ways.args))
    kick = space.to_tangent(x, jnp.sqrt(2 * ways.noise * dt) * normal)
    here = drift(x)
    guess = dt * here + kick
    ahead = space.exp(x, guess)
    there = space.transport(ahead, -space.transport(x, guess, guess), drift(ahead))
    return space.exp(x, dt / 2 * (here + there) + kick)
