from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ..._checks import check_integer, shown
from ..._shown import AbstractShown
from ..._typing import Points
from ...dynamics.particles import AttentionFlow, PreNorm
from ...geometry import Sphere
from ...schemes import TransformerLayers
from ..recordings import Recording
from ._block import Block, Written
from ._normalization import Norm
from ._texts import Characters, Words

Tokens = Int[Array, " n"]


class Transformer(AbstractShown):
    """A real transformer, as `read` makes it from a file of weights.

        x_0 = E[ids] (+ P),   x_{l+1} = block_l(x_l),   logits = N(x_L) U^T

    - `record(text)`: the states of a text as a `Recording`; `encode(text)` its ids.
    - `states(ids)` [depth + 1, n, d], `forward(x, start, stop)` from layer `start` to layer `stop`,
      `logits(x)` [n, vocabulary] by the final norm, its scale computed anew: jax functions, which jit,
      vmap and differentiate, as in `jax.grad(lambda x: model.logits(model.forward(x, 7))[-1, 42])`.
    - `layer(l)`, a `TransformerLayers` scheme of which one step is the layer, and `flow(l)`, the
      `AttentionFlow` of which it is one step of size 1. `attention(l, x)`: weights [heads, n, n];
      `query_and_key(l)` what their logits are made of.
    - `embedding`, `unembedding` [vocabulary, d]; `blocks`, all layers stacked; `tokenizer`.

    Numbers are in float32, products at full precision on every device.
    """

    embedding: Float[Array, "vocabulary d"]
    unembedding: Float[Array, "vocabulary d"]
    places: Float[Array, "longest d"] | None
    blocks: Block
    first_norm: Norm | None
    last_norm: Norm | None
    tokenizer: Words | Characters | None = eqx.field(static=True)
    longest: int = eqx.field(static=True)
    name: str = eqx.field(static=True)
    source: tuple[tuple[str, str], ...] = eqx.field(static=True)

    @property
    def d(self) -> int:
        """The dimension of the states."""
        return self.embedding.shape[1]

    @property
    def depth(self) -> int:
        """The number of layers."""
        return self.blocks.first.gain.shape[0]

    def __repr__(self) -> str:
        heads = self.blocks.heads.query.shape[1]
        return f"Transformer({self.name}: {self.depth} layers, {heads} heads, R^{self.d})"

    def encode(self, text: str) -> Int[np.ndarray, " n"]:
        """The ids of a text. Raises ValueError where the file has no tokenizer that is known here."""
        if self.tokenizer is None:
            raise ValueError(
                f"expected ids for {self.name}, whose tokenizer is not read here, got text; pass ids."
            )
        return self.tokenizer.encode(text)

    def record(self, tokens: Any) -> Recording:
        """The states of a text, or of ids, over all layers, with those between attention and MLP.

        Raises ValueError for an empty text, ids that the model does not know, and more tokens than
        it has places for.
        """
        ids = self.check_tokens(self.encode(tokens) if isinstance(tokens, str) else tokens)
        states, mid = _recorded(self, jnp.asarray(ids, jnp.int32))
        origin = {**dict(self.source), "made_by": "meanfield.latents.Transformer.record"}
        return Recording(states, ids, mid, self.name, origin)

    def check_tokens(self, tokens: Any) -> Int[np.ndarray, " n"]:
        """`tokens` as ids of this model."""
        try:
            ids = np.asarray(tokens)
        except (TypeError, ValueError):
            ids = np.zeros(0)
        if ids.ndim != 1 or not np.issubdtype(ids.dtype, np.integer) or not ids.size:
            raise ValueError(
                f"expected a text or a list of ids, got {shown(tokens)}; pass one or more."
            )
        if not 0 <= ids.min() <= ids.max() < len(self.embedding):
            raise ValueError(
                f"expected ids from 0 to {len(self.embedding) - 1}, got others; use the tokenizer of "
                "this model."
            )
        if len(ids) > self.longest:
            raise ValueError(
                f"expected at most {self.longest} tokens, got {len(ids)}; cut the text into parts."
            )
        return ids.astype(np.int64)

    def embed(self, ids: Tokens) -> Points:
        """The states before the first layer."""
        x = self.embedding[ids]
        if self.places is not None:
            x = x + self.places[: len(ids)]
        return x if self.first_norm is None else self.first_norm(x)

    def states(self, ids: Tokens) -> Float[Array, "states n d"]:
        """The states before the first layer and after each: [depth + 1, n, d]."""
        x = self.embed(ids)
        return jnp.concatenate([x[None], self.written(x).after])

    def forward(self, x: Points, start: int = 0, stop: int | None = None) -> Points:
        """The states before layer `stop` (after the last by default) from those before layer `start`."""
        return self.written(x, start, stop).after[-1] if start != stop else x

    def written(self, x: Points, start: int = 0, stop: int | None = None) -> Written:
        """The states in the middle and at the end of the layers from `start` until `stop`."""
        first = check_integer(start, "start", 0)
        last = self.depth if stop is None else check_integer(stop, "stop", 0)
        if not first < last <= self.depth:
            raise ValueError(
                f"expected start < stop <= {self.depth}, got {first} and {last}; pass layers from 0 on."
            )
        arrays, rest = eqx.partition(self.blocks, eqx.is_array)

        def step(x: Points, layer):
            written = eqx.combine(layer, rest)(x)
            return written.after, written

        with jax.default_matmul_precision("highest"):
            return jax.lax.scan(step, x, jax.tree.map(lambda a: a[first:last], arrays))[1]

    def logits(self, x: Float[Array, "*batch d"]) -> Float[Array, "*batch vocabulary"]:
        """N(x) U^T: logits of the next token, at any layer's states (the logit lens)."""
        with jax.default_matmul_precision("highest"):
            return (x if self.last_norm is None else self.last_norm(x)) @ self.unembedding.T

    def block(self, layer: int) -> Block:
        """One layer."""
        layer = check_integer(layer, "layer", 0)
        if layer >= self.depth:
            raise ValueError(f"expected a layer below {self.depth}, got {layer}; the first is 0.")
        return jax.tree.map(lambda a: a[layer], self.blocks)

    def layer(self, layer: int) -> TransformerLayers:
        """The layer as a scheme: `step(x, None)[0]` is the state after it, up to eps of the norms.

        With layer normalization x are states less their mean coordinate (`x - x.mean(-1)`), and so
        is what comes out. Raises ValueError for models that normalize behind the sum.
        """
        attention, mlp = self._of_directions(layer)
        return TransformerLayers(self.d, attention, PreNorm(), 1.0, mlp=mlp)

    def flow(self, layer: int) -> AttentionFlow:
        """The flow of which `layer(l)` is one step of size 1: on (directions, radii), from time 0 to 1."""
        attention, mlp = self._of_directions(layer)
        return AttentionFlow(Sphere(self.d), attention, normalization=PreNorm(), mlp=mlp)

    def attention(self, layer: int, x: Points) -> Float[Array, "heads n n"]:
        """The weights of each head of a layer at the states x before it: rows sum to one."""
        return _attended(self.block(layer), x)

    def query_and_key(
        self, layer: int
    ) -> tuple[Float[Array, "heads p d"], Float[Array, "heads p d"]]:
        """Q and K of each head of a layer, of which logits are <Q u, K u'>/sqrt p, before biases and places.

        u are states over their lengths, where the norm comes before: its gains are in Q and K.
        """
        block = self.block(layer)
        heads = block.heads
        gain = block.first.of_directions()[0] if block.before else jnp.ones(self.d)
        groups = jnp.arange(len(heads.query)) * len(heads.key) // len(heads.query)
        return heads.query * gain, heads.key[groups] * gain

    def _of_directions(self, layer: int):
        if not self.blocks.before:
            raise ValueError(
                f"expected a model that normalizes before its layers, got {self.name}, which does so "
                "behind them and is recorded only; use .record."
            )
        return self.block(layer).of_directions()


@eqx.filter_jit
def _attended(block: Block, x: Points) -> Float[Array, "heads n n"]:
    with jax.default_matmul_precision("highest"):
        return block.heads.weights(block.first(x) if block.before else x)


@eqx.filter_jit
def _states(model: Transformer, ids: Tokens) -> tuple[Points, Written]:
    x = model.embed(ids)
    return x, model.written(x)


def _recorded(model: Transformer, ids: Tokens) -> tuple[np.ndarray, np.ndarray]:
    """The states [depth + 1, n, d] and the middle ones [depth, n, d]."""
    x, written = _states(model, ids)
    after = np.asarray(written.after)
    return np.concatenate([np.asarray(x)[None], after]), np.asarray(written.mid)
