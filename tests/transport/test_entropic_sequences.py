"""Adapted distances by entropic couplings: closed forms, a plain iteration, the exact limit."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from refusals import check_refused

from meanfield.transport import adapted_wasserstein

TOLD, UNTOLD = jnp.array([[0.1, 1.0], [-0.1, -1.0]]), jnp.array([[0.0, 1.0], [0.0, -1.0]])


def random_tree(rng, n, steps=3, d=2):
    """Paths that share pasts."""
    paths = rng.integers(0, 2, (n, steps, d)) + 0.1 * rng.integers(0, 2, (n, steps, 1))
    return np.unique(paths, axis=0)


def test_entropic_steps_of_two_branches_have_a_closed_form():
    # Signs against signs of size s, time by time: pairs agree with probability p/(1 - p) = e^{4 s/epsilon},
    # as costs of agreement are (1 - s)^2, of the rest (1 + s)^2, and weights of pairs multiply.
    signs, s = jnp.array([*itertools.product([1.0, -1.0], repeat=2)]), 0.7
    exact = (1 - s) ** 2
    for epsilon in (4.0, 1.0, 0.05):
        p = 1 / (1 + np.exp(-4 * s / epsilon))
        found = adapted_wasserstein(signs, s * signs, epsilon=epsilon)
        step = p * exact + (1 - p) * (1 + s) ** 2
        np.testing.assert_allclose(found.steps, [step, step], rtol=1e-9)
        assert found.converged
    np.testing.assert_allclose(found.cost, 2 * exact, rtol=1e-12)  # e^{-56} at the last one


def test_paths_that_coincide_share_their_plan_by_mass():
    a, b = jnp.array([0.1, 0.3, 0.6]), jnp.array([0.45, 0.35, 0.2])
    x, y = TOLD[jnp.array([0, 0, 1])], UNTOLD[jnp.array([0, 1, 1])]
    for epsilon in (None, 1.0):
        found = adapted_wasserstein(x, y, a, b, epsilon=epsilon)
        plan = np.asarray(found.plan())
        np.testing.assert_allclose(plan.sum(axis=1), a, atol=1e-9)
        np.testing.assert_allclose(plan.sum(axis=0), b, atol=1e-9)
        np.testing.assert_allclose(plan[1], 3 * plan[0], rtol=1e-12)
        np.testing.assert_allclose(plan[:, 1], 1.75 * plan[:, 2], rtol=1e-12)


def nested(x, y, a, b, epsilon, cost):
    """The entropic value of two trees by their paths, each coupling by a plain iteration."""
    if x.shape[1] == 0:
        return 0.0
    first, second = (np.unique(z[:, 0], axis=0) for z in (x, y))
    below = np.zeros((len(first), len(second)))
    masses = []
    for u, v in np.ndindex(*below.shape):
        mine, yours = (z[:, 0] == at for z, at in ((x, first[u]), (y, second[v])))
        mine, yours = mine.all(axis=-1), yours.all(axis=-1)
        rest = nested(x[mine, 1:], y[yours, 1:], a[mine], b[yours], epsilon, cost)
        below[u, v] = cost(first[u], second[v]) + rest
    for z, w, ends in ((x, a, first), (y, b, second)):
        masses.append(np.array([w[(z[:, 0] == end).all(axis=-1)].sum() for end in ends]) / w.sum())
    p, q = masses
    g = np.zeros(len(q))
    for _ in range(3000):
        before = g
        f = -epsilon * np.log(np.exp((g - below) / epsilon) @ q)
        g = -epsilon * np.log(p @ np.exp((f[:, None] - below) / epsilon))
        if np.abs(g - before).max() <= 1e-13:  # it shrinks by a factor each time
            break
    return p @ f + q @ g


def test_entropic_plans_are_the_best_that_do_not_look_ahead():
    rng = np.random.default_rng(4)
    x, y = random_tree(rng, 9), random_tree(rng, 7) + 0.2
    a, b = rng.dirichlet(np.ones(len(x))), rng.dirichlet(np.ones(len(y)))
    exact, epsilon = adapted_wasserstein(x, y, a, b), 0.4
    found = adapted_wasserstein(x, y, a, b, epsilon=epsilon)
    assert found.converged
    plan = np.asarray(found.plan())
    # Its value: mean cost and KL against the product, which add up along the pasts.
    kl = (plan * np.log(np.where(plan > 0, plan, 1) / np.outer(a, b))).sum()
    value = nested(x, y, a, b, epsilon, lambda u, v: ((u - v) ** 2).sum())
    np.testing.assert_allclose(found.cost + epsilon * kl, value, rtol=1e-8)
    # At any epsilon: least cost <= cost <= least cost + epsilon (largest KL), and exact in the limit.
    cold = adapted_wasserstein(x, y, a, b, epsilon=0.01)
    for size, each in ((epsilon, found), (0.01, cold)):
        gap = float(each.cost - exact.cost)
        assert -1e-9 <= gap <= size * np.log(min(len(x), len(y))) + 1e-9
    assert float(cold.cost - exact.cost) < 0.1 * float(found.cost - exact.cost)


def test_entropic_steps_are_refused_where_numbers_are_traced():
    check_refused(lambda: adapted_wasserstein(TOLD, UNTOLD, epsilon=0.0), "exact")
    check_refused(
        lambda: jax.jit(lambda x: adapted_wasserstein(x, UNTOLD, epsilon=0.1).cost)(TOLD),
        "under jit",
    )


def test_an_epsilon_too_small_says_what_to_do():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 40, 3))
    found = adapted_wasserstein(x, y, epsilon=1e-7)
    assert not found.converged and found.error == np.inf
    epsilon = float(found.reason.partition("pass epsilon=")[2].split()[0])
    assert "leave epsilon out" in found.reason
    enough = adapted_wasserstein(x, y, epsilon=epsilon)
    assert enough.converged and enough.reason == ""


def test_any_scale_and_costs_without_bound():
    """AW2^2 = 0.1^2 + 2, also where squares leave the range of the numbers; infinite costs have no answer."""
    for scale in (2.0**-600, 2.0**600):
        found = adapted_wasserstein(TOLD * scale, UNTOLD * scale)
        np.testing.assert_allclose(found.value / scale, np.sqrt(2.01), rtol=1e-14)
        assert found.converged
    near = adapted_wasserstein(TOLD * 2.0**30, UNTOLD * 2.0**30, epsilon=0.1 * 4.0**30)
    assert near.converged and abs(near.value / 2.0**30 - np.sqrt(2.01)) < 1e-9
    lost = adapted_wasserstein(TOLD, UNTOLD, cost=lambda x, y: jnp.sum(jnp.abs(x - y)) * jnp.inf)
    assert np.isnan(lost.value) and not lost.converged
