"""Compiled programs against the same numbers by other means, with the compiler that users have."""

import jax
import jax.numpy as jnp
import numpy as np

import meanfield as mf
from meanfield.commands._machine import canary


def engines_equal_numpy():
    """A softmax field by blocks, and its gradient against a difference."""
    x = mf.geometry.Sphere(3).sample(jax.random.key(1), 300)
    attention = mf.attention.Softmax(4.0, engine=mf.attention.Blockwise(64))
    y = np.asarray(x)
    weights = np.exp(4.0 * y @ y.T)
    field = weights / weights.sum(axis=1, keepdims=True) @ y

    @jax.jit
    def slopes(x):
        def total(x):
            found = attention(x)
            return jnp.sum(found**3), found

        return jax.value_and_grad(total, has_aux=True)(x)

    along, step = np.cos(np.arange(900.0)).reshape(300, 3), 1e-5
    (_, found), gradient = slopes(x)
    np.testing.assert_allclose(found, field, atol=1e-14)
    slope = np.vdot(gradient, along)
    (ahead, _), (behind, _) = (slopes(x + s * along)[0] for s in (step, -step))
    difference = (ahead - behind) / (2 * step)
    # The difference is off by step^2 of third derivatives and by 300 eps / step.
    np.testing.assert_allclose(slope, difference, rtol=1e-7)


def lists_are_clouds():
    """Rows in a list, which the tests' type checker does not let through: two tokens at right angles."""
    near, far = np.exp([2.0, 0.0]) / np.sum(np.exp([2.0, 0.0]))
    for attention in (mf.attention.Softmax(2.0), mf.attention.L2(2.0)):
        np.testing.assert_allclose(attention([[1.0, 0.0], [0.0, 1.0]])[0], [near, far], atol=1e-14)
    plain = mf.attention.Unnormalized(2.0)([[1.0, 0.0], [0.0, 1.0]])
    np.testing.assert_allclose(plain[0], np.exp([2.0, 0.0]) / 2, atol=1e-14)


if __name__ == "__main__":
    assert canary() == 0
    engines_equal_numpy()
    lists_are_clouds()
