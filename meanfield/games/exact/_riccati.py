"""The coupled Riccati equations of models that are not alike, in the time that is left."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optimistix as optx
from jaxtyping import Array, Float

from ..._typing import Scalar
from ...dynamics import AbstractDynamics
from ...solve import ForwardMode, simulate
from ._plays import AbstractPlay, Feedback, Planner

_SPAN, _SPANS, _AWAY = 8, 1024, 32
"""Of infinite horizons: a span in the time of the quickest model, spans at most, and those after a push."""


class Riccati(AbstractDynamics):
    """Values S, gains K and the way of the models to the horizon, per length of an interval left."""

    running: Float[Array, " models"]
    rows: Float[Array, "models models"]
    rate: Scalar
    kind: AbstractPlay

    def drift(self, t: Scalar, state: tuple, args: Any) -> tuple:
        values, gains, way = state
        used, rows = self.used(values, gains), self.rows
        closed = self.rate * jnp.eye(len(rows), dtype=rows.dtype) - used
        paid = (
            jnp.einsum("i,ij,ik->ijk", self.running, rows, rows) + used[:, :, None] * used[:, None]
        )
        grown = jnp.swapaxes(closed, 0, 1) @ values + values @ closed + paid
        gained = 2 * self.rate * gains - gains @ gains + self.felt(self.running)
        rates = *self.apart(grown, gained), way @ closed
        return jax.tree.map(lambda rate: args * rate, rates)

    def apart(self, values: Array, gains: Array) -> tuple[Array, Array]:
        """Without what all have in common: it costs nothing, and its rounding would grow with the drift."""
        n = len(self.rows)
        apart = jnp.eye(n, dtype=gains.dtype) - 1 / n
        return apart @ values @ apart, gains @ apart

    def check(self, state: Any) -> Any:
        return state

    def used(self, values: Array, gains: Array) -> Float[Array, "models models"]:
        """Row i of S_i in feedback, where the other gains are not used."""
        return jnp.einsum("iij->ij", values) if isinstance(self.kind, Feedback) else gains

    def felt(self, weights: Float[Array, " models"]) -> Float[Array, "models models"]:
        """What drives the gains: in Nash each feels its own distance, that its own moves share in."""
        if isinstance(self.kind, Planner):
            return self.rows.T @ (weights[:, None] * self.rows)
        return (weights * jnp.diag(self.rows))[:, None] * self.rows

    def earlier(self, state: tuple, length: Scalar, adjoint: Any = None) -> tuple:
        """Values, gains and the way, with so much more time left; NaN where it is not known."""
        rows, dtype = self.rows, self.rows.dtype
        still, whole = jnp.eye(len(rows), dtype=dtype), jnp.asarray([0, 1], dtype)
        tol = max(1e-11, 64 * float(jnp.finfo(dtype).eps))
        ways = {"tol": tol, "throw": False, "adjoint": adjoint}
        run = simulate(self, (*state, still), whole, args=length, **ways)
        return jax.tree.map(lambda a: jnp.where(run.ok, a, jnp.nan), run.final)


@eqx.filter_jit
def backward(equations: Riccati, terminal: Float[Array, " models"], ts: Float[Array, " times"]):
    """Gains and values at `ts`, and the matrices that lead from each to the next."""
    rows, used = equations.rows, equations.used
    values = jnp.einsum("i,ij,ik->ijk", terminal, rows, rows)
    start = values, equations.felt(terminal)

    def interval(state, length):
        values, gains, way = equations.earlier(state, length)
        return (values, gains), (used(values, gains), values, way)

    back = jax.lax.scan(interval, start, jnp.diff(ts), reverse=True)[1]
    end = used(*start), start[0]
    gains, values = (jnp.concatenate([a, b[None]]) for a, b in zip(back[:2], end, strict=True))
    return gains, values, back[2]


@eqx.filter_jit
def stationary(equations: Riccati) -> tuple[Array, Array]:
    """Gains and values of an infinite horizon, NaN where long ones do not come to rest there."""
    q, dtype = equations.running, equations.rows.dtype
    n, speed = len(q), jnp.abs(equations.rate)
    # Each model in units of its own gain, so that slow ones are waited for.
    own = jnp.maximum(equations.rate, 0) + q / jnp.where(q > 0, speed + jnp.sqrt(q), 1)
    unit = jnp.where(own > 0, own, 1)
    units = unit[:, None, None], unit[:, None]
    length = _SPAN / (speed + jnp.sqrt(q.max()))
    later = lambda state, _: _span(equations, state, units, length)
    tol = max(1e-12, 64 * float(jnp.finfo(dtype).eps))
    wide = jnp.result_type(float)  # of what the iteration keeps, whatever the precision of the game
    start = jnp.zeros((n, n, n), wide), jnp.zeros((n, n), wide)
    method = optx.FixedPointIteration(rtol=tol, atol=tol)
    found = optx.fixed_point(later, method, start, max_steps=_SPANS, throw=False)
    back = _returned(later, found.value, float(jnp.finfo(dtype).eps) ** 0.5)
    ok = (found.result == optx.RESULTS.successful) & back
    sized = jax.tree.map(
        lambda a, u: jnp.where(ok, a.astype(dtype) * u, jnp.nan), found.value, units
    )
    return equations.used(*sized), sized[0]


@eqx.filter_jit
def _span(equations: Riccati, state: tuple, units: tuple, length: Scalar) -> tuple:
    """Values and gains, in these units, with so much more time left."""
    sized = jax.tree.map(lambda a, unit: a.astype(unit.dtype) * unit, state, units)
    values, gains, _ = equations.earlier(sized, length, ForwardMode())
    after = jax.tree.map(jnp.divide, equations.apart(values, gains), units)
    return jax.tree.map(lambda a, b: a.astype(b.dtype), after, state)


def _returned(later, rest: tuple, size: float):
    """Whether what is a little off comes back."""
    some = lambda a: jnp.cos(1 + jnp.arange(a.size, dtype=a.dtype)).reshape(a.shape)
    pushed = jax.tree.map(lambda a: a + size * some(a), rest)
    end = jax.lax.fori_loop(0, _AWAY, lambda _, state: later(state, None), pushed)
    return optx.max_norm(jax.tree.map(jnp.subtract, end, rest)) < size
