import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..._checks import at_once, is_concrete, tolerance
from ..._door import door
from ..._products import weighted_sum
from ..._typing import Points, Scalar
from ..costs import (
    Coupling,
    SquaredEuclidean,
    SquaredGeodesic,
    check_dense,
    costs,
    root,
    unit_of,
    weights_or_uniform,
)
from ..exact import assign, circle_coupling, line_coupling, solve_linear_program
from ._transport import AbstractMethod, Transport


class Exact(AbstractMethod):
    """Exact optimal transport, by the cheapest method that the problem allows.

    - On the line, with the squared Euclidean cost: quantiles, O(n log n).
    - On the circle in R^2, with the squared geodesic cost: shifted quantiles, O(n log n).
    - n = m and uniform weights: assignment, O(n^3) at worst.
    - Otherwise a linear program, by a network simplex. It yields the dual potentials, and the plan is
      a vertex: at most n + m - 1 pairs.

    Assignment and linear program are held against a dual solution: the gap, relative to the cost, is in
    `error`. Clouds may be of any scale, and of very different ones at once.

    The cost is differentiable in points and weights: in the points at the fixed optimal plan (the
    envelope theorem), in the weights through quantiles or dual potentials. Under jit, assignment and
    linear program are callbacks on the host; under vmap one runs after the other.

    Raises ValueError if the cost matrix does not fit in memory, and for weights that do not fit.
    """

    @door
    def transport(
        self,
        x: Points,
        y: Float[Array, "m d"],
        a: Float[Array, " n"] | None,
        b: Float[Array, " m"] | None,
        cost: costs.CostFn,
    ) -> Transport:
        a = None if a is None else weights_or_uniform(a, x.shape[0], x.dtype, "a")
        b = None if b is None else weights_or_uniform(b, y.shape[0], y.dtype, "b")
        unit = unit_of(x, y, a, b, cost)
        x, y = x / unit, y / unit
        coupling, method = _coupling(x, y, a, b, cost)
        total, error = _measured(coupling, x, y, a, b, cost)
        # No gap is refined below 1e-12 of the cost.
        converged = (error <= max(tolerance(x.dtype), 1e-11)) & jnp.isfinite(total)
        facts = error, converged, jnp.asarray(coupling.iterations)
        if coupling.potentials is not None:
            scaled = tuple(unit**2 * h for h in coupling.potentials)
            coupling = eqx.tree_at(lambda c: c.potentials, coupling, scaled)
        value, cost_of_all = unit * root(total), unit**2 * total
        return Transport(value, cost_of_all, *facts, coupling, f"exact: {method}")


def has_quantiles(x: Points, cost: costs.CostFn) -> bool:
    """Whether the clouds are on a line or circle, where sorting suffices."""
    d = x.shape[1]
    return (d == 1 and isinstance(cost, SquaredEuclidean)) or (
        d == 2 and isinstance(cost, SquaredGeodesic)
    )


def is_assignment(n: int, m: int, a, b) -> bool:
    """Whether n = m and all weights are known to be equal."""
    return n == m and all(w is None or (is_concrete(w) and _equal(w)) for w in (a, b))


def _equal(w: Float[Array, " n"]) -> bool:
    with at_once(w):
        return bool(jnp.ptp(w) <= 4 * jnp.finfo(w.dtype).eps * w.max())


def _coupling(x, y, a, b, cost) -> tuple[Coupling, str]:
    n, m = x.shape[0], y.shape[0]
    if has_quantiles(x, cost):
        if x.shape[1] == 1:
            return line_coupling(x[:, 0], y[:, 0], a, b), "quantiles on the line"
        first, second = (jnp.arctan2(z[:, 1], z[:, 0]) for z in (x, y))
        return circle_coupling(first, second, a, b), "quantiles on the circle"
    check_dense(n, m, x.dtype.itemsize)
    matrix = jax.lax.stop_gradient(cost.all_pairs(x, y))
    if is_assignment(n, m, a, b):
        return assign(matrix), "assignment"
    w = weights_or_uniform(a, n, x.dtype, "a")
    v = weights_or_uniform(b, m, y.dtype, "b")
    return solve_linear_program(matrix, w, v), "linear program"


@eqx.filter_jit
def _measured(coupling: Coupling, x, y, a, b, cost) -> tuple[Scalar, Scalar]:
    """The mean cost, and the error of the marginals and of optimality."""
    w = weights_or_uniform(a, x.shape[0], x.dtype, "a")
    v = weights_or_uniform(b, y.shape[0], y.dtype, "b")
    # Pairs of mass 0 may be at any distance: let them be the heaviest one.
    used, heaviest = coupling.mass != 0, jnp.argmax(coupling.mass)
    rows, columns = (jnp.where(used, i, i[heaviest]) for i in (coupling.rows, coupling.columns))
    total = weighted_sum(coupling.mass, jax.vmap(cost)(x[rows], y[columns]))
    if coupling.potentials is not None:
        # Nothing, but with the derivative f in a and g in b.
        f, g = coupling.potentials
        total += f @ (w - jax.lax.stop_gradient(w)) + g @ (v - jax.lax.stop_gradient(v))
    gap = jax.lax.stop_gradient(jnp.asarray(coupling.gap, x.dtype))
    return total, coupling.error(w, v) + gap
