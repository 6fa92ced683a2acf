"""The door of public names: what arrives is held against the annotations, in one place."""

import contextlib
import dataclasses
import functools
import inspect
import math
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import jax
import numpy as np
from jax.typing import ArrayLike
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
from ._products import exact_products
from ._shown import AbstractShown

_Function = TypeVar("_Function", bound=Callable)
_Check = Callable[[Any, str], Any]
_CONTAINERS = "builtins", "typing", "jaxtyping", "collections.abc"
_VARIADIC = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD


def door(function: _Function) -> _Function:
    """The function, once its arguments have been held against their annotations.

    An array annotation takes what `jax.numpy.asarray` takes, in float32 or float64 or in integers, with
    as many axes as it names, none of them empty (`ArrayLike`: with any number of axes, of real numbers);
    `int`, `float`, `bool`, `str`, `Key`, `Callable` and classes take their kind, an object and not its
    class; lists, tuples and dicts what they are said to hold, and a union what one of its kinds takes.
    All else is left to the function, as are values: a NaN in an array goes in, and comes out as NaN or
    as an error. Raises ValueError of one sentence with the remedy.
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def through(*args, **kwargs):
        bound = signature.bind(*args, **kwargs)
        for name, check in _checks_of(function).items():
            if name in bound.arguments:
                bound.arguments[name] = check(bound.arguments[name], name)
        return function(*bound.args, **bound.kwargs)

    return typing.cast(_Function, exact_products(through))


class AbstractChecked(AbstractShown):
    """A module whose fields are held against their annotations when it is made, as `door` does.

    Arrays and numbers are left to the converters of their fields.
    """

    def __check_init__(self):
        for name, check in _checks_of(type(self)).items():
            check(getattr(self, name), name)


@functools.cache
def _checks_of(thing: Callable | type) -> dict[str, _Check]:
    """The check of each parameter of a function, or field of a class, that has one."""
    if isinstance(thing, type):
        hints = typing.get_type_hints(thing)
        hints = {field.name: hints[field.name] for field in dataclasses.fields(thing) if field.init}
    else:
        hints, parameters = typing.get_type_hints(inspect.unwrap(thing)), inspect.signature(thing)
        named = [p.name for p in parameters.parameters.values() if p.kind not in _VARIADIC]
        hints = {name: hints[name] for name in named if name in hints}
    found = {name: check_for(hint, not isinstance(thing, type)) for name, hint in hints.items()}
    return {name: check for name, check in found.items() if check is not None}


def check_for(hint: Any, arrays: bool = True) -> _Check | None:
    """What an annotation asks of a value; None where that is not known here."""
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    kinds = typing.get_args(hint) if union else (hint,)
    if set(typing.get_args(ArrayLike)) <= {*kinds}:
        kinds = (ArrayLike, *(kind for kind in kinds if kind not in typing.get_args(ArrayLike)))
    wanted = [kind for kind in kinds if kind is not types.NoneType]
    check = _of_kinds(wanted, arrays)
    if check is None or len(wanted) == len(kinds):
        return check
    return lambda value, name: None if value is None else check(value, name)


def _of_kinds(kinds: list[Any], arrays: bool) -> _Check | None:
    if any(_is_array(kind) and _has(kind, "key") for kind in kinds):
        return check_key
    if all(kind in (float, int) or _axes(kind) == (0, False) for kind in kinds) and kinds != [int]:
        real = any(kind is float or (_is_array(kind) and _has(kind, "float")) for kind in kinds)
        return _number if real and (arrays or float in kinds) else None
    if all(map(_is_class, kinds)):
        return functools.partial(_object, tuple(kinds))
    known = [check for kind in kinds if (check := _of_kind(kind, arrays)) is not None]
    return functools.partial(_one_of, known) if len(known) == len(kinds) else None


def _of_kind(kind: Any, arrays: bool) -> _Check | None:
    if (check := _SIMPLE.get(kind)) is not None:
        return check
    origin = typing.get_origin(kind) or kind
    if origin is Callable:
        return lambda value, name: check_callable(value, name, f"pass {name}=lambda x: ...")
    if _is_array(kind) or kind is ArrayLike:
        return functools.partial(_array, kind) if arrays else None
    held = typing.get_args(kind)
    if origin in (list, tuple, Sequence):
        inner = [check_for(hint, arrays) for hint in held if hint is not ...]
        fixed = origin is tuple and bool(held) and ... not in held
        return functools.partial(_several, inner, fixed)
    if origin in (dict, Mapping):
        return functools.partial(_table, check_for(held[-1], arrays) if held else None)
    return functools.partial(_object, (kind,)) if _is_class(kind) else None


def _is_array(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, AbstractArray)


def _is_class(kind: Any) -> bool:
    """Whether it is a class of objects, other than numbers, arrays and containers."""
    own = isinstance(kind, type) and kind.__module__ not in _CONTAINERS
    return own and not issubclass(kind, AbstractArray | jax.Array | np.ndarray | np.generic)


def _has(kind: Any, word: str) -> bool:
    """Whether an array annotation takes such a kind of numbers."""
    return any(word in str(dtype) for dtype in np.atleast_1d(kind.dtypes))


def _axes(kind: Any) -> tuple[int, bool] | None:
    """How many axes an array annotation names, and whether more may stand before them."""
    if not _is_array(kind):
        return None
    names = kind.dim_str.split()
    more = any(name.startswith(("*", "...")) for name in names)
    return len(names) - more, more


def _array(kind: Any, value: Any, name: str) -> Any:
    x, (axes, more) = as_array(value, name), _axes(kind) or (0, True)
    if kind is ArrayLike or _has(kind, "float"):
        x = check_precision(x, name)
    elif str(x.dtype) not in kind.dtypes:
        wanted = "integers" if _has(kind, "int") else "truth values"
        raise ValueError(f"expected {wanted} in {name}, got {x.dtype}; cast them with .astype.")
    if x.ndim < axes or (x.ndim > axes and not more):
        shape = ", ".join(kind.dim_str.split())
        raise ValueError(
            f"expected {name} of shape [{shape}], got {list(x.shape)}; reshape it, or use jax.vmap."
        )
    if x.size == 0:
        raise ValueError(f"expected {name} not to be empty, got {shown(x)}; leave no axis empty.")
    return np.asarray(value) if getattr(kind, "array_type", None) is np.ndarray else x


def _number(value: Any, name: str) -> Any:
    """`value`, if it is one real number, of Python or in an array."""
    number = check_precision(as_number(value, name), name)
    if number.ndim:
        raise ValueError(f"expected one number for {name}, got {shown(value)}; use jax.vmap.")
    if is_concrete(value) and math.isnan(value):
        raise ValueError(f"expected a number for {name}, got NaN; pass one that is finite.")
    return value


def _one_of(checks: list[_Check], value: Any, name: str) -> Any:
    """What the first check that takes the value makes of it; if none does, the first one tells."""
    for check in checks[1:]:
        with contextlib.suppress(ValueError):
            return check(value, name)
    return checks[0](value, name)


def _several(inner: list[_Check | None], fixed: bool, value: Any, name: str) -> Any:
    """A list or tuple whose members are each held against a kind: the same for all, or fixed."""
    checks = (
        inner
        if fixed
        else inner[:1] * len(value if isinstance(value, list | tuple | range) else ())
    )
    if not isinstance(value, list | tuple | range) or (fixed and len(checks) != len(value)):
        size = f" of {len(inner)}" if fixed else ""
        got = f"one of {len(value)}" if isinstance(value, list | tuple | range) else shown(value)
        raise ValueError(f"expected a list{size} for {name}, got {got}; pass {name}=[...].")
    pairs = zip(checks or [None] * len(value), value, strict=True)
    made = [each if check is None else check(each, name) for check, each in pairs]
    return made if isinstance(value, list) else tuple(made)


def _table(inner: _Check | None, value: Any, name: str) -> Any:
    """A dict of names, each of whose values is held against a kind."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        got = shown(value)
        raise ValueError(f"expected a dict for {name}, got {got}; pass {name}=dict(x=...).")
    return {key: inner(each, name) if inner else each for key, each in value.items()}


