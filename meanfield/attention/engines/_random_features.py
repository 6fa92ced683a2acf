import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..._checks import check_integer, check_key
from ..._typing import Key
from ._exponential_sum import ExponentialSum
from ._sampled import AbstractSampled, Samples, check_unmasked

_KEYS = 256
"""Keys whose pairs tell the variance of features."""


class RandomFeatures(AbstractSampled):
    """An approximation for many dimensions: positive random features, O((n + m) count d).

    e^{beta <q, k>} = E[phi(q) phi(k)],   phi(u) = e^{sqrt(beta) <o, u> - beta |u|^2/2},   o ~ N(0, I)

    estimated by `count` features, orthogonal in groups of d. Mass and moment are unbiased at given
    `key`. The variance grows like e^{beta |q + k|^2}, up to e^{4 beta} on the sphere: use it for beta up
    to about 2, and `relative_error(attention, x)`, the standard error of the softmax field to first order
    in 1/count. It is that of independent features, which orthogonality makes a little too large, by the
    variance in closed form: their spread would tell too little, for most of it is in features so rare
    that they are not drawn. It costs O(n) times the square of the keys, 256 of which stand for more.
    Never chosen automatically.

    Raises ValueError for a mask.
    Source: Choromanski et al., arXiv 2009.14794, lemma 1.
    """

    count: int = eqx.field(static=True, converter=lambda c: check_integer(c, "count", 2))
    key: Key = eqx.field(converter=check_key)

    def samples(self, problem: ExponentialSum) -> Samples:
        check_unmasked(problem, "random features")
        directions = _orthogonal(self.key, self.count, problem.q.shape[1], problem.q.dtype)
        root = jnp.sqrt(jnp.abs(problem.beta))
        of_keys = _exponents(directions, root * jnp.sign(problem.beta) * problem.k)
        massless = (problem.w == 0)[
            :, None
        ]  # keys that may be far away, and must not set the scale
        of_keys = jnp.where(massless, -jnp.inf, of_keys)
        top = jax.lax.stop_gradient(of_keys.max(axis=0))
        weights = jnp.exp(of_keys - top) * problem.w[:, None]
        logits = _exponents(directions, root * problem.q) + top
        return Samples(logits, weights.sum(axis=0), weights.T @ problem.v)

    def field_error(self, problem: ExponentialSum) -> Float[Array, " n"]:
        """The standard error of the softmax field over its length, to first order in 1/count.

        With p_j the weights of softmax and F the field, z = phi(q) sum_j w_j phi(k_j), m the same of values,

            E |m - F z|^2 / E[z]^2 = sum_jl p_j p_l <v_j - F, v_l - F> e^{beta (|q|^2 + <q, k_j + k_l>
                                     + <k_j, k_l>)}
        """
        check_unmasked(problem, "random features")
        root = jnp.sqrt(jnp.abs(problem.beta))
        k, v, w = root * jnp.sign(problem.beta) * problem.k, problem.v, problem.w
        if len(k) > _KEYS:
            drawn = jax.random.choice(jax.random.fold_in(self.key, 3), len(k), (_KEYS,), p=w)
            k, v, w = k[drawn], v[drawn], jnp.full(_KEYS, 1 / _KEYS, w.dtype)
        kernel = jnp.where((w > 0)[:, None] & (w > 0), k @ k.T, -jnp.inf)

        def at(q: Float[Array, " p"]) -> Float[Array, ""]:
            logits = k @ q
            share = jax.nn.softmax(logits, where=w > 0) * w
            share = share / share.sum()
            off = share[:, None] * (v - share @ v)
            spread = jnp.exp(q @ q + logits[:, None] + logits + kernel)
            variance = jnp.sum(off * (spread @ off)) / self.count
            return jnp.sqrt(jnp.maximum(variance, 0)) / jnp.linalg.norm(share @ v)

        return jax.lax.map(at, root * problem.q, batch_size=16)


def _exponents(directions: Float[Array, "r p"], u: Float[Array, "n p"]) -> Float[Array, "n r"]:
    """log phi(u) for each direction."""
    return u @ directions.T - jnp.sum(u * u, axis=1, keepdims=True) / 2


def _orthogonal(key: Key, count: int, d: int, dtype) -> Float[Array, "r d"]:
    """Normal vectors that are orthogonal in groups of d: each normal by itself."""
    turn, size = jax.random.split(key)
    groups = -(-count // d)
    frames = jnp.linalg.qr(jax.random.normal(turn, (groups, d, d), dtype))[0]
    lengths = jnp.linalg.norm(jax.random.normal(size, (groups * d, d), dtype), axis=1)
    # QR leaves signs that are not uniform; a frame transposed has rows of uniform law up to sign.
    signs = jax.random.rademacher(jax.random.fold_in(key, 2), (groups * d,), dtype)
    return (frames.reshape(-1, d) * (lengths * signs)[:, None])[:count]
