import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ...._checks import check_integer, check_key
from ...._typing import Key
from ....transport.costs import root
from .._dense import Dense
from .._exponential_sum import ExponentialSum
from ._sampled import AbstractSampled, Samples, check_unmasked

_KEYS, _DRAWS = 256, 32
"""Keys, at most, and draws of all features, by which their error is told."""


class RandomFeatures(AbstractSampled):
    """An approximation for many dimensions: positive random features, O((n + m) count d).

    e^{beta <q, k>} = E[phi(q) phi(k)],   phi(u) = e^{sqrt(beta) <o, u> - beta |u|^2/2},   o ~ N(0, I)

    estimated by `count` features, orthogonal in groups of d. Mass and moment are unbiased at given
    `key`. The variance grows like e^{beta |q + k|^2}, up to e^{4 beta} on the sphere: use it for beta up
    to about 2, and `relative_error(attention, x)`, the root mean square error of the softmax field over
    draws of the features: 32 others tell it, to about an eighth, against the exact field of the keys,
    256 of which stand for more. The spread of the features of one draw would tell too little, for most
    of it is in features so rare that they are not drawn, and the variance of one feature too much, for a
    mean of values cannot be off by more than these. It costs 32 products. Never chosen automatically.

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
        """sqrt(E |F - F_exact|^2)/|F_exact| of the softmax field, over draws of the features."""
        problem = _of_few_keys(problem, jax.random.fold_in(self.key, 3))
        exact = Dense().sums(problem).mean()

        def square(key: Key) -> Float[Array, " n"]:
            field = RandomFeatures(self.count, key).sums(problem).mean()
            return jnp.sum((field - exact) ** 2, axis=1)

        draws = jax.lax.map(square, jax.random.split(jax.random.fold_in(self.key, 4), _DRAWS))
        return jax.vmap(root)(draws.mean(axis=0)) / jnp.linalg.norm(exact, axis=1)


def _of_few_keys(problem: ExponentialSum, key: Key) -> ExponentialSum:
    """The sums over some of the keys, drawn by their masses; those of the problem if they are few."""
    if len(problem.k) <= _KEYS:
        return problem
    drawn = jax.random.choice(key, len(problem.k), (_KEYS,), p=problem.w)
    equal = jnp.full(_KEYS, 1 / _KEYS, problem.w.dtype)
    parts = lambda p: (p.k, p.y, p.w)
    return eqx.tree_at(parts, problem, (problem.k[drawn], problem.y[drawn], equal))


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
