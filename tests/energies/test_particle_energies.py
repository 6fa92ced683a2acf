"""Energies of clouds against sums over pairs, their gradients against attention, and known extremes."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused
from unit_vectors import unit_vectors

from meanfield.attention import Blockwise, Softmax, Unnormalized
from meanfield.dynamics import AttentionFlow, GradientFlow
from meanfield.energies import Interaction, Potential
from meanfield.geometry import Sphere
from meanfield.harmonics import SphericalHarmonics

BETA = 2.0
SPHERE = Sphere(3)
X = unit_vectors(0, 6, 3)
W = jnp.array([0.3, 0.1, 0.0, 0.2, 0.15, 0.25])
ZERO = jnp.zeros(())


def potential(x):
    return jnp.sin(x[0]) + x[1] * x[2]


@eqx.filter_jit
def value(energy, x, w=None):
    return energy(x, w)


@eqx.filter_jit
def gradient(energy, x, w=None):
    return energy.wasserstein_gradient(x, w)


@pytest.mark.parametrize("w", [None, W], ids=["uniform", "weighted"])
@pytest.mark.parametrize("beta", [BETA, -1.5])
def test_interaction_is_the_double_loop(beta, w):
    masses = np.full(6, 1 / 6) if w is None else np.asarray(w)
    total = 0.0
    for i in range(6):
        for j in range(6):
            total += masses[i] * masses[j] * np.exp(beta * np.asarray(X[i]) @ np.asarray(X[j]))
    expected = total / (2 * beta)
    np.testing.assert_allclose(value(Interaction(beta), X, w), expected, rtol=1e-14)
    blocks = Interaction(beta, engine=Blockwise(4))
    np.testing.assert_allclose(value(blocks, X, w), expected, rtol=1e-14)
    shifted = value(Interaction(beta, offset=beta), X, w)
    np.testing.assert_allclose(shifted, expected * np.exp(-beta), rtol=1e-14)


def test_potential_is_the_weighted_mean():
    x, w, energy = np.asarray(X), np.asarray(W), Potential(potential)
    values = np.sin(x[:, 0]) + x[:, 1] * x[:, 2]
    np.testing.assert_allclose(value(energy, X), np.mean(values), rtol=1e-14)
    np.testing.assert_allclose(value(energy, X, W), np.dot(w, values), rtol=1e-14)
    expected = np.stack([np.cos(x[:, 0]), x[:, 2], x[:, 1]], axis=1)
    # Tokens without mass do not change the energy: their gradient is reported as 0.
    slope = gradient(energy, X, W)
    np.testing.assert_allclose(slope, np.where(w[:, None] > 0, expected, 0), rtol=1e-13)


@pytest.mark.parametrize("w", [None, W], ids=["uniform", "weighted"])
def test_gradients_are_finite_differences(w):
    energy = Interaction(BETA) + 0.5 * Potential(potential)
    along, h = np.random.default_rng(1).normal(size=X.shape), 1e-3
    masses = np.full(6, 1 / 6) if w is None else np.asarray(w)
    slope = np.sum(masses[:, None] * along * gradient(energy, X, w))
    steps = [value(energy, X + k * h * along, w) for k in (-2, -1, 1, 2)]
    # A fourth-order difference: off by h^4 times a fifth derivative of order 1e3, and eps/h.
    difference = (steps[0] - 8 * steps[1] + 8 * steps[2] - steps[3]) / (12 * h)
    np.testing.assert_allclose(slope, difference, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("w", [None, W], ids=["uniform", "weighted"])
def test_unnormalized_attention_is_the_gradient_ascent_of_the_interaction(w):
    mass = np.ones((6, 1)) if w is None else np.asarray(w)[:, None]
    field = eqx.filter_jit(Unnormalized(BETA))(X, None, w)
    slope = gradient(Interaction(BETA), X, w)
    np.testing.assert_allclose(slope, np.where(mass > 0, field, 0), rtol=1e-13, atol=1e-14)
    ascent = eqx.filter_jit(GradientFlow(SPHERE, -Interaction(BETA), weights=w).drift)
    usa = eqx.filter_jit(AttentionFlow(SPHERE, Unnormalized(BETA), weights=w).drift)(ZERO, X, None)
    np.testing.assert_allclose(ascent(ZERO, X, None), np.where(mass > 0, usa, 0), atol=1e-13)


@pytest.mark.parametrize("w", [None, W], ids=["uniform", "weighted"])
def test_softmax_attention_raises_the_energy_at_the_rate_that_theory_gives(w):
    # dE/dt = sum_i w_i |v_i|^2 Z_i, with Z_i = sum_j w_j e^{beta <x_i, x_j>} (arXiv 2312.10794).
    @jax.jit
    def rates(x):
        v = AttentionFlow(SPHERE, Softmax(BETA), weights=w).drift(ZERO, x, None)
        _, rate = jax.jvp(lambda x: Interaction(BETA)(x, w), (x,), (v,))
        masses = jnp.full(6, 1 / 6, float) if w is None else w
        z = jnp.exp(Softmax(BETA).log_mass(x, None, w))
        return rate, masses @ (jnp.sum(v**2, axis=1) * z)

    rate, expected = rates(X)
    np.testing.assert_allclose(rate, expected, rtol=1e-13)
    assert rate > 0


def test_energies_are_a_vector_space():
    a, b = Interaction(BETA), Potential(potential)
    first, second = float(value(a, X)), float(value(b, X))
    for energy, expected in (
        (a + b, first + second),
        (a - b, first - second),
        (-a, -first),
        (3 * a, 3 * first),
        (a * 0.5 - 2.0 * (b + a), 0.5 * first - 2 * second - 2 * first),
        (jnp.asarray(2.0) * a, 2 * first),
        (np.float64(2.0) * a, 2 * first),
    ):
        np.testing.assert_allclose(value(energy, X), expected, rtol=1e-14)
    parts = 2 * gradient(a, X, W) - gradient(b, X, W)
    np.testing.assert_allclose(gradient(2 * a - b, X, W), parts, atol=1e-14)


def test_uniform_law_has_the_least_energy_and_a_point_the_most():
    energy = Interaction(BETA)
    # On S^2: int e^{beta <x, y>} dy = sinh(beta)/beta; a rule of degree 20 sums it to 2^20/20!.
    least = np.sinh(BETA) / (2 * BETA**2)
    basis = SphericalHarmonics(12)
    np.testing.assert_allclose(value(energy, basis.nodes, basis.weights), least, rtol=1e-12)
    most = np.exp(BETA) / (2 * BETA)
    point = jnp.asarray(np.tile(X[:1], (6, 1)))
    np.testing.assert_allclose(value(energy, point), most, rtol=1e-14)
    assert least < value(energy, X) < most and least < value(energy, X, W) < most
    # The tetrahedron has the inner products 1 and -1/3.
    corners = np.array([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / np.sqrt(3)
    expected = (np.exp(BETA) + 3 * np.exp(-BETA / 3)) / (8 * BETA)
    np.testing.assert_allclose(value(energy, jnp.asarray(corners)), expected, rtol=1e-14)


def test_float32_stays_float32():
    x = X.astype(jnp.float32)
    energy = Interaction(BETA, offset=BETA) + 0.5 * Potential(potential)
    for w in (None, W):
        for function in (energy, energy.wasserstein_gradient):
            assert jax.eval_shape(lambda x, f=function, w=w: f(x, w), x).dtype == jnp.float32


def test_energies_refuse_what_does_not_fit():
    check_refused(lambda: Interaction(0.0), "beta != 0")


def test_a_potential_has_one_value_a_point():
    x = jnp.array([[1.0], [3.0]])
    assert float(Potential(lambda x: x**2 / 2)(x)) == 2.5
    check_refused(lambda: Potential(lambda x: x)(jnp.eye(3)), "one value a point")


def test_massless_points_so_far_away_that_the_kernel_overflows():
    """A point of mass 0 adds 0 e^{<x, y>}, here 0 e^{10^6}, which floats would make 0 times infinity."""
    more = jnp.asarray(np.concatenate([X, [[1e6, 0.0, 0.0]]]))
    masses = jnp.asarray(np.append(W, 0.0))
    for energy in (Interaction(BETA), Interaction(BETA) + 0.5 * Potential(potential)):
        np.testing.assert_allclose(value(energy, more, masses), value(energy, X, W), rtol=1e-15)
        slopes = np.asarray(gradient(energy, more, masses))
        np.testing.assert_allclose(slopes[:6], gradient(energy, X, W), atol=1e-15)
        assert not slopes[6].any()


SYMMETRIC = jnp.array([[2.0, 0.5, 0.0], [0.5, -1.0, 0.3], [0.0, 0.3, 0.4]])


def test_an_interaction_by_a_matrix_is_its_double_loop_and_the_ascent_of_unnormalized_attention():
    energy, w = Interaction(1.3, offset=0.2, matrix=SYMMETRIC), np.asarray(W)
    x, d = np.asarray(X), np.asarray(SYMMETRIC)
    total = sum(
        w[i] * w[j] * np.exp(1.3 * x[i] @ d @ x[j] - 0.2) for i in range(6) for j in range(6)
    )
    np.testing.assert_allclose(value(energy, X, W), total / 2.6, rtol=1e-13)
    attention = Unnormalized(1.3, query=SYMMETRIC, value=SYMMETRIC, offset=0.2)
    field = np.where(w[:, None] > 0, eqx.filter_jit(attention)(X, None, W), 0)
    np.testing.assert_allclose(gradient(energy, X, W), field, rtol=1e-11, atol=1e-13)
    with pytest.raises(ValueError, match=r"symmetric matrix, got one of shape \[2, 3\]"):
        Interaction(1.0, matrix=jnp.ones((2, 3)))
    check_refused(lambda: Interaction(1.0, matrix=jnp.triu(jnp.ones((3, 3)))), "symmetric")
    with pytest.raises(ValueError, match="without a matrix for a density"):
        energy.on_density(SphericalHarmonics(2), jnp.eye(9)[0])


@pytest.mark.parametrize(
    ("eigenvalues", "best"),
    # max |lambda| belongs to +2: points at its eigenvectors are the most; or to -2: they are the least.
    [((2.0, -1.0, 0.5), max), ((2.0, 1.0, 0.5), max), ((-2.0, 1.0, 0.5), min)],
)
def test_points_at_an_eigenvector_are_extreme(eigenvalues, best):
    energy = Interaction(1.5, matrix=jnp.diag(jnp.array(eigenvalues)))
    # Of two tokens each: at one point, at another, at antipodes, anywhere.
    axes, anywhere = np.eye(3), np.asarray(unit_vectors(5, 10, 2, 3))
    clouds = [[axes[i]] * 2 for i in range(3)] + [[axes[0], -axes[0]], *anywhere]
    point, *others = eqx.filter_jit(jax.vmap(energy))(np.array(clouds)).tolist()
    np.testing.assert_allclose(point, np.exp(1.5 * eigenvalues[0]) / 3, rtol=1e-14)
    assert best([point, *others]) == point
