"""Basins, pushes and dwell times against flows that are solved by hand."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused
from scipy.stats import norm
from unit_vectors import on_circle

from meanfield.attention import Softmax, Unnormalized
from meanfield.dynamics import AttentionFlow, Drift, GradientFlow, TwoCluster
from meanfield.energies import Potential
from meanfield.geometry import Euclidean, Sphere
from meanfield.landscape import AtSaddles, basins, decision_times, dwell_time, pushes
from meanfield.observables import state
from meanfield.solve import SolveError, simulate

KEY = jax.random.key(0)
LINE, CIRCLE = Euclidean(1), Sphere(2)
# One token on the circle that leaves the top at angle 0 for one of two wells at +-pi/2.
WELLS = GradientFlow(CIRCLE, Potential(lambda x: 0.5 * x[0] ** 2))


def right(x):
    """On which side of the top the first token is."""
    return x[:1, 1] > 0


@pytest.fixture(scope="module")
def leaving():
    """A run that leaves the top, with its clouds."""
    ts = jnp.linspace(0.0, 3.0, 13)
    return simulate(WELLS, on_circle(0.01), ts, observe={"x": state}, tol=1e-8)


def close(share, exact, runs):
    """Three standard errors of a share."""
    np.testing.assert_allclose(share, exact, atol=3 * np.sqrt(exact * (1 - exact) / runs))


def test_basins_of_a_top_are_those_of_the_start():
    """No angle crosses 0: the right well has Phi(offset/spread), and the interval is Wilson's by hand."""
    found = basins(WELLS, on_circle(0.06), 1.0, KEY, 400, spread=0.1, label=right)
    assert found.label.tolist() == [[True], [False]] and int(found.count.sum()) == 400
    close(found.share[0], norm.cdf(0.6), 400)
    np.testing.assert_allclose(found.share, found.count / 400, rtol=1e-12)
    p, z = float(found.share[0]), 1.959963984540054
    # The ends solve (p - q)^2 = z^2 q (1 - q)/N.
    for q in (float(found.low[0]), float(found.high[0])):
        np.testing.assert_allclose((p - q) ** 2, z**2 * q * (1 - q) / 400, rtol=1e-9)
    assert found.low[0] < p < found.high[0]


def test_basins_of_noise_on_the_line():
    """x' = x + noise: Euler's steps have a normal law, of which the share right of 0 is known."""
    grow = Drift(LINE, lambda x: x, noise=0.02)
    found = basins(
        grow, jnp.array([[0.1]]), 1.5, KEY, 400, start=0.5, dt=0.1, label=lambda x: x[0] > 0
    )
    powers = 1.1 ** np.arange(10)
    exact = norm.cdf(0.1 * 1.1**10 / np.sqrt(2 * 0.02 * 0.1 * (powers**2).sum()))
    assert found.label[0].item()
    close(found.share[0], exact, 400)


def test_basins_by_clusters():
    """The third token starts on the top and joins either other, as often: labels are least members."""
    found = basins(WELLS, on_circle(0.4, -0.4, 0.0), 16.0, KEY, 100, spread=0.05, tolerance=0.01)
    assert sorted(found.label.tolist()) == [[0, 1, 0], [0, 1, 1]]
    close(found.share[0], 0.5, 100)


