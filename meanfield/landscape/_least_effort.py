from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int, PyTree
from scipy.optimize import minimize

from .._checks import check_finite, check_integer, check_known, check_positive, guard, shown
from .._door import door
from .._shown import AbstractShown
from .._typing import Scalar

_FEASIBLE = 0.01
"""How much the cost may exceed its bound, in relative terms."""
_STATIONARY = 0.03
"""The residual of stationarity up to which a control counts as optimal. Where effort is quadratic and the
constraint linear, the effort exceeds the least by a share r^2/(1 - r^2)."""


class LeastEffort(AbstractShown):
    """A control that reaches a goal at little effort.

    `control` as it was given; its `effort` and the `cost` that is left; `residual`, how far it is from
    optimal; `multiplier`, the percents of effort that one percent of the bound costs; `iterations`.
    `converged`: whether the cost is within the bound to 1 %, and the conditions of Karush, Kuhn and
    Tucker hold: a multiplier >= 0 makes the residual |grad log effort + multiplier grad log cost| /
    |grad log effort| at most .03, and the cost is at its bound to 1 %. Such a control is optimal among
    those nearby if they satisfy the usual second-order conditions.
    """

    control: PyTree[Array]
    effort: Scalar
    cost: Scalar
    residual: Scalar
    multiplier: Scalar
    converged: Bool[Array, ""]
    iterations: Int[Array, ""]


@door
def least_effort(
    outcome: Callable[[PyTree[Array]], tuple[Scalar, Scalar]],
    control: PyTree[Float[Array, "..."]],
    bound: Scalar | float,
    *,
    optimizer: optax.GradientTransformation | None = None,
    iterations: int = 100,
    penalty: Scalar | float = 10.0,
) -> LeastEffort:
    """The control of least effort whose final cost is at most a bound.

        min effort(c)  subject to  log(cost(c)/bound) <= 0

    by sequential quadratic programming (Kraft; SciPy's SLSQP), on the host. With an `optimizer` by an
    augmented Lagrangian instead (Hestenes; Powell), which can do with kinks: gradient steps on

        log effort + (max(0, m + penalty log(cost/bound))^2 - m^2)/(2 penalty)

    with m <- max(0, m + penalty log(cost/bound)/10) after each.

    - `outcome`: a differentiable function control -> (effort, cost), both positive, such as a run of
      `ConsensusFlow(flows, Schedule(times))`: `effort` the integral of `flow.power`, `cost` the
      `disagreement` of the end, by `simulate(..., dt=dt, args=control)`.
    - `control`: where to start, such as the values of a constant schedule [k]: not at no effort, whose
      logarithm has no slope.
    - `optimizer`: of optax, such as `optax.adam(0.05)`. `iterations`: its steps, or, at most, those of
      SLSQP. `penalty` is that of the augmented Lagrangian.

    Stands above `solve` because what it optimizes is a whole run.
    Raises ValueError for a start without effort, for bound, penalty or iterations that are not
    positive, and under jit.
    Source: Nocedal and Wright, Numerical Optimization (2006), chapters 12, 17 and 18.
    """
    bound = check_positive(bound, "bound", "pass a part of the cost without control")
    penalty = check_positive(penalty, "penalty")
    iterations = check_integer(iterations, "iterations")
    control = jax.tree.map(lambda part: check_finite(part, "control"), control)
    check_known((control, bound, penalty), "a control", "call least_effort outside of jax.jit")
    effort, _ = _outcome(outcome, control)
    message = "expected a start of positive effort, got none; pass 0.1 * jax.numpy.ones(k)."
    control = guard(control, effort > 0, message)
    if optimizer is None:
        control, iterations = _program(outcome, control, bound, iterations)
    else:
        control = _descend(outcome, control, bound, optimizer, iterations, penalty)
    return _judged(outcome, control, bound, jnp.asarray(iterations))


@eqx.filter_jit
def _outcome(outcome, control) -> tuple[Scalar, Scalar]:
    found = outcome(control)
    if not isinstance(found, tuple) or [jnp.shape(part) for part in found] != [(), ()]:
        raise ValueError(
            f"expected outcome to return (effort, cost), got {shown(found)}; return two numbers."
        )
    return found


@eqx.filter_jit
def _slopes(outcome, flat: Float[Array, " k"], unravel: Callable):
    """log effort and log cost, and their gradients [2, k]."""

    def logs(flat):
        values = jnp.log(jnp.stack(outcome(unravel(flat))))
        return values, values

    slopes, values = jax.jacrev(logs, has_aux=True)(flat)
    return values, slopes


def _program(outcome, control, bound, iterations: int) -> tuple[PyTree[Array], int]:
    """SciPy's SLSQP on log effort, in double precision."""
    first, unravel = ravel_pytree(control)
    known: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}

    def at(flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if (key := flat.tobytes()) not in known:
            known.clear()
            found = _slopes(outcome, jnp.asarray(flat, first.dtype), unravel)
            known[key] = np.asarray(found[0], np.float64), np.asarray(found[1], np.float64)
        return known[key]

    limit = float(np.log(float(bound)))
    within = {
        "type": "ineq",
        "fun": lambda flat: limit - at(flat)[0][1],
        "jac": lambda flat: -at(flat)[1][1],
    }
    found = minimize(
        lambda flat: (at(flat)[0][0], at(flat)[1][0]), np.asarray(first, np.float64), jac=True,
        method="SLSQP", constraints=[within], options={"maxiter": iterations, "ftol": 1e-9},
    )  # fmt: skip
    return unravel(jnp.asarray(found.x, first.dtype)), int(found.nit)


@eqx.filter_jit
def _judged(outcome, control, bound, iterations) -> LeastEffort:
    """The control with its multiplier, that of least squares, and whether both are optimal."""
    flat, unravel = ravel_pytree(control)
    (log_effort, log_cost), (effort_slope, cost_slope) = _slopes(outcome, flat, unravel)
    square = cost_slope @ cost_slope
    multiplier = jnp.maximum(-(effort_slope @ cost_slope) / jnp.where(square > 0, square, 1), 0)
    left = jnp.linalg.norm(effort_slope + multiplier * cost_slope)
    residual = left / jnp.linalg.norm(effort_slope)
    excess = log_cost - jnp.log(bound.astype(log_cost.dtype))
    converged = (jnp.abs(excess) <= _FEASIBLE) & (residual <= _STATIONARY)
    effort, cost = jnp.exp(log_effort), jnp.exp(log_cost)
    return LeastEffort(control, effort, cost, residual, multiplier, converged, iterations)


@eqx.filter_jit
def _descend(outcome, control, bound, optimizer, iterations: int, penalty) -> PyTree[Array]:
    def lagrangian(control, multiplier):
        effort, cost = outcome(control)
        excess = jnp.log(cost / bound.astype(cost.dtype))
        force = jnp.maximum(multiplier + penalty.astype(cost.dtype) * excess, 0)
        return jnp.log(effort) + force**2 / (2 * penalty.astype(cost.dtype)), excess

    def step(carry, _):
        control, state, multiplier = carry
        slope, excess = jax.grad(lagrangian, has_aux=True)(control, multiplier)
        with jax.numpy_dtype_promotion("standard"):  # optax raises numbers to its integer count
            updates, state = optimizer.update(slope, state, control)
        pushed = jnp.maximum(multiplier + penalty.astype(excess.dtype) * excess / 10, 0)
        return (optax.apply_updates(control, updates), state, pushed), None

    first = control, optimizer.init(control), jnp.ones((), jax.tree.leaves(control)[0].dtype)
    (control, _, _), _ = jax.lax.scan(step, first, None, length=iterations)
    return control
