"""Saddles of the interaction energy, against closed forms."""

import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused

from meanfield.energies import Interaction
from meanfield.landscape import escape_rates, hessian, hessian_index


def test_two_antipodal_clusters_escape_at_e_to_the_minus_beta():
    beta, d = 4.0, 3
    x = jnp.array([[0.0, 0.6, 0.8]] * 2 + [[0.0, -0.6, -0.8]] * 2)
    w = jnp.array([0.1, 0.4, 0.2, 0.3])
    rates = escape_rates(-Interaction(beta), x, w)
    # Clusters of mass 1/2: d - 1 unstable directions, d - 1 rotations; the others hold them together.
    np.testing.assert_allclose(rates[: d - 1], np.exp(-beta), rtol=1e-12)
    np.testing.assert_allclose(rates[d - 1 : 2 * (d - 1)], 0, atol=1e-13)
    assert (rates[2 * (d - 1) :] < -10).all()
    assert hessian_index(-Interaction(beta), x, w) == d - 1


@pytest.mark.parametrize(
    ("k", "d"),
    [
        (3, 3),
        pytest.param(4, 3, marks=pytest.mark.slow),
        pytest.param(3, 5, marks=pytest.mark.slow),
        pytest.param(4, 5, marks=pytest.mark.slow),
    ],
)
def test_simplex_can_only_be_rotated(k, d):
    u, s, _ = np.linalg.svd(np.eye(k) - 1 / k)
    corners = (u * s)[:, : k - 1]
    corners /= np.linalg.norm(corners, axis=1, keepdims=True)
    x = jnp.asarray(np.pad(corners, ((0, 0), (0, d - k + 1))))
    rotations = (d * (d - 1) - (d - k + 1) * (d - k)) // 2
    assert hessian_index(-Interaction(1.5), x) == k * (d - 1) - rotations


def test_hessian_of_two_points_on_the_circle():
    """E(angle) = e^{beta cos(angle)}/(4 beta) + const, whose Hessian is E'' [[1, -1], [-1, 1]]."""
    beta, angle = 2.0, 1.1
    x = jnp.array([[1.0, 0.0], [np.cos(angle), np.sin(angle)]])
    second = np.exp(beta * np.cos(angle)) * (beta * np.sin(angle) ** 2 - np.cos(angle)) / 4
    found = hessian(Interaction(beta), x)
    np.testing.assert_allclose(np.diag(found), second, rtol=1e-13)
    # The sign of the other entries depends on the orientation of the two tangents.
    np.testing.assert_allclose(abs(found[0, 1]), abs(second), rtol=1e-13)


def test_points_off_the_sphere_are_refused():
    check_refused(lambda: hessian(Interaction(1.0), jnp.ones((2, 3))), "unit vectors")


def test_tokens_of_no_mass_have_the_rates_of_the_field_they_are_in():
    """Beside one cluster at e_1 alone: a token at e_1 falls back at e^0 - 0, one at -e_1 leaves.

    With mass 1 at y the field is e^{beta <x, y>} P y: linearized about x = y it is -e^beta, and about
    x = -y it is +e^-beta, in each of d - 1 directions; the cluster itself can only be rotated.
    """
    beta = 2.0
    x, w = jnp.eye(3)[jnp.array([0, 0, 0])] * jnp.array([[1.0], [1.0], [-1.0]]), jnp.eye(3)[0]
    rates = escape_rates(-Interaction(beta), x, w)
    exact = [np.exp(-beta)] * 2 + [0.0] * 2 + [-np.exp(beta)] * 2
    np.testing.assert_allclose(rates, exact, atol=1e-12)
    # The energy does not change with tokens of no mass: it falls in no direction.
    assert hessian_index(-Interaction(beta), x, w) == 0
    for bad in (jnp.array([2.0, -1.0, 0.0]), jnp.ones(3)):
        with pytest.raises(ValueError, match=r"nonnegative w|of sum 1"):
            escape_rates(-Interaction(beta), x, bad)


def test_the_largest_rates_alone():
    """Without the Hessian: of all rates those first, each as often as it occurs."""
    beta, w = 2.0, jnp.array([0.1, 0.4, 0.2, 0.3, 0.0])
    x = jnp.array([[0.0, 0.6, 0.8]] * 2 + [[0.0, -0.6, -0.8]] * 2 + [[1.0, 0.0, 0.0]])
    energy = -Interaction(beta)
    found, whole = escape_rates(energy, x, w, count=5), escape_rates(energy, x, w)
    np.testing.assert_allclose(found, whole[:5], atol=1e-12)
    check_refused(lambda: escape_rates(energy, x, w, count=10), "count < n(d-1) = 10, got 10")


@pytest.mark.slow
def test_a_pair_of_two_thousand_tokens():
    """Clusters of mass 1/2 at antipodes of S^2 escape at e^-beta in two directions and turn in two."""
    x = jnp.concatenate([jnp.eye(3)[:1].repeat(1000, 0), -jnp.eye(3)[:1].repeat(1000, 0)])
    found = escape_rates(-Interaction(2.0), x, count=6)
    np.testing.assert_allclose(found[:4], [np.exp(-2.0)] * 2 + [0, 0], atol=1e-11)
    # A token comes back to its cluster at (e^beta - e^-beta)/2.
    np.testing.assert_allclose(found[4:], -np.sinh(2.0), rtol=1e-11)
