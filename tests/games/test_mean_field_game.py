"""Stationary games against Mathieu functions, Kuramoto's self-consistency and a root finder of SciPy."""

from functools import cache

import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused
from scipy.optimize import brentq, fsolve
from scipy.special import iv, mathieu_a

from meanfield.attention import Unnormalized
from meanfield.games import Kuramoto, MeanFieldGame, crowd_aversion
from meanfield.games.meanfield._mean_field_game import _square_slope
from meanfield.harmonics import Fourier, Gegenbauer, SphericalHarmonics
from meanfield.landscape import critical_noise

CIRCLE = Gegenbauer(2, 20)


@cache
def oscillators(kappa, planned=False):
    game = MeanFieldGame(CIRCLE, Kuramoto(kappa), 0.5)
    found = game.planner() if planned else game.equilibrium()
    assert found.converged
    return found


@pytest.mark.parametrize(
    ("discount", "critical"), [(1.0, 0.402862), (10.0, 0.536388), (1000.0, 0.564840)]
)
def test_thresholds(discount, critical):
    game = MeanFieldGame(CIRCLE, Unnormalized(1.0), 0.3, discount)
    assert game.critical_noise() == pytest.approx(critical, abs=5e-7)
    strength = iv(np.arange(1, 4), 1.0)
    noise, k = np.asarray(game.thresholds())[:3], np.arange(1, 4)
    np.testing.assert_allclose(noise * (1 + noise * k**2 / discount), strength, atol=1e-13)


def test_thresholds_without_discount_and_in_the_flow():
    """noise^2 = W_k/lambda_k, of the sphere too; and impatience gives what the flow has."""
    np.testing.assert_allclose(
        MeanFieldGame(CIRCLE, Unnormalized(1.0), 0.3).thresholds()[:3] ** 2,
        iv(np.arange(1, 4), 1.0) / np.arange(1, 4) ** 2,
        atol=1e-13,
    )
    flow = float(critical_noise(Unnormalized(1.0), 2))
    assert flow == pytest.approx(0.565159, abs=5e-7)
    hasty = MeanFieldGame(CIRCLE, Unnormalized(1.0), 0.3, 1e9)
    assert hasty.critical_noise() == pytest.approx(flow, abs=1e-8)
    # kappa/d over lambda_1 = d - 1.
    sphere = MeanFieldGame(Gegenbauer(4, 4), Kuramoto(2.0), 0.3)
    assert sphere.critical_noise() == pytest.approx((2 / 4 / 3) ** 0.5, abs=1e-13)


@pytest.mark.parametrize(
    ("kappa", "order"), [(0.51, 0.149077), (0.6, 0.421138), (1.0, 0.679536), (2.0, 0.801182)]
)
def test_orders_of_oscillators(kappa, order):
    assert oscillators(kappa).order == pytest.approx(order, abs=5e-7)


def test_a_basis_too_small_for_the_law_has_not_converged():
    assert not MeanFieldGame(CIRCLE, Kuramoto(1.0), 0.01).equilibrium().converged


def test_the_uniform_law_above_the_threshold():
    found = oscillators(0.49)  # below kappa_c = 2 noise^2
    assert found.order < 1e-10 and abs(found.cost) < 1e-14


def test_cost_of_oscillators_is_an_eigenvalue_of_mathieu():
    """-2 nu^2 phi'' - kappa r cos phi = E phi is Mathieu's equation with q = kappa r/nu^2."""
    found = oscillators(1.0)
    q = float(found.order) / 0.5**2
    assert q == pytest.approx(2.718142, abs=5e-7)
    assert found.cost == pytest.approx(mathieu_a(0, q) * 0.5**2 / 2, abs=1e-11)
    assert found.cost == pytest.approx(-0.305746, abs=5e-7)
    # E = effort - kappa r^2.
    assert found.effort - found.order**2 == pytest.approx(float(found.cost), abs=1e-12)
    # By the virial theorem of m = e^{-V/nu}: effort = nu^2/2 int |m'|^2/m.
    density = CIRCLE.synthesize(found.density)
    slope = CIRCLE.node_gradient(found.density)
    fisher = CIRCLE.weights @ ((1 - CIRCLE.nodes**2) * slope**2 / density)
    assert found.effort == pytest.approx(0.5**2 / 2 * float(fisher), abs=1e-9)


