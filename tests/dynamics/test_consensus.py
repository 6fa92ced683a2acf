"""Several models pulled to their barycenter, against equations for their means and angles."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest
from numpy.testing import assert_allclose
from unit_vectors import normal, unit_vectors

import meanfield as mf
from meanfield.attention import Softmax, Varying
from meanfield.dynamics import (
    AttentionFlow,
    BarycenterPull,
    ConsensusFlow,
    DebiasedPull,
    Drift,
    Early,
    ExactPull,
    NearSaddles,
    PairwisePull,
    Schedule,
)
from meanfield.geometry import Euclidean, Sphere
from meanfield.observables import smoothed_entropy
from meanfield.transport import disagreement

SPHERE, PLANE = Sphere(3), Euclidean(2)
ATTENTION = AttentionFlow(SPHERE, Softmax(4.0))
T0 = jnp.zeros(())


def inward(x):
    return -x


REST = Drift(PLANE, jnp.zeros_like)
CLOUD = normal(0, 6, 2)
SHIFTED = jnp.stack([CLOUD, CLOUD + jnp.array([2.0, 0.0]), CLOUD + jnp.array([0.0, 1.0])])
TWO_CLOUDS = normal(3, 2, 8, 2).at[1, :, 0].add(2.0)
PULL = DebiasedPull(1.0, 1e-11)
BALL = unit_vectors(1, 3, 6, 3)


INWARD, SHARES = Drift(PLANE, inward), jnp.array([0.5, 0.3, 0.2])


@eqx.filter_jit
def control_at(flow, x, t):
    return flow.control(t, x)


def control(flow, x, t=T0):
    return control_at(flow, x, t)  # a time by default would be another program


@eqx.filter_jit
def drift(flow, x):
    return flow.drift(T0, x, None)


def test_equal_models_are_not_pulled():
    same = jnp.stack([BALL[0], BALL[0, ::-1], BALL[0]])
    for pull in (DebiasedPull(0.3, 1e-12), ExactPull()):
        flow = ConsensusFlow([ATTENTION] * 3, 5.0, pull=pull)
        assert_allclose(control(flow, same), 0 * same, atol=1e-11)


def test_shifted_clouds_are_pulled_at_the_rate_of_the_strength():
    flow = ConsensusFlow([INWARD] * 3, 0.5, pull=PULL, shares=SHARES)
    means = SHIFTED.mean(axis=1)
    pull = 0.5 * (SHARES @ means - means)
    assert_allclose(drift(flow, SHIFTED), -SHIFTED + pull[:, None], atol=1e-9)


@pytest.mark.slow
def test_shifted_clouds_meet_at_the_rate_of_the_strength():
    flow = ConsensusFlow([REST] * 3, 0.5, pull=PULL, shares=SHARES)
    run = mf.simulate(flow, SHIFTED, jnp.array([0.0, 2.0]), dt=0.1)
    means = SHIFTED.mean(axis=1)
    middle = flow.shares @ means
    exact = middle + jnp.exp(-1.0) * (means - middle)
    # Tsitouras' fifth-order method at h = .1 has the error (.5 h)^6 a step.
    assert_allclose(run.final.mean(axis=1), exact, atol=1e-7)
    shape = run.final - run.final.mean(axis=1, keepdims=True)
    assert_allclose(shape, jnp.broadcast_to(CLOUD - CLOUD.mean(0), shape.shape), atol=1e-8)


def test_exact_and_debiased_pulls_agree_on_shifts():
    weights = jnp.array([0.4, 0.3, 0.3, 0.0, 0.0, 0.0])
    flow = ConsensusFlow([INWARD] * 3, 1.0, pull=PULL, shares=jnp.full(3, 1 / 3, float))
    smooth = drift(flow, SHIFTED) + SHIFTED
    assert_allclose(smooth, SHIFTED.mean(axis=0) - SHIFTED, atol=1e-9)
    for flow in (REST, Drift(PLANE, jnp.zeros_like, weights=weights)):
        exact = control(ConsensusFlow([flow] * 3, 1.0, pull=ExactPull()), SHIFTED)
        assert_allclose(exact[:, :3], smooth[:, :3], atol=1e-9)


@eqx.filter_jit
def power(flow, x):
    return flow.power(T0, x)


def test_power_weighs_tokens_by_mass_and_models_by_share():
    weights, shares = jnp.array([0.4, 0.3, 0.3, 0.0, 0.0, 0.0]), SHARES
    flow = ConsensusFlow(
        [Drift(PLANE, jnp.zeros_like, weights=weights)] * 3,
        2.0,
        lambda t, x, v: jnp.array([1.0, 0.5, 0.25]),
        pull=ExactPull(),
        shares=shares,
    )
    x = SHIFTED.at[:, 3:].set(9.0)
    means = jnp.einsum("n,mnd->md", weights, x)
    gaps = jnp.sum((shares @ means - means) ** 2, axis=1)
    # Copies of one cloud are pulled as their means are, with the factors 2 * gate.
    exact = shares @ (jnp.array([4.0, 1.0, 0.25]) * gaps)
    assert_allclose(power(flow, x), exact, rtol=1e-12)
    # Of tokens that differ in how far they go: two models of two tokens, moved by 1 and 3 at .9 : .1.
    line = Drift(Euclidean(1), jnp.zeros_like, weights=jnp.array([0.9, 0.1]))
    pair = ConsensusFlow([line] * 2, 1.0, pull=ExactPull(), shares=jnp.array([0.75, 0.25]))
    x = jnp.array([[[0.0], [10.0]], [[4.0], [22.0]]])
    # Displacements: .25 (4, 12) in the first and -.75 (4, 12) in the second.
    square = 0.9 * 4.0**2 + 0.1 * 12.0**2
    models = 0.75 * 0.0625 + 0.25 * 0.5625
    assert_allclose(power(pair, x), models * square, rtol=1e-12)
    equal = ConsensusFlow(
        [Drift(Euclidean(1), jnp.zeros_like)] * 2, 1.0, pull=ExactPull(), shares=pair.shares
    )
    assert_allclose(power(equal, x), models * (4.0**2 + 12.0**2) / 2, rtol=1e-12)


def test_the_pull_scales_with_the_clouds():
    """Two clouds at any scale: marginals are right, so that means are pulled by half their gap."""
    x = TWO_CLOUDS
    half = (x[1].mean(axis=0) - x[0].mean(axis=0)) / 2
    flow = ConsensusFlow([REST] * 2, 1.0)
    assert isinstance(flow.pull, BarycenterPull)
    for scale in (1.0, 20.0, 100.0, 1e4):
        pull = control(flow, scale * x).mean(axis=1) / scale
        assert_allclose(pull[0], half, rtol=1e-6)
        assert_allclose(pull.sum(axis=0), 0, atol=1e-7)


# At a fixed epsilon that is far too small for the clouds no number is given, and a run says so.
STARVED = ConsensusFlow([REST] * 2, 1.0, pull=PairwisePull(1e-5, max_iterations=1))


def test_a_pull_that_does_not_converge_is_no_number():
    assert not eqx.filter_jit(STARVED.solved)(T0, TWO_CLOUDS, None)


@pytest.mark.slow
def test_a_run_whose_pull_does_not_converge_says_so():
    assert jnp.isnan(control(STARVED, TWO_CLOUDS)).all()
    run = mf.simulate(STARVED, TWO_CLOUDS, jnp.array([0.0, 0.5]), dt=0.5, throw=False)
    assert not run.ok and not run.stats["converged"]
    with pytest.raises(mf.solve.SolveError, match="did not reach their tolerance"):
        mf.simulate(STARVED, TWO_CLOUDS, jnp.array([0.0, 0.5]), dt=0.5)


@pytest.mark.parametrize(
    "pull",
    [None, pytest.param(PairwisePull(), marks=pytest.mark.slow), ExactPull()],
    ids=["true", "pairs", "exact"],
)
def test_models_at_opposite_poles_are_pulled_together(pull):
    pole = jnp.tile(jnp.array([0.0, 0.0, 1.0]), (2, 1))
    flow = ConsensusFlow([Drift(SPHERE, jnp.zeros_like)] * 2, 1.0, pull=pull)
    move = control(flow, jnp.stack([pole, -pole]))
    # A quarter turn each, to one point on the equator.
    assert_allclose(jnp.linalg.norm(move, axis=-1), jnp.pi / 2, rtol=1e-7)
    assert_allclose(move[0], move[1], atol=1e-7)
    assert_allclose(move[..., 2], 0, atol=1e-7)


def test_masses_are_those_of_each_model():
    # From 0 to 0 goes a quarter of the mass, from 0 to 1 a quarter, and what is at 1 stays.
    x, masses = jnp.array([[[0.0], [1.0]]] * 2), jnp.array([[0.5, 0.5], [0.25, 0.75]])
    pull = eqx.filter_jit(ExactPull().__call__)
    moves = pull(Euclidean(1), x, jnp.array([0.4, 0.6]), masses)
    assert_allclose(moves[..., 0], [[0.6 * 0.5, 0.0], [0.0, -0.4 / 3]], atol=1e-12)


def test_filling_up_changes_nothing():
    few = jnp.r_[jnp.full(4, 0.25, float), jnp.zeros(2)]
    flows = [Drift(PLANE, inward, weights=w) for w in (None, few, None)]
    flow = ConsensusFlow(flows, 1.0, NearSaddles(0.1), pull=PULL)
    x = SHIFTED.at[1].set(CLOUD[::-1])
    assert_allclose(flow.masses(x), [np.full(6, 1 / 6), few, np.full(6, 1 / 6)], rtol=1e-15)
    first, second = control(flow, x), control(flow, x.at[1, 4:].set(7.0))
    assert_allclose(first[::2], second[::2], atol=1e-10)
    assert_allclose(first[1, :4], second[1, :4], atol=1e-10)


def test_gates_open_and_close():
    pull, rest = ExactPull(), Drift(SPHERE, jnp.zeros_like)
    always = control(ConsensusFlow([rest] * 3, 1.0, pull=pull), BALL)
    flow = ConsensusFlow([rest] * 3, 1.0, Early(1.0), pull=pull)
    assert flow.jumps() == 1.0
    assert_allclose(control(flow, BALL), always, rtol=1e-12)
    assert_allclose(control(flow, BALL, T0 + 1.0), 0 * BALL, atol=0)
    one = ConsensusFlow([rest] * 3, 1.0, lambda t, x, v: jnp.array([1.0, t, 1.0]), pull=pull)
    assert_allclose(control(one, BALL), always.at[1].set(0), atol=1e-12)
    assert_allclose(control(one, BALL, T0 + 1.0), always, rtol=1e-12)


def test_saddles_are_where_the_entropy_stands():
    own = jax.jit(jax.vmap(lambda x: ATTENTION.drift(T0, x, None)))(BALL)
    entropy = jax.jit(jax.vmap(lambda x: smoothed_entropy(x, 8.0)))
    h, gate = 1e-5, eqx.filter_jit(NearSaddles(0.1).__call__)
    rate = (entropy(BALL + h * own) - entropy(BALL - h * own)) / (2 * h)
    assert_allclose(gate(T0, BALL, own), 1 / (1 + (rate / 0.1) ** 2), rtol=1e-6)
    assert_allclose(gate(T0, BALL, 0 * own), 1)
    # Tokens of mass 0 that only fill up have no say, wherever they are and go.
    filled, driven = (
        jnp.pad(z, ((0, 0), (0, 2), (0, 0)), constant_values=1.0) for z in (BALL, own)
    )
    masses = jnp.pad(jnp.full((3, 6), 1 / 6, float), ((0, 0), (0, 2)))
    assert_allclose(gate(T0, filled, driven, masses), gate(T0, BALL, own), rtol=1e-12)
    apart = jnp.repeat(2 * jnp.eye(3), 4, axis=0)
    # Three clusters at distance sqrt(8): what is left of the kernel is e^{-32}.
    assert_allclose(jax.jit(smoothed_entropy)(apart, 8.0), np.log(3.0), rtol=1e-12)


def test_times_may_be_plain_numbers(monkeypatch):
    """As in drift(0.0, x, None), to look at a field."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    assert Early(1.0)(0, SHIFTED, SHIFTED) == 1 and Early(1.0)(1.0, SHIFTED, SHIFTED) == 0
    assert Schedule(jnp.array([0.0, 1.0]))(0.25, jnp.array([1.0, 3.0])) == 1.5
    assert Varying(lambda t: Softmax(1.0 + t.astype(float)))(1).beta == 2


