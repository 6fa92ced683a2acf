"""The entropy of a blurred cloud: the width of the kernel, masses, and collapsed clouds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from meanfield.observables import smoothed_entropy

BETA = 3.0
smoothed = jax.jit(smoothed_entropy)


@pytest.mark.parametrize("distance", [0.3, 1.0, 2.0])
def test_two_points_tell_the_width_of_the_kernel(distance):
    x, w = jnp.array([[0.0, 1.0], [distance, 1.0]]), np.array([0.3, 0.7])
    near = np.exp(-BETA * distance**2 / 2)  # a normal kernel of variance 1/beta
    exact = -w @ np.log(w + w[::-1] * near)
    assert float(smoothed(x, BETA, w)) == pytest.approx(exact, rel=1e-14)


def test_on_the_sphere_the_kernel_is_that_of_attention():
    x = np.random.default_rng(0).normal(size=(5, 3))
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    exact = -np.log(np.exp(BETA * (x @ x.T - 1)).mean(axis=1)).mean()
    assert float(smoothed(x, BETA)) == pytest.approx(exact, rel=1e-13)


def test_points_without_mass_and_collapsed_clouds():
    x = np.random.default_rng(1).normal(size=(4, 2))
    w = np.array([0.5, 0.2, 0.3, 0.0])
    both = jax.jit(jax.value_and_grad(smoothed_entropy))
    value, slope = both(x, BETA, w)
    assert float(value) == pytest.approx(float(smoothed(x[:3], BETA, w[:3])), rel=1e-14)
    np.testing.assert_array_equal(slope[3], 0)
    value, slope = both(jnp.ones((4, 2)), BETA)
    assert float(value) == pytest.approx(0, abs=1e-15)
    np.testing.assert_allclose(slope, 0, atol=1e-15)
