"""Models of the architecture llama, from GGUF files."""

from pathlib import Path
from typing import Any

import numpy as np

from ...attention.masks import Rotary
from ..formats import numbers_of, read_gguf
from ._block import Block
from ._feed_forward import FeedForward
from ._heads import Heads
from ._normalization import Norm
from ._sizes import Facts, Weights, check_shares
from ._texts import words_of_gguf
from ._transformer import Transformer

_UNKNOWN = ("llama.rope.scaling.type", "llama.expert_count", "llama.attention.sliding_window")


def read_llama(path: Path, source: tuple[tuple[str, str], ...]) -> Transformer:
    """The model of a GGUF file: RMS normalization, rotary positions in interleaved pairs, gated MLP.

    Other architectures interleave pairs in other ways, or have other parts: they are refused by name.
    """
    metadata, tensors = read_gguf(path)
    facts = Facts(metadata, path.name)
    if (name := metadata.get("general.architecture")) != "llama":
        raise ValueError(
            f"expected the architecture llama in {path.name}, got {str(name)[:40]!r}, whose layers differ; "
            "record it with its own library, and use from_transformers."
        )
    _refuse_variants(metadata, tensors, facts)
    weights = Weights(
        {name: stored.shape for name, stored in tensors.items()},
        lambda name: numbers_of(tensors[name], name),
        path.name,
    )
    d = facts.integer("llama.embedding_length")
    size = weights.shapes.get("token_embd.weight", (0,))[0]
    embedding = weights.one("token_embd.weight", (size, d))
    tied = "output.weight" not in weights
    return Transformer(
        embedding=embedding,
        unembedding=embedding if tied else weights.one("output.weight", (size, d)),
        places=None,
        blocks=_blocks(facts, weights, d),
        first_norm=None,
        last_norm=_norm(weights.one("output_norm.weight", (d,)), facts),
        tokenizer=words_of_gguf(metadata),
        longest=facts.integer("llama.context_length"),
        name=str(metadata.get("general.name", path.stem)),
        source=source,
    )


def _refuse_variants(metadata: dict[str, Any], tensors: dict[str, Any], facts: Facts) -> None:
    found = [name for name in _UNKNOWN if metadata.get(name) not in (None, "none", 0)]
    found += [name for name in tensors if name.startswith("rope_") or name.endswith(".bias")]
    if found:
        raise ValueError(
            f"expected a plain llama in {facts.file}, got one with {found[0][:40]}; record it with its own "
            "library, and use from_transformers."
        )


def _norm(gain: Any, facts: Facts) -> Norm:
    eps = facts.number("llama.attention.layer_norm_rms_epsilon")
    return Norm(gain, None, eps, centered=False)


def _blocks(facts: Facts, weights: Weights, d: int) -> Block:
    depth, width = facts.integer("llama.block_count"), facts.integer("llama.feed_forward_length")
    heads = facts.integer("llama.attention.head_count")
    groups = facts.integer("llama.attention.head_count_kv", heads)
    check_shares(d, heads, groups, facts.file)
    p = facts.integer("llama.attention.key_length", d // heads)
    facts_p = facts.integer("llama.rope.dimension_count", p)
    if facts_p != p or facts.integer("llama.attention.value_length", p) != p or p % 2:
        raise facts.wrong("llama.rope.dimension_count", f"the even size {p} of a head")

    def rows(kind: str, count: int):
        return weights.stack(
            f"blk.{{}}.attn_{kind}.weight", depth, (count * p, d), lambda a: a.reshape(count, p, d)
        )

    def columns(a: np.ndarray) -> np.ndarray:
        return a.reshape(d, heads, p).transpose(1, 0, 2)

    def mlp(kind: str, shape: tuple[int, int]):
        return weights.stack(f"blk.{{}}.ffn_{kind}.weight", depth, shape)

    return Block(
        Heads(
            *(rows(kind, count) for kind, count in (("q", heads), ("k", groups), ("v", groups))),
            output=weights.stack("blk.{}.attn_output.weight", depth, (d, heads * p), columns),
            rotary=Rotary(facts.number("llama.rope.freq_base", 1e4), interleaved=True),
        ),
        FeedForward(
            mlp("up", (width, d)),
            mlp("down", (d, width)),
            mlp("gate", (width, d)),
            None,
            None,
            "silu",
        ),
        _norm(weights.stack("blk.{}.attn_norm.weight", depth, (d,)), facts),
        _norm(weights.stack("blk.{}.ffn_norm.weight", depth, (d,)), facts),
        before=True,
    )