def _whole(value: Any, name: str) -> int:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or abs(value) > LARGEST:
        raise ValueError(f"expected an integer {name}, got {shown(value)}; pass one below 2^31.")
    return int(value)


def _truth(value: Any, name: str) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"expected True or False for {name}, got {shown(value)}; pass True.")
    return bool(value)


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected text for {name}, got {shown(value)}; put it in quotes.")
    return value


_SIMPLE: dict[Any, _Check] = {float: _number, int: _whole, bool: _truth, str: _text}


def _object(kinds: tuple[type, ...], value: Any, name: str) -> Any:
    if isinstance(value, kinds):
        return value
    words = " or ".join(_words(kind) for kind in kinds)
    named = [kind.__name__ for kind in (*kinds[0].__subclasses__(), kinds[0])]
    known = [name for name in named if not name.startswith(("_", "Abstract"))] or named
    if isinstance(value, type) and issubclass(value, kinds):
        return check_instance(value, kinds[0], f"{words} for {name}", "")
    example = vars(kinds[0]).get("EXAMPLE", f"{known[0]}(...)")
    raise ValueError(f"expected {words} for {name}, got {shown(value)}; pass {example}.")


def _words(kind: type) -> str:
    """The class in words: AbstractAttention is an attention, unless it says what it is."""
    if "NAMED" in vars(kind):
        return vars(kind)["NAMED"]
    name = kind.__name__.lstrip("_").removeprefix("Abstract")
    spaced = "".join(f" {c.lower()}" if c.isupper() else c for c in name).strip()
    return f"{'an' if spaced[0] in 'aeiou' else 'a'} {spaced}"
