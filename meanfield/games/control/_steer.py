from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from ..._checks import (
    check_finite,
    check_instance,
    check_integer,
    check_known,
    check_positive,
    guard,
)
from ..._door import door
from ..._shown import AbstractShown
from ..._typing import Scalar
from ...dynamics import AbstractParticles, FokkerPlanck
from ..equilibrium import minimized
from ._interests import one_number
from ._numbers import numbers_of, with_numbers
from ._pontryagin import denser, norms
from ._steered import AbstractInIntervals, check_jumps, played

Rows = Float[Array, "_ k"]
State = Float[Array, "*state"]
"""A cloud [n, d], or the coefficients [k] of a law."""


class Steering(AbstractShown):
    """The best control of some numbers of a flow, and what it costs.

    `controls`: what is added to the numbers, as `where` returns them, with the times `ts` [T] as first
    axis unless they are constant; `x` [T, ...]: the cloud [n, d], or the law [k], at these times;
    `cost`, of which `effort` is spent on the control; `idle`: the cost without control; `residual`: how
    far the control is from the maximum principle, |u + p|/|u|; `converged`: whether a minimum was found.
    """

    ts: Float[Array, " times"]
    controls: PyTree[Float[Array, "..."]]
    x: Float[Array, "times ..."]
    cost: Scalar
    effort: Scalar
    idle: Scalar
    residual: Scalar
    converged: Bool[Array, ""]


@door
def steer(
    flow: AbstractParticles | FokkerPlanck,
    where: Callable[[Any], Any],
    terminal: Callable[[State], Scalar],
    x0: State,
    ts: Float[Array, " times"],
    *,
    effort: Scalar | float = 1.0,
    running: Callable[[State, Any], Scalar] | None = None,
    constant: bool = False,
    guess: Any = None,
    steps: int = 1,
    max_steps: int = 512,
) -> Steering:
    """The control of any numbers of a flow that is best: temperatures, matrices, weights of a network.

        min  int (effort/2 |u|^2 + running(x, flow_u)) dt + terminal(x(T)),    x' = flow_u(x)

    flow_u is the flow with u(t) added to the numbers that `where` picks, as in `equinox.tree_at`, and
    |u|^2 the sum of their squares. Controls are those at the times ts, linear between them; L-BFGS finds
    them by gradients through the run. `residual` is that of

        u = -p/effort,    p(t) = d(cost)/du at time t

    on times twice as dense, as `pontryagin_residual` has it: a certificate of the search and of the times.

    - `flow`: of a cloud [n, d], without noise, or a `FokkerPlanck`, whose states are laws [k]. Steps are
      explicit, so that its diffusion limits them; a law that is negative has not converged.
    - `where`: `lambda flow: flow.attention.beta` steers the temperature; `lambda flow:
      flow.terms[1].function`, an equinox module, a feedback; `lambda flow: flow.potential.weights`, an
      energy that a law feels.
    - `terminal`: of the last cloud or law. `running(x, flow_u)`: a rate, such as the effort of a feedback
      in a norm of its own, `lambda x, flow: jnp.mean(flow.terms[1].drift(0.0, x, None)**2)`.
    - `effort`: > 0. `constant`: one control for all times. `guess`: `controls` to start from.
    - `steps`: of the integrator between two of the times. `max_steps`: of L-BFGS.

    Raises ValueError for flows with noise or radii, or that jump between two of the times, a `where` that
    picks no real numbers, costs that are not one number, and under jit.
    Source: Pontryagin, Boltyanskii, Gamkrelidze, Mishchenko (1962); E, Han, Li, arXiv 1807.01083, for
    the weights of layers.
    """
    check_instance(flow, AbstractParticles | FokkerPlanck, "a flow", "pass AttentionFlow(...)")
    if isinstance(flow, AbstractParticles) and flow.noise is not None:
        raise ValueError("expected a flow without noise, got one with; leave out noise.")
    check_known((flow, x0, ts, effort), "a flow", "call it outside of jax.jit")
    x0 = flow.check(x0)
    if not isinstance(x0, jax.Array):
        raise ValueError("expected a flow of a cloud [n, d], got radii; pass PostNorm().")
    effort, steps = check_positive(effort, "effort").astype(x0.dtype), check_integer(steps, "steps")
    limit = check_integer(max_steps, "max_steps")
    ts = check_finite(ts, "ts").astype(x0.dtype)
    rising = bool((jnp.diff(ts) > 0).all()) and len(ts) > 1
    guard(
        ts, rising, "expected two or more increasing times ts; pass jax.numpy.linspace(0., 1., 11)."
    )
    check_jumps(flow, ts)
    flat, unravel = numbers_of(flow, where)
    size = 1 if constant else len(ts)
    start = _rows(guess, size, flat.size, constant).astype(x0.dtype)
    problem = _Problem(flow, where, terminal, running, effort, steps)
    best, numbers = _best(problem, start, x0, ts, limit)
    shaped = jax.vmap(unravel)(best.astype(flat.dtype))
    controls = jax.tree.map(lambda a: a[0], shaped) if constant else shaped
    return Steering(ts, controls, *numbers)