def test_pushes_of_two_tokens_that_leave_a_saddle():
    """phi' = f(phi) = -e^{beta cos phi} sin phi, so that d phi(T)/d phi(t) = f(phi(T))/f(phi(t)).

    phi = theta_2 - theta_1, so that g = (-1/w_1, 1/w_2) times that. At first they are nearly
    antipodal, where f is e^{-beta} times the distance: the push loses e^{e^{-beta} t} meanwhile.
    """
    beta, ts, w = 1.5, jnp.array([0.0, 0.5, 12.0, 15.0]), jnp.array([0.3, 0.7])
    x0 = on_circle(0.2, 0.2 + np.pi - 0.05)

    def angle(x):
        return jnp.arctan2(x[0, 0] * x[1, 1] - x[0, 1] * x[1, 0], x[0] @ x[1])

    flow = AttentionFlow(CIRCLE, Unnormalized(beta), weights=w)
    found = pushes(flow, x0, ts, angle, tol=1e-10)
    phi = np.array([angle(x) for x in found.x])
    speed = np.exp(beta * np.cos(phi)) * np.sin(phi)
    np.testing.assert_allclose(found.value, phi[-1], rtol=1e-12)
    size = np.sqrt((1 / w).sum())
    np.testing.assert_allclose(found.size, size * speed[-1] / speed, rtol=1e-6)
    growth = 0.5 * np.exp(-beta)
    np.testing.assert_allclose(np.log(found.size[0] / found.size[1]), growth, rtol=0.01)
    turn = np.stack([-found.x[..., 1], found.x[..., 0]], axis=-1)
    expected = turn * (np.array([-1.0, 1.0]) / w / size)[:, None]
    np.testing.assert_allclose(found.direction, expected, atol=1e-7)
    # At rest a step may not be longer than about 1/f'.
    with pytest.raises(SolveError, match=r"between t = 12 and 1e\+09: raise max_steps"):
        pushes(flow, x0, ts.at[-1].set(1e9), angle, tol=1e-10)


@pytest.mark.slow
def test_pushes_are_differences_of_runs_in_the_metric_of_masses():
    """Central differences of pushes at the second time, along an uneven cloud; errors of h^2 = 1e-8."""
    w = jnp.array([0.2, 0.5, 0.3])
    flow = AttentionFlow(Sphere(3), Softmax(2.0), weights=w)
    x0, ts = Sphere(3).sample(KEY, 3), jnp.array([0.0, 0.4, 1.0])

    def outcome(x):
        return x[0] @ x[1] - x[2, 0] ** 2

    found = pushes(flow, x0, ts, outcome, tol=1e-10)
    run = jax.jit(lambda x: outcome(simulate(flow, x, ts[1:], tol=1e-10).final))
    h, u = 1e-4, Sphere(3).to_tangent(found.x[1], jax.random.normal(KEY, (3, 3)))
    moved = [run(Sphere(3).exp(found.x[1], s * h * u)) for s in (1, -1)]
    predicted = found.size[1] * jnp.sum(w[:, None] * found.direction[1] * u)
    np.testing.assert_allclose((moved[0] - moved[1]) / (2 * h), predicted, rtol=1e-6)
    effort = jnp.sum(w[:, None] * found.direction**2, axis=(1, 2))
    np.testing.assert_allclose(effort, 1, rtol=1e-12)


def test_a_run_is_decided_when_it_is_far_from_the_boundary(leaving):
    """tan(angle) = tan(start) e^t: kept(t) = Phi(angle/spread), and 3/4 is passed at angle .674 spread.

    Of H = x_2, dH/dt = sin cos^2 of the angle, which is least at the start.
    """
    run, ts = leaving, np.asarray(leaving.ts)
    options = {"spread": 0.1, "label": right, "functional": lambda x, w: x[0, 1]}
    found = decision_times(WELLS, run, KEY, 400, **options)
    exact = norm.cdf(np.arctan(np.tan(0.01) * np.exp(ts[:-1])) / 0.1)
    for share, known in zip(found.kept, exact, strict=True):
        close(share, known, 400)
    expected = ts[int(np.argmax(exact >= 0.75))]
    assert abs(found.time - expected) <= 0.25  # a save: the crossing is at 1.907
    assert (found.low <= found.kept).all() and (found.kept <= found.high).all()
    x = run.values["x"][:-1, 0]
    np.testing.assert_allclose(found.rate, x[:, 1] * x[:, 0] ** 2, rtol=1e-10)
    assert float(found.quietest) == 0
    options["functional"] = lambda x, w: jnp.nan * x[0, 1]
    assert np.isnan(decision_times(WELLS, run, KEY, 400, **options).quietest)


