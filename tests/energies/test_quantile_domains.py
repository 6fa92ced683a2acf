"""Masses, levels, weights and ends of quantiles against the profiles that they are made for."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import betainc, betaincinv, ndtr, ndtri

from meanfield.energies import Circle, GradedLine, Line

DOMAINS = [Line(), Line(2.0), Line(None), GradedLine(), GradedLine(2.0), Circle()]
RADIUS = 3 ** (1 / 3)  # of the profile (R^2 - z^2)/4 of exponent 2, whose mass is R^3/3
PROFILES = {1.0: ndtri, 2.0: lambda u: RADIUS * (2 * betaincinv(2, 2, u) - 1)}
LAWS = {1.0: ndtr, 2.0: lambda z: betainc(2, 2, (z / RADIUS + 1) / 2)}


@pytest.mark.parametrize("n", [8, 9])
@pytest.mark.parametrize("domain", DOMAINS, ids=str)
def test_masses_are_those_of_a_law_and_levels_are_in_their_middle(domain, n):
    masses, levels = domain.masses(n), domain.levels(n)
    np.testing.assert_allclose(masses.sum(), 1, rtol=1e-15)
    np.testing.assert_allclose(masses, masses[::-1], rtol=1e-12)
    np.testing.assert_allclose(levels + levels[::-1], 1, rtol=1e-14)
    assert (masses > 0).all() and (np.diff(levels) > 0).all()
    # Each level is within its mass, but for what is moved between the two outermost.
    if not isinstance(domain, Line):
        ends = np.cumsum(masses)
        assert (levels < ends).all() and (levels > ends - masses).all()


@pytest.mark.parametrize(("m", "exact"), [(1.0, 1 / np.sqrt(2 * np.pi)), (2.0, RADIUS**4 / 16)])
def test_masses_at_the_ends_make_the_mean_of_half_the_law_exact(m, exact):
    # -int z du over the lower half: the density at 0 of the normal law, R^4/16 of the parabola.
    masses, z = Line(m).masses(10), PROFILES[m]((np.arange(10) + 0.5) / 10)
    np.testing.assert_allclose(-(masses * z)[:5].sum(), exact, rtol=1e-13)


@pytest.mark.parametrize("m", [1.0, 2.0])
def test_graded_masses_are_those_of_the_profile_between_equal_steps(m):
    n, reach = 10, 2 * np.sqrt(np.log(10)) if m == 1 else RADIUS
    ends = np.linspace(-reach, reach, n + 1)
    law = LAWS[m](ends)
    law[0], law[-1] = 0, 1  # the tails go to the last masses
    np.testing.assert_allclose(GradedLine(m).masses(n), np.diff(law), rtol=1e-11)
    middles = LAWS[m]((ends[1:] + ends[:-1]) / 2)
    np.testing.assert_allclose(GradedLine(m).levels(n), middles, rtol=1e-12)


@pytest.mark.parametrize("domain", [Line(), Line(2.0), GradedLine(), GradedLine(2.0)], ids=str)
def test_the_profile_is_not_stretched_and_its_weights_sum_to_its_second_moment(domain):
    n, m = 10, domain.tail
    z = jnp.asarray(PROFILES[m](domain.levels(n)))
    weights, stretch = domain.stretch(z, m)
    np.testing.assert_allclose(stretch, 1, rtol=1e-11)
    # -sum_i (z_{i+1} - z_i) sum_{j<=i} w_j z_j = sum w z^2, by parts, as the mean is 0.
    np.testing.assert_allclose(weights.sum(), domain.masses(n) @ z**2, rtol=1e-11)
    np.testing.assert_allclose(domain.stretch(3 * z + 1, m)[1], 3, rtol=1e-11)


def test_fronts_are_at_the_ends_of_the_profile():
    z = PROFILES[2.0]((np.arange(9) + 0.5) / 9)
    # 1 + 2 z has the support [1 - 2 R, 1 + 2 R].
    ends = Line(2.0).support(jnp.asarray(1 + 2 * z), 2.0)
    np.testing.assert_allclose(ends, [1 - 2 * RADIUS, 1 + 2 * RADIUS], rtol=1e-12)
    # Each front goes on from its own last gap.
    ends = Line(2.0).support(jnp.asarray(np.where(z < 0, 2 * z, z)), 2.0)
    np.testing.assert_allclose(ends, [-2 * RADIUS, RADIUS], rtol=1e-12)


def test_equal_steps_on_the_circle_are_the_uniform_law():
    angles = jnp.asarray(1 + 2 * np.pi * np.arange(8) / 8)
    weights, stretch = Circle().stretch(angles, 1.0)
    np.testing.assert_allclose(weights, 1 / 8, rtol=1e-15)
    np.testing.assert_allclose(stretch, 1, rtol=1e-14)
    np.testing.assert_allclose(Circle().points(angles)[:, 1], np.sin(angles), atol=1e-15)
