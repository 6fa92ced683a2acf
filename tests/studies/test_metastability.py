import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import erf, ive

from meanfield.energies import Interaction
from meanfield.harmonics import Fourier
from meanfield.landscape import escape_rates
from meanfield.studies import Decision
from meanfield.studies.metastability._decision import MODE, _near_square, _outcome
from meanfield.studies.metastability._metastability import _blobs
from meanfield.studies.metastability._staircase import (
    AngularEnergy,
    Staircase,
    _published,
    limit_length,
)


def test_the_energy_in_angles_is_that_of_the_tokens():
    theta, beta = jnp.array([0.1, 0.3, 1.2]), 4.0
    x = jnp.stack([jnp.cos(theta), jnp.sin(theta)], axis=1)
    scaled = 2 * beta * Interaction(beta, offset=beta)(x)
    assert_allclose(AngularEnergy(beta)(theta[:, None]), scaled, rtol=1e-14)
    w = jnp.array([0.2, 0.5, 0.3])
    scaled = 2 * beta * Interaction(beta, offset=beta)(x, w)
    assert_allclose(AngularEnergy(beta)(theta[:, None], w), scaled, rtol=1e-14)
    basis = Fourier(8)
    uniform = jnp.zeros(basis.eigenvalues.shape).at[0].set(1.0)
    expected = ive(0, beta)  # the mean of e^{beta (cos - 1)}
    assert_allclose(AngularEnergy(beta).on_density(basis, uniform), expected, rtol=1e-12)


def test_far_clusters_feel_forces_far_below_rounding():
    energy, theta = AngularEnergy(4000.0), jnp.array([[0.0], [0.4]])
    gradient = energy.wasserstein_gradient(theta)
    # grad_1 E / w_1 = 2 w_2 beta sin(theta_2 - theta_1) e^{beta (cos - 1)}, which is 1e-134
    expected = 4000 * np.sin(0.4) * np.exp(-8000 * np.sin(0.2) ** 2)
    assert_allclose(gradient[:, 0] / expected, [1, -1], rtol=1e-10)


def test_the_published_iteration_joins_two_tokens_when_they_meet():
    gap, beta, lr = 0.2, 50.0, 1e-5
    settings = jnp.array([0.0, gap]), jnp.asarray(beta), jnp.asarray(lr)
    energies, end = _published(*settings, 5000)
    kernel = np.exp(beta * (np.cos(gap) - 1))
    assert_allclose(energies[0], (1 + kernel) / 2, rtol=1e-14)
    assert energies[-1] == 1
    # Each step turns both by lr ln(beta)/sqrt 2; below 1e-5 gradients are of gaps that small, so
    # the last step is that which crosses, and one more at most.
    steps = gap / (np.sqrt(2) * np.log(beta) * lr)
    assert 0 <= int(end) - steps <= 2


def test_the_limit_length_sums_collisions_of_the_closest():
    assert_allclose(limit_length(np.array([0.0, 1.0])), np.sqrt(1 / 2), rtol=1e-14)
    # 0 and 1 meet at 1/2; that pair and 3 lie 5/2 apart, with masses 2 and 1
    expected = np.sqrt(1 / 2) + 2.5 * np.sqrt(2 / 3)
    assert_allclose(limit_length(np.array([3.0, 0.0, 1.0])), expected, rtol=1e-14)


@pytest.mark.parametrize("n", [2, 8])
def test_blobs_lie_on_the_circle_at_an_angle_of_1_8(n):
    x = _blobs(n)
    assert x.shape == (n, 2)
    assert_allclose((x**2).sum(axis=1), 1, rtol=1e-14)
    assert_allclose(x[0] @ x[n // 2], np.cos(1.8), rtol=1e-13)


@pytest.mark.slow
def test_merges_that_have_not_happened_are_no_numbers():
    """At beta = 3 tokens that close attract each other at a rate below one: none has merged by then."""
    study = Staircase(beta=(3.0,), lr=1e-3, rescaled_time=0.13)
    result = study.run()
    assert np.isnan(result.merged).all() and result.merged.shape == (1, 4)
    assert not any(claim.passed for claim in study.claims(result) if "plateau" in claim.name)


def test_the_mode_that_decides_between_pairs():
    """Its rates are those of the Hessian at the square; a push is worth e^{rate t} of one at the start."""
    study = Decision(repelling=1.5, beta=2.0, switch=3.0)
    square = _near_square(jnp.zeros(4))
    rates = [escape_rates(-Interaction(b, offset=b), square)[0] for b in (1.5, 2.0)]
    expected = [0, 2 * rates[0], 3 * rates[0] - 2 * rates[1]]
    assert_allclose(study.growth(np.array([0.0, 2.0, 5.0])), expected, atol=1e-13)
    # P(|A| < effort) of A with standard deviation spread/2
    exact = erf(2 * study.effort / study.spread / np.sqrt(2))
    assert_allclose(study.flips(np.zeros(1)), exact, rtol=1e-12)
    # cos(pi/2 -+ 2 a) are the products, two of each sign
    assert_allclose(_outcome(_near_square(0.01 * jnp.asarray(MODE))), -4 * np.sin(0.02), rtol=1e-12)
