import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int
from scipy.special import digamma, polygamma

from ..._checks import check_integer
from ..._shown import AbstractShown
from ..._typing import Points, Scalar
from ...geometry import Sphere
from .._cloud_checks import angles, first_of_equal, known, map_rows, on_sphere
from .._nearest import by_nearest
from ._caps import log_cap_measure


class EntropyEstimate(AbstractShown):
    """An entropy, its standard error, and the share of tokens dropped as exact duplicates.

    Duplicates have no entropy against the uniform measure (a cloud with atoms has -inf): the value
    is that of the remaining distinct tokens. It is NaN if too few of them are left.
    """

    value: Scalar
    standard_error: Scalar
    duplicates: Scalar


def entropy_knn(x: Points, k: int = 3) -> EntropyEstimate:
    """The entropy -int rho log rho dsigma of the law of n independent tokens on S^{d-1}.

        H = psi(n) - psi(k) + (1/n) sum_i log F(theta_i),

    with theta_i the angle from token i to its k-th nearest neighbour and F the share of the sphere
    within an angle (`log_cap_measure`). sigma is the normalized uniform measure: uniform is 0 and
    every law is at most 0; add log |S^{d-1}| = log(2 pi^{d/2} / Gamma(d/2)) for the entropy against
    surface measure.

    Exactly unbiased for the uniform law, at every n, k and d. Elsewhere the bias falls with n but
    slowly in high dimension: from d of about 32 only differences between clouds of the same n, k, d
    mean anything. Larger k trades variance for bias.

    The standard error is sqrt((var log rho + 2 psi'(k)) / n), where the variance of log rho is that
    of the terms less psi'(k), at least 0: psi'(k) for the terms themselves, as much again at most for
    the neighbours that they share.
    Cost O(n^2 (d + k)), a block of tokens at a time: by products where these find the neighbours surely.

    Raises ValueError if not 1 <= k < n, or for tokens off the sphere.

    Source: Kozachenko and Leonenko (1987); here with exact caps in place of flat balls.
    """
    k = check_integer(k, "k")
    x = on_sphere(x, least=k + 1)
    fresh, angle = _kth_angles(x, k)
    return _estimate(log_cap_measure(angle, x.shape[1]), fresh, k, _noise_knn(k))


@eqx.filter_jit
def _kth_angles(x: Points, k: int) -> tuple[Bool[Array, " n"], Float[Array, " n"]]:
    """Whether each token is the first at its place, and its angle to the k-th nearest other place."""
    # Chords rank as angles do, at a fraction of the cost; only the last one's angle is needed.
    return by_nearest(x, k, lambda near: _to_last(x, near), lambda: _among_all(x, k))


def _to_last(x: Points, near: Int[Array, "n k"]) -> tuple[Bool[Array, " n"], Float[Array, " n"]]:
    return jnp.ones(x.shape[0], bool), Sphere(x.shape[1]).distance(x, x[near[:, -1]])


def _among_all(x: Points, k: int) -> tuple[Bool[Array, " n"], Float[Array, " n"]]:
    order, fresh = jnp.arange(x.shape[0]), first_of_equal(x)

    def reach(token, i):
        chord = jnp.where(fresh & (order != i), jnp.sum((x - token) ** 2, axis=1), jnp.inf)
        return angles(token, x[_kth_least(chord, k)][None])[0]

    return fresh, map_rows(reach, x, order)


def entropy_spacings(x: Points, m: int = 3) -> EntropyEstimate:
    """The entropy -int rho log rho dsigma of the law of n independent tokens on the circle.

        H = psi(n) - psi(m) + (1/n) sum_i log( (theta_{i+m} - theta_i) / 2 pi )

    over the sorted angles, cyclically. sigma is the normalized uniform measure: uniform is 0; add
    log 2 pi for the entropy against arc length. An m-spacing of n uniform tokens has the law
    Beta(m, n - m), whose logarithm has mean psi(m) - psi(n): exactly unbiased for the uniform law.
    The standard error is sqrt((var log rho + (2 m^2 - 2 m + 1) psi'(m) - 2 m + 1) / n), where the
    variance of log rho is that of the terms less psi'(m), at least 0, and the rest is what overlapping
    spacings of the uniform law have: .645 at m = 1, .134 at m = 3.

    Raises ValueError if not 1 <= m < n, if d is not 2, or for tokens off the circle.
    """
    m = check_integer(m, "m")
    x = on_sphere(x, least=m + 1)
    if x.shape[1] != 2:
        raise ValueError(
            f"expected tokens on the circle, d = 2, got d = {x.shape[1]}; use entropy_knn."
        )
    x = x + 0.0  # -0.0 would put the angle pi at -pi
    theta = jnp.sort(jnp.arctan2(x[:, 1], x[:, 0]))
    fresh = jnp.diff(theta, prepend=-jnp.inf) > 0
    count, order = fresh.sum(), jnp.arange(x.shape[0])
    theta = jnp.sort(jnp.where(fresh, theta, jnp.inf))
    turns = jnp.where(order + m < count, 0, 2 * math.pi).astype(x.dtype)
    spacing = theta[(order + m) % count] - theta + turns
    log_share = known(x, jnp.log(spacing / (2 * math.pi)))
    return _estimate(log_share, order < count, m, _noise_spacings(m))


def _estimate(
    log_share: Float[Array, " n"], kept: Bool[Array, " n"], k: int, noise: float
) -> EntropyEstimate:
    """psi(count) - psi(k) + the mean of the kept terms, whose variance is psi'(k) + var log rho."""
    count = kept.sum().astype(log_share.dtype)
    mean = jnp.where(kept, log_share, 0).sum() / count
    variance = jnp.where(kept, (log_share - mean) ** 2, 0).sum() / count
    spread = jnp.maximum(variance - float(polygamma(1, k)), 0)
    value = jax.scipy.special.digamma(count) - float(digamma(k)) + mean
    enough = count > k
    return EntropyEstimate(
        jnp.where(enough, value, jnp.nan),
        jnp.where(enough, jnp.sqrt((spread + noise) / count), jnp.nan),
        1 - count / log_share.shape[0],
    )


def _kth_least(values: Float[Array, " n"], k: int) -> Int[Array, ""]:
    """The index of the k-th least value; for a small k far faster than top_k on a CPU."""
    rest = jax.lax.fori_loop(1, k, lambda _, v: v.at[jnp.argmin(v)].set(jnp.inf), values)
    return jnp.argmin(rest)


def _noise_knn(k: int) -> float:
    """n times the variance of the estimate on a uniform cloud, from above."""
    return 2 * float(polygamma(1, k))


def _noise_spacings(m: int) -> float:
    """n times the variance of the estimate on a uniform cloud, for large n."""
    return float((2 * m * m - 2 * m + 1) * polygamma(1, m) - 2 * m + 1)
