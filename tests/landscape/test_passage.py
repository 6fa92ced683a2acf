"""Mean times of diffusions on the line, against Bessel functions, and what they tend to."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused
from scipy.special import erf, iv

from meanfield.energies import Interaction, Potential
from meanfield.landscape import committor, kramers_time, passage_time, survival
from meanfield.landscape.clouds import orbit, symmetries
from meanfield.solve import SolveError


def wells(h):
    """U on the circle, and the same as the energy of one token."""
    energy = Potential(lambda x: -h / 2 * (x[0] ** 2 - x[1] ** 2))
    return lambda angle: -h / 2 * jnp.cos(2 * angle), energy


@pytest.mark.parametrize(
    ("h", "known", "rough"),
    [(3.0, 13.381690, 10.516763), (5.0, 53.409569, 46.625369), (8.0, 630.339260, 585.309732)],
)
def test_one_token_in_a_double_well(h, known, rough):
    """Over one half of the square, by symmetry: T = pi^2/2 I_0(h/2)^2."""
    potential, energy = wells(h)
    exact = np.pi**2 / 2 * iv(0, h / 2) ** 2
    found = passage_time(potential, 0.0, np.pi)
    np.testing.assert_allclose(found, exact, rtol=1e-12)
    np.testing.assert_allclose(found, known, rtol=1e-7)  # to its digits
    # By the flux through the committor: T = int p (1 - q) / J, J = 1/int e^U, by the trapezoidal rule,
    # which is of second order here: h^2/12 times changes of slope at the ends.
    x = jnp.asarray(np.linspace(0, np.pi, 801))
    weights = np.full(801, np.pi / 800)
    weights[[0, -1]] /= 2
    q = committor(potential, x, 0.0, np.pi, panels=8)
    u = -h / 2 * np.cos(2 * np.asarray(x))
    by_flux = weights @ (np.exp(-u) * (1 - np.asarray(q))) * (weights @ np.exp(u))
    np.testing.assert_allclose(by_flux, exact, rtol=1e-4)
    minimum, saddle = jnp.array([[1.0, 0.0]]), jnp.array([[0.0, 1.0]])
    kramers = kramers_time(energy, minimum, saddle, 1.0, ways=2.0)
    np.testing.assert_allclose(kramers, np.pi / (2 * h) * np.exp(h), rtol=1e-12)
    np.testing.assert_allclose(kramers, rough, rtol=1e-7)  # to its digits
    # I_0(z) = e^z/sqrt(2 pi z) (1 + 1/(8 z) + 9/(128 z^2) + ...), squared, with z = h/2
    np.testing.assert_allclose(exact / kramers, 1 + 1 / (2 * h), atol=1.2 / h**2)


def test_committor_of_a_flat_potential_and_of_a_mobility():
    """q is linear without force; with M = 1/y it is (y^2 - a^2)/(b^2 - a^2)."""
    x = jnp.array([0.5, 1.0, 1.5, 3.0, 4.0])
    flat = committor(lambda y: 0 * y, x, 1.0, 3.0)
    np.testing.assert_allclose(flat, [0, 0, 0.25, 1, 1], atol=1e-14)
    found = committor(lambda y: 0 * y, x, 3.0, 1.0, mobility=lambda y: 1 / y)
    np.testing.assert_allclose(found, [1, 1, 1 - 1.25 / 8, 0, 0], atol=1e-13)


def test_times_with_a_wall_a_mobility_and_noise():
    """U = y, M = e^{-y}/k, noise 1 from 0 to 1, wall at -1: the double integral by hand."""
    potential, mobility = (lambda y: y), (lambda y: jnp.exp(-y) / 3)
    # 3/noise int_0^1 e^{y + y/noise} noise (e^{1/noise} - e^{-y/noise}) dy at noise 2
    e = np.exp
    exact = 3 * (e(0.5) * (e(1.5) - 1) / 1.5 - (e(1) - 1))
    found = passage_time(potential, 0.0, 1.0, noise=2.0, mobility=mobility, wall=-1.0)
    np.testing.assert_allclose(found, exact, rtol=1e-13)
    mirrored = passage_time(
        lambda y: -y, 0.0, -1.0, noise=2.0, mobility=lambda y: mobility(-y), wall=1.0
    )
    np.testing.assert_allclose(mirrored, exact, rtol=1e-13)


def test_kramers_with_determinants_and_rotations():
    """Two tokens on the circle, by their angle phi alone: noise 2 nu in 4 E(phi), from one turn to the next.

    The error is of order noise: half of it at half of the noise.
    """
    beta, close = 0.25, jnp.array([[1.0, 0.0], [1.0, 0.0]])
    energy, apart = -Interaction(beta), close.at[1, 0].set(-1.0)
    potential = lambda phi: -jnp.exp(beta * jnp.cos(phi)) / beta
    errors = [
        passage_time(potential, 0.0, 2 * np.pi, noise=2 * noise)
        / kramers_time(energy, close, apart, noise, ways=2.0)
        - 1
        for noise in (0.08, 0.04)
    ]
    assert abs(errors[0]) < 0.1
    np.testing.assert_allclose(errors[0] / errors[1], 2, rtol=0.1)


def test_kramers_over_a_ring():
    """One token on S^2 between two rings, U = (z^2 - .36)^2: the ring of the saddle is 1.25 times as long."""
    energy = Potential(lambda x: (x[2] ** 2 - 0.36) ** 2)
    rings = jnp.array([[[0.8, 0.0, 0.6]], [[1.0, 0.0, 0.0]]])
    start, errors = float(np.arccos(0.6)), []
    for noise in (0.008, 0.004):
        full = lambda a, nu=noise: (jnp.cos(a) ** 2 - 0.36) ** 2 - nu * jnp.log(jnp.sin(a))
        exact = passage_time(full, start, np.pi - start, noise=noise, wall=0.0)
        errors.append(exact / kramers_time(energy, *rings, noise) - 1)
    assert abs(errors[1]) < 0.1
    np.testing.assert_allclose(errors[0] / errors[1], 2, rtol=0.3)


def test_orbits_have_the_dimension_and_the_volume_of_what_rotations_move():
    """Rotations about an axis leave its tokens; others, with |A| = 1, move each of them by 1/sqrt(2)."""
    turns = symmetries(-Interaction(0.5), 2, 3)
    for second, dimension, sizes in (
        ([0.0, 0.0, -1.0], 2, [1.0, 1.0]),
        ([1.0, 0.0, 0.0], 3, [1.0, np.sqrt(0.5), np.sqrt(0.5)]),
    ):
        found, volume = orbit(jnp.array([[0.0, 0.0, 1.0], second]), turns)
        assert found == dimension
        np.testing.assert_allclose(volume, np.prod(sizes), rtol=1e-12)


def test_survival_counts_those_that_stayed():
    """By hand: 10 units of time for 3 escapes; chi-square quantiles of 8 and 6 degrees from tables."""
    found = survival(jnp.array([2.0, 1.0, 4.0, 3.0]), jnp.array([True, True, True, False]))
    np.testing.assert_allclose(found.mean, 10 / 3)
    np.testing.assert_allclose([found.low, found.high], [20 / 17.5345, 20 / 1.2373], rtol=1e-4)
    np.testing.assert_allclose(found.surviving, [0.75, 0.5, 0.5, 0])
    # The law's e^-0.6 at t = 2 is furthest from the 3/4 just before; at t = 4 e^-1.2 from 1/2, 0 after.
    expected = max(abs(1 - np.exp(-0.3)), abs(0.5 - np.exp(-0.6)), np.exp(-1.2))
    np.testing.assert_allclose(found.deviation, expected)


@pytest.mark.parametrize("wall", [0.0, -1.0])
def test_a_long_way_down_takes_its_length_over_the_speed(wall):
    """U = -x: T = 1 - noise (e^{-(-wall)/noise} - e^{-(1-wall)/noise}), 1 less the reflection at the wall;
    e^{U/noise} and its inverse range over 10^{+-312}, and over twice that."""
    noise = 1 / 720
    want = 1 - noise * (np.exp(wall / noise) - np.exp((wall - 1) / noise))
    found = passage_time(lambda x: -x, 0.0, 1.0, noise=noise, wall=wall)
    np.testing.assert_allclose(found, want, rtol=1e-12)


def test_panels_that_do_not_resolve_are_told():
    """Over the top of (x^2 - 1)^2 the committor is Phi(2 x/sqrt(noise)), to a share noise: .97725 at 2."""
    potential, x = lambda x: (x**2 - 1) ** 2, jnp.array([1e-3])
    found = committor(potential, x, -1.0, 1.0, noise=1e-6, panels=512)
    np.testing.assert_allclose(found, (1 + erf(2**0.5)) / 2, atol=1e-5)
    with pytest.raises(SolveError, match="raise panels"):
        committor(potential, x, -1.0, 1.0, noise=1e-6)
    with pytest.raises(SolveError, match="raise panels"):
        passage_time(lambda x: -x, 0.0, 1.0, noise=1e-4)


def test_what_is_no_number_stays_none():
    nothing = lambda x: x * jnp.nan
    assert np.isnan(passage_time(nothing, 0.0, 1.0))
    assert np.isnan(committor(nothing, jnp.zeros(1), -1.0, 1.0)).all()


def test_refused():
    potential, energy = wells(3.0)
    check_refused(lambda: passage_time(potential, 0.0, 1.0, wall=0.5), "in this order")
    check_refused(lambda: committor(potential, jnp.ones(1), 1.0, 1.0), "two points")
    check_refused(lambda: passage_time(potential, 0.0, 1.0, mobility=lambda y: -y), "mobility > 0")
    with pytest.raises(ValueError, match="index 1"):
        kramers_time(energy, jnp.array([[1.0, 0.0]]), jnp.array([[1.0, 0.0]]), 1.0)
    check_refused(lambda: survival(jnp.ones(2), jnp.zeros(2, bool)), "at least one escape")
    check_refused(lambda: survival(jnp.zeros(2)), "times > 0")


def test_a_potential_that_is_traced_is_refused_in_a_sentence():
    @jax.jit
    def of_height(h):
        return passage_time(lambda x: h * jnp.cos(x), 0.0, 1.0)

    check_refused(lambda: of_height(1.0), "outside of jax.jit")
