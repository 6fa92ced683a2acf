"""Attentions that change with time."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiled_attention import attend
from refusals import check_refused

from meanfield.attention import Blockwise, Layers, MultiHead, Softmax, Varying, attention_at

VALUES = [jnp.eye(2), 2.0 * jnp.eye(2), 3.0 * jnp.eye(2)]
X = jnp.eye(2)


def test_layers_hold_from_their_time_until_the_next():
    layers = Layers([Softmax(1.0, value=v) for v in VALUES], times=[0.0, 1.0, 2.5])
    np.testing.assert_array_equal(layers.jumps(), [0.0, 1.0, 2.5])
    at = eqx.filter_jit(lambda t: attention_at(layers, t)(X))
    for t, factor in [(-1.0, 1), (0.0, 1), (0.999, 1), (1.0, 2), (2.0, 2), (2.5, 3), (9.0, 3)]:
        np.testing.assert_allclose(at(jnp.asarray(t)), factor * Softmax(1.0)(X), rtol=1e-15)
    assert at(jnp.asarray(1.0, jnp.float32)).dtype == jnp.float64  # the clock decides nothing


def test_layers_of_heads_keep_their_engines():
    heads = [MultiHead([Softmax(b, engine=Blockwise(3)), Softmax(2 * b)]) for b in (1.0, 2.0)]
    layers = Layers(heads, times=jnp.array([0.0, 1.0]))
    assert layers(jnp.asarray(1.5)).heads[0].engine == Blockwise(3)
    found, exact = (attend(one, X) for one in (layers(jnp.asarray(1.5)), heads[1]))
    np.testing.assert_allclose(found, exact, rtol=1e-15)


def test_varying_follows_its_function_and_can_be_differentiated():
    varying = Varying(lambda t: Softmax(1.0, value=jnp.exp(t) * jnp.eye(2)))
    assert varying.jumps() is None
    t = jnp.asarray(0.3)
    at = lambda t: attention_at(varying, t)(X)
    value, rate = jax.jit(lambda t: jax.jvp(at, (t,), (jnp.ones(()),)))(t)
    np.testing.assert_allclose(value, np.exp(0.3) * attend(Softmax(1.0), X), rtol=1e-14)
    np.testing.assert_allclose(rate, value, rtol=1e-14)  # d/dt e^t = e^t
    np.testing.assert_array_equal(varying(t).value, jnp.exp(t) * jnp.eye(2))
    assert attention_at(Softmax(2.0), t).beta == 2


def test_layers_refuse_what_does_not_fit():
    check_refused(lambda: Layers([Softmax(1.0)], times=[0.0, 1.0]), "one time a layer")
    with pytest.raises(ValueError, match="increasing times"):
        Layers([Softmax(1.0), Softmax(2.0)], times=[1.0, 0.0])
    with pytest.raises(ValueError, match="one structure"):
        Layers([Softmax(1.0), Softmax(1.0, value=jnp.eye(2))], times=[0.0, 1.0])
