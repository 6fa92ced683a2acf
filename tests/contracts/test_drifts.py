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
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


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


@pytest.mark.parametrize("case", SPHERICAL, ids=lambda case: case.name)
def test_drifts_on_a_sphere_are_tangent(case):
    velocity = at(case, case.state)
    x, v = jax.tree.leaves(case.state)[0], jax.tree.leaves(velocity)[0]
    assert float(jnp.abs(jnp.sum(x * v, axis=-1)).max()) <= ROUNDING


@pytest.mark.parametrize("case", [c for c in CASES if c.rotates], ids=lambda case: case.name)
def test_rotated_tokens_move_rotated(case):
    rotation = jnp.linalg.qr(jax.random.normal(jax.random.key(5), (D, D)))[0]

    def rotate(state):
        return jax.tree.map(lambda a: a @ rotation.T if a.ndim == 2 else a, state)

    velocity = at(case, case.state)
    rotated = at(case, rotate(case.state))
    assert closeness(rotated, rotate(velocity)) <= ROUNDING


@pytest.mark.parametrize("case", [c for c in CASES if c.permutes], ids=lambda case: case.name)
def test_tokens_have_no_order(case):
    order = jnp.roll(jnp.arange(N), 2)[jnp.array([1, 0, 2, 3, 4])]

    def shuffle(state):
        return jax.tree.map(lambda a: a[order] if a.ndim else a, state)

    velocity = at(case, case.state)
    shuffled = at(case, shuffle(case.state))
    assert closeness(shuffled, shuffle(velocity)) <= ROUNDING
