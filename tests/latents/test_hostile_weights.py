"""Files of weights are not trusted: whatever is in them, a model comes out, or a sentence."""

import json
import re
import struct
import sys
import tracemalloc

import gguf
import numpy as np
import pytest
import safetensors.numpy
import small_models as small

from meanfield.latents import Transformer, read
from meanfield.latents.formats import numbers_of, read_gguf

MOST_MEMORY = 20 * 2**20
LONG = [0, 1, 2**31, 2**40, 2**63, 2**64 - 1]
SHORT = [0, 7, 9, 255, 2**31, 2**32 - 1]


def answer(path) -> str:
    """What a file is answered with: a model, or one sentence; little memory is taken for either."""
    tracemalloc.start()
    try:
        model = read(path)
        assert isinstance(model, Transformer)
        return "read"
    except ValueError as error:
        message = str(error)
        assert re.match(r"expected .+?[,;] .+\.$", message) and "\n" not in message, message
        assert len(message) < 400, message
        return message
    finally:
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert most < MOST_MEMORY, f"{most} bytes"


def mutated(content: bytes, header: int, rng) -> bytes:
    """Bits flipped, bytes replaced by extremes, parts cut out, doubled or left off; in the header mostly."""
    out, place = bytearray(content), int(rng.integers(header))
    kind = rng.integers(6)
    if kind == 0:
        out[place] ^= 1 << int(rng.integers(8))
    elif kind == 1:
        out[place : place + 8] = struct.pack("<Q", LONG[rng.integers(len(LONG))])
    elif kind == 2:
        out[place : place + 4] = struct.pack("<I", SHORT[rng.integers(len(SHORT))])
    elif kind == 3:
        del out[place : place + int(rng.integers(1, 40))]
    elif kind == 4:
        out[place:place] = out[place : place + int(rng.integers(1, 40))]
    else:
        del out[int(rng.integers(len(out))) :]
    return bytes(out)


