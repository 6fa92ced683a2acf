"""Arrays in files are recordings; files larger than memory are read a layer at a time."""

import json

import numpy as np
import pytest
import safetensors.numpy
from refusals import check_refused

from meanfield.io import pack, unpack
from meanfield.latents import Recording, load

STATES = np.random.default_rng(0).normal(size=(4, 6, 5)).astype(np.float32)
AXES = "layer token dim"


def test_arrays_are_found_in_files(tmp_path):
    np.save(tmp_path / "a.npy", STATES.transpose(1, 0, 2))
    np.savez(tmp_path / "b.npz", states=STATES, tokens=np.arange(6))
    safetensors.numpy.save_file({"hidden": STATES}, tmp_path / "c.safetensors")
    safetensors.numpy.save_file({"states": STATES, "x": STATES}, tmp_path / "d.safetensors")
    one = load(tmp_path / "a.npy", axes="token layer dim")
    two, three, four = (
        load(tmp_path / f, axes=AXES) for f in ("b.npz", "c.safetensors", "d.safetensors")
    )
    for recording in (one, two, three, four):
        np.testing.assert_array_equal(recording.states, STATES)
    assert two.tokens.tolist() == [*range(6)]
    check_refused(lambda: load(tmp_path / "d.safetensors", axes=AXES, name="y"), "pass name=")
    check_refused(lambda: load(tmp_path / "a.npy"), "expected axes for an array")


@pytest.mark.parametrize("ending", ["npy", "safetensors"])
def test_a_large_file_stays_on_the_disk(tmp_path, ending):
    file = tmp_path / f"a.{ending}"
    if ending == "npy":
        np.save(file, STATES)
    else:
        safetensors.numpy.save_file({"states": STATES}, file)
    base = load(file, axes=AXES).states
    while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)


def test_damaged_files_are_refused(tmp_path):
    Recording(STATES).save(tmp_path / "a.nc")
    whole = (tmp_path / "a.nc").read_bytes()
    for cut in (0, 100, len(whole) - 1):
        (tmp_path / "b.nc").write_bytes(whole[:cut])
        check_refused(lambda: load(tmp_path / "b.nc"), "expected a recording in b.nc")
    for name, content in [("a.npy", b"\x93NUMPY"), ("a.npz", b"PK\x03\x04"), ("b.npz", b"")]:
        (tmp_path / name).write_bytes(content)
        check_refused(lambda name=name: load(tmp_path / name, axes=AXES), "numpy refuses")
    check_refused(lambda: load(tmp_path / "none.npy", axes=AXES), "which is none")
    check_refused(lambda: load(tmp_path / "a.pt"), "ending")


def test_axes_of_a_recording_are_known_by_their_names(tmp_path):
    """Of as many layers as tokens and dimensions no shape would tell that they were exchanged."""
    states = STATES[:4, :4, :4]
    Recording(states, mid=states[:3], model="m").save(tmp_path / "a.nc")
    whole = unpack((tmp_path / "a.nc").read_bytes())
    found = _stored(tmp_path, whole.transpose("dim", "token", "step", "layer"))
    np.testing.assert_array_equal(found.states, states)
    np.testing.assert_array_equal(found.mid, states[:3])
    wrong = {
        "along word, token, dim, not step": whole.rename(step="word"),
        "without states": whole.drop_vars("states"),
        "model is no JSON": whole.assign_attrs(model=3),
        "provenance is no JSON": whole.assign_attrs(provenance="[" * 50_000),
        "unknown type": whole.assign(states=whole.states.astype(np.uint16).assign_attrs(precision=[1, 2])),
    }  # fmt: skip
    for words, data in wrong.items():
        check_refused(lambda data=data: _stored(tmp_path, data), words)


def _stored(folder, data):
    (folder / "b.nc").write_bytes(pack(data))
    return load(folder / "b.nc")


def test_objects_are_never_executed(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"a": 1}]), allow_pickle=True)
    check_refused(lambda: load(tmp_path / "a.npy", axes=AXES), "numpy refuses")


def _file(header: bytes, content: bytes = b"") -> bytes:
    return len(header).to_bytes(8, "little") + header + content


TENSOR = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
HOSTILE = {
    "empty": b"",
    "a header longer than the file": (2**40).to_bytes(8, "little") + b"{}",
    "no JSON": _file(b"\xff\xfe{"),
    "nested": _file(b"[" * 50000),
    "a list": _file(b"[1, 2]"),
    "beyond the end": _file(
        json.dumps({"a": TENSOR | {"data_offsets": [8, 16]}}).encode(), bytes(8)
    ),
    "another size": _file(json.dumps({"a": TENSOR | {"shape": [3]}}).encode(), bytes(8)),
    "huge": _file(json.dumps({"a": TENSOR | {"shape": [2**62, 2**62]}}).encode(), bytes(8)),
    "negative": _file(json.dumps({"a": TENSOR | {"shape": [-2]}}).encode(), bytes(8)),
    "a fraction": _file(json.dumps({"a": TENSOR | {"shape": [2.0]}}).encode(), bytes(8)),
    "unknown type": _file(json.dumps({"a": TENSOR | {"dtype": "object"}}).encode(), bytes(8)),
    "no entry": _file(json.dumps({"a": None}).encode(), bytes(8)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_headers_are_not_trusted(tmp_path, name):
    (tmp_path / "a.safetensors").write_bytes(HOSTILE[name])
    with pytest.raises(ValueError, match=r"expected a safetensors file, got a\.safetensors"):
        load(tmp_path / "a.safetensors", axes=AXES)