@pytest.mark.parametrize(
    ("kappa", "nash", "planner"), [(0.6, -0.0580, -0.1243), (1.0, -0.3057, -0.3609)]
)
def test_planners_pay_less(kappa, nash, planner):
    assert oscillators(kappa).cost == pytest.approx(nash, abs=5e-5)
    best = oscillators(kappa, True)
    assert best.cost == pytest.approx(planner, abs=5e-5)
    # The planner's players feel 2 W.
    if kappa == 1.0:
        assert best.order == pytest.approx(float(oscillators(2.0).order), abs=1e-10)


def reference(noise, discount, start, modes=16, points=128):
    """Order and running cost on the circle, with W_k = I_k(1) for k > 0, by fsolve on cosines."""
    theta, k = 2 * np.pi * np.arange(points) / points, np.arange(1, modes + 1)
    cos, sin, w = np.cos(np.outer(k, theta)), np.sin(np.outer(k, theta)), iv(k, 1.0)

    def law(v):
        m = np.exp(-(v @ cos) / noise)
        return m / m.mean(), -(v * k) @ sin

    def residual(v):
        m, slope = law(v)
        felt = 2 * (w * (cos @ m) / points) @ cos
        equation = discount * v @ cos + noise * (v * k**2) @ cos + slope**2 / 2 + discount * felt
        return 2 * (cos @ equation) / points

    v = fsolve(residual, -start * (k == 1.0), xtol=1e-13)
    m, slope = law(v)
    pair = 2 * np.sum(w * (cos @ m / points) ** 2)
    return (cos @ m / points)[0], (m * slope**2).mean() / 2 - discount * pair


def test_a_discounted_game():
    found = MeanFieldGame(CIRCLE, Unnormalized(1.0), 0.45, 5.0).equilibrium()
    order, cost = reference(0.45, 5.0, 0.45)
    assert found.converged and order > 0.3
    assert found.order == pytest.approx(order, abs=1e-9)
    assert found.cost == pytest.approx(cost, abs=1e-9)


def test_impatient_players_are_the_flow():
    """m = e^{kappa r cos/nu}/Z, so that r = I_1(kappa r/nu)/I_0(kappa r/nu), up to 1/discount."""
    found = MeanFieldGame(CIRCLE, Kuramoto(1.0), 0.4, 1e7).equilibrium()
    consistent = lambda r: iv(1, r / 0.4) / iv(0, r / 0.4) - r
    assert found.order == pytest.approx(brentq(consistent, 0.1, 0.99), abs=1e-6)


def test_branches_begin_at_the_thresholds():
    """noise = nu_c - c order^2 + ...: extrapolated from .02 and .04, off by their fourth power."""
    game = MeanFieldGame(CIRCLE, Unnormalized(1.0), 0.3, 10.0)
    found = game.branch(jnp.array([0.02, 0.04, 0.4]))
    assert found.converged.all()
    np.testing.assert_allclose(found.order, [0.02, 0.04, 0.4], atol=1e-11)
    start = (4 * found.noise[0] - found.noise[1]) / 3
    assert start == pytest.approx(0.536388, abs=1e-6)
    assert found.noise[1] < found.noise[0] < game.critical_noise()  # it is supercritical
    order, _ = reference(float(found.noise[2]), 10.0, 0.5)
    assert order == pytest.approx(0.4, abs=1e-9)


