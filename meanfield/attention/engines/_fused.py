import functools

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..._checks import check_instance
from ..._products import exact_products
from . import _kernels
from ._base import AbstractEngine, Sums, keeps_digits
from ._blockwise import Blockwise, finite, shifted_sums, width
from ._exponential_sum import ExponentialSum

WIDEST = 16
"""Coordinates of queries, keys and values up to which a kernel multiplies them one by one."""
BLOCK = 1024


class Fused(AbstractEngine):
    """The sums of `Blockwise` as one kernel of a GPU or TPU: exact to rounding, O(n + m) memory.

    Products, exponentials and sums of a block of pairs stay on the chip (flash attention), for queries, keys
    and values of at most 16 coordinates, multiplied one by one in the precision of the tokens. Where all
    logits are bounded as for `Blockwise`, the field is one launch; otherwise a first one finds the
    largest logit of each row. Derivatives are those of `Blockwise`, by XLA.

    On a CPU, with a mask, with more coordinates and, on a TPU, in float64, the sums are `Blockwise`'s. Tested
    in the interpreter and lowered for GPUs and TPUs, it has run on none, and is never chosen automatically.
    `interpret=True` runs the kernel in Pallas's interpreter on any device, slowly: for tests.

    Source: Dao, Fu, Ermon, Rudra, Re, arXiv 2205.14135.
    """

    interpret: bool = eqx.field(static=True, default=False, converter=lambda on: _check_flag(on))

    def sums(self, problem: ExponentialSum) -> Sums:
        if problem.mask is not None or widest(problem) > WIDEST:
            return Blockwise(BLOCK).sums(problem)
        out, shift = _program(problem, self.interpret)
        return Sums(shift, out[:, -1], out[:, :-1])


def widest(problem: ExponentialSum) -> int:
    """The most coordinates of a query or a value."""
    return max(problem.q.shape[1], width(problem) - 1)


@eqx.filter_jit
def _program(problem: ExponentialSum, interpret: bool) -> tuple[Array, Float[Array, " n"]]:
    """One program: derivatives outside of jit would compile parts of it at each call."""
    return _sums(problem, interpret)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def _sums(problem: ExponentialSum, interpret: bool) -> tuple[Array, Float[Array, " n"]]:
    """Moment and, in the last column, mass; and the shift under which they stand."""
    if interpret:
        return _by_kernel(problem, "gpu", interpret=True)
    on_tpu = _by_kernel if problem.q.dtype == jnp.float32 else _by_blocks
    return jax.lax.platform_dependent(
        problem,
        cpu=_by_blocks,
        tpu=functools.partial(on_tpu, device="tpu"),
        default=functools.partial(_by_kernel, device="gpu"),
    )


@_sums.defjvp
@exact_products
def _sums_jvp(interpret, primals, tangents):
    # The shift cancels in whatever is made of the sums: it is held fixed, and the rest is linear.
    out, shift = _sums(*primals, interpret)
    fixed = finite(shift)
    _, slope = jax.jvp(lambda problem: shifted_sums(problem, fixed, BLOCK), primals, tangents)
    return (out, shift), (slope, jnp.zeros_like(shift))


def _by_kernel(
    problem: ExponentialSum, device: str, interpret: bool = False
) -> tuple[Array, Float[Array, " n"]]:
    q, k, v, w = problem.beta * problem.q, problem.k, problem.weighted(), problem.w
    sums = functools.partial(_kernels.shifted_sums, device=device, interpret=interpret)

    def by_bound(bound):
        return sums(q, bound, k, v, True), bound

    def by_largest(bound):
        shift = finite(_kernels.largest_logits(q, k, w, device, interpret))
        return sums(q, shift, k, v, False), shift

    bound = problem.bound()
    return jax.lax.cond(keeps_digits(bound.max()), by_bound, by_largest, bound)


def _by_blocks(problem: ExponentialSum, device: str = "cpu") -> tuple[Array, Float[Array, " n"]]:
    sums = Blockwise(BLOCK).sums(problem)
    return jnp.concatenate([sums.moment, sums.mass[:, None]], axis=1), sums.shift


def _check_flag(on) -> bool:
    return check_instance(on, bool, "interpret", "pass interpret=True, or leave it out")
