"""Clouds that have collapsed, coincide, face each other or are single points; and any scale."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from highs import highs_cost, square_distances
from refusals import check_refused

from meanfield.transport import (
    Entropic,
    Exact,
    SquaredEuclidean,
    SquaredGeodesic,
    point_geometry,
    sinkhorn_divergence,
    wasserstein,
    wasserstein_circle,
    wasserstein_line,
)
from meanfield.transport.costs import unit_of

POLE = jnp.array([0.0, 0.0, 1.0])
COLLAPSED = jnp.ones((2, 3)) / jnp.sqrt(3.0)
# Clouds of two points: both W2 are plain, whichever the cost.
CLOUDS = {
    "coincident": (COLLAPSED, COLLAPSED, 0.0, 0.0),
    "antipodal": (jnp.stack([POLE, POLE]), -jnp.stack([POLE, POLE]), 2.0, np.pi),
    "two and two": (jnp.stack([POLE, -POLE]), jnp.stack([-POLE, POLE]), 0.0, 0.0),
    "one of two": (jnp.eye(3)[:2], jnp.eye(3)[jnp.array([0, 2])], 1.0, np.pi / np.sqrt(8)),
}


@jax.jit
def three(x, y):
    """W2 on flat space and on the sphere, exactly and by entropy, and the divergence."""

    # In double precision these iterations are enough, and no other way is compiled.
    most = 300 if x.dtype == jnp.float64 else 10_000

    def values(x):
        costs = SquaredEuclidean(), SquaredGeodesic()
        exact = [wasserstein(x, y, cost=cost, method=Exact()) for cost in costs]
        near = wasserstein(x, y, cost=costs[1], method=Entropic(max_iterations=most))
        apart = sinkhorn_divergence(x, y, cost=costs[1], max_iterations=most)
        found = *exact, near, apart
        numbers = jnp.stack([f.value for f in found])
        return numbers, (numbers, jnp.stack([f.converged for f in found]))

    gradient, facts = jax.jacrev(values, has_aux=True)(x)
    return *facts, gradient


@pytest.mark.parametrize("dtype", [jnp.float64, pytest.param(jnp.float32, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", CLOUDS)
def test_two_points(name, dtype):
    x, y, flat, round_ = CLOUDS[name]
    values, converged, gradient = three(x.astype(dtype), y.astype(dtype))
    eps = float(jnp.finfo(dtype).eps)
    assert converged.all() and jnp.isfinite(gradient).all() and values.dtype == dtype
    # The entropic plan at .01 of the mean cost errs by e^{-1/.01} at most; points of float32 are
    # unit vectors to eps, which at a distance of 0 moves a distance by as much.
    right = [flat, round_, round_, round_**2]
    np.testing.assert_allclose(values[:3], right[:3], rtol=40 * eps, atol=4 * eps)
    # The divergence at .05 mean costs: exact for point masses and where no entropy mixes two points.
    if name == "one of two":
        assert 0.5 * right[3] < float(values[3]) < right[3]
    else:
        np.testing.assert_allclose(values[3], right[3], rtol=40 * eps, atol=40 * eps)


@jax.jit
def apart_from_itself(z):
    """By entropy and as a divergence, for both costs."""
    ways = []
    for cost in (SquaredEuclidean(), SquaredGeodesic()):
        found = wasserstein(z, z, cost=cost, method=Entropic(max_iterations=300))
        apart = sinkhorn_divergence(z, z, cost=cost, max_iterations=300)
        ways += (found.value, found.converged), (apart.value, apart.converged & (apart.epsilon > 0))
    return ways


@pytest.mark.parametrize(
    "n, d", [(5, 8), *(pytest.param(n, 3, marks=pytest.mark.slow) for n in (5, 1))]
)
def test_five_points_in_one_and_one_point_alone(n, d):
    for value, sound in apart_from_itself(jnp.ones((n, d)) / jnp.sqrt(float(d))):
        assert float(value) == 0 and sound


def test_points_without_mass_do_not_part_those_that_coincide():
    z, a = jnp.array([[0.0, 0.0], [1.0, 0.0], [1.0, 0.0]]), jnp.array([0.0, 0.5, 0.5])
    apart = jax.jit(lambda z, a: sinkhorn_divergence(z, z, a, a, max_iterations=300))(z, a)
    # Differences of potentials of size epsilon = .05, any number being a scale.
    assert float(apart) == pytest.approx(0, abs=1e-15) and apart.converged


def test_no_default_where_there_is_no_scale():
    x = jnp.array([[1e-170, 0.0], [0.0, 0.0]])
    check_refused(lambda: wasserstein(x, 2 * x, method=Entropic()), "multiply the points")
    assert jnp.isnan(jax.jit(lambda x: wasserstein(x, 2 * x, method=Entropic()).value)(x))
    with pytest.raises(ValueError, match="pass epsilon"):
        point_geometry(jnp.ones((2, 2)), cost=lambda x, y: -jnp.sum((x - y) ** 2) - 1)


@pytest.fixture(scope="module")
def clouds():
    """12 and 18 normal points of mass .9, and one pair at distance one, far off, of mass .1."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(12, 2)), rng.normal(size=(18, 2))
    a, b = (np.append(np.full(n, 0.9 / n), 0.1) for n in (12, 18))
    return x, y, a, b


