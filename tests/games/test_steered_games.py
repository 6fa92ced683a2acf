"""Games whose controls are numbers of flows: linear-quadratic ones of means, and `steer` for each alone."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused
from scipy.special import lambertw

from meanfield.attention import Softmax, Unnormalized
from meanfield.dynamics import AttentionFlow, Drift
from meanfield.energies import Potential
from meanfield.games import (
    ConsensusGame,
    LinearQuadratic,
    OpenLoop,
    Planner,
    UnequalLinearQuadratic,
    nash,
    planner,
    pontryagin_residual,
    prices,
    steer,
)
from meanfield.games.control._steered import AbstractInIntervals
from meanfield.geometry import Euclidean, Sphere

DRIFT = 0.3
TS = jnp.linspace(0.0, 1.0, 17)


class Wind(eqx.Module):
    """A field x' = direction + rate x."""

    direction: jax.Array
    rate: float = eqx.field(static=True, default=DRIFT)

    def __call__(self, x):
        return self.direction + self.rate * x


def wind(flow):
    return flow.function.direction


WINDY = Drift(Euclidean(1), Wind(jnp.zeros(1)))
SHAPE = jnp.array([[-0.3], [0.1], [0.5]])
MEANS = np.array([[-1.0], [0.2], [1.5]])
SHIFTED = SHAPE + jnp.asarray(MEANS)[:, None]


@pytest.mark.parametrize("play", [OpenLoop(), pytest.param(Planner(), marks=pytest.mark.slow)])
def test_one_direction_for_all_tokens_is_the_game_of_means(play):
    """Of three models whose efforts weigh differently: J_i/effort_i is of weights running/effort_i."""
    effort = np.array([1.0, 0.5, 2.0]) if isinstance(play, OpenLoop) else np.full(3, 0.5)
    game = ConsensusGame([WINDY] * 3, 2.0, 0.5, where=wind, effort=jnp.asarray(effort))
    exact = UnequalLinearQuadratic(2.0 / effort, 0.5 / effort, drift=DRIFT)
    planned = isinstance(play, Planner)
    found = (planner if planned else nash)(game, SHIFTED, TS)
    assert found.converged and found.controls.shape == (3, 17, 1)
    means = SHIFTED.mean(axis=1)
    ends = exact.play(means, jnp.array([0.0, 1.0]), play)[-1]
    x = game.final(found.controls, SHIFTED, TS)
    # Linear between times h apart: h^4/720 = 2e-8 of fourth derivatives, c^4 of c^2 <= 4.1.
    np.testing.assert_allclose(x.mean(axis=1), ends, atol=1e-6)
    costs = effort * exact.costs(means, 1.0, play, quantiles=False)
    np.testing.assert_allclose(found.costs, costs, atol=1e-6)
    residual = pontryagin_residual(game, found.controls, SHIFTED, TS, planned=planned)
    assert residual.max() < 0.0625**2 * 4.1 / (12 * 5**0.5)
    if not planned:
        assert found.exploitability.max() < 1e-6 * found.costs.sum() and found.stability < 1


def beta(flow):
    return flow.attention.beta


@pytest.mark.slow
def test_who_shares_nothing_steers_alone():
    """A temperature and a direction, of one number and two, as `steer` has them; one pays for its speed."""
    flows = [AttentionFlow(Sphere(2), Unnormalized(1.0)), Drift(Sphere(2), Wind(jnp.zeros(2), 0.0))]
    places, ts = [beta, wind], jnp.linspace(0.0, 1.0, 5)
    angles = jnp.array([[0.0, 1.2], [0.4, 2.0]])
    x0 = jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=-1)
    ends = [lambda x: -x[0] @ x[1], lambda x: jnp.mean(x[:, 1])]
    speed = lambda x, flow: jnp.mean(flow.drift(jnp.zeros(()), x, None) ** 2)
    game = ConsensusGame(
        flows,
        0.0,
        0.0,
        interests=[None, speed],
        terminal_interests=ends,
        where=places,
        effort=[0.1, 0.5],
    )
    found = nash(game, x0, ts)
    assert found.converged
    np.testing.assert_allclose(found.controls[0, :, 1], 0, atol=1e-12)
    mine = game.numbers(found.controls)
    residuals = pontryagin_residual(game, found.controls, x0, ts)
    for i, (effort, running) in enumerate([(0.1, None), (0.5, speed)]):
        one = steer(flows[i], places[i], ends[i], x0[i], ts, effort=effort, running=running)
        assert one.converged and float(jnp.abs(one.controls).max()) > 0.1
        assert mine[i].shape == one.controls.shape
        # Two searches of minima, each to 1e-6 of its controls.
        np.testing.assert_allclose(mine[i], one.controls, atol=1e-5)
        assert found.costs[i] == pytest.approx(float(one.cost), abs=1e-9)
        np.testing.assert_allclose(game.final(found.controls, x0, ts)[i], one.x[-1], atol=1e-5)
        assert residuals[i] == pytest.approx(float(one.residual), rel=0.01)


