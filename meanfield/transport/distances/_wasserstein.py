from jax.typing import ArrayLike

from ..._checks import check_finite, check_points
from ..._door import door
from ..._typing import Points
from ..costs import AbstractCost, Cost, as_cost, weights_or_uniform
from ._entropic import Entropic
from ._exact import Exact, has_quantiles, is_assignment
from ._transport import AbstractMethod, Transport

LARGEST_ASSIGNMENT = 2000
"""Points up to which an assignment is solved exactly unless asked otherwise: some seconds."""
LARGEST_PROGRAM = 1_000_000
"""Pairs of points up to which a linear program is solved unless asked otherwise: some seconds."""


@door
def wasserstein(
    x: ArrayLike,
    y: ArrayLike,
    a: ArrayLike | None = None,
    b: ArrayLike | None = None,
    cost: Cost | None = None,
    *,
    method: AbstractMethod | None = None,
) -> Transport:
    """The Wasserstein distance W2 between two weighted clouds, exact where their sizes allow.

        W2^2 = min_P sum_ij P_ij c(x_i, y_j),    P >= 0 with row sums a and column sums b

        w = wasserstein(x, y)                           # |x - y|^2 on R^d
        w = wasserstein(x, y, cost=SquaredGeodesic())   # unit vectors, great-circle distances
        w.value, w.converged, w.error, w.iterations, w.method, w.plan(), w.average(y)

    - `x` [n, d], `y` [m, d]: the clouds; [n] and [m] on the line. `a` [n], `b` [m]: masses of sum 1,
      uniform by default.
    - `cost`: SquaredEuclidean() by default, SquaredGeodesic(), any cost of ott, or a function of two
      points; `value` is the root of the mean cost, hence W2 for squared distances.
    - `method`: `Exact()` or `Entropic(epsilon, ...)`. None takes what is exact while it is quick: on the
      line and circle always, for n = m uniform points up to n = 2000, otherwise up to n m = 1,000,000
      pairs; beyond that it is Entropic(), whose value is a few percent above. `w.method` says which.

    Works under jit, vmap and grad; see `Exact` and `Entropic` for what is differentiated. Gradients at
    clouds of distance 0 are 0.

    Raises ValueError for shapes, weights and points that do not fit, such as points off the sphere.

    Source: Peyre and Cuturi, Computational Optimal Transport (2019), arXiv 1803.00567.
    """
    cost = as_cost(cost)
    x, y, a, b = check_clouds(x, y, a, b, cost)
    if method is None:
        method = _method(x, y, a, b, cost)
    return method.transport(x, y, a, b, cost)


def _method(x, y, a, b, cost) -> AbstractMethod:
    n, m = x.shape[0], y.shape[0]
    most = LARGEST_ASSIGNMENT**2 if is_assignment(n, m, a, b) else LARGEST_PROGRAM
    return Exact() if has_quantiles(x, cost) or n * m <= most else Entropic()


def check_clouds(x, y, a, b, cost):
    """The clouds as points of one dimension and dtype, with their weights if there are any."""
    x, y = check_cloud(x, cost, "x"), check_cloud(y, cost, "y")
    if x.shape[1] != y.shape[1] or x.dtype != y.dtype:
        raise ValueError(
            f"expected clouds of one dimension and dtype, got {list(x.shape)} {x.dtype} and "
            f"{list(y.shape)} {y.dtype}; drop columns or cast one with .astype."
        )
    a = None if a is None else weights_or_uniform(a, x.shape[0], x.dtype, "a")
    b = None if b is None else weights_or_uniform(b, y.shape[0], y.dtype, "b")
    return x, y, a, b


def check_cloud(x, cost, name: str) -> Points:
    """`x` as points [n, d] on which the cost is defined."""
    x = check_finite(x, name)
    x = x[:, None] if x.ndim == 1 else x
    if isinstance(cost, AbstractCost):
        return cost.check(x, name)
    return check_points(x, x.shape[-1] if x.ndim else 1, name)