def _rows(guess: Any, size: int, k: int, constant: bool) -> Rows:
    """Controls to start from, a row a time."""
    if guess is None:
        return jnp.zeros((size, k))
    leaves = [check_finite(a, "guess") for a in jax.tree.leaves(guess)]
    short = leaves and sum(leaf.size for leaf in leaves) == size * k
    if not short or (not constant and any(a.ndim < 1 or len(a) != size for a in leaves)):
        raise ValueError("expected a guess as controls are returned; leave it out.")
    return jnp.concatenate([a.reshape(size, -1) for a in leaves], axis=1)


class _Problem(eqx.Module):
    """A flow, what of it is steered, and what that costs."""

    flow: AbstractParticles | FokkerPlanck
    where: Callable
    terminal: Callable
    running: Callable | None
    effort: Scalar
    steps: int = eqx.field(static=True)

    def steered(self, u: Float[Array, " k"]) -> AbstractParticles | FokkerPlanck:
        return with_numbers(self.flow, self.where, u)

    def play(self, u: Rows, x0: State, ts: Float[Array, " times"]):
        """The cost, NaN where steps are too long, its effort, and the clouds."""
        whole = jnp.broadcast_to(u, (len(ts), u.shape[1]))
        nothing = jnp.zeros((), x0.dtype)
        start = x0, nothing, nothing
        (x, spent, paid), path, ok = played(_Driven(self, ts, whole), start, self.steps)
        project = self.flow.project
        cost = spent + paid + one_number(self.terminal(project(x)), "terminal").astype(x.dtype)
        return jnp.where(ok, cost, jnp.nan), (spent, jax.vmap(project)(path))


class _Driven(AbstractInIntervals):
    """A cloud under given controls, what has been spent on them, and what else has been paid."""

    problem: _Problem
    ts: Float[Array, " times"]
    controls: Rows

    def within(self, k: Int[Array, ""], share: Scalar, state: tuple) -> tuple:
        problem, x = self.problem, state[0]
        now, length = self.time(k, share)
        u = (1 - share) * self.controls[k] + share * self.controls[k + 1]
        flow = problem.steered(u)
        paid = jnp.zeros((), x.dtype)
        if problem.running is not None:
            at = problem.flow.project(x)
            paid = one_number(problem.running(at, flow), "running").astype(x.dtype)
        moved = flow.drift(now, x, None)
        return length * moved, length * problem.effort * jnp.sum(u**2) / 2, length * paid

    def check(self, state: Any) -> Any:
        return state


@eqx.filter_jit
def _best(problem: _Problem, start: Rows, x0: State, ts, max_steps: int):
    cost = lambda u, _: problem.play(u, x0, ts)[0]
    best, ok = minimized(cost, start, max_steps)
    paid, (spent, x) = problem.play(best, x0, ts)
    idle = cost(jnp.zeros_like(start), None)
    residual = _residual(problem, best, x0, ts)
    for right in jax.vmap(problem.flow.requirements)(x).values():
        ok &= right.all()
    return best, (x, paid, spent, idle, residual, ok & jnp.isfinite(paid))


def _residual(problem: _Problem, best: Rows, x0: State, ts) -> Scalar:
    """|u + p/effort|/|u| in L2 of time, on times twice as dense."""
    fine, times = denser(best, ts)
    slope = jax.grad(lambda u: problem.play(u, x0, times)[0])(fine)
    off, size = norms(slope / problem.effort, fine, times)
    rest = off == 0  # where no control is needed, and none is taken
    return jnp.where(rest, 0, jnp.sqrt(off / jnp.where(rest, 1, size)))
