"""Wrong kinds of object are refused where they are passed, in one sentence with the remedy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused, each_of

from meanfield.attention import (
    L2,
    Additive,
    Causal,
    Dense,
    Harmonic,
    Layers,
    MultiHead,
    Nystrom,
    RandomFeatures,
    Sharded,
    Sinkhorn,
    Softmax,
    Unnormalized,
    Varying,
    check_isotropic,
    exponential,
)
from meanfield.geometry import Sphere
from meanfield.harmonics import Fourier
from meanfield.measures import HeatKernel, Mixture, Uniform, VonMisesFisher, particles

X, KEY, BASIS = jnp.eye(3), jax.random.key(0), Fourier(4)
FEATURES = RandomFeatures(4, KEY)


@each_of(
    [
        ("engine by name", lambda: Softmax(1.0, engine="dense"), "pass Blockwise()"),
        ("class of engines", lambda: L2(1.0, engine=Dense), "Dense(...)"),
        ("temperature as truth", lambda: Softmax(True), "pass"),
        ("temperature beyond floats", lambda: Softmax(10**400), "pass a smaller one"),
        ("mask in letters", lambda: Softmax(1.0, mask="causal"), "jax.numpy.asarray"),
        ("empty value", lambda: Softmax(1.0, value=jnp.ones((0, 3))), "MultiHead"),
        ("cost by name", lambda: Sinkhorn(1.0, cost="geodesic"), "DotProduct()"),
        ("iterations in part", lambda: Sinkhorn(1.0, iterations=2.5), "pass iterations=0"),
        ("no iterations allowed", lambda: Sinkhorn(1.0, max_iterations=0), "max_iterations=1"),
        ("a mask of a word", lambda: Additive("causal"), "jax.numpy.asarray"),
        (
            "a mask that forbids all",
            lambda: Additive(jnp.full((3, 3), -jnp.inf)),
            "attend to itself",
        ),
        ("a mask of part of a token", lambda: Causal(2.5), "pass n=1"),
        ("an array for a schedule", lambda: Varying(X), "pass function=lambda x: ..."),
        ("a number among layers", lambda: Layers([1.0], [0.0]), "layers=[Softmax(1.0), ...]"),
        ("a kernel in letters", lambda: exponential("abc"), "jax.numpy.asarray"),
        ("half a dimension", lambda: check_isotropic(Softmax(1.0), 2.5), "pass d=1"),
        ("heads by name", lambda: MultiHead("abc"), "MultiHead([Softmax(1.0)])"),
        ("a number among heads", lambda: MultiHead([1.0]), "MultiHead([Softmax(1.0)])"),
        ("accuracy of one", lambda: Harmonic(BASIS, 1.0), "pass 1e-12"),
        ("NaN for beta", lambda: Harmonic.of(jnp.nan, 2), "remove or replace"),
        ("class to fit", lambda: Harmonic.fitted(Softmax, X[:, :2]), "Softmax(beta)"),
        ("a seed for a key", lambda: Nystrom(2, 0), "jax.random.key(0)"),
        ("an engine to shard", lambda: Sharded(engine=Dense()), "Blockwise(block)"),
        ("error of a number", lambda: FEATURES.relative_error(1.0, X), "Softmax(beta)"),
        ("size in part", lambda: Softmax(1.0).engine_for(2.5), "pass n=1"),
        ("tokens in half", lambda: Softmax(1.0)(X.astype(jnp.float16)), "float32"),
        ("no tokens", lambda: Softmax(1.0)(X[:0]), "one token a row"),
        ("no basis", lambda: Softmax(1.0).mean_field(None, jnp.ones(9)), "pass Fourier(32)"),
        ("cov of another size", lambda: L2(1.0).gaussian_field(X[0], X[:2]), "square matrix"),
        ("a place in letters", lambda: Sphere(3).project("abc"), "jax.numpy.asarray"),
        ("distance to a number", lambda: Sphere(3).distance(X, 0.5), "reshape it"),
        ("points from a seed", lambda: Sphere(3).sample(0, 4), "jax.random.key(0)"),
        ("half a point", lambda: Uniform(3).sample(KEY, 2.5), "pass n=1"),
        ("points in R^2", lambda: VonMisesFisher(X[0], 1.0).log_density(X[:, :2]), "put coord"),
        ("time in letters", lambda: HeatKernel(3, "now"), "jax.numpy.asarray"),
        ("laws by name", lambda: Mixture("abc", [1.0]), "laws=[...]"),
        ("no law", lambda: Mixture([1.0], [1.0]), "[Uniform(3), ...]"),
        ("no geometry", lambda: particles(X, None), "Sphere(d)"),
        ("coefficients in letters", lambda: BASIS.synthesize("abc"), "jax.numpy.asarray"),
        ("whole values", lambda: BASIS.analyze(jnp.arange(15)), ".astype(float)"),
        ("time that runs back", lambda: BASIS.heat(jnp.ones(9), -1.0), "pass t=0"),
        ("no profile", lambda: BASIS.multipliers(1.0), "jax.numpy.exp"),
        ("degree beyond", lambda: Fourier(10**400), "pass degree=16"),
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
