"""Points of mass zero, wherever they lie, change no distance, flag, regularization or gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from meanfield.transport import (
    Entropic,
    Exact,
    SquaredEuclidean,
    SquaredGeodesic,
    point_geometry,
    sinkhorn_divergence,
    solve,
    wasserstein,
    wasserstein_circle,
    wasserstein_line,
)

KEYS = jax.random.split(jax.random.key(2), 2)
X, Y = (jax.random.normal(key, (5, 2)) for key in KEYS)
A, B = jnp.array([0.1, 0.2, 0.3, 0.15, 0.25]), jnp.array([0.3, 0.1, 0.1, 0.2, 0.3])
PLACES = {"near": jnp.array([0.5, -0.2]), "far": jnp.array([1e4, 0.0]), "coincident": Y[0]}


def with_one_more(x, a, place):
    return jnp.concatenate([x, place[None].astype(x.dtype)]), jnp.append(a, jnp.zeros((), a.dtype))


@jax.jit
def answers(x, y, a, b):
    """Values, flags and default regularizations, with the gradients in both clouds."""

    def total(x, y):
        near = wasserstein(x, y, a, b, method=Entropic(relative_epsilon=0.04, max_iterations=300))
        apart = sinkhorn_divergence(x, y, a, b, max_iterations=300)
        facts = near.value, apart.value, near.solution.epsilon, apart.epsilon
        return near.value + 3 * apart.value, (*facts, near.converged & apart.converged)

    return jax.grad(total, argnums=(0, 1), has_aux=True)(x, y)


def halved(a):
    half = a.at[0].multiply(0.5)
    return jnp.append(half, half[0])


@pytest.fixture(scope="module")
def without():
    """With the first point of each cloud twice, which share its mass, so that sizes are the same."""
    (x, y), (a, b) = ((jnp.concatenate([z, z[:1]]) for z in (X, Y)), map(halved, (A, B)))
    gradients, facts = answers(x, y, a, b)
    return [np.asarray(g[:5]) + np.eye(5)[:1].T * np.asarray(g[5]) for g in gradients], facts


@pytest.mark.parametrize("place", PLACES)
def test_they_change_nothing_of_entropic_transport(place, without):
    x, a = with_one_more(X, A, PLACES[place])
    y, b = with_one_more(Y, B, PLACES[place])
    gradients, facts = answers(x, y, a, b)
    assert facts[-1]
    # The iterations are the same ones, and so are their rounding errors but for the order of sums.
    for value, exact in zip(facts[:-1], without[1][:-1], strict=True):
        np.testing.assert_allclose(value, exact, rtol=1e-12)
    for gradient, exact in zip(gradients, without[0], strict=True):
        np.testing.assert_allclose(gradient[:5], exact, atol=1e-11)
        assert jnp.abs(gradient[5]).max() < 1e-30


def test_the_default_epsilon_is_relative_to_the_mean_over_masses(without):
    x, a = with_one_more(X, A, PLACES["far"])
    mean = np.asarray(A) @ np.sum((np.asarray(X)[:, None] - np.asarray(Y)) ** 2, -1) @ np.asarray(B)
    np.testing.assert_allclose(without[1][2:4], [0.04 * mean, 0.05 * mean], rtol=1e-13)
    for dense in (True, False):
        made = point_geometry(x, Y, a=a, b=B, dense=dense, relative_epsilon=0.1)
        np.testing.assert_allclose(made.epsilon, 0.1 * mean, rtol=1e-13)


@pytest.mark.parametrize("place", PLACES)
def test_they_change_nothing_of_exact_transport(place):
    x, a = with_one_more(X, A, PLACES[place])
    y, b = with_one_more(Y, B, PLACES[place])

    def distance(x, y, a, b):
        found = wasserstein(x, y, a, b, method=Exact())
        return found.value, found

    far = jax.jit(jax.value_and_grad(distance, argnums=(0, 1), has_aux=True))
    (exact, _), gradients = far(X, Y, A, B)
    (value, found), more = far(x, y, a, b)
    np.testing.assert_allclose(value, exact, rtol=1e-14)
    for ours, theirs in zip(more, gradients, strict=True):
        np.testing.assert_allclose(ours[:5], theirs, rtol=1e-12)
        assert not ours[5].any()
    assert found.converged and not found.plan()[5].any() and not found.plan()[:, 5].any()
    # Their dual potentials are as large as all others allow; costs of 1e8 are rounded to 1e-8.
    f, g = found.potentials
    costs = np.sum((np.asarray(x)[:, None] - np.asarray(y)) ** 2, axis=-1)
    slack = costs - np.asarray(f)[:, None] - np.asarray(g)
    assert slack.min() > -1e-7 and slack[5].min() < 1e-7 and slack[:, 5].min() < 1e-7
    for one in (wasserstein_line, wasserstein_circle):
        same = one(X[:, 0], Y[:, 0], A, B)
        np.testing.assert_allclose(one(x[:, 0], y[:, 0], a, b), same, rtol=1e-9)  # 1e4 mod 2 pi


def test_even_one_at_infinity_is_no_matter():
    """Its costs overflow."""
    x, a = with_one_more(X, A, jnp.array([1e200, 0.0]))
    np.testing.assert_allclose(
        wasserstein(x, Y, a, B).value, wasserstein(X, Y, A, B).value, rtol=1e-14
    )
    line = wasserstein_line(x[:, 0], Y[:, 0], a, B)
    np.testing.assert_allclose(line, wasserstein_line(X[:, 0], Y[:, 0], A, B), rtol=1e-14)


@pytest.mark.slow
def test_single_precision_agrees():
    """A mass of zero is no logarithm that rounding flushes: the values are those of five points."""
    x, a = with_one_more(X, A, PLACES["far"])
    y, b = with_one_more(Y, B, PLACES["near"])
    gradients, facts = answers(*(z.astype(jnp.float32) for z in (x, y, a, b)))
    exact, values = answers(x, y, a, b)
    assert facts[-1] and facts[0].dtype == jnp.float32
    eps = float(jnp.finfo(jnp.float32).eps)
    for value, right in zip(facts[:-1], values[:-1], strict=True):
        # The marginals are right to 16 eps or more, at costs up to ten times the mean.
        np.testing.assert_allclose(value, right, rtol=200 * eps)
    for gradient, right in zip(gradients, exact, strict=True):
        np.testing.assert_allclose(gradient, right, atol=2000 * eps)


def test_digits_are_not_lost_to_them_in_high_dimension():
    """There costs are a matrix product about a centre, which one point far away must not move."""
    x = jax.random.normal(KEYS[0], (6, 8), jnp.float32)
    far = x.at[5].set(1e6)
    costs = SquaredEuclidean().all_pairs(far, x)
    right = np.sum((np.asarray(x, float)[:, None] - np.asarray(x, float)) ** 2, axis=-1)
    np.testing.assert_allclose(costs[:5], right[:5], atol=100 * np.finfo(np.float32).eps)


def test_soft_marginals_with_none_on_both_sides():
    """The plan's sums are its marginals, and those of the points that have mass."""
    a, b = jnp.append(A, 0.0), jnp.append(B, 0.0)
    for place in PLACES.values():
        x, y = (jnp.concatenate([z, place[None]]) for z in (X, Y))
        found = solve(point_geometry(x, y, epsilon=0.5), a, b, tau_a=0.5, tau_b=0.3)
        few = solve(point_geometry(X, Y, epsilon=0.5), A, B, tau_a=0.5, tau_b=0.3)
        plan = found.plan()
        assert found.converged and few.converged
        np.testing.assert_allclose(plan[:5, :5], few.plan(), rtol=1e-10)
        assert not plan[5].any() and not plan[:, 5].any()
        # Stationary: c + eps log P + rho_a log(row/a) + rho_b log(column/b) = 0, rho = eps tau/(1 - tau).
        plan = np.asarray(few.plan())
        costs, rows, columns = (
            SquaredEuclidean().all_pairs(X, Y),
            plan.sum(axis=1),
            plan.sum(axis=0),
        )
        force = costs + 0.5 * np.log(plan) + 0.5 * np.log(rows / A)[:, None]
        np.testing.assert_allclose(force + 0.5 * 0.3 / 0.7 * np.log(columns / B), 0, atol=1e-5)
        plan = found.plan()
        for sums, marginal in zip(
            (plan.sum(axis=1), plan.sum(axis=0)), found.marginals, strict=True
        ):
            np.testing.assert_allclose(sums, marginal, atol=1e-14)


