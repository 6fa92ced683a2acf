import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..._typing import Masses, Outputs, Points, Sources
from ...attention.engines import check_tokens
from ...attention.kernels import AbstractAttention, MultiHead, Prefixes, Sinkhorn, Softmax
from ...attention.masks import Rotary, causal


class Heads(AbstractAttention):
    """The attention of one layer of a real transformer, for any number of tokens.

        field(x) = sum_h O_h Softmax(p^{-1/2}, Q_h, K_g, V_g)(x) + b

    with biases a_h of queries and c_g of keys, rotated by their places if `rotary` is given, each to the
    tokens before it if `causal`. Several heads h share a key and a value g (grouped queries).

    - `query` [heads, p, d], `key` [groups, p, d], `value` [groups, e, d], `output` [heads, d, e].
    - `query_bias` [heads, p], `key_bias` [groups, p], `bias` [d]: that of the values in it.
    - `iterations`: weights are `Sinkhorn(..., iterations=iterations)`, for heads without places. If
      `causal` their columns go to those of uniform causal attention, and what a token draws then
      depends on all tokens behind it: see `training.next_loss`. If `prefixes` as well, each token draws as
      the last one of those up to it, and nothing depends on what is behind: `attention.Prefixes`.

    `multi_head(n)` is the `MultiHead` for n tokens, `weights(x)` the matrices [heads, n, n].
    Source: Vaswani et al., arXiv 1706.03762; grouped queries: Ainslie et al., arXiv 2305.13245.
    """

    query: Float[Array, "*layer heads p d"]
    key: Float[Array, "*layer groups p d"]
    value: Float[Array, "*layer groups e d"]
    output: Float[Array, "*layer heads d e"]
    query_bias: Float[Array, "*layer heads p"] | None = None
    key_bias: Float[Array, "*layer groups p"] | None = None
    bias: Float[Array, "*layer d"] | None = None
    rotary: Rotary | None = None
    causal: bool = eqx.field(static=True, default=True)
    iterations: int | None = eqx.field(static=True, default=None)
    prefixes: bool = eqx.field(static=True, default=False)

    def __check_init__(self):
        if self.prefixes and (self.iterations is None or not self.causal):
            raise ValueError(
                "expected causal heads with iterations for plans of prefixes, got others; pass "
                "causal=True, iterations=5, or leave out prefixes."
            )

    def __call__(self, x: Points, y: Sources | None = None, w: Masses | None = None) -> Outputs:
        return self.multi_head(len(check_tokens(x, "x")))(x, y, w)

    def multi_head(self, n: int) -> MultiHead:
        """The heads for n tokens."""
        count, groups = self.query.shape[0], self.key.shape[0]
        heads = [self._head(h, h * groups // count, n) for h in range(count)]
        return MultiHead(heads, [self.output[h] for h in range(count)], self.bias)

    def weights(self, x: Points) -> Float[Array, "heads n n"]:
        """The weights of each head: rows sum to one."""
        return jnp.stack([_weights(head, x) for head in self.multi_head(len(x)).heads])

    def centered(self) -> "Heads":
        """The heads whose fields have no mean coordinate."""
        output = self.output - self.output.mean(axis=-2, keepdims=True)
        bias = None if self.bias is None else self.bias - self.bias.mean(axis=-1, keepdims=True)
        parts = (output, bias)
        return eqx.tree_at(
            lambda heads: (heads.output, heads.bias), self, parts, is_leaf=lambda a: a is None
        )

    def _head(self, head: int, group: int, n: int) -> Softmax | Sinkhorn | Prefixes:
        beta, iterations = self.query.shape[1] ** -0.5, self.iterations
        matrices = self.query[head], self.key[group], self.value[group]
        mask = causal(n) if self.causal else None
        if self.prefixes:
            return Prefixes(Sinkhorn(beta, *matrices, iterations=iterations))
        if iterations is not None:
            return Sinkhorn(beta, *matrices, mask, iterations=iterations)
        biases = (self.query_bias, head), (self.key_bias, group)
        query_bias, key_bias = (None if a is None else a[k] for a, k in biases)
        return Softmax(
            beta,
            *matrices,
            mask,
            rotary=self.rotary,
            query_bias=query_bias,
            key_bias=key_bias,
        )


def _weights(head: AbstractAttention, x: Points) -> Float[Array, "n n"]:
    assert isinstance(head, Softmax | Sinkhorn | Prefixes)
    return head.plan(x) if isinstance(head, Sinkhorn) else head.weights(x)
