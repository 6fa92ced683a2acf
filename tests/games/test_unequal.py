"""Models that are not alike against coupled Riccati equations, boundary value problems and equal ones."""

import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from meanfield.games import (
    AbstractPlay,
    Feedback,
    LinearQuadratic,
    OpenLoop,
    Planner,
    UnequalLinearQuadratic,
)

Q, G, W = np.array([1.0, 3.0, 0.0]), np.array([0.5, 0.0, 2.0]), np.array([0.5, 0.2, 0.3])
A, T = 0.2, 1.2
AWAY = np.eye(3) - W
GAME = UnequalLinearQuadratic(Q, G, W, A)
TS = jnp.array([0.0, T])
X0 = np.array([[0.0, 1.0], [0.5, 3.0], [2.0, 2.5]])
PLAYS = [OpenLoop(), Feedback(), Planner()]
# The tolerance of the integration and of the reference, times some steps.
CLOSE, TIGHT = 1e-8, {"rtol": 1e-10, "atol": 1e-11}


def boundary(play, s):
    """Gains with a time s left: quantiles and costates of all, p' = -A p - pull x, p(T) = end x."""
    if isinstance(play, OpenLoop):
        pull, end = (np.diag(weights * (1 - W)) @ AWAY for weights in (Q, G))
    else:
        pull, end = (AWAY.T @ np.diag(weights) @ AWAY for weights in (Q, G))
    flow = expm(s * np.block([[A * np.eye(3), -np.eye(3)], [-pull, -A * np.eye(3)]]))
    (a, b), (c, d) = (np.split(half, 2, axis=1) for half in np.split(flow, 2))
    return np.linalg.solve(d - end @ b, end @ a - c)


def coupled():
    """Gains in feedback as a function of the time left, from values of all models, one by one."""
    weight = np.einsum("ij,ik->ijk", AWAY, AWAY)

    def slope(_, flat):
        v = flat.reshape(3, 3, 3)
        closed = A * np.eye(3) - np.stack([v[i, i] for i in range(3)])
        return np.stack(
            [
                v[i] @ closed + closed.T @ v[i] + Q[i] * weight[i] + np.outer(v[i, i], v[i, i])
                for i in range(3)
            ]
        ).ravel()

    end = (G[:, None, None] * weight).ravel()
    values = solve_ivp(slope, (0, T), end, dense_output=True, **TIGHT).sol
    return lambda s: np.stack([values(s).reshape(3, 3, 3)[i, i] for i in range(3)])


@pytest.mark.parametrize("play", PLAYS)
def test_gains_paths_and_costs(play):
    """Riccati equations of all models, or the boundary value problem; then the closed loop."""
    gains = coupled() if isinstance(play, Feedback) else lambda s: boundary(play, s)

    def slope(t, y):
        x, u = y[:6].reshape(3, 2), -gains(T - t) @ y[:6].reshape(3, 2)
        return np.append(
            (A * x + u).ravel(), (u**2 + Q[:, None] * (AWAY @ x) ** 2).mean(axis=1) / 2
        )

    run = solve_ivp(slope, (0, T), np.append(X0, np.zeros(3)), rtol=1e-9, atol=1e-10).y[:, -1]
    end = run[:6].reshape(3, 2)
    np.testing.assert_allclose(GAME.gains(TS, play)[0], gains(T), atol=CLOSE)
    np.testing.assert_allclose(GAME.gains(TS, play)[1], gains(0), atol=CLOSE)
    np.testing.assert_allclose(GAME.play(X0, TS, play)[-1], end, atol=CLOSE)
    costs = run[6:] + G * ((AWAY @ end) ** 2).mean(axis=1) / 2
    np.testing.assert_allclose(GAME.costs(X0, T, play), costs, atol=CLOSE)
    twice = GAME.costs(X0, T, play, quantiles=False)
    np.testing.assert_allclose(twice, 2 * costs, atol=2 * CLOSE)


