"""A small transformer of random weights, for studies that are given no real ones."""

import jax
import jax.numpy as jnp

from ...attention.masks import Rotary
from ...latents import Transformer
from ...latents.models import Block, FeedForward, Heads, Norm

DEPTH, D, HEADS, GROUPS, P, WIDTH, WORDS = 4, 32, 4, 2, 8, 64, 96
WRITES = 0.4
"""Size of what a block writes over that of the states, about, as in real layers."""


def small_model(seed: int = 0) -> Transformer:
    """A llama-like model: four layers in R^32, rotary positions, grouped queries, a gated MLP."""
    keys = iter(jax.random.split(jax.random.key(seed), 9))

    def matrix(*shape: int, scale: float = 1.0):
        drawn = jax.random.normal(next(keys), shape, jnp.float32)
        return jnp.float32(scale * shape[-1] ** -0.5) * drawn

    heads = Heads(
        matrix(DEPTH, HEADS, P, D),
        matrix(DEPTH, GROUPS, P, D),
        matrix(DEPTH, GROUPS, P, D),
        matrix(DEPTH, HEADS, D, P, scale=WRITES * HEADS**-0.5),
        rotary=Rotary(1e4, interleaved=True),
    )
    up, down = matrix(DEPTH, WIDTH, D), matrix(DEPTH, D, WIDTH, scale=2 * WRITES)
    mlp = FeedForward(up, down, matrix(DEPTH, WIDTH, D), None, None, "silu")
    norm = lambda *shape: Norm(jnp.ones((*shape, D), jnp.float32), None, 1e-6, False)
    words = matrix(WORDS, D, scale=D**0.5)
    return Transformer(
        embedding=words,
        unembedding=words,
        places=None,
        blocks=Block(heads, mlp, norm(DEPTH), norm(DEPTH), True),
        first_norm=None,
        last_norm=norm(),
        tokenizer=None,
        longest=1024,
        name=f"random weights, seed {seed}",
        source=(),
    )
