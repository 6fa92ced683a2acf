"""What paths cost the noise, against closed forms: with a potential, with rotation, and under softmax."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused
from scipy.integrate import solve_ivp
from unit_vectors import on_circle

from meanfield.attention import Softmax
from meanfield.dynamics import AttentionFlow, Control, Drift, GradientFlow
from meanfield.energies import Interaction
from meanfield.geometry import Euclidean, Product, Sphere
from meanfield.landscape import action, minimum_action
from meanfield.solve import SolveError

NOISE, BETA = 0.3, 2.0
# One token under softmax is moved by the value matrix alone: here a spiral, with no potential.
MATRIX = np.array([[-1.0, 2.0], [-0.5, -0.8]])
SPIRAL = AttentionFlow(Euclidean(2), Softmax(1.0, value=jnp.asarray(MATRIX)), noise=NOISE)
PAIR = AttentionFlow(Sphere(2), Softmax(BETA), noise=NOISE)


compiled_action = eqx.filter_jit(action)


def least(flow, start, end, time):
    """With the error of second order taken out: of 16 and 32 steps."""
    coarse, fine = (minimum_action(flow, start, end, time, points=m).action for m in (17, 33))
    assert abs(fine / coarse - 1) > 1e-9
    return (4 * fine - coarse) / 3


def test_action_of_a_straight_line():
    """x = s b over time T: int |b/T - s A b|^2 dt = (|b|^2 - <b, A b> T + |A b|^2 T^2/3)/T."""
    b, time, m = np.array([1.0, 0.5]), 2.0, 41
    share = np.linspace(0, 1, m)
    pull = MATRIX @ b
    exact = (b @ b - b @ pull * time + pull @ pull * time**2 / 3) / time / (4 * NOISE)
    path = jnp.asarray(share[:, None, None] * b)
    found = compiled_action(SPIRAL, path, jnp.asarray(time * share))
    # The midpoint rule misses h^2/12 of |A b|^2 T/T^2 s^2 alone.
    missed = pull @ pull * time / 12 / (m - 1) ** 2 / (4 * NOISE)
    np.testing.assert_allclose(found, exact - missed, rtol=1e-12)


def test_the_drift_is_that_of_the_middle_of_each_step():
    """At speed 1 against a drift t: int (1 - t)^2 dt by the midpoint rule of three steps of .4."""
    pushed = Control(Euclidean(2), lambda t, x, args: t + 0 * x, noise=NOISE)
    ts = 0.4 * np.arange(4)
    path = jnp.asarray(np.repeat(ts, 2).reshape(4, 1, 2))
    found = compiled_action(pushed, path, jnp.asarray(ts))
    miss = 1 - np.array([0.2, 0.6, 1.0])
    np.testing.assert_allclose(found, 2 * 0.4 * miss @ miss / (4 * NOISE), rtol=1e-12)


def test_action_of_a_turn():
    """A token that turns at speed c against no force, beside one at rest: c^2 T/(4 noise), in any steps."""
    free = GradientFlow(Sphere(2), 0.0 * Interaction(1.0), noise=NOISE)
    turns = jnp.stack([on_circle(0.7 * k, 0.2) for k in range(4)])
    found = compiled_action(free, turns, jnp.array([0.0, 0.5, 1.0, 1.5]))
    np.testing.assert_allclose(found, 1.4**2 * 1.5 / (4 * NOISE), rtol=1e-12)


def test_spiral_has_its_gaussian_law():
    """(1/2) x^T C^{-1} x with C' = A C + C A^T + 2 noise: exact at any time, C(0) = 0."""
    end, time = np.array([1.0, 0.5]), 4.0
    spread = lambda _, c: (
        (MATRIX @ c.reshape(2, 2) + c.reshape(2, 2) @ MATRIX.T).ravel()
        + np.array([2 * NOISE, 0, 0, 2 * NOISE])
    )
    law = solve_ivp(spread, (0, time), np.zeros(4), rtol=1e-10, atol=1e-12).y[:, -1].reshape(2, 2)
    found = least(SPIRAL, jnp.zeros((1, 2)), jnp.asarray(end)[None], time)
    # What Richardson leaves is of fourth order: (|A| h)^4/100 at h = 1/8.
    np.testing.assert_allclose(found, end @ np.linalg.solve(law, end) / 2, rtol=2e-5)
    # Without rotation it would be that of the symmetric part.
    still = np.linalg.solve(-(MATRIX + MATRIX.T) / 2, np.eye(2))
    assert abs(found / (end @ np.linalg.solve(still * NOISE, end) / 2) - 1) > 0.05


