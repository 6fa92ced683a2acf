from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ..._checks import check_integer, check_positive, guard
from ..._device_ring import Ring
from ..._door import door
from ..._memory import kernel_is_quick
from ..._products import weighted_sum
from ..._typing import Points, Scalar
from ._blockwise_geometry import BlockwiseGeometry, all_costs, check_dense
from ._costs import AbstractCost, SquaredEuclidean
from ._coupling import weights_or_uniform
from ._ott import costs, geometry

Cost = AbstractCost | costs.CostFn | Callable
FORBIDDEN = 1e15
"""A cost, in epsilon, that no plan pays: a large number and not infinity, of which derivatives would
make NaN."""


@runtime_checkable
class Placed(Protocol):
    """Costs by place: what is added for point number i of x and number j of y."""

    def costs(self, rows: Int[Array, " a"], columns: Int[Array, " b"]) -> Float[Array, "a b"]:
        """The costs to add at these places; FORBIDDEN times epsilon keeps a pair out of the plan."""
        ...


@door
def point_geometry(
    x: Points,
    y: Float[Array, "m _"] | None = None,
    cost: Cost | None = None,
    *,
    a: Float[Array, " n"] | None = None,
    b: Float[Array, " m"] | None = None,
    epsilon: Scalar | float | None = None,
    relative_epsilon: Scalar | float = 0.05,
    dense: bool | None = None,
    block: int = 1024,
    ring: Ring | None = None,
    placed: Placed | None = None,
) -> geometry.Geometry:
    """The costs c(x_i, y_j) between two clouds, in the form that ott's solvers take.

    - `x` [n, d], `y` [m, d]: the clouds; y = x if left out.
    - `cost`: an object such as `SquaredEuclidean()` (the default), `DotProduct()`, `SquaredGeodesic()`,
      any cost of ott, or a function of two points.
    - `epsilon`: the entropic regularization, in units of the cost. By default `relative_epsilon` times
      the mean cost a^T c b, which is not differentiated; 1 where that is 0, as all plans are one then.
    - `a` [n], `b` [m]: the masses of the points for this mean, uniform by default.
    - `dense`: True builds the matrix [n, m]; False works block by block in O(n + m) memory, forward
      and backward; None (the default) takes blocks where the matrix would exceed 128 MiB.
    - `ring`: devices that share the rows of both clouds, and sum blocks as these travel around.
    - `placed`: an object whose `costs(rows, columns)` are added, such as those of a mask: 1e15 epsilon
      forbids a pair. It needs `epsilon`.

    Raises ValueError for a dense matrix that does not fit in memory, for clouds of several dimensions,
    for half precision, for epsilon that is not positive, and where a mean cost that is negative, or
    beyond the range of the numbers, leaves no default.
    """
    y = x if y is None else y
    if x.shape[1] != y.shape[1]:
        raise ValueError(
            f"expected clouds of one dimension, got {list(x.shape)} and {list(y.shape)}; "
            "drop columns."
        )
    if placed is not None and epsilon is None:
        raise ValueError(
            "expected epsilon beside costs by place, whose mean is no scale; pass epsilon."
        )
    n, m, itemsize = x.shape[0], y.shape[0], x.dtype.itemsize
    cost = as_cost(cost)
    quick = kernel_is_quick(n, m, itemsize)
    if ring is None and (dense or (dense is None and quick)):
        check_dense(n, m, itemsize)
        made: Any = geometry.Geometry(cost_matrix=all_costs(x, y, cost, placed), epsilon=1.0)
    else:
        made = BlockwiseGeometry(x, y, cost, 1.0, check_integer(block, "block"), ring, placed)
    if epsilon is None:
        relative = check_positive(relative_epsilon, "relative_epsilon").astype(x.dtype)
        epsilon = relative * _scale_of(made, x, y, cost, a, b)
    else:
        epsilon = check_positive(epsilon, "epsilon").astype(x.dtype)
    # ott takes epsilon where a geometry is made, but the mean cost is that of one that is made.
    made._epsilon_init = epsilon
    return made


def _scale_of(made, x: Points, y: Float[Array, "m d"], cost, a, b) -> Scalar:
    """The mean cost, or NaN if it is no scale; if all costs are 0 any number is."""
    a = weights_or_uniform(a, x.shape[0], x.dtype, "a")
    b = weights_or_uniform(b, y.shape[0], x.dtype, "b")
    mean = mean_cost(made, a, b)
    scale = jnp.where(mean == 0, 1, mean)
    sound = jnp.isfinite(scale) & (scale > 0)
    if isinstance(cost, SquaredEuclidean):
        sound &= (mean > 0) | _coincide(x, y, a, b)
    sound |= jnp.isnan(mean)  # NaN stays NaN
    message = (
        f"expected costs whose mean, here {mean}, is a scale for epsilon; pass epsilon, or multiply "
        "the points where their squared distances leave the range of the numbers."
    )
    return jnp.where(sound, guard(scale, sound, message), jnp.nan)


def mean_cost(made: geometry.Geometry, a: Float[Array, " n"], b: Float[Array, " m"]) -> Scalar:
    """sum_ij a_i c_ij b_j, which is not differentiated: no point without mass changes it."""
    return jax.lax.stop_gradient(weighted_sum(a, made.apply_cost(b, axis=1).reshape(-1)))


def _coincide(x: Points, y: Float[Array, "m d"], a, b) -> Array:
    """Whether all points that have mass are one."""
    x, y = jax.lax.stop_gradient((x, y))
    at = x[jnp.argmax(a)]
    off = [jnp.where(w[:, None] > 0, z != at, False).any() for z, w in ((x, a), (y, b))]
    return ~(off[0] | off[1])


@jax.tree_util.register_pytree_node_class
class FunctionCost(costs.CostFn):
    """A function of two points as a cost."""

    def __init__(self, function: Callable):
        self.function = function

    def __call__(self, x: Float[Array, " d"], y: Float[Array, " d"]) -> Scalar:
        return self.function(x, y)

    def tree_flatten(self):
        return (), self.function

    @classmethod
    def tree_unflatten(cls, aux_data, children):
        return cls(aux_data)


def as_cost(cost: Cost | None) -> costs.CostFn:
    """A cost of ott, made of a function if need be; the squared distance for None."""
    if cost is None:
        return SquaredEuclidean()
    return cost if isinstance(cost, costs.CostFn) else FunctionCost(cost)