def test_one_control_for_all_times():
    """x_1 - x_2 = d + 2 v t if each moves by v: v (1 + q T^2/6 + g T/2) = -d (q T/8 + g/4)."""
    q, g, time, d = 2.0, 0.5, 1.0, -1.4
    still = Drift(Euclidean(1), Wind(jnp.zeros(1), 0.0))
    game = ConsensusGame([still] * 2, q, g, where=wind, constant=True)
    x0, ts = jnp.stack([SHAPE, SHAPE - d]), jnp.linspace(0.0, time, 3)
    found = nash(game, x0, ts)
    v = -d * (q * time / 8 + g / 4) / (1 + q * time**2 / 6 + g * time / 2)
    assert found.converged and found.controls.shape == (2, 1, 1)
    # A search ends where the cost is flat to 1e-12.
    np.testing.assert_allclose(found.controls.ravel(), [v, -v], atol=2e-6)
    along = d**2 * time + 2 * d * v * time**2 + 4 * v**2 * time**3 / 3
    cost = v**2 * time / 2 + q / 8 * along + g / 8 * (d + 2 * v * time) ** 2
    # To first order in the control of the other.
    np.testing.assert_allclose(found.costs, cost, atol=2e-6)
    assert pontryagin_residual(game, found.controls, x0, ts).max() < 1e-5


class Deaf(eqx.Module):
    """A number that does nothing."""

    number: jax.Array

    def __call__(self, x):
        return 0 * self.number * x


def unheard():
    """A game of two whose controls have no effect, with its start, times and a guess."""
    deaf = Drift(Euclidean(1), Deaf(jnp.zeros(())))
    game = ConsensusGame(
        [deaf] * 2, 2.0, 0.5, where=lambda flow: flow.function.number, effort=[1.0, 2.0]
    )
    return game, SHIFTED[:2], jnp.linspace(0.0, 1.0, 3), jnp.ones((2, 3, 1))


@pytest.mark.slow
def test_what_has_no_effect_is_left_alone():
    game, x0, ts, guess = unheard()
    found = nash(game, x0, ts, guess=guess)
    np.testing.assert_allclose(found.controls, 0, atol=1e-6)
    idle = game.costs(game.blank(x0, ts), x0, ts)
    np.testing.assert_allclose(found.costs, idle, rtol=1e-10)


def test_what_has_no_effect_is_paid_all_the_same():
    game, x0, ts, guess = unheard()
    idle = game.costs(game.blank(x0, ts), x0, ts)
    np.testing.assert_allclose(idle, (2.0 + 0.5) / 2 * 0.6**2, rtol=1e-12)
    effort = game.costs(guess, x0, ts) - idle
    np.testing.assert_allclose(effort, [0.5, 1.0], rtol=1e-12)
    np.testing.assert_allclose(pontryagin_residual(game, guess, x0, ts), 1, rtol=1e-12)


@pytest.mark.slow
def test_prices_are_those_of_the_formulas():
    still = Drift(Euclidean(1), Wind(jnp.zeros(1), 0.0))
    game, exact = ConsensusGame([still] * 2, 2.0, 0.5, where=wind), LinearQuadratic(2, 2.0, 0.5)
    found = prices(game, SHIFTED[:2], jnp.linspace(0.0, 1.0, 4))
    assert found.converged and (found.commitment > 1e-3).all()
    # Costs by the squares of what linear pieces leave.
    assert found.anarchy == pytest.approx(float(exact.price_of_anarchy(1.0)), abs=1e-4)
    same = ConsensusGame([Drift(Euclidean(1), jnp.zeros_like)] * 2, 2.0, 0.5)
    pushed = prices(same, SHIFTED[:2].mean(axis=1, keepdims=True), jnp.linspace(0.0, 1.0, 4))
    np.testing.assert_allclose(found.led, pushed.led, atol=1e-8)


