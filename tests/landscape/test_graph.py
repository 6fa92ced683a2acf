"""Which stationary clouds lead to which, and how many there must be."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused

from meanfield.energies import Interaction, Potential
from meanfield.landscape import (
    CriticalPoints,
    HeteroclinicGraph,
    critical_points,
    heteroclinic_graph,
    morse_count,
    walk,
)
from meanfield.landscape.clouds._descent import _times
from meanfield.landscape.clouds._heteroclinic import _AWAY, _beside
from meanfield.landscape.clouds._stabilizer import fixed_by, stabilizer_order, symmetry
from meanfield.landscape.clouds._walk import _apart

BETA = 2.0
ATTENTION = -Interaction(BETA, offset=BETA)


def on_circle(*angles):
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def listed(clouds, index, orbit=1):
    """A list of states of which only the clouds and their indices are known."""
    m, n, d = np.shape(clouds)
    nothing, ones = jnp.zeros(m), jnp.ones(m, int)
    rates = jnp.zeros((m, n * (d - 1)))
    x, index = jnp.asarray(clouds), jnp.asarray(index)
    return CriticalPoints(x, nothing, index, rates, orbit * ones, nothing, ones)


def test_three_tokens_on_the_circle(programs):
    """Isosceles triangles stay so: the equilateral one opens to a pair and its opposite, or closes."""
    third = 2 * np.pi / 3
    clouds = [on_circle(0, 0, 0), on_circle(0, np.pi, np.pi), on_circle(0, third, -third)]
    states = listed(clouds, [0, 1, 2])
    found = heteroclinic_graph(ATTENTION, states, jax.random.key(1), 4)
    programs.clear()
    assert (
        heteroclinic_graph(ATTENTION, states, jax.random.key(1), 4).orbits == found.orbits
    ).all()
    assert programs == []
    np.testing.assert_array_equal(found.orbits > 0, [[0, 0, 0], [1, 0, 0], [1, 1, 0]])
    assert found.orbits[1, 0] == 2 and not found.lost.any()
    # All eigenvectors both ways, and those that were asked for
    assert found.orbits[2].sum() == 2 * 2 + 4
    with pytest.raises(ValueError, match="got state 2"):
        turned = listed([*clouds[:2], on_circle(0, third, 0.9 - third)], [0, 1, 2])
        heteroclinic_graph(ATTENTION, turned, jax.random.key(1), 4)


@pytest.mark.slow
def test_tokens_that_do_not_meet_move_one_by_one():
    """Of two tokens in a potential of two wells a < c parted by tops b, d each goes its own way."""
    energy = Potential(lambda x: x[0] ** 2 + 0.3 * x[1] + 0.1 * x[0])
    states = critical_points(energy, 2, 2, jax.random.key(0), 32)
    found = heteroclinic_graph(energy, states, jax.random.key(1), 8)
    assert not found.lost.any()
    # Three pairs of wells, two tops with two wells, three pairs of tops
    np.testing.assert_array_equal(np.bincount(states.index), [3, 4, 3])
    places = [set(np.round(x[:, 0], 6).tolist()) for x in np.asarray(states.x)]
    for i, j in itertools.product(range(10), repeat=2):
        if states.index[i] == 1 and states.index[j] == 0:
            # Both sides of a top lead to the two wells; the token in a well stays.
            assert found.orbits[i, j] == len(places[i] & places[j])


@pytest.mark.slow
def test_four_tokens_on_the_sphere():
    states = critical_points(ATTENTION, 4, 3, jax.random.key(0), 48)
    found = heteroclinic_graph(ATTENTION, states, jax.random.key(1), 32)
    np.testing.assert_array_equal(found.states.index, [0, 2, 2, 3, 4, 5])
    assert not found.lost.any()
    without = CriticalPoints(**{k: jnp.delete(v, 4, axis=0) for k, v in vars(states).items()})
    assert heteroclinic_graph(ATTENTION, without, jax.random.key(1), 32).lost[4] > 0
    edges = np.asarray(found.orbits) > 0
    # Energies fall, and all lead to one cluster, the only minimum.
    assert edges[1:, 0].all() and not np.triu(edges).any()
    # A tetrahedron squeezed along an axis of order four is a square, along one of three 3 and 1.
    assert edges[5, 4] and edges[5, 1 if states.energy[1] > states.energy[2] else 2]


def test_counts_of_four_tokens_on_the_circle():
    """One cluster, four of 3 and 1, three of 2 and 2, twelve of 2, 1 and 1, six squares."""
    third = 2 * np.pi / 3 * 0.9  # of angles that depend on beta
    clouds = [
        on_circle(0, 0, 0, 0),
        on_circle(0, 0, 0, np.pi),
        on_circle(0, 0, np.pi, np.pi),
        on_circle(0, 0, third, -third),
        on_circle(0, np.pi / 2, np.pi, 3 * np.pi / 2),
    ]
    indices = [0, 1, 1, 2, 3]
    found = morse_count(listed(clouds, indices))
    np.testing.assert_array_equal(found.counts, [1, 7, 12, 6])
    np.testing.assert_array_equal(found.betti, [1, 3, 3, 1])
    # c - b = [0, 4, 9, 5] = (1 + t)(4 t + 5 t^2)
    np.testing.assert_array_equal(found.rest, [0, 4, 5, 0])
    assert found.holds
    assert not morse_count(listed(clouds[:-1], indices[:-1])).holds
    # As many of even and odd index are not enough: 1, 1, 6, 6 would have fewer saddles than the torus.
    few = morse_count(listed([clouds[0], clouds[4], clouds[4]], [0, 1, 3]))
    assert not few.holds
    check_refused(lambda: morse_count(listed([np.eye(3)], [0])), "on the circle")
    check_refused(lambda: morse_count(listed(clouds, indices, orbit=0)), "orbit = 1")


def test_symmetries_of_clouds():
    """Of a k-gon there are 2k; of a generic cloud one; of m tokens in one place m! times two maps."""
    square = on_circle(*(np.arange(4) * np.pi / 2))
    assert stabilizer_order(square) == 8
    assert stabilizer_order(on_circle(0, 0, 0)) == 12
    assert stabilizer_order(on_circle(0.1, 0.5, 2.0)) == 1
    rng = np.random.default_rng(0)
    tetrahedron = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / np.sqrt(3)
    for x in (square, tetrahedron, np.repeat(np.eye(3)[:1], 4, axis=0)):
        drawn = [symmetry(x, rng) for _ in range(20)]
        for image, turn in drawn:
            np.testing.assert_allclose(x @ turn.T, x[image], atol=1e-14)
            np.testing.assert_allclose(turn @ turn.T, np.eye(x.shape[1]), atol=1e-14)
        assert len({tuple(image) for image, _ in drawn}) > 4
        image, turn = drawn[-1]
        fixed = fixed_by([drawn[-1]], *x.shape)
        moved = (fixed @ rng.standard_normal(x.size)).reshape(x.shape)
        np.testing.assert_allclose(moved @ turn.T, moved[image], atol=1e-13)
        np.testing.assert_allclose(fixed @ x.ravel(), x.ravel(), atol=1e-13)
        np.testing.assert_allclose(fixed @ fixed, fixed, atol=1e-13)


def test_orbits_start_as_far_from_a_saddle_whatever_the_direction():
    """At the same root mean square of tangents of angles."""
    x, u = np.eye(4)[:3], np.zeros((3, 4))
    u[0, 1], u[1, 3], u[2, 0] = 3.0, -4.0, 1.0
    beside = _beside(x, u)
    tangents = np.einsum("nd,nd->n", beside, u) / np.einsum("nd,nd->n", beside, x)
    sizes = np.linalg.norm(u, axis=1)
    np.testing.assert_allclose(tangents / sizes, _AWAY * sizes / np.sqrt(26 / 3), rtol=1e-13)


def test_steps_along_an_orbit_are_exact_where_it_is_linear():
    """x' = -l x - g over a time h moves by -g (1 - e^{-l h})/l: l = 0 tells h."""
    values, scale = jnp.array([-1.0, 0.0, 2.0]), jnp.asarray(2.0)
    parts = jnp.array([1e-9, 1e-9, 1e-9])
    spans = np.asarray(_times(values, parts, scale))
    h = spans[1]
    np.testing.assert_allclose(spans, [np.expm1(h), h, -np.expm1(-2 * h) / 2], rtol=1e-12)
    # What falls grows by less than 30 and by more than a step of the grid of times, e^{.115}, less.
    assert np.log(30) * np.exp(-0.116) < h <= np.log(30)
    # Else the length is .03 at most.
    spans = np.asarray(_times(values, jnp.array([0.0, 1.0, 0.0]), scale))
    assert 0.03 * np.exp(-0.116) < spans[1] <= 0.03


