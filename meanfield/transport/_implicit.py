"""Derivatives of entropic transport by the implicit function theorem and by the envelope theorem."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
from jaxtyping import Array, Float

from .._typing import Scalar
from ._problem import Problem

Pair = tuple[Float[Array, " n"], Float[Array, " m"]]
"""The potentials f and g."""


def sensitivity(
    problem: Problem, tangent: Any, pair: Pair, symmetric: bool, rtol: float | None = None
) -> Pair:
    """How the potentials move with the data: the derivative of f = T(g), g = T'(f).

    With P the plan's rows divided by their sums and Q its columns: df + tau_a P dg = u and
    dg + tau_b Q df = v, where u, v are the derivatives of the updates at fixed potentials. Scaled by
    the roots of the marginals, the system is symmetric, and conjugate gradients solve it with two
    products a step; for a symmetric problem, (1 + P) df = u has the condition number 2.

    Unlike ott's, this passes both forward and backward, under vmap, and any number of times. `rtol` is
    by default 1e-11 in double precision, 2e-5 in single.
    """

    def updates(problem):
        return problem.update(pair[1], 1), problem.update(pair[0], 0)

    if symmetric:
        _, u = eqx.filter_jvp(lambda p: p.update(pair[1], 1), (problem,), (tangent,))
        df = _solve_symmetric(problem, pair, u, rtol)
        return df, df
    moved = eqx.filter_jvp(updates, (problem,), (tangent,))[1]
    # Equinox has None for the derivative of what does not depend on what moves.
    u, v = (jnp.zeros_like(p) if m is None else m for p, m in zip(pair, moved, strict=True))
    return _solve_alternating(problem, pair, u, v, rtol)


def _solve_symmetric(problem: Problem, pair: Pair, u: Float[Array, " n"], rtol):
    root, average = _averaging(problem, pair, 1)

    def operator(z):
        return z + root * average(z / root)

    return _conjugate_gradients(operator, root * u, rtol) / root


def _solve_alternating(problem: Problem, pair: Pair, u, v, rtol) -> Pair:
    (_, to_rows), (root, to_columns) = _averaging(problem, pair, 1), _averaging(problem, pair, 0)
    tau_a, tau_b = (1, 1) if problem.taus is None else problem.taus
    constant = root / jnp.linalg.norm(root)

    def operator(z):
        out = z - tau_a * tau_b * root * to_columns(to_rows(z / root))
        # A balanced problem leaves f + c, g - c free: this chooses one.
        return out if problem.taus is not None else out + constant * (constant @ z)

    dg = _conjugate_gradients(operator, root * (v - tau_b * to_columns(u)), rtol) / root
    df = u - tau_a * to_rows(dg)
    return df, v - tau_b * to_columns(df)


def _averaging(problem: Problem, pair: Pair, axis: int):
    """The roots of the plan's marginal, and its conditional expectation as a function."""
    mass, own, other = (problem.a, pair[0], pair[1]) if axis == 1 else (problem.b, pair[1], pair[0])
    lse, average = jax.linearize(lambda h: problem.lse(h, axis), other)
    tiny = jnp.finfo(mass.dtype).tiny
    return jnp.sqrt(jnp.maximum(mass, tiny) * jnp.exp((own + lse) / problem.epsilon)), average


def _conjugate_gradients(operator, b: Float[Array, " n"], rtol) -> Float[Array, " n"]:
    tol = float(jnp.finfo(b.dtype).eps) ** 0.7 if rtol is None else rtol

    def solve(operator, b):
        # lineax holds each entry of the residual against that entry of b, and would never end where b
        # has an entry of rounding alone; at unit norm they have `atol` in common.
        norm = jnp.linalg.norm(b)
        norm = jnp.where(norm > 0, norm, 1)
        shape = jax.ShapeDtypeStruct(b.shape, b.dtype)
        linear = lx.FunctionLinearOperator(operator, shape, lx.positive_semidefinite_tag)
        solver = lx.CG(rtol=tol, atol=tol, max_steps=1000)
        return norm * lx.linear_solve(linear, b / norm, solver).value

    return jax.lax.custom_linear_solve(operator, b, solve, symmetric=True)


@eqx.filter_custom_jvp
def dual_value(problem: Problem, pair: Pair) -> Scalar:
    """<a, f> + <b, g> - eps (mass of the plan - 1): the cost, at optimal potentials.

    It is stationary in the potentials, and its derivative takes that for granted (the envelope
    theorem): a gradient costs one product with the kernel. Second derivatives are right too.
    """
    return _dual(problem, pair)


@dual_value.def_jvp
def _dual_value_jvp(primals, tangents):
    (problem, pair), (tangent, _) = primals, tangents
    return eqx.filter_jvp(lambda problem: _dual(problem, pair), (problem,), (tangent,))


def _dual(problem: Problem, pair: Pair) -> Scalar:
    f, g = pair
    mass = problem.a * jnp.exp((f + problem.lse(g, 1)) / problem.epsilon)
    return problem.a @ f + problem.b @ g - problem.epsilon * (mass.sum() - 1)