@pytest.mark.parametrize("far", [1e3, pytest.param(1e6, marks=pytest.mark.slow), 1e9])
def test_a_pair_that_is_far_off_does_not_blur_the_rest(clouds, far):
    """No mass crosses the gap: the least cost is that of the near points and that of the pair."""
    x, y, a, b = clouds
    near = highs_cost(np.full(12, 1 / 12), np.full(18, 1 / 18), square_distances(x, y))
    x, y = np.append(x, [[far, 0.0]], axis=0), np.append(y, [[far, 1.0]], axis=0)
    found = wasserstein(x, y, a, b)
    assert found.converged and found.error < 1e-10
    np.testing.assert_allclose(found.cost, 0.9 * near + 0.1, rtol=1e-12)
    # In single precision too, in which the sum of each law is another.
    single = wasserstein(*(jnp.asarray(z, jnp.float32) for z in (x, y, a, b)))
    assert single.converged
    np.testing.assert_allclose(single.cost, 0.9 * near + 0.1, rtol=20 * np.finfo(np.float32).eps)
    # As many points on both sides, and equal ones: an assignment.
    pair = wasserstein(x, np.append(y[:12], y[-1:], axis=0))
    alone = highs_cost(np.full(12, 1 / 12), np.full(12, 1 / 12), square_distances(x[:12], y[:12]))
    assert pair.converged and pair.method == "exact: assignment"
    np.testing.assert_allclose(pair.cost, (12 * alone + 1) / 13, rtol=1e-12)


def test_an_optimum_is_held_against_a_dual_solution(clouds, monkeypatch):
    """Plans with right marginals that are not the least: the gap is the excess, and is told."""
    from meanfield.transport.exact import _assignment as assignments, _linear_program as programs
    from meanfield.transport.exact._network_simplex import Basis

    x, y, _, _ = clouds
    x, y = x[:, :2], y[:12]
    cost = square_distances(x, y)
    least = np.asarray(cost)[np.arange(12), assignments.least_assignment(cost)[0]].mean()
    searched = lambda c: (None, np.arange(12))
    monkeypatch.setattr(assignments.scipy.optimize, "linear_sum_assignment", searched)
    _, gap = assignments.least_assignment(cost)
    excess = np.trace(cost) / 12 - least
    # Weak duality: no dual solution makes the gap smaller than the excess.
    assert gap * np.trace(cost) / 12 >= excess > 0.1 * least
    found = wasserstein(x, y)
    assert not found.converged and found.error == pytest.approx(gap)

    def lazy(cost, a, b):
        at = np.stack([part.ravel() for part in np.indices(cost.shape)])
        return Basis(at, np.outer(a, b).ravel(), np.zeros(len(a)), np.zeros(len(b)), 0.0)

    monkeypatch.setattr(programs, "network_simplex", lazy)
    assert not wasserstein(x, y[:11]).converged


@pytest.mark.parametrize(
    "scale", [1e-160, 1e200, *(pytest.param(s, marks=pytest.mark.slow) for s in (1e-200, 1e150))]
)
def test_any_scale(clouds, scale):
    """W2 is homogeneous of degree one, also where squares leave the range of the numbers."""
    x, y, _, _ = clouds
    for n in (12, 18):
        found, one = wasserstein(scale * x, scale * y[:n]), wasserstein(x, y[:n])
        assert found.converged
        np.testing.assert_allclose(found.value / scale, one.value, rtol=1e-13)
        for line in (wasserstein_line,) if scale > 1 else (wasserstein_line, wasserstein_circle):
            # The angles mod 2 pi of negative ones are not small: positive ones.
            first, second = np.abs(x[:, 0]), np.abs(y[:n, 0])
            far = line(scale * first, scale * second) / scale
            np.testing.assert_allclose(far, wasserstein_line(first, second), rtol=1e-12)


def test_karcher_means_of_antipodes():
    """.9 theta^2 + .1 (pi - theta)^2 is least at theta = .1 pi, on any great circle."""
    middle = jax.jit(SquaredGeodesic().barycenter)
    for d in (2, 7):
        both = np.eye(d)[:1] * [[1.0], [-1.0]]
        mean, converged = middle(np.array([0.9, 0.1]), both)
        assert converged
        mean = np.asarray(mean)
        np.testing.assert_allclose(np.arccos(mean[0]), 0.1 * np.pi, rtol=1e-12)
        np.testing.assert_allclose(mean @ mean, 1, rtol=1e-14)
    # A point opposite to the start that has no weight is no matter.
    mean, converged = middle(np.array([1.0, 0.0]), both)
    assert converged and np.array_equal(mean, both[0])


def test_clouds_as_large_as_numbers_go():
    """2^1023 is a power of 2 of that size, and 2^1024 infinite: W2 of points a third of it apart."""
    x, y = 2.0**1023 * jnp.array([[1.0, 0.0, 0.0]]), 2.0**1023 * jnp.array([[1.0, 1 / 3, 0.0]])
    assert wasserstein(x, y, method=Exact()).value == 2.0**1023 / 3
    assert wasserstein(x - y, y - x, method=Exact()).value == 2.0**1023 * (2 / 3)
    far = wasserstein(x, -y / 2, method=Exact()).value / 2.0**1023
    np.testing.assert_allclose(far, np.hypot(1.5, 1 / 6), rtol=1e-15)


def test_the_unit_is_that_of_the_points_with_mass():
    """About the heaviest point: one without mass, wherever it is, changes nothing; either cloud counts."""
    x, y = jnp.array([[0.0, 1e9], [1.0, 0.0], [5.0, 0.0]]), jnp.array([[1.0, 0.0], [1.0, 2.0]])
    a, b = jnp.array([0.0, 0.9, 0.1]), jnp.array([0.5, 0.5])
    assert unit_of(x, y, a, b, SquaredEuclidean()) == 8.0
    assert unit_of(x[1:2], y, None, None, SquaredEuclidean()) == 4.0
