"""Values that are known while a program is traced are checked then, and noise and masses of zero are none."""

import itertools

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from refusals import check_refused

from meanfield.attention import Softmax
from meanfield.dynamics import AbstractPull, AttentionFlow, ConsensusFlow, Drift
from meanfield.energies import Pairwise, Potential
from meanfield.geometry import Euclidean, Sphere
from meanfield.landscape import critical_noise
from meanfield.observables import effective_rank, hemisphere
from meanfield.solve.methods._noise import TangentNoise
from meanfield.transport import wasserstein

S = Sphere(3)
X = S.sample(jax.random.key(0), 4)


def test_wrong_weights_are_refused_within_jit_too():
    wrong = jnp.array([0.5, 0.5, 0.5, -0.5])
    check_refused(lambda: jax.jit(lambda x: wasserstein(x, X, wrong).value)(X), "negative weight")


def test_no_noise_is_the_number_zero_of_any_kind():
    assert Drift(S, jnp.sin, noise=jnp.zeros(())).noise is None
    assert Drift(S, jnp.sin, noise=jnp.ones(())).noise == 1


def test_functions_are_not_asked_about_points_of_no_mass():
    """Where they overflow, which 0 times infinity would turn into NaN."""
    near, w = jnp.array([[0.5], [1.0]]), jnp.array([0.25, 0.75])
    far, more = jnp.append(near, 1e3)[:, None], jnp.append(w, 0.0)
    steep = lambda x: jnp.exp(x[0] ** 2)
    for energy in (Potential(steep), Pairwise(lambda x, y: steep(x - y))):
        right = jax.value_and_grad(energy)(near, w)
        found = jax.value_and_grad(energy)(far, more)
        np.testing.assert_allclose(found[0], right[0], rtol=1e-14)
        np.testing.assert_allclose(found[1], jnp.append(right[1], 0.0)[:, None], rtol=1e-14)


def test_a_cloud_at_the_origin_has_no_rank():
    """The rank is that of t x for every t > 0, so that its limits are all numbers from 1 to 3."""
    assert jnp.isnan(effective_rank(jnp.zeros((4, 3))))


def test_a_first_mode_beyond_those_that_are_tried_is_refused():
    # Degree 1 grows first: where no other is tried, one beyond might.
    check_refused(lambda: critical_noise(Softmax(2.0), 3, max_degree=1), "raise max_degree")
    assert critical_noise(Softmax(2.0), 3, max_degree=2) > 0


def test_noise_is_new_at_each_step_of_a_long_run():
    """In single precision the times 1e9 and 1e9 + .001 are one."""
    path = diffrax.UnsafeBrownianPath(jax.ShapeDtypeStruct((2,), float), jax.random.key(0))
    noise = TangentNoise(Euclidean(2), jnp.ones(()), path)
    times = 1e9 + 1e-3 * jnp.arange(5.0)
    draws = jnp.stack([noise.contr(*pair) for pair in itertools.pairwise(times)])
    assert len({float(d) for d in draws[:, 0]}) == 4


class Lost(AbstractPull):
    """A pull whose iteration never converges."""

    def __call__(self, geometry, x, weights, masses):
        return jnp.full_like(x, jnp.nan)


def test_a_pull_that_nobody_feels_is_not_asked_for():
    flow, clouds = AttentionFlow(S, Softmax(2.0)), jnp.stack([X, X[::-1]])
    t = jnp.zeros(())
    shut = ConsensusFlow([flow, flow], 1.0, lambda t, x, own: jnp.zeros(2), pull=Lost())
    for closed in (shut, ConsensusFlow([flow, flow], 0.0, pull=Lost())):
        assert (closed.control(t, clouds) == 0).all() and closed.solved(t, clouds, None)
    felt = ConsensusFlow([flow, flow], 1.0, pull=Lost())
    assert jnp.isnan(felt.control(t, clouds)).all() and not felt.solved(t, clouds, None)


def test_the_margin_of_a_hemisphere_has_the_slope_of_its_tokens():
    x = S.project(X + jnp.array([2.0, 0.0, 0.0]))
    along = jax.random.normal(jax.random.key(1), x.shape)
    margin = lambda s: hemisphere(x + s * along).margin
    there = (margin(1e-5) - margin(-1e-5)) / 2e-5
    np.testing.assert_allclose(jax.grad(margin)(0.0), there, rtol=1e-6)