@pytest.mark.slow
def test_gradients_are_finite_differences():
    """Of two attentions whose temperatures are steered, on the circle."""
    flows = [AttentionFlow(Sphere(2), Softmax(b)) for b in (1.0, 3.0)]
    own = 0.3 * Potential(lambda x: x[0])
    game = ConsensusGame(flows, 2.0, 1.0, where=beta, effort=[1.0, 0.3], terminal_interests=own)
    ts, angles = jnp.array([0.0, 0.3, 1.0]), np.array([[0.0, 1.0, 2.5], [0.5, 1.5, 3.0]])
    x0 = jnp.asarray(np.stack([np.cos(angles), np.sin(angles)], axis=-1))
    u, way = jnp.asarray(np.random.default_rng(5).normal(size=(2, 2, 3, 1)))
    costs = jax.jit(lambda s: game.costs(u + s * way, x0, ts))
    h = 1e-2
    near, far = ((costs(k * h) - costs(-k * h)) / (2 * k * h) for k in (1.0, 2.0))
    slopes = jax.jit(jax.jacrev(lambda u: game.costs(u, x0, ts)))(u)
    exact = jnp.sum(slopes * way, axis=(1, 2, 3))
    # Of order four: h^4/30 = 3e-10 of a fifth derivative.
    np.testing.assert_allclose((4 * near - far) / 3, exact, rtol=1e-7)


@pytest.mark.slow
def test_gains_of_a_feedback():
    """x' = k x at a price of k^2/2, and g x^2/2 at the end: k e^{-2 k} = -g x^2, for each its own."""
    weight, x0, ts = 3.0, jnp.array([[[2.0]], [[-0.7]]]), jnp.linspace(0.0, 1.0, 17)
    linear = eqx.nn.Linear(1, 1, use_bias=False, key=jax.random.key(0))
    linear = eqx.tree_at(lambda m: m.weight, linear, jnp.zeros((1, 1)))
    own = 0.5 * weight * Potential(lambda x: jnp.sum(x**2))
    ways = {"where": lambda flow: flow.function, "constant": True, "terminal_interests": own}
    game = ConsensusGame([Drift(Euclidean(1), linear)] * 2, 0.0, 0.0, **ways)
    found = nash(game, x0, ts)
    assert found.converged
    gains = [float(one.weight[0, 0, 0]) for one in game.numbers(found.controls)]
    exact = -lambertw(2 * weight * np.asarray(x0).ravel() ** 2).real / 2
    np.testing.assert_allclose(gains, exact, atol=2e-6)


def test_refusals():
    made = lambda **ways: ConsensusGame([WINDY] * 2, 1.0, 1.0, **ways)
    check_refused(lambda: made(where=[wind]), "one for each")
    check_refused(lambda: made(where=lambda flow: flow.geometry), "attention.beta")
    check_refused(lambda: made(where=1.0), "attention.beta")
    check_refused(lambda: made(effort=[1.0, 2.0, 3.0]), "one for each")
    check_refused(lambda: made(effort=0.0), "effort > 0")
    check_refused(lambda: made(constant=1), "True or False")
    check_refused(lambda: made().numbers(jnp.zeros((2, 3, 1))), "pass where=")
    check_refused(lambda: made(where=wind).numbers(jnp.zeros((3, 3, 1))), "those of nash")
    steered, x0, ts = made(where=wind), SHIFTED[:2], jnp.arange(3.0)
    check_refused(lambda: steered.costs(jnp.zeros((2, 3, 3, 1)), x0, ts), "[2, 3, 1]")


class _Told(AbstractInIntervals):
    """Answers with the interval, the share of it that has passed, and the time."""

    ts: jax.Array

    def within(self, k, share, state):
        now, length = self.time(k, share)
        return k.astype(float), share, now, length

    def check(self, state):
        return state


def test_the_last_time_is_the_end_of_the_last_interval():
    told = _Told(jnp.array([0.0, 1.0, 3.0, 7.0]))
    at = {0.0: (0, 0, 0, 1), 1.25: (1, 0.25, 1.5, 2), 2.0: (2, 0, 3, 4), 3.0: (2, 1, 7, 4)}
    for t, want in at.items():
        found = told.drift(jnp.asarray(t), (0.0,) * 4, None)
        np.testing.assert_allclose([float(each) for each in found], want, rtol=1e-12, atol=1e-12)