def test_a_cloud_with_itself_and_averages():
    x, a = with_one_more(X, A, PLACES["far"])

    @jax.jit
    def facts(x, a):
        own = solve(point_geometry(x, epsilon=0.5), a, a, symmetric=True)
        return own.value, own.average(x), own.conditional(), own.plan()

    (value, average, shares, _), (right, few, known, plan) = facts(x, a), facts(X, A)
    np.testing.assert_allclose(known, plan / plan.sum(axis=1, keepdims=True), rtol=1e-12)
    np.testing.assert_allclose(value, right, rtol=1e-12)
    np.testing.assert_allclose(average[:5], few, rtol=1e-11)
    np.testing.assert_allclose(shares[:5, :5], known, atol=1e-13)
    # It is itself carried to the nearest points: c = 1e8 against an epsilon of 1/2 leaves no doubt.
    nearest = X[np.argmin(np.sum(np.asarray(X - x[5]) ** 2, axis=1))]
    np.testing.assert_allclose(average[5], nearest, rtol=1e-6)


def test_karcher_means():
    points = jnp.concatenate([jnp.eye(3)[:2], -jnp.eye(3)[:1]])
    mean, converged = SquaredGeodesic().barycenter(jnp.array([0.5, 0.5, 0.0]), points)
    same, _ = SquaredGeodesic().barycenter(jnp.array([3.0, 3.0, 0.0]), points)
    np.testing.assert_allclose(same, mean, atol=1e-15)  # weights are taken relative to their sum
    np.testing.assert_allclose(mean, jnp.array([1.0, 1.0, 0.0]) / np.sqrt(2), atol=1e-12)
    assert converged
