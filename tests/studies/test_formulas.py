"""Closed forms within studies whose runs are validation's: held in NumPy, where a sign or a factor tells."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy
import xarray as xr

from meanfield.studies.clustering import _clustering_rates, _momentum
from meanfield.studies.consensus import _minibatch
from meanfield.studies.games import _many_players
from meanfield.studies.gaussians import _gaussian_closures
from meanfield.studies.limits import _aggregators, _moderate_interaction


def test_information_of_two_clusters_is_that_of_their_tokens():
    """The mean over tokens of the divergence of their weights from the mean of all, in bits."""
    sizes, beta, overlap = (2, 5), 1.3, 0.3
    label = np.repeat([0, 1], sizes)
    weights = np.exp(beta * np.where(label[:, None] == label, 1, overlap))
    weights /= weights.sum(axis=1, keepdims=True)
    exact = np.mean(np.sum(weights * np.log2(weights / weights.mean(axis=0)), axis=1))
    np.testing.assert_allclose(_aggregators._two_states(sizes, beta, overlap), exact, rtol=1e-13)


@pytest.mark.parametrize("friction", [0.0, 0.3])
def test_small_swings_of_two_tokens_are_those_of_a_spring(friction):
    start, beta, ts = 1e-4, 1.5, np.linspace(0, 6, 7)
    pace = np.sqrt(np.exp(beta) - friction**2 / 4)
    exact = np.cos(pace * ts) + friction / 2 / pace * np.sin(pace * ts)
    found = _momentum._pendulum(beta, friction, start, ts) / start
    # Of the square of the angle, times a phase of 12; the integrator's 1e-13 over 1e-4.
    np.testing.assert_allclose(found, np.exp(-friction * ts / 2) * exact, atol=3e-8)


def test_two_tokens_without_inertia():
    """a' = -e^{beta cos a} sin a: without attention log tan(a/2) falls at rate 1."""
    near, start = _momentum.NEAR, 2.0
    exact = np.log(np.tan(start / 2) / np.tan(near / 2))
    np.testing.assert_allclose(_momentum._without_inertia(0.0, start), exact, rtol=1e-12)
    flow = lambda t, a: -np.exp(0.7 * np.cos(a)) * np.sin(a)
    time = _momentum._without_inertia(0.7, start)
    end = scipy.integrate.solve_ivp(flow, (0, time), [start], rtol=1e-10, atol=1e-12).y[0, -1]
    np.testing.assert_allclose(end, near, rtol=1e-8)
    # Under friction f it takes f times as long, up to 1/f^2 of it times the square of rates of up to e^.7.
    slow = _momentum._meets(0.7, 40.0, start) / 40
    assert 0 < abs(slow / time - 1) < np.exp(1.4) / 40**2


def test_a_third_cluster_takes_its_share_of_the_speed_of_a_pair():
    beta, near, far = 9.0, 0.6, 0.9
    at = np.cumsum([0, near, far])

    def speed(tokens):
        weights = np.exp(beta * np.cos(at[tokens][:, None] - at[tokens]))
        weights /= weights.sum(axis=1, keepdims=True)
        move = np.sum(weights * np.sin(at[tokens] - at[tokens][:, None]), axis=1)
        return move[1] - move[0]

    share = 1 - speed([0, 1, 2]) / speed([0, 1])
    # To first order in the weights of others, e^{-beta (1 - cos .6)} = .2 for tokens of the pair.
    assert _moderate_interaction._share(beta, near, far) == pytest.approx(share, rel=0.25)
    beta = 40.0
    share = 1 - speed([0, 1, 2]) / speed([0, 1])
    assert _moderate_interaction._share(beta, near, far) == pytest.approx(share, rel=2e-3)


def test_angles_of_equal_mass():
    mass = np.linspace(-3, 3, 9)
    angle = _moderate_interaction._wave(mass, 0.4)
    np.testing.assert_allclose(angle + 0.4 * np.sin(angle), mass, atol=1e-14)


def test_powers_are_fitted_by_their_errors():
    """b^-1 e^{.5/b}, and its errors; of two unequal ones the wider counts for less."""
    b = xr.DataArray([8.0, 16.0, 32.0], dims="b", coords={"b": [8.0, 16.0, 32.0]})
    power, _ = _minibatch._power(3 * b**-1 * np.exp(0.5 / b), 0.1 / b, 1 / b)
    assert power == pytest.approx(-1, abs=1e-12)
    two, error = b[:2] ** -0.5, b[:2] ** -0.5 * [0.1, 0.2]
    power, spread = _minibatch._power(two, error)
    assert power == pytest.approx(-0.5, abs=1e-12)
    assert spread == pytest.approx(np.hypot(0.1, 0.2) / np.log(2), rel=1e-12)


