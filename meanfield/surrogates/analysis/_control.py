"""An input chosen so that an objective at the end is least: the direct method, through the solver."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import expit
from jaxtyping import Array, Float
from scipy import optimize

from ..._checks import check_nonnegative, check_positive, shown
from ..._shown import OneLine
from ...solve import ForwardMode
from ..runs import Model, Tabulated, evaluate, solve, times

STEPS = 60
OBJECTIVE = "the objective"


@dataclass(frozen=True, repr=False)
class Control(OneLine):
    """An input at its nodes, which are joined by straight lines: `ts`, `values`; the `objective` that it
    reaches; `violations`: the largest excess over each constraint; `converged`: whether the slope that is
    left is below the tolerance that was asked for.

    The search compares costs, which are known to the tolerance of the document's solver. It ends where they
    no longer differ by more, at slopes of a fraction of the root of that tolerance: smaller ones are out of
    reach, and then `converged` is False though the objective is as good as the solver tells.
    """

    symbol: str
    ts: Float[np.ndarray, " k"]
    values: Float[np.ndarray, " k"]
    objective: float
    violations: dict[str, float]
    converged: bool


def control(model: Model, symbol: str, nodes: Any, penalty: float, tol: float) -> Control:
    """The best course of an input between its bounds, from the middle between them."""
    low, high = _bounds(model, symbol)
    penalty = float(check_nonnegative(penalty, "penalty"))
    tol = float(check_positive(tol, "tol"))
    ts, objective = _nodes(model, nodes), model.document.input.objective
    sign = 1.0 if objective is None or objective.sense == "minimize" else -1.0

    def course(free: Array) -> Array:
        return low + (high - low) * expit(free)

    def both(free: Array) -> tuple[Array, dict[str, Array]]:
        table = Tabulated(jnp.asarray(ts), course(free))
        run = solve(
            model, {symbol: table}, times(model), {"throw": False, "adjoint": ForwardMode()}
        )
        sides = {name: relation.excess for name, relation in model.constraints.items()}
        found = evaluate(model, run, {**sides, OBJECTIVE: model.objective})
        best = jnp.where(run.ok, jnp.mean(found.pop(OBJECTIVE)[-1]), jnp.nan)
        return best, {name: jnp.maximum(each, 0) for name, each in found.items()}

    def cost(free: Array) -> Array:
        reached, excess = both(free)
        return sign * reached + penalty * sum(
            (jnp.mean(e**2) for e in excess.values()), jnp.asarray(0.0)
        )

    best, still = _minimized(cost, len(ts), tol)
    reached, excess = eqx.filter_jit(both)(best)
    return Control(
        symbol,
        ts,
        np.asarray(course(best)),
        float(reached),
        {name: float(jnp.max(each)) for name, each in excess.items()},
        still,
    )


def _minimized(cost: Callable[[Array], Array], size: int, tol: float) -> tuple[Array, bool]:
    """A minimum by Newton's method in a region of trust, from zeros, and whether its slope is below tol."""
    value, slope, bend = (
        eqx.filter_jit(f) for f in (cost, jax.jacfwd(cost), jax.jacfwd(jax.jacfwd(cost)))
    )
    found = optimize.minimize(
        lambda z: float(value(jnp.asarray(z))),
        np.zeros(size),
        jac=lambda z: np.asarray(slope(jnp.asarray(z))),
        hess=lambda z: np.asarray(bend(jnp.asarray(z))),
        method="trust-exact",
        options={"gtol": tol, "maxiter": STEPS},
    )
    # Rounding of the cost may stop the search before its slope is that small.
    return jnp.asarray(found.x), bool(np.abs(found.jac).max() <= tol)


def _nodes(model: Model, nodes: Any) -> np.ndarray:
    """Times of nodes: so many evenly spaced ones, or those given."""
    axis = model.document.modeling.independent
    if isinstance(nodes, int) and not isinstance(nodes, bool):
        if not 1 <= nodes <= 1000:
            raise ValueError(f"expected 1 to 1000 nodes, got {shown(nodes)}; pass nodes=20.")
        return np.linspace(axis.start, axis.stop, nodes)
    try:
        ts = np.asarray(nodes, float)
    except (TypeError, ValueError, OverflowError):
        ts = np.array(np.nan)
    if ts.ndim != 1 or ts.size < 1 or not np.isfinite(ts).all() or (np.diff(ts) <= 0).any():
        raise ValueError(
            "expected increasing times of nodes, got others; pass nodes=20, or such times."
        )
    return ts


def _bounds(model: Model, symbol: str) -> tuple[float, float]:
    if model.objective is None:
        raise ValueError("expected an objective, got none; add input.objective to the document.")
    if model.noises:
        raise ValueError(
            "expected equations without noise, got some with it; write those of the means."
        )
    rows = {row.symbol: row for row in model.document.input.unknowns if row.role == "input"}
    bounds = rows[symbol].bounds if isinstance(symbol, str) and symbol in rows else None
    if bounds is None:
        raise ValueError(
            f"expected an input with bounds among input.unknowns, got {symbol!r}; add it there with bounds."
        )
    return bounds[0], bounds[1]
