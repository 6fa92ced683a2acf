"""The exact game against coupled Riccati equations, boundary value problems and quadrature of its costs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused
from scipy.integrate import solve_ivp
from scipy.interpolate import CubicSpline
from scipy.linalg import expm

from meanfield.games import (
    Feedback,
    LinearQuadratic,
    OpenLoop,
    Planner,
    UnequalLinearQuadratic,
)
from meanfield.games.exact import _linear_quadratic

N, Q, G, A, T = 3, 2.0, 0.5, 0.3, 1.2
MEAN = np.full((N, N), 1 / N)
AWAY = np.eye(N) - MEAN
GAME = LinearQuadratic(N, Q, G, A)
LOOSE = {"rtol": 1e-8, "atol": 1e-9}
TIGHT = {"rtol": 1e-11, "atol": 1e-12}


def test_published_numbers():
    game = LinearQuadratic(3, 2.0, 0.5)
    assert game.gain(0.0, 1.0) == pytest.approx(1.0346721, abs=5e-8)
    assert game.remaining(1.0, 1.0) == pytest.approx(0.4636890, abs=5e-8)
    # c = sqrt 2 and P_T = 1/2: cosh(artanh(P_T/c))/cosh(c + artanh(P_T/c)).
    two = LinearQuadratic(2, 4.0, 1.0)
    c = 2**0.5
    first = np.arctanh(0.5 / c)
    assert two.remaining(1.0, 1.0) == pytest.approx(np.cosh(first) / np.cosh(c + first), abs=1e-14)
    assert two.remaining(1.0, 1.0) == pytest.approx(0.349365, abs=5e-7)


@pytest.mark.parametrize(
    ("players", "gain"), [(2, 0.57735), (3, 0.70711), (5, 0.81650), (20, 0.95119)]
)
def test_feedback_of_an_infinite_horizon(players, gain):
    game = LinearQuadratic(players, 1.0, 0.0)
    assert game.feedback_gain() == pytest.approx(((players - 1) / (players + 1)) ** 0.5, abs=1e-14)
    assert game.feedback_gain() == pytest.approx(gain, abs=5e-6)


def test_prices_of_anarchy():
    two, three = LinearQuadratic(2, 1.0, 0.0), LinearQuadratic(3, 1.0, 0.0)
    assert two.price_of_anarchy() == pytest.approx(1.06066, abs=5e-6)
    assert three.price_of_anarchy() == pytest.approx(1.02062, abs=5e-6)
    assert two.price_of_anarchy(play=Feedback()) == pytest.approx(1.15470, abs=5e-6)
    assert three.price_of_anarchy(play=Feedback()) == pytest.approx(1.06066, abs=5e-6)
    # Scale: with time in units of 1/sqrt(q) nothing else is left.
    assert LinearQuadratic(2, 7.0, 0.0).price_of_anarchy() == pytest.approx(1.5 / 2**0.5, abs=1e-14)


def hamiltonian(felt):
    """Costates and quantiles at the start, from the boundary value problem of all players."""
    flow = expm(T * np.block([[A * np.eye(N), -np.eye(N)], [-felt * Q * AWAY, -A * np.eye(N)]]))
    end = felt * G * AWAY
    (a, b), (c, d) = (np.split(half, 2, axis=1) for half in np.split(flow, 2))
    return np.linalg.solve(d - end @ b, end @ a - c)


@pytest.mark.parametrize(("play", "felt"), [(OpenLoop(), 1 - 1 / N), (Planner(), 1.0)])
def test_open_loop_and_planner_solve_the_boundary_value_problem(play, felt):
    # To 1e-12: products of exponentials of order e^{c T} < 10.
    np.testing.assert_allclose(hamiltonian(felt), float(GAME.gain(0.0, T, play)) * AWAY, atol=1e-12)


def test_feedback_solves_the_coupled_riccati_equations():
    weight = np.stack([np.outer(row, row) for row in AWAY])

    def slope(_, flat):
        s = flat.reshape(N, N, N)
        k = np.stack([s[i, i] for i in range(N)])  # u_i = -k_i x
        closed = A * np.eye(N) - k
        rate = [
            Q * weight[i] + np.outer(k[i], k[i]) + s[i] @ closed + closed.T @ s[i] for i in range(N)
        ]
        return np.stack(rate).ravel()

    end = solve_ivp(slope, (0, T), (G * weight).ravel(), **TIGHT).y[:, -1].reshape(N, N, N)
    gain = float(GAME.gain(0.0, T, Feedback()))
    # 1e-9: the tolerance of the reference, times some steps.
    np.testing.assert_allclose([end[i, i] for i in range(N)], gain * AWAY, atol=1e-9)


@pytest.mark.parametrize("play", [OpenLoop(), Feedback(), Planner()])
def test_costs_and_paths_are_those_of_the_gains(play):
    """By integrating the closed loop, with the gains alone."""

    times = np.linspace(0, T, 801)
    gains = CubicSpline(times, GAME.gain(times, T, play))  # off by (T/800)^4 at most about

    def slope(t, y):
        return [(A - gains(t)) * y[0], (gains(t) ** 2 + Q) * y[0] ** 2 / 2]

    run = solve_ivp(slope, (0, T), [1.0, 0.0], t_eval=[0, T / 3, T], **LOOSE)
    left = GAME.remaining(run.t, T, play)
    np.testing.assert_allclose(left, run.y[0], atol=1e-7)
    assert GAME.cost(T, play) == pytest.approx(run.y[1, -1] + G * run.y[0, -1] ** 2 / 2, abs=1e-7)
    # The infinite horizon is the limit: the rest is e^{-2 c T}.
    assert GAME.cost(30.0, play) == pytest.approx(float(GAME.cost(play=play)), abs=1e-12)
    x0 = jnp.array([[0.0, 1.0], [0.5, 3.0], [2.0, 2.5]])
    path = GAME.play(x0, jnp.array([0.0, T / 3, T]) + 0.7, play)
    np.testing.assert_allclose(path[0], x0, atol=1e-15)
    np.testing.assert_allclose(path[2].mean(axis=0), np.exp(A * T) * x0.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(
        path[1] - path[1].mean(axis=0), left[1] * (x0 - x0.mean(axis=0)), atol=1e-12
    )
    square = (x0 - x0.mean(axis=0)) ** 2
    np.testing.assert_allclose(
        GAME.costs(x0, T, play), GAME.cost(T, play) * square.mean(axis=1), atol=1e-12
    )
    np.testing.assert_allclose(
        GAME.costs(x0, T, play, quantiles=False),
        GAME.cost(T, play) * square.sum(axis=1),
        atol=1e-12,
    )


def test_without_running_cost_and_drift():
    """c = 0: P = P_T/(1 + P_T (T - t)), and the distance is closed at constant speed."""
    game, last = LinearQuadratic(2, 0.0, 3.0), 1.5
    assert game.gain(0.25, 1.0) == pytest.approx(last / (1 + last * 0.75), abs=1e-15)
    assert game.remaining(0.25, 1.0) == pytest.approx(1 - last / (1 + last) * 0.25, abs=1e-15)
    check_refused(game.price_of_anarchy, "running > 0")


def test_costs_have_slopes_where_there_is_no_running_cost():
    """dP/dq = int_0^T ((1 + g s)/(1 + g T))^2 ds of a planner, whose cost is P/2; differences for others."""

    end, h = 1 + G * T, 0.02

    def cost(q, play, drift=0.0):
        return LinearQuadratic(3, q, G, drift).cost(T, play)

    @jax.jit
    def slopes(q):
        some = jax.vmap(lambda q: cost(q, Feedback(), A))(q)
        slope = jax.grad(cost)(q[0], Feedback(), jnp.asarray(A))
        return (
            jax.grad(cost)(q[0], Planner()),
            slope,
            (4 * some[1] - some[2] - 3 * some[0]) / (2 * h),
        )

    planned, slope, difference = slopes(jnp.array([0.0, h, 2 * h]))
    assert planned == pytest.approx((end**3 - 1) / (3 * G) / end**2 / 2, rel=1e-12)
    # Games of h and 2 h are not short; of second order, h^2/3 of a third derivative of order one.
    assert slope == pytest.approx(float(difference), abs=2e-4)


def test_short_games_are_games(monkeypatch):
    """By powers, and by exponentials: a dozen roundings."""
    t, horizon = (
        jnp.array([0.0, 0.02]),
        0.072,
    )  # (rate horizon)^2 = .0097 in feedback, .0074 in open loop
    numbers = lambda: [
        np.concatenate([GAME.gain(t, horizon, play), GAME.remaining(t, horizon, play)])
        for play in (Feedback(), OpenLoop())
    ]
    short = numbers()
    monkeypatch.setattr(_linear_quadratic, "_SHORT", 0.0)
    np.testing.assert_allclose(short, numbers(), rtol=4e-15)


@pytest.mark.parametrize("horizon", [1e30, 1e38])
def test_games_as_long_as_numbers_go(horizon):
    gain = LinearQuadratic(2, 0.0, 1.0).gain(jnp.float32(0.0), jnp.float32(horizon))
    assert gain == pytest.approx(1 / horizon, rel=1e-5)


def test_a_game_without_costs_has_no_price():
    with pytest.raises(ValueError, match="expected costs, got none"):
        LinearQuadratic(2, 0.0, 0.0).price_of_anarchy(1.0)
    with pytest.raises(ValueError, match="expected costs, got none"):
        LinearQuadratic(2, 1.0, 0.0).price_of_anarchy(0.0)


def test_no_drift_outgrows_the_gain():
    game = LinearQuadratic(2, 0.01, 0.0, 1.0)
    for play in (OpenLoop(), Feedback()):
        gain = float(game.stationary_gain(play))
        assert game.cost(play=play) == pytest.approx((gain**2 + 0.01) / (4 * (gain - 1)), abs=1e-12)
        assert game.gain(0.0, 40.0, play) == pytest.approx(gain, abs=1e-12)


def test_refusals():
    check_refused(lambda: LinearQuadratic(1, 1.0, 1.0), "players")
    check_refused(lambda: GAME.gain(2.0, 1.0), "horizon")
    check_refused(lambda: GAME.costs(jnp.zeros((2, 3)), 1.0), "one row a model")


def test_long_horizons_cost_what_infinite_ones_do():
    # What is missing is of order e^{-2 c T}; layers as thin as 1/(c T) of the horizon are at its start.
    game = LinearQuadratic(2, 1.0, 1.0)
    for horizon in (1e2, 1e4, 1e8):
        assert game.cost(horizon) == pytest.approx(float(game.cost()), rel=1e-12)
    assert LinearQuadratic(2, 1e12, 0.0).cost(1.0) == pytest.approx(1.5e12 / (4 * 5e11**0.5))


def test_costs_of_planners_and_feedback_are_gains():
    # P/(2 w) solves the equation of the cost for both: the quadrature has no part in that.
    for drift, horizon in ((0.3, 1.2), (-50.0, 3.0), (0.0, 1e3)):
        game = LinearQuadratic(3, 2.0, 0.5, drift)
        for play, felt in ((Planner(), 1.0), (Feedback(), 2 / 3)):
            half = game.gain(0.0, horizon, play) / (2 * felt)
            assert game.cost(horizon, play) == pytest.approx(float(half), rel=1e-12)


@pytest.mark.parametrize("drift", [-50.0, pytest.param(50.0, marks=pytest.mark.slow)])
def test_strong_drift_leaves_single_precision(drift):
    # Sums of positive numbers: some dozens of roundings, and that of the exponent c T = 10.
    exact, game = (
        LinearQuadratic(2, *(jnp.asarray(a, dtype) for a in (1.0, 1.0, drift)))
        for dtype in (jnp.float64, jnp.float32)
    )
    t, horizon = jnp.asarray(0.1, jnp.float32), jnp.asarray(0.2, jnp.float32)
    wide = t.astype(float), horizon.astype(float)
    for play in (OpenLoop(), Feedback(), Planner()):
        gain = exact.gain(*wide, play)
        assert game.gain(t, horizon, play) == pytest.approx(float(gain), rel=3e-6)
        assert game.remaining(t, horizon, play) == pytest.approx(
            float(exact.remaining(*wide, play)), rel=1e-5
        )
        stationary = float(exact.stationary_gain(play))
        assert game.stationary_gain(play) == pytest.approx(stationary, rel=1e-6)


def test_quantiles_and_times_increase():
    game = LinearQuadratic(2, 1.0, 0.0)
    for one in (game, UnequalLinearQuadratic([1.0, 1.0], [0.0, 0.0])):
        with pytest.raises(ValueError, match="increasing quantiles"):
            one.costs(jnp.array([[1.0, 0.0], [0.0, 1.0]]), 1.0)
    assert game.costs(jnp.array([[1.0, 0.0], [0.0, 1.0]]), 1.0, quantiles=False).shape == (2,)
    with pytest.raises(ValueError, match="increasing times ts"):
        game.play(jnp.array([0.0, 1.0]), jnp.array([1.0, 0.0]))
    # One quantile a model is in order, whatever those of others are.
    one = game.costs(jnp.array([1.0, 0.0]), 1.0)
    np.testing.assert_array_equal(one, game.costs(jnp.array([[1.0], [0.0]]), 1.0))
