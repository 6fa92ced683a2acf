"""The MLP of a flow: each normalization treats it as it treats attention, as layers do."""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from unit_vectors import unit_vectors

import meanfield as mf
from meanfield.attention import Softmax
from meanfield.dynamics import (
    NGPT,
    AttentionFlow,
    Drift,
    MixNorm,
    PeriNorm,
    PostNorm,
    PreNorm,
    SqrtNorm,
)
from meanfield.geometry import Euclidean, Sphere

SPHERE, ATTENTION = Sphere(3), Softmax(2.0)
X = unit_vectors(2, 5, 3)
MLP = eqx.nn.MLP(3, 3, 8, 1, jax.nn.tanh, key=jax.random.key(1))
NORMS = [PostNorm(), PreNorm(), PeriNorm(), MixNorm(0.5), NGPT(0.7), SqrtNorm()]
every_norm = pytest.mark.parametrize("norm", NORMS, ids=lambda norm: type(norm).__name__)


def start(norm):
    return (X, jnp.ones(5)) if norm.radial else X


def directions(state):
    return state[0] if isinstance(state, tuple) else state


def layer(norm, x, f, t, h):
    """One residual sum of a layer of step h at time t."""
    if isinstance(norm, NGPT):
        return SPHERE.project(x + h * norm.alpha * SPHERE.project(f(x)))
    if isinstance(norm, SqrtNorm):
        return PostNorm().layer(x, f, h / jnp.sqrt(t + 1))
    if isinstance(norm, MixNorm):
        return jnp.where(t < norm.tau, PostNorm().layer(x, f, h), PreNorm().layer(x, f, h))
    return norm.layer(x, f, h)


@eqx.filter_jit
def run_layers(norm, count):
    """The directions at t = 1 after `count` layers of attention and MLP."""

    def one(k, x):
        step = partial(layer, norm, t=k / count, h=1 / count)
        return step(step(x, ATTENTION), jax.vmap(MLP))

    return SPHERE.project(jax.lax.fori_loop(0, count, one, X))


@eqx.filter_jit
def first_orders(norm, t, radii):
    """What two residual sums of step h, and the flow, add at order h to directions and radii."""

    def ends(h):
        step = partial(layer, norm, t=t, h=h)
        x = step(step(radii[:, None] * X, ATTENTION), jax.vmap(MLP))
        return SPHERE.project(x), jnp.linalg.norm(x, axis=1)

    flow = AttentionFlow(SPHERE, ATTENTION, norm, mlp=MLP)
    state = (X, radii) if norm.radial else X
    return jax.jvp(ends, (0.0,), (1.0,))[1], flow.drift(t, state, None)


@every_norm
def test_layers_with_an_mlp_begin_as_the_flow_does(norm):
    radii = jnp.linspace(0.5, 2.5, 5) if isinstance(norm, PreNorm | PeriNorm) else jnp.ones(5)
    for t in (0.25, 0.75):  # before and after the change of MixNorm
        layers, flow = first_orders(norm, jnp.array(t), radii)
        np.testing.assert_allclose(directions(flow), layers[0], atol=1e-13)
        if norm.radial:
            np.testing.assert_allclose(flow[1], layers[1], atol=1e-13)


@pytest.mark.slow
@every_norm
def test_layers_with_an_mlp_tend_to_the_flow_at_order_one(norm):
    flow = AttentionFlow(SPHERE, ATTENTION, norm, mlp=MLP)
    exact = mf.simulate(flow, start(norm), jnp.array([0.0, 1.0]), tol=1e-9).final
    counts = np.array([20, 40, 80])
    errors = [
        float(jnp.abs(run_layers(norm, jnp.array(n)) - directions(exact)).max()) for n in counts
    ]
    slope = np.polyfit(np.log(1 / counts), np.log(errors), 1)[0]
    # The next term is smaller by a factor of the step, 1/20 at most.
    assert abs(slope - 1) < 0.1


def a_step(flow, state):
    """One step of explicit Euler, which is quick to compile."""
    return jax.tree.map(lambda x, v: x + 0.25 * v, state, flow.drift(jnp.array(0.75), state, None))


def a_run(flow, state):
    return mf.simulate(flow, state, jnp.array([0.0, 0.75]), dt=0.25).final


@every_norm
@pytest.mark.parametrize("move", [a_step, pytest.param(a_run, marks=pytest.mark.slow)])
def test_the_gradient_in_the_weights_of_the_mlp(norm, move):
    weights, rest = eqx.partition(MLP, eqx.is_inexact_array)
    goal = jax.random.normal(jax.random.key(5), X.shape)

    @jax.jit
    def loss(weights):
        flow = AttentionFlow(SPHERE, ATTENTION, norm, mlp=eqx.combine(weights, rest))
        return (goal * directions(move(flow, start(norm)))).sum()

    gradient = jax.jit(jax.grad(loss))(weights)
    # Along the gradient itself the loss changes by its squared length.
    squared = sum((a**2).sum() for a in jax.tree.leaves(gradient))

    def along(h):
        return loss(jax.tree.map(lambda a, g: a + h * g, weights, gradient))

    assert squared > 0
    # Weights move by 1e-5 on either side: errors of 1e-16/1e-5 by rounding, and of the order of 1e-10.
    h = 1e-5 / jnp.sqrt(squared)
    np.testing.assert_allclose((along(h) - along(-h)) / (2 * h), squared, rtol=1e-8, atol=1e-9)


def test_without_normalization_the_mlp_is_a_drift():
    now = jnp.array(0.0)
    for geometry in (SPHERE, Euclidean(3)):
        plain = AttentionFlow(geometry, ATTENTION)
        np.testing.assert_allclose(
            eqx.filter_jit(AttentionFlow(geometry, ATTENTION, mlp=MLP).drift)(now, X, None),
            eqx.filter_jit((plain + Drift(geometry, MLP)).drift)(now, X, None),
            atol=1e-14,
        )


@pytest.mark.parametrize("size", [1, 4, "scalar"])
def test_an_mlp_must_stay_in_the_space_of_the_tokens(size):
    narrow = eqx.nn.MLP(3, size, 8, 1, key=jax.random.key(1))
    for flow in (AttentionFlow(SPHERE, ATTENTION, mlp=narrow), Drift(SPHERE, narrow)):
        with pytest.raises(ValueError, match=r"make it as equinox.nn.MLP\(d, d"):
            flow.drift(jnp.array(0.0), X, None)
