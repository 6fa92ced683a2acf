"""Runs whose end or course is known: energies that rise, leaders, layers and arc length."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import meanfield as mf
from meanfield.attention import Layers, Softmax, Unnormalized, Varying, causal
from meanfield.dynamics import ArcLength, AttentionFlow, Control, MixNorm
from meanfield.energies import Interaction
from meanfield.geometry import Sphere

DIMENSIONS, TOKENS = (2, 3, 8, 64), 8
SPHERE = Sphere(3)
IDENTITY = {"x": lambda x: x}


@pytest.mark.parametrize(
    ("kind", "clouds"),
    [
        (Softmax, 8),
        pytest.param(Softmax, 100, marks=pytest.mark.slow),
        pytest.param(Unnormalized, 100, marks=pytest.mark.slow),
    ],
)
def test_energy_never_falls(kind, clouds):
    # Attention keeps tokens in the span of the cloud, so a cloud of R^d, padded with zeros, moves in
    # R^64 as it does in R^d: one program serves every d.
    normal = np.random.default_rng(5).normal(size=(len(DIMENSIONS), clouds, TOKENS, 64))
    normal *= np.arange(64) < np.array(DIMENSIONS)[:, None, None, None]
    x0 = (normal / np.linalg.norm(normal, axis=-1, keepdims=True)).reshape(-1, TOKENS, 64)
    betas = np.tile([0.5, 2.0, 4.0, 8.0], len(x0) // 4)
    tol = 1e-6

    @jax.jit
    @jax.vmap
    def rise(x, beta):
        # e^{beta (<x, y> - 1)} lies in [0, 1], so that the energy is at most 1/(2 beta).
        energy = Interaction(beta, offset=beta)
        speed = {"offset": beta} if kind is Unnormalized else {}
        flow = AttentionFlow(Sphere(64), kind(beta, **speed))
        out = mf.simulate(flow, x, jnp.linspace(0.0, 4.0, 17), observe={"E": energy}, tol=tol)
        return jnp.diff(out.values["E"])

    # Each save is off by a few tolerances of the state, and |grad E| <= 1.
    assert np.asarray(rise(x0, betas)).min() > -10 * tol


def test_a_causal_cloud_follows_its_first_token():
    # About the leader, angles obey theta_k' = mean_{j <= k} theta_j - theta_k, a triangular system
    # with eigenvalues 1/k - 1: the slowest decays like e^{-t/2}. At beta = 1 no weight is below
    # e^-2/k, so that waiting T = 80 leaves 60 for a decay to e^-30 = 1e-13 after the transient;
    # what is left is the error of the solver.
    flow = AttentionFlow(SPHERE, Softmax(1.0, mask=causal(8)))
    x0 = SPHERE.sample(jax.random.key(2), 8)
    final = mf.simulate(flow, x0, jnp.array([0.0, 80.0]), tol=1e-8).final
    np.testing.assert_allclose(final[0], x0[0], atol=1e-14)
    np.testing.assert_allclose(final, jnp.broadcast_to(x0[0], (8, 3)), atol=1e-6)


def test_a_solver_lands_on_declared_jumps():
    values = [jnp.diag(jnp.array([1.0, -1.0, 0.5])), -2 * jnp.eye(3)]
    layers = [Softmax(2.0, value=value) for value in values]
    schedule = Layers(layers, jnp.array([0.0, 1.0]))
    x0, tol = SPHERE.sample(jax.random.key(4), 4), 1e-6

    def run(attention, x0, t0, t1, tol):
        return mf.simulate(AttentionFlow(SPHERE, attention), x0, jnp.array([t0, t1]), tol=tol)

    exact = run(layers[1], run(layers[0], x0, 0.0, 1.0, 1e-12).final, 1.0, 2.0, 1e-12).final
    landed = run(schedule, x0, 0.0, 2.0, tol)
    blind = run(Varying(schedule), x0, 0.0, 2.0, tol)
    errors = [float(jnp.abs(each.final - exact).max()) for each in (landed, blind)]
    assert errors[0] < 10 * tol
    # Unaware of the jump the solver rejects its way across it, and cannot be as accurate there.
    assert landed.stats["steps"] < blind.stats["steps"]
    assert landed.stats["rejected"] < blind.stats["rejected"]
    assert errors[0] < errors[1]


@pytest.mark.slow
def test_mixed_normalization_changes_at_tau():
    # Post until tau, Pre with radii 1 after it: two runs, one of each, must make the same path.
    x0, one = SPHERE.sample(jax.random.key(4), 4), jnp.ones(4)

    def run(tau, x0, t0, t1):
        flow = AttentionFlow(SPHERE, Softmax(2.0), MixNorm(tau))
        return mf.simulate(flow, x0, jnp.array([t0, t1]), tol=1e-9).final

    half = run(9.0, (x0, one), 0.0, 1.0)
    np.testing.assert_array_equal(half[1], 1)
    for got, expected in zip(run(1.0, (x0, one), 0.0, 2.0), run(0.0, half, 1.0, 2.0), strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-7)


@pytest.mark.parametrize("weights", [None, np.array([0.5, 0.3, 0.2, 0.0])])
def test_tokens_move_by_the_arc_length_of_the_cloud_and_the_clock_by_its_time(weights):
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    about = Control(Sphere(2), lambda t, x, args: (1 + t) * x @ turn.T * x[:, :1], weights=weights)
    x = np.array([[0.6, 0.8], [1.0, 0.0], [-0.8, 0.6], [0.28, 0.96]])
    moved, rate = ArcLength(about, 2.0).drift(jnp.zeros(()), (jnp.asarray(x), jnp.array(0.5)), None)
    velocity = 1.5 * x @ turn.T * x[:, :1]  # by the clock, at which s is 0
    mean = np.average((velocity**2).sum(axis=1), weights=weights)
    np.testing.assert_allclose(rate, 2 / np.sqrt(mean), rtol=1e-12)
    np.testing.assert_allclose(moved, velocity * rate, rtol=1e-12, atol=1e-15)


@pytest.mark.slow
def test_the_clock_of_arc_length_is_the_time_of_the_flow():
    flow = AttentionFlow(SPHERE, Softmax(6.0))
    x0, tol = SPHERE.sample(jax.random.key(8), 6), 1e-9
    path = ArcLength(flow)
    s = jnp.linspace(0.0, 0.36, 19)
    out = mf.simulate(path, x0, s, observe={"x": lambda state: state[0]}, tol=tol)
    x, (end, clock) = out.values["x"], out.final
    # A chord is shorter than its arc by a share (curvature ds)^2 / 24; the path turns only where a
    # pair meets, which here is at s = .41.
    chords = jnp.sqrt(jnp.mean(jnp.sum(jnp.diff(x, axis=0) ** 2, axis=-1), axis=-1))
    np.testing.assert_allclose(chords, 0.02, rtol=1e-3)
    ordinary = mf.simulate(flow, x0, jnp.stack([jnp.zeros_like(clock), clock]), tol=tol)
    np.testing.assert_allclose(ordinary.final, end, atol=1e-7)
