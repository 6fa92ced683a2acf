"""Closed equations for symmetric clouds, held against quadrature, published values and particles."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

import meanfield as mf
from meanfield.attention import Softmax, Unnormalized
from meanfield.dynamics import AttentionFlow, Equiangular, TwistedRing, TwoCluster
from meanfield.geometry import Sphere

N, DELTA = 32, 1e-3
BETAS = jnp.array([1.0, 3.0, 5.0, 7.0, 9.0])
HITTING = np.array([5.270, 5.898, 9.544, 32.233, 178.731])
TWO = Sphere(2)


def pair(x):
    """1 - <x_1, x_2>, without cancellation."""
    return jnp.sum((x[0] - x[1]) ** 2) / 2


PAIR = {"gap": pair}
GAP = {"gap": lambda g: 1 - g}


def hitting_time(beta):
    return Equiangular(Softmax(beta), N).hitting_time(DELTA)


def late(beta, gap):
    """How late a run is that has this gap at the predicted time: the error in g over its slope."""
    slope = Equiangular(Softmax(beta), N).drift(jnp.array(0.0), 1 - jnp.array(DELTA), None)
    return (gap - DELTA) / slope


def test_equiangular_hitting_times_have_their_known_values():
    # The values are known to three decimals.
    np.testing.assert_allclose(jax.vmap(hitting_time)(BETAS), HITTING, atol=6e-4)


def test_an_offset_slows_unnormalized_attention():
    # r' = (1 - r^2) e^{beta r - c}; for n tokens g' = 2 (1 - g) ((n-1) g + 1)/n e^{beta g - c}.
    kernel, t, r = Unnormalized(2.0, offset=0.7), jnp.array(0.0), jnp.array(0.3)
    two = TwoCluster(kernel, jnp.array([0.3, 0.7])).drift(t, r, None)
    np.testing.assert_allclose(two, (1 - 0.09) * np.exp(0.6 - 0.7), rtol=1e-14)
    many = Equiangular(kernel, 5).drift(t, r, None)
    np.testing.assert_allclose(many, 2 * 0.7 * 2.2 / 5 * np.exp(0.6 - 0.7), rtol=1e-14)


@pytest.mark.parametrize(("delta", "start"), [(0.1, 0.95), (0.1, 0.9), (0.1, -0.5), (0.0, 0.0)])
def test_a_goal_that_is_behind_the_start_or_out_of_reach_is_refused(delta, start):
    with pytest.raises(ValueError, match="start < 1 - delta < 1; pass delta"):
        Equiangular(Softmax(1.0), 3).hitting_time(delta, start)


@pytest.mark.parametrize(
    "particles",
    [False, True],
    ids=["reduction", "particles"],
)
@pytest.mark.slow
def test_equiangular_hitting_times_agree_with_runs(particles):
    # An error of size tol in g is one of tol / g' in time: at most 4e3 tol, at the start for beta = 9,
    # where g' = 2/(e^9 + 31). At tol = 1e-10, 1e-4 leaves room for the errors of 250 steps there.
    @jax.jit
    @jax.vmap
    def run(beta):
        ts = jnp.stack([jnp.array(0.0), hitting_time(beta)])
        if particles:
            flow = AttentionFlow(Sphere(N), Softmax(beta))
            out = mf.simulate(flow, jnp.eye(N), ts, observe=PAIR, tol=1e-10)
        else:
            flow = Equiangular(Softmax(beta), N)
            out = mf.simulate(flow, jnp.array(0.0), ts, observe=GAP, tol=1e-10)
        return late(beta, out.values["gap"][-1])

    np.testing.assert_allclose(run(BETAS), 0, atol=1e-4)


@pytest.mark.parametrize("attention", [Softmax(2.0), Unnormalized(2.0, offset=0.5)])
def test_equiangular_slopes_are_those_of_the_particles(attention):
    # n unit vectors of equal inner products g = .3: d/dt <x_1, x_2> = <x_1', x_2> + <x_1, x_2'>.
    g, n = 0.3, 4
    x = np.linalg.cholesky(np.eye(n) * (1 - g) + g)

    @jax.jit
    def both(x, g):
        now = jnp.array(0.0)
        moved = AttentionFlow(Sphere(n), attention).drift(now, x, None)
        return moved @ x.T, Equiangular(attention, n).drift(now, g, None)

    rates, slope = both(x, jnp.array(g))
    np.testing.assert_allclose(rates[0, 1] + rates[1, 0], slope, rtol=1e-13)


@pytest.mark.parametrize(("beta", "time"), [(5.0, 18.2607), (10.0, 1128.977)])
def test_two_cluster_passage_times_have_their_known_values(beta, time):
    flow = TwoCluster(Softmax(beta), jnp.array([0.5, 0.5]))
    # Both values are printed with errors of half a unit of their last digit.
    np.testing.assert_allclose(flow.passage_time(0.0, 0.99), time, atol=6e-4)


@pytest.mark.parametrize("kind", [Softmax, pytest.param(Unnormalized, marks=pytest.mark.slow)])
def test_two_clusters_are_two_weighted_tokens_and_join_at_the_known_rate(kind):
    beta = 4.0
    rate = 2.0 if kind is Softmax else 2 * np.exp(beta)

    @jax.jit
    @jax.vmap
    def run(masses):
        reduction = TwoCluster(kind(beta), masses)
        gaps = jnp.array([1e-2, 1e-4, 1e-6])
        times = jax.vmap(functools.partial(reduction.passage_time, 0.0))(1 - gaps)
        flow = AttentionFlow(TWO, kind(beta), weights=masses)
        ts = jnp.concatenate([jnp.zeros(1), times])
        seen = mf.simulate(flow, jnp.eye(2), ts, observe=PAIR, tol=1e-11).values["gap"][1:]
        return seen / gaps, jnp.log(seen[1] / seen[2]) / (times[2] - times[1])

    ratio, tail = run(jnp.array([[0.5, 0.5], [0.3, 0.7]]))
    # An angle of 1e-3, with a gap of 1e-6, is off by the tolerance times a few: 1e-7 relative.
    np.testing.assert_allclose(ratio, 1, rtol=1e-6)
    # The rate differs from its limit by a share (1 + beta) gap / 2 at most, 2.5e-4 here.
    np.testing.assert_allclose(tail, rate, rtol=3e-4)


@pytest.mark.parametrize("n", [2, 1000, 10**5])
def test_without_temperature_times_are_logarithms(n):
    """At beta = 0 the time is half of log(((n-1) g + 1)/(1-g)), from wherever g starts."""
    exact = lambda g: np.log(((n - 1) * g + 1) / (1 - g)) / 2
    flow, low = Equiangular(Softmax(0.0), n), -0.999 / (n - 1)
    np.testing.assert_allclose(flow.hitting_time(1e-3), exact(1 - 1e-3), rtol=1e-13)
    # The start is known to 1e-16, which is 1e-13 of its distance from the least g there is.
    np.testing.assert_allclose(flow.hitting_time(0.1, low), exact(0.9) - exact(low), rtol=1e-12)
    far = flow.hitting_time(1e-300)
    np.testing.assert_allclose(far, np.log(n) / 2 + 150 * np.log(10), rtol=1e-13)


def test_times_from_next_to_the_antipode():
    """n = 2: dt = (e^{beta(1-g)} + 1)/(2 (1 - g^2)) dg, in which s = atanh g, by an adaptive rule."""
    start, end = -0.999999999, 0.9
    slow = lambda s: (1 + np.exp(1 - np.tanh(s))) / 2
    exact = quad(slow, np.arctanh(start), np.arctanh(end), epsabs=1e-12, limit=200)[0]
    found = Equiangular(Softmax(1.0), 2).hitting_time(1 - end, start)
    # The distance of the start from -1 has seven digits: 1e-16/1e-9.
    np.testing.assert_allclose(found, exact, rtol=1e-8)
    assert abs(found - 44.85) < 0.005
    clusters = TwoCluster(Softmax(1.0), jnp.array([0.5, 0.5]))
    np.testing.assert_allclose(clusters.passage_time(start, end), exact, rtol=1e-8)
    plain = TwoCluster(Unnormalized(0.0), jnp.array([0.3, 0.7]))
    exact = np.arctanh(end) - np.arctanh(start)
    np.testing.assert_allclose(plain.passage_time(start, end), exact, rtol=1e-13)


def test_times_beyond_the_range_of_floats_are_infinite():
    """e^{1000}/2000 or so; e^{600}/1200 is a number still: (e^{beta(1-g)}/2) dg near the start."""
    assert Equiangular(Softmax(1e3), 2).hitting_time(1e-3) == np.inf
    late = Equiangular(Softmax(600.0), 2).hitting_time(1e-3)
    # Laplace's integral e^beta/(2 beta) int_0 e^{-v}/(1 - (v/beta)^2) dv = 1 + 2/beta^2 + 24/beta^4.
    np.testing.assert_allclose(late, np.exp(600.0) / 1200 * (1 + 2 / 600**2), rtol=1e-9)


def test_a_reduction_refuses_what_it_does_not_describe():
    for attention in (Softmax(1.0, value=jnp.eye(3)), mf.attention.MultiHead([Softmax(1.0)])):
        with pytest.raises(ValueError, match="without matrices, mask or biases"):
            Equiangular(attention, 4)


@pytest.mark.parametrize(
    ("reduction", "low"),
    # n unit vectors of equal inner products g have 1 + (n - 1) g >= 0, the square of their sum over n.
    [
        (Equiangular(Softmax(1.0), 5), -0.25),
        (TwoCluster(Softmax(1.0), [0.5, 0.5]), -1.0),
        (TwistedRing(Softmax(1.0), 5, 1), -1.0),
    ],
)
def test_a_start_that_no_tokens_have_is_refused(reduction, low):
    for state in (low, 0.3, 1.0):
        assert reduction.check(state) == state
    for state in (low - 0.01, 1.01, 2.0):
        with pytest.raises(
            ValueError, match=r"expected a start within its range, .* start within it"
        ):
            reduction.check(state)
