"""The door of public names: what arrives is held against the annotations, in one place."""

import dataclasses
import functools
import inspect
import types
import typing
from collections.abc import Callable
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import AbstractArray

from ._checks import (
    LARGEST,
    as_array,
    as_number,
    check_callable,
    check_instance,
    check_key,
    check_precision,
    is_concrete,
    shown,
)

_Function = TypeVar("_Function", bound=Callable)
_Check = Callable[[Any, str], Any]
_CLASSES = (eqx.Module,)


def door(function: _Function) -> _Function:
    """The function, once its arguments have been held against their annotations.

    An array annotation takes what `jax.numpy.asarray` takes, in float32 or float64, with as many axes as
    it names, none of them empty; `int`, `float`, `bool`, `str`, `Key`, `Callable` and classes of this
    package take their kind, an object and not its class. Whatever else an annotation says is left to
    the function, as are values: a NaN in an array goes in, and comes out as NaN or as an error.

    Raises ValueError of one sentence with the remedy.
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def through(*args, **kwargs):
        bound = signature.bind(*args, **kwargs)
        for name, check in _checks_of(function).items():
            if name in bound.arguments:
                bound.arguments[name] = check(bound.arguments[name], name)
        return function(*bound.args, **bound.kwargs)

    return typing.cast(_Function, through)


class AbstractChecked(eqx.Module):
    """A module whose fields are held against their annotations when it is made, as `door` does.

    Arrays and numbers are left to the converters of their fields.
    """

    def __check_init__(self):
        for name, check in _checks_of(type(self)).items():
            value = getattr(self, name)
            if not isinstance(value, jax.Array | np.ndarray):
                check(value, name)


@functools.cache
def _checks_of(thing: Callable | type) -> dict[str, _Check]:
    """The check of each parameter of a function, or field of a class, that has one."""
    if isinstance(thing, type):
        hints = typing.get_type_hints(thing)
        hints = {field.name: hints[field.name] for field in dataclasses.fields(thing) if field.init}
        found = {name: check_for(hint, arrays=False) for name, hint in hints.items()}
    else:
        found = {
            name: check_for(hint)
            for name, hint in typing.get_type_hints(inspect.unwrap(thing)).items()
            if name != "return"
        }
    return {name: check for name, check in found.items() if check is not None}


def check_for(hint: Any, arrays: bool = True) -> _Check | None:
    """What an annotation asks of a value; None where that is not known here."""
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    kinds = typing.get_args(hint) if union else (hint,)
    wanted = [kind for kind in kinds if kind is not types.NoneType]
    check = _of_kinds(wanted, arrays)
    if check is None or len(wanted) == len(kinds):
        return check
    return lambda value, name: None if value is None else check(value, name)


def _of_kinds(kinds: list[Any], arrays: bool) -> _Check | None:
    tensors = [kind for kind in kinds if _is_array(kind)]
    if any(_holds_keys(kind) for kind in tensors):
        return check_key
    if all(isinstance(kind, type) and issubclass(kind, _CLASSES) for kind in kinds):
        return functools.partial(_object, tuple(kinds))
    if len(kinds) == 1 and (check := _SIMPLE.get(kinds[0])) is not None:
        return check
    if all(Callable in (kind, typing.get_origin(kind)) for kind in kinds):
        return lambda value, name: check_callable(value, name, f"pass {name}=lambda x: ...")
    numbers = [kind for kind in kinds if kind in (float, int) or _axes(kind) == (0, False)]
    if len(numbers) == len(kinds):
        return _number if float in kinds or arrays else None
    if len(tensors) == len(kinds) == 1 and _is_real(tensors[0]) and arrays:
        return functools.partial(_array, tensors[0])
    return None


def _is_array(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, AbstractArray)


def _holds_keys(kind: Any) -> bool:
    return any("key" in str(dtype) for dtype in np.atleast_1d(kind.dtypes))


def _is_real(kind: Any) -> bool:
    return all("float" in str(dtype) for dtype in np.atleast_1d(kind.dtypes))


def _axes(kind: Any) -> tuple[int, bool] | None:
    """How many axes an array annotation names, and whether more may stand before them."""
    if not _is_array(kind):
        return None
    names = kind.dim_str.split()
    more = any(name.startswith(("*", "...")) for name in names)
    return len(names) - more, more


def _array(kind: Any, value: Any, name: str) -> Any:
    x = check_precision(as_array(value, name), name)
    axes, more = _axes(kind) or (0, True)
    if x.ndim < axes or (x.ndim > axes and not more):
        shape = ", ".join(kind.dim_str.split())
        raise ValueError(
            f"expected {name} of shape [{shape}], got {list(x.shape)}; reshape it, or use jax.vmap for "
            "a batch."
        )
    if x.size == 0:
        raise ValueError(
            f"expected {name} with something in it, got an array of shape {list(x.shape)}; leave no "
            "axis empty."
        )
    return x


def _number(value: Any, name: str) -> Any:
    """`value`, if it is one real number, of Python or in an array."""
    number = check_precision(as_number(value, name), name)
    if number.ndim:
        raise ValueError(f"expected one number for {name}, got {shown(value)}; use jax.vmap.")
    if is_concrete(number) and bool(jnp.isnan(number)):
        raise ValueError(f"expected a number for {name}, got NaN; pass one that is finite.")
    return value


def _whole(value: Any, name: str) -> int:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or abs(value) > LARGEST:
        raise ValueError(
            f"expected {name} to be an integer, got {shown(value)}; pass one below 2^31."
        )
    return int(value)


def _truth(value: Any, name: str) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise ValueError(
            f"expected True or False for {name}, got {shown(value)}; pass {name}=True."
        )
    return bool(value)


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected text for {name}, got {shown(value)}; put it in quotes.")
    return value


_SIMPLE: dict[Any, _Check] = {int: _whole, bool: _truth, str: _text}


def _object(kinds: tuple[type, ...], value: Any, name: str) -> Any:
    if isinstance(value, kinds):
        return value
    words = " or ".join(_words(kind) for kind in kinds)
    room = kinds[0].__module__.split(".")
    where = ".".join(part for part in room[:2] if not part.startswith("_"))
    if isinstance(value, type) and issubclass(value, kinds):
        return check_instance(value, kinds[0], f"{words} for {name}", "")
    raise ValueError(f"expected {words} for {name}, got {shown(value)}; pass one of {where}.")


def _words(kind: type) -> str:
    """The class in words: AbstractAttention is an attention."""
    name = kind.__name__.lstrip("_").removeprefix("Abstract")
    spaced = "".join(f" {c.lower()}" if c.isupper() else c for c in name).strip()
    return f"{'an' if spaced[0] in 'aeiou' else 'a'} {spaced}"
