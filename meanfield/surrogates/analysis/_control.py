"""An input chosen so that an objective at the end is least: the direct method, through the solver."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import optimistix as optx
from jax.scipy.special import expit
from jaxtyping import Array, Float
from scipy import optimize

from ..._checks import check_nonnegative, check_positive, shown
from ..._shown import OneLine
from ..._typing import Scalar
from ...solve import ForwardMode
from ..runs import Model, Tabulated, evaluate, solve, times

STEPS = 60
NEAR = 1e-6
"""Where the first search may end, in slope; what the second may lose, in cost."""
EXACT = 1e-12
OBJECTIVE = "the objective"

Objective = Callable[[Array], Array]


@dataclass(frozen=True, repr=False)
class Control(OneLine):
    """An input at its nodes, which are joined by straight lines: `ts`, `values`; the `objective` that it
    reaches; `violations`: the largest excess over each constraint; `converged`: whether the slope that is
    left is below the tolerance that was asked for.

    Slopes are derivatives of the objective by shares of what is between the bounds. On a bound only those
    count that point inwards. They are known to the tolerance of the document's solver.
    """

    symbol: str
    ts: Float[np.ndarray, " k"]
    values: Float[np.ndarray, " k"]
    objective: float
    violations: dict[str, float]
    converged: bool


def control(model: Model, symbol: str, nodes: Any, penalty: float, tol: float) -> Control:
    """The best course of an input between its bounds, from near the middle between them."""
    low, high = _bounds(model, symbol)
    penalty = float(check_nonnegative(penalty, "penalty"))
    tol = float(check_positive(tol, "tol"))
    ts, objective = _nodes(model, nodes), model.document.input.objective
    sign = 1.0 if objective is None or objective.sense == "minimize" else -1.0
    numbers = (jnp.asarray(z) for z in (ts, low, high, penalty, sign))
    cost = _Cost(model, symbol, *numbers)
    best, still = _minimized(cost, len(ts), tol)
    reached, excess = _reached(cost, best)
    return Control(
        symbol,
        ts,
        np.asarray(cost.course(best)),
        float(reached),
        {name: float(jnp.max(each)) for name, each in excess.items()},
        still,
    )


class _Cost(eqx.Module):
    """What is least at the best course, of shares [k] of what is between the bounds at the nodes."""

    model: Model = eqx.field(static=True)
    symbol: str = eqx.field(static=True)
    ts: Float[Array, " k"]
    low: Scalar
    high: Scalar
    penalty: Scalar
    sign: Scalar

    def __call__(self, share: Float[Array, " k"]) -> Scalar:
        reached, excess = self.reached(share)
        broken = sum((jnp.mean(e**2) for e in excess.values()), jnp.asarray(0.0))
        return self.sign * reached + self.penalty * broken

    def course(self, share: Float[Array, " k"]) -> Float[Array, " k"]:
        """The input at the nodes."""
        return self.low + (self.high - self.low) * share

    def reached(self, share: Float[Array, " k"]) -> tuple[Scalar, dict[str, Array]]:
        """The objective at the end, and by how much each constraint is broken at each saved time."""
        model, table = self.model, Tabulated(self.ts, self.course(share))
        options = {"throw": False, "adjoint": ForwardMode()}
        run = solve(model, {self.symbol: table}, times(model), options)
        sides = {name: relation.excess for name, relation in model.constraints.items()}
        found = evaluate(model, run, {**sides, OBJECTIVE: model.objective})
        best = jnp.where(run.ok, jnp.mean(found.pop(OBJECTIVE)[-1]), jnp.nan)
        return best, {name: jnp.maximum(each, 0) for name, each in found.items()}


@eqx.filter_jit
def _reached(cost: _Cost, share: Array) -> tuple[Scalar, dict[str, Array]]:
    return cost.reached(share)


def _minimized(cost: Objective, size: int, tol: float) -> tuple[Array, bool]:
    """A minimum over shares from 0 to 1, from near the middle, and whether its slope is below tol.

    Newton's method in a region of trust, on free numbers of which shares are a logistic map, comes near;
    then the condition of a minimum between bounds is solved, which compares no costs.
    """
    found = optimize.minimize(
        lambda z: float(_free(cost, jnp.asarray(z))),
        # at rest the solver takes steps at which derivatives are unstable: not a constant
        np.linspace(0.5, -0.5, size) if size > 1 else np.zeros(1),
        jac=lambda z: np.asarray(_free_slope(cost, jnp.asarray(z))),
        hess=lambda z: np.asarray(_free_bend(cost, jnp.asarray(z))),
        method="trust-exact",
        options={"gtol": max(tol, NEAR), "maxiter": STEPS},
    )
    near = expit(jnp.asarray(found.x))
    share, left, gain = _finished(cost, near)
    # elsewhere than at a minimum the condition may hold too: then what was found before stays
    if not float(gain) >= -NEAR:
        share, left = near, _left_at(cost, near)
    return share, bool(left <= tol)


@eqx.filter_jit
def _free(cost: Objective, z: Array) -> Scalar:
    return cost(expit(z))


@eqx.filter_jit
def _free_slope(cost: Objective, z: Array) -> Array:
    return jax.jacfwd(lambda y: cost(expit(y)))(z)


@eqx.filter_jit
def _free_bend(cost: Objective, z: Array) -> Array:
    return jax.jacfwd(jax.jacfwd(lambda y: cost(expit(y))))(z)


@eqx.filter_jit
def _left_at(cost: Objective, share: Array) -> Scalar:
    return _left(jax.jacfwd(cost)(share), share)


@eqx.filter_jit
def _finished(cost: Objective, share: Array) -> tuple[Array, Array, Array]:
    """The solution near shares s of

        s = clip(s - c grad(s), 0, 1)

    by Newton's method, c = 1/(largest second derivative); what is left of its slope, and how much it gains.

    Source: Hintermueller, Ito and Kunisch, SIAM J. Optim. 13 (2003) 865.
    """
    slope = jax.jacfwd(cost)
    size = jnp.abs(jnp.diag(jax.jacfwd(slope)(share))).max()

    def condition(s: Array, _: Any) -> Array:
        return s - jnp.clip(s - slope(s) / size, 0, 1)

    solver = optx.Newton(
        rtol=EXACT, atol=EXACT, linear_solver=lx.AutoLinearSolver(well_posed=False)
    )
    found = optx.root_find(condition, solver, share, max_steps=STEPS, throw=False).value
    found = jnp.clip(
        jnp.where(jnp.abs(found - jnp.round(found)) < EXACT, jnp.round(found), found), 0, 1
    )
    return found, _left(slope(found), found), cost(share) - cost(found)


def _left(slope: Array, share: Array) -> Array:
    """The largest slope along which a share can still move."""
    held = ((share <= 0) & (slope > 0)) | ((share >= 1) & (slope < 0))
    return jnp.abs(jnp.where(held, 0, slope)).max()


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
