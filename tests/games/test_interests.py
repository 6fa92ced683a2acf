"""Players with interests of their own: boundary value problems, a regulator, the entropy of Gaussians."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused
from scipy.linalg import expm
from scipy.special import ndtri

from meanfield.dynamics import Drift
from meanfield.energies import Entropy, Interaction, Potential
from meanfield.games import ConsensusGame, nash, planner, pontryagin_residual, prices
from meanfield.games.control._interests import interest
from meanfield.geometry import Euclidean, Sphere

LINE = Drift(Euclidean(1), jnp.zeros_like)


def toward(centre):
    """|x - centre|^2/2 of a token."""
    return Potential(lambda x: jnp.sum((x - centre) ** 2) / 2)


def ends(planned, drift, q, g, own, last, x0, time):
    """Where all end, from costates p with x' = drift x - p, and what each pays, by fine steps.

    -p_i' = drift p_i + what moving x_i changes of the running costs; the same at the end.
    """
    n = len(x0)
    away = np.eye(n) - 1 / n
    felt = away if planned else (1 - 1 / n) * away
    (p, c), (r, e) = own, last
    run, end = q * felt + np.diag(p), g * felt + np.diag(r)
    zero = np.zeros((n, 1))
    slopes = np.block(
        [
            [drift * np.eye(n), -np.eye(n), zero],
            [-run, -drift * np.eye(n), (p * c)[:, None]],
            [np.zeros((1, 2 * n + 1))],
        ]
    )
    flow = expm(time * slopes)
    # p = end x - r e at the end, linear in p at the start.
    close = np.hstack([-end, np.eye(n), (r * e)[:, None]]) @ flow
    one = np.ones((1, x0.shape[1]))
    known = close[:, :n] @ x0 + close[:, -1:] @ one
    first = -np.linalg.solve(close[:, n : 2 * n], known)
    steps = 4000
    step, y = expm(time / steps * slopes), [np.vstack([x0, first, one])]
    for _ in range(steps):
        y.append(step @ y[-1])
    path = np.array(y)
    x, u = path[:, :n], -path[:, n : 2 * n]
    square = lambda a: (a**2).mean(axis=-1)
    rate = (square(u) + q * square(x - x.mean(axis=1, keepdims=True))) / 2
    rate += p * square(x - c[:, None]) / 2
    final = g * square(x[-1] - x[-1].mean(axis=0)) / 2 + r * square(x[-1] - e[:, None]) / 2
    return x[-1], np.trapezoid(rate, dx=time / steps, axis=0) + final


@pytest.mark.parametrize("planned", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_quadratic_interests_are_a_boundary_value_problem(planned):
    """Of three models, one of which wants nothing on the way, and one nothing at the end."""
    drift, q, g, time = 0.3, 2.0, 0.5, 0.8
    own = np.array([1.5, 0.0, 3.0]), np.array([-1.0, 0.0, 2.0])
    last = np.array([0.0, 0.7, 2.0]), np.array([0.0, 1.0, -0.5])
    x0 = np.array([[-1.0, 0.2], [0.5, 1.3], [0.0, 0.1]])
    game = ConsensusGame(
        [Drift(Euclidean(1), lambda x: drift * x)] * 3,
        q,
        g,
        interests=[1.5 * toward(-1.0), None, 3.0 * toward(2.0)],
        terminal_interests=(None, 0.7 * toward(1.0), lambda x: jnp.mean((x + 0.5) ** 2)),
    )
    ts, start = jnp.linspace(0.0, time, 17), jnp.asarray(x0)[..., None]
    found = (planner if planned else nash)(game, start, ts)
    assert found.converged
    final, costs = ends(planned, drift, q, g, own, last, x0, time)
    # Linear between times h apart: h^4/720 = 9e-9 of fourth derivatives, c^4 of c^2 <= 5.4.
    np.testing.assert_allclose(game.final(found.controls, start, ts)[..., 0], final, atol=1e-6)
    np.testing.assert_allclose(found.costs, costs, atol=1e-6)
    residual = pontryagin_residual(game, found.controls, start, ts, planned=planned)
    # Kinks: h^2 c^2/(12 sqrt 5).
    assert residual.max() < 0.05**2 * 5.4 / (12 * 5**0.5)
    if not planned:
        assert found.exploitability.max() < 1e-8 and found.stability < 1


@pytest.mark.slow
def test_prices_of_games_with_interests():
    """Two who want to be apart, and pay for it: what each pays in both kinds of play, and who leads saves."""
    q, g, time = 2.0, 0.5, 1.0
    own, x0 = (np.array([1.5, 1.0]), np.array([-1.0, 2.0])), np.array([[0.0], [0.5]])
    none = np.zeros(2), np.zeros(2)
    game = ConsensusGame([LINE] * 2, q, g, interests=[1.5 * toward(-1.0), toward(2.0)])
    found = prices(game, jnp.asarray(x0)[..., None], jnp.linspace(0.0, time, 5))
    alone, best = (ends(planned, 0.0, q, g, own, none, x0, time)[1] for planned in (False, True))
    # Costs by the squares of what pieces of 1/4 leave, (h^2 c^2/8)^2 for c^2 <= 3.5.
    np.testing.assert_allclose(found.costs, alone, rtol=1e-3)
    np.testing.assert_allclose(found.planned, best, rtol=1e-3)
    assert found.anarchy == pytest.approx(alone.sum() / best.sum(), rel=1e-4)
    assert found.converged and (found.commitment > 1e-4).all()


@pytest.mark.slow
def test_who_shares_nothing_is_a_regulator():
    """u = -c tanh(c (T - t)) x, of cost c tanh(c T) x^2/2; who has no interest rests."""
    c, x0, ts = 1.2, jnp.array([[[1.0], [2.0]], [[0.0], [5.0]]]), jnp.linspace(0.0, 1.0, 17)
    game = ConsensusGame([LINE] * 2, 0.0, 0.0, interests=[c**2 * toward(0.0), None])
    found = nash(game, x0, ts)
    assert found.converged
    left = game.final(found.controls, x0, ts)[0] / x0[0]
    np.testing.assert_allclose(left, 1 / np.cosh(c), atol=1e-6)
    np.testing.assert_allclose(found.costs, [c * np.tanh(c) * 2.5 / 2, 0.0], atol=1e-6)
    np.testing.assert_allclose(found.controls[1], 0, atol=1e-12)


def test_entropy_spreads_a_gaussian():
    """Of quantiles s z: min int s'^2/2 - nu log s(T), times mean z^2: s(T) = (s + sqrt(s^2 + 4 nu T))/2."""
    z = ndtri((np.arange(7) + 0.5) / 7)
    nu, s, time = 0.8, 0.6, 1.5
    x0 = jnp.asarray(np.stack([s * z[::-1], z]))[..., None]
    ts = jnp.linspace(0.0, time, 3)
    game = ConsensusGame([LINE] * 2, 0.0, 0.0, terminal_interests=[nu * Entropy(), None])
    found = nash(game, x0, ts)
    assert found.converged
    end = (s + np.sqrt(s**2 + 4 * nu * time)) / 2
    final = game.final(found.controls, x0, ts)[..., 0]
    np.testing.assert_allclose(final[0], end * z[::-1], atol=1e-6)
    gained = found.costs[0] - game.costs(game.blank(x0, ts), x0, ts)[0]
    exact = np.mean(z**2) * ((end - s) ** 2 / (2 * time) - nu * np.log(end / s))
    assert gained == pytest.approx(exact, abs=1e-9)


