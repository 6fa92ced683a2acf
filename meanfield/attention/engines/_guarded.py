import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

from ..._products import exact_products
from ._base import AbstractEngine, Sums, in_all
from ._blockwise import width
from ._exponential_sum import ExponentialSum
from ._harmonic import Harmonic

ROUNDING = 2.0**14
"""How many units of rounding, against the length of the values, the sums of harmonics may be off."""


class Guarded(AbstractEngine):
    """Sums by harmonics where they are right to rounding, and by an exact engine elsewhere.

    Taken are the sums of `quick` if every query and key is a unit vector to rounding and, at each query,

        t_Z + t_F <= 2^14 eps Z,

    with the mass Z, and t_Z and t_F what is neglected of kernel and field at most (`Harmonic`), rounding
    included: softmax is then off by 2^14 eps of the longest value at most, in practice by
    some eps. An isolated token beside a cluster, a beta that needs more degrees, a token off the
    sphere: all are summed by `exact`, in the same compiled program. On S^2, where a trial costs more, none is
    made unless a cloud spread as the uniform one would pass. Derivatives are always those of
    `exact`, for harmonics do not know what happens off the sphere.

    Raises ValueError where either engine does.
    Source: the bound of `Harmonic`, with its source; derived here.
    """

    quick: Harmonic
    exact: AbstractEngine

    def sums(self, problem: ExponentialSum) -> Sums:
        return _guarded(problem, self.quick, self.exact)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1, 2))
def _guarded(problem: ExponentialSum, quick: Harmonic, exact: AbstractEngine) -> Sums:
    right = _on_the_sphere(problem)
    if quick.basis.d == 2:  # where a trial costs next to nothing
        sums = quick.sums(problem)
    else:
        right = in_all(right & quick.is_promising(problem, ROUNDING))
        sums = jax.lax.cond(right, _summed_by(quick), _kept, _no_sums(problem), problem)
    right = right & quick.is_within(problem, sums.mass, ROUNDING)
    return jax.lax.cond(in_all(right), _kept, _summed_by(exact), sums, problem)


def _kept(sums: Sums, problem: ExponentialSum) -> Sums:
    return sums


@functools.cache
def _summed_by(engine: AbstractEngine):
    """The same function at each call outside of jit, which else would be compiled at each."""
    return lambda sums, problem: engine.sums(problem)


@_guarded.defjvp
@exact_products
def _guarded_jvp(quick, exact, primals, tangents):
    # A shift cancels in whatever is made of the sums: it is held fixed.
    sums = _guarded(*primals, quick, exact)
    same, slope = jax.jvp(exact.sums, primals, tangents)
    scale = jnp.exp(same.shift - sums.shift)
    slopes = scale * slope.mass, scale[:, None] * slope.moment
    return sums, Sums(jnp.zeros_like(sums.shift), *slopes)


def _no_sums(problem: ExponentialSum) -> Sums:
    """What stands for sums that were not tried."""
    zero = jnp.zeros_like(problem.q[:, 0])
    return Sums(zero, zero, jnp.zeros((len(zero), width(problem) - 1), zero.dtype))


def _on_the_sphere(problem: ExponentialSum) -> Bool[Array, ""]:
    """Whether all queries and keys are unit vectors, to rounding."""
    most = 64 * jnp.finfo(problem.q.dtype).eps
    return jnp.stack(
        [jnp.abs((x**2).sum(axis=1) - 1).max() <= most for x in (problem.q, problem.k)]
    ).all()
