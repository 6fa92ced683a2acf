"""Best responses by adjoint gradients against Riccati equations: any clouds on the line, means in R^2."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused
from scipy.linalg import expm

from meanfield.attention import Unnormalized
from meanfield.dynamics import AttentionFlow, Control, Drift
from meanfield.games import (
    ConsensusGame,
    LinearQuadratic,
    Matched,
    Means,
    OneShot,
    Planner,
    Quantiles,
    nash,
    planner,
    pontryagin_residual,
    stackelberg,
)
from meanfield.geometry import Euclidean, Sphere

LINE, PLANE, SPHERE = (
    Drift(space, jnp.zeros_like) for space in (Euclidean(1), Euclidean(2), Sphere(3))
)


def test_any_clouds_on_the_line():
    """N = 2, six points each: the share that is left of all differences of quantiles."""
    start = jax.random.normal(jax.random.key(0), (2, 6, 1))
    x0 = start * jnp.array([1.0, 0.5]).reshape(2, 1, 1) + jnp.array([2.0, -1.0]).reshape(2, 1, 1)
    game, exact = ConsensusGame([LINE] * 2, 4.0, 1.0), LinearQuadratic(2, 4.0, 1.0)
    ts = jnp.linspace(0.0, 1.0, 9)
    found = nash(game, x0, ts)
    assert found.converged and found.exploitability.max() < 1e-6 * found.costs.sum()
    before, after = jnp.sort(x0[..., 0]), jnp.sort(game.final(found.controls, x0, ts)[..., 0])
    left = (after - after.mean(axis=0))[0] / (before - before.mean(axis=0))[0]
    # Controls linear between times h apart: ends are off by order h^4 = 2e-4, times c^4/720.
    np.testing.assert_allclose(left, 0.3493654, atol=1e-6)
    np.testing.assert_allclose(left, exact.remaining(1.0, 1.0), atol=1e-6)
    np.testing.assert_allclose(after.mean(axis=0), before.mean(axis=0), atol=1e-6)
    # Costs are off by the square of the controls' error below.
    np.testing.assert_allclose(found.costs, exact.costs(before, 1.0), rtol=5e-6)
    # The contraction of a discretized game of the same numbers is .148, with steps of 1/100.
    assert found.contraction == pytest.approx(0.148, abs=2e-3)
    assert found.stability == pytest.approx(0.148, abs=2e-3)
    # The certificate sees the kinks: u'' = c^2 u, c^2 = 2, of which the best linear pieces miss
    # h^2 c^2/(12 sqrt 5), and pieces half as long see all but a sixteenth.
    kinks = (15 / 16) ** 0.5 * 0.125**2 * 2 / (12 * 5**0.5)
    np.testing.assert_allclose(pontryagin_residual(game, found.controls, x0, ts), kinks, rtol=0.02)
    assert nash(game, 1e3 * x0, ts).converged  # nothing but the unit of length has changed


def test_flows_that_jump_at_times_of_the_controls():
    """x' = 1 until t = .5 and -3 from then on, in steps that end there: exact, on both sides of it."""
    speed = lambda t, x, args: jnp.where(t < 0.5, 1.0, -3.0) + 0 * x
    turn = Control(Euclidean(1), speed, switches=jnp.array([0.5]))
    game, x0, ts = ConsensusGame([turn, LINE], 1.0, 1.0), jnp.zeros((2, 1, 1)), jnp.arange(3) / 2
    np.testing.assert_allclose(game.final(jnp.zeros((2, 3, 1, 1)), x0, ts)[0], -1.0, rtol=1e-14)
    check_refused(lambda: game.blank(x0, jnp.array([0.0, 0.4, 1.0])), "add its times")


@pytest.mark.slow
def test_means_of_gaussian_clouds_in_the_plane():
    """Of covariances that do not commute: the means follow the Riccati equation, and nothing else moves."""
    shape = jax.random.normal(jax.random.key(1), (3, 3, 2))
    first, second, _ = (np.cov(np.asarray(one).T) for one in shape)
    assert np.abs(first @ second - second @ first).max() > 0.05
    means = jnp.array([[0.0, 1.0], [2.0, 0.0], [-1.0, 0.5]])
    game, exact = ConsensusGame([PLANE] * 3, 2.0, 0.5, Means()), LinearQuadratic(3, 2.0, 0.5)
    x0, ts = means[:, None] + shape, jnp.linspace(0.0, 1.0, 6)
    found = nash(game, x0, ts)
    assert found.converged
    x = game.final(found.controls, x0, ts)
    # h^4 c^4/720 = 4e-6.
    centres = x0.mean(axis=1)
    ends = exact.play(centres, jnp.array([0.0, 1.0]))[-1]
    np.testing.assert_allclose(x.mean(axis=1), ends, atol=1e-5)
    np.testing.assert_allclose(x - x.mean(axis=1, keepdims=True), x0 - centres[:, None], atol=1e-6)
    costs = exact.costs(centres, 1.0, quantiles=False)
    np.testing.assert_allclose(found.costs, costs, rtol=2e-5)


