"""Sinkhorn's iteration by products with a kernel that has absorbed the potentials."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ..._typing import Scalar
from ._implicit import Pair
from ._marginals import Problem
from ._symmetric import RELAXATION, over_relaxation

RANGES = {64: 150.0, 32: 20.0}
"""How far potentials may move, in epsilon, from those absorbed, by bits: what is below the least normal
number in the kernel is then still nothing, and the products stay finite."""
PATIENCE = 100
"""Iterations without a smaller error after which what makes them faster is given up."""


class _State(NamedTuple):
    """Potentials, and how far they have moved since they were absorbed, in epsilon; the error of the
    marginals now, and the least one; iterations since that; the weight; all iterations; and whether the
    moves leave the range."""

    pair: Pair
    moves: Pair
    error: Scalar
    least: Scalar
    waited: Int[Array, ""]
    weight: Scalar
    count: Int[Array, ""]
    far: Bool[Array, ""]


def costs_of(problem: Problem) -> Float[Array, "n m"] | None:
    """The costs as a matrix, where they are one and not a function or a product over axes."""
    return getattr(problem.geometry, "_cost_matrix", None)


def absorbed(
    problem: Problem,
    costs: Float[Array, "n m"],
    init: Pair,
    tol: Scalar,
    most: int,
    symmetric: bool,
) -> tuple[Pair, Int[Array, ""]]:
    """Potentials whose marginals are right to `tol`, or those after `most` iterations, and the count.

        K = e^{(f + g - c)/eps},    u <- 1/(K b v),    v <- 1/(K^T a u),    f + eps log u, g + eps log v

    An iteration is two products with K, one if `symmetric`, and no exponentials but of vectors.
    Where u or v leaves the range in which K stands for the kernel, an iteration by log-sum-exps is
    made and K formed again: at an epsilon so small that this is so each time, it is an iteration by
    log-sum-exps with some more. For soft marginals over-relaxation has the best weight; where the error
    does not fall for long, the weight 1, a contraction from anywhere.

    Source: Schmitzer (2019), doi:10.1137/16M1106018, for the absorption; Young (1954),
    doi:10.1090/S0002-9947-1954-0059635-7, and Lehmann et al., arXiv 2012.12562, for the weight.
    """

    def going(s: _State):
        return (s.error > tol) & (s.count < most)

    def outer(s: _State) -> _State:
        s = _absorb(problem, s, symmetric)
        kernel = kernel_of(problem, costs, s.pair)
        step = functools.partial(_step, problem, kernel, symmetric)
        s = jax.lax.while_loop(lambda s: going(s) & ~s.far, step, s)
        pair = jax.tree.map(lambda p, move: p + problem.epsilon * move, s.pair, s.moves)
        return s._replace(pair=pair)

    far, none = jnp.full((), jnp.inf, costs.dtype), jnp.zeros((), int)
    weight = 1 if problem.taus is None else over_relaxation(problem.taus)
    weight = jnp.asarray(weight, costs.dtype)
    zero = jax.tree.map(jnp.zeros_like, init)
    start = _State(init, zero, far, far, none, weight, none, jnp.zeros((), bool))
    found = jax.lax.while_loop(going, outer, start)
    return found.pair, found.count


def _absorb(problem: Problem, s: _State, symmetric: bool) -> _State:
    """One iteration by log-sum-exps, after which sums of the kernel are about 1."""
    f, g = s.pair
    if symmetric:
        f = f + RELAXATION * (problem.update(f, 1) - f)
        g = f
    else:
        g = problem.update(f, 0)
        f = problem.update(g, 1)
    known = jnp.isfinite(jnp.where(problem.present()[0], f, 0)).all()
    error = jnp.where(known, jnp.inf, jnp.nan).astype(f.dtype)
    zero = jnp.zeros_like(f), jnp.zeros_like(g)
    near = jnp.zeros((), bool)
    return s._replace(pair=(f, g), moves=zero, error=error, count=s.count + 1, far=near)


def kernel_of(problem: Problem, costs, pair: Pair) -> Float[Array, "n m"]:
    """e^{(f + g - c)/eps} between points that have mass."""
    here, there = problem.present()
    both = here[:, None] & there
    exponent = (pair[0][:, None] + pair[1] - costs) / problem.epsilon
    return jnp.where(both, jnp.exp(jnp.where(both, exponent, 0)), 0)


def _step(problem: Problem, kernel, symmetric: bool, s: _State) -> _State:
    """One iteration by products; one that leads to no numbers is not made."""
    sweep = _averaged if symmetric else _relaxed
    moves, error = sweep(problem, kernel, s.pair, s.moves, s.weight)
    largest = jnp.maximum(*(jnp.abs(move).max() for move in moves))
    fine = jnp.isfinite(error) & jnp.isfinite(largest)
    s = s._replace(
        moves=jax.tree.map(lambda p, q: jnp.where(fine, p, q), moves, s.moves),
        error=jnp.where(fine, error, jnp.inf),
        weight=jnp.where(fine, s.weight, 1),
        waited=jnp.where(fine, s.waited, PATIENCE),
        count=s.count + 1,
        far=~(largest <= RANGES[jnp.finfo(kernel.dtype).bits]),
    )
    return s if symmetric else _patient(s)


def _patient(s: _State) -> _State:
    """The weight 1 where the error has not fallen for long."""
    waited = jnp.where(s.error < s.least, 0, s.waited + 1)
    return s._replace(
        least=jnp.minimum(s.error, s.least),
        waited=waited,
        weight=jnp.where(waited >= PATIENCE, 1, s.weight),
    )


def _relaxed(problem: Problem, kernel, pair: Pair, moves: Pair, weight) -> tuple[Pair, Scalar]:
    """Columns, then rows, and the error of the marginals that they found."""
    u, v = moves
    aim, first = _aimed(problem, 0, pair, lambda p: p @ kernel, moves)
    v = v + weight * (aim - v)
    aim, second = _aimed(problem, 1, pair, lambda q: kernel @ q, (u, v))
    return (u + weight * (aim - u), v), first + second


def _averaged(problem: Problem, kernel, pair: Pair, moves: Pair, weight) -> tuple[Pair, Scalar]:
    """Rows and columns, which are the same, by part of what makes them right."""
    aim, error = _aimed(problem, 1, pair, lambda q: kernel @ q, moves)
    u = moves[0] + RELAXATION * (aim - moves[0])
    return (u, u), 2 * error


def _aimed(problem: Problem, axis: int, pair: Pair, product: Callable, moves: Pair) -> Any:
    """The move of f (axis 1) or g (axis 0) that is optimal for the other's, and the error it mends."""
    masses, present = (problem.a, problem.b), problem.present()
    at, eps = 1 - axis, problem.epsilon
    mass, own, move, here = masses[at], pair[at], moves[at], present[at]
    with jax.default_matmul_precision("highest"):
        total = product(masses[axis] * jnp.exp(moves[axis]))
    total = jnp.where(here, total, 1)
    log = jnp.log(total)
    aim = jnp.where(here, (problem.softened(eps * log - own, axis) - own) / eps, 0)
    error = jnp.abs(mass * (jnp.exp(move + log) - jnp.exp(aim + log)))
    return aim, jnp.where(here, error, 0).sum()