@pytest.mark.slow  # compiling a run and its gradient takes half a minute
def test_gradients_by_the_schedule_are_finite_differences():
    flow = ConsensusFlow([REST] * 3, Schedule(jnp.array([0.0, 1.0])), pull=PULL)

    @jax.jit
    def left(values):
        run = mf.simulate(flow, SHIFTED, jnp.array([0.0, 0.5, 1.0]), dt=0.25, args=values)
        return disagreement(run.final, epsilon=1.0, tol=1e-11)

    values, step = jnp.array([0.3, 0.8]), 1e-4
    slope = jax.jit(jax.grad(left))(values)
    for i in range(2):
        ahead, behind = (left(values.at[i].add(s * step)) for s in (1, -1))
        assert_allclose(slope[i], (ahead - behind) / (2 * step), rtol=1e-6)
    # Shifts shrink by exp(-integral of the schedule).
    start = disagreement(SHIFTED, epsilon=1.0, tol=1e-11)
    assert_allclose(left(values) / start, np.exp(-2 * 0.55), rtol=1e-6)
    assert_allclose(slope / left(values), [-1.0, -1.0], rtol=1e-4)


@pytest.mark.slow
def test_noise_reaches_every_model():
    noisy = Drift(SPHERE, jnp.zeros_like, noise=0.1)
    x = jnp.stack([BALL[0]] * 2)
    flow = ConsensusFlow([noisy] * 2, lambda t, args: 0 * t, lambda t, x, v: 0 * t)
    run = mf.simulate(flow, x, jnp.array([0.0, 0.1]), dt=0.05, key=jax.random.key(5))
    assert float(jnp.abs(run.final[0] - run.final[1]).min()) > 1e-4
    assert_allclose(jnp.linalg.norm(run.final, axis=-1), 1, rtol=1e-14)


def test_on_the_line_the_pull_is_the_displacement_to_the_barycenter():
    x = jax.random.normal(jax.random.key(7), (3, 6, 1)) * jnp.array([1.0, 2.0, 5.0])[:, None, None]
    line = Drift(Euclidean(1), jnp.zeros_like)
    pull = control(ConsensusFlow([line] * 3, 1.0, pull=ExactPull()), x)
    order = jnp.argsort(x, axis=1)
    middle = jnp.take_along_axis(x, order, axis=1).mean(axis=0)  # quantiles average
    exact = middle - jnp.take_along_axis(x, order, axis=1)
    assert_allclose(jnp.take_along_axis(pull, order, axis=1), exact, atol=1e-13)
