"""Barriers between uniform and clustered densities: two methods, and what they must agree on."""

import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused
from scipy.special import iv

from meanfield.attention import Softmax, Unnormalized
from meanfield.dynamics import FokkerPlanck
from meanfield.energies import free_energy
from meanfield.harmonics import Gegenbauer
from meanfield.landscape import barrier, branch, critical_noise, escape_time, string

BETA, COEXISTENCE = 5.0, 5.3197


@pytest.fixture(scope="module")
def wall():
    return barrier(Unnormalized(BETA), 2, COEXISTENCE)


@pytest.mark.slow
@pytest.mark.parametrize(("d", "beta"), [(2, BETA), (3, 3.7), (8, 2.6)])
def test_agrees_with_continuation_of_the_equation(d, beta):
    """States of drift(c) = 0, before and at the fold: another equation, in other unknowns."""
    attention = Unnormalized(beta)
    states = branch(attention, d, degree=32, points=8)
    before = int(np.flatnonzero(np.asarray(states.unstable) > 0)[-1])
    noise = states.noise[before]
    found = barrier(attention, d, noise)
    # Both are solved to 1e-10; the height is stationary in the state.
    np.testing.assert_allclose(found.saddle, states.order[before], rtol=1e-8)
    np.testing.assert_allclose(found.height, states.free_energy[before] / noise, rtol=1e-8)
    np.testing.assert_allclose(found.spinodals[0], critical_noise(attention, d), rtol=1e-12)
    assert found.spinodals[1] > states.noise.max()


def test_agrees_with_the_string(wall):
    basis = Gegenbauer(2, 16)
    equation = FokkerPlanck(basis, Unnormalized(BETA), COEXISTENCE)
    uniform = jnp.zeros(basis.size).at[0].set(1.0)
    # rho <- e^{W * rho / noise}/Z comes to rest at stable densities; W has multipliers I_k(beta)/beta.
    analysis, values = (
        np.asarray(f(jnp.eye(m))) for f, m in ((basis.analyze, 25), (basis.synthesize, 17))
    )
    cluster = np.asarray(basis.moments(jnp.ones(1)))
    for _ in range(200):
        rho = np.exp((iv(np.arange(17), BETA) / BETA / COEXISTENCE * cluster) @ values)
        cluster = rho @ analysis / (rho @ analysis)[0]
    energy = free_energy(BETA, COEXISTENCE)
    found = string(equation, energy, uniform, jnp.asarray(cluster), images=17, time=3.0, dt=4e-3)
    assert found.converged
    # c_1 = sqrt(N(2, 1)) r. The degree leaves 1e-9 of these densities.
    np.testing.assert_allclose(found.saddle[1] / np.sqrt(2), wall.saddle, rtol=1e-7)
    np.testing.assert_allclose(cluster[1] / np.sqrt(2), wall.cluster, rtol=1e-7)
    np.testing.assert_allclose(found.height / COEXISTENCE, wall.height, rtol=1e-7)
    back = (found.height - (found.energy[-1] - found.energy[0])) / COEXISTENCE
    # The entropy of the cluster is by quadrature of its degree; its energy is 3e-3 of the way back.
    np.testing.assert_allclose(back, wall.back, rtol=1e-5)
    # 17 images see the top from .03 away at most: they lie below it by that squared, times curvature.
    assert 0 < wall.height - (found.energy.max() - found.energy[0]) / COEXISTENCE < 3e-4


def test_published_barriers(wall):
    """Read off a curve of 97 points by linear interpolation, to 3 digits; and what they are."""
    np.testing.assert_allclose([wall.saddle, wall.height], [0.4440165, 0.00796258], rtol=5e-7)
    np.testing.assert_allclose(wall.spinodals, [4.867, 5.4258], rtol=3e-5)
    np.testing.assert_allclose([wall.saddle, wall.cluster], [0.4438, 0.7481], rtol=6e-4)
    np.testing.assert_allclose(wall.height, 0.0079623, rtol=5e-5)
    np.testing.assert_allclose(wall.back, wall.height, rtol=5e-3)  # both states are as good
    known = {5.0: 0.000523, 5.1: 0.001728, 5.2: 0.003829, 5.4: 0.01231}
    for noise, height in known.items():
        found = barrier(Unnormalized(BETA), 2, noise)
        np.testing.assert_allclose(found.height, height, rtol=3e-3)


def test_profile_has_its_slope_and_its_mobility(wall):
    r, free, slope, mobility = (
        np.asarray(getattr(wall.profile, name))
        for name in ("order", "free_energy", "slope", "mobility")
    )
    # Simpson's rule at a step of .01: h^4/180 of a fourth derivative of some thousand at most
    simpson = (slope[:-2:2] + 4 * slope[1:-1:2] + slope[2::2]) * (r[1] - r[0]) / 3
    np.testing.assert_allclose(np.cumsum(simpson), free[2::2], atol=3e-7)
    assert mobility[0] == pytest.approx(1 / 2)  # <sin^2> of the uniform law
    # F* = (1 - strength/noise) r^2 about uniform on the circle, of which noise int rho log rho is r^2.
    curve = 1 - float(wall.spinodals[0]) / COEXISTENCE
    # The next term is a fourth power with a factor of order one.
    np.testing.assert_allclose(slope[1] / r[1], 2 * curve, atol=2 * r[1] ** 2)


def test_times_of_many_tokens(wall):
    """A double sum over 4,000 points on a profile of 181, of first order: to 1e-3; and to 3 digits."""
    known = {100: 7.283, 200: 16.78, 300: 31.92, 400: 58.98}
    rounded = [7.28, 16.8, 31.9, 59.0]
    np.testing.assert_allclose(list(known.values()), rounded, rtol=2e-3)
    found = [escape_time(wall, n, 0.7) for n in known]
    np.testing.assert_allclose(found, list(known.values()), rtol=1e-3)


def test_few_tokens_diffuse_freely_in_d_dimensions():
    """Near 0 the mean of n tokens moves as in flat R^d: T = r^2/(2 d D), D = noise (1 - 1/d)/n."""
    found, target, n = barrier(Unnormalized(3.7), 3, 1.25), 0.05, 2
    exact = target**2 / (2 * 3 * 1.25 * (1 - 1 / 3) / n)
    # n F*/noise and the change of M are of order n r^2 = 5e-3
    np.testing.assert_allclose(escape_time(found, n, target), exact, rtol=5e-3)


def test_refused(wall):
    attention = Unnormalized(BETA)
    for noise in (4.8, 5.43):
        with pytest.raises(ValueError, match=r"between the spinodals 4\.86713 and 5\.42592"):
            barrier(attention, 2, noise)
    check_refused(lambda: barrier(Unnormalized(1.0), 2, 0.5), "tricritical_beta")
    check_refused(lambda: barrier(Softmax(BETA), 2, 0.1), "pass Unnormalized")
    check_refused(lambda: barrier(Unnormalized(BETA, value=-jnp.eye(2)), 2, 0.1), "beta > 0")
    check_refused(lambda: escape_time(wall, 10, 1.5), "0 < target")
