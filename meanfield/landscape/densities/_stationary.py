from typing import Any

import equinox as eqx
import jax.numpy as jnp
import lineax as lx
import optimistix as optx
from jaxtyping import Array, Bool, Float, Int

from ..._checks import check_integer, check_positive, guard, is_concrete
from ..._door import door
from ..._shown import AbstractShown
from ..._typing import Scalar
from ...dynamics.densities import FokkerPlanck
from ...solve import SolveError


def _solver(dtype) -> lx.SVD:
    """The step of least norm: on the circle and on S^2 states come in orbits of rotations, along which the
    Jacobian vanishes, and it does not move along them. What is below this part of the Jacobian counts
    as 0: rounding, times what it may grow by."""
    return lx.SVD(rcond=max(1e-8, 1024 * float(jnp.finfo(dtype).eps)))


def _tolerance(tol, dtype) -> float:
    """`tol`, or what this precision reaches: 1e-10, or 64 times its rounding."""
    least = 64 * float(jnp.finfo(dtype).eps)
    if tol is None:
        return max(1e-10, least)
    tol = float(check_positive(tol, "tol"))
    if tol < least:
        raise ValueError(
            f"expected tol >= {least:.0e}, which rounding in {dtype} allows, got {tol:g}; leave it out, or "
            "pass float64 coefficients."
        )
    return tol


class Stationary(AbstractShown):
    """A stationary state, and how well it solves the equation.

    `coeffs` [k] in the basis of the equation; `residual`, the largest of |drift_i|/(noise lambda_i);
    `iterations` of Newton's method; `converged`.
    """

    coeffs: Float[Array, " k"]
    residual: Scalar
    iterations: Int[Array, ""]
    converged: Bool[Array, ""]


@door
def stationary(
    equation: FokkerPlanck,
    guess: Float[Array, " k"],
    *,
    tol: float | None = None,
    max_steps: int = 64,
    throw: bool = True,
) -> Stationary:
    """A stationary density of a Fokker-Planck equation, stable or not, by Newton's method.

    drift(c) = 0,    c_0 = 1

    `guess` [k] are coefficients such as the end of `simulate`, or `basis.analyze(rho)`: from a poor
    one Newton's method may find another state, the uniform one above all. `tol` is for steps and residual,
    1e-10 by default in float64 and 8e-6 in float32; `max_steps` bounds the steps. Differentiable with
    respect to the equation by the implicit function theorem; of states that can be rotated, it
    finds one near the guess.

    Raises ValueError without noise, where stationary states are point masses, and SolveError if the
    method fails; with `throw=False` read `converged`. Under jit and vmap it is an error at run time.
    """
    message = "expected noise > 0 for a smooth stationary state, got 0; pass noise=0.1, say."
    equation = guard(equation, equation.noise > 0, message)
    guess = equation.check(guess)
    least = jnp.asarray(_tolerance(tol, guess.dtype), guess.dtype)
    found = _solve(equation, guess, least, check_integer(max_steps, "max_steps"))
    return _raise_if_failed(found) if throw else found


@eqx.filter_jit
def _solve(equation: FokkerPlanck, guess: Array, tol: Any, max_steps: int) -> Stationary:
    solver = _solver(guess.dtype)
    solution = optx.root_find(
        _residual,
        optx.Newton(rtol=tol, atol=tol, linear_solver=solver),
        guess,
        args=equation,
        max_steps=max_steps,
        adjoint=optx.ImplicitAdjoint(linear_solver=solver),
        throw=False,
    )
    residual = jnp.abs(_residual(solution.value, equation)).max()
    converged = (solution.result == optx.RESULTS.successful) & (residual <= tol)
    return Stationary(solution.value, residual, solution.stats["num_steps"], converged)


def _residual(coeffs: Float[Array, " k"], equation: FokkerPlanck) -> Float[Array, " k"]:
    """The drift in units of the decay of each coefficient, and the error of the mass."""
    drift = equation.drift(jnp.zeros((), coeffs.dtype), coeffs, None)
    damping = equation.damping(coeffs.dtype)
    return jnp.append(coeffs[0] - 1, drift[1:] / damping[1:])


def _raise_if_failed(found: Stationary) -> Stationary:
    if not is_concrete(found.converged):
        return eqx.error_if(found, ~found.converged, "no stationary state was found near the guess")
    if not bool(found.converged):
        raise SolveError(
            f"Newton's method left a residual of {float(found.residual):.1e}: start nearer, as from "
            "the end of simulate, or raise the degree of the basis."
        )
    return found