def test_softmax_pair():
    """Against the drift each way: (1/noise) int w sin a da = log(2 e^b/(e^b + e^{b cos a}))/(b noise)."""
    angle = 1.2
    exact = np.log(2 / (1 + np.exp(BETA * (np.cos(angle) - 1)))) / (BETA * NOISE)
    found = least(PAIR, on_circle(0.0, 0.0), on_circle(angle / 2, -angle / 2), 8.0)
    # The start is left at rate 1: e^{-16} is missing, and fourth orders of h = 1/4.
    np.testing.assert_allclose(found, exact, rtol=1e-3)


def test_uphill_costs_the_energy():
    """n (E(end) - E(start))/noise of three tokens, one of which leaves the cluster."""
    energy = -Interaction(1.0)
    flow = GradientFlow(Sphere(2), energy, noise=NOISE)
    start, end = on_circle(0.0, 0.0, 0.0), on_circle(-0.5, -0.5, 1.0)
    exact = 3 * (energy(end) - energy(start)) / NOISE
    found = minimum_action(flow, start, end, 3.0, points=33)
    # h = 3/32 and rates up to 1, and 3 times of rest before: h^2/12, e^{-6}.
    np.testing.assert_allclose(found.action, exact, rtol=4e-3)
    again = compiled_action(flow, found.x, found.ts)
    np.testing.assert_allclose(found.action, again, rtol=1e-12)
    assert found.converged and found.steps < 40


def test_a_path_that_a_mirror_keeps_is_left_where_there_is_less():
    """Maier and Stein (1993): beyond alpha = 4 mu two mirrored paths are likelier than that on the axis."""

    def field(z):
        return jnp.stack([z[0] - z[0] ** 3 - 10 * z[0] * z[1] ** 2, -(1 + z[0] ** 2) * z[1]])

    flow = Drift(Euclidean(2), field, noise=NOISE)
    found = minimum_action(flow, jnp.array([[-1.0, 0.0]]), jnp.zeros((1, 2)), 10.0, points=41)
    # On the axis it is (U(0) - U(-1))/noise = 1/(4 noise), U = x^4/4 - x^2/2: a saddle of the action.
    assert found.action < 0.8 / (4 * NOISE)
    assert found.converged and np.abs(found.x[:, 0, 1]).max() > 0.2


def test_refused():
    x = on_circle(0.0, 0.3)
    with pytest.raises(ValueError, match="with noise"):
        action(AttentionFlow(Sphere(2), Softmax(1.0)), jnp.stack([x, x]), jnp.arange(2.0))
    check_refused(lambda: action(PAIR, jnp.stack([x, x]), jnp.zeros(2)), "increasing")
    check_refused(lambda: action(PAIR, jnp.stack([x, x]), jnp.arange(3.0)), "one time a cloud")
    check_refused(lambda: minimum_action(PAIR, x, -x, 1.0), "antipode")
    placed = AttentionFlow(Product(Sphere(2), Euclidean(1)), Softmax(1.0), noise=NOISE)
    ends = jnp.array([[[1.0, 0.0, 0.0]], [[-1.0, 0.0, 0.5]]])
    check_refused(lambda: action(placed, ends, jnp.arange(2.0)), "antipode")
    with pytest.raises(SolveError, match="raise max_steps"):
        minimum_action(PAIR, on_circle(0.0, 0.0), on_circle(1.0, -1.0), 8.0, points=17, max_steps=1)
