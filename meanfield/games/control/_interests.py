from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp

from ..._checks import as_array, check_callable
from ..._typing import Points, Scalar
from ...energies import AbstractEnergy, Circle, Line, terms
from ...geometry import AbstractGeometry, Euclidean, Sphere

Interest = Callable[..., Any] | None
"""What a player wants of its own cloud: an energy, a function of a cloud [n, d], or nothing."""


def each_interest(interests: Any, players: int, name: str) -> tuple[Interest, ...]:
    """The interest of each player: its own, or the one of all."""
    several = isinstance(interests, Sequence)
    each = tuple(interests) if several else (interests,) * players
    if len(each) != players or isinstance(interests, str):
        raise ValueError(
            f"expected {name} of {players} players, got {len(each)}; pass one energy, function or None each."
        )
    remedy = "pass an energy, such as Potential(f), or a function of a cloud"
    return tuple(None if one is None else check_callable(one, name, remedy) for one in each)


def interest(one: Interest, geometry: AbstractGeometry, x: Points, *more: Any) -> Scalar:
    """The value of a cloud for who has this interest; on the line and the circle densities have one too."""
    if one is None:
        return jnp.zeros((), x.dtype)
    if not isinstance(one, AbstractEnergy):
        return one_number(one(x, *more), "an interest").astype(x.dtype)
    if _of_a_density(one) and geometry == Euclidean(1):
        return one.on_quantiles(Line(None), jnp.sort(x[:, 0])).astype(x.dtype)
    if _of_a_density(one) and geometry == Sphere(2):
        angles = jnp.sort(jnp.arctan2(x[:, 1], x[:, 0]))
        return one.on_quantiles(Circle(), angles).astype(x.dtype)
    return one(x).astype(x.dtype)


def one_number(value: Any, name: str) -> Scalar:
    """What a function of the user has returned, if it is one number."""
    value = as_array(value, f"the value of {name}")
    if value.shape != ():
        raise ValueError(
            f"expected {name} to return one number, got shape {list(value.shape)}; sum its parts."
        )
    return value


def _of_a_density(energy: AbstractEnergy) -> bool:
    """Whether a part of it is of the gaps between quantiles, such as the entropy."""
    own = lambda part: type(part)._of_quantiles is not AbstractEnergy._of_quantiles
    return any(own(part) for _, part in terms(energy))
