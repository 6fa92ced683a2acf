import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.lax import DotAlgorithmPreset
from jaxtyping import Array, Float

from ..._checks import check_instance, shown
from ._approximate import AbstractApproximate
from ._base import Sums
from ._blockwise import Blockwise
from ._dense import Dense
from ._exponential_sum import ExponentialSum

UNITS = {
    DotAlgorithmPreset.TF32_TF32_F32: 2.0**-9,
    DotAlgorithmPreset.BF16_BF16_F32_X3: 3 * 2.0**-16,
}
"""How far a product of two numbers may be off: both are cut to the bits of TF32; or each is the
sum of two numbers of bfloat16, and what is beyond them, and the product of the smaller two, are left out."""
HOMES = {
    DotAlgorithmPreset.TF32_TF32_F32: ("gpu",),
    DotAlgorithmPreset.BF16_BF16_F32_X3: ("gpu", "tpu"),
}


class Rounded(AbstractApproximate):
    """The sums of `Dense` or `Blockwise` with faster products of float32 matrices, of fewer digits.

    - `engine`: `Dense()` or `Blockwise(block)`.
    - `products`: of `jax.lax.DotAlgorithmPreset`, TF32_TF32_F32 (GPUs) or BF16_BF16_F32_X3 (GPUs and
      TPUs; three products of bfloat16); without this engine all bits are kept.

    Each product is off by u = 2^-9 or 3 2^-16 of its size at most, a logit by u beta |q| |k|, and so

        |F - F_exact| <= (t_F + |F| t_Z)/(Z - t_Z),   t_Z = ((1 + u) e^{u beta |q| |k|} - 1) Z

    where t_F is t_Z times the longest value: `relative_error(attention, x)` tells this bound, on any device,
    before anything is rounded. At beta = 9 on the sphere it is .05 in TF32 and 1e-3 in bfloat16; as
    roundings cancel, what is seen is tens of times less in TF32, hundreds of times in bfloat16.
    Derivatives are rounded alike. Never chosen automatically.

    Raises ValueError for other engines and products, for tokens that are not float32, and on a device without
    such products, as a CPU is.
    Source: Henry, Tang, Heinecke, arXiv 1904.06376; the bound is derived here.
    """

    engine: Dense | Blockwise = eqx.field(converter=lambda e: _check_engine(e))
    products: DotAlgorithmPreset = eqx.field(static=True, converter=lambda p: _check_products(p))

    def sums(self, problem: ExponentialSum) -> Sums:
        _check_dtype(problem.q.dtype)
        device, homes = jax.default_backend(), HOMES[self.products]
        if device not in homes:
            raise ValueError(
                f"expected a {' or '.join(homes)} for products in {self.products.name}, got a {device}; use "
                "the engine itself, here and for all digits."
            )
        return _rounded(problem, self.engine, self.products.name)

    def field_error(self, problem: ExponentialSum) -> Float[Array, " n"]:
        """A bound on |F - F_exact|/|F_exact| of the softmax field at each token, infinite if unknown."""
        _check_dtype(problem.q.dtype)
        unit, sums = UNITS[self.products], self.engine.sums(problem)
        logits = problem.bound()
        share = (1 + unit) * jnp.exp(unit * logits) - 1
        longest = jnp.linalg.norm(problem.v, axis=1).max()
        if problem.value is not None:  # which is a product too
            size = jnp.linalg.norm(problem.y, axis=1).max()
            longest = (
                longest + unit * jnp.linalg.norm(problem.value).astype(size.dtype) * size / share
            )
        return sums.relative_error(share * sums.mass, share * longest * sums.mass)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1, 2))
def _rounded(problem: ExponentialSum, engine: Dense | Blockwise, products: str) -> Sums:
    with jax.default_matmul_precision(products):
        return engine.sums(problem)


@_rounded.defjvp
def _rounded_jvp(engine, products, primals, tangents):
    # Rules of derivatives are traced after the sums, outside of what was chosen there.
    with jax.default_matmul_precision(products):
        return jax.jvp(engine.sums, primals, tangents)


def _check_engine(engine: Any) -> Dense | Blockwise:
    remedy = "pass Dense() or Blockwise(block)"
    return check_instance(engine, Dense | Blockwise, "an engine of products", remedy)


def _check_products(products: Any) -> DotAlgorithmPreset:
    if not isinstance(products, DotAlgorithmPreset) or products not in UNITS:
        raise ValueError(
            f"expected products of fewer digits, got {shown(products)}; pass "
            "jax.lax.DotAlgorithmPreset.TF32_TF32_F32 or BF16_BF16_F32_X3."
        )
    return products


def _check_dtype(dtype) -> None:
    if dtype != jnp.float32:
        raise ValueError(
            f"expected float32 tokens for products of fewer digits, got {dtype}; use the engine itself."
        )
