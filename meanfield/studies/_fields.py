import dataclasses
import math
from typing import Any

from .._checks import check_choice, check_integer


def check_fields(study: Any) -> None:
    """ValueError for a field that holds what its default says that it cannot.

    A tuple of names holds some of those in its default. Whole numbers are at least 1 where the
    default is positive, or at least what `dataclasses.field(metadata={"least": 0})` says. Numbers are
    finite, or infinite as one in the default. A seed has 32 bits: of larger ones jax takes the last 32 in
    single precision, where two of them would be one.
    """
    if not 0 <= study.seed < 2**32:
        raise ValueError(f"expected 0 <= seed < 2**32, got {study.seed}; pass seed=0.")
    for field in dataclasses.fields(study):
        known, given = (_several(a) for a in (field.default, getattr(study, field.name)))
        for one in given:
            if isinstance(one, float) and not math.isfinite(one) and one not in known:
                raise ValueError(
                    f"expected a finite number for {field.name}, got {one}; "
                    f"pass {field.name}={known[0]}, which is the default, or near it."
                )
        if isinstance(field.default, tuple) and all(isinstance(one, str) for one in known):
            for one in given:
                check_choice(one, known, field.name)
        elif all(type(one) is int and one > 0 for one in known):
            for one in given:
                check_integer(one, field.name, field.metadata.get("least", 1))


def _several(value: Any) -> tuple:
    return value if isinstance(value, tuple) else (value,)
