"""How the potentials of entropic transport move with its data."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from meanfield.transport import point_geometry, solve

X = jnp.array([[0.0, 0.3], [1.0, -0.2], [0.4, 0.9], [-0.7, 0.5]])
Y = jnp.array([[0.2, -0.6], [1.3, 0.4], [-0.5, 0.1]])
A, B = jnp.array([0.1, 0.2, 0.3, 0.4]), jnp.array([0.5, 0.3, 0.2])
STEP = 1e-4
MOVES = {
    "points of the rows": (jnp.cos(jnp.arange(8.0)).reshape(4, 2), 0 * Y, 0 * A, 0 * B),
    "points of the columns": (0 * X, jnp.sin(1 + jnp.arange(6.0)).reshape(3, 2), 0 * A, 0 * B),
    "masses of the rows": (0 * X, 0 * Y, jnp.array([0.3, -0.1, 0.1, -0.3]), 0 * B),
    "masses of the columns": (0 * X, 0 * Y, 0 * A, jnp.array([0.2, -0.3, 0.1])),
}


def potentials(x, y, a, b):
    found = solve(point_geometry(x, y, epsilon=0.2), a, b, tol=1e-14)
    return found.f, found.g


@pytest.mark.parametrize("move", MOVES)
def test_potentials_move_as_differences_say(move):
    data, step = (X, Y, A, B), MOVES[move]
    _, slopes = jax.jvp(potentials, data, step)
    ends = [
        potentials(*(d + sign * STEP * s for d, s in zip(data, step, strict=True)))
        for sign in (1, -1)
    ]
    for slope, ahead, behind in zip(slopes, *ends, strict=True):
        # Off by STEP^2 = 1e-8 times third derivatives of order 1/epsilon^2 = 25.
        np.testing.assert_allclose(slope, (ahead - behind) / (2 * STEP), atol=1e-6)
        assert jnp.abs(slope).max() > 0.01
