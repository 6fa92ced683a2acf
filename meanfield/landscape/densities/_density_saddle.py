import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ..._checks import check_integer, check_known, guard
from ..._door import door
from ..._shown import AbstractShown
from ..._typing import Scalar
from ...dynamics.densities import FokkerPlanck
from ...harmonics import Fourier, SphericalHarmonics
from ...solve import SolveError
from .._precision import in_double

_FARTHEST = 0.3
"""The longest step, in L^2."""
_SOLVED = 1e-10
"""What may be left of the drift, over the decay of each coefficient."""
_FLAT = 1e-8
"""The rate, relative to the largest, up to which nothing grows or falls: states are solved to 1e-10."""


class DensitySaddle(AbstractShown):
    """A stationary density and what grows about it.

    `coeffs` [k] in the basis of the equation; `index`: how many perturbations grow; `rates` [k-1]: the
    real parts of their rates, descending; `orbit`: the dimension of its rotations, whose rates are 0;
    `residual`, the largest of |drift_i|/(noise lambda_i); `steps`; `converged`: whether that is rounding,
    the index is the one that was asked for, and no direction but the rotations is flat.
    """

    coeffs: Float[Array, " k"]
    index: Int[Array, ""]
    rates: Float[Array, " m"]
    orbit: Int[Array, ""]
    residual: Scalar
    steps: Int[Array, ""]
    converged: Bool[Array, ""]


@door
@in_double
def density_saddle(
    equation: FokkerPlanck,
    guess: Float[Array, " k"],
    index: int,
    *,
    max_steps: int = 200,
    throw: bool = True,
) -> DensitySaddle:
    """A stationary density from which as many perturbations grow as `index` says, in the whole basis.

        c' = drift(c), turned back in the `index` modes of its Jacobian that grow fastest

    of which such densities are stable states. Each mode is moved by its drift over |its rate|, so that the
    last steps are Newton's on the quotient by rotations. Under unnormalized attention these are saddles of
    the free energy noise int rho log rho - 1/2 iint W rho rho, which the equation descends in W2; no such
    energy is needed. `branch` and `barrier` know of zonal densities, and their instabilities, alone.

    - `guess` [k]: coefficients, such as `basis.analyze(rho)`: with an `index` of 0 a stable density.
    - `max_steps` bounds the steps, some tens of which are usual; each costs the eigenvectors of a matrix
      [k, k], so that on S^2 a degree of 8 to 16 is comfortable.

    Above `critical_noise` and below the fold the saddle on S^2 has index 1 and can be turned in two ways; the
    uniform law has index 0 there, and d below. Runs on the host, in float64.

    Raises ValueError without noise, for an index beyond k - 1, and under jit; SolveError if no such density
    was found, unless `throw=False`: read `converged` then.
    Source: Yin, Zhang, Zhang, SIAM J. Sci. Comput. 41 (2019) A3576, doi 10.1137/19M1253356.
    """
    message = "expected noise > 0 for a smooth stationary state, got 0; pass noise=0.1, say."
    equation = guard(equation, equation.noise > 0, message)
    check_known((equation, guess), "a density", "call density_saddle outside of jax.jit")
    guess, index = equation.check(guess), check_integer(index, "index", 0)
    if index >= len(guess):
        raise ValueError(
            f"expected an index of at most {len(guess) - 1}, got {index}; there are no more coefficients."
        )
    found = _search(equation, guess, index, check_integer(max_steps, "max_steps"))
    if throw and not bool(found.converged):
        raise SolveError(
            f"No density of index {index} was found near the guess: the last has index "
            f"{int(found.index)} and a residual of {float(found.residual):.1e}; start elsewhere, or raise "
            "the degree of the basis."
        )
    return found


def _search(equation: FokkerPlanck, c: Array, index: int, max_steps: int) -> DensitySaddle:
    steps = 1
    while True:
        drift, matrix, turns, residual = map(np.asarray, _local(equation, c))
        if steps == max_steps or residual <= _SOLVED or not np.isfinite(matrix).all():
            return _told(c, index, matrix, turns, residual, steps)
        move = _step(drift, *_modes(matrix, turns), index)
        move *= min(1, _FARTHEST / max(np.linalg.norm(move), np.finfo(float).tiny))
        c, steps = c.at[1:].add(jnp.asarray(move, c.dtype)), steps + 1


def _step(drift: np.ndarray, rates: np.ndarray, modes: np.ndarray, index: int) -> np.ndarray:
    """Newton's where a mode grows or falls as it shall, and the other way where it does not."""
    shall = np.where(np.arange(len(rates)) < index, 1, -1)
    parts = np.linalg.solve(modes, drift.astype(modes.dtype))
    signs = np.where(np.sign(np.real(rates)) == shall, -1, 1)
    return np.real(modes @ (signs * parts / rates))


def _modes(matrix: np.ndarray, turns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rates, of the largest real parts first, and their vectors; rotations fall, as far as they move."""
    rates, modes = np.linalg.eig(matrix - np.abs(matrix).max() * turns @ turns.T)
    order = np.argsort(-np.real(rates))
    return rates[order], modes[:, order]


def _told(c, index: int, matrix, turns, residual, steps: int) -> DensitySaddle:
    rates = own = np.full(len(matrix), np.nan)
    if np.isfinite(matrix).all():
        rates = np.sort(np.real(np.linalg.eigvals(matrix)))[::-1]
        own = np.real(_modes(matrix, turns)[0])
    zero = _FLAT * np.abs(rates).max()
    growing, flat = int((own > zero).sum()), int((np.abs(own) <= zero).sum())
    orbit = int((np.abs(rates) <= zero).sum()) - flat
    converged = bool(residual <= _SOLVED) and growing == index and flat == 0
    whole = lambda value: jnp.asarray(value, int)
    return DensitySaddle(
        coeffs=c,
        index=whole(growing),
        rates=jnp.asarray(rates, c.dtype),
        orbit=whole(orbit),
        residual=jnp.asarray(residual, c.dtype),
        steps=whole(steps),
        converged=jnp.asarray(converged),
    )


@eqx.filter_jit
def _local(equation: FokkerPlanck, c: Float[Array, " k"]):
    """Drift, its Jacobian, the velocities of rotations [k-1, s], and the residual, without the mass."""
    drift = lambda c: equation.drift(jnp.zeros((), c.dtype), c, None)[1:]
    value, damping = drift(c), equation.damping(c.dtype)[1:]
    return value, jax.jacfwd(drift)(c)[:, 1:], _turns(equation, c), jnp.abs(value / damping).max()


def _turns(equation: FokkerPlanck, c: Float[Array, " k"]) -> Float[Array, "m s"]:
    """How the coefficients change by each rotation that changes nothing else."""
    basis = equation.basis
    if equation.potential is not None or not isinstance(basis, Fourier | SphericalHarmonics):
        return jnp.zeros((len(c) - 1, 0), c.dtype)
    x, slopes = basis.points.astype(c.dtype), basis.node_gradient(c)
    rows, columns = np.triu_indices(basis.d, 1)
    changes = slopes[:, rows] * x[:, columns] - slopes[:, columns] * x[:, rows]
    return basis.analyze(changes.T)[:, 1:].T