def test_moments_of_batches():
    rng = np.random.default_rng(0)
    linear, rest = rng.normal(0, 2, 10**5), rng.normal(0.5, 0.1, 10**5)
    found = _minibatch._moments(linear + rest, linear, jnp.array([1.0, 1.0, 0.0, 1.0]))
    # Six standard errors of each: a sigma/sqrt n, or sigma/sqrt(2 n) of a spread.
    n = 10**5
    assert abs(found.bias - 0.5) < 6 * 0.1 / n**0.5
    assert abs(found.spread - np.hypot(2, 0.1)) < 6 * 2 / (2 * n) ** 0.5
    assert found.bias_error == pytest.approx(0.1 / n**0.5, rel=0.02)
    assert found.rest_spread == pytest.approx(0.1, rel=0.02)
    assert found.spread_error == pytest.approx(2 / (2 * n) ** 0.5, rel=0.02)
    assert found.converged == 0.75


@pytest.mark.parametrize("kernel", _many_players.KERNELS)
def test_players_who_hardly_feel_each_other(kernel):
    """A pair of oscillators pays (2 noise^2/3) a_0(3/(4 noise^2)), Mathieu's, near 0 a_0(q) = -q^2/2.

    Its law is e^{cos y/(2 noise^2)} then. To this order modes add, as W_k/k^2, and N players have
    1/(N - 1) of both.
    """
    noise, strength = 30.0, _many_players._strengths(kernel)
    k = np.arange(1, len(strength) + 1)
    gap, together = _many_players._theory(kernel, noise)
    # What is left out is smaller by W/noise^2.
    near = {"rel": 2 * strength[0] / noise**2}
    assert gap == pytest.approx(-3 * np.sum((strength / k) ** 2) / (16 * noise**2), **near)
    assert together == pytest.approx(strength[0] / (4 * noise**2), **near)
    # W = e^{cos}, but for its mean.
    if kernel == "attention":
        angle = np.linspace(0, 2 * np.pi, 7)
        waves = np.cos(np.outer(angle, k)) @ strength
        np.testing.assert_allclose(np.diff(waves), np.diff(np.exp(np.cos(angle))), atol=1e-12)
    at = _many_players._critical(kernel)
    assert np.isnan(_many_players._theory(kernel, 0.999 * at)[0])
    assert np.isfinite(_many_players._theory(kernel, 1.001 * at)[0])


def test_oscillators_pay_for_control_and_gain_by_pull():
    """A player steers by A Im(e^{-i X} m), m being the mean of all e^{i X}, and N E|m|^2 = 1 + T.

    So N times its cost is A^2/4 (1 + T) - W_1 T, where A solves the Riccati equation of the mode,
    A^2/2 - 2 noise A + W_1 = 0, and fluctuations 1 + T are those of a rate noise - A/2 in place of noise.
    """
    noise = 0.9
    gap, together = _many_players._theory("oscillators", noise)
    gain = 2 * noise * together / (1 + together)
    assert gain**2 / 2 - 2 * noise * gain + 1 == pytest.approx(0, abs=1e-14)
    assert gap == pytest.approx(gain**2 / 4 * (1 + together) - together, rel=1e-13)


def test_clouds_at_a_point_contract_at_the_rates_of_linear_theory():
    """Of |x - mean|^2: 2 for softmax, 2 e^beta without its sums, 2 log(1 + h)/h by layers."""
    beta, h, spread = 0.7, 0.2, 1e-4
    study = _clustering_rates.ClusteringRates(n=5, d=3, step=h)
    x = np.random.default_rng(0).normal(size=(2, 5, 3)) * spread + [1, 0, 0]
    x /= np.linalg.norm(x, axis=-1, keepdims=True)
    found = _clustering_rates._contract(study, jnp.asarray(beta), jnp.asarray(x))
    exact = {"softmax": 2, "unnormalized": 2 * np.exp(beta), "layers": 2 * np.log(1 + h) / h}
    for name, rate in exact.items():
        # Weights and projections differ from those at one point by the square of the angle, some 9 spread^2.
        np.testing.assert_allclose(found[name], rate, rtol=100 * spread**2)
    assert _clustering_rates._farthest(np.array([0.9, 1.05])) == 0.9
    assert _clustering_rates._farthest(np.array([0.9, 1.2])) == 1.2


def test_distances_of_clouds_from_normal_laws():
    """Of moments alone: four points at m +- s_k e_k have the mean m and the variances s_k^2/2."""
    mean, sides = np.array([0.3, -1.0]), np.array([0.5, 2.0])
    x = mean + np.concatenate([np.diag(sides), -np.diag(sides)])
    law = jnp.array([0.0, 0.5]), jnp.diag(jnp.array([4.0, 0.25]))
    exact = 0.3**2 + 1.5**2 + np.sum((sides / np.sqrt(2) - [2.0, 0.5]) ** 2)
    found = _gaussian_closures._square_distance(jnp.asarray(x), law)
    np.testing.assert_allclose(found, exact, rtol=1e-12)
