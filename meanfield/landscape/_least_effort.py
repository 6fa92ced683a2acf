from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, PyTree

from .._checks import check_positive, guard
from .._typing import Scalar


class LeastEffort(eqx.Module):
    """A control that reaches a goal at little effort.

    `control` as it was given; its `effort` and the `cost` that is left; `converged`, whether the cost
    is within the bound to 1 %; `iterations`.
    """

    control: PyTree[Array]
    effort: Scalar
    cost: Scalar
    converged: Bool[Array, ""]
    iterations: Int[Array, ""]


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

    by an augmented Lagrangian (Hestenes; Powell): gradient steps on

        log effort + (max(0, m + penalty log(cost/bound))^2 - m^2)/(2 penalty)

    with m <- max(0, m + penalty log(cost/bound)/10) after each.

    - `outcome`: a differentiable function control -> (effort, cost), both positive, such as a run of
      `ConsensusFlow(flows, Schedule(times))`: `effort` the integral of `flow.power`, `cost` the
      `disagreement` of the end, by `simulate(..., dt=dt, args=control)`.
    - `control`: where to start, such as the values of a constant schedule [k]: not at no effort, whose
      logarithm has no slope.
    - `optimizer`: of optax; `optax.adam(0.05)` by default.

    Stands above `solve` because what it optimizes is a whole run.
    Raises ValueError for a start without effort, and for bound or penalty that are not positive.
    """
    optimizer = optax.adam(0.05) if optimizer is None else optimizer
    bound = check_positive(bound, "bound", "pass a part of the cost without control")
    penalty = check_positive(penalty, "penalty")
    effort, _ = _outcome(outcome, control)
    message = "expected a start of positive effort, got none; pass 0.1 * jax.numpy.ones(k)."
    control = guard(control, effort > 0, message)
    control = _descend(outcome, control, bound, optimizer, iterations, penalty)
    effort, cost = _outcome(outcome, control)
    converged = (cost <= 1.01 * bound.astype(cost.dtype)) & jnp.isfinite(effort)
    return LeastEffort(control, effort, cost, converged, jnp.asarray(iterations))


@eqx.filter_jit
def _outcome(outcome, control) -> tuple[Scalar, Scalar]:
    return outcome(control)


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
