"""A corpus is not copied: what is measured of it takes the memory of a text or two."""

import tracemalloc

import numpy as np

from meanfield.latents import Recording, lines_of_thought
from meanfield.latents.profiles._profile import _kept

TEXTS, LAYERS, N, D = 12, 20, 64, 64


def corpus():
    """Texts with a sink and a duplicate each, so that something is left out of every one."""
    states = np.random.default_rng(0).normal(size=(TEXTS, LAYERS, N, D)).astype(np.float32)
    states[:, :, 0] *= 100
    states[:, :, 2] = states[:, :, 1]
    return [Recording(text) for text in states], states


def peak(measured):
    """The most bytes at a time that are taken beyond those before, once all is imported."""
    measured()
    tracemalloc.start()
    try:
        found = measured()
        return found, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_tokens_are_chosen_a_text_at_a_time():
    texts, states = corpus()
    (places, left_out), most = peak(lambda: _kept(texts, 5.0))
    for own in places:
        np.testing.assert_array_equal(own, [1, *range(3, N)])
    np.testing.assert_allclose(left_out["sinks"], 1 / N)
    np.testing.assert_allclose(left_out["duplicates"], 1 / (N - 1))
    # Two copies of one text, without its sinks and without duplicates, and lengths.
    assert most < states.nbytes / 2.5


def test_layers_are_fitted_a_layer_at_a_time():
    texts, states = corpus()
    split = 3 * TEXTS // 4
    found, most = peak(lambda: lines_of_thought(texts[:split], texts[split:]))
    # Of two of 20 layers, in double precision, one copy of all texts, one of train, and one about the mean.
    assert most < states.nbytes * (2 / LAYERS) * 2 * 4
    kept = [text.drop([0]) for text in texts]
    same = lines_of_thought(kept[:split], kept[split:], sinks=None)
    np.testing.assert_array_equal(found.residual, same.residual)
    np.testing.assert_array_equal(found.spread, same.spread)
