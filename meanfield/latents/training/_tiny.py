import jax
import jax.numpy as jnp

from ..._typing import Key
from ..models import Block, FeedForward, Heads, Norm, Transformer
from ..models._masked import ACTIVATION, EPS
from ._text import KNOWN

WRITES = 0.3
"""Size of what a block writes over that of the states, about, before training."""


def tiny_transformer(
    key: Key,
    iterations: int | None = None,
    d: int = 32,
    depth: int = 3,
    heads: int = 4,
    longest: int = 32,
    causal: bool = False,
    prefixes: bool = False,
) -> Transformer:
    """A model of hidden characters with random weights, or of the next ones if `causal`, to be trained.

    Attention sees the whole window, or what came before: softmax, or `Sinkhorn` with so many iterations,
    of the window or, with `prefixes`, of each of its prefixes.
    An MLP of width 4 d, RMS normalization before, learned places. Logits start as standard normal numbers.
    """
    keys = iter(jax.random.split(key, 9))

    def matrix(*shape: int, scale: float = 1.0):
        drawn = jax.random.normal(next(keys), shape, jnp.float32)
        return jnp.float32(scale * shape[-1] ** -0.5) * drawn

    kind = "softmax" if iterations is None else "prefixes" if prefixes else "sinkhorn"
    p, words = d // heads, KNOWN.mask + 1
    query, key_, value = (matrix(depth, heads, p, d) for _ in range(3))
    writes = matrix(depth, heads, d, p, scale=WRITES * heads**-0.5)
    mlp = matrix(depth, 4 * d, d), matrix(depth, d, 4 * d, scale=WRITES)
    norm = lambda *shape: Norm(jnp.ones((*shape, d), jnp.float32), None, EPS, False)
    return Transformer(
        embedding=matrix(words, d, scale=WRITES * d**0.5),
        unembedding=matrix(words, d),
        places=matrix(longest, d, scale=WRITES * d**0.5 / 3),
        blocks=Block(
            Heads(
                query, key_, value, writes, causal=causal, iterations=iterations, prefixes=prefixes
            ),
            FeedForward(*mlp, None, None, None, ACTIVATION),
            norm(depth),
            norm(depth),
            True,
        ),
        first_norm=None,
        last_norm=norm(),
        tokenizer=KNOWN,
        longest=longest,
        name=f"{'next' if causal else 'masked'} characters, {kind}",
        source=(),
    )
