"""Sinkhorn's iteration with Anderson's acceleration, by log-sum-exps or by products with a kernel."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ..._typing import Scalar
from ._absorbed import RANGES, kernel_of
from ._implicit import Pair
from ._marginals import Problem

MEMORY = 16
"""Steps that are remembered."""
_GROWTH = 2.0
"""The growth of the error from which a step is taken back."""
_REACH, _LONGER, _SHORTER = 8.0, 2.0, 4.0
"""How far a step goes beyond the plain one at most, in lengths of that, at first; by what that grows with
each step, and falls with each that is taken back."""

_Sweep = Callable[[Float[Array, " n"]], tuple[Float[Array, " m"], Float[Array, " n"]]]
"""From f to the g that is optimal for it, and to the f that is optimal for that g."""


class _State(NamedTuple):
    """Where the next iteration is made; the last pair whose rows are right, and its residual; how f and
    the residual moved in the last steps; steps since these were forgotten; how far a step may go; the
    dual value of f; the error of rows before they were made right; iterations; whether the last one
    led to numbers."""

    f: Float[Array, " n"]
    pair: Pair
    residual: Float[Array, " n"]
    moved: Float[Array, "k n"]
    turned: Float[Array, "k n"]
    steps: Int[Array, ""]
    reach: Scalar
    value: Scalar
    error: Scalar
    count: Int[Array, ""]
    known: Bool[Array, ""]


def accelerated(
    problem: Problem, costs: Float[Array, "n m"] | None, init: Pair, tol: Scalar, most: int
) -> tuple[Pair, Int[Array, ""]]:
    """Potentials of a balanced plan, rows right and columns to `tol`, or those after `most` iterations,
    and the count.

        T f = rows(columns(f)),    r = T f - f,    f <- T f - sum_k theta_k (T f_k - T f_{k-1})

    with theta of least |r - sum_k theta_k (r_k - r_{k-1})| in the masses of rows. Near the solution
    T is linear with slopes in [0, 1) that are symmetric in these masses, and this is what conjugate
    gradients would find, with no rate to be known beforehand. A step that lowers the dual value or doubles
    the error is taken back for the plain one, which does neither, and the memory emptied; then steps go
    less far beyond plain ones, and further again with each that is taken.

    Where `costs` are a matrix, an iteration is two products with the kernel that has absorbed the
    potentials. Where these leave its range an iteration is made by log-sum-exps, as all are without
    `costs`, and the kernel formed again.

    Source: Anderson (1965), doi:10.1145/321296.321305; Walker and Ni (2011), doi:10.1137/10078356X.
    """

    def going(s: _State):
        return (s.error > tol) & (s.count < most)

    def by_sums(s: _State) -> _State:
        return _step(problem, functools.partial(_by_sums, problem), s)

    def absorbing(s: _State) -> _State:
        s = by_sums(s)
        at = s.pair
        sweep = functools.partial(_by_products, problem, kernel_of(problem, costs, at), at)
        reach = RANGES[jnp.finfo(problem.a.dtype).bits] * problem.epsilon
        near = lambda s: jnp.abs(jnp.where(here, s.f - at[0], 0)).max() <= reach
        return jax.lax.while_loop(
            lambda s: going(s) & s.known & near(s), lambda s: _step(problem, sweep, s), s
        )

    here = problem.present()[0]
    one = jnp.full((), _REACH, problem.a.dtype)
    far, none = jnp.full((), jnp.inf, problem.a.dtype), jnp.zeros((), int)
    empty = jnp.zeros((MEMORY, problem.a.size), problem.a.dtype)
    zero = jnp.zeros_like(problem.a)
    start = _State(
        init[0], init, zero, empty, empty, none, one, -far, far, none, jnp.ones((), bool)
    )
    found = jax.lax.while_loop(going, by_sums if costs is None else absorbing, start)
    return found.pair, found.count


def _by_sums(problem: Problem, f: Float[Array, " n"]) -> Pair:
    g = problem.update(f, 0)
    return problem.update(g, 1), g


def _by_products(problem: Problem, kernel: Float[Array, "n m"], at: Pair, f) -> Pair:
    """The same by the kernel that has absorbed the potentials `at`."""
    eps, (here, there) = problem.epsilon, problem.present()
    with jax.default_matmul_precision("highest"):
        total = (problem.a * jnp.exp(jnp.where(here, f - at[0], 0) / eps)) @ kernel
        v = -jnp.log(jnp.where(there, total, 1))
        total = kernel @ (problem.b * jnp.exp(v))
    return at[0] - eps * jnp.log(jnp.where(here, total, 1)), at[1] + eps * v


def _step(problem: Problem, sweep: Callable, s: _State) -> _State:
    """One iteration, and what those before suggest for the next."""
    here = problem.present()[0]
    image, g = sweep(s.f)
    residual = jnp.where(here, image - s.f, 0)
    error = (problem.a * jnp.abs(jnp.expm1(-residual / problem.epsilon))).sum()
    known = jnp.isfinite(jnp.where(here, image, 0)).all()
    value, slack = _dual(problem, s.f, g)
    good = known & (value >= s.value - slack) & (error <= _GROWTH * s.error)  # NaN is not
    keep = lambda now, before: jnp.where(good, now, before)
    slot, later = s.steps % MEMORY, good & (s.steps > 0)
    remember = lambda rows, row: keep(jnp.where(later, rows.at[slot].set(row), rows), 0)
    moved = remember(s.moved, jnp.where(here, image - s.pair[0], 0))
    turned = remember(s.turned, residual - s.residual)
    more = -_shares(problem, turned, residual) @ moved
    length, bound = jnp.abs(more).max(), s.reach * jnp.abs(residual).max()
    mixed = image + more * jnp.where(length > bound, bound / length, 1)
    return _State(
        f=keep(mixed, s.pair[0]),
        pair=(keep(image, s.pair[0]), keep(g, s.pair[1])),
        residual=keep(residual, s.residual),
        moved=moved,
        turned=turned,
        steps=keep(s.steps + 1, 0),
        reach=jnp.where(good, s.reach * _LONGER, s.reach / _SHORTER),
        value=keep(value, s.value),
        # What was no number from the start on will be none.
        error=keep(error, jnp.where(jnp.isinf(s.error), jnp.nan, s.error)),
        count=s.count + 1,
        known=known,
    )


def _dual(problem: Problem, f, g) -> tuple[Scalar, Scalar]:
    """<a, f> + <b, g>, where columns are right, and its rounding."""
    pairs = zip((problem.a, problem.b), (f, g), problem.present(), strict=True)
    terms = jnp.concatenate([jnp.where(there, mass * p, 0) for mass, p, there in pairs])
    return terms.sum(), 4 * float(jnp.finfo(terms.dtype).eps) * jnp.abs(terms).sum()


def _shares(problem: Problem, turned: Float[Array, "k n"], residual) -> Float[Array, " k"]:
    """theta of least squares, by normal equations of rows of length one. The ridge keeps small what
    rounding adds: of fewer points than steps, rows are dependent."""
    root = jnp.sqrt(problem.a)
    rows = turned * root
    length = jnp.linalg.norm(rows, axis=1)
    length = jnp.where(length > 0, length, 1)
    rows = rows / length[:, None]
    with jax.default_matmul_precision("highest"):
        matrix, right = rows @ rows.T, rows @ (root * residual)
    ridge = float(jnp.finfo(rows.dtype).eps) ** 0.5
    matrix = matrix + ridge * jnp.eye(MEMORY, dtype=rows.dtype)
    return jax.scipy.linalg.solve(matrix, right, assume_a="pos") / length
