"""Stationary densities, against Bessel functions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused
from scipy.optimize import brentq
from scipy.special import ive

from meanfield.attention import Unnormalized
from meanfield.dynamics import FokkerPlanck
from meanfield.harmonics import Fourier, Gegenbauer
from meanfield.landscape import stationary
from meanfield.solve import SolveError

NOISE = 0.3
ZONAL = Gegenbauer(2, 24)
# Velocity P_x int y rho(y) dy: at beta = 0 unnormalized attention is the Kuramoto model.
KURAMOTO = Unnormalized(0.0)


def ratio(kappa):
    return ive(1, kappa) / ive(0, kappa)


def resultant(noise):
    """The solution r > 0 of r = I_1(r/noise)/I_0(r/noise), for noise < 1/2."""
    return brentq(lambda r: ratio(r / noise) - r, 0.01, 1, xtol=1e-15)


def bump(basis, angle=0.0):
    tilt = basis.points @ jnp.array([np.cos(angle), np.sin(angle)])
    values = jnp.exp(2 * tilt)
    return basis.analyze(values / (basis.weights @ values))


def test_noisy_kuramoto_and_its_derivative_in_the_noise():
    def order(noise):
        found = stationary(FokkerPlanck(ZONAL, KURAMOTO, noise), bump(ZONAL))
        return found.coeffs[1] / np.sqrt(2), found

    (r, found), slope = jax.value_and_grad(order, has_aux=True)(jnp.asarray(NOISE))
    assert found.converged and found.residual < 1e-14
    exact = resultant(NOISE)
    # 24 modes carry this von Mises law to 1e-15; Newton's method converges quadratically to 1e-10.
    np.testing.assert_allclose(r, exact, rtol=1e-12)
    kappa = exact / NOISE
    curve = 1 - exact / kappa - exact**2
    np.testing.assert_allclose(slope, -kappa / NOISE * curve / (1 - curve / NOISE), rtol=1e-10)


def test_states_that_can_be_rotated(programs):
    """On the whole circle the Jacobian is singular; the state found keeps the axis of the guess."""
    basis, angle = Fourier(24), 0.7
    equation, guess = FokkerPlanck(basis, KURAMOTO, NOISE), bump(basis, angle)
    found = stationary(equation, guess)
    programs.clear()
    assert stationary(equation, guess, tol=1e-9).converged  # another tolerance is no other program
    assert programs == []
    first = found.coeffs[1:3] / np.sqrt(2)
    np.testing.assert_allclose(jnp.linalg.norm(first), resultant(NOISE), rtol=1e-12)
    # Rounding, over the least part of the Jacobian that is not taken for 0, turns it by 1e-8.
    np.testing.assert_allclose(jnp.arctan2(first[1], first[0]), angle, atol=1e-7)


@pytest.mark.parametrize(
    "basis", [ZONAL, pytest.param(Fourier(24), marks=pytest.mark.slow)], ids=["zonal", "rotated"]
)
def test_single_precision_has_its_own_tolerance(basis):
    equation = FokkerPlanck(basis, KURAMOTO, NOISE)
    start = bump(basis).astype(jnp.float32)
    found = stationary(equation, start)
    # Steps and residual are below 64 eps = 8e-6; so is what is left of the error.
    assert found.converged and found.residual <= 64 * np.finfo(np.float32).eps
    order = np.linalg.norm(found.coeffs[1 : basis.degrees.searchsorted(2)]) / np.sqrt(2)
    np.testing.assert_allclose(order, resultant(NOISE), rtol=1e-5)
    again = stationary(equation, found.coeffs)
    assert again.converged and again.coeffs.dtype == jnp.float32
    check_refused(lambda: stationary(equation, start, tol=1e-10), "pass float64")


def test_failures_are_reported():
    equation = FokkerPlanck(ZONAL, KURAMOTO, NOISE)
    with pytest.raises(SolveError, match="start nearer"):
        stationary(equation, bump(ZONAL), max_steps=1)
    assert not stationary(equation, bump(ZONAL), max_steps=1, throw=False).converged
    check_refused(lambda: stationary(FokkerPlanck(ZONAL, KURAMOTO), bump(ZONAL)), "noise > 0")
    check_refused(lambda: stationary(equation, jnp.ones(7)), "expected 25 coefficients")
