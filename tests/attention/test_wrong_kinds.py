"""Wrong kinds of object are refused where they are passed, in one sentence with the remedy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused, each_of

from meanfield.attention import (
    L2,
    Additive,
    Harmonic,
    Layers,
    MultiHead,
    RandomFeatures,
    Softmax,
    Unnormalized,
)
from meanfield.geometry import Sphere
from meanfield.harmonics import Fourier
from meanfield.measures import Mixture, VonMisesFisher

X, KEY, BASIS = jnp.eye(3), jax.random.key(0), Fourier(4)
FEATURES = RandomFeatures(4, KEY)


@each_of(
    [
        ("empty value", lambda: Softmax(1.0, value=jnp.ones((0, 3))), "MultiHead"),
        (
            "a mask that forbids all",
            lambda: Additive(jnp.full((3, 3), -jnp.inf)),
            "attend to itself",
        ),
        ("a number among layers", lambda: Layers([1.0], [0.0]), "layers=[Softmax(1.0), ...]"),
        ("a number among heads", lambda: MultiHead([1.0]), "MultiHead([Softmax(1.0)])"),
        ("accuracy of one", lambda: Harmonic(BASIS, 1.0), "pass 1e-12"),
        ("cov of another size", lambda: L2(1.0).gaussian_field(X[0], X[:2]), "square matrix"),
        ("distance to a number", lambda: Sphere(3).distance(X, 0.5), "reshape it"),
        ("points in R^2", lambda: VonMisesFisher(X[0], 1.0).log_density(X[:, :2]), "put coord"),
        ("no law", lambda: Mixture([1.0], [1.0]), "[Uniform(3), ...]"),
    ]
)
def test_wrong_kinds_of_object_are_refused(call, remedy):
    check_refused(call, remedy)


def test_whole_numbers_of_every_kind_are_temperatures():
    for four in (4, jnp.asarray(4), np.int64(4)):
        assert Softmax(four).beta == 4.0


@pytest.mark.parametrize("attention", [Softmax(2.0), Unnormalized(2.0), L2(2.0)])
@pytest.mark.parametrize("role", ["x", "y"])
def test_tokens_at_infinity_give_no_numbers(attention, role):
    """The weights of a token at infinity are limits that depend on its direction; where they are 0 or 1
    they would hide it."""
    far = X.at[0].set(jnp.inf)
    field = attention(far, X) if role == "x" else attention(X, far)
    rows = slice(0, 1) if role == "x" else slice(None)
    assert np.isnan(np.asarray(field)[rows]).all()


def test_masks_of_truth_values_forbid():
    mask = Additive(jnp.eye(2, dtype=bool))
    np.testing.assert_array_equal(mask.matrix, [[0, -np.inf], [-np.inf, 0]])
