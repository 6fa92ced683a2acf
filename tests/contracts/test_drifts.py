"""Contracts of a drift or a step on its own: shape and dtype, tangency, symmetry."""

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest
from cases import CASES, FLOWS, D, N
from together import cast, closeness, move

from meanfield.geometry import Sphere

# Some 50 operations with numbers of order one.
ROUNDING = 1e-13
# Traced or compiled for seconds, through the same lines as others and tests of their own.
HEAVY = {"consensus", "sinkhorn flow", "implicit particles"}


def each(cases):
    return pytest.mark.parametrize(
        "case",
        [pytest.param(c, marks=pytest.mark.slow if c.name in HEAVY else ()) for c in cases],
        ids=lambda case: case.name,
    )


every_case = each(CASES)


def at(case, state):
    return move(case.system, state, case.args)


@every_case
@pytest.mark.parametrize("dtype", [jnp.float64, jnp.float32])
def test_states_keep_their_shape_and_dtype(case, dtype):
    parts = case.system, case.args
    system, args = cast(parts, dtype) if case.learned else parts
    state = cast(case.state, dtype)
    moved = eqx.filter_eval_shape(move, system, state, args)
    for result in (moved, system.project(state)):
        assert jax.tree.structure(result) == jax.tree.structure(state)
        pairs = zip(jax.tree.leaves(result), jax.tree.leaves(state), strict=True)
        assert all(a.shape == b.shape and a.dtype == dtype for a, b in pairs)


@every_case
def test_projection_is_idempotent(case):
    state = jax.tree.map(lambda a: 1.1 * a, case.state)
    once = case.system.project(state)
    assert closeness(case.system.project(once), once) <= 4e-16


# Flat space and reductions have no normal.
SPHERICAL = [c for c in FLOWS if isinstance(getattr(c.system, "geometry", None), Sphere)]


@each(SPHERICAL)
def test_drifts_on_a_sphere_are_tangent(case):
    velocity = at(case, case.state)
    x, v = jax.tree.leaves(case.state)[0], jax.tree.leaves(velocity)[0]
    assert float(jnp.abs(jnp.sum(x * v, axis=-1)).max()) <= ROUNDING


@each([c for c in CASES if c.rotates])
def test_rotated_tokens_move_rotated(case):
    rotation = jnp.linalg.qr(jax.random.normal(jax.random.key(5), (D, D)))[0]

    def rotate(state):
        return jax.tree.map(lambda a: a @ rotation.T if a.ndim == 2 else a, state)

    velocity = at(case, case.state)
    rotated = at(case, rotate(case.state))
    assert closeness(rotated, rotate(velocity)) <= ROUNDING


@each([c for c in CASES if c.permutes])
def test_tokens_have_no_order(case):
    order = jnp.roll(jnp.arange(N), 2)[jnp.array([1, 0, 2, 3, 4])]

    def shuffle(state):
        return jax.tree.map(lambda a: a[order] if a.ndim else a, state)

    velocity = at(case, case.state)
    shuffled = at(case, shuffle(case.state))
    assert closeness(shuffled, shuffle(velocity)) <= ROUNDING