@pytest.mark.parametrize("basis", [Gegenbauer(3, 4), Fourier(4), SphericalHarmonics(4)])
def test_squares_of_slopes(basis):
    """From products alone, of functions whose squares the basis holds: degree 2 of 4."""
    values = jnp.where(basis.degrees <= 2, 0.3 + 0.1 * jnp.arange(1.0 * basis.size), 0.0)
    slope = basis.node_gradient(values)
    if isinstance(basis, Gegenbauer):
        square = (1 - basis.nodes**2) * slope**2
    else:
        square = jnp.sum(slope**2, axis=1)
    np.testing.assert_allclose(basis.synthesize(_square_slope(basis, values)), square, atol=1e-11)


@pytest.mark.slow
@pytest.mark.parametrize("basis", [Fourier(16), SphericalHarmonics(10)])
@pytest.mark.parametrize("aversion", [0.0, 0.05])
def test_equilibria_are_the_same_in_all_bases(basis, aversion):
    """On the circle and on S^2, where they can be turned, as those with an axis."""
    noise = 0.5 if basis.d == 2 else 0.3
    found = MeanFieldGame(basis, Kuramoto(1.0), noise, None, aversion).equilibrium()
    axial = MeanFieldGame(
        Gegenbauer(basis.d, 16), Kuramoto(1.0), noise, None, aversion
    ).equilibrium()
    assert found.converged and axial.converged
    assert found.order == pytest.approx(float(axial.order), abs=1e-8)
    assert found.cost == pytest.approx(float(axial.cost), abs=1e-8)


def test_crowd_aversion():
    gain = float(crowd_aversion(1.0, 0.5, 0.25))
    assert gain == pytest.approx(0.780776, abs=5e-7)
    # The squares of the equation of Hamilton and Jacobi: P^2/2 = q/2 - coupling P/(2 noise).
    gain = float(crowd_aversion(3.0, 0.7, 0.4))
    assert gain**2 == pytest.approx(3 - 0.4 * gain / 0.7, abs=1e-13)


def test_kuramoto_is_a_mean():
    x = jnp.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    w = jnp.array([0.5, 0.2, 0.3])
    np.testing.assert_allclose(Kuramoto(2.0)(x, w=w), np.tile(2 * w @ x, (3, 1)), atol=1e-15)
    np.testing.assert_allclose(Kuramoto(2.0)(x), np.tile(2 * x.mean(axis=0), (3, 1)), atol=1e-15)
    np.testing.assert_allclose(Kuramoto(2.0)(x, x[:1]), np.tile(2 * x[0], (3, 1)), atol=1e-15)
    # A density feels the same: the gradient of 2 <x, mean>.
    basis = Fourier(3)
    density = basis.analyze(1 + 0.8 * basis.points[:, 0])
    pull = Kuramoto(2.0).attraction(basis, density, basis.points)
    np.testing.assert_allclose(pull, 2 * 0.4 * basis.points[:, 0], atol=1e-13)
    np.testing.assert_allclose(
        Kuramoto(2.0).mean_field(basis, density)[:, 1],
        0.8 * (0 - basis.points[:, 0] * basis.points[:, 1]),
        atol=1e-13,
    )


def test_refusals():
    check_refused(lambda: MeanFieldGame(CIRCLE, Kuramoto(1.0), 0.0), "noise")
    game = MeanFieldGame(CIRCLE, Kuramoto(1.0), 0.5)
    check_refused(lambda: game.equilibrium(jnp.zeros(3)), "coefficients of V")
    check_refused(lambda: game.branch(jnp.array([0.5, 0.2])), "ascending")


@pytest.mark.slow
def test_the_cost_is_that_of_the_law_where_the_basis_is_large_enough():
    coarse, fine = (
        MeanFieldGame(Gegenbauer(2, degree), Kuramoto(1.0), 0.05).equilibrium()
        for degree in (8, 64)
    )
    assert not coarse.converged and fine.converged
    # Mathieu's equation for the order that was found: E = a_0(order/noise^2) noise^2/2.
    energy = mathieu_a(0, float(fine.order) / 0.05**2) * 0.05**2 / 2
    # The last coefficients of V are 1e-5 of the first.
    assert fine.cost == pytest.approx(energy, abs=1e-5)
    assert abs(coarse.cost - energy) > 0.4