@pytest.mark.parametrize("mutations", [20, pytest.param(100, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["gguf", "safetensors"])
def test_mutations_are_read_or_refused_in_a_sentence(tmp_path, kind, mutations):
    if kind == "gguf":
        file = small.write_llama(tmp_path / "a.gguf")
        header = 2200  # metadata and descriptions of 30 tensors
    else:
        file = small.write_folder(tmp_path, small.gpt2_tensors(), small.GPT2) / "model.safetensors"
        header = 8 + int.from_bytes(file.read_bytes()[:8], "little")
    content, rng = file.read_bytes(), np.random.default_rng(0)
    assert answer(file) == "read"
    answers = []
    for _ in range(mutations):
        file.write_bytes(mutated(content, header, rng))
        answers.append(answer(file))
    # A few bits of names and of numbers are read as others; most are seen.
    refused = sum(a != "read" for a in answers)
    assert refused > mutations / 2


def _gguf(tensors: int, entries: int, rest: bytes = b"", version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, entries) + rest


def _text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def _tensor(shape: list[int], kind: int = 0, place: int = 0) -> bytes:
    sizes = struct.pack(f"<{len(shape)}Q", *shape)
    return _text(b"a") + struct.pack("<I", len(shape)) + sizes + struct.pack("<IQ", kind, place)


HOSTILE = {
    "empty": b"",
    "another file": b"PK\x03\x04" + bytes(40),
    "version 1": _gguf(0, 0, version=1),
    "big endian": b"GGUF" + struct.pack(">IQQ", 3, 0, 0),
    "countless entries": _gguf(0, 2**62, bytes(100)),
    "countless tensors": _gguf(2**62, 0, bytes(100)),
    "a name without end": _gguf(0, 1, struct.pack("<Q", 2**63) + bytes(100)),
    "a long name": _gguf(0, 1, _text(bytes(2**17)) + bytes(100)),
    "a name that is no text": _gguf(0, 1, _text(b"\xff\xff") + bytes(100)),
    "an unknown type": _gguf(0, 1, _text(b"a") + struct.pack("<I", 77) + bytes(100)),
    "a countless array": _gguf(0, 1, _text(b"a") + struct.pack("<IIQ", 9, 12, 2**60) + bytes(99)),
    "countless strings": _gguf(0, 1, _text(b"a") + struct.pack("<IIQ", 9, 8, 2**60) + bytes(99)),
    "arrays of arrays": _gguf(0, 1, _text(b"a") + struct.pack("<IIQ", 9, 9, 1) + bytes(99)),
    "an entry twice": _gguf(0, 2, 2 * (_text(b"a") + struct.pack("<II", 4, 1)) + bytes(99)),
    "a huge tensor": _gguf(1, 0, _tensor([2**40, 2**40]) + bytes(99)),
    "a tensor beyond the end": _gguf(1, 0, _tensor([4], place=2**40) + bytes(99)),
    "a tensor of nothing": _gguf(1, 0, _tensor([0]) + bytes(99)),
    "a tensor of many axes": _gguf(1, 0, _text(b"a") + struct.pack("<I", 2**31) + bytes(99)),
    "an unknown tensor": _gguf(1, 0, _tensor([4], kind=99) + bytes(99)),
    "half a block": _gguf(1, 0, _tensor([33], kind=8) + bytes(99)),
    "no model": _gguf(0, 0, bytes(99)),
    "alignment 0": _gguf(0, 1, _text(b"general.alignment") + struct.pack("<II", 4, 0) + bytes(99)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_gguf_headers_are_not_trusted(tmp_path, name):
    (tmp_path / "a.gguf").write_bytes(HOSTILE[name])
    assert "a.gguf" in answer(tmp_path / "a.gguf")


def test_other_models_are_refused_by_name(tmp_path):
    file = tmp_path / "a.gguf"
    for change, words in [
        ({"architecture": "qwen2"}, "'qwen2'"),
        ({"llama__rope__scaling__type": "yarn"}, "llama.rope.scaling.type"),
        (
            {"tensors": small.llama_tensors() | {"rope_freqs.weight": np.ones(2, np.float32)}},
            "rope_freqs",
        ),
        (
            {"tensors": small.llama_tensors() | {"token_embd.weight": np.ones((3, 5), np.float32)}},
            "[3, 12]",
        ),
        (
            {
                "tensors": small.llama_tensors()
                | {"output_norm.weight": np.full(12, np.nan, np.float32)}
            },
            "finite",
        ),
    ]:
        assert words in answer(small.write_llama(file, **change))
    missing = small.llama_tensors()
    del missing["blk.1.ffn_up.weight"]
    assert "blk.1.ffn_up.weight" in answer(small.write_llama(file, missing))


def test_configurations_are_not_trusted(tmp_path):
    tensors = small.gpt2_tensors()
    for name, value in [
        ("model_type", "mamba"), ("n_layer", 10**9), ("n_layer", 0), ("n_layer", True), ("n_head", 5),
        ("n_embd", "12"), ("vocab_size", 2**70), ("layer_norm_epsilon", float("nan")),
        ("activation_function", "exec"), ("scale_attn_by_inverse_layer_idx", True), ("n_inner", 7),
    ]:  # fmt: skip
        assert answer(small.write_folder(tmp_path, tensors, small.GPT2 | {name: value})) != "read"
    for content in ("", "[]", "[" * 10**5, '{"n_layer": ' + "9" * 10**5 + "}"):
        (tmp_path / "config.json").write_text(content)
        assert "config.json" in answer(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(small.GPT2))
    (tmp_path / "tokenizer.json").write_text('{"model": 3}')
    assert "tokenizer" in answer(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    assert answer(tmp_path) == "read"
    (tmp_path / "config.json").unlink()
    assert "config.json" in answer(tmp_path)
    integers = {name: a.astype(np.int32) for name, a in tensors.items()}
    assert "floating-point" in answer(small.write_folder(tmp_path, integers, small.GPT2))


def test_paths_that_are_none_are_refused(tmp_path):
    for path, words in [
        (tmp_path / "a.pt", "ending"),
        (tmp_path / "a.gguf", "which is none"),
        (tmp_path, "none"),
    ]:
        assert words in answer(path)


@pytest.mark.parametrize("kind", ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"])
def test_numbers_are_those_of_the_library(tmp_path, kind):
    numbers = np.random.default_rng(0).normal(size=(3, 64)).astype(np.float32)
    quantized = gguf.quantize(numbers, gguf.GGMLQuantizationType[kind])
    _write(tmp_path / "a.gguf", quantized, gguf.GGMLQuantizationType[kind])
    metadata, tensors = read_gguf(tmp_path / "a.gguf")
    assert metadata["general.architecture"] == "toy" and tensors["a"].kind == kind
    exact = gguf.dequantize(quantized, gguf.GGMLQuantizationType[kind])
    np.testing.assert_array_equal(numbers_of(tensors["a"], "a"), exact.reshape(3, 64))


def test_quantized_weights_without_the_library_are_refused(tmp_path, monkeypatch):
    quantized = gguf.quantize(np.ones((1, 32), np.float32), gguf.GGMLQuantizationType.Q8_0)
    _write(tmp_path / "a.gguf", quantized, gguf.GGMLQuantizationType.Q8_0)
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(ValueError, match=r"install 'meanfield-jax\[latents\]'"):
        numbers_of(read_gguf(tmp_path / "a.gguf")[1]["a"], "a")


def test_half_precision_weights_are_widened(tmp_path):
    half = {name: a.astype(np.float16) for name, a in small.gpt2_tensors().items()}
    model = read(small.write_folder(tmp_path, half, small.GPT2))
    assert model.embedding.dtype == np.float32
    np.testing.assert_array_equal(model.embedding, half["wte.weight"].astype(np.float32))
    assert (
        safetensors.numpy.load_file(tmp_path / "model.safetensors")["wte.weight"].dtype
        == np.float16
    )


def _write(path, quantized, kind):
    """A file of one tensor, a, by the library."""
    writer = gguf.GGUFWriter(path, "toy")
    writer.add_tensor("a", quantized, raw_dtype=kind)
    for step in (
        writer.write_header_to_file,
        writer.write_kv_data_to_file,
        writer.write_tensors_to_file,
    ):
        step()
    writer.close()
