"""Hooks: what an abstract class answers with "nothing", unless a final class has an answer of its own."""

import functools
from collections.abc import Callable, Iterable
from typing import TypeVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

_Method = TypeVar("_Method", bound=Callable)


def default(method: _Method) -> _Method:
    """Marks a method of an abstract class as the answer of those that have nothing to say.

    A final class, or an abstract one below, may give its own; it may override no other concrete method.
    """
    method.__isdefault__ = True  # pyright: ignore[reportFunctionMemberAccess]
    return method


def is_default(method) -> bool:
    """Whether a method is one that `default` marks."""
    return getattr(method, "__isdefault__", False)


def all_of(answers: Iterable[Bool[Array, ""] | None]) -> Bool[Array, ""] | None:
    """Whether all parts that have an answer say yes; None if none has."""
    known = [answer for answer in answers if answer is not None]
    return functools.reduce(jnp.logical_and, known) if known else None


def times_of(answers: Iterable[Float[Array, "..."] | None]) -> Float[Array, " times"] | None:
    """The times that some part names; None if none does."""
    known = [times for times in answers if times is not None]
    return jnp.concatenate(known) if known else None


def answering(part, hook: str) -> list[str]:
    """The names of the classes of the innermost parts that answer a hook themselves."""
    inner = vars(part).values() if isinstance(part, eqx.Module) else part
    nested = isinstance(part, eqx.Module | tuple | list)
    found = [name for each in inner for name in answering(each, hook)] if nested else []
    own = isinstance(part, eqx.Module) and hasattr(part, hook)
    if found or not own or is_default(getattr(type(part), hook)):
        return list(dict.fromkeys(found))
    return [type(part).__name__]
