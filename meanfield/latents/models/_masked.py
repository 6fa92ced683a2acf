"""Small models of hidden characters, as they are trained here: safetensors in half precision beside a
configuration."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from ...io import write_bytes
from ..formats import write_safetensors
from ._block import Block
from ._feed_forward import FeedForward
from ._heads import Heads
from ._normalization import Norm
from ._sizes import Facts, Weights, check_shares
from ._texts import Characters
from ._transformer import Transformer

EPS = 1e-6
ACTIVATION = "gelu_new"


def masked_parts(facts: Facts, weights: Weights) -> dict[str, Any]:
    """The parts of a `Transformer`: RMS normalization before layers, learned places, no mask of attention.

    `sinkhorn_iterations` is null for softmax. Tensors have the names of what they become, layers stacked.
    """
    d, depth = facts.integer("hidden_size"), facts.integer("num_hidden_layers")
    heads, width = facts.integer("num_attention_heads"), facts.integer("intermediate_size")
    longest, known = facts.integer("max_position_embeddings"), facts.text("characters")
    iterations = (
        None if facts.absent("sinkhorn_iterations") else facts.integer("sinkhorn_iterations")
    )
    check_shares(d, heads, heads, facts.file)
    p, size = d // heads, len(known) + 1
    one = weights.one
    query, key, value = (one(name, (depth, heads, p, d)) for name in ("query", "key", "value"))
    output = one("output", (depth, heads, d, p))
    first, second = (
        Norm(one(f"{name}_gain", (depth, d)), None, EPS, False) for name in ("first", "second")
    )
    return {
        "embedding": one("embedding", (size, d)),
        "unembedding": one("unembedding", (size, d)),
        "places": one("places", (longest, d)),
        "blocks": Block(
            Heads(query, key, value, output, causal=False, iterations=iterations),
            FeedForward(
                one("up", (depth, width, d)), one("down", (depth, d, width)),
                None, None, None, ACTIVATION,
            ),
            first, second, True,
        ),
        "first_norm": None,
        "last_norm": Norm(one("last_gain", (d,)), None, EPS, False),
        "longest": longest,
        "tokenizer": Characters(known),
    }  # fmt: skip


def write_masked(model: Transformer, folder: Path, notes: dict[str, Any]) -> None:
    """Writes such a model, in half precision, into a folder that `read` reads; `notes` are kept beside it."""
    heads, mlp = model.blocks.heads, model.blocks.mlp
    assert isinstance(model.tokenizer, Characters)
    depth, count, _, d = heads.query.shape
    config = {
        "model_type": "masked_characters",
        "_name_or_path": model.name,
        "hidden_size": d,
        "num_hidden_layers": depth,
        "num_attention_heads": count,
        "intermediate_size": mlp.up.shape[1],
        "max_position_embeddings": model.longest,
        "characters": model.tokenizer.known,
        "sinkhorn_iterations": heads.iterations,
        "notes": notes,
    }
    folder.mkdir(parents=True, exist_ok=True)
    half = {name: np.asarray(array, np.float16) for name, array in _tensors(model).items()}
    write_safetensors(folder / "model.safetensors", half)
    write_bytes(folder / "config.json", (json.dumps(config, indent=1) + "\n").encode())


def _tensors(model: Transformer) -> dict[str, Any]:
    heads, mlp, norm = model.blocks.heads, model.blocks.mlp, model.last_norm
    assert norm is not None
    return {
        "embedding": model.embedding,
        "unembedding": model.unembedding,
        "places": model.places,
        "query": heads.query,
        "key": heads.key,
        "value": heads.value,
        "output": heads.output,
        "up": mlp.up,
        "down": mlp.down,
        "first_gain": model.blocks.first.gain,
        "second_gain": model.blocks.second.gain,
        "last_gain": norm.gain,
    }
