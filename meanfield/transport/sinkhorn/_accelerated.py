"""Sinkhorn's iteration with Anderson's acceleration, by log-sum-exps or by products with a kernel."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ..._typing import Scalar
from ._absorbed import RANGES, kernel_of
from ._dual import dual, size_of, slack, soft_dual
from ._implicit import Pair
from ._marginals import Problem, has_mass, scaled

MEMORY = 16
"""Steps that are remembered."""
_GROWTH = 10.0
"""The growth of the error from which a step is taken back."""
_REACH, _LONGER, _SHORTER = 2.0, 1.5, 4.0
"""How far a step goes beyond the plain one at most, in lengths of that, at first; by what that grows with
each step, and falls with each that is taken back."""


class _Swept(NamedTuple):
    """The f that is optimal for the g that is optimal for another f, that g, the error of rows of the
    other f, and the size of what was rounded. Potentials count from a base, near which their differences
    have more digits than they do."""

    image: Float[Array, " n"]
    g: Float[Array, " m"]
    error: Scalar
    size: Scalar


_Sweep = Callable[[Float[Array, " n"]], _Swept]


class _Rows(NamedTuple):
    """How f and the residual moved in the last steps, and the products of the latter in the masses."""

    moved: Float[Array, "k n"]
    turned: Float[Array, "k n"]
    products: Float[Array, "k k"]


class _State(NamedTuple):
    """The base from which potentials count; where the next iteration is made; the last pair whose rows
    are right, and its residual in epsilon; the last steps; steps since these were forgotten; how far a
    step may go; the merit of the pair; the error of rows before they were made right; iterations; whether
    the last one led to numbers."""

    base: Pair
    f: Float[Array, " n"]
    pair: Pair
    residual: Float[Array, " n"]
    rows: _Rows
    steps: Int[Array, ""]
    reach: Scalar
    value: Scalar
    error: Scalar
    count: Int[Array, ""]
    known: Bool[Array, ""]


def accelerated(
    problem: Problem, costs: Float[Array, "n m"] | None, init: Pair, tol: Scalar, most: int
) -> tuple[Pair, Int[Array, ""]]:
    """Potentials of a plan, rows right and columns to `tol`, or those after `most` iterations, and the count.

        T f = rows(columns(f)),    r = T f - f,    f <- T f - sum_k theta_k (T f_k - T f_{k-1})

    with theta of least |r - sum_k theta_k (r_k - r_{k-1})| in the masses of rows. Near the solution
    T is linear with slopes in [0, 1) that are symmetric in these masses, and this is what conjugate
    gradients would find, with no rate to be known beforehand. A step after which columns that are made right
    have a lower dual value than the plain step had before, or rows ten times the error, is taken back for the
    plain one, and the memory emptied; then steps go less far beyond plain ones, and further again with each
    that is taken. So the dual value rises in all.

    Where `costs` are a matrix, an iteration is two products with the kernel that has absorbed the
    potentials. Where these leave its range a plain one is made by log-sum-exps, as all are without
    `costs`, and the kernel formed again; the steps before it stay remembered.

    Source: Anderson (1965), doi:10.1145/321296.321305; Walker and Ni (2011), doi:10.1137/10078356X;
    steps taken back after Zhang, O'Donoghue and Boyd (2020), arXiv 1808.03971.
    """

    def going(s: _State):
        return (s.error > tol) & (s.count < most)

    def by_sums(s: _State) -> _State:
        return _step(problem, functools.partial(_by_sums, problem, s.base), s)

    def absorbing(s: _State) -> _State:
        s = _rebased(problem, s)
        kernel = kernel_of(problem, costs, s.base)
        sweep, whole = (
            functools.partial(_by_products, problem, s.base, kernel),
            _whole(problem, kernel),
        )
        reach = RANGES[jnp.finfo(problem.a.dtype).bits] * problem.epsilon
        near = lambda s: jnp.abs(jnp.where(here, s.f, 0)).max() <= reach
        s = jax.lax.while_loop(
            lambda s: going(s) & whole & s.known & near(s), lambda s: _step(problem, sweep, s), s
        )
        if problem.taus is None:
            return s
        return jax.lax.cond(whole | ~going(s), lambda s: s, by_sums, s)

    here = problem.present()[0]
    far, none = jnp.full((), jnp.inf, problem.a.dtype), jnp.zeros((), int)
    empty = (
        jnp.zeros((MEMORY, size), far.dtype) for size in (problem.a.size, problem.a.size, MEMORY)
    )
    zero = jnp.zeros_like(problem.a), jnp.zeros_like(problem.b)
    reach, known = jnp.full_like(far, _REACH), jnp.ones((), bool)
    start = _State(init, zero[0], zero, zero[0], _Rows(*empty), none, reach, -far, far, none, known)
    s = jax.lax.while_loop(going, by_sums if costs is None else absorbing, start)
    return jax.tree.map(jnp.add, s.base, s.pair), s.count


def _whole(problem: Problem, kernel: Float[Array, "n m"]) -> Array:
    """Whether all sums of the kernel are numbers above 0: potentials of soft marginals do not make them
    1, and points that are far from all others share no mass."""
    if problem.taus is None:
        return jnp.ones((), bool)
    here, there = problem.present()
    columns, rows = problem.a @ kernel, kernel @ problem.b
    fine = [~at | (total > 0) & (total < jnp.inf) for at, total in ((here, rows), (there, columns))]
    return fine[0].all() & fine[1].all()


def _rebased(problem: Problem, s: _State) -> _State:
    """One plain iteration by log-sum-exps, whose pair is the next base; where it is to be taken back, the
    last pair is. What the dual value of a base had of rounding may be missed by the next."""
    swept = _by_sums(problem, s.base, s.f)
    good, known, residual = _judged(problem, s, swept)
    keep = lambda now, before: jnp.where(good, now, before)
    pair = keep(swept.image, s.pair[0]), keep(swept.g, s.pair[1])
    base, zero = jax.tree.map(jnp.add, s.base, pair), jax.tree.map(jnp.zeros_like, pair)
    value = -slack(size_of(problem, base))
    if problem.taus is not None:
        value = keep(soft_dual(problem, base, 1)[0], s.value)
    return s._replace(
        base=base,
        f=zero[0],
        pair=zero,
        residual=keep(residual, s.residual),
        steps=keep(jnp.maximum(s.steps, 1), 0),
        reach=keep(s.reach, s.reach / _SHORTER),
        value=value,
        error=keep(swept.error, _unknown(s.error)),
        count=s.count + 1,
        known=known,
    )


def _judged(problem: Problem, s: _State, swept: _Swept) -> tuple[Array, Array, Array]:
    """Whether an iteration is one to go on from, and leads to numbers; and its residual in epsilon."""
    here = problem.present()[0]
    residual = jnp.where(here, swept.image - s.f, 0) / problem.epsilon
    known = jnp.isfinite(jnp.where(here, swept.image, 0)).all()
    if problem.taus is None:
        rises = dual(problem, (s.f, swept.g)) >= s.value - slack(swept.size)  # NaN does not
    else:
        value, size = soft_dual(problem, jax.tree.map(jnp.add, s.base, (s.f, swept.g)), 0)
        rises = value >= s.value - slack(size)
    good = known & ((s.steps == 0) | rises & (swept.error <= _GROWTH * s.error))
    return good, known, residual


def _unknown(error: Scalar) -> Scalar:
    """The error of what is taken back: what was no number from the start on will be none."""
    return jnp.where(jnp.isinf(error), jnp.nan, error)


def _by_sums(problem: Problem, base: Pair, f) -> _Swept:
    g = problem.update(base[0] + f, 0)
    lse = problem.lse(g, 1)
    image = problem.softened(lse, 1) - base[0]
    error = _off(problem, (lse + base[0]) / problem.epsilon, f, image)
    return _Swept(image, g - base[1], error, size_of(problem, (base[0] + f, g)))


def _by_products(problem: Problem, base: Pair, kernel: Float[Array, "n m"], f) -> _Swept:
    """The same by the kernel that has absorbed the base."""
    eps, (here, there) = problem.epsilon, problem.present()
    with jax.default_matmul_precision("highest"):
        total = (problem.a * jnp.exp(jnp.where(here, f, 0) / eps)) @ kernel
        g = _mended(problem, jnp.log(jnp.where(there, total, 1)), base[1], 0)
        total = kernel @ (problem.b * jnp.exp(g / eps))
    log = jnp.log(jnp.where(here, total, 1))
    image = _mended(problem, log, base[0], 1)
    return _Swept(image, g, _off(problem, log, f, image), eps + size_of(problem, (f, g)))


def _off(problem: Problem, log, f, image) -> Scalar:
    """The sum of what rows are off by at f; of soft ones in units of their mass where that is more than
    1. `log`: the logarithms of their sums at the base, without f."""
    eps, here = problem.epsilon, problem.present()[0]
    if problem.taus is None:
        return (problem.a * jnp.abs(jnp.expm1(-jnp.where(here, image - f, 0) / eps))).sum()
    before, after = (scaled(problem.a, p / eps + log) for p in (f, image))
    return jnp.abs(before - after).sum() / jnp.maximum(after.sum(), 1)


def _mended(problem: Problem, log, base, axis: int) -> Array:
    """How far from the base a potential is optimal, of the logarithms of the sums there."""
    move = -problem.epsilon * log
    if problem.taus is None:
        return move
    tau = problem.taus[1 - axis]
    # What does not change with the sums stays apart, so that it is rounded once.
    return tau * move - ((1 - tau) * base + problem.offsets()[1 - axis])


def _step(problem: Problem, sweep: _Sweep, s: _State) -> _State:
    """One iteration, and what those before suggest for the next."""
    swept = sweep(s.f)
    good, known, residual = _judged(problem, s, swept)
    image, g = swept.image, swept.g
    value = dual(problem, (image, g))
    if problem.taus is not None:
        value = soft_dual(problem, jax.tree.map(jnp.add, s.base, (image, g)), 1)[0]
    keep = lambda now, before: jnp.where(good, now, before)
    later = good & (s.steps > 0)
    rows = _remembered(s.rows, s.steps, later, image - s.pair[0], residual - s.residual, problem.a)
    more = -_shares(rows, keep(s.steps, 0), problem.a * residual) @ rows.moved
    length, bound = jnp.abs(more).max(), s.reach * problem.epsilon * jnp.abs(residual).max()
    mixed = image + more * jnp.where(length > bound, bound / length, 1)
    return _State(
        base=s.base,
        f=keep(mixed, s.pair[0]),
        pair=(keep(image, s.pair[0]), keep(g, s.pair[1])),
        residual=keep(residual, s.residual),
        rows=rows,
        steps=keep(s.steps + 1, 0),
        reach=jnp.where(good, s.reach * _LONGER, s.reach / _SHORTER),
        value=keep(value, s.value),
        error=keep(swept.error, _unknown(s.error)),
        count=s.count + 1,
        known=known,
    )


def _remembered(rows: _Rows, steps, later, move, turn, a) -> _Rows:
    """The rows with the last step in the place of the oldest, if there is one."""
    slot = (steps - 1) % MEMORY
    moved, turned = (
        old.at[slot].set(jnp.where(later, jnp.where(has_mass(a), new, 0), old[slot]))
        for old, new in ((rows.moved, move), (rows.turned, turn))
    )
    with jax.default_matmul_precision("highest"):
        column = turned @ (a * turned[slot])
    return _Rows(moved, turned, rows.products.at[slot].set(column).at[:, slot].set(column))


def _shares(rows: _Rows, count, right: Float[Array, " n"]) -> Float[Array, " k"]:
    """theta of least squares over `count` rows, or all, by normal equations of rows of length one. The
    ridge keeps small what rounding adds: of fewer points than steps, rows are dependent."""
    here = jnp.arange(MEMORY) < count
    square = jnp.where(here, jnp.diagonal(rows.products), 0)
    scale = jnp.where(square > 0, 1 / jnp.sqrt(jnp.where(square > 0, square, 1)), 0)
    ridge = 1 + float(jnp.finfo(right.dtype).eps) ** 0.5
    matrix = rows.products * scale * scale[:, None]
    matrix = jnp.where(jnp.eye(MEMORY, dtype=bool), ridge, matrix)
    with jax.default_matmul_precision("highest"):
        right = scale * (rows.turned @ right)
    return scale * jax.scipy.linalg.solve(matrix, right, assume_a="pos")
