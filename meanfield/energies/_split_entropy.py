from typing import Any

import jax.numpy as jnp

from .._door import door
from .._typing import Scalar
from ._base import AbstractEnergy, Scaled, Sum
from ._entropy import Entropy
from ._internal import InternalEnergy


@door
def terms(energy: AbstractEnergy, dtype: Any = float) -> list[tuple[Scalar, AbstractEnergy]]:
    """The pairs (factor, part) of which an energy is the sum; no part is a sum or a multiple."""
    if isinstance(energy, Scaled):
        factor = energy.factor.astype(dtype)
        return [(factor * inner, part) for inner, part in terms(energy.energy, dtype)]
    if isinstance(energy, Sum):
        return [pair for term in energy.terms for pair in terms(term, dtype)]
    return [(jnp.ones((), dtype), energy)]


@door
def split_entropy(
    energy: AbstractEnergy, dtype: Any = float
) -> tuple[Scalar, AbstractEnergy | None]:
    """nu and E1 of an energy nu Entropy() + E1; E1 is None where the entropy is all there is.

    Raises ValueError for other internal energies, which are no multiple of the entropy.
    """
    pairs = terms(energy, dtype)
    if any(isinstance(part, InternalEnergy) for _, part in pairs):
        raise ValueError(
            "expected Entropy() as the only internal energy, got InternalEnergy; use QuantileJKO."
        )
    zero = jnp.zeros((), dtype)
    nu = sum((factor for factor, part in pairs if isinstance(part, Entropy)), start=zero)
    rest = tuple(Scaled(factor, part) for factor, part in pairs if not isinstance(part, Entropy))
    return nu, Sum(rest) if rest else None
