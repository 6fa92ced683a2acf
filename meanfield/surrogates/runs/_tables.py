"""Inputs that are given at nodes."""

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..._typing import Scalar


class Tabulated(eqx.Module):
    """An input with values at the times of nodes, joined by straight lines; one node is a constant."""

    ts: Float[Array, " k"]
    values: Float[Array, " k"]

    def at(self, t: Scalar) -> Array:
        """The value at a time."""
        if self.values.shape[0] == 1:
            return self.values[0] + 0 * t
        return jnp.interp(t, self.ts, self.values)


def bends(args: Mapping[str, Any]) -> Float[Array, " kinks"] | None:
    """The times at which the inputs among these values bend; None if never."""
    found = [each.ts for each in args.values() if isinstance(each, Tabulated) and each.ts.size > 1]
    return jnp.sort(jnp.concatenate(found)) if found else None
