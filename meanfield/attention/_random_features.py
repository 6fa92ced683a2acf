import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._checks import check_integer
from .._typing import Key
from ._problem import ExponentialSum
from ._sampled import AbstractSampled, Samples, check_unmasked


class RandomFeatures(AbstractSampled):
    """An approximation for many dimensions: positive random features, O((n + m) count d).

    e^{beta <q, k>} = E[phi(q) phi(k)],   phi(u) = e^{sqrt(beta) <o, u> - beta |u|^2/2},   o ~ N(0, I)

    estimated by `count` features, orthogonal in groups of d. Mass and moment are unbiased at given
    `key`. The variance grows like e^{beta |q + k|^2}, up to e^{4 beta} on the sphere: use it for beta up
    to about 2, and `relative_error(attention, x)`, the standard error of the softmax field from the
    spread of the features (which orthogonality makes a little too large). Never chosen automatically.

    Raises ValueError for a mask.
    Source: Choromanski et al., arXiv 2009.14794, lemma 1.
    """

    count: int = eqx.field(static=True, converter=lambda c: check_integer(c, "count", 2))
    key: Key

    def samples(self, problem: ExponentialSum) -> Samples:
        check_unmasked(problem, "random features")
        directions = _orthogonal(self.key, self.count, problem.q.shape[1], problem.q.dtype)
        root = jnp.sqrt(jnp.abs(problem.beta))
        of_keys = _exponents(directions, root * jnp.sign(problem.beta) * problem.k)
        top = jax.lax.stop_gradient(of_keys.max(axis=0))
        weights = jnp.exp(of_keys - top) * problem.w[:, None]
        logits = _exponents(directions, root * problem.q) + top
        return Samples(logits, weights.sum(axis=0), weights.T @ problem.v)


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
