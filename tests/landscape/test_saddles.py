"""Stationary clouds of the interaction energy, against closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused

from meanfield.energies import Interaction, Potential
from meanfield.landscape import critical_points, escape_rates, saddle
from meanfield.landscape._precision import precision_of
from meanfield.solve import SolveError

BETA = 2.0
ATTENTION = -Interaction(BETA, offset=BETA)
HEIGHT_SQUARED = Potential(lambda x: x[2] ** 2)


def sample(n, d):
    x = np.random.default_rng(3).normal(size=(n, d))
    return jnp.asarray(x / np.linalg.norm(x, axis=1, keepdims=True))


def energy_of(*products):
    """Of n equal tokens, by the inner products of one of them with all."""
    return np.exp(BETA * (np.array(products) - 1)).mean() / (2 * BETA)


def test_four_tokens_on_the_sphere():
    found = critical_points(ATTENTION, 4, 3, jax.random.key(0), 16, max_steps=100)
    known = {
        0: energy_of(1, 1, 1, 1),
        2: energy_of(1, 1, -1, -1),
        4: energy_of(1, 0, 0, -1),
        5: energy_of(1, -1 / 3, -1 / 3, -1 / 3),
    }
    np.testing.assert_allclose(
        [known[k] for k in (0, 4, 5)], [0.25, 0.08056164, 0.07552815], atol=5e-9
    )
    for index, energy in known.items():
        each = np.asarray(found.index) == index
        assert np.isclose(-np.asarray(found.energy)[each], energy, rtol=1e-12).any()
    # One cluster can be turned in two ways, so can a pair; the tetrahedron in three.
    assert found.orbit[0] == 2 and found.orbit[-1] == 3
    assert (np.diff(found.index) >= 0).all() and (found.residual < 1e-14).all()
    counts = [np.sum(np.asarray(rates) > 1e-9) for rates in found.rates]
    np.testing.assert_array_equal(counts, found.index)
    # In one cluster a token comes back at e^0 - 0: differences of tokens fall, their mean stays.
    np.testing.assert_allclose(found.rates[0], [0] * 2 + [-1] * 6, atol=1e-12)
    # Of single precision the same list, rounded: not states that rounding tells apart.
    with jax.enable_x64(False):
        energy = -Interaction(BETA, offset=BETA)
        single = critical_points(energy, 4, 3, jax.random.key(0), 16, max_steps=100)
    for name, values in vars(single).items():
        right = np.asarray(getattr(found, name))
        assert values.dtype == (np.float32 if right.dtype.kind == "f" else np.int32)
        np.testing.assert_array_equal(values, right.astype(values.dtype))


def test_an_energy_without_numbers_has_the_precision_of_jax():
    with jax.enable_x64(False):
        assert precision_of(HEIGHT_SQUARED) == jnp.float32
    assert precision_of(HEIGHT_SQUARED) == jnp.float64


@pytest.mark.slow
def test_two_searches_find_the_same_clouds():
    """The least found of five tokens on S^2 is met by 2 % of starts: 200 miss it once in 50 searches."""
    energy = -Interaction(4.0, offset=4.0)
    one, two = (critical_points(energy, 5, 3, jax.random.key(k), 200) for k in (0, 1))
    np.testing.assert_array_equal(one.index, two.index)
    # The largest rate is 1: speeds of 32 eps leave energies, which are stationary, at rounding.
    np.testing.assert_allclose(one.energy, two.energy, rtol=1e-11)


def test_pair_of_unequal_clusters():
    """Antipodes of masses w_1, w_2 part at e^{-2 beta} (w_1 + w_2), in d - 1 directions."""
    corners = np.eye(4)[0] * np.array([[1.0], [1.0], [-1.0]])
    x0 = corners + 0.1 * np.random.default_rng(3).normal(size=(3, 4))
    x0 = jnp.asarray(x0 / np.linalg.norm(x0, axis=1, keepdims=True))
    for beta in (
        BETA,
        6.0,
    ):  # 6e-6, beside which a token comes back to its cluster at .7 - .3 of it
        found = saddle(-Interaction(beta, offset=beta), x0, 3, jnp.array([0.4, 0.3, 0.3]))
        far = np.exp(-2 * beta)
        assert found.converged and found.orbit == 3 and found.index == 3
        np.testing.assert_allclose(found.x[:2], [-found.x[2]] * 2, atol=1e-9)
        rates = [far] * 3 + [0] * 3 + [0.3 * far - 0.7] * 3
        np.testing.assert_allclose(found.rates, rates, rtol=1e-9, atol=1e-15)


def test_saddle_of_a_potential_without_symmetry():
    """x^2 + 2 y^2 + 3 z^2 on S^2: index 0, 1, 2 along the axes, of curvatures 2 (a_j - a_i)."""
    energy = Potential(lambda x: x[0] ** 2 + 2 * x[1] ** 2 + 3 * x[2] ** 2)
    x0 = sample(1, 3)
    for index, rates in ((0, [-2, -4]), (1, [2, -2]), (2, [4, 2])):
        found = saddle(energy, x0, index)
        np.testing.assert_allclose(np.abs(found.x[0]), np.eye(3)[index], atol=1e-12)
        np.testing.assert_allclose(found.rates, rates, rtol=1e-12)
        assert found.orbit == 0
    # A potential with an axis: the equator is a ring, along which nothing changes.
    ring = saddle(HEIGHT_SQUARED, x0, 0)
    assert ring.orbit == 1 and abs(ring.x[0, 2]) < 1e-12


@pytest.mark.parametrize(
    ("k", "beta"), [pytest.param(3, 4.0, marks=pytest.mark.slow), (5, 1.0), (5, 9.0)]
)
def test_spectra_of_polygons(k, beta):
    """Mode m grows at (1/k) sum_j [beta sin^2 a_j - cos a_j] e^{beta (cos a_j - 1)} (1 - cos m a_j)."""
    a = 2 * np.pi * np.arange(k) / k
    x = jnp.asarray(np.stack([np.cos(a), np.sin(a)], axis=1))
    forces = (beta * np.sin(a) ** 2 - np.cos(a)) * np.exp(beta * (np.cos(a) - 1)) / k
    rates = [forces @ (1 - np.cos(m * a)) for m in range(k)]
    found = escape_rates(-Interaction(beta, offset=beta), x)
    np.testing.assert_allclose(found, np.sort(rates)[::-1], atol=1e-10)
    assert (found[: k - 1] > 1e-10).all() and abs(found[-1]) < 1e-10


def test_triangle_is_neutral_at_minus_two_thirds():
    """beta sin^2 a = cos a at a = 2 pi/3: 3 beta/4 = -1/2."""
    a = 2 * np.pi * np.arange(3) / 3
    x = jnp.asarray(np.stack([np.cos(a), np.sin(a)], axis=1))
    signs = [escape_rates(-Interaction(-2 / 3 + h), x)[0] for h in (-1e-6, 0, 1e-6)]
    # For beta < 0 the energy has the other sign, too: growth is beta sin^2 - cos of either.
    np.testing.assert_allclose(signs[1], 0, atol=1e-14)
    assert escape_rates(-Interaction(-2 / 3 - 1e-6), x)[-1] < -1e-9 < 1e-9 < signs[2]


def test_refused():
    x0, energy = sample(1, 3), HEIGHT_SQUARED
    with pytest.raises(SolveError, match="No saddle of index 1"):
        saddle(energy, x0, 1)
    assert not saddle(energy, x0, 1, throw=False).converged
    check_refused(lambda: saddle(energy, x0, 3), "at most")
    check_refused(lambda: saddle(ATTENTION, sample(2, 3), 1, jnp.array([1.0, 0.0])), "w > 0")
    check_refused(lambda: saddle(energy, jnp.ones((1, 3)), 1), "unit vectors")
