"""Games without an end, of models that are not alike: algebraic equations, long horizons, equal models."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused
from scipy.linalg import solve_continuous_are, solve_continuous_lyapunov

from meanfield.games import Feedback, LinearQuadratic, OpenLoop, Planner, UnequalLinearQuadratic

Q, W, A = np.array([1.0, 3.0, 0.1]), np.array([0.5, 0.2, 0.3]), 0.4
X0 = jnp.array([[0.0, 1.0], [0.5, 3.0], [2.0, 2.5]])
AWAY = np.eye(3) - W
# Differences of three: an orthonormal basis of what sums to nothing.
APART = np.array([[1.0, 1.0], [-1.0, 1.0], [0.0, -2.0]]) / np.sqrt([2.0, 6.0])
# Integrated to 1e-11 in relative terms, and iterated to 1e-12 of a contraction.
CLOSE = 1e-9
SLOW = [pytest.param(play, marks=pytest.mark.slow) for play in (OpenLoop(), Planner())]


def made(drift=A, q=Q):
    return UnequalLinearQuadratic(jnp.asarray(q), jnp.zeros(3), jnp.asarray(W), drift)


def values_of(gains, drift=A, q=Q):
    """S_i of a closed loop, by its Lyapunov equations, where differences fade."""
    closed = APART.T @ (drift * np.eye(3) - gains) @ APART
    assert np.linalg.eigvals(closed).real.max() < -0.01
    found = []
    for i in range(3):
        row, own = AWAY[i] @ APART, gains[i] @ APART
        paid = q[i] * np.outer(row, row) + np.outer(own, own)
        found.append(APART @ solve_continuous_lyapunov(closed.T, -paid) @ APART.T)
    return np.stack(found)


@pytest.mark.parametrize("play", [Feedback(), *SLOW])
def test_equations_that_hold_for_ever(play):
    """Of each kind its own algebraic equation; then costs, and what long horizons come to."""
    game = made()
    gains = np.asarray(game.stationary_gains(play))
    np.testing.assert_allclose(gains.sum(axis=1), 0, atol=1e-14)
    values = values_of(gains)
    if isinstance(play, Feedback):
        np.testing.assert_allclose(gains, np.einsum("iij->ij", values), atol=CLOSE)
    elif isinstance(play, Planner):
        pull = APART.T @ AWAY.T @ np.diag(Q) @ AWAY @ APART
        best = solve_continuous_are(A * np.eye(2), np.eye(2), pull, np.eye(2))
        np.testing.assert_allclose(gains, APART @ best @ APART.T, atol=CLOSE)
    else:
        pull = np.diag(Q * (1 - W)) @ AWAY
        np.testing.assert_allclose(gains @ gains - 2 * A * gains, pull, atol=CLOSE)
    each = np.einsum("ijk,jn,kn->i", values, X0, X0) / 2
    np.testing.assert_allclose(game.costs(X0, None, play), each / 2, atol=CLOSE)
    np.testing.assert_allclose(game.costs(X0, play=play, quantiles=False), each, atol=CLOSE)
    # The slowest mode forgets at a rate of .8 and more: e^-64 over this horizon, and rounding of what
    # all have in common, by e^(2 A 80), would show.
    ending = UnequalLinearQuadratic(game.running, jnp.array([1.0, 0.5, 2.0]), game.shares, A)
    long = ending.gains(jnp.array([0.0, 80.0]), play)[0]
    np.testing.assert_allclose(long, gains, atol=CLOSE)


@pytest.mark.parametrize("play", [Feedback(), *SLOW])
@pytest.mark.parametrize("drift", [-0.5, pytest.param(0.0, marks=pytest.mark.slow)])
def test_equal_models_are_those_of_the_formulas(drift, play):
    game = UnequalLinearQuadratic(jnp.full(3, 2.0), jnp.full(3, 0.5), jnp.full(3, 1 / 3), drift)
    exact = LinearQuadratic(3, 2.0, 0.5, drift)
    gains = exact.stationary_gain(play) * (np.eye(3) - 1 / 3)
    np.testing.assert_allclose(game.stationary_gains(play), gains, atol=CLOSE)
    np.testing.assert_allclose(
        game.costs(X0, play=play), exact.costs(X0, None, play), atol=10 * CLOSE
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("players", "gain"), [(2, 0.57735), (3, 0.70711), (5, 0.81650), (20, 0.95119)]
)
def test_feedback_of_many(players, gain):
    """sqrt((N - 1)/(N + 1)) where all weigh the distance by 1."""
    game = UnequalLinearQuadratic(jnp.ones(players), jnp.zeros(players))
    first = game.stationary_gains(Feedback())[0]
    np.testing.assert_allclose(first[0] / (1 - 1 / players), gain, atol=5e-6)
    np.testing.assert_allclose(first[1:] * -players, gain, atol=5e-6)


def test_who_hardly_cares_is_waited_for():
    """A weight of 1e-8 against 3: one leads, and moves by q w (1 - w)/2 of the costs of its own distance."""
    small = 1e-8
    game, play = made(-0.3, [3.0, 0.0, small]), Feedback()
    gains = np.asarray(game.stationary_gains(play))
    assert (gains[1] == 0).all() and 0 < gains[2, 2] < small
    values = values_of(gains, -0.3, np.array([3.0, 0.0, small]))
    np.testing.assert_allclose(gains[2], values[2, 2], rtol=1e-8)


@pytest.mark.slow
def test_two_of_whom_one_does_all():
    """Gains on the difference of k and m: k + m = 2 a, k m = s = q/4 where the models do unequal parts."""
    a, q, play = 1.0, 2.0, Feedback()
    share = (a**2 - q / 4) ** 0.5
    equal = UnequalLinearQuadratic(jnp.full(2, q), jnp.zeros(2), None, a)
    assert jnp.isnan(equal.stationary_gains(play)).all()
    assert jnp.isnan(equal.costs(X0[:2], play=play)).all()
    # One that weighs the distance by little more ends near the solution in which it does most.
    near = UnequalLinearQuadratic(jnp.array([q, q + 1e-3]), jnp.zeros(2), None, a)
    k = jnp.abs(near.stationary_gains(play)[:, 0])
    np.testing.assert_allclose(k, [a - share, a + share], atol=1e-3)
    single = UnequalLinearQuadratic(jnp.full(2, 4.1 * a**2), jnp.zeros(2), None, a)
    exact = LinearQuadratic(2, 4.1, 0.0, a).stationary_gain(play)
    assert single.stationary_gains(play)[0, 0] == pytest.approx(float(exact) / 2, abs=1e-8)


@pytest.mark.slow
def test_derivatives_and_single_precision():
    """Forward, against differences of order two; within jit; and in float32."""
    cost = lambda q: made(q=q).costs(X0, None, Feedback())[0]
    q, way, h = jnp.asarray(Q), jnp.array([0.3, -0.5, 0.02]), 1e-3
    value, slope = jax.jit(lambda q: jax.jvp(cost, (q,), (way,)))(q)
    assert value == pytest.approx(float(cost(q)), rel=1e-9)
    # h^2/6 of a third derivative of order one.
    assert slope == pytest.approx(
        float((cost(q + h * way) - cost(q - h * way)) / (2 * h)), abs=1e-6
    )
    single = UnequalLinearQuadratic(*(a.astype(jnp.float32) for a in (q, 0 * q, jnp.asarray(W))), A)
    costs = single.costs(X0.astype(jnp.float32), None, Feedback())
    assert costs.dtype == jnp.float32
    np.testing.assert_allclose(costs, made().costs(X0, None, Feedback()), rtol=1e-3)


def test_refusals():
    check_refused(lambda: made(q=[0.0, 0.0, 0.0]).costs(X0), "pass a horizon")
    check_refused(lambda: made(q=[1.0, 2.0, 0.0]).stationary_gains(), "where drift > 0")