@pytest.mark.slow
def test_a_leader_knows_what_the_other_will_answer():
    """Two points on the line: the leader plans for d = x_1 - x_2 and the costate p_2 of the other.

    d' = u_1 + p_2, p_2' = q d/4, p_2(T) = -g d(T)/4; its own costates l, m: u_1 = -l, m(0) = 0.
    """
    q, g, n = 4.0, 1.0, 2000
    slopes = np.array([[0, 1, -1, 0], [q / 4, 0, 0, 0], [-q / 4, 0, 0, -q / 4], [0, 0, -1, 0]])
    ends = np.array([[g / 4, 1, 0, 0], [-g / 4, 0, 1, -g / 4]]) @ expm(slopes)
    first = np.linalg.solve(ends[:, 1:3], ends[:, 0])  # from d(0) = -1
    step, y = expm(slopes / n), [np.array([-1.0, *first, 0.0])]
    for _ in range(n):
        y.append(step @ y[-1])
    d, p, own, _ = np.array(y).T
    paid = [np.trapezoid(u**2 / 2 + q * d**2 / 8, dx=1 / n) + g * d[-1] ** 2 / 8 for u in (own, p)]
    game, x0, ts = ConsensusGame([LINE] * 2, q, g), jnp.array([[[0.0]], [[1.0]]]), jnp.arange(3) / 2
    found = stackelberg(game, x0, ts)
    assert found.converged
    # Controls linear between times h apart, as in the first test: h^4 = .06 times c^4/720, c^2 = 2,
    # of costs; what the leader saves against Nash is fifty times as much.
    np.testing.assert_allclose(found.costs, paid, atol=1.5e-4)
    assert LinearQuadratic(2, q, g).cost(1.0) / 4 - found.costs[0] > 7e-3


@pytest.mark.slow
def test_two_tokens_on_the_sphere():
    """They play on the great circle between them what clouds of one point play on the line."""
    angle = 1.2
    x0 = jnp.array([[[1.0, 0.0, 0.0]], [[jnp.cos(angle), jnp.sin(angle), 0.0]]])
    # Of order h^2: ambient controls of the planner turn and fade at rates of about 2.
    game, ts = ConsensusGame([SPHERE] * 2, 4.0, 1.0), jnp.linspace(0.0, 1.0, 61)
    exact = LinearQuadratic(2, 4.0, 1.0)
    for found, play in ((nash(game, x0, ts), None), (planner(game, x0, ts), Planner())):
        assert found.converged
        x = game.final(found.controls, x0, ts)
        left = jnp.arccos(x[0, 0] @ x[1, 0]) / angle
        assert left == pytest.approx(float(exact.remaining(1.0, 1.0, play)), abs=1e-4)
        residual = pontryagin_residual(game, found.controls, x0, ts, planned=play is not None)
        assert residual.max() < 1e-4
    worse = pontryagin_residual(game, 1.01 * found.controls, x0, ts, planned=True)
    assert worse.min() > 0.01


@pytest.mark.slow
def test_adjoint_gradients_are_finite_differences():
    """Of two transformers on the sphere, along all controls at once."""
    flows = [AttentionFlow(Sphere(3), Unnormalized(beta)) for beta in (1.0, 3.0)]
    game, ts = ConsensusGame(flows, 2.0, 1.0), jnp.array([0.0, 0.3, 1.0])
    x0 = SPHERE.geometry.project(jax.random.normal(jax.random.key(3), (2, 3, 3)))
    u, way = jax.random.normal(jax.random.key(4), (2, 2, 3, 3, 3))
    costs = jax.jit(lambda s: game.costs(u + s * way, x0, ts))
    h = 1e-3
    # Of order four: h^4/30 of a fifth derivative, and roundings over h.
    near, far = ((costs(k * h) - costs(-k * h)) / (2 * k * h) for k in (1.0, 2.0))
    slopes = jax.jit(jax.jacrev(lambda u: game.costs(u, x0, ts)))(u)
    exact = jnp.sum(slopes * way, axis=(1, 2, 3, 4))
    np.testing.assert_allclose((4 * near - far) / 3, exact, rtol=1e-8, atol=1e-9)


def test_discords_agree():
    """On the line, for clouds in one order, tokens that correspond are quantiles."""
    x = jnp.asarray(np.sort(np.random.default_rng(2).normal(size=(3, 4, 1)), axis=1))
    line = Euclidean(1)
    away = np.mean(np.asarray(x - x.mean(axis=0))[..., 0] ** 2, axis=1)
    np.testing.assert_allclose(Quantiles()(line, x), away, atol=1e-13)
    np.testing.assert_allclose(Quantiles()(line, x[:, ::-1]), away, atol=1e-13)
    np.testing.assert_allclose(Matched()(line, x), away, atol=1e-13)
    square = Means()(Euclidean(2), jnp.array([[[0.0, 1.0], [2.0, 1.0]], [[3.0, 5.0], [1.0, 3.0]]]))
    np.testing.assert_allclose(square, (0.5**2 + 1.5**2), atol=1e-13)  # means (1, 1) and (2, 4)
    single = x[:, :1]
    np.testing.assert_allclose(Means()(line, single), Matched()(line, single), atol=1e-13)
    ends = jnp.array([[[1.0, 0.0]], [[0.0, 1.0]]])
    np.testing.assert_allclose(Matched()(Sphere(2), ends), (np.pi / 2) ** 2 / 4, atol=1e-13)


