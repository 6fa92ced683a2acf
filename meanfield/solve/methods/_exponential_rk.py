"""Steps that take a diagonal damping exactly, by its exponential."""

import math
from collections.abc import Callable
from typing import ClassVar

import diffrax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..._door import AbstractChecked

NEAR = 1.0
"""Where |z| is less, phi_3 is the sum of its series; beyond, what the recurrence cancels is few bits."""
SERIES = tuple(1 / math.factorial(3 + k) for k in reversed(range(16)))
"""The series of phi_3, the highest power first: the next term is below rounding where |z| < 1."""


class ExponentialRK4(diffrax.AbstractSolver, AbstractChecked):
    """Exponential Runge-Kutta steps of order 4, for densities in fixed steps: the least work a step.

        u_2 = e^{z/2} c + (h/2) phi_1(z/2) N_1
        u_3 = u_2 + h phi_2(z/2) (N_2 - N_1)
        u_4 = e^z c + h phi_1(z) N_1 + 2 h phi_2(z) (N_3 - N_1)
        c_{k+1} = e^z c + h (phi_1 - 3 phi_2 + 4 phi_3)(z) N_1
            + h (2 phi_2 - 4 phi_3)(z) (N_2 + N_3) + h (4 phi_3 - phi_2)(z) N_4

    of c' = N(t, c) - D c, a dynamics that is an `AbstractImex`, with z = -h D, phi_l(z) the sum of
    z^k/(k + l)!, and N_i taken at u_i and at the start, the middle twice, and the end of the step.
    Diffusion alone is exact at any step, and limits none. The order is 4 where the solution is smooth,
    as densities under noise are, and no less than 2 however stiff D is.
    A step asks for 4 right-hand sides, where the default, an implicit-explicit method of order 5, asks
    for 8 and errs less: take this one where single steps are to be cheap. With equal work, of twice as
    many steps, the two err about alike, and this one less where much is damped, as from peaked starts.

    `simulate(FokkerPlanck(basis, attention, noise), c0, ts, dt=0.01, solver=ExponentialRK4())`

    `simulate` raises ValueError where dt is left out, and for any other dynamics.
    Source: Krogstad (2005), doi:10.1016/j.jcp.2004.08.006; of orders where D is stiff, Hochbruck,
    Ostermann (2005), doi:10.1137/040611434.
    """

    term_structure: ClassVar = diffrax.MultiTerm[tuple[diffrax.ODETerm, diffrax.ODETerm]]
    interpolation_cls: ClassVar[Callable] = diffrax.LocalLinearInterpolation

    def order(self, terms):
        return 4

    def init(self, terms, t0, t1, y0, args):
        return None

    def step(self, terms, t0, t1, y0, args, solver_state, made_jump):
        explicit, decay = terms.terms
        h = jnp.asarray(t1 - t0, y0.dtype)
        z = h * decay.vf(t0, jnp.ones_like(y0), args)
        # t0 + (t1 - t0) may be rounded to beyond a jump at t1.
        times = t0, t0 + (t1 - t0) / 2, t1
        y1 = _step(lambda t, y: h * explicit.vf(t, y, args), times, y0, z)
        return y1, None, {"y0": y0, "y1": y1}, None, diffrax.RESULTS.successful

    def func(self, terms, t0, y0, args):
        return terms.vf(t0, y0, args)


def _step(push: Callable, times: tuple, y: Array, z: Array) -> Array:
    """The state after a step; `push(t, y)` is h N, `times` are those of its start, middle and end."""
    (decay, one, two, three), (root, half_one, half_two, _) = _functions(z), _functions(z / 2)
    first = push(times[0], y)
    start = root * y + half_one / 2 * first
    second = push(times[1], start)
    third = push(times[1], start + half_two * (second - first))
    fourth = push(times[2], decay * y + one * first + 2 * two * (third - first))
    middle = (2 * two - 4 * three) * (second + third)
    ends = (one - 3 * two + 4 * three) * first + (4 * three - two) * fourth
    return decay * y + middle + ends


def _functions(z: Float[Array, " k"]) -> tuple[Array, Array, Array, Array]:
    """e^z and phi_1, phi_2, phi_3: phi_{l+1}(z) = (phi_l(z) - 1/l!)/z, and phi_l(0) = 1/l!."""
    small = jnp.abs(z) < NEAR
    near, far = jnp.where(small, z, 0), jnp.where(small, NEAR, z)
    three = jnp.polyval(jnp.asarray(SERIES, z.dtype), near)
    two = jnp.where(small, 1 / 2 + near * three, (jnp.expm1(far) / far - 1) / far)
    one = jnp.where(small, 1 + near * two, jnp.expm1(far) / far)
    return jnp.exp(z), one, two, jnp.where(small, three, (two - 1 / 2) / far)
