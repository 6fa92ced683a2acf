from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array, Float

from ..._checks import check_finite
from ..._door import door
from ..._shown import AbstractShown
from ..._typing import Weights
from ..costs import masses_of, weights_or_uniform


class QuantileBarycenter(AbstractShown):
    """A discrete law on the line: increasing `points` [k] of masses `weights` [k]."""

    points: Float[Array, " k"]
    weights: Float[Array, " k"]


@door
def quantile_barycenter(
    clouds: Sequence[Float[Array, "..."]] | Float[Array, "models n"],
    weights: Float[Array, " models"] | None = None,
    *,
    masses: Sequence[Float[Array, " _"] | None] | Float[Array, "_ _"] | None = None,
) -> QuantileBarycenter:
    """The W2 barycenter of clouds on the line: the average of their quantile functions.

        F^{-1}(u) = sum_i w_i F_i^{-1}(u)

    Exact, whatever the numbers of points and their masses. N clouds of n equal points, an array
    [N, n], have n sorted and averaged points for a barycenter. Otherwise it has up to n_1 + ... + n_N,
    one wherever a quantile function jumps, some perhaps of mass 0. `weights` [N] sum to 1, uniform
    by default; `masses` are the N arrays of those of the points, or None for equal ones.

    Raises ValueError for shapes that do not fit.

    Source: Agueh and Carlier, SIAM J. Math. Anal. 43 (2011), section 6.1.
    """
    clouds = [check_finite(cloud, "clouds") for cloud in clouds]
    if not clouds or any(cloud.ndim != 1 for cloud in clouds):
        raise ValueError(
            f"expected clouds of shape [n] on the line, got {[list(c.shape) for c in clouds]}; "
            "drop the last axis with cloud[:, 0], or use barycenter."
        )
    models = len(clouds)
    share = weights_or_uniform(weights, models, clouds[0].dtype, "weights")
    if masses is None and len({cloud.size for cloud in clouds}) == 1:
        points = share @ jnp.sort(jnp.stack(clouds), axis=1)
        return QuantileBarycenter(points, jnp.full_like(points, 1 / points.size))
    return _merged(clouds, masses_of(masses, clouds), share)


def _merged(clouds: list, masses: list, share: Weights) -> QuantileBarycenter:
    """The average of step functions, on the intervals between all their jumps."""
    orders = [jnp.argsort(cloud) for cloud in clouds]
    levels = [jnp.cumsum(m[order])[:-1] for m, order in zip(masses, orders, strict=True)]
    cuts = jnp.sort(jnp.concatenate([*levels, jnp.array([0.0, 1.0], share.dtype)]))
    middles = (cuts[1:] + cuts[:-1]) / 2
    quantiles = [
        cloud[order][jnp.searchsorted(level, middles)]
        for cloud, order, level in zip(clouds, orders, levels, strict=True)
    ]
    return QuantileBarycenter(share @ jnp.stack(quantiles), jnp.diff(cuts))