def test_refusals():
    check_refused(lambda: ConsensusGame([LINE], 1.0, 1.0), "two flows")
    check_refused(lambda: ConsensusGame([LINE, PLANE], 1.0, 1.0), "one geometry")
    from meanfield.attention import Softmax

    noisy = AttentionFlow(Sphere(3), Softmax(1.0), noise=0.1)
    check_refused(lambda: ConsensusGame([noisy] * 2, 1.0, 1.0), "without noise")
    game = ConsensusGame([PLANE] * 2, 1.0, 1.0, Quantiles())
    check_refused(lambda: game.discord(game.geometry, jnp.zeros((2, 1, 2))), "on the line")
    check_refused(lambda: nash(game, jnp.zeros((2, 1, 2))), "two times")


@pytest.mark.parametrize(
    "shape", [(), (6,), (1, 4, 3, 2), (2, 3, 3, 2), (2, 4, 1, 2), (2, 4, 3, 1)]
)
def test_controls_of_another_shape_are_refused(shape):
    """Also those that would be broadcast, or cut at the last time that they have."""
    game, x0, ts = ConsensusGame([PLANE] * 2, 1.0, 1.0), jnp.zeros((2, 3, 2)), jnp.arange(4.0)
    for asked in (game.costs, game.final):
        with pytest.raises(
            ValueError, match=r"shape \[2, 4, 3, 2\], got .*; change those of game.blank"
        ):
            asked(jnp.zeros(shape), x0, ts)
    with pytest.raises(
        ValueError, match=r"shape \[2, 2\], got .*; change those of game.blank\(x0\)"
    ):
        OneShot(1.0).costs(jnp.zeros(shape), x0[:, 0])


def test_a_field_of_another_shape_is_refused():
    plane = Control(Euclidean(2), lambda t, x, args: x[0])
    with pytest.raises(
        ValueError, match=r"field of shape \[3, 2\].*got \[2\]; return a vector for each"
    ):
        nash(ConsensusGame([plane] * 2, 1.0, 1.0), jnp.zeros((2, 3, 2)), jnp.arange(4.0))


def test_times_may_be_uneven():
    # Nobody moves: 4/2 of the squared distance for one unit of time, and 1/2 of it at the end.
    x0 = jnp.array([[[0.0], [1.0]], [[2.0], [3.5]]])
    game, ts = ConsensusGame([LINE] * 2, 4.0, 1.0), jnp.array([0.0, 0.02, 1.0])
    costs = game.costs(game.blank(x0, ts), x0, ts)
    np.testing.assert_allclose(costs, 2.5 * (1.0**2 + 1.25**2) / 2, rtol=1e-12)


def test_steps_are_of_order_five():
    """x' = x + a + b t over uneven times: x = e^t (x0 + a + b) - a - b - b t, effort is of u alone."""
    a, b, ts = 1.0, -3.0, jnp.array([0.0, 0.7, 1.5])
    x0, errors = jnp.array([[[0.3]], [[-0.2]]]), []
    u = jnp.broadcast_to((a + b * ts)[:, None, None], (2, 3, 1, 1))
    exact = jnp.exp(1.5) * (x0 + a + b) - a - b - 1.5 * b
    for steps in (2, 4):
        game = ConsensusGame([Drift(Euclidean(1), lambda x: x)] * 2, 0.0, 0.0, steps=steps)
        errors.append(float(jnp.abs(game.final(u, x0, ts) - exact).max()))
    # h = .2: e^1.5 h^5/720 = 2e-6 of order 5, and less, for the next coefficient of e^h nearly agrees.
    assert errors[0] > 20 * errors[1]
    assert errors[1] < 2e-6
    effort = ((a + 1.5 * b) ** 3 - a**3) / (6 * b)
    np.testing.assert_allclose(game.costs(u, x0, ts), effort, rtol=1e-12)


def test_answers_in_single_precision_where_jax_has_double():
    found = nash(OneShot(4.0), jnp.array([[0.0], [1.0]], jnp.float32))
    assert found.controls.dtype == found.costs.dtype == jnp.float32
    # Rounds end at changes of sqrt(eps) = 3e-4, by a few of which costs are off.
    np.testing.assert_allclose(found.costs, 1 / 9, rtol=2e-3)


def test_steps_that_amplify_are_told_where_what_was_spent_is_larger():
    game = ConsensusGame([Drift(Euclidean(2), lambda x: -1e4 * x)] * 2, 1.0, 1.0, Means())
    x0, ts = jax.random.normal(jax.random.key(0), (2, 3, 2)), jnp.linspace(0.0, 1.0, 3)
    assert jnp.isnan(game.final(jnp.zeros((2, 3, 3, 2)), x0, ts)).all()
