import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ..._checks import check_dimension, check_integer, check_nonnegative, guard, tolerance
from ..._door import door
from ..._typing import Scalar
from ...attention.kernels import AbstractAttention, check_isotropic
from ...dynamics.densities import FokkerPlanck
from ...harmonics import Gegenbauer
from .._precision import precision_of


@door
def growth_rates(
    attention: AbstractAttention, d: int, noise: Scalar | float, max_degree: int
) -> Float[Array, " degrees"]:
    """The rates at which small perturbations of the uniform law on S^{d-1} grow.

    rate_k = lambda_k (s_k - noise),    lambda_k = k (k + d - 2),    k = 0 .. max_degree

    A density 1 + epsilon Y_k with Y_k of degree k becomes 1 + epsilon e^{rate_k t} Y_k. With
    q_k = a_k/a_0 the multipliers of e^{beta <x, y>}, s_k = a_k/beta for `Unnormalized` and
    q_k/beta for `Softmax`. The rates are read off the linearization of `FokkerPlanck`, so that any
    attention with a `mean_field` has them. Entry 0 is 0: mass is conserved.

    Accurate to rounding relative to the largest rate without noise. Differentiable in the attention.
    Raises ValueError for an attention that is not symmetric under rotations, and negative noise.
    Source: Geshkovski, Letrouit, Polyanskiy, Rigollet, arXiv 2312.10794, for the equation.
    """
    check_isotropic(attention, check_dimension(d, least=2))
    basis = Gegenbauer(d, check_integer(max_degree, "max_degree"))
    return _rates(attention, basis, check_nonnegative(noise, "noise"), precision_of(attention))


def critical_noise(attention: AbstractAttention, d: int, max_degree: int = 64) -> Scalar:
    """The noise nu_c = max_k s_k at which the uniform law loses stability; 0 if it is stable without noise.

    a_1/beta for `Unnormalized`, I_{d/2}(beta)/(beta I_{d/2-1}(beta)) for `Softmax`. Papers write
    K = 1/(2 nu_c) or kappa = 1/nu_c. `max_degree` bounds the k that are tried; for beta > 0 and no
    value matrix k = 1 is the first to grow.

    Raises ValueError if it is `max_degree` itself; raise it then.
    Source: arXiv 2604.16288 and 2606.05140 (in their own conventions of noise).
    """
    strength = strengths(attention, d, max_degree)
    # Of degrees that the kernel does not have, rounding decides the sign.
    strongest = jnp.argmax(strength) + 1
    unstable = strength.max() > jnp.abs(strength).max() * tolerance(strength.dtype)
    message = (
        f"expected the first mode to grow below max_degree={max_degree}, got {max_degree}; "
        "raise max_degree."
    )
    critical = jnp.where(unstable, strength.max(), 0)
    return guard(critical, ~unstable | (strongest < max_degree), message)


def fastest_mode(
    attention: AbstractAttention, d: int, noise: Scalar | float = 0.0, max_degree: int = 64
) -> Int[Array, ""]:
    """The degree k* of largest growth: the number of first clusters on the circle; 0 if none grows.

    For `Unnormalized` on the circle without noise it is 1, 2, 3, 4, 6, 10, 14 at
    beta = 1, 2, 4, 7, 20, 50, 100, and grows like sqrt(2 beta).

    Raises ValueError if the fastest mode is `max_degree` itself; raise it then.
    """
    rates = growth_rates(attention, d, noise, max_degree)
    # Of degrees that the kernel does not have, rounding decides the sign.
    largest = jnp.abs(rates).max() * tolerance(rates.dtype)
    fastest = jnp.argmax(jnp.where(rates > largest, rates, 0))
    message = f"expected the fastest mode below max_degree={max_degree}; raise max_degree."
    return guard(fastest, fastest < max_degree, message)


def strengths(attention: AbstractAttention, d: int, max_degree: int) -> Float[Array, " degrees"]:
    """s_k for k = 1 .. max_degree: the growth rates without noise, over lambda_k."""
    rates = growth_rates(attention, d, 0.0, max_degree)
    return rates[1:] / Gegenbauer(d, max_degree).eigenvalues[1:].astype(rates.dtype)


@eqx.filter_jit
def _rates(
    attention: AbstractAttention, basis: Gegenbauer, noise: Scalar, dtype: jnp.dtype
) -> Float[Array, " degrees"]:
    equation = FokkerPlanck(basis, attention, noise)
    uniform = jnp.zeros(basis.size, dtype).at[0].set(1.0)
    # By Schur's lemma the linearization is diagonal, so that one direction shows all of it.
    direction = jnp.ones(basis.size, dtype).at[0].set(0.0)
    drift = lambda coeffs: equation.drift(jnp.zeros((), dtype), coeffs, None)
    return jax.jvp(drift, (uniform,), (direction,))[1]
