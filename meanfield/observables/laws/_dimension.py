import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ..._checks import shown
from ..._shown import AbstractShown
from ..._typing import Points, Scalar
from .._cloud_checks import cloud, first_of_equal, known, map_rows
from .._nearest import by_nearest


class DimensionEstimate(AbstractShown):
    """An intrinsic dimension, its standard error, and the share of tokens dropped as exact duplicates.

    The value is NaN if fewer than four distinct tokens are left.
    """

    value: Scalar
    standard_error: Scalar
    duplicates: Scalar


def intrinsic_dimension(x: Points, keep: float = 0.9) -> DimensionEstimate:
    """The dimension of the set near which tokens lie, by the ratio of the distances to two neighbours.

    Where the law is nearly uniform on the scale of the second neighbour, mu = r_2/r_1 has the law
    P(mu > m) = m^-dim of any density. Of the N values y = log mu in their order the r = keep N least
    are used as such, and the others as being larger:

        dim = (r - 1) / (y_1 + ... + y_r + (N - r) y_r),    standard error dim / sqrt(r - 2)

    which is unbiased for independent ratios. Neighbours share theirs, which adds to the error. Distances
    are those of R^d. An edge, noise across the set, and curvature on the scale of r_2 all bias the value:
    dimensions beyond 10 or so come out too low unless n is exponentially large.

    `keep` in (0, 1] leaves out the largest ratios, which come from the edge. Cost O(n^2 d).
    Raises ValueError for another `keep`, and if n < 4.

    Source: Facco, d'Errico, Rodriguez and Laio (2017), doi:10.1038/s41598-017-11873-y, equation 5; their
    fit of a line is here the likelihood of a censored sample.
    """
    x, keep = cloud(x, least=4), _share(keep)
    fresh, logs = _log_ratios(x)
    return _estimate(x, logs, fresh, keep)


@eqx.filter_jit
def _log_ratios(x: Points) -> tuple[Bool[Array, " n"], Float[Array, " n"]]:
    """Whether each token is the first at its place, and log mu of each."""
    return by_nearest(x, 2, lambda near: _of_two(x, near), lambda: _among_all(x))


def _of_two(x: Points, near: Int[Array, "n 2"]) -> tuple[Bool[Array, " n"], Float[Array, " n"]]:
    apart = jnp.abs(x[near] - x[:, None])
    # These are not used where some coincide, but under vmap they are differentiated there too.
    apart = jnp.where((apart > 0).any(axis=-1, keepdims=True), apart, 1)
    return jnp.ones(x.shape[0], bool), jax.vmap(_log_ratio)(apart)


def _among_all(x: Points) -> tuple[Bool[Array, " n"], Float[Array, " n"]]:
    fresh = first_of_equal(x)

    def ratio(token):
        # Not its own place, which is that of another where it is not fresh: no ratio there is a number.
        others = fresh & (x != token).any(axis=1)
        return _log_ratio(jnp.where(others[:, None], jnp.abs(x - token), jnp.inf))

    return fresh, map_rows(ratio, x)


def _log_ratio(apart: Float[Array, "n d"]) -> Scalar:
    # In units of the nearest, so that no square that counts leaves the range of the numbers.
    square = jnp.sum((apart / jax.lax.stop_gradient(apart.max(axis=1).min())) ** 2, axis=1)
    least, first = square.min(), jnp.argmin(square)
    return jnp.log(square.at[first].set(jnp.inf).min() / least) / 2


def _estimate(
    x: Points, logs: Float[Array, " n"], fresh: Bool[Array, " n"], keep: float
) -> DimensionEstimate:
    """From log mu of each token, where it is `fresh`."""
    count = fresh.sum()
    # floor(keep N) for each N that may be, the same in both precisions
    table = np.maximum(np.floor(keep * np.arange(x.shape[0] + 1) + 1e-9), 3).astype(int)
    kept = jnp.asarray(table)[count]
    ordered = jnp.sort(jnp.where(fresh, logs, jnp.inf))
    used = jnp.where(jnp.arange(x.shape[0]) < kept, ordered, 0)
    r, left = kept.astype(x.dtype), (count - kept).astype(x.dtype)
    value = (r - 1) / (used.sum() + left * ordered[kept - 1])
    value = known(x, jnp.where(count >= 4, value, jnp.nan))
    return DimensionEstimate(value, value / jnp.sqrt(r - 2), 1 - count.astype(x.dtype) / x.shape[0])


def _share(keep: float) -> float:
    number = isinstance(keep, float | int | np.floating) and not isinstance(keep, bool)
    if not number or not 0 < keep <= 1:
        raise ValueError(f"expected keep in (0, 1], got {shown(keep)}; pass keep=0.9.")
    return float(keep)
