"""Residual layers tend to the flows of their normalizations, at order one in the step."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from unit_vectors import unit_vectors

import meanfield as mf
from meanfield.attention import Softmax
from meanfield.dynamics import AttentionFlow, Drift, PeriNorm, PostNorm, PreNorm
from meanfield.geometry import Sphere
from meanfield.schemes import TransformerLayers

SPHERE = Sphere(3)
START = unit_vectors(2, 6, 3)
ATTENTION = Softmax(2.0)
MLP = eqx.nn.MLP(3, 3, 8, 1, key=jax.random.key(1))
NORMS = [PostNorm(), PreNorm(), PeriNorm()]


def layers(norm, step, mlp=None):
    return TransformerLayers(3, ATTENTION, norm, step, mlp)


def limit(norm, x, mlp):
    """x' in the limit of thin layers, written out by hand."""
    u = SPHERE.project(x)
    parts = [ATTENTION(u)] + ([jax.vmap(MLP)(u)] if mlp else [])
    if isinstance(norm, PeriNorm):
        parts = [SPHERE.project(part) for part in parts]
    field = sum(parts[1:], start=parts[0])
    return SPHERE.to_tangent(x, field) if isinstance(norm, PostNorm) else field


@eqx.filter_jit
def follow(norm, mlp, steps=100):
    """The limit at t = 1, by the classical Runge-Kutta method; its error is 1e-9."""
    h = 1 / steps

    def step(x, _):
        a = limit(norm, x, mlp)
        b = limit(norm, x + h / 2 * a, mlp)
        c = limit(norm, x + h / 2 * b, mlp)
        return x + h / 6 * (a + 2 * b + 2 * c + limit(norm, x + h * c, mlp)), None

    return jax.lax.scan(step, START, length=steps)[0]


@pytest.mark.parametrize(
    "mlp", [None, pytest.param(MLP, marks=pytest.mark.slow)], ids=["attention", "mlp"]
)
@pytest.mark.parametrize("norm", NORMS, ids=lambda norm: type(norm).__name__)
def test_thin_layers_follow_the_flow(norm, mlp):
    exact = follow(norm, mlp is not None)
    counts = np.array([20, 40, 80])
    ends = [mf.rollout(layers(norm, 1 / count, mlp), START, int(count)).final for count in counts]
    errors = [float(jnp.abs(end - exact).max()) for end in ends]
    slope = np.polyfit(np.log(1 / counts), np.log(errors), 1)[0]
    # The next term is smaller by a factor of the step, 1/20 at most.
    assert abs(slope - 1) < 0.1


@pytest.mark.parametrize("norm", NORMS, ids=lambda norm: type(norm).__name__)
def test_the_limit_is_the_attention_flow(norm):
    out = AttentionFlow(SPHERE, ATTENTION, norm)
    state = (START, jnp.full(6, 2.0)) if norm.radial else START
    v = out.drift(jnp.array(0.0), state, None)
    if norm.radial:
        # x = r theta has x' = r' theta + r theta'.
        v = v[1][:, None] * START + 2.0 * v[0]
    scale = 2.0 if norm.radial else 1.0
    np.testing.assert_allclose(limit(norm, scale * START, False), v, atol=1e-14)


def test_the_feed_forward_layer_of_post_is_a_drift():
    flow = AttentionFlow(SPHERE, ATTENTION) + Drift(SPHERE, MLP)
    v = flow.drift(jnp.array(0.0), START, None)
    np.testing.assert_allclose(limit(PostNorm(), START, True), v, atol=1e-14)


def test_a_rollout_observes_the_start_and_each_step():
    out = mf.rollout(layers(PreNorm(), 0.1), START, 5, observe={"x": lambda x: x})
    assert out.values["x"].shape == (6, 6, 3)
    np.testing.assert_array_equal(out.values["x"][0], START)
    np.testing.assert_array_equal(out.values["x"][-1], out.final)
    np.testing.assert_array_equal(out.ts, jnp.arange(6.0))
    assert out.stats["steps"] == 5 and out.to_xarray().x.dims[0] == "time"


def test_a_rollout_composes_with_jax():
    def loss(step):
        return mf.rollout(layers(PostNorm(), step), START, 8).final[0, 0]

    at, h = jnp.array(0.1), 1e-5
    difference = (loss(at + h) - loss(at - h)) / (2 * h)
    np.testing.assert_allclose(jax.jit(jax.grad(loss))(at), difference, atol=1e-8)


@pytest.mark.slow
def test_single_precision_agrees():
    single, double = (
        mf.rollout(layers(PostNorm(), 0.1), START.astype(dtype), 8).final
        for dtype in (jnp.float32, float)
    )
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, double, atol=1e-5)


def test_layers_without_projection_have_the_published_tail():
    # Near a point one layer x <- N(x + h f(x)) divides differences by 1 + h, for f(x) is along x:
    # 1 - <x, y> decays at the rate 2 log(1 + h) / h, and at 2 only as h -> 0.
    start = SPHERE.project(jnp.eye(3)[:1] + 1e-4 * jnp.eye(3)[1:])
    gap = {"gap": lambda x: jnp.sum((x[0] - x[1]) ** 2)}
    for h, rate in [(0.1, 1.906), (0.05, 1.952), (0.01, 1.990)]:
        out = mf.rollout(layers(PostNorm(), h), start, 8, observe=gap).values["gap"]
        measured = -jnp.log(out[-1] / out[0]) / (8 * h)
        np.testing.assert_allclose(measured, 2 * np.log(1 + h) / h, rtol=1e-6)
        # The published values are printed with three decimals.
        np.testing.assert_allclose(measured, rate, atol=6e-4)
