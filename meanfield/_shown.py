"""One line for whatever a user prints: names, and the numbers that are known."""

import dataclasses
import functools
import inspect
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ._hooks import default
from ._known import is_concrete

MOST = 6
"""The most numbers of an array, and entries of a list, that are written out."""
_LONGEST = 60
_ROOM = 120


class OneLine:
    """What prints as one line, such as AttentionFlow(geometry=Sphere(d=3), noise=0.1).

    What made it stands there, where it keeps that, else its fields; what is None or as it is by default
    is left out. Arrays of at most six numbers are written out; larger ones, and those that are only
    known once a traced program runs, by type and shape, as f64[64,3].
    """

    @default
    def shown(self) -> Mapping[str, Any]:
        """What is printed of it, by name."""
        return parts_of(self)

    def __repr__(self) -> str:
        return _call(self, self.shown())


class AbstractShown(OneLine, eqx.Module):
    """A module that prints as one line.

    One that holds arrays has no hash, which `jax.jit` asks of what it compiles: TypeError says what to do.
    """

    def __hash__(self):
        try:
            return hash((type(self), *jax.tree.leaves(self)))
        except TypeError as error:
            name = type(self).__name__
            raise TypeError(
                f"expected what has a hash, got {name} with arrays in it; call equinox.filter_jit(...) "
                f"in place of jax.jit(...), or jax.jit(lambda x: thing(x)) of this {name}."
            ) from error


def one_line(thing: Any) -> str:
    """What `thing` is, in one line."""
    if isinstance(thing, OneLine | str):
        return repr(thing)
    if isinstance(thing, jax.Array | np.ndarray | np.generic):
        return _array(thing)
    if isinstance(thing, bool | int | float):
        return _number(thing)
    if isinstance(thing, dict):
        return f"{{{_joined([f'{key!s}: {one_line(value)}' for key, value in thing.items()])}}}"
    if isinstance(thing, tuple | list) and not hasattr(thing, "_fields"):
        text = _joined([one_line(each) for each in thing])
        alone = "," if len(thing) == 1 else ""
        return f"[{text}]" if isinstance(thing, list) else f"({text}{alone})"
    if isinstance(thing, tuple):
        return _call(thing, thing._asdict())  # pyright: ignore[reportAttributeAccessIssue]
    return _other(thing)


def parts_of(thing: Any) -> dict[str, Any]:
    """What made a thing, where it keeps all that is needed, else its fields, but for defaults."""
    made_with = _made_with(type(thing))
    whole = all(hasattr(thing, name) for name, usual in made_with.items() if usual is _NEEDED)
    if whole and made_with:
        names = [name for name in made_with if hasattr(thing, name)]
    elif dataclasses.is_dataclass(thing):
        names = [field.name for field in dataclasses.fields(thing)]
    else:
        names = []
    parts = {name: getattr(thing, name) for name in names}
    return {name: v for name, v in parts.items() if not _usual(v, made_with.get(name, _NEEDED))}


_NEEDED = inspect.Parameter.empty


@functools.cache
def _made_with(kind: type) -> dict[str, Any]:
    """The parameters that make a class, with their defaults."""
    parameters = inspect.signature(kind).parameters.values()
    several = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
    return {p.name: p.default for p in parameters if p.kind not in several}


def _usual(value: Any, default: Any) -> bool:
    """Whether a value goes without saying."""
    if value is None or value is default:
        return True
    plain = isinstance(default, bool | int | float | str | tuple)
    if not plain or (isinstance(value, jax.Array) and (not _known(value) or value.size != 1)):
        return False
    kinds = bool | int | float | str | tuple | jax.Array | np.generic
    return isinstance(value, kinds) and bool(value == default)


def _call(thing: Any, parts: Mapping[str, Any]) -> str:
    return f"{type(thing).__name__}({', '.join(f'{k}={_part(v)}' for k, v in parts.items())})"


def _part(thing: Any) -> str:
    """What stands within another: a thing that needs much room by its name alone."""
    text = one_line(thing)
    return (
        f"{type(thing).__name__}(...)" if isinstance(thing, OneLine) and len(text) > _ROOM else text
    )


def _joined(texts: list[str]) -> str:
    if len(texts) > MOST:
        texts = [*texts[: MOST // 2], f"... {len(texts)} in all"]
    return ", ".join(texts)


def _known(array: Any) -> bool:
    """Whether numbers of an array can be read here and now."""
    if not isinstance(array, jax.Array):
        return True
    if not is_concrete(array) or array.is_deleted() or not array.is_fully_addressable:
        return False
    return not jnp.issubdtype(array.dtype, jax.dtypes.extended)


def _array(array: Any) -> str:
    if array.size > MOST or not _known(array) or array.dtype.kind in "OV":
        return _short(array)
    return _nested(np.asarray(array).tolist())


def _short(array: Any) -> str:
    name = str(array.dtype)
    for long, short in (("float", "f"), ("uint", "u"), ("int", "i"), ("complex", "c")):
        name = name.replace(long, short)
    return f"{name}[{','.join(map(str, array.shape))}]"


def _nested(values: Any) -> str:
    if isinstance(values, list):
        return f"[{', '.join(map(_nested, values))}]"
    return _number(values)


def _number(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _other(thing: Any) -> str:
    """Functions, classes and strangers."""
    while isinstance(thing, functools.partial) or hasattr(thing, "__wrapped__"):
        thing = thing.func if isinstance(thing, functools.partial) else thing.__wrapped__
    if callable(thing) and hasattr(thing, "__name__"):
        return thing.__name__
    text = " ".join(repr(thing).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