@pytest.mark.parametrize("masses", [pytest.param((0.5, 0.5), marks=pytest.mark.slow), (0.3, 0.7)])
def test_dwell_at_an_antipodal_pair(masses):
    """Two heavy tokens: log(radius/distance)/lambda, against the exact passage of `TwoCluster`."""
    w, beta = np.array(masses), 1.0
    flow = AttentionFlow(CIRCLE, Softmax(beta), weights=jnp.array(w))
    growth = (w / (w + w[::-1] * np.exp(2 * beta))).sum()
    first, radius = 1e-3, 0.02
    found = dwell_time(flow, on_circle(0.0, np.pi), on_circle(0.0, np.pi - first), radius)
    np.testing.assert_allclose(found.rate, growth, rtol=1e-10)
    np.testing.assert_allclose(found.rates[1], 0, atol=1e-10)  # rotation
    np.testing.assert_allclose(found.distance, first * np.sqrt(w[1]), rtol=1e-6)
    # The offset splits into a rotation, which stays, and the gap: theta_1' : theta_2' = a : -b.
    a, b = w[::-1] / (w[::-1] + w * np.exp(2 * beta))
    gap = lambda e: (
        np.sqrt(w[0] * (a * (e - first)) ** 2 + w[1] * (a * first + b * e) ** 2) / (a + b)
    )
    ends = np.linspace(first, 0.2, 200001)
    last = np.interp(radius, gap(ends), ends)
    np.testing.assert_allclose(found.time, np.log(last / first) / growth, rtol=1e-4)
    exact = TwoCluster(Softmax(beta), jnp.array(w)).passage_time(-np.cos(first), -np.cos(last))
    # The next order of the flow is angle^2 of its rate.
    np.testing.assert_allclose(found.time, exact, rtol=2 * last**2)


def test_what_does_not_grow_stays():
    flow = AttentionFlow(CIRCLE, Softmax(1.0))
    found = dwell_time(flow, on_circle(0.0, 0.0), on_circle(0.0, 0.01), 0.1)
    assert np.isinf(found.time) and found.rate <= 1e-12


def test_the_gate_at_saddles_is_open_on_the_top_alone():
    """E = cos^2/2 of each angle a from the top: v = sin a cos a, lambda = cos 2a."""
    gate, t = AtSaddles(WELLS.energy, 0.2), jnp.zeros(())
    angles, w = np.array([[0.1, 0.3], [1.5, 1.2], [0.1, 1.2]]), np.array([0.3, 0.7])
    x = jnp.stack([on_circle(*pair) for pair in angles])
    velocity = jax.vmap(lambda cloud: WELLS.drift(t, cloud, None))(x)
    found = eqx.filter_jit(gate)(t, x, velocity, jnp.asarray(np.tile(w, (3, 1))))
    away = np.sin(2 * angles) / (2 * np.cos(2 * angles))
    square = [w @ away[0] ** 2, np.inf, w[0] * away[2, 0] ** 2]  # 1.2 and 1.5 are in a valley
    np.testing.assert_allclose(found, 1 / (1 + np.array(square) / 0.04), rtol=1e-9)


def test_refused(leaving):
    x = on_circle(0.3)
    check_refused(lambda: basins(WELLS, x, 1.0, KEY), "runs that differ")
    with pytest.raises(ValueError, match="integers or truth values"):
        basins(WELLS, x, 1.0, KEY, spread=0.1, label=lambda x: x[0, 1])
    check_refused(lambda: basins(WELLS, x, 1.0, KEY, start=2.0, spread=0.1), "after the start")
    with pytest.raises(ValueError, match="kept its clouds"):
        decision_times(WELLS, dataclasses.replace(leaving, values={}), KEY, spread=0.1)
    with pytest.raises(ValueError, match="without noise"):
        pushes(Drift(LINE, lambda x: x, noise=0.1), jnp.ones((1, 1)), jnp.arange(2.0), jnp.sum)
    check_refused(lambda: pushes(WELLS, x, jnp.arange(2.0), lambda x: x[0]), "one number")
    with pytest.raises(ValueError, match="no mass"):
        light = AttentionFlow(CIRCLE, Softmax(1.0), weights=jnp.array([1.0, 0.0]))
        pushes(light, on_circle(0.0, 1.0), jnp.arange(2.0), lambda x: x[0, 0])
    with pytest.raises(ValueError, match="no mass"):
        dwell_time(light, on_circle(0.0, 0.0), on_circle(0.0, 0.01), 0.1)
    check_refused(lambda: dwell_time(WELLS, x, x, 0.1), "stationary saddle")
    check_refused(lambda: dwell_time(WELLS, on_circle(0.0), x, 0.1), "raise radius")
