"""Recordings of texts as laws of sequences."""

import jax.numpy as jnp
import numpy as np
from refusals import check_refused

import meanfield as mf
from meanfield.latents import Recording, paths


def texts(seed, n=6):
    rng = np.random.default_rng(seed)
    return [Recording(rng.normal(size=(3, 5, 4))) for _ in range(n)]


def test_paths_are_the_states_of_each_text_at_its_positions():
    corpus = texts(0)
    found = paths(corpus, 2, [3, 1], directions=False)
    for path, text in zip(found, corpus, strict=True):
        np.testing.assert_array_equal(path, text.states[2][[3, 1]])
    # By number, once tokens and layers were taken out.
    fewer = [text.select([0, 2]).drop([0, 2]) for text in corpus]
    np.testing.assert_array_equal(paths(fewer, 2, [3, 1], directions=False), found)
    onto = np.array([[0.0, 2.0, 0.0, 0.0]])
    units = found / np.linalg.norm(found, axis=2, keepdims=True)
    np.testing.assert_allclose(paths(corpus, 2, [3, 1], onto), 2 * units[:, :, 1:2], rtol=1e-15)


def test_two_models_are_compared_without_looking_ahead():
    axes = np.eye(1, 4)
    x, y = (
        mf.transport.adapted_empirical(
            jnp.asarray(paths(texts(seed), 1, [0, 1], axes)), spacing=0.5
        )
        for seed in (0, 1)
    )
    same, found = (mf.transport.adapted_wasserstein(x, z) for z in (x, y))
    assert float(same) == 0 < float(found) <= float(mf.transport.knothe_rosenblatt(x, y)) + 1e-12
    near = mf.transport.adapted_wasserstein(x, y, epsilon=1e-3)
    # Above the exact one by epsilon log 6 for each of two steps at most.
    assert 0 <= float(near.cost - found.cost) + 1e-9 <= 2e-3 * np.log(6)


def test_what_texts_do_not_have_is_refused():
    check_refused(lambda: paths(texts(0), 7, [1]), "expected a layer among")
    check_refused(lambda: paths(texts(0), 1, [9]), "positions that each text has")
    check_refused(lambda: paths(texts(0), 1, [1], np.eye(3)), "one axis a row")
    check_refused(lambda: paths(texts(0), 1, []), "one position or more")


def test_a_state_of_length_0_has_no_direction():
    states = np.ones((1, 2, 3))
    states[0, 1] = 0
    check_refused(lambda: paths([Recording(states)], 0, [0, 1]), "directions=False")
    assert not paths([Recording(states)], 0, [1], directions=False).any()
