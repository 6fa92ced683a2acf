"""Attention of prefixes: causal whatever the attention, by plans of each prefix alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiled_attention import attend
from refusals import check_refused
from unit_vectors import normal, unit_vectors

import meanfield as mf
from meanfield.attention import Prefixes, Relu, Sinkhorn, Softmax, causal
from meanfield.dynamics import AttentionFlow
from meanfield.geometry import Sphere

BETA, N = 2.0, 5
X = unit_vectors(0, N, 3)
W = jnp.array([0.0, 0.3, 0.2, 0.0, 0.5])
ATTENTION = Prefixes(Sinkhorn(BETA, tol=1e-13))
FIELD = jax.jit(lambda x, w: ATTENTION(x, None, w))
WEIGHTS = jax.jit(lambda x, w: ATTENTION.weights(x, None, w))
EVEN = jnp.full(N, 1 / N, float)


def test_softmax_of_prefixes_is_softmax_with_a_causal_mask():
    matrix = normal(1, 3, 3)
    for w in (None, W):
        exact = attend(Softmax(BETA, matrix, matrix.T, matrix, mask=causal(N)), X, None, w)
        found = attend(Prefixes(Softmax(BETA, matrix, matrix.T, matrix)), X, None, w)
        np.testing.assert_allclose(found, exact, atol=1e-14)


def test_weights_of_softmax_are_those_under_a_causal_mask():
    exact = Softmax(BETA, mask=causal(N)).weights(X)
    np.testing.assert_allclose(Prefixes(Softmax(BETA)).weights(X), exact, atol=1e-14)


def test_each_row_is_the_last_of_a_doubly_stochastic_plan():
    """By 2,000 alternating divisions of the kernel of each prefix, in the plainest way."""
    exact = []
    for i in range(1, N + 1):
        plan = np.exp(BETA * np.asarray(X[:i] @ X[:i].T))
        for _ in range(2000):
            plan /= plan.sum(axis=0)
            plan /= plan.sum(axis=1, keepdims=True)
        exact.append(plan[-1] @ X[:i])
    np.testing.assert_allclose(FIELD(X, EVEN), exact, atol=1e-12)
    np.testing.assert_allclose(WEIGHTS(X, EVEN) @ X, exact, atol=1e-12)
    p = 1 / (1 + np.exp(-BETA * (1 - X[0] @ X[1])))
    np.testing.assert_allclose(exact[1], (1 - p) * X[0] + p * X[1], atol=1e-13)


def test_no_token_feels_one_behind():
    jacobian = jax.jit(jax.jacobian(lambda x: FIELD(x, EVEN)))(X)
    ahead = np.arange(N)[:, None] >= np.arange(N)
    # The logarithm of a mass of zero is that of the least normal number.
    assert (np.abs(jacobian).max(axis=(1, 3))[~ahead] < 1e-300).all()
    assert (FIELD(X.at[3:].multiply(-1.0), EVEN)[:3] == FIELD(X, EVEN)[:3]).all()
    # The last row of a plan feels all tokens of its prefix, of a third one too.
    assert (np.abs(jacobian).max(axis=(1, 3))[ahead] > 1e-3).all()
    step = 1e-5
    bent = X.at[0, 0].add(step), X.at[0, 0].add(-step)
    slope = (FIELD(bent[0], EVEN) - FIELD(bent[1], EVEN)) / (2 * step)
    # A central difference is off by step^2 = 1e-10 and the tolerance over the step.
    np.testing.assert_allclose(jacobian[:, :, 0, 0], slope, atol=1e-7)


def test_tokens_without_mass_change_nothing():
    field = FIELD(X, W)
    assert (field[0] == 0).all()  # it sees none that has mass
    weights = WEIGHTS(X, W)
    assert (weights[0] == 0).all() and (weights[:, W == 0] == 0).all()
    np.testing.assert_allclose(weights[1:].sum(axis=1), 1, atol=1e-14)
    np.testing.assert_allclose(weights @ X, field, atol=1e-14)
    held = X.at[3].set(-X[3])
    np.testing.assert_allclose(FIELD(held, W)[4], field[4], atol=1e-14)
    some = jnp.array([1, 2, 4])
    np.testing.assert_allclose(field[some], FIELD(X[some], W[some]), atol=1e-12)


def test_what_does_not_converge_says_so():
    early, x = Prefixes(Sinkhorn(8.0, max_iterations=1)), X
    solved, field = jax.jit(lambda x: (early.solved(x), early(x)))(x)
    assert not solved and np.isnan(field).any()
    assert jax.jit(lambda x: ATTENTION.solved(x))(x) and Prefixes(Softmax(1.0)).solved(x) is None


@pytest.mark.slow
def test_a_run_of_what_does_not_converge_says_so():
    flow = AttentionFlow(Sphere(3), Prefixes(Sinkhorn(8.0, max_iterations=1)))
    assert not mf.simulate(flow, X, jnp.array([0.0, 0.1]), dt=0.1, throw=False).ok


def test_refused():
    check_refused(lambda: ATTENTION(X, X), "leave out y")
    with pytest.raises(ValueError, match=r"that has weights, got Relu.*pass Softmax"):
        Prefixes(Relu()).weights(X)
    check_refused(lambda: Prefixes(2.0), "expected an attention,")
