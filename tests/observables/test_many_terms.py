"""In float32 many terms are added up to rounding, and not in order: equal ones would show it most."""

import jax.numpy as jnp
import numpy as np
import pytest

import meanfield as mf
from meanfield._products import weighted_sum

N, FEW = 300_001, 3_001
POINT = np.array([0.6, 0.8, 0.0], np.float32)
ob, en = mf.observables, mf.energies


def cluster(n: int):
    """n tokens at one place, and their masses."""
    return jnp.asarray(np.tile(POINT, (n, 1))), jnp.full(n, 1 / n, jnp.float32)


ONES = {
    "weighted_sum": lambda x, w: weighted_sum(w, x)[1] / 0.8,
    "mean_resultant": lambda x, w: ob.mean_resultant(x),
    "second_moment": lambda x, w: jnp.trace(ob.second_moment(x)),
    "alignment": lambda x, w: ob.alignment(x),
    "Potential": lambda x, w: en.Potential(lambda p: p[0] / 0.6)(x, w),
    "barycenter": lambda x, w: mf.transport.SquaredEuclidean().barycenter(w, x)[0][0] / 0.6,
}
PAIRS = {
    "inner_product_histogram": lambda x, w: ob.inner_product_histogram(x, 10)[-1],
    "degree_moment": lambda x, w: ob.degree_moment(x, 2),
    "masses of clusters": lambda x, w: ob.clusters(x).masses[0],
    "smoothed_entropy": lambda x, w: 1 + ob.smoothed_entropy(x, 4.0),
    "Interaction": lambda x, w: 2 * en.Interaction(1.0, offset=1.0)(x, w),
    "Pairwise": lambda x, w: 2 * en.Pairwise(lambda a, b: a @ b)(x, w),
}


@pytest.mark.parametrize("name", [*ONES, *PAIRS])
def test_one_cluster_of_many_tokens_is_one(name):
    x, w = cluster(N if name in ONES else FEW)
    value = {**ONES, **PAIRS}[name](x, w)
    assert value.dtype == jnp.float32
    # Each factor is rounded, and 1/n, and some ten sums of a tree; products of matrices add some hundred
    # terms in order.
    terms = 64 if name == "Interaction" else 16
    assert abs(float(value) - 1) < terms * np.finfo(np.float32).eps


def test_a_point_gets_what_many_send_it():
    n = 200_001
    mass, rows = jnp.full(n, 1 / n, jnp.float32), jnp.arange(n) % 3
    coupling = mf.transport.Coupling(rows, jnp.arange(n), mass, (3, n))
    eps = float(np.finfo(np.float32).eps)
    np.testing.assert_allclose(coupling.marginals()[0], 1 / 3, rtol=16 * eps, atol=0)
    values = np.where(np.arange(n) % 2, 2, -1).astype(np.float32)[:, None] + np.arange(2)
    means = coupling.average(jnp.asarray(values, jnp.float32))
    true = [values[first::3].mean(axis=0) for first in range(3)]
    np.testing.assert_allclose(means, true, rtol=0, atol=64 * eps)
    x = jnp.tile(jnp.array([[0.6, 0.8]], jnp.float32), (n, 1))
    moves = jnp.tile(jnp.array([[-0.8, 0.6]], jnp.float32), (n, 1))
    velocity = mf.observables.fluid(x, moves, jnp.array([0.9], jnp.float32), 0.5).velocity
    np.testing.assert_allclose(velocity, 1, rtol=16 * eps)


@pytest.mark.parametrize("engine", [mf.attention.Dense(), mf.attention.Blockwise()])
def test_one_query_sees_all_of_many_keys(engine):
    x, _ = cluster(60_001)
    mass = jnp.exp(mf.attention.Unnormalized(1.0, engine=engine).log_mass(x[:1], x)[0] - 1)
    assert abs(float(mass) - 1) < 64 * np.finfo(np.float32).eps


@pytest.mark.parametrize("queries", [1, 2])
@pytest.mark.parametrize("columns", [1, 3, 8])
def test_few_queries_see_all_of_many_keys(columns, queries):
    x = jnp.ones((200_001, columns), jnp.float32)
    dense, keys = mf.attention.Softmax(1.0, engine=mf.attention.Dense()), x / columns**0.5
    value = jnp.eye(columns, dtype=jnp.float32)
    for attention in (dense, mf.attention.Relu(value), mf.attention.Hardmax(value=value)):
        field = attention(keys[:queries], keys) * columns**0.5
        assert field.dtype == jnp.float32
        assert np.abs(np.asarray(field, float) - 1).max() < 64 * np.finfo(np.float32).eps


@pytest.mark.parametrize(
    "radius, near", [(0.0, 2), (1e-3, 3), (np.pi / 2, 5), (3.0, 5), (np.pi - 1e-3, 5), (np.pi, 6)]
)
def test_chords_tell_who_is_near_as_distances_do(radius, near):
    places = [[1, 0, 0], [1, 0, 0], [1, 1e-3, 0], [0, 1, 0], [0, 0, 1], [-1, 0, 0]]
    x = mf.geometry.Sphere(3).project(jnp.asarray(places, jnp.float32))
    share = ob.captured_share(x, jnp.arange(6) == 0, radius)
    assert round(6 * float(share)) == near
