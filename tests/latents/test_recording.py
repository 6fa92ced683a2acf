"""A recording keeps states, numbers and names; what cannot be right is refused."""

from types import SimpleNamespace

import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from refusals import check_refused

import meanfield as mf
from meanfield.latents import Recording, from_arrays, from_transformer_lens, from_transformers, load

RNG = np.random.default_rng(0)
STATES = RNG.normal(size=(4, 6, 5))


def test_clouds_are_the_states_in_parts():
    mid = STATES[:3] + 1
    recording = Recording(STATES, tokens=np.arange(6), mid=mid, model="toy")
    assert (recording.d, recording.n, recording.model) == (5, 6, "toy")
    np.testing.assert_array_equal(recording.cloud(2), STATES[2])
    norms = np.sqrt((STATES**2).sum(-1))
    np.testing.assert_allclose(recording.radii(), norms, rtol=1e-14)
    np.testing.assert_allclose(recording.directions(), STATES / norms[..., None], rtol=1e-14)
    np.testing.assert_array_equal(recording.increments(), STATES[1:] - STATES[:-1])
    assert "4 layers of 6 tokens in R^5" in repr(recording)


@pytest.mark.parametrize(
    ("kind", "out"),
    [(np.float16, np.float32), (ml_dtypes.bfloat16, np.float32), (np.float32, np.float32)],
)
def test_half_precision_is_computed_in_single(kind, out):
    recording = Recording(STATES.astype(kind))
    assert recording.cloud(0).dtype == recording.directions().dtype == out
    np.testing.assert_array_equal(recording.cloud(1), STATES[1].astype(kind).astype(out))


def test_tokens_that_are_dropped_leave_the_numbers_of_the_others():
    recording = Recording(STATES, tokens=np.arange(10, 16), mid=STATES[:3])
    once = recording.drop([0, 3])
    twice = once.drop([4])
    assert twice.positions.tolist() == [1, 2, 5]
    assert twice.tokens.tolist() == [11, 12, 15]
    np.testing.assert_array_equal(twice.states, STATES[:, [1, 2, 5]])
    np.testing.assert_array_equal(twice.mid, STATES[:3, [1, 2, 5]])
    check_refused(lambda: once.drop([3]), "got [3]")
    check_refused(lambda: recording.drop(range(6)), "a token to remain")


def test_distinct_keeps_the_first_of_tokens_that_meet_in_some_layer():
    states = STATES.copy()
    states[0, 4] = states[0, 1]  # in the first layer, as equal words without positions
    states[3, 5] = states[3, 2]  # in the last alone
    states[2, 0] = states[2, 4]  # an earlier one with one that goes
    kept = Recording(states).distinct()
    assert kept.positions.tolist() == [0, 1, 2, 3]
    assert all(len(np.unique(layer, axis=0)) == kept.n for layer in kept.states)


def test_sinks_are_longer_than_the_median_in_some_layer():
    # Five tokens of radius 1 and one of radius 4 in layer 1: the median is 1.
    states = np.tile(np.eye(6)[:, :6], (3, 1, 1))
    states[1, 2] *= 4
    recording = Recording(states)
    assert recording.sinks(3.9).tolist() == [2]
    assert recording.sinks(4.1).tolist() == []
    assert recording.without_sinks(3.9).positions.tolist() == [0, 1, 3, 4, 5]
    assert recording.without_sinks(4.1).n == 6


def test_layers_that_are_selected_keep_their_numbers():
    recording = Recording(STATES, mid=STATES[:3])
    part = recording.select([0, 3])
    assert part.layers.tolist() == [0, 3] and part.mid is None
    np.testing.assert_array_equal(part.states, STATES[[0, 3]])
    assert part.select([3]).layers.tolist() == [3]
    check_refused(lambda: part.select([1]), "increasing layers")


@pytest.mark.parametrize("kind", [np.float16, ml_dtypes.bfloat16, np.float32, np.float64])
def test_what_is_saved_is_loaded(tmp_path, kind):
    file = tmp_path / "a.nc"
    recording = Recording(
        STATES.astype(kind), np.arange(6), STATES[:3].astype(kind), "toy", {"text": "of tests"}
    ).drop([1])
    recording.save(file)
    found = load(file)
    for name in ("states", "tokens", "mid", "layers", "positions"):
        one, other = getattr(recording, name), getattr(found, name)
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    assert found.model == "toy" and found.provenance["text"] == "of tests"
    assert "saved_version_jax" in found.provenance