def test_a_run_is_a_walk_on_the_graph():
    """From a triangle that opens to a pair and its opposite, and then to one cluster."""
    third = 2 * np.pi / 3
    clouds = [on_circle(0, 0, 0), on_circle(0, np.pi, np.pi), on_circle(0, third, -third)]
    edges = jnp.array([[0, 0, 0], [2, 0, 0], [0, 4, 0]])
    graph = HeteroclinicGraph(listed(clouds, [0, 1, 2]), edges, jnp.zeros(3, int))
    # Angles of a run, turned, reflected and in another order.
    run = [(third, 0, -third), (2.5, 0, -2.5), (3.1, 0, -3.12), (2.0, 0, -1.0), (0.05, 0, 0)]
    angles = 0.7 - np.array(run)
    x, ts = np.stack([np.cos(angles), np.sin(angles)], axis=-1), np.arange(5.0)
    found = walk(graph, ts, x, 0.1)
    np.testing.assert_array_equal(found.states, [2, 1, 0])
    np.testing.assert_array_equal(found.since, [0, 2, 4])
    np.testing.assert_array_equal(found.until, [0, 2, 4])
    np.testing.assert_array_equal(found.clusters, [3, 2, 1])
    assert found.allowed.all()
    assert found.distance[0, 2] < 1e-7
    # A token off by a: the best rotation gives the others a third of it: 2/9 a^2, of chords.
    np.testing.assert_allclose(found.distance[4, 0], 0.05 * np.sqrt(2 / 9), rtol=1e-3)
    back = walk(graph, ts, x[::-1], 0.1)
    assert not back.allowed.any()
    straight = walk(graph, ts[:2], x[[0, 4]], 0.1)
    assert straight.states.size == 2 and straight.allowed.all()  # by the pair between them
    assert walk(graph, ts[:1], x[1:2], 0.1).states.size == 0
    check_refused(lambda: walk(graph, ts[:2], x), "pass run.ts")


def test_tokens_that_are_together_are_one():
    """Of five tokens two pairs are together, whose x or y alone others share."""
    x = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [1.0 + 1e-9, 1.0]])
    assert _apart(x) == 3
