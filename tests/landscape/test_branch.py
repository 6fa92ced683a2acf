"""Bifurcation diagrams on the circle, against Bessel functions and published transitions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused
from scipy.integrate import quad
from scipy.special import ive

from meanfield.attention import Unnormalized
from meanfield.energies import free_energy
from meanfield.harmonics import Gegenbauer
from meanfield.landscape import branch, crossing, tricritical_beta
from meanfield.landscape.densities._curve import Curve

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
    check_refused(lambda: crossing(short), "follow it further")


@pytest.mark.parametrize("d", [20, pytest.param(30, marks=pytest.mark.slow)])
def test_transitions_in_many_dimensions(d):
    """Where harmonics are so large near the poles that rounding makes the sum of them negative there.

    Against F(r) = min {F : mean resultant r} solved on a fine grid of angles with a log density: the
    noise at which it touches 0 beyond r = 0, and that r.
    """
    beta, noise, jump = {20: (1.6, 0.0563344869, 0.6817280), 30: (1.5, 0.0363047251, 0.6522897)}[d]
    degree = {20: 48, 30: 80}[d]  # what resolves the narrowest density to 1e-8
    diagram = branch(Unnormalized(beta), d, degree=degree, until=0.9)
    found = crossing(diagram)
    # The digits that are given.
    np.testing.assert_allclose(found.noise, noise, atol=6e-11)
    np.testing.assert_allclose(found.jump, jump, atol=6e-8)
    assert (diagram.minimum >= 0).all() and (diagram.minimum[1:] < 1).all()
    # A density that has its least value, next to 0, opposite its axis.
    exact = gibbs(beta, d, degree, diagram.coeffs[-1], diagram.noise[-1])
    np.testing.assert_allclose(diagram.minimum[-1], exact, rtol=1e-6)


def gibbs(beta, d, degree, coeffs, noise):
    """The least of e^{W*rho/noise}/Z at the nodes, with W*rho by quadrature against the density itself."""
    basis = Gegenbauer(d, degree)
    multipliers = basis.multipliers(lambda t: jnp.exp(beta * (t - 1))) * np.exp(beta) / beta
    smooth = np.asarray(basis.synthesize(multipliers * coeffs)) / float(noise)
    smooth -= smooth.max()
    return np.exp(smooth.min()) / (np.asarray(basis.weights) @ np.exp(smooth))


def test_the_flux_that_is_left_is_measured_on_the_sphere():
    """1 + p_1/2 + p_2/3 in d = 5 at beta = 0, where the field is m_1 grad t, by an adaptive rule."""
    d, noise = 5, 0.3
    basis = Gegenbauer(d, 8)
    curve = Curve(Unnormalized(0.0), basis, jnp.zeros(8).at[0].set(1 / d))
    coeffs = jnp.zeros(9).at[:3].set(jnp.array([1.0, 1 / 2, 1 / 3]))
    point = jnp.append(coeffs[1:] / curve.scale[1:], noise / curve.critical)
    p1, p2 = np.sqrt(5), np.sqrt(14)  # sqrt N(5, k); P_2 = (5 t^2 - 1)/4
    rho = lambda t: 1 + p1 * t / 2 + p2 * (5 * t**2 - 1) / 12
    slope = lambda t: p1 / 2 + p2 * 10 * t / 12
    resultant = 1 / 2 / p1
    metric = lambda t: (1 - t**2) ** 2  # (1 - t^2)^{(d-3)/2} of the law, and |grad t|^2
    flux = quad(lambda t: metric(t) * (noise * slope(t) - resultant * rho(t)) ** 2, -1, 1)[0]
    whole = quad(lambda t: metric(t) * (noise * slope(t)) ** 2, -1, 1)[0]
    np.testing.assert_allclose(curve.defect(point), np.sqrt(flux / whole), rtol=1e-12)


def test_single_precision_gives_the_same_transition():
    """What continuation tells apart lies below the rounding of float32: it is done in float64."""
    with jax.enable_x64(False):
        diagram = branch(Unnormalized(3.0), 2, degree=DEGREE)
        found = crossing(diagram)
        assert diagram.noise.dtype == found.noise.dtype == jnp.float32
        assert bool(diagram.first_order)
    assert abs(1 / (2 * float(found.noise)) - 0.37609) < 6e-6


def test_repulsion_has_no_branch():
    check_refused(lambda: branch(Unnormalized(1.0, value=-jnp.eye(2)), 2, degree=4), "attracts")
