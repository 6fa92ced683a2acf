"""Bifurcation diagrams on the circle, against Bessel functions and published transitions."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import ive

from meanfield.attention import Unnormalized
from meanfield.energies import free_energy
from meanfield.landscape import branch, crossing, tricritical_beta

DEGREE = 32


def follow(beta):
    return branch(Unnormalized(beta), 2, degree=DEGREE)


def test_the_whole_diagram_of_the_noisy_kuramoto_model():
    diagram = follow(0.0)
    kappa = diagram.order / diagram.noise
    # Newton's method converges quadratically past its tolerance of 1e-10; measured 2e-16.
    np.testing.assert_allclose(diagram.order, ive(1, kappa) / ive(0, kappa), atol=1e-12)
    assert diagram.complete and not diagram.first_order and not diagram.unstable.any()
    assert diagram.noise[0] == diagram.critical and diagram.noise[-1] <= 0.5 * diagram.critical
    np.testing.assert_allclose(diagram.critical, 1 / 2, rtol=1e-14)
    # Log of a von Mises density: free energy noise (kappa r - log I_0(kappa)) - r^2/2.
    exact = diagram.order**2 / 2 - diagram.noise * (jnp.log(ive(0, kappa)) + kappa)
    np.testing.assert_allclose(diagram.free_energy, exact, atol=1e-12)


@pytest.mark.parametrize(
    ("beta", "k", "k_linear"), [(3.0, 0.37609, 0.37942), (5.0, 0.09399, 0.10273)]
)
def test_first_order_transitions(beta, k, k_linear):
    diagram = follow(beta)
    transition = crossing(diagram)
    # The published digits, in noise K = 1/(2 nu).
    assert abs(1 / (2 * transition.noise) - k) < 6e-6
    assert abs(1 / (2 * diagram.critical) - k_linear) < 6e-6
    assert beta == 3.0 or abs(transition.jump - 0.75) < 0.005
    assert diagram.first_order and diagram.minimum.min() > 0
    np.testing.assert_allclose(transition.coeffs[1], np.sqrt(2) * transition.jump, rtol=1e-14)


def test_free_energy_is_that_of_the_energies():
    diagram = follow(3.0)
    energy = free_energy(3.0, diagram.noise[10])
    clustered, uniform = diagram.coeffs[10], diagram.coeffs[0]
    excess = energy.on_density(diagram.basis, clustered) - energy.on_density(diagram.basis, uniform)
    # Energies of order e^beta/beta cancel to 1e-4.
    np.testing.assert_allclose(diagram.free_energy[10], excess, atol=1e-13)


def test_stability_changes_at_the_fold():
    """Subcritical states are unstable in one direction, and those beyond the fold are stable."""
    diagram = follow(5.0)
    fold = int(jnp.argmax(diagram.noise))
    assert (diagram.unstable[1:fold] == 1).all()
    assert (diagram.unstable[fold + 1 :] == 0).all()


def test_continuous_below_the_tricritical_beta_and_first_order_above():
    beta = float(tricritical_beta(2))
    below = follow(0.9 * beta)
    assert not below.first_order and (jnp.diff(below.noise) < 0).all()
    assert (below.free_energy[1:] < 0).all()
    transition = crossing(below)
    assert transition.noise == below.critical and transition.jump == 0
    assert follow(2 * beta).first_order


def test_a_branch_that_cannot_be_resolved_says_so():
    diagram = branch(Unnormalized(5.0), 2, degree=DEGREE, until=0.1)
    assert not diagram.complete and diagram.noise[-1] > 0.1 * diagram.critical
    short = branch(Unnormalized(5.0), 2, degree=DEGREE, points=4)
    with pytest.raises(ValueError, match="follow it further"):
        crossing(short)


def test_repulsion_has_no_branch():
    with pytest.raises(ValueError, match="attracts"):
        branch(Unnormalized(1.0, value=-jnp.eye(2)), 2, degree=4)
