import dataclasses
import math
from collections.abc import Iterable
from numbers import Real
from typing import Any, TypeVar

from ..._checks import check_choice, check_integer, shown

SPHERES = ("d", "dimensions")
"""Names of fields that hold ambient dimensions, of which a sphere has 2 at least."""

_T = TypeVar("_T")


def check_fields(study: Any) -> None:
    """ValueError for a field that holds what its default says that it cannot.

    - A tuple is not empty, and holds `count` values at least; one of names, some of its default.
    - Whole numbers are at least 1 where the default is positive, dimensions at least 2.
    - Numbers are finite, or infinite as one in the default; positive where the default is, and else
      not negative where it is not.

    `dataclasses.field(metadata={"least": 0, "count": 3, "known": ("a", "b")})` says otherwise. A seed
    has 32 bits: of larger ones jax takes the last 32 in single precision, where two would be one.
    """
    if type(study.seed) is not int or not 0 <= study.seed < 2**32:
        raise ValueError(f"expected 0 <= seed < 2**32, got {shown(study.seed)}; pass seed=0.")
    for field in (field for field in dataclasses.fields(study) if field.name != "seed"):
        given = getattr(study, field.name)
        if isinstance(field.default, tuple):
            _check_count(given, field.name, field.metadata.get("count", 1))
        known = field.metadata.get("known", _several(field.default))
        for one in _several(given):
            _check_value(one, known, field)


def check_that(fact: bool, expected: str, got: object, remedy: str) -> None:
    """ValueError("expected ..., got ...; remedy.") unless it is a fact."""
    if not fact:
        raise ValueError(f"expected {expected}, got {got}; {remedy}.")


def check_share(whole: float, part: float, expected: str, remedy: str) -> None:
    """ValueError unless `part` goes into `whole` a whole number of times, up to rounding."""
    times = whole / part
    check_that(round(times) >= 1 and abs(times - round(times)) < 1e-6, expected, part, remedy)


def some_of(own: tuple[_T, ...], wanted: Iterable[_T]) -> tuple[_T, ...]:
    """Those of `own` that are wanted, or else the first of them: a sweep made shorter."""
    wanted = [*wanted]
    return tuple(one for one in own if one in wanted) or own[:1]


def _check_count(given: Any, name: str, count: int) -> None:
    if not isinstance(given, tuple) or len(given) < count:
        size = len(given) if isinstance(given, tuple) else repr(given)
        raise ValueError(
            f"expected {name} to have {count} or more values, got {size}; pass more of them."
        )


def _check_value(one: Any, known: tuple, field: dataclasses.Field) -> None:
    name, least = field.name, field.metadata.get("least")
    if isinstance(field.default, tuple) and all(isinstance(k, str) for k in known):
        check_choice(one, known, name)
    elif all(type(k) is bool for k in known):
        check_that(type(one) is bool, f"True or False for {name}", shown(one), f"pass {name}=True")
    elif all(type(k) is int for k in known):
        if least is None and min(known) > 0:
            least = 2 if name in SPHERES and min(known) > 1 else 1
        elif least is None and min(known) == 0:
            least = 0
        if least is not None:
            check_integer(one, name, least)
    elif all(type(k) in (int, float) for k in known):
        _check_number(one, name, least, known)


def _check_number(one: Any, name: str, least: float | None, known: tuple) -> None:
    want, fits = "a finite number", isinstance(one, Real) and not isinstance(one, bool)
    number = float(one) if fits else math.nan
    fits = math.isfinite(number) or (fits and one in known)
    if least is None and min(known) > 0:
        want, fits = "a finite number > 0", fits and number > 0
    elif least is not None or min(known) == 0:
        bound = 0 if least is None else least
        want, fits = f"a finite number >= {bound:g}", fits and number >= bound
    if not fits:
        raise ValueError(
            f"expected {want} for {name}, got {one!r}; "
            f"pass {name}={known[0]}, which is the default, or near it."
        )


def _several(value: Any) -> tuple:
    return value if isinstance(value, tuple) else (value,)
