"""Blocks against the whole cost matrix: values and derivatives, for every cost, in O(n) memory."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp
from unit_vectors import unit_vectors

from meanfield.transport import (
    DotProduct,
    Entropic,
    SquaredEuclidean,
    SquaredGeodesic,
    point_geometry,
    solve,
    wasserstein,
)

N, M, BLOCK = 7, 5, 3
X, Y = unit_vectors(0, N, 3), unit_vectors(1, M, 3)
F, G = jnp.asarray(np.cos(np.arange(N))), jnp.asarray(3 * np.sin(np.arange(M)))
EPSILON = 0.3


def taxicab(x, y):
    return jnp.abs(x - y).sum()


COSTS = {
    "dot product": (DotProduct(), lambda x, y: -x @ y),
    "squared euclidean": (SquaredEuclidean(), lambda x, y: np.sum((x - y) ** 2)),
    "squared geodesic": (SquaredGeodesic(), lambda x, y: np.arccos(x @ y) ** 2),
    "a function": (taxicab, lambda x, y: np.abs(x - y).sum()),
}


def sums(cost, dense):
    """Everything that solvers ask of a geometry, and how it moves with points and epsilon."""

    def values(x, y, epsilon):
        made = point_geometry(x, y, cost, epsilon=epsilon, dense=dense, block=BLOCK)
        lse = [made.apply_lse_kernel(F, G, epsilon, axis=axis)[0] for axis in (0, 1)]
        return (*lse, made.apply_cost(G, axis=1), made.apply_cost(F, axis=0))

    along = jnp.cos(jnp.arange(3.0 * N)).reshape(N, 3), jnp.ones((M, 3)), jnp.ones(())
    at = X, Y, jnp.asarray(EPSILON)
    out, moved = jax.jvp(values, at, along)
    back = jax.vjp(values, *at)[1](out)
    return out, moved, back


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n == "a function" else n for n in COSTS]
)
def test_blocks_and_whole_matrix_are_the_double_loop(name):
    cost, loop = COSTS[name]
    matrix = np.array([[loop(x, y) for y in np.asarray(Y)] for x in np.asarray(X)])
    blocks, whole = (jax.jit(lambda d=d: sums(cost, d))() for d in (False, True))
    expected = (
        EPSILON * logsumexp((np.asarray(F)[:, None] - matrix) / EPSILON, axis=0),
        EPSILON * logsumexp((np.asarray(G) - matrix) / EPSILON, axis=1),
        matrix @ np.asarray(G),
        matrix.T @ np.asarray(F),
    )
    # Exponents up to 40, rounded; arccos in the loop loses half the digits of small angles, of
    # which there are none here.
    for value, exact in zip(blocks[0], expected, strict=True):
        np.testing.assert_allclose(value, exact, rtol=1e-13, atol=1e-13)
    for a, b in zip(jax.tree.leaves(blocks), jax.tree.leaves(whole), strict=True):
        # lse does not depend on the summed-over cost twice: all numbers are of order ten.
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", COSTS)
def test_mean_costs_block_by_block(name):
    """sum_j w_ij c_ij with w_ij proportional to e^{(g_j - c_ij)/epsilon}, and its log-sum-exp."""
    cost, loop = COSTS[name]
    matrix = np.array([[loop(x, y) for y in np.asarray(Y)] for x in np.asarray(X)])
    made = point_geometry(X, Y, cost, epsilon=EPSILON, dense=False, block=BLOCK)
    lse, mean = made.lse_and_mean_cost(G, jnp.asarray(EPSILON))
    logits = (np.asarray(G) - matrix) / EPSILON
    exact = EPSILON * logsumexp(logits, axis=1)
    np.testing.assert_allclose(lse, exact, rtol=1e-12)
    weights = np.exp(logits - exact[:, None] / EPSILON)
    np.testing.assert_allclose(mean, np.sum(weights * matrix, axis=1), rtol=1e-12)


@pytest.mark.parametrize("dense", [pytest.param(True, marks=pytest.mark.slow), False])
def test_the_cost_of_a_plan_by_blocks_and_by_matrix(dense):
    costs = np.sum((np.asarray(X)[:, None] - np.asarray(Y)) ** 2, axis=-1)

    @jax.jit
    def cost_and_plan(x, y):
        found = wasserstein(x, y, method=Entropic(EPSILON, dense=dense, max_iterations=300))
        return found.cost, found.plan()

    cost, plan = cost_and_plan(X, Y)
    np.testing.assert_allclose(cost, np.sum(plan * costs), rtol=1e-12)


def test_epsilon_is_relative_to_the_mean_cost_by_default():
    made = [point_geometry(X, Y, dense=d, block=BLOCK) for d in (True, False)]
    mean = np.mean(np.sum((np.asarray(X)[:, None] - np.asarray(Y)) ** 2, axis=-1))
    for geometry in made:
        np.testing.assert_allclose(geometry.epsilon, 0.05 * mean, rtol=1e-13)


@pytest.mark.slow
@pytest.mark.parametrize("of", ["value", "potentials"])
def test_memory_grows_like_n_forward_and_backward(of):
    n, block = 8192, 256
    x = jax.ShapeDtypeStruct((n, 3), jnp.float64)

    def result(x):
        made = point_geometry(x, None, DotProduct(), epsilon=0.5, dense=False, block=block)
        solution = solve(made, symmetric=True)
        return solution.value if of == "value" else jnp.sum(solution.average(x) ** 2)

    for function in (result, jax.grad(result)):
        used = jax.jit(function).lower(x).compile().memory_analysis().temp_size_in_bytes
        # A few tiles of block^2, for each of the d = 3 columns that are averaged, a few arrays [n, 3]
        # and the partial sums of one row of blocks.
        tiles, arrays = 3 * 8 * block**2, 8 * n * 4
        assert used <= 15 * (tiles + arrays)
        assert used < 8 * n * n / 15  # far below a single n x n matrix


def test_size_decides_between_the_matrix_and_blocks():
    small, large = (jax.ShapeDtypeStruct((n, 3), jnp.float64) for n in (4096, 4097))
    kinds = []
    for x in (small, large):
        jax.eval_shape(lambda x: kinds.append(point_geometry(x, epsilon=1.0).is_online), x)
    assert kinds == [False, True]


@pytest.mark.parametrize("dense", [False, True])
def test_the_shape_is_that_of_the_clouds(dense):
    assert point_geometry(X, Y, epsilon=EPSILON, dense=dense, block=BLOCK).shape == (N, M)


def test_averages_by_blocks_are_those_of_the_matrix():
    values = jnp.asarray(np.cos(np.arange(2 * M)).reshape(M, 2))
    blocks = point_geometry(X, Y, epsilon=EPSILON, dense=False, block=BLOCK)
    weights = np.exp((G - np.sum((X[:, None] - Y) ** 2, axis=-1)) / EPSILON)
    expected = weights @ values / weights.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(blocks.average(G, EPSILON, values), expected, atol=1e-13)
