"""Derivatives of entropic transport by the implicit function theorem and by the envelope theorem."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
from jaxtyping import Array, Bool, Float

from ..._checks import raise_at_run_time
from ..._products import exact_products, weighted_sum
from ..._typing import Scalar
from ._marginals import Problem, has_mass, least_mass, rounding_of

_STEPS = 1000
"""Conjugate gradients at most."""
_LEAST_EIGENVALUE = 3200
"""Of a system that is solved for, in units of rounding: 32 of them in the system are then 1 % of it."""
_ILL_CONDITIONED = (
    "expected a derivative of entropic transport that this precision can solve for, got a linear "
    "system that is too ill-conditioned; raise epsilon or use float64."
)
Pair = tuple[Float[Array, " n"], Float[Array, " m"]]
"""The potentials f and g."""


def sensitivity(
    problem: Problem, tangent: Any, pair: Pair, symmetric: bool, rtol: float | None = None
) -> Pair:
    """How the potentials move with the data: the derivative of f = T(g), g = T'(f).

    With P the plan's rows divided by their sums and Q its columns: df + tau_a P dg = u and
    dg + tau_b Q df = v, where u, v are the derivatives of the updates at fixed potentials. Scaled by
    the roots of the marginals, the system is symmetric, and conjugate gradients solve it for dg with two
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
    noise = rounding_of(problem, pair)

    def operator(z):
        return z + root * average(z / root)

    def solve(operator, b):
        return _conjugate_gradients(operator, b, rtol, noise * jnp.linalg.norm(b))

    return jax.lax.custom_linear_solve(operator, root * u, solve, symmetric=True) / root


def _solve_alternating(problem: Problem, pair: Pair, u, v, rtol) -> Pair:
    """(x, y), df and dg times the roots of marginals and over those of tau, of a symmetric system."""
    rows, columns = _averaging(problem, pair, 1), _averaging(problem, pair, 0)
    roots, rounding = (rows[0], columns[0]), rounding_of(problem, pair)
    taus = (1, 1) if problem.taus is None else problem.taus
    half = 1 if problem.taus is None else jnp.sqrt(taus[0] * taus[1])

    def forth(y):
        return half * roots[0] * rows[1](y / roots[1])

    def back(x):
        return half * roots[1] * columns[1](x / roots[0])

    def operator(z):
        return z[0] + forth(z[1]), z[1] + back(z[0])

    def solve(_, z):
        # What is left of the right side is small where points hardly share mass, and may be rounding
        # of its parts: the solver must not go after that.
        noise = rounding * jnp.sqrt(jnp.sum(z[0] ** 2) + jnp.sum(z[1] ** 2))
        constant = roots[1] / jnp.linalg.norm(roots[1])

        def reduced(y):
            out = y - back(forth(y))
            # A balanced problem leaves f + c, g - c free: this chooses one.
            return out if problem.taus is not None else out + constant * (constant @ y)

        x = z[0] - forth(_conjugate_gradients(reduced, z[1] - back(z[0]), rtol, noise))
        return x, z[1] - back(x)

    right = [
        root * h / jnp.sqrt(jnp.asarray(tau, h.dtype))
        for root, h, tau in zip(roots, (u, v), taus, strict=True)
    ]
    solved = jax.lax.custom_linear_solve(operator, tuple(right), solve, symmetric=True)
    df, dg = (
        z * jnp.sqrt(jnp.asarray(tau, z.dtype)) / root
        for root, z, tau in zip(roots, solved, taus, strict=True)
    )
    return df, dg


def _averaging(problem: Problem, pair: Pair, axis: int):
    """The roots of the plan's marginal, and its conditional expectation as a function."""
    mass, own, other = (problem.a, pair[0], pair[1]) if axis == 1 else (problem.b, pair[1], pair[0])
    lse, average = jax.linearize(lambda h: problem.lse(h, axis), other)
    exponent = jnp.where(has_mass(mass), (own + lse) / problem.epsilon, 0)
    return jnp.sqrt(jnp.maximum(mass, least_mass(mass.dtype)) * jnp.exp(exponent)), average


def _conjugate_gradients(operator, b: Float[Array, " n"], rtol, noise) -> Float[Array, " n"]:
    """operator^{-1} b, to `rtol` or to `noise`, the rounding of the numbers of which b is made.

    Where the operator is so ill-conditioned that rounding keeps the residual above that, the solution
    of an operator that differs by 32 units of rounding is as good as any: the plan is not known better.
    """
    unit = float(jnp.finfo(b.dtype).eps)
    tol = unit**0.7 if rtol is None else rtol
    # lineax holds each entry of the residual against that entry of b, and would never end where b
    # has an entry of rounding alone; at unit norm they have `atol` in common.
    norm = jnp.linalg.norm(b)
    norm = jnp.where(norm > 0, norm, 1)
    atol: Any = jnp.maximum(tol, noise / norm)
    shape = jax.ShapeDtypeStruct(b.shape, b.dtype)
    linear = lx.FunctionLinearOperator(operator, shape, lx.positive_semidefinite_tag)
    solver = lx.CG(rtol=tol, atol=atol, max_steps=_STEPS)
    found = lx.linear_solve(linear, b / norm, solver, throw=False)
    # What was not a number before it was solved for is not a number after.
    known = (found.result == lx.RESULTS.successful) | ~jnp.isfinite(norm)
    known = known | _stable(operator, found.value, b / norm, unit)
    return raise_at_run_time(norm * found.value, known, _ILL_CONDITIONED)


def _stable(operator, x: Float[Array, " n"], b: Float[Array, " n"], unit: float) -> Bool[Array, ""]:
    """Whether x solves a system nearby, and that system is not so ill-conditioned that this means
    nothing: the Rayleigh quotient at x bounds the least eigenvalue from above."""
    residual = jnp.linalg.norm(b - operator(x))
    size = jnp.linalg.norm(x)
    near = residual <= 32 * unit * (size + 1)
    return near & (x @ b >= _LEAST_EIGENVALUE * unit * size**2)


@eqx.filter_custom_jvp
def dual_value(problem: Problem, pair: Pair) -> Scalar:
    """<a, f> + <b, g> - eps (mass of the plan - 1): the cost, at optimal potentials.

    It is stationary in the potentials, and its derivative takes that for granted (the envelope
    theorem): a gradient costs one product with the kernel. Second derivatives are right too.
    """
    return _dual(problem, pair)


@dual_value.def_jvp
@exact_products
def _dual_value_jvp(primals, tangents):
    (problem, pair), (tangent, _) = primals, tangents
    return eqx.filter_jvp(lambda problem: _dual(problem, pair), (problem,), (tangent,))


def _dual(problem: Problem, pair: Pair) -> Scalar:
    f, g = pair
    mass = problem.marginal(1, pair)
    return (
        weighted_sum(problem.a, f) + weighted_sum(problem.b, g) - problem.epsilon * (mass.sum() - 1)
    )
