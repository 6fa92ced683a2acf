"""Numbers of a flow as controls: a direction, a temperature by what is conserved, a feedback."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused
from scipy.special import lambertw

from meanfield.attention import Unnormalized
from meanfield.dynamics import AttentionFlow, Control, Drift, FokkerPlanck
from meanfield.games import Kuramoto, steer
from meanfield.geometry import Euclidean, Sphere
from meanfield.harmonics import Gegenbauer

TS = jnp.linspace(0.0, 2.0, 9)


class Wind(eqx.Module):
    """A field that is the same everywhere."""

    direction: jax.Array

    def __call__(self, x):
        return self.direction - 0.5 * x


GUST = Control(Euclidean(2), lambda t, x, args: x * (t > 0.4), switches=jnp.array([0.4]))


def wind(flow):
    return flow.function.direction


def test_one_direction_for_all_tokens():
    """x' = u - x/2: u = -G e^{-(T - t)/2}, G the slope of terminal over effort, since p' = p/2."""
    flow = Drift(Euclidean(2), Wind(jnp.zeros(2)))
    x0, aim, weight, effort, end = jnp.array([[1.0, 0.0], [0.0, 3.0]]), 2.0, 3.0, 1.5, 2.0
    terminal = lambda x: weight / 2 * jnp.sum((x.mean(axis=0) - aim) ** 2)
    found = steer(flow, wind, terminal, x0, TS, effort=effort)
    assert found.converged
    # The mean ends at m e^{-T/2} - G (1 - e^{-T}), and G = weight (end - aim)/effort.
    idle = np.asarray(x0.mean(axis=0)) * np.exp(-end / 2)
    reach = 1 - np.exp(-end)
    slope = weight * (idle - aim) / (effort + weight * reach)
    exact = -slope * np.exp(-(end - np.asarray(TS)) / 2)[:, None]
    # Linear between times h = 1/4 apart: off by h^2/12 times u'' = u/4, and double at the ends.
    np.testing.assert_allclose(found.controls, exact, atol=2 * 0.25**2 / 48 * np.abs(slope).max())
    # Costs by the square of that.
    cost = weight * effort * ((idle - aim) ** 2).sum() / (2 * (effort + weight * reach))
    assert found.cost == pytest.approx(cost, rel=1e-6)
    assert found.effort == pytest.approx(effort * (slope**2).sum() * reach / 2, rel=1e-5)
    assert found.idle == pytest.approx(weight / 2 * ((idle - aim) ** 2).sum(), rel=1e-6)
    np.testing.assert_allclose(found.x[0], x0)
    np.testing.assert_allclose(found.x[-1].mean(axis=0), idle - slope * reach, atol=1e-4)
    # The kinks are all that is left: h^2 u''/(12 sqrt 5), of which a grid twice as fine sees 15/16.
    kinks = (15 / 16) ** 0.5 * 0.25**2 / 4 / (12 * 5**0.5)
    assert found.residual == pytest.approx(kinks, rel=0.05)


class Wave(eqx.Module):
    """The potential -a cos t of the angle t to e_1."""

    height: jax.Array

    def __call__(self, x):
        return -self.height * x[0]


@pytest.mark.slow
def test_a_law_near_the_uniform_one():
    """Its first harmonic obeys c' = -rate c + u/sqrt 2, with a rate of noise - kappa/2; u as a wind's."""
    basis, noise, kappa, small, weight, effort = Gegenbauer(2, 3), 0.4, 0.3, 1e-3, 3.0, 0.5
    flow = FokkerPlanck(basis, Kuramoto(kappa), noise, Wave(jnp.zeros(())))
    x0, ts = jnp.array([1.0, small, 0.0, 0.0]), jnp.linspace(0.0, 1.0, 5)
    found = steer(flow, lambda flow: flow.potential.height, lambda c: weight / 2 * c[1] ** 2, x0, ts,
                  effort=effort, steps=3)  # fmt: skip
    assert found.converged and found.x.shape == (5, 4)
    rate = noise - kappa / 2
    reach = (1 - np.exp(-2 * rate)) / (2 * rate) / 2
    end = small * np.exp(-rate) / (1 + weight / effort * reach)
    exact = -weight / effort * end / 2**0.5 * np.exp(-rate * (1 - np.asarray(ts)))
    # Linear pieces, h = 1/4: h^2 rate^2/6; beyond first order the square of what is small.
    np.testing.assert_allclose(found.controls, exact, rtol=1e-3)
    assert found.x[-1, 1] == pytest.approx(end, rel=1e-5)
    assert found.cost == pytest.approx(weight / 2 * end * small * np.exp(-rate), rel=1e-5)


def test_what_a_control_that_is_not_the_best_costs():
    """x' = u - x/2 with u constant: x(T) = x e^{-T/2} + 2 u (1 - e^{-T/2}), over T = 3 - 1, and what
    else is paid at 3/2 |u|^2; two steps of the search do not end it."""
    flow, x0, ts = Drift(Euclidean(2), Wind(jnp.zeros(2))), jnp.ones((3, 2)), jnp.array([1.0, 2, 3])
    slope, effort, more = np.array([1.0, -2.0]), 0.5, 1.5
    found = steer(
        flow,
        wind,
        lambda x: jnp.sum(x @ jnp.asarray(slope)),
        x0,
        ts,
        effort=effort,
        running=lambda x, flow: more * jnp.sum(flow.function.direction**2),
        constant=True,
        guess=jnp.array([1.0, 0.5]),
        steps=8,
        max_steps=2,
    )
    u, reach = np.asarray(found.controls), 2 * (1 - np.exp(-1.0))
    assert not found.converged and found.effort == pytest.approx(effort * (u @ u), rel=1e-12)
    end = 3 * (np.exp(-1.0) * slope.sum() + reach * slope @ u)
    # Steps of 1/8, of order 5
    assert found.cost == pytest.approx(effort * (u @ u) + 2 * more * (u @ u) + end, rel=1e-6)
    left = 2 * (effort + 2 * more) * u + 3 * reach * slope
    exact = np.linalg.norm(left) / (2 * effort) / np.linalg.norm(u)
    assert exact > 0.1 and found.residual == pytest.approx(exact, rel=1e-6)


@pytest.mark.slow
def test_a_temperature_conserves_its_hamiltonian():
    """Of two tokens a' = f = -e^{beta cos a} sin a; along the best beta(t) p f + effort u^2/2 is constant,
    and effort u = -p f cos a."""
    flow, ts = AttentionFlow(Sphere(2), Unnormalized(1.0)), jnp.linspace(0.0, 1.0, 33)
    x0 = jnp.array([[1.0, 0.0], [np.cos(1.2), np.sin(1.2)]])
    near, effort = lambda x: -x[0] @ x[1], 0.1
    found = steer(flow, lambda flow: flow.attention.beta, near, x0, ts, effort=effort)
    assert found.converged and found.cost < found.idle - 1e-3
    cos, u = np.sum(found.x[:, 0] * found.x[:, 1], axis=1), np.asarray(found.controls)
    conserved = effort * u**2 / 2 - effort * u / cos
    # u is off by h^2 u''/12 inside, h = 1/32, and by twice that at the ends.
    np.testing.assert_allclose(conserved, conserved.mean(), rtol=2e-3)
    last = np.arccos(cos[-1])
    slope = -np.sin(last) * np.exp((1 + u[-1]) * cos[-1]) * np.sin(last)  # p f at the end
    np.testing.assert_allclose(conserved, slope + effort * u[-1] ** 2 / 2, rtol=2e-3)
    # To first order in 1/effort it is minus the derivative of the cost, which p f constant gives.
    weak = steer(flow, lambda flow: flow.attention.beta, near, x0, ts, effort=1e4)
    cos = np.sum(weak.x[:, 0] * weak.x[:, 1], axis=1)
    pf = -np.exp(cos[-1]) * (1 - cos[-1] ** 2)
    np.testing.assert_allclose(1e4 * weak.controls, -pf * cos, rtol=1e-3)


@pytest.mark.slow
def test_a_feedback_pays_for_what_it_does():
    """x' = k x with effort int (k x)^2/2 dt, not k^2/2: that of u = const, k = -g/(1 + g (T - t))."""
    weight, ts = 3.0, jnp.linspace(0.0, 1.0, 17)
    linear = eqx.nn.Linear(1, 1, use_bias=False, key=jax.random.key(0))
    linear = eqx.tree_at(lambda m: m.weight, linear, jnp.zeros((1, 1)))
    flow, module = Drift(Euclidean(1), linear), lambda flow: flow.function
    x0, terminal = jnp.array([[2.0]]), lambda x: weight / 2 * jnp.sum(x**2)

    def spent(x, flow):
        return jnp.sum(flow.drift(jnp.zeros(()), x, None) ** 2) / 2

    found = steer(flow, module, terminal, x0, ts, effort=1e-6, running=spent)
    gain = -weight / (1 + weight * (1 - ts))
    np.testing.assert_allclose(found.controls.weight.ravel(), gain, rtol=0.02)
    assert found.cost == pytest.approx(weight * 4 / (2 * (1 + weight)), rel=1e-4)
    # One gain for all times, paid in its own norm: k e^{-2 k} = -g x^2, k = -W(2 g x^2)/2.
    one = steer(flow, module, terminal, x0, ts, constant=True)
    exact = -float(lambertw(2 * weight * 4).real) / 2
    assert one.converged and one.residual < 1e-5
    assert float(one.controls.weight[0, 0]) == pytest.approx(exact, abs=1e-6)
    again = steer(flow, module, terminal, x0, ts, constant=True, guess=one.controls)
    assert float(again.controls.weight[0, 0]) == pytest.approx(exact, abs=1e-6)


def test_refusals():
    flow, x0 = Drift(Euclidean(2), Wind(jnp.zeros(2))), jnp.ones((3, 2))
    end = lambda x: jnp.sum(x**2)
    refused = [
        (lambda: steer(flow, lambda f: f.geometry, end, x0, TS), "attention.beta"),
        (lambda: steer(flow, wind, end, x0, TS[::-1]), "linspace"),
        (lambda: steer(flow, wind, end, x0, TS, effort=0.0), "effort"),
        (lambda: steer(flow, wind, lambda x: x[0], x0, TS), "sum its parts"),
        (lambda: steer(flow, wind, end, x0, TS, guess=jnp.ones(3)), "leave it out"),
        (lambda: steer(Drift(Euclidean(2), wind, 0.1), wind, end, x0, TS), "leave out noise"),
        (lambda: steer(flow + GUST, lambda f: f.terms[0].function, end, x0, TS), "add its times"),
    ]
    for call, remedy in refused:
        check_refused(call, remedy)
