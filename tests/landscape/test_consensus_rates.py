"""Consensus along eigenvectors of the values, against the linearized flow of tokens."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused

from meanfield.attention import Softmax
from meanfield.dynamics import AttentionFlow
from meanfield.geometry import Sphere
from meanfield.landscape import consensus_rates

SKEW = np.array([[1.0, 0.4, 0.0], [-0.3, 0.5, 0.6], [0.2, 0.1, -0.4]])
TURNED = np.array([[0.7, 0.0, 0.1], [0.0, 0.2, 1.0], [0.0, -1.0, 0.2]])
N = 6


@eqx.filter_jit
def linearized(flow, x, frame):
    """The drift at x, and its derivative in tangent coordinates."""

    def moved(c):
        y = Sphere(3).project(x + c @ frame.T)
        return flow.drift(jnp.array(0.0), y, None) @ frame

    at_rest = flow.drift(jnp.array(0.0), x, None)
    return at_rest, jax.jacobian(moved)(jnp.zeros((N, 2))).reshape(2 * N, 2 * N)


@pytest.mark.parametrize("value", [SKEW, TURNED], ids=["three real", "one real"])
@pytest.mark.parametrize("many", [6, 4, 3])
def test_rates_are_those_of_the_linearized_flow(value, many):
    beta = 0.8
    flow = AttentionFlow(Sphere(3), Softmax(beta, value=jnp.asarray(value)))
    found = consensus_rates(jnp.asarray(value), beta, many / N)
    vectors = zip(
        *(np.asarray(a) for a in (found.eigenvalues, found.eigenvectors, found.rates)), strict=True
    )
    signs = np.where(np.arange(N) < many, 1.0, -1.0)[:, None]
    for own, u, rate in vectors:
        np.testing.assert_allclose(value @ u, own * u, atol=1e-13)
        frame = np.linalg.svd(np.outer(u, u))[0][:, 1:]  # tangent at u and at -u
        at_rest, jacobian = linearized(flow, jnp.asarray(signs * u), jnp.asarray(frame))
        np.testing.assert_allclose(at_rest, 0, atol=1e-13)
        np.testing.assert_allclose(np.linalg.eigvals(jacobian).real.max(), rate, atol=1e-7)


def test_two_equal_groups_can_be_stable_where_a_consensus_is_and_need_cold_attention():
    value, beta = jnp.diag(jnp.array([1.0, 0.6, -0.5])), 2.0
    # Largest of -lambda, mu - lambda at m = 1; of (mu - lambda) tanh, mu - lambda tanh, -lambda tanh at 1/2.
    np.testing.assert_allclose(consensus_rates(value, beta).rates, [-0.4, 0.4, 1.5], atol=1e-14)
    for beta in (2.0, 0.5):
        tanh = np.tanh(beta)
        groups = consensus_rates(value, beta, 0.5).rates
        expected = [max(0.6 - tanh, -0.4 * tanh), 1 - 0.6 * tanh, 1 + 0.5 * tanh]
        np.testing.assert_allclose(groups, expected, atol=1e-14)
    assert groups[0] > 0  # warm: 0.6 > tanh(0.5)


def test_attention_as_cold_as_can_be_is_that_of_each_group_alone():
    value = jnp.diag(jnp.array([1.0, 0.6, -0.5]))
    for dtype in (jnp.float32, jnp.float64):
        found = consensus_rates(value.astype(dtype), 500.0, 0.3).rates  # e^{2 beta} is no number
        np.testing.assert_allclose(found, [-0.4, 0.4, 1.5], atol=1e-6)


def test_what_has_no_consensus_is_refused():
    check_refused(lambda: consensus_rates(jnp.ones((2, 3)), 1.0), "square")
    with pytest.raises(ValueError, match="real eigenvalue"):
        consensus_rates(jnp.array([[0.0, 1.0], [-1.0, 0.0]]), 1.0)
    check_refused(lambda: consensus_rates(jnp.asarray(SKEW), 1.0, 0.0), "expected a share")
