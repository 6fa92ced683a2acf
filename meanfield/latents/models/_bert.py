"""Encoders of the family of BERT, from safetensors files with their configuration."""

from typing import Any

from ._block import Block
from ._feed_forward import ACTIVATIONS, FeedForward
from ._gpt2 import with_values
from ._heads import Heads
from ._normalization import Norm
from ._sizes import Facts, Weights, check_shares


def bert_parts(facts: Facts, weights: Weights) -> dict[str, Any]:
    """The parts of a `Transformer`: layer normalization behind layers, learned places, no mask.

    All tokens are of the first segment. Without a head for words, logits are products with embeddings.
    """
    facts.choice("position_embedding_type", ("absolute",), "absolute")
    facts.choice("is_decoder", (False,), False)
    prefix = "bert." if "bert.embeddings.word_embeddings.weight" in weights else ""
    d, longest = facts.integer("hidden_size"), facts.integer("max_position_embeddings")
    sizes = {"word": facts.integer("vocab_size"), "position": longest}
    sizes["token_type"] = facts.integer("type_vocab_size", 2)
    words, places, kinds = (
        weights.one(f"{prefix}embeddings.{kind}_embeddings.weight", (size, d))
        for kind, size in sizes.items()
    )
    gain, bias = (
        weights.one(f"{prefix}embeddings.LayerNorm.{kind}", (d,)) for kind in ("weight", "bias")
    )
    first = Norm(gain, bias, _eps(facts), centered=True)
    return {
        "embedding": words,
        "unembedding": words,
        "places": places + kinds[0],
        "blocks": _blocks(facts, weights, prefix, d),
        "first_norm": first,
        "last_norm": None,
        "longest": longest,
    }


def _eps(facts: Facts) -> float:
    return facts.number("layer_norm_eps", 1e-12)


def _blocks(facts: Facts, weights: Weights, prefix: str, d: int) -> Block:
    depth, heads = facts.integer("num_hidden_layers"), facts.integer("num_attention_heads")
    check_shares(d, heads, heads, facts.file)
    width, layer = facts.integer("intermediate_size"), f"{prefix}encoder.layer.{{}}."

    def both(name: str, rows: int, columns: int):
        matrix = weights.stack(f"{layer}{name}.weight", depth, (rows, columns))
        return matrix, weights.stack(f"{layer}{name}.bias", depth, (rows,))

    def norm(name: str) -> Norm:
        gain, bias = (
            weights.stack(f"{layer}{name}.LayerNorm.{kind}", depth, (d,))
            for kind in ("weight", "bias")
        )
        return Norm(gain, bias, _eps(facts), centered=True)

    up, up_bias = both("intermediate.dense", width, d)
    down, down_bias = both("output.dense", d, width)
    activation = facts.choice("hidden_act", tuple(ACTIVATIONS), "gelu")
    return Block(
        _heads(both, d, heads, depth),
        FeedForward(up, down, None, up_bias, down_bias, activation),
        norm("attention.output"),
        norm("output"),
        before=False,
    )


def _heads(both: Any, d: int, heads: int, depth: int) -> Heads:
    p = d // heads
    read = [both(f"attention.self.{name}", d, d) for name in ("query", "key", "value")]
    parts = [matrix.reshape(depth, heads, p, d) for matrix, _ in read]
    biases = [bias.reshape(depth, heads, p) for _, bias in read]
    output, bias = both("attention.output.dense", d, d)
    output = output.reshape(depth, d, heads, p).swapaxes(1, 2)
    shared = with_values(output, biases[2], bias)
    query, key, value = parts
    return Heads(query, key, value, output, biases[0], biases[1], shared, causal=False)
