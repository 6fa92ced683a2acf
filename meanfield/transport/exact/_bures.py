import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..._checks import check_finite, guard, tolerance
from ..._door import door
from ..._products import exact_products
from ..._typing import Scalar
from ..costs import joined, root, symmetric_root


@door
def bures(cov1: ArrayLike, cov2: ArrayLike) -> Scalar:
    """The Bures distance, which is W2 between the normal laws N(0, cov1) and N(0, cov2).

        B^2 = tr(S_1) + tr(S_2) - 2 tr (S_1^{1/2} S_2 S_1^{1/2})^{1/2} = min_U |S_1^{1/2} - S_2^{1/2} U|^2

    over orthogonal U: computed in the second form, which does not cancel, so that equal matrices are at
    distance 0 to rounding. Covariances [d, d] may be singular. Differentiable at positive definite ones
    (NaN elsewhere): the derivative of B^2 in S_1 is I - T, with T the optimal map from N(0, S_1) to
    N(0, S_2), and bures(...)**2 has the derivative 0 at equal matrices.

    Raises ValueError if a matrix is not symmetric positive semidefinite, or if shapes disagree.

    Source: Gelbrich (1990), doi:10.1002/mana.19901470121; Bhatia, Jain and Lim (2019), arXiv
    1712.01504, theorem 1 and section 4.
    """
    cov1, cov2 = check_covariance(cov1, "cov1"), check_covariance(cov2, "cov2")
    if cov1.shape != cov2.shape:
        raise ValueError(
            f"expected covariances of one shape, got {list(cov1.shape)} and {list(cov2.shape)}; "
            "pass two matrices [d, d]."
        )
    return root(_square_bures(cov1, cov2))


@door
def gaussian_wasserstein(
    mean1: ArrayLike, cov1: ArrayLike, mean2: ArrayLike, cov2: ArrayLike
) -> Scalar:
    """W2 between the normal laws N(mean1, cov1) and N(mean2, cov2).

        W2^2 = |m_1 - m_2|^2 + B(S_1, S_2)^2

    Means have shape [d], covariances [d, d]. Differentiable where `bures` is.
    Raises ValueError as `bures` does, and for means that do not fit.
    """
    mean1, mean2 = check_finite(mean1, "mean1"), check_finite(mean2, "mean2")
    cov1, cov2 = check_covariance(cov1, "cov1"), check_covariance(cov2, "cov2")
    if not mean1.shape == mean2.shape == cov1.shape[:1] == cov2.shape[:1]:
        shapes = [list(z.shape) for z in (mean1, cov1, mean2, cov2)]
        raise ValueError(
            f"expected means [d] and covariances [d, d] of one d, got shapes {shapes}; "
            "pass mean1, cov1, mean2, cov2 in this order."
        )
    return joined(mean1 - mean2, _square_bures(cov1, cov2))


@jax.custom_jvp
def _square_bures(s1: Float[Array, "d d"], s2: Float[Array, "d d"]) -> Scalar:
    first, second = symmetric_root(s1), symmetric_root(s2)
    left, _, right = jnp.linalg.svd(second @ first)
    return jnp.sum((first - second @ (left @ right)) ** 2)


@_square_bures.defjvp
@exact_products
def _square_bures_jvp(primals, tangents):
    (s1, s2), (d1, d2) = primals, tangents
    half, eye = symmetric_root(s1), jnp.eye(s1.shape[0], dtype=s1.dtype)
    inverse = jnp.linalg.inv(half)
    forth = inverse @ symmetric_root(half @ s2 @ half) @ inverse
    back = jnp.linalg.inv(forth)
    return _square_bures(s1, s2), jnp.sum((eye - forth) * d1) + jnp.sum((eye - back) * d2)


def check_covariance(cov, name: str) -> Float[Array, "d d"]:
    """`cov` as a symmetric positive semidefinite matrix."""
    cov = check_finite(cov, name)
    if cov.ndim != 2 or cov.shape[0] != cov.shape[1]:
        raise ValueError(f"expected {name} of shape [d, d], got {list(cov.shape)}; pass a matrix.")
    small = tolerance(cov.dtype) * jnp.abs(cov).max()
    even = jnp.abs(cov - cov.T).max() <= small
    cov = guard(cov, even, f"expected a symmetric {name}; pass ({name} + {name}.T) / 2.")
    positive = jnp.linalg.eigvalsh(cov).min() >= -small
    return guard(
        cov, positive, f"expected a positive semidefinite {name}; mend its negative eigenvalues."
    )
