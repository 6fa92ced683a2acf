"""Small models of random weights, in files as the libraries of their formats write them."""

import json
from pathlib import Path

import gguf
import numpy as np
import safetensors.numpy
import tokenizers

D, HEADS, GROUPS, WIDTH, DEPTH, SIZE, LONGEST = 12, 3, 1, 20, 3, 11, 16
P = D // HEADS
EPS, BASE = 1e-5, 100.0
WORDS = ["a", "b", "c", "Ġ", "ab", "1", "2", "<s>", "d", "e", "f"]


def llama_tensors(seed: int = 0) -> dict[str, np.ndarray]:
    """By their names in GGUF files."""
    draw = _draw(seed)
    tensors = {"token_embd.weight": draw(SIZE, D), "output_norm.weight": 1 + draw(D)}
    tensors["output.weight"] = draw(SIZE, D)
    for k in range(DEPTH):
        sizes = {"attn_q": (D, D), "attn_k": (GROUPS * P, D), "attn_v": (GROUPS * P, D)}
        sizes |= {"attn_output": (D, D), "ffn_up": (WIDTH, D), "ffn_gate": (WIDTH, D)}
        sizes |= {"ffn_down": (D, WIDTH)}
        tensors |= {f"blk.{k}.{name}.weight": draw(*size) for name, size in sizes.items()}
        tensors |= {f"blk.{k}.{name}.weight": 1 + draw(D) for name in ("attn_norm", "ffn_norm")}
    return tensors


def write_llama(
    path: Path, tensors: dict[str, np.ndarray] | None = None, architecture="llama", **extra
):
    """A GGUF file by the library gguf."""
    writer = gguf.GGUFWriter(path, architecture)
    for name, value in {
        "embedding_length": D, "block_count": DEPTH, "feed_forward_length": WIDTH,
        "attention.head_count": HEADS, "attention.head_count_kv": GROUPS, "context_length": LONGEST,
    }.items():  # fmt: skip
        writer.add_uint32(f"llama.{name}", value)
    writer.add_float32("llama.rope.freq_base", BASE)
    writer.add_float32("llama.attention.layer_norm_rms_epsilon", EPS)
    writer.add_name("toy")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(WORDS)
    writer.add_token_merges(["a b"])
    for name, value in extra.items():
        writer.add_string(name.replace("__", "."), value)
    for name, tensor in (llama_tensors() if tensors is None else tensors).items():
        writer.add_tensor(name, tensor)
    for step in (
        writer.write_header_to_file,
        writer.write_kv_data_to_file,
        writer.write_tensors_to_file,
        writer.close,
    ):
        step()
    return path


def gpt2_tensors(seed: int = 1) -> dict[str, np.ndarray]:
    """By their names in files of the transformers library."""
    draw = _draw(seed)
    tensors = {"wte.weight": draw(SIZE, D), "wpe.weight": draw(LONGEST, D)}
    tensors |= {"ln_f.weight": 1 + draw(D), "ln_f.bias": draw(D)}
    for k in range(DEPTH):
        sizes = {"attn.c_attn": (D, 3 * D), "attn.c_proj": (D, D)}
        sizes |= {"mlp.c_fc": (D, 4 * D), "mlp.c_proj": (4 * D, D)}
        for name, size in sizes.items():
            tensors |= {f"h.{k}.{name}.weight": draw(*size), f"h.{k}.{name}.bias": draw(size[1])}
        for name in ("ln_1", "ln_2"):
            tensors |= {f"h.{k}.{name}.weight": 1 + draw(D), f"h.{k}.{name}.bias": draw(D)}
    return tensors


GPT2 = {
    "model_type": "gpt2", "n_embd": D, "n_layer": DEPTH, "n_head": HEADS, "vocab_size": SIZE,
    "n_positions": LONGEST, "activation_function": "gelu_new", "layer_norm_epsilon": EPS,
}  # fmt: skip


def bert_tensors(seed: int = 2) -> dict[str, np.ndarray]:
    """By their names in files of the transformers library."""
    draw = _draw(seed)
    sizes = {"word": SIZE, "position": LONGEST, "token_type": 2}
    tensors = {f"embeddings.{k}_embeddings.weight": draw(n, D) for k, n in sizes.items()}
    norms = ["embeddings.LayerNorm"]
    for k in range(DEPTH):
        layer = f"encoder.layer.{k}."
        matrices = {f"attention.self.{name}": (D, D) for name in ("query", "key", "value")}
        matrices |= {"attention.output.dense": (D, D), "intermediate.dense": (WIDTH, D)}
        matrices |= {"output.dense": (D, WIDTH)}
        for name, size in matrices.items():
            tensors |= {f"{layer}{name}.weight": draw(*size), f"{layer}{name}.bias": draw(size[0])}
        norms += [f"{layer}attention.output.LayerNorm", f"{layer}output.LayerNorm"]
    for name in norms:
        tensors |= {f"{name}.weight": 1 + draw(D), f"{name}.bias": draw(D)}
    return tensors


BERT = {
    "model_type": "bert", "hidden_size": D, "num_hidden_layers": DEPTH, "num_attention_heads": HEADS,
    "vocab_size": SIZE, "max_position_embeddings": LONGEST, "intermediate_size": WIDTH,
    "hidden_act": "gelu", "layer_norm_eps": EPS, "type_vocab_size": 2,
}  # fmt: skip


def write_folder(folder: Path, tensors: dict[str, np.ndarray], config: dict) -> Path:
    """Weights, configuration and tokenizer side by side."""
    folder.mkdir(exist_ok=True)
    safetensors.numpy.save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    words = tokenizers.models.WordLevel({w: k for k, w in enumerate(WORDS)}, unk_token="f")
    made = tokenizers.Tokenizer(words)
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    (folder / "tokenizer.json").write_text(made.to_str())
    return folder


def _draw(seed: int):
    rng = np.random.default_rng(seed)
    return lambda *shape: (0.5 * rng.normal(size=shape)).astype(np.float32)
