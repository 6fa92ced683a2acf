import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ...._checks import check_integer, check_key
from ...._typing import Key
from .._approximate import AbstractApproximate
from .._base import Sums
from .._exponential_sum import ExponentialSum
from ._sampled import check_unmasked


class Nystrom(AbstractApproximate):
    """An approximation by a matrix of low rank: `rank` of the keys stand for all, O((n + m) rank^2).

    G = G_{q L} G_{L L}^{-1} G_{L k},   G(q, k) = e^{beta <q, k> - beta (|q|^2 + |k|^2)/2}

    with landmarks L drawn from the keys by their masses. Good where the cloud is clustered or beta is
    small: the error falls with the eigenvalues of G. What is left out is again positive
    semi-definite, so that sqrt(r(q) r(k)), r(u) = 1 - G_{uL} G_{LL}^{-1} G_{Lu}, bounds it at every
    pair, and `relative_error(attention, x)` is a bound, up to rounding: infinite where the normalizer may
    be zero. Never chosen automatically.

    Raises ValueError for a mask. Needs beta > 0 (NaN otherwise).
    Source: Williams and Seeger (NIPS 2000); for attention Xiong et al., arXiv 2102.03902.
    """

    rank: int = eqx.field(static=True, converter=lambda r: check_integer(r, "rank"))
    key: Key = eqx.field(converter=check_key)

    def sums(self, problem: ExponentialSum) -> Sums:
        queries, keys, shift, masses = self._factors(problem)
        values = masses[:, None] * jnp.concatenate(
            [problem.v, jnp.ones_like(masses)[:, None]], axis=1
        )
        out = queries.T @ (keys @ values)
        return Sums(shift, out[:, -1], out[:, :-1])

    def field_error(self, problem: ExponentialSum) -> Float[Array, " n"]:
        """A bound on |F - F_exact|/|F_exact| of the softmax field at each token."""
        sums = self.sums(problem)
        queries, keys, _, masses = self._factors(problem)
        left = masses * _rest(keys)
        mass = _rest(queries) * left.sum()
        pull = _rest(queries) * jnp.sum(left * jnp.linalg.norm(problem.v, axis=1))
        return sums.relative_error(mass, pull)

    def _factors(self, problem: ExponentialSum):
        """A [rank, n] and B [rank, m] with G = A^T B; the shift of each query; masses under it."""
        check_unmasked(problem, "landmarks")
        root = jnp.sqrt(problem.beta)
        q, k = root * problem.q, root * problem.k
        marks = k[jax.random.choice(self.key, len(k), (self.rank,), p=problem.w)]
        # A landmark drawn twice makes G_LL singular: its diagonal is raised by what rounding allows.
        floor = self.rank * float(jnp.finfo(q.dtype).eps)
        own = _gauss(marks, marks) + floor * jnp.eye(self.rank, dtype=q.dtype)
        lower = jnp.linalg.cholesky(own)
        solve = lambda u: jax.scipy.linalg.solve_triangular(lower, _gauss(marks, u), lower=True)
        sizes = jnp.sum(k * k, axis=1) / 2
        massive = problem.w > 0  # keys of no mass may be far away, and must not set the scale
        top = jax.lax.stop_gradient(jnp.where(massive, sizes, -jnp.inf).max())
        return (
            solve(q),
            solve(k),
            jnp.sum(q * q, axis=1) / 2 + top,
            problem.w * jnp.exp(jnp.where(massive, sizes - top, 0)),
        )


def _gauss(a: Float[Array, "r p"], b: Float[Array, "n p"]) -> Float[Array, "r n"]:
    squares = jnp.sum(a * a, axis=1)[:, None] + jnp.sum(b * b, axis=1) - 2 * a @ b.T
    return jnp.exp(-jnp.maximum(squares, 0) / 2)


def _rest(factor: Float[Array, "r n"]) -> Float[Array, " n"]:
    """sqrt(r), with what rounding adds to r."""
    rounding = 8 * factor.shape[0] * float(jnp.finfo(factor.dtype).eps)
    return jnp.sqrt(jnp.maximum(1 - jnp.sum(factor * factor, axis=0), 0) + rounding)
