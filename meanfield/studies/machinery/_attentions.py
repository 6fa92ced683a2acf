import jax.numpy as jnp

from ..._checks import check_choice
from ...attention.kernels import AbstractExponential, Softmax, Unnormalized
from ...measures import VonMisesFisher


def attention_named(name: str, beta: float, d: int) -> AbstractExponential:
    """SA or USA on S^{d-1}, the latter divided by its normalizer at the uniform law.

    There, log int e^{beta <x, y>} dy, the two fields agree: their clusters start alike. Raises
    ValueError for any other name.
    """
    if check_choice(name, ("SA", "USA"), "attention") == "SA":
        return Softmax(beta)
    pole = jnp.eye(d)[0]
    # The density at the pole is that of e^{beta <x, y>}, which has the value e^beta there.
    return Unnormalized(beta, offset=beta - VonMisesFisher(pole, beta).log_density(pole))
