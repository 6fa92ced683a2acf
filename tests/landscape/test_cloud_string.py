"""Paths of clouds between wells, against exact ones."""

import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused
from scipy.optimize import root
from unit_vectors import on_circle as at

from meanfield.energies import Interaction, Potential
from meanfield.landscape import cloud_string

WELL, BETA = 2 * np.pi / 3, 1.0
MASSES = np.array([0.3, 0.7])


def wells(x):
    """-cos(3 angle)/3 on the circle: wells at 0 and 2 pi/3, a top 2/3 higher at pi/3."""
    return -(4 * x[0] ** 3 - 3 * x[0]) / 3


def energy_of(pull):
    return Potential(wells) + pull * -Interaction(BETA, offset=BETA)


def angles_of(x):
    return np.arctan2(x[..., 1], x[..., 0])


def test_tokens_that_attract_go_together():
    """For pull > 3 = -U'' at the top one heavy token goes: its path is the circle."""
    ends = at(0.0, 0.0), at(WELL, WELL)
    found = cloud_string(energy_of(5.0), *ends, jnp.asarray(MASSES), time=20.0)
    assert found.converged and found.saddle.index == 1
    np.testing.assert_allclose(found.height, 2 / 3, rtol=1e-12)
    np.testing.assert_allclose(angles_of(found.saddle.x), np.pi / 3, rtol=1e-12)
    # Images at equal distances, which are angles for masses of sum 1
    along = np.linspace(0, WELL, 17)
    np.testing.assert_allclose(angles_of(found.x), along[:, None] * np.ones(2), atol=1e-12)
    np.testing.assert_allclose(found.arc, along, atol=1e-12)
    exact = -np.cos(3 * along) / 3 - 5 / (2 * BETA)
    np.testing.assert_allclose(found.energy, exact, rtol=1e-12)


def test_one_of_two_tokens_of_different_mass_goes():
    """grad E = 0 in two angles, written by hand; the other token is drawn along a little."""
    pull, (light, heavy) = 0.5, MASSES

    def slopes(angles):
        away = pull * np.sin(np.diff(angles)[0]) * np.exp(BETA * (np.cos(np.diff(angles)[0]) - 1))
        return np.sin(3 * np.array(angles)) + away * np.array([-heavy, light])

    def value(angles):
        kernel = np.exp(BETA * (np.cos(angles[0] - angles[1]) - 1))
        pairs = light**2 + heavy**2 + 2 * light * heavy * kernel
        return -MASSES @ np.cos(3 * np.array(angles)) / 3 - pull * pairs / (2 * BETA)

    start, top, end = (
        root(slopes, guess, tol=1e-14).x for guess in ([0, 0], [np.pi / 3, 0], [WELL, 0])
    )
    found = cloud_string(energy_of(pull), at(*start), at(*end), jnp.asarray(MASSES), time=20.0)
    assert found.converged
    np.testing.assert_allclose(angles_of(found.saddle.x), top, atol=1e-9)
    np.testing.assert_allclose(found.height, value(top) - value(start), rtol=1e-10)
    np.testing.assert_allclose(found.energy, [value(a) for a in angles_of(found.x)], rtol=1e-12)
    # Slopes have no part across the path: differences over .14 tell its direction to a few thousandths.
    path = angles_of(found.x)
    tangents = np.sqrt(MASSES) * (path[2:] - path[:-2])
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    down = np.sqrt(MASSES) * np.array([slopes(a) for a in path[1:-1]])
    across = down - (down * tangents).sum(axis=1, keepdims=True) * tangents
    assert np.abs(across).max() < 0.02 * np.abs(down).max()
    gaps = np.sqrt(np.diff(path, axis=0) ** 2 @ MASSES)
    np.testing.assert_allclose(gaps, gaps.mean(), rtol=1e-2)


def test_equal_tokens_are_renamed_by_transport():
    """One stays, the other goes over the top at pi, instead of both: half of 2/3, sqrt(1/2) of the way."""
    ends = at(0.0, WELL), at(-WELL, 1e-9)
    found = cloud_string(energy_of(0.0), *ends, time=20.0)
    np.testing.assert_allclose(found.x[-1], ends[1][::-1])
    assert found.converged
    np.testing.assert_allclose(found.height, 1 / 3, rtol=1e-9)
    np.testing.assert_allclose(found.arc[-1], WELL * np.sqrt(1 / 2), rtol=1e-9)


def test_a_string_that_has_not_settled_says_so():
    """Steps of .7 are beyond 2 over the largest rate, which is 3 and more: images hop across the path."""
    found = cloud_string(
        energy_of(0.5), at(0.0, 0.0), at(WELL, 0.0), jnp.asarray(MASSES), time=21.0, dt=0.7
    )
    assert found.saddle.converged and not found.converged


def test_refused():
    with pytest.raises(ValueError, match="antipode"):
        cloud_string(energy_of(1.0), at(0.0, 0.0), at(np.pi, 0.0), jnp.asarray(MASSES))
    check_refused(lambda: cloud_string(energy_of(1.0), at(0.0), at(1.0), time=0.01), "time >= dt")
    with pytest.raises(ValueError, match="finite slopes"):
        cloud_string(Potential(lambda x: jnp.nan * x[0]), at(0.0), at(1.0))
