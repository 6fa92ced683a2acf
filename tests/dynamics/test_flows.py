"""Vector fields: weights, potentials, sums, and what they are by definition."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from unit_vectors import unit_vectors

from meanfield.attention import Softmax, Unnormalized
from meanfield.attention.kernels import AbstractAttention
from meanfield.dynamics import ArcLength, AttentionFlow, Control, Drift, GradientFlow
from meanfield.energies import Interaction, Potential
from meanfield.geometry import Euclidean, Sphere

SPHERE = Sphere(3)
NOW = jnp.array(0.3)
X = unit_vectors(3, 3, 3)
TWICE = X[jnp.array([0, 0, 1, 2])]
MASSES = jnp.array([0.5, 0.25, 0.25])


def height(x):
    return 0.7 * x[0] ** 2


FLOWS = [
    AttentionFlow(SPHERE, Softmax(2.0), weights=MASSES),
    AttentionFlow(SPHERE, Unnormalized(2.0), potential=height, weights=MASSES),
    AttentionFlow(Euclidean(3), Softmax(2.0), weights=MASSES),
    GradientFlow(SPHERE, -Interaction(2.0) + Potential(height), weights=MASSES),
    ArcLength(AttentionFlow(SPHERE, Softmax(2.0), weights=MASSES)),
]


@eqx.filter_jit
def drift(flow, state):
    return flow.drift(NOW, state, None)


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: type(flow).__name__)
def test_a_weight_is_that_many_tokens(flow):
    uniform = flow.reweight(jnp.full(4, 0.25))
    once = drift(flow, flow.check(X))
    repeated = drift(uniform, uniform.check(TWICE))
    first, second = (out[0] if isinstance(out, tuple) else out for out in (once, repeated))
    np.testing.assert_allclose(second, first[jnp.array([0, 0, 1, 2])], rtol=1e-12, atol=1e-14)


def test_potential_drift_and_control_are_forces_that_add():
    mlp = eqx.nn.MLP(3, 3, 8, 1, key=jax.random.key(1))
    plain = AttentionFlow(SPHERE, Softmax(2.0))
    steer = Control(SPHERE, lambda t, x, args: args * t * jnp.roll(x, 1, axis=0))
    both = plain + Drift(SPHERE, mlp) + steer
    force = Softmax(2.0)(X) + jax.vmap(mlp)(X) + 5.0 * NOW * jnp.roll(X, 1, axis=0)
    np.testing.assert_allclose(
        both.drift(NOW, X, jnp.array(5.0)), SPHERE.to_tangent(X, force), atol=1e-14
    )
    falling = AttentionFlow(SPHERE, Softmax(2.0), potential=height)
    gradient = jax.vmap(jax.grad(height))(X)
    np.testing.assert_allclose(
        falling.drift(NOW, X, None), SPHERE.to_tangent(X, Softmax(2.0)(X) - gradient), atol=1e-14
    )


def test_a_drift_commutes_with_a_rescaling_of_each_token():
    scale = jnp.array([[0.5], [1.0], [3.0]])
    flow = AttentionFlow(SPHERE, Softmax(2.0))
    v, scaled = flow.drift(NOW, X, None), flow.drift(NOW, scale * X, None)
    np.testing.assert_allclose(scaled, scale * v, atol=1e-14)


def test_unnormalized_attention_is_a_gradient_ascent():
    ascent = GradientFlow(SPHERE, -Interaction(3.0))
    flow = AttentionFlow(SPHERE, Unnormalized(3.0))
    np.testing.assert_allclose(drift(ascent, X), drift(flow, X), rtol=1e-12, atol=1e-13)


def test_strengths_of_noise_add_and_zero_means_none():
    still = Drift(SPHERE, lambda x: 0 * x)
    noisy = Drift(SPHERE, lambda x: 0 * x, noise=0.25)
    assert (still + still).noise is None
    np.testing.assert_allclose((noisy + still + noisy).noise, 0.5)


def test_arc_length_moves_at_its_speed():
    path = ArcLength(AttentionFlow(SPHERE, Softmax(4.0), weights=MASSES), speed=2.0)
    velocity, rate = path.drift(NOW, path.check(X), None)
    np.testing.assert_allclose(MASSES @ jnp.sum(velocity**2, axis=1), 4.0, rtol=1e-13)
    slow = path.flow.drift(NOW, X, None)
    np.testing.assert_allclose(velocity, rate * slow, rtol=1e-13)


class Pushed(AbstractAttention):
    """A field of the user's, by a function which may have no hash."""

    function: Any

    def __call__(self, x, y=None, w=None):
        return self.function(x)


class _Counted:
    def __init__(self, columns: int):
        self.columns, self.calls = columns, 0

    def __eq__(self, other):  # which leaves no hash
        return self is other

    def __call__(self, x):
        self.calls += 1
        return jnp.tile(x[:, :1], (1, self.columns))


def test_starts_are_checked_by_the_shape_of_the_field_found_once():
    hashed = _Counted(3)
    flow = AttentionFlow(SPHERE, Pushed(lambda x: hashed(x)))
    for start in (X, -X, TWICE, X):
        flow.check(start)
    assert hashed.calls == 2  # clouds of 3 and of 4 tokens
    for columns, message in ((3, None), (2, "one with 2 rows")):
        flow = AttentionFlow(SPHERE, Pushed(_Counted(columns)))
        if message is None:
            np.testing.assert_array_equal(flow.check(X), X)
            continue
        with pytest.raises(ValueError, match=message):
            flow.check(X)
