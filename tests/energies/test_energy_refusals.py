"""Wrong kinds of object and wrong values are refused in a sentence of ours that ends in a remedy."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import TypeCheckError

from meanfield.attention import Softmax
from meanfield.energies import (
    Circle,
    Entropy,
    Interaction,
    InternalEnergy,
    Line,
    Pairwise,
    Potential,
    Scaled,
    Sinkformer,
    Sum,
    fisher_information,
    free_energy,
    relative_entropy,
    split_entropy,
    terms,
)
from meanfield.geometry import Sphere
from meanfield.harmonics import Fourier

WRONG = (
    None,
    "abc",
    Softmax,
    Interaction,
    Softmax(2.0),
    Sphere(3),
    -1.0,
    1 + 2j,
    [1, 2],
    {},
    object(),
)
X, BASIS, ROW = jnp.eye(3), Fourier(4), jnp.arange(6.0)
OF_POINTS = (Interaction(2.0), Potential(lambda x: x[0]), Pairwise(jnp.dot), Sinkformer(2.0))
OF_DENSITIES = (Entropy(), InternalEnergy(2.0), *OF_POINTS)
COEFFS = jnp.eye(9)[0]


def refused(make, values):
    for value in values:
        # Where annotations are checked, as in these tests, they may speak first.
        with pytest.raises((ValueError, TypeCheckError)) as error:
            make(value)
        said = isinstance(error.value, ValueError) and re.search(
            "expected .*, got .*; |expected .*; ", str(error.value)
        )
        assert said or isinstance(error.value, TypeCheckError), value


def test_where_an_energy_is_meant():
    for make in (
        lambda a: Sum((a,)),
        lambda a: Scaled(2.0, a),
        lambda a: Entropy() + a,
        lambda a: Entropy() - a,
        terms,
        split_entropy,
    ):
        refused(make, WRONG)
    refused(Sum, (Entropy(), (), None))


def test_where_a_function_is_meant():
    for make in (Potential, Pairwise):
        refused(make, WRONG)


def test_where_options_of_an_energy_are_meant():
    refused(lambda a: Interaction(2.0, engine=a), WRONG[1:])
    refused(lambda a: Sinkformer(2.0, cost=a), WRONG)
    refused(lambda a: Sinkformer(2.0, max_iterations=a), (*WRONG, 0))
    refused(lambda a: free_energy(2.0, a), (-1.0, None, "abc", 1j, np.ones(2)))


def test_where_points_densities_or_quantiles_are_meant():
    half = (np.float16, jnp.bfloat16)
    for energy in OF_POINTS:
        refused(energy, (*WRONG, jnp.ones(3), jnp.ones((0, 3)), *(X.astype(t) for t in half)))
        refused(lambda w, energy=energy: energy(X, w), ("abc", Softmax(2.0), jnp.ones(2) / 2))
    for energy in OF_DENSITIES:
        on = energy.on_density
        refused(lambda a, on=on: on(BASIS, a), (*WRONG, jnp.ones(3), COEFFS.astype(half[0])))
        refused(lambda a, on=on: on(a, COEFFS), (*WRONG, BASIS.nodes))
        at = energy.on_quantiles
        refused(lambda a, at=at: at(Line(), a), (*WRONG, X, ROW[:4], ROW.astype(half[0])))
        refused(lambda a, at=at: at(a, ROW), (*WRONG, Circle))
    for function in (relative_entropy, fisher_information):
        refused(lambda a, f=function: f(BASIS, a, COEFFS), (*WRONG, jnp.ones(3)))
        refused(lambda a, f=function: f(BASIS, COEFFS, a), (*WRONG[1:], jnp.ones(3)))
        refused(lambda a, f=function: f(a, COEFFS, COEFFS), WRONG)


def test_points_without_mass_coincident_and_antipodal_have_values_and_gradients():
    w = jnp.array([0.5, 0.5, 0.0])
    cloud = np.array([[1.0, 0, 0], [-1, 0, 0], [0.3, 0.4, 0.5]])
    for energy in OF_POINTS:

        @jax.jit
        def seen(x, w=None, energy=energy):
            return energy(x, w), energy.wasserstein_gradient(x, w)

        # A point of mass zero changes neither the value nor the others' gradients.
        value, slope = seen(cloud, w)
        two, slope_of_two = seen(cloud[:2])
        np.testing.assert_allclose(value, two, rtol=1e-12)
        np.testing.assert_allclose(slope[:2], slope_of_two, atol=1e-8)
        np.testing.assert_array_equal(slope[2], 0)
        # A cloud at one point is that point.
        point, one = seen(cloud[:1])
        value, _ = seen(np.tile(cloud[:1], (3, 1)), w)
        np.testing.assert_allclose(value, point, rtol=1e-12)
        _, slope = seen(np.tile(cloud[:1], (3, 1)), jnp.full(3, 1 / 3))
        np.testing.assert_allclose(slope, np.tile(one, (3, 1)), atol=1e-8)
        if isinstance(energy, Interaction):  # antipodes, by hand: (e^beta + e^-beta)/(4 beta)
            np.testing.assert_allclose(two, np.cosh(2.0) / 4, rtol=1e-14)


def test_sinkformer_without_convergence_is_no_number():
    early = Sinkformer(8.0, max_iterations=1)
    both = jax.jit(lambda x: (early(x), early.wasserstein_gradient(x)))
    value, slope = both(np.arange(12.0).reshape(4, 3) % 5 / 2)
    assert np.isnan(value) and np.isnan(slope).all()
