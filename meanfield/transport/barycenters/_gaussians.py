from collections.abc import Sequence
from typing import cast

import jax
import jax.numpy as jnp
import optimistix as optx
from jaxtyping import Array, Bool, Float, Int

from ..._checks import check_integer, check_positive
from ..._door import door
from ..._shown import AbstractShown
from ..._typing import Scalar
from ...measures import Gaussian
from ..costs import symmetric_root, weights_or_uniform


class GaussianBarycenter(AbstractShown):
    """The Wasserstein barycenter of normal laws, itself one.

    `law` is N(mean, cov); `error` is how far a sweep moves cov, relative to its size; `iterations`
    counts sweeps; `converged`.
    """

    law: Gaussian
    error: Scalar
    iterations: Int[Array, ""]
    converged: Bool[Array, ""]


@door
def gaussian_barycenter(
    laws: Sequence[Gaussian],
    weights: Float[Array, " models"] | None = None,
    *,
    tol: Scalar | float = 1e-10,
    max_steps: int = 256,
) -> GaussianBarycenter:
    """The W2 barycenter N(m, S) of normal laws N(m_i, S_i), exact to `tol`.

        m = sum_i w_i m_i,    S = S^{-1/2} (sum_i w_i (S^{1/2} S_i S^{1/2})^{1/2})^2 S^{-1/2}

    Ten or so sweeps of the second equation from the linear average of the S_i (one if they commute).
    In one dimension the standard deviation is sum_i w_i s_i. Differentiable in means, covariances and
    weights, by the implicit function theorem. `weights` [N] sum to 1, uniform by default;
    `max_steps` bounds the sweeps.

    Raises ValueError for laws of different dimensions and weights that do not fit.

    Source: Agueh and Carlier, SIAM J. Math. Anal. 43 (2011), theorem 6.1; the iteration of
    Alvarez-Esteban, del Barrio, Cuesta-Albertos, Matran, arXiv 1511.05355, theorem 4.2.
    """
    if not laws or len({law.d for law in laws}) > 1:
        raise ValueError(
            f"expected normal laws of one dimension, got {[law.d for law in laws]}; "
            "pass [Gaussian(mean, cov), ...]."
        )
    means, covs = jnp.stack([law.mean for law in laws]), jnp.stack([law.cov for law in laws])
    dtype = means.dtype
    rounding = 50 * float(jnp.finfo(dtype).eps)
    # optimistix counts in the default precision.
    means, covs = means.astype(float), covs.astype(float)
    weights = weights_or_uniform(weights, len(laws), covs.dtype, "weights")
    tol = jnp.maximum(check_positive(tol, "tol").astype(float), rounding)
    # In units of their average, as sweeps end by what they move.
    unit = jax.lax.stop_gradient(jnp.abs(jnp.tensordot(weights, covs, 1)).max())
    covs = covs / unit
    start = jnp.tensordot(weights, covs, 1)
    solution = optx.fixed_point(
        _sweep, optx.FixedPointIteration(cast(float, tol), cast(float, tol)), start, (weights, covs),
        max_steps=check_integer(max_steps, "max_steps"),
        throw=False,
    )  # fmt: skip
    cov = solution.value
    error = jnp.linalg.norm(_sweep(cov, (weights, covs)) - cov) / jnp.linalg.norm(cov)
    converged = (solution.result == optx.RESULTS.successful) & jnp.isfinite(error)
    law = Gaussian((weights @ means).astype(dtype), (unit * cov).astype(dtype))
    return GaussianBarycenter(law, error.astype(dtype), solution.stats["num_steps"], converged)


def _sweep(cov: Float[Array, "d d"], args) -> Float[Array, "d d"]:
    weights, covs = args
    root = symmetric_root(cov)
    mean = jnp.tensordot(weights, jax.vmap(symmetric_root)(root @ covs @ root), 1)
    half = jnp.linalg.solve(root, mean)
    swept = half @ half.T
    return (swept + swept.T) / 2
