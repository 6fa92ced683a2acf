"""Dual values by which steps of potentials are judged."""

import jax
import jax.numpy as jnp

from ..._typing import Scalar
from ._implicit import Pair
from ._marginals import Problem

_ROUNDING = 4
"""Units of rounding that a dual value has, of the sizes of its terms."""


def dual(problem: Problem, pair: Pair) -> Scalar:
    """<a, f> + <b, g>, the dual value where rows or columns are right."""
    terms = zip((problem.a, problem.b), pair, problem.present(), strict=True)
    first, second = (jnp.where(there, mass * p, 0).sum() for mass, p, there in terms)
    return first + second


def soft_dual(problem: Problem, pair: Pair, axis: int) -> tuple[Scalar, Scalar]:
    """The dual value of soft marginals, where rows (axis 1) or columns (axis 0) are right, and the size of
    its terms.

        rho_a <a, 1 - e^{-F/rho_a}> + rho_b <b, 1 - e^{-G/rho_b}> - eps (mass of the plan)

    with F = f + eps log a, G = g + eps log b; the marginal that is right is a e^{-F/rho_a}.
    """
    assert problem.taus is not None
    value = size = jnp.zeros((), problem.a.dtype)
    parts = zip(
        (problem.a, problem.b), pair, problem.logs(), problem.taus, problem.present(), strict=True
    )
    for at, (mass, p, log, tau, here) in enumerate(parts):
        rate = (1 - tau) / tau  # eps/rho
        whole = jnp.where(here, p / problem.epsilon + log, 0)
        bent = -jnp.expm1(-rate * whole) / jnp.where(rate > 0, rate, 1)
        terms = mass * jnp.where(rate > 0, bent, whole)
        sent = (mass * jnp.exp(-rate * whole)).sum() if at == 1 - axis else 0.0
        value, size = value + terms.sum() - sent, size + jnp.abs(terms).sum() + sent
    return problem.epsilon * value, problem.epsilon * size


def size_of(problem: Problem, pair: Pair) -> Scalar:
    """The size of the terms of `dual`."""
    return dual(problem, jax.tree.map(jnp.abs, pair))


def slack(size: Scalar) -> Scalar:
    """The rounding of a dual value of terms of some size."""
    return _ROUNDING * float(jnp.finfo(size.dtype).eps) * size
