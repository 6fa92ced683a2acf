"""What a file says of a model, each taken only as what it must be."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..._checks import shown
from ..._memory import available_memory


class Facts:
    """Numbers and names that a file states under a prefix; ValueError where one is absent or wrong."""

    def __init__(self, values: Mapping[str, Any], file: str):
        self._values = values
        self.file = file

    def integer(self, name: str, default: int | None = None) -> int:
        """A positive integer."""
        value = self._values.get(name, default)
        if type(value) is not int or not 0 < value < 2**31:
            raise self.wrong(name, "a positive integer")
        return value

    def absent(self, name: str) -> bool:
        """Whether nothing is said of it."""
        return self._values.get(name) is None

    def number(self, name: str, default: float | None = None) -> float:
        """A positive number."""
        value = self._values.get(name, default)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self.wrong(name, "a positive number")
        if not (math.isfinite(value) and value > 0):
            raise self.wrong(name, "a positive number")
        return float(value)

    def text(self, name: str) -> str:
        """Different characters, one or more."""
        value = self._values.get(name)
        if not isinstance(value, str) or not 0 < len(value) == len({*value}):
            raise self.wrong(name, "different characters")
        return value

    def choice(self, name: str, known: tuple[Any, ...], default: Any = None) -> Any:
        """One of what is known here."""
        value = self._values.get(name, default)
        if not any(type(value) is type(each) and value == each for each in known):
            raise self.wrong(name, f"one of {[*known]}")
        return value

    def wrong(self, name: str, wanted: str) -> ValueError:
        """The error of a value that is none of what it must be."""
        got = shown(self._values.get(name))
        return ValueError(
            f"expected {wanted} for {name} in {self.file}, got {got}; pass a file of another model."
        )


class Weights:
    """Tensors by name, taken with the shape that they must have, in float32."""

    def __init__(
        self,
        shapes: Mapping[str, tuple[int, ...]],
        numbers: Callable[[str], np.ndarray],
        file: str,
    ):
        self.shapes = shapes
        self._numbers = numbers
        self.file = file
        size = 4 * sum(math.prod(shape) for shape in shapes.values())
        if size > available_memory():
            raise ValueError(
                f"expected weights that fit in memory, got {size / 2**30:.0f} GiB in {file}; use a larger "
                "machine."
            )

    def __contains__(self, name: str) -> bool:
        return name in self.shapes

    def take(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """One tensor."""
        if self.shapes.get(name) != shape:
            got = [*self.shapes[name]] if name in self.shapes else "none"
            raise ValueError(
                f"expected a tensor {name} of shape {[*shape]} in {self.file}, got {got}; pass a file "
                "that is whole, of a model that is known here."
            )
        return self._numbers(name)

    def stack(
        self,
        name: str,
        depth: int,
        shape: tuple[int, ...],
        change: Callable[[np.ndarray], np.ndarray] = lambda a: a,
    ) -> Float[Array, "layer ..."]:
        """The tensors of all layers, whose number stands for {} in the name."""
        return jnp.stack([change(self.take(name.format(k), shape)) for k in range(depth)])

    def one(self, name: str, shape: tuple[int, ...]) -> Float[Array, "..."]:
        """One tensor on the device."""
        return jnp.asarray(self.take(name, shape))


def check_shares(d: int, heads: int, groups: int, file: str) -> None:
    """Heads that share the dimensions, and groups that share the heads."""
    if d % heads or heads % groups:
        raise ValueError(
            f"expected heads that divide d = {d} and groups that divide heads, got {heads} and {groups} "
            f"in {file}; pass a file of another model."
        )