def test_energies_of_densities_on_the_circle():
    """The gaps between neighbours, over those of equal tokens, in whatever order these come."""
    angles = np.array([3.0, -2.0, 0.1, 1.0, -0.5])
    x = jnp.asarray(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    around = np.sort(angles)
    gaps = np.diff(np.append(around, around[0] + 2 * np.pi))
    value = interest(2.0 * Entropy() - Potential(lambda x: x[0]), Sphere(2), x)
    exact = -2 * np.mean(np.log(5 * gaps / (2 * np.pi))) - np.cos(angles).mean()
    assert value == pytest.approx(exact, rel=1e-13)
    check_refused(lambda: interest(Entropy(), Sphere(3), jnp.eye(3)), "entropy_knn")


@pytest.mark.slow
def test_opposite_interests_compromise_by_symmetry():
    """One wants to go north and one south, from one cloud on the equator: mirrored, the nearer the more
    they share."""
    north = Potential(lambda x: x[2])
    angles = jnp.array([0.1, 0.7])
    cloud = jnp.stack([jnp.cos(angles), jnp.sin(angles), 0 * angles], axis=1)
    x0, ts = jnp.stack([cloud, cloud]), jnp.linspace(0.0, 1.0, 5)
    flow, heights = Drift(Sphere(3), jnp.zeros_like), []
    for weight in (0.0, 2.0):
        game = ConsensusGame([flow] * 2, weight, 1.0, interests=[3.0 * north, -3.0 * north])
        found = nash(game, x0, ts)
        assert found.converged and found.stability < 1
        x = game.final(found.controls, x0, ts)
        np.testing.assert_allclose(x[0] * jnp.array([1.0, 1.0, -1.0]), x[1], atol=1e-6)
        np.testing.assert_allclose(found.costs[0], found.costs[1], atol=1e-9)
        heights.append(float(x[1, :, 2].mean()))
    assert heights[0] - 0.02 > heights[1] > 0.1


@pytest.mark.slow
def test_gradients_are_finite_differences():
    """Of all interests at once; and those of weight zero change nothing."""
    flows = [Drift(Sphere(2), jnp.zeros_like)] * 2
    ts, angles = jnp.array([0.0, 0.3, 1.0]), np.array([0.1, 0.9, 2.0, 3.5, 5.0])
    x0 = jnp.asarray(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    x0 = jnp.stack([x0, -x0])
    made = lambda s: ConsensusGame(
        flows,
        2.0,
        1.0,
        interests=[s * 0.3 * Entropy(), s * Interaction(2.0)],
        terminal_interests=s * Potential(lambda x: x[0] ** 2),
    )
    u, way = jnp.asarray(np.random.default_rng(4).normal(size=(2, 2, 3, 5, 2))) / 10
    both = jax.jit(lambda s, u: made(s).costs(u, x0, ts))
    costs = lambda u: both(1.0, u)
    h = 1e-3
    near, far = (
        (costs(u + k * h * way) - costs(u - k * h * way)) / (2 * k * h) for k in (1.0, 2.0)
    )
    slopes = jax.jit(jax.jacrev(lambda u: made(1.0).costs(u, x0, ts)))(u)
    exact = jnp.sum(slopes * way, axis=(1, 2, 3, 4))
    # Of order four: h^4/30 of a fifth derivative, and roundings over h.
    np.testing.assert_allclose((4 * near - far) / 3, exact, rtol=1e-8, atol=1e-9)
    plain = ConsensusGame(flows, 2.0, 1.0).costs(u, x0, ts)
    np.testing.assert_allclose(both(0.0, u), plain, rtol=1e-14)
    assert (jnp.abs(costs(u) - plain) > 0.01).all()


def test_tokens_that_coincide_have_no_entropy():
    x0, ts = jnp.zeros((2, 5, 1)), jnp.linspace(0.0, 1.0, 3)
    game = ConsensusGame([LINE] * 2, 1.0, 1.0, terminal_interests=Entropy())
    assert not jnp.isfinite(game.costs(game.blank(x0, ts), x0, ts)).any()


@pytest.mark.slow
def test_players_whose_tokens_coincide_find_nothing():
    x0, ts = jnp.zeros((2, 5, 1)), jnp.linspace(0.0, 1.0, 3)
    game = ConsensusGame([LINE] * 2, 1.0, 1.0, terminal_interests=Entropy())
    assert not nash(game, x0, ts, rounds=2, max_steps=5).converged


def test_refusals():
    check_refused(lambda: ConsensusGame([LINE] * 2, 1.0, 1.0, interests=[None] * 3), "2 players")
    check_refused(lambda: ConsensusGame([LINE] * 2, 1.0, 1.0, interests="ab"), "one energy")
    x0, ts = jnp.zeros((2, 3, 1)), jnp.arange(3.0)
    two = ConsensusGame([LINE] * 2, 1.0, 1.0, terminal_interests=lambda x: x[0])
    check_refused(lambda: nash(two, x0, ts), "sum its parts")
    few = ConsensusGame([LINE] * 2, 1.0, 1.0, interests=Entropy())
    check_refused(lambda: nash(few, x0, ts), "N >= 5")
