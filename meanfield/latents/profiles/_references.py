"""Clouds of known laws with as many tokens in as many dimensions, to hold entropies against."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from ..._typing import Key, Scalar
from ...measures import Uniform, VonMisesFisher
from ...observables import entropy_knn

NAMES = {
    "entropy_matched": "cap entropy of von Mises-Fisher samples of the same alignment, n and d",
    "entropy_matched_low": "lower end of the 95 % interval of their mean",
    "entropy_matched_high": "upper end of the 95 % interval of their mean",
    "entropy_matched_exact": "entropy of that law",
}
SAMPLES, QUANTILE = 8, 2.364624
"""Samples of which the entropy is the mean, and the quantile of Student's law that its interval takes."""


def of_uniform(key: Key, n: int, d: int) -> tuple[float, float]:
    """The entropy estimate of n uniform points, which is 0 in the mean, and its standard error."""
    found = eqx.filter_jit(entropy_knn)(Uniform(d).sample(key, n))
    return float(found.value), float(found.standard_error)


@eqx.filter_jit
def of_matched(key: Key, mean_product: Scalar, n: int, d: int) -> dict[str, Array]:
    """The entropies of the von Mises-Fisher law whose points have this mean inner product, R^2.

    Samples are drawn in single precision, so that they are the same ones in both.
    """
    resultant = jnp.sqrt(jnp.clip(mean_product, 0, 1 - 1e-6))
    law = VonMisesFisher(jnp.zeros(d, mean_product.dtype).at[0].set(1), concentration(resultant, d))
    single = VonMisesFisher(law.mean.astype(jnp.float32), law.kappa.astype(jnp.float32))
    found = jax.lax.map(
        lambda one: entropy_knn(single.sample(one, n)).value, jax.random.split(key, SAMPLES)
    )
    mean, reach = found.mean(), QUANTILE * found.std(ddof=1) / SAMPLES**0.5
    return {
        "entropy_matched": mean,
        "entropy_matched_low": mean - reach,
        "entropy_matched_high": mean + reach,
        "entropy_matched_exact": law.entropy(),
    }


def concentration(resultant: Scalar, d: int) -> Scalar:
    """kappa with I_{d/2}(kappa)/I_{d/2-1}(kappa) = resultant, by Newton's method.

    Source: Sra (2012), doi:10.1007/s00180-011-0232-x, equations 4 (the start, within 1/d) and 6.
    """
    axis = jnp.zeros(d, resultant.dtype).at[0].set(1)
    kappa = resultant * (d - resultant**2) / (1 - resultant**2)

    def newton(_, kappa):
        found = VonMisesFisher(axis, kappa).resultant()
        slope = 1 - found**2 - (d - 1) * jnp.where(kappa > 0, found / kappa, 1 / d)
        return jnp.maximum(kappa - (found - resultant) / slope, 0)

    return jax.lax.fori_loop(0, 4, newton, kappa)
