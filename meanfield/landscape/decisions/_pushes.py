from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..._checks import (
    as_array,
    check_finite,
    check_integer,
    check_positive,
    guard,
    is_concrete,
    raise_at_run_time,
)
from ..._door import door
from ..._shown import AbstractShown
from ..._typing import Points, Scalar
from ...dynamics import AbstractParticles
from ...solve import SolveError, simulate
from ...transport.costs import weights_or_uniform

_REMEDY = "raise max_steps or tol, give more times, or end before the flow blows up"


class Pushes(AbstractShown):
    """How much an outcome changes by a push at each time of a run, to first order.

    - `ts` [T]; `x` [T, n, d]: the run; `value`: its outcome;
    - `size` [T]: the largest change of the outcome per unit of effort of a push at that time;
    - `direction` [T, n, d]: the push of effort one that makes it, tangent; 0 where `size` is 0.
    """

    ts: Float[Array, " T"]
    x: Float[Array, "T n d"]
    value: Scalar
    size: Float[Array, " T"]
    direction: Float[Array, "T n d"]


@door
def pushes(
    flow: AbstractParticles,
    x0: Points,
    ts: Float[Array, " T"],
    outcome: Callable[[Points], Scalar],
    *,
    tol: Scalar | float = 1e-6,
    args: Any = None,
    max_steps: int = 4096,
) -> Pushes:
    """The sensitivity of the outcome of a run to a push u at time t, by one adjoint run for all times.

        outcome(x(T)) = value + sum_i w_i <g_i(t), u_i> + O(u^2),    x(t+) = x(t) + u

        size(t) = (sum_i w_i |g_i(t)|^2)^{1/2},    direction(t) = g(t)/size(t)

    A push is sudden; its effort is (sum_i w_i |u_i|^2)^{1/2}, the W2 distance by which it moves the cloud.
    Where the flow passes a saddle, the size of a push before it is e^{lambda t} times what is left of it
    when the saddle has been left t later, lambda the unstable eigenvalue. Differentiates through the
    steps that were taken, whose size the state decides: near rest, where steps are long, give many `ts`.

    - `ts` [T]: times of pushes, increasing: the run starts at the first, and the outcome is that of the last.
    - `outcome`: a differentiable function of the final cloud [n, d] with one value, such as
      `lambda x: x[0] @ x[1] - x[0] @ x[2]`: who is nearer to token 0. Its sign is a decision. Take the end
      before clusters have settled: what is settled does not change, to first order.
    - `tol`: of the run's steps; `max_steps`: the most of them between two times.

    Raises ValueError for a flow with noise, whose outcome is a probability: see `basins`; for a token
    of no mass, whose push would be free; for an outcome that is not one number. Raises SolveError if the
    run fails.
    Source: Pontryagin, Boltyanskii, Gamkrelidze, Mishchenko (1962), for the adjoint; ours.
    """
    if flow.noise is not None:
        raise ValueError(
            "expected a flow without noise, got one with; use basins for its outcomes."
        )
    x0, max_steps = check_finite(flow.check(x0), "x0"), check_integer(max_steps, "max_steps")
    ts = check_finite(ts, "ts").astype(x0.dtype)
    if ts.shape[0] < 2:
        raise ValueError("expected at least two times, the start first, got one; add the end.")
    ts = guard(ts, (jnp.diff(ts) > 0).all(), "expected increasing times; sort ts.")
    w = weights_or_uniform(flow.weights, len(x0), x0.dtype, "weights")
    w = guard(w, (w > 0).all(), "expected weights > 0, got a token of no mass; leave it out.")
    found, ok = _pushes(flow, x0, ts, outcome, w, check_positive(tol, "tol"), args, max_steps)
    return _unless_failed(found, ok, ts)


def _unless_failed(found: Pushes, ok: Bool[Array, " parts"], ts: Float[Array, " T"]) -> Pushes:
    if not is_concrete(ok):
        return raise_at_run_time(found, ok.all(), f"the run failed: {_REMEDY}.")
    if not ok.all():
        k = int(jnp.argmin(ok))
        raise SolveError(f"The run failed between t = {ts[k]:.6g} and {ts[k + 1]:.6g}: {_REMEDY}.")
    return found


@eqx.filter_jit
def _pushes(
    flow, x0, ts, outcome, w, tol, args, max_steps: int
) -> tuple[Pushes, Bool[Array, " parts"]]:
    """The pushes, and whether the run went well from each time to the next."""
    geometry = flow.geometry

    def value(shifts: Float[Array, "T n d"]):
        def interval(x: Points, part):
            shift, start, end = part
            run = simulate(
                flow, geometry.project(x + geometry.to_tangent(x, shift)), jnp.stack([start, end]),
                tol=tol, args=args, max_steps=max_steps, throw=False,
            )  # fmt: skip
            return run.final, (x, run.ok)

        last, (x, ok) = jax.lax.scan(interval, x0, (shifts[:-1], ts[:-1], ts[1:]))
        pushed = geometry.project(last + geometry.to_tangent(last, shifts[-1]))
        found = as_array(outcome(pushed), "the value of outcome")
        if found.shape != ():
            raise ValueError(
                f"expected outcome to return one number, got shape {list(found.shape)}; sum its parts."
            )
        return found, (jnp.concatenate([x, last[None]]), ok)

    still = jnp.zeros((len(ts), *x0.shape), x0.dtype)
    (found, (x, ok)), slope = jax.value_and_grad(value, has_aux=True)(still)
    slope = slope / w[:, None]
    size = jnp.sqrt(jnp.sum(w[:, None] * slope**2, axis=(1, 2)))
    scale = jnp.where(size > 0, size, 1)[:, None, None]
    return Pushes(ts, x, found, size, slope / scale), ok
