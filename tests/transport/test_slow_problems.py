"""Problems on which Sinkhorn's iteration is slow, and derivatives at what Newton's method finds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from meanfield.transport import (
    Entropic,
    Exact,
    barycenter_displacement,
    displacement,
    sinkhorn_divergence,
    wasserstein,
)
from meanfield.transport.sinkhorn._implicit import _stable

SLOW = pytest.mark.slow
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(40, 2)), 3 * RNG.normal(size=(40, 2)) + [2.0, 0.0]


@pytest.mark.parametrize("epsilon", [1e-1, 1e-2, 1e-3, 3e-4])
def test_displacements_at_a_small_epsilon_have_the_right_mean(epsilon):
    """Of plans with right marginals it is the difference of the means; 200,000 iterations of Sinkhorn
    do not find one at .01, where the mean cost is 24."""
    found = displacement(X, Y, epsilon=epsilon)
    # Marginals right to 1e-8 of points 8 away.
    np.testing.assert_allclose(found.mean(axis=0), Y.mean(axis=0) - X.mean(axis=0), atol=1e-7)


def test_at_a_very_small_epsilon_the_plan_is_the_best_matching():
    """Gaps between matchings are far above 1e-4, so that the plan is exact to e^{-gap/epsilon}."""
    exact = wasserstein(X, Y, method=Exact())
    found = wasserstein(X, Y, method=Entropic(1e-4))
    assert found.converged
    np.testing.assert_allclose(found.value, exact.value, rtol=1e-5)


@SLOW
def test_second_derivatives_are_differences_of_first_ones():
    x, y, step = jnp.asarray(X[:4]), jnp.asarray(Y[:5]), 1e-4
    along = jnp.asarray(RNG.normal(size=(4, 2)))

    def cost(s):
        return wasserstein(
            x + s * along, y, method=Entropic(1.0, tol=1e-12, max_iterations=300)
        ).cost

    slope, second = jax.jit(jax.grad(cost)), jax.jit(jax.grad(jax.grad(cost)))
    there = (slope(step) - slope(-step)) / (2 * step)
    # Differences err by step^2 times a fourth derivative, and by 1e-12/step.
    np.testing.assert_allclose(second(0.0), there, rtol=1e-5)


def test_a_solution_is_known_to_32_units_of_rounding_of_its_size():
    """Of 1e-3 x = b with |x| = 1000 a residual of 32 * 1001 units is rounding, and more is not."""
    unit, b = float(np.finfo(float).eps), jnp.array([1.0, 0.0])
    for units, right in ((32_000.0, True), (33_000.0, False)):
        x = jnp.array([1e3, 1e3 * units * unit])
        assert bool(_stable(lambda v: 1e-3 * v, x, b, unit)) == right


def test_equal_clouds_of_small_spread_are_solved_in_single_precision():
    """At 1e-6 of its place a cloud has a digit left: distances are 0 to the rounding of the place."""
    both = jax.jit(lambda z: (wasserstein(z, z, method=Entropic()), sinkhorn_divergence(z, z)))
    for seed in (2, 10):
        rng = np.random.default_rng(seed)
        z = rng.normal(size=3) + 1e-6 * rng.normal(size=(8, 3))
        entropic, divergence = both(jnp.asarray(z, jnp.float32))
        assert entropic.converged and divergence.converged
        assert float(entropic.value) < 1e-6 and float(divergence) < 1e-12


@pytest.mark.parametrize("dtype", [pytest.param(np.float32, marks=SLOW), np.float64])
@pytest.mark.parametrize("spread", [0.0, *(pytest.param(s, marks=SLOW) for s in (1e-5, 1e-8))])
def test_clouds_in_two_clusters_have_a_barycenter(spread, dtype):
    """The clusters are the same for all models, their shares are not: mean moves close the gaps of means."""
    for seed in (0, 14, 18) if spread else (14,):
        rng = np.random.default_rng(seed)
        centres, label = rng.normal(size=(2, 3)), rng.integers(0, 2, size=(3, 8))
        clouds = (centres[label] + spread * rng.normal(size=(3, 8, 3))).astype(dtype)
        means = clouds.mean(axis=1)
        found = barycenter_displacement(jnp.asarray(clouds)).mean(axis=1)
        # Marginals right to 1e-8, or 32 units of rounding, of points 3 apart.
        close = 1e-7 if dtype == np.float64 else 1e-5
        np.testing.assert_allclose(found, means.mean(axis=0) - means, atol=close)
