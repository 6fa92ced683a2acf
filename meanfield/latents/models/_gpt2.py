"""Models of the family of GPT-2, from safetensors files with their configuration."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from ._block import Block
from ._feed_forward import ACTIVATIONS, FeedForward
from ._heads import Heads
from ._normalization import Norm
from ._sizes import Facts, Weights, check_shares


def gpt2_parts(facts: Facts, weights: Weights) -> dict[str, Any]:
    """The parts of a `Transformer`: layer normalization before layers, learned places, plain MLPs.

    Files keep matrices transposed, those of query, key and value side by side.
    """
    facts.choice("scale_attn_weights", (True,), True)
    for name in ("scale_attn_by_inverse_layer_idx", "reorder_and_upcast_attn"):
        facts.choice(name, (False,), False)
    prefix = "transformer." if "transformer.wte.weight" in weights else ""
    d, longest = facts.integer("n_embd"), facts.integer("n_positions", 1024)
    size = facts.integer("vocab_size")
    embedding = weights.one(f"{prefix}wte.weight", (size, d))
    tied = "lm_head.weight" not in weights
    return {
        "embedding": embedding,
        "unembedding": embedding if tied else weights.one("lm_head.weight", (size, d)),
        "places": weights.one(f"{prefix}wpe.weight", (longest, d)),
        "blocks": _blocks(facts, weights, prefix, d),
        "first_norm": None,
        "last_norm": Norm(
            weights.one(f"{prefix}ln_f.weight", (d,)),
            weights.one(f"{prefix}ln_f.bias", (d,)),
            facts.number("layer_norm_epsilon", 1e-5),
            centered=True,
        ),
        "longest": longest,
    }


def _blocks(facts: Facts, weights: Weights, prefix: str, d: int) -> Block:
    depth, heads = facts.integer("n_layer"), facts.integer("n_head")
    check_shares(d, heads, heads, facts.file)
    width = 4 * d if facts.absent("n_inner") else facts.integer("n_inner")
    layer, eps = f"{prefix}h.{{}}.", facts.number("layer_norm_epsilon", 1e-5)

    def stack(name: str, shape: tuple[int, ...], change=lambda a: a):
        return weights.stack(layer + name, depth, shape, change)

    def norm(name: str) -> Norm:
        return Norm(stack(f"{name}.weight", (d,)), stack(f"{name}.bias", (d,)), eps, centered=True)

    return Block(
        _heads(weights, layer, depth, d, heads),
        FeedForward(
            stack("mlp.c_fc.weight", (d, width), np.transpose),
            stack("mlp.c_proj.weight", (width, d), np.transpose),
            None,
            stack("mlp.c_fc.bias", (width,)),
            stack("mlp.c_proj.bias", (d,)),
            facts.choice("activation_function", tuple(ACTIVATIONS), "gelu_new"),
        ),
        norm("ln_1"),
        norm("ln_2"),
        before=True,
    )


def _heads(weights: Weights, layer: str, depth: int, d: int, heads: int) -> Heads:
    p = d // heads

    def third(part: int):
        return lambda a: a[..., part * d : (part + 1) * d].T.reshape(heads, p, *a.shape[:-1])

    parts, biases = (
        [weights.stack(f"{layer}attn.c_attn.{kind}", depth, shape, third(k)) for k in range(3)]
        for kind, shape in (("weight", (d, 3 * d)), ("bias", (3 * d,)))
    )
    output = weights.stack(
        f"{layer}attn.c_proj.weight", depth, (d, d), lambda a: a.reshape(heads, p, d).swapaxes(1, 2)
    )
    bias = weights.stack(f"{layer}attn.c_proj.bias", depth, (d,))
    query, key, value = parts
    shared = with_values(output, biases[2], bias)
    return Heads(query, key, value, output, biases[0], biases[1], shared)


def with_values(output, value_bias, bias):
    """b + sum_h O_h b_h: what the biases of the values, averaged with weights of sum one, add."""
    return bias + jnp.einsum("lhde,lhe->ld", output, value_bias, precision="highest")
