"""Chains of tokens and of clusters, held against values that follow from the definitions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused

import meanfield as mf
from meanfield import observables as ob

THREE_AND_ONE = jnp.array([[1 / 3, 1 / 3, 1 / 3, 0.0]] * 3 + [[0.0, 0.0, 0.0, 1.0]])


def two_clusters():
    """3 + 9 coincident tokens at overlap .3, and their softmax weights at beta = 2."""
    ends = np.array([[1.0, 0.0], [0.3, np.sqrt(1 - 0.09)]])
    x = np.repeat(ends, [3, 9], axis=0)
    kernel = np.exp(2.0 * x @ x.T)
    return jnp.asarray(x), jnp.asarray(kernel / kernel.sum(axis=1, keepdims=True))


information = jax.jit(ob.effective_information)


def test_information_of_three_mixing_states_and_one_apart():
    # Micro: (3/4) log2(4/3) + (1/4) log2 4, the entropy of a coin of 1/4. Macro: a permutation of two.
    want = 0.75 * np.log2(4 / 3) + 0.25 * 2
    np.testing.assert_allclose(information(THREE_AND_ONE), want, rtol=1e-14)
    np.testing.assert_allclose(want, 0.8112781, atol=5e-8)
    macro = ob.coarse_chain(THREE_AND_ONE, jnp.array([7, 7, 7, 2]))
    np.testing.assert_allclose(macro.matrix, np.eye(2), atol=1e-15)
    np.testing.assert_allclose(macro.masses, [0.25, 0.75], rtol=1e-15)  # in the order of labels
    np.testing.assert_allclose(information(macro.matrix), 1.0, rtol=1e-14)
    # A law that never sets the fourth state sees three equal rows: nothing.
    never = jnp.array([0.5, 0.25, 0.25, 0.0])
    np.testing.assert_allclose(information(THREE_AND_ONE, never), 0.0, atol=1e-15)


def test_information_of_blocks_is_log2_of_their_number():
    blocks = np.kron(np.eye(3), np.full((4, 4), 0.25))
    np.testing.assert_allclose(information(blocks), np.log2(3), rtol=1e-14)


def test_emergence_of_two_clusters_is_the_law_of_intervention_alone():
    """Lumpable: under the masses macro is micro; under uniform intervention it is more."""
    x, weights = two_clusters()
    macro = ob.coarse_chain(weights, jax.jit(ob.clusters)(x).labels)
    # By hand: rows (3 e^2, 9 e^.6)/Z and (3 e^.6, 9 e^2)/Z'.
    rows = np.exp([[2, 0.6], [0.6, 2]]) * [3, 9]
    rows = rows / rows.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(macro.matrix, rows, rtol=1e-13)
    assert float(macro.error) < 1e-14
    micro = information(weights)
    np.testing.assert_allclose(micro, 0.1864754, atol=5e-8)  # a prototype of the same definition
    weighted = information(macro.matrix, macro.masses)
    np.testing.assert_allclose(weighted, micro, rtol=1e-12)
    np.testing.assert_allclose(information(macro.matrix), 0.2243400, atol=5e-8)


def test_groups_that_are_not_lumpable_say_by_how_much():
    # Members 0 and 1 send .2 and .6 into the other group; of masses 1 and 3 they send .5 together.
    p = jnp.array([[0.8, 0.0, 0.2], [0.0, 0.4, 0.6], [0.5, 0.5, 0.0]])
    macro = ob.coarse_chain(p, jnp.array([0, 0, 1]), jnp.array([0.2, 0.6, 0.2]))
    np.testing.assert_allclose(macro.matrix, [[0.5, 0.5], [1.0, 0.0]], rtol=1e-14)
    np.testing.assert_allclose(macro.error, 0.6, rtol=1e-14)  # |.2 - .5| in each of two groups


def test_square_of_clusters_as_tokens_commutes_for_exact_clusters():
    x, _ = two_clusters()
    sphere, softmax = mf.geometry.Sphere(2), mf.attention.Softmax(2.0)

    @jax.jit
    def layer(x, w):
        return sphere.project(x + 0.5 * softmax(x, w=w))

    labels = jnp.asarray(np.repeat(np.arange(2), [3, 9]))
    exact = ob.abstraction_error(layer, x, labels)
    assert exact.shape == (2,) and float(exact.max()) < 1e-14
    # Spread by s, the mean is off by O(s^2): a quarter at half the spread.
    ends = np.asarray(x)
    turn = np.linspace(-1, 1, 12)[:, None] * np.stack([-ends[:, 1], ends[:, 0]], axis=1)

    def error(s):
        spread = ends + s * turn
        spread = jnp.asarray(spread / np.linalg.norm(spread, axis=1, keepdims=True))
        return float(ob.abstraction_error(layer, spread, labels).max())

    wide, narrow = error(0.2), error(0.1)
    assert wide > 1e-4 and 3.5 < wide / narrow < 4.5
    # The masses of groups matter: as if they were equal, the square does not commute.
    unweighted = ob.abstraction_error(lambda x, w: layer(x, None), x, labels)
    assert float(unweighted.max()) > 0.01


@pytest.mark.slow
def test_square_along_a_run():
    """Grouped tokens of the flow itself, of another shape for tokens than for clusters."""
    x, _ = two_clusters()
    sphere, softmax = mf.geometry.Sphere(2), mf.attention.Softmax(2.0)
    ts = jnp.array([0.0, 0.5])

    def run(x, w):
        flow = mf.dynamics.AttentionFlow(sphere, softmax, weights=w)
        return mf.simulate(flow, x, ts, tol=1e-9).final

    labels = ob.clusters(x).labels
    assert float(ob.abstraction_error(run, x, labels).max()) < 1e-7


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: ob.effective_information(2 * THREE_AND_ONE), "divide each by its sum"),
        (lambda: ob.effective_information(-THREE_AND_ONE), "clip it at 0"),
        (lambda: ob.effective_information(THREE_AND_ONE[:2]), "one row a state"),
        (lambda: ob.coarse_chain(THREE_AND_ONE, jnp.arange(3)), "one integer a token"),
        (
            lambda: ob.coarse_chain(THREE_AND_ONE, jnp.arange(4), jnp.array([0.5, 0.5, 0, 0])),
            "drop the states of no mass",
        ),
        (
            lambda: ob.abstraction_error(
                lambda x, w: x[:1], jnp.eye(2), jnp.array([0, 1]), jnp.array([0.5, 0.5])
            ),
            "pass move",
        ),
    ],
)
def test_refusals(call, says):
    check_refused(call, says)