def test_nobody_can_gain_in_feedback():
    gains, others = coupled(), ~np.eye(3, dtype=bool)
    for i in range(3):
        weight = np.outer(AWAY[i], AWAY[i])

        def slope(s, flat, i=i, weight=weight):
            v = flat.reshape(3, 3)
            closed = A * np.eye(3) - np.where(others[i][:, None], gains(s), 0)
            rate = closed.T @ v + v @ closed + Q[i] * weight - np.outer(v[i], v[i])
            return rate.ravel()

        v = solve_ivp(slope, (0, T), (G[i] * weight).ravel(), **TIGHT).y[:, -1].reshape(3, 3)
        least = np.einsum("jk,jn,kn->n", v, X0, X0).mean() / 2
        assert GAME.costs(X0, T, Feedback())[i] == pytest.approx(least, abs=CLOSE)


@pytest.mark.parametrize("play", [pytest.param(PLAYS[0], marks=pytest.mark.slow), *PLAYS[1:]])
def test_equal_models_are_those_of_the_formulas(play):
    game = UnequalLinearQuadratic(np.full(3, 2.0), np.full(3, 0.5), np.full(3, 1 / 3), A)
    exact = LinearQuadratic(3, 2.0, 0.5, A)
    gains = exact.gain(TS, T, play)[:, None, None]
    np.testing.assert_allclose(game.gains(TS, play), gains * (np.eye(3) - 1 / 3), atol=CLOSE)
    np.testing.assert_allclose(game.play(X0, TS, play), exact.play(X0, TS, play), atol=CLOSE)
    np.testing.assert_allclose(game.costs(X0, T, play), exact.costs(X0, T, play), atol=CLOSE)


@pytest.mark.parametrize("play", PLAYS[:2])
def test_a_model_of_share_zero_changes_nothing_for_others(play):
    three = UnequalLinearQuadratic([1.0, 1.0, 5.0], [0.5, 0.5, 0.1], np.array([0.5, 0.5, 0.0]))
    two = LinearQuadratic(2, 1.0, 0.5)
    np.testing.assert_allclose(three.gains(TS, play)[:, :2, 2], 0, atol=1e-15)
    paths = three.play(X0, TS, play)[:, :2], two.play(X0[:2], TS, play)
    np.testing.assert_allclose(*paths, atol=CLOSE)
    costs = three.costs(X0, T, play)[:2], two.costs(X0[:2], T, play)
    np.testing.assert_allclose(*costs, atol=CLOSE)


def test_who_does_not_care_leads():
    """One at rest of share .5, one of share 0, one who closes its own gap, of which it feels (1 - w)^2."""
    game = UnequalLinearQuadratic([0.0, 4.0, 0.0], np.zeros(3), np.array([0.5, 0.5, 0.0]))
    c = (4 * (1 - 0.5) ** 2) ** 0.5
    times = jnp.array([0.0, 0.5, 2.0])
    path = game.play(np.array([[0.0], [1.0], [5.0]]), times)
    left = np.cosh(c * (2 - times)) / np.cosh(2 * c)
    np.testing.assert_allclose(path[:, 1, 0], left, atol=CLOSE)
    np.testing.assert_allclose(path[:, ::2, 0], [[0, 5]] * 3, atol=CLOSE)


def test_refusals():
    check_refused(lambda: UnequalLinearQuadratic([1.0, 2.0], [1.0]), "one length")
    with pytest.raises(ValueError, match="of one number a model"):
        UnequalLinearQuadratic(1.0, 1.0)  # pyright: ignore[reportArgumentType]
    check_refused(lambda: UnequalLinearQuadratic([1.0, -2.0], [1.0, 1.0]), "negative")
    with pytest.raises(ValueError, match="sum 1"):
        UnequalLinearQuadratic([1.0, 2.0], [1.0, 1.0], jnp.array([0.5, 0.6]))
    check_refused(lambda: GAME.play(jnp.zeros((2, 2)), TS), "one row a model")
    check_refused(lambda: GAME.gains(TS[::-1]), "increasing times")

    class Other(AbstractPlay):
        def felt(self, players):
            return 1.0

        def returned(self, players):
            return 1.0

    check_refused(lambda: GAME.gains(TS, Other()), "OpenLoop")