@pytest.mark.parametrize("axes", ["layer token dim", "token layer dim", "dim token layer"])
def test_axes_are_put_in_order_by_their_names(axes):
    order = [["layer", "token", "dim"].index(name) for name in axes.split()]
    given = STATES.transpose(order)
    recording = from_arrays(given, axes=axes, mid=given.take(range(3), axes.split().index("layer")))
    np.testing.assert_array_equal(recording.states, STATES)
    np.testing.assert_array_equal(recording.mid, STATES[:3])


@pytest.mark.parametrize("axes", [None, "", "layer token", "layer token dim dim", "a b c", 3])
def test_axes_are_never_guessed(axes):
    with pytest.raises(ValueError, match="expected axes to name layer, token and dim"):
        from_arrays(STATES, axes=axes)


def test_the_last_of_transformers_is_after_the_final_norm():
    outputs = SimpleNamespace(hidden_states=tuple(jnp.asarray(STATES[:, None])))
    np.testing.assert_array_equal(from_transformers(outputs).states, STATES[:-1])
    np.testing.assert_array_equal(from_transformers(outputs, last="raw").states, STATES)
    check_refused(lambda: from_transformers(outputs, last="yes"), "'normed', 'raw'")
    two = SimpleNamespace(hidden_states=(STATES[:2], STATES[:2]))
    check_refused(lambda: from_transformers(two), "one text at a time")
    with pytest.raises(ValueError, match="output_hidden_states=True"):
        from_transformers(SimpleNamespace(hidden_states=None))


def test_a_lens_cache_has_states_before_and_between():
    cache = {f"blocks.{k}.hook_resid_pre": STATES[k][None] for k in range(3)}
    cache["blocks.2.hook_resid_post"] = STATES[3][None]
    assert from_transformer_lens(cache).mid is None
    cache |= {f"blocks.{k}.hook_resid_mid": 2 * STATES[k][None] for k in range(3)}
    recording = from_transformer_lens(cache, tokens=np.arange(6)[None])
    np.testing.assert_array_equal(recording.states, STATES)
    np.testing.assert_array_equal(recording.mid, 2 * STATES[:3])
    assert recording.tokens.tolist() == [*range(6)]
    del cache["blocks.1.hook_resid_pre"]
    check_refused(lambda: from_transformer_lens(cache), "without blocks")


BAD = {
    "NaN": (np.where(np.arange(4)[:, None, None] == 2, np.nan, STATES), "infinity in entry 2"),
    "no tokens": (STATES[:, :0], "leave no axis empty"),
    "two axes": (STATES[0], "[layer, token, dim]"),
    "integers": (STATES.astype(int), "floating-point"),
    "text": ("abc", "expected an array"),
}


@pytest.mark.parametrize("name", BAD)
def test_states_that_cannot_be_are_refused(name):
    states, message = BAD[name]
    check_refused(lambda: Recording(states), message)


def test_labels_that_do_not_fit_are_refused():
    for bad, match in [
        ({"tokens": np.arange(5)}, "tokens of shape [6]"),
        ({"tokens": np.zeros(6)}, "integers"),
        ({"mid": STATES}, "one fewer"),
        ({"layers": [3, 2, 1, 0]}, "increasing layers"),
        ({"layers": [0, 2, 4, 6], "mid": STATES[:3]}, "consecutive"),
        ({"model": 3}, "name for model"),
        ({"provenance": "x"}, "dict for provenance"),
    ]:
        check_refused(lambda bad=bad: Recording(STATES, **bad), match)


def test_one_layer_has_no_increments_and_a_zero_no_direction():
    check_refused(Recording(STATES[:1]).increments, "two layers")
    check_refused(Recording(0 * STATES).directions, "nonzero")
    assert mf.latents.Recording(STATES[:, :1]).directions().shape == (4, 1, 5)
