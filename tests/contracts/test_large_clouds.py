"""Large clouds: values and gradients hold no array of n x n x d numbers, nor a matrix a step."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from arrays import arrays_of, largest_array
from unit_vectors import unit_vectors

from meanfield import _memory, observables as ob
from meanfield.attention import Hardmax, Prefixes, Softmax
from meanfield.attention.kernels import _prefixes
from meanfield.energies import Pairwise
from meanfield.transport import barycenter_displacement, gromov_wasserstein

N, D = 2048, 32
CLOUD = jax.ShapeDtypeStruct((N, D), jnp.float64)
NEAR = Pairwise(lambda x, y: jnp.exp(-jnp.sum((x - y) ** 2)))
BLOCK = 2**22
"""Numbers that a block may hold: 32 rows of n x n x d."""
# What is differentiated, and the numbers that its largest array may have.
FUNCTIONS = {
    "smoothed entropy": (lambda x: ob.smoothed_entropy(x, 2.0), BLOCK),
    "dimension": (lambda x: ob.intrinsic_dimension(x).value, BLOCK),
    "moment": (lambda x: ob.degree_moment(x, 2), N * N / 8),
    "histogram": (lambda x: ob.inner_product_histogram(x, 8)[0], N * N / 8),
    "least product": (ob.min_inner_product, N * N / 8),
    "hard attention": (lambda x: Hardmax()(x).sum(), N * N / 4),
    "energy of pairs": (NEAR, 2**20),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_and_gradients_go_by_blocks(name):
    function, most = FUNCTIONS[name]
    assert largest_array(jax.value_and_grad(lambda x: function(x)), CLOUD) <= most


def test_laws_of_distances_are_compared_some_points_at_a_time():
    x = jax.ShapeDtypeStruct((256, 3), jnp.float64)
    # A row of pairs holds 256 x 256 numbers; 2^20 are 8 MiB.
    assert largest_array(lambda x: gromov_wasserstein(x, x).value, x) <= 2**20


def test_leaders_are_found_without_a_matrix():
    assert largest_array(Hardmax().leaders, CLOUD) <= N * N / 4


def test_hard_attention_by_blocks_is_that_of_the_whole_matrix(monkeypatch):
    x, hard = unit_vectors(2, 300, 3) * np.linspace(0.5, 2, 300)[:, None], Hardmax()

    def all_of(x):
        return hard.leaders(x), hard.best(x), *jax.value_and_grad(lambda x: (hard(x) ** 2).sum())(x)

    whole = all_of(x)
    assert 0 < whole[0].sum() < 300
    monkeypatch.setattr(_memory, "LARGEST_DENSE", 8)
    for found, right in zip(all_of(x), whole, strict=True):
        np.testing.assert_allclose(found, right, rtol=1e-13, atol=1e-13)


def test_gradients_of_prefixes_keep_no_matrix_a_token(monkeypatch):
    n = 16
    monkeypatch.setattr(_prefixes, "_PAIRS", n * n)
    x = jax.ShapeDtypeStruct((n, 3), jnp.float64)
    assert largest_array(jax.grad(lambda x: Prefixes(Softmax(2.0))(x).sum()), x) == n * n


def test_gradients_of_barycenters_keep_no_matrix_a_step():
    models, n = 2, 64
    clouds = jax.ShapeDtypeStruct((models, n, 2), jnp.float64)
    slope = jax.grad(lambda x: barycenter_displacement(x, epsilon=1.0).sum())
    assert largest_array(slope, clouds) <= 2 * models * n * n


@pytest.mark.parametrize("n", [8, 2048])
def test_a_normalizer_multiplies_no_values(n):
    x = jax.ShapeDtypeStruct((n, D), jnp.float64)
    products = [
        shape for name, shape in arrays_of(Softmax(2.0).log_mass, x) if name == "dot_general"
    ]
    assert products
    assert all(
        shape[-1] not in (D, D + 1) for shape in products
    )  # by blocks, mass stands beside values


def test_blocks_of_pairs_change_neither_energy_nor_gradient(monkeypatch):
    x, w = unit_vectors(0, 7, 3), jnp.arange(7) / 21
    for masses in (None, w):
        both = jax.value_and_grad(lambda x, masses=masses: NEAR(x, masses))
        whole = both(x)
        monkeypatch.setattr(_memory, "LARGEST_DENSE", 8 * 7 * 3 * 2)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-15), both(x), whole)
        monkeypatch.undo()


def test_the_least_squares_of_a_hemisphere_are_of_few_tokens():
    x = jnp.zeros((2048, 5)).at[:, 0].set(1.0)
    split = [shape for name, shape in arrays_of(ob.hemisphere, x) if name == "svd"]
    assert split and max(max(shape) for shape in split) == 7
