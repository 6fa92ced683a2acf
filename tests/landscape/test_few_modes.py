"""Saddles from products with the Hessian alone, against the dense search and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused

from meanfield.energies import Interaction
from meanfield.landscape import critical_points, saddle
from meanfield.landscape.clouds._critical_points import _turns
from meanfield.solve import SolveError

BETA = 2.0
ATTENTION = -Interaction(BETA, offset=BETA)
PAIR = [[1.0, 0, 0, 0], [-1.0, 0, 0, 0]]


def near(corners, n, spread):
    """n tokens about these points in turn."""
    corners = np.asarray(corners)
    noise = spread * np.random.default_rng(1).normal(size=(n, corners.shape[1]))
    x = np.tile(corners, (n // len(corners), 1)) + noise
    return jnp.asarray(x / np.linalg.norm(x, axis=1, keepdims=True))


def test_a_pair_of_clusters():
    """Of random tokens' masses: a token of a cluster of mass W comes back at W - (1 - W) e^{-2 beta}."""
    w = np.random.default_rng(0).dirichlet(5 * np.ones(16))
    x0, signs = near(PAIR, 16, 0.1), np.tile([1.0, -1.0], 8)
    found = saddle(ATTENTION, x0, 3, jnp.asarray(w), count=9)
    assert found.converged and found.orbit == 3 and found.index == 3
    np.testing.assert_allclose(found.x @ found.x.T, np.outer(signs, signs), atol=1e-12)
    one, far = w[::2].sum(), np.exp(-2 * BETA)
    light = min(one, 1 - one)
    rates = [far] * 3 + [0] * 3 + [(1 - light) * far - light] * 3
    np.testing.assert_allclose(found.rates, rates, rtol=1e-11, atol=1e-12)
    energy = (one**2 + (1 - one) ** 2 + 2 * one * (1 - one) * far) / (2 * BETA)
    np.testing.assert_allclose(found.energy, -energy, rtol=1e-13)
    # So many as the dense search: Krylov spaces of 48 directions are whole.
    assert abs(int(found.steps) - 5) <= 1
    # A tetrahedron of clusters has 6 rates above 0 and 6 rotations: 9 do not show whether that is all.
    simplex = np.eye(4) - 1 / 4
    turned = np.linalg.qr(np.ones((4, 1)), mode="complete")[0][:, 1:]
    corners = np.pad(simplex @ turned / np.sqrt(3 / 4), ((0, 0), (0, 1)))
    with pytest.raises(SolveError, match="raise count"):
        saddle(ATTENTION, near(corners, 16, 1e-3), 6, w, count=9)


@pytest.mark.slow
def test_as_the_dense_search():
    """The same cloud up to rotations, its spectrum, and the same road to it."""
    w = jnp.asarray(np.random.default_rng(0).dirichlet(5 * np.ones(16)))
    x0 = near(PAIR, 16, 0.1)
    found, dense = saddle(ATTENTION, x0, 3, w, count=9), saddle(ATTENTION, x0, 3, w)
    assert found.orbit == dense.orbit == 3 and found.index == dense.index == 3
    np.testing.assert_allclose(found.rates, dense.rates[:9], atol=1e-12)
    np.testing.assert_allclose(found.energy, dense.energy, rtol=1e-13)
    np.testing.assert_allclose(found.x @ found.x.T, dense.x @ dense.x.T, atol=1e-12)
    assert abs(int(found.steps) - int(dense.steps)) <= 1


@pytest.mark.slow
def test_a_pair_of_large_clusters():
    """n(d-1) = 4000: index d - 1, as many rotations, rate e^{-2 beta}."""
    n, d = 500, 9
    found = saddle(ATTENTION, near(np.eye(d)[:1] * [[1], [-1]], n, 0.02), d - 1, count=2 * d)
    assert found.converged and found.index == d - 1 and found.orbit == d - 1
    np.testing.assert_allclose(found.rates[: d - 1], np.exp(-2 * BETA), rtol=1e-11)
    # A token comes back to its cluster at (1 - e^{-2 beta})/2.
    np.testing.assert_allclose(found.rates[-2:], -(1 - np.exp(-2 * BETA)) / 2, rtol=1e-11)


@pytest.mark.slow
def test_a_triangle_of_large_clusters():
    """Corners of a regular k-simplex can only be rotated: index k(d-1) - [dim SO(d) - dim SO(d-k+1)]."""
    k, d, n = 3, 6, 60
    corners = np.zeros((k, d))
    corners[:, :2] = [[1, 0], [-1 / 2, np.sqrt(3) / 2], [-1 / 2, -np.sqrt(3) / 2]]
    turns = d * (d - 1) // 2 - (d - k + 1) * (d - k) // 2
    index = k * (d - 1) - turns
    found = saddle(ATTENTION, near(corners, n, 0.01), index, count=index + turns + 2)
    assert found.converged and found.index == index == 6 and found.orbit == turns == 9


@pytest.mark.slow
def test_the_list_from_few_modes():
    """Of 13 tokens on the circle those of index 0: one cluster; and of index 1 a token opposite to it."""
    found = critical_points(ATTENTION, 13, 2, jax.random.key(0), 4, count=2)
    assert found.rates.shape[1] == 2 and found.index[0] == 0
    np.testing.assert_allclose(found.energy[0], -1 / (2 * BETA), rtol=1e-12)


def test_rotations_take_at_least_those_of_an_axis():
    """All rotations move a pair of antipodes in d - 1 directions; some of them may move none."""
    assert [_turns(jnp.zeros((d * (d - 1) // 2, d, d)), d) for d in (2, 3, 4)] == [1, 2, 3]
    assert _turns(jnp.zeros((1, 3, 3)), 3) == 0


def test_refused():
    x0 = near(PAIR, 16, 0.2)
    with pytest.raises(ValueError, match=r"n\(d-1\)/5 = 9.6, got 10; leave it out"):
        saddle(ATTENTION, x0, 3, count=10)
    check_refused(lambda: saddle(ATTENTION, x0, 3, count=3), "count to be an integer >= 4")
    check_refused(lambda: critical_points(ATTENTION, 16, 4, jax.random.key(0), count=10), "count")
