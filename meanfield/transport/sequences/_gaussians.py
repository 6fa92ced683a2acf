import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..._checks import check_finite, check_integer, guard
from ..._door import door
from ..._products import exact_products
from ..._typing import Scalar
from ..costs import joined
from ..exact import check_covariance


@door
def adapted_gaussian(
    mean1: ArrayLike, cov1: ArrayLike, mean2: ArrayLike, cov2: ArrayLike, d: int = 1
) -> Scalar:
    """The adapted distance AW2 between Gaussian laws of sequences of n/d steps in R^d.

        AW2^2 = |m_1 - m_2|^2 + tr S_1 + tr S_2 - 2 sum_t |(L^T M)_tt|_*,    S_1 = L L^T,  S_2 = M M^T

    with L and M lower triangular, (.)_tt the block [d, d] of step t and |.|_* the sum of its singular
    values. It is the least mean of |x - y|^2 over couplings that do not look ahead: y_t depends on the
    past of x alone, and x_t on that of y. Hence W2 <= AW2. The covariances [[1, 2], [2, 5]] and
    [[1, -2], [-2, 5]] are at W2^2 = 3.055728, AW2^2 = 4 and, by `gaussian_knothe_rosenblatt`, 16.

    - `mean1`, `mean2` [n], `cov1`, `cov2` [n, n]: of (x_1, ..., x_T) in a row, T d = n; positive definite.
    - `d`: the dimension of a step.

    Computed as |m_1 - m_2|^2 + |L - M Q|^2 with Q orthogonal in each block, which does not cancel.
    Differentiable, twice where singular values are positive; the derivative at equal laws is 0.
    Raises ValueError for matrices that are no such covariances and for n that is no multiple of d.
    Source: Gunasingam and Wong, arXiv 2404.06625.
    """
    means, factors = _checked(mean1, cov1, mean2, cov2)
    d = check_integer(d, "d")
    left, right = (factor.reshape(len(factor), -1, d) for factor in _divided(factors, d))
    turned = jnp.einsum("nti,tji->ntj", right, _polar(jnp.einsum("nti,ntj->tij", left, right)))
    return _distance(means, left, turned)


@door
def gaussian_knothe_rosenblatt(
    mean1: ArrayLike, cov1: ArrayLike, mean2: ArrayLike, cov2: ArrayLike
) -> Scalar:
    """The root mean square of |x - y| under the Knothe-Rosenblatt coupling of two Gaussian laws.

        KR^2 = |m_1 - m_2|^2 + |L - M|^2,    S_1 = L L^T,  S_2 = M M^T

    Each coordinate is mapped by quantiles given those before: x = m_1 + L z, y = m_2 + M z. It does not
    look ahead, so that KR >= AW2.

    - `mean1`, `mean2` [n], `cov1`, `cov2` [n, n]: of (x_1, ..., x_n), positive definite.

    Raises ValueError as `adapted_gaussian` does. Source: Rosenblatt (1952),
    doi:10.1214/aoms/1177729394.
    """
    means, (left, right) = _checked(mean1, cov1, mean2, cov2)
    return _distance(means, left, right)


@door
def structural_covariance(
    linear: Float[Array, "n n"], noise: Float[Array, " n"]
) -> Float[Array, "n n"]:
    """The covariance of a linear structural model in causal order, x = A x + noise * z, z standard normal.

        S = L L^T,    L = (I - A)^{-1} diag(noise)

    L is the factor that `adapted_gaussian` takes of it. `linear` [n, n]: A, strictly lower triangular;
    `noise` [n]: standard deviations > 0. Raises ValueError for others.
    """
    linear, noise = check_finite(linear, "linear"), check_finite(noise, "noise")
    if linear.shape != (len(noise), len(noise)):
        raise ValueError(
            f"expected linear [n, n] and noise [n], got {list(linear.shape)} and {list(noise.shape)}; "
            "pass a number of noise a row."
        )
    lower = (jnp.triu(linear) == 0).all()
    message = "expected linear strictly lower triangular; put causes before effects."
    guard(linear, lower, message)
    guard(noise, (noise > 0).all(), "expected noise > 0, got less; leave out what has none.")
    factor = jnp.linalg.solve(jnp.eye(len(noise), dtype=linear.dtype) - linear, jnp.diag(noise))
    return jnp.where(lower & (noise > 0).all(), factor @ factor.T, jnp.nan)


def _checked(mean1, cov1, mean2, cov2):
    """The means, and the triangular factors of the covariances."""
    means = check_finite(mean1, "mean1"), check_finite(mean2, "mean2")
    covs = check_covariance(cov1, "cov1"), check_covariance(cov2, "cov2")
    if not means[0].shape == means[1].shape == covs[0].shape[:1] == covs[1].shape[:1]:
        shapes = [list(z.shape) for z in (means[0], covs[0], means[1], covs[1])]
        raise ValueError(
            f"expected means [n] and covariances [n, n] of one n, got shapes {shapes}; "
            "pass mean1, cov1, mean2, cov2 in this order."
        )
    factors = tuple(jnp.linalg.cholesky(cov) for cov in covs)
    for factor, name in zip(factors, ("cov1", "cov2"), strict=True):
        message = f"expected a positive definite {name}; add noise to steps that are certain."
        guard(factor, jnp.isfinite(factor).all(), message)
    return means, factors


def _divided(factors, d: int):
    """The factors, if their steps have d rows."""
    if len(factors[0]) % d:
        raise ValueError(
            f"expected sequences of steps in R^{d}, got {len(factors[0])} coordinates; "
            "pass d of which their number is a multiple."
        )
    return factors


def _distance(means, left: Array, right: Array) -> Scalar:
    return joined(jnp.concatenate([means[0] - means[1], (left - right).ravel()]))


@jax.custom_jvp
def _polar(x: Float[Array, "t d d"]) -> Float[Array, "t d d"]:
    """The orthogonal factors U V^T of x = U S V^T."""
    u, _, v = jnp.linalg.svd(x)
    return u @ v


@_polar.defjvp
@exact_products
def _polar_jvp(primals, tangents):
    # U (K / (s_i + s_j)) V^T, K = U^T dX V - V^T dX^T U: sums of singular values alone are divided by,
    # where the derivative of a decomposition has their differences.
    u, s, v = jnp.linalg.svd(primals[0])
    turned = jnp.swapaxes(u, 1, 2) @ tangents[0] @ jnp.swapaxes(v, 1, 2)
    sums = s[:, :, None] + s[:, None, :]
    rates = (turned - jnp.swapaxes(turned, 1, 2)) / jnp.where(sums == 0, 1, sums)
    return u @ v, u @ jnp.where(sums == 0, 0, rates) @ v
