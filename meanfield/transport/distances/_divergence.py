from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int

from ..._checks import check_integer, check_positive
from ..._door import door
from ..._shown import AbstractShown
from ..._typing import Scalar
from ..costs import Cost, as_cost, point_geometry
from ..sinkhorn import Solution, solve
from ._entropic import solve_small
from ._wasserstein import check_clouds


class Divergence(AbstractShown):
    """What `sinkhorn_divergence` found.

    `value`, which is also `float(...)` of the whole; the largest `error` of the three problems, the sum
    of absolute errors of the marginals; `converged`, whether all three did; `iterations`, of all
    three; `between`, `first` and `second`: the solutions for (x, y), (x, x) and (y, y).
    """

    value: Scalar
    error: Scalar
    converged: Bool[Array, ""]
    iterations: Int[Array, ""]
    between: Solution
    first: Solution
    second: Solution

    @property
    def epsilon(self) -> Scalar:
        """The regularization, in units of the cost."""
        return self.between.epsilon

    @property
    def potentials(self) -> tuple[Float[Array, " n"], Float[Array, " m"]]:
        """The derivatives in a and b: f of (x, y) less f of (x, x), and the same for y."""
        return self.between.f - self.first.f, self.between.g - self.second.f

    def __float__(self) -> float:
        return float(self.value)


@door
def sinkhorn_divergence(
    x: ArrayLike,
    y: ArrayLike,
    a: ArrayLike | None = None,
    b: ArrayLike | None = None,
    cost: Cost | None = None,
    epsilon: Scalar | float | None = None,
    *,
    relative_epsilon: Scalar | float = 0.05,
    tol: Scalar | float = 1e-6,
    max_iterations: int = 10_000,
    init: Divergence | None = None,
    dense: bool | None = None,
) -> Divergence:
    """The debiased Sinkhorn divergence between two weighted clouds, in units of the cost.

        S(x, y) = OT(x, y) - OT(x, x) / 2 - OT(y, y) / 2,   OT = min_P <P, c> + epsilon KL(P | a b^T)

    It is 0 at equal clouds, with gradient 0, and positive elsewhere; W2^2 as epsilon -> 0, and half the
    squared distance of means in the kernel -c as epsilon -> infinity. A sample of n points is at the
    distance W2 = n^{-1/d} of its law, but S of the order 1/n: this is the distance to descend.

    - `x` [n, d], `y` [m, d], or [n] and [m] on the line; masses `a` [n] and `b` [m] of sum 1, uniform by
      default; `cost` as for `wasserstein`.
    - `epsilon`: the regularization in units of the cost, by default `relative_epsilon` times the mean
      cost a^T c b between the clouds, a constant to automatic differentiation.
    - `tol`, `max_iterations`: as for `Entropic`. `init`: the result for clouds nearby, to start from.
    - `dense`: whether to build n x m matrices; by default memory is O(n + m) where n m is large.

    Differentiable in points and masses, by the envelope theorem: a gradient is as exact as the
    marginals. The value is not below 0, where errors of its square would leave it.

    Raises ValueError for an epsilon that is not positive, and for points and masses that do not fit.

    Source: Feydy, Sejourne, Vialard, Amari, Trouve and Peyre, arXiv 1810.08278, eq. 3 and theorem 1.
    """
    cost = as_cost(cost)
    x, y, a, b = check_clouds(x, y, a, b, cost)
    epsilon = None if epsilon is None else check_positive(epsilon, "epsilon").astype(x.dtype)
    relative = check_positive(relative_epsilon, "relative_epsilon").astype(x.dtype)
    how: dict[str, Any] = {"epsilon": epsilon, "relative_epsilon": relative, "dense": dense}
    between = point_geometry(x, y, cost, a=a, b=b, **how)
    epsilon = between.epsilon
    geometries = (
        between,
        point_geometry(x, None, cost, epsilon=epsilon, dense=dense),
        point_geometry(y, None, cost, epsilon=epsilon, dense=dense),
    )
    tol, count = check_positive(tol, "tol"), check_integer(max_iterations, "max_iterations")
    return _debiased(geometries, a, b, tol, count, init)


@eqx.filter_jit
def _debiased(geometries, a, b, tol, max_iterations: int, init) -> Divergence:
    starts = (None, None, None)
    if init is not None:
        starts = tuple((s.f, s.g) for s in (init.between, init.first, init.second))
    between = solve_small(geometries[0], a, b, tol, max_iterations, starts[0])
    first, second = (
        solve(geometry, w, w, tol=tol, max_iterations=max_iterations, init=start, symmetric=True)
        for geometry, w, start in zip(geometries[1:], (a, b), starts[1:], strict=True)
    )
    parts = (between, first, second)
    value = between.value - (first.value + second.value) / 2
    return Divergence(
        value + jax.lax.stop_gradient(jnp.maximum(value, 0) - value),
        jnp.max(jnp.stack([part.error for part in parts])),
        jnp.stack([part.converged for part in parts]).all(),
        between.iterations + first.iterations.astype(int) + second.iterations.astype(int),
        *parts,
    )
