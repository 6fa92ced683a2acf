import equinox as eqx
import jax.numpy as jnp
import lineax as lx
import optimistix as optx
from jaxtyping import Array, Bool, Float, Int

from .._checks import guard, is_concrete
from .._typing import Scalar
from ..dynamics import FokkerPlanck
from ..solve import SolveError

# On the circle and on S^2 states come in orbits of rotations, along which the Jacobian vanishes: the
# step of least norm does not move along them. What is below this part of the Jacobian counts as 0.
_SOLVER = lx.SVD(rcond=1e-8)


class Stationary(eqx.Module):
    """A stationary state, and how well it solves the equation.

    `coeffs` [k] in the basis of the equation; `residual`, the largest of |drift_i|/(noise lambda_i);
    `iterations` of Newton's method; `converged`.
    """

    coeffs: Float[Array, " k"]
    residual: Scalar
    iterations: Int[Array, ""]
    converged: Bool[Array, ""]


def stationary(
    equation: FokkerPlanck,
    guess: Float[Array, " k"],
    *,
    tol: float = 1e-10,
    max_steps: int = 64,
    throw: bool = True,
) -> Stationary:
    """A stationary density of a Fokker-Planck equation, stable or not, by Newton's method.

    drift(c) = 0,    c_0 = 1

    `guess` [k] are coefficients such as the end of `simulate`, or `basis.analyze(rho)`: from a poor
    one Newton's method may find another state, the uniform one above all. Differentiable with
    respect to the equation by the implicit function theorem; of states that can be rotated, it
    finds one near the guess.

    Raises ValueError without noise, where stationary states are point masses, and SolveError if the
    method fails; with `throw=False` read `converged`. Under jit and vmap it is an error at run time.
    """
    message = "expected noise > 0 for a smooth stationary state, got 0; pass noise=0.1, say."
    equation = guard(equation, equation.noise > 0, message)
    found = _solve(equation, equation.check(guess), tol, max_steps)
    return _raise_if_failed(found) if throw else found


@eqx.filter_jit
def _solve(equation: FokkerPlanck, guess: Array, tol: float, max_steps: int) -> Stationary:
    solution = optx.root_find(
        _residual,
        optx.Newton(rtol=tol, atol=tol, linear_solver=_SOLVER),
        guess,
        args=equation,
        max_steps=max_steps,
        adjoint=optx.ImplicitAdjoint(linear_solver=_SOLVER),
        throw=False,
    )
    residual = jnp.abs(_residual(solution.value, equation)).max()
    converged = (solution.result == optx.RESULTS.successful) & jnp.isfinite(residual)
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
