"""Sinkhorn's iteration of a cloud and itself by products with a kernel that has absorbed the potential."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ..._typing import Scalar
from ._implicit import Pair
from ._marginals import Problem, scaled
from ._symmetric import RELAXATION

RANGES = {64: 150.0, 32: 20.0}
"""How far potentials may move, in epsilon, from those absorbed, by bits: what is below the least normal
number in the kernel is then still nothing, and the products stay finite."""


class _State(NamedTuple):
    """The potential, and how far it has moved since it was absorbed, in epsilon; the error of the
    marginals; all iterations; and whether the move leaves the range."""

    f: Float[Array, " n"]
    move: Float[Array, " n"]
    error: Scalar
    count: Int[Array, ""]
    far: Bool[Array, ""]


def costs_of(problem: Problem) -> Float[Array, "n m"] | None:
    """The costs as a matrix, where they are one and not a function or a product over axes."""
    return getattr(problem.geometry, "_cost_matrix", None)


def absorbed(
    problem: Problem, costs: Float[Array, "n n"], init: Float[Array, " n"], tol: Scalar, most: int
) -> tuple[Float[Array, " n"], Int[Array, ""]]:
    """The potential of a cloud and itself whose marginals are right to `tol`, or that after `most`
    iterations, and the count.

        K = e^{(f + f^T - c)/eps},    u <- (1/(K a u))^w u^{1 - w},    f + eps log u

    An iteration is one product with K, and no exponentials but of vectors. Where u leaves the range in
    which K stands for the kernel, an iteration by log-sum-exps is made and K formed again: at an epsilon
    so small that this is so each time, it is an iteration by log-sum-exps with some more.

    Source: Schmitzer (2019), doi:10.1137/16M1106018.
    """

    def going(s: _State):
        return (s.error > tol) & (s.count < most)

    def outer(s: _State) -> _State:
        s = _absorb(problem, s)
        kernel = kernel_of(problem, costs, (s.f, s.f))
        step = functools.partial(_step, problem, kernel)
        s = jax.lax.while_loop(lambda s: going(s) & ~s.far, step, s)
        return s._replace(f=s.f + problem.epsilon * s.move)

    far, none = jnp.full((), jnp.inf, costs.dtype), jnp.zeros((), int)
    start = _State(init, jnp.zeros_like(init), far, none, jnp.zeros((), bool))
    found = jax.lax.while_loop(going, outer, start)
    return found.f, found.count


def _absorb(problem: Problem, s: _State) -> _State:
    """One iteration by log-sum-exps, after which sums of the kernel are about 1."""
    f = s.f + RELAXATION * (problem.update(s.f, 1) - s.f)
    known = jnp.isfinite(jnp.where(problem.present()[0], f, 0)).all()
    error = jnp.where(known, jnp.inf, jnp.nan).astype(f.dtype)
    near = jnp.zeros((), bool)
    return s._replace(f=f, move=jnp.zeros_like(f), error=error, count=s.count + 1, far=near)


def kernel_of(problem: Problem, costs, pair: Pair) -> Float[Array, "n m"]:
    """e^{(f + g - c)/eps} between points that have mass."""
    here, there = problem.present()
    both = here[:, None] & there
    exponent = (pair[0][:, None] + pair[1] - costs) / problem.epsilon
    return jnp.where(both, jnp.exp(jnp.where(both, exponent, 0)), 0)


def _step(problem: Problem, kernel, s: _State) -> _State:
    """One iteration by products; one that leads to no numbers is not made."""
    here = problem.present()[0]
    with jax.default_matmul_precision("highest"):
        total = kernel @ (problem.a * jnp.exp(s.move))
    log = jnp.log(jnp.where(here, total, 1))
    error = 2 * jnp.abs(scaled(problem.a, s.move + log) - problem.a).sum()
    move = jnp.where(here, s.move - RELAXATION * (log + s.move), 0)
    largest = jnp.abs(move).max()
    fine = jnp.isfinite(error) & jnp.isfinite(largest)
    return s._replace(
        move=jnp.where(fine, move, s.move),
        error=jnp.where(fine, error, jnp.inf),
        count=s.count + 1,
        far=~(largest <= RANGES[jnp.finfo(kernel.dtype).bits]),
    )
