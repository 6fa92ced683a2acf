"""Plain values and the hash that names a computation."""

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

# Beyond it, not every integer is a float.
_EXACT = 2**53


def plain(value: Any) -> Any:
    """`value` in the types of JSON: numpy numbers, arrays, tuples, paths and dataclasses converted.

    JSON has no infinity and no NaN: they become the strings 'inf', '-inf' and 'nan'.
    Raises ValueError for anything else.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, np.generic | np.ndarray):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Path):
        return str(value)
    raise ValueError(
        f"expected numbers, strings, booleans, lists or dicts of them, got {value!r}; "
        "convert it before it is stored."
    )


def digest(value: Any) -> str:
    """The SHA-256 of `value` as canonical JSON, in hexadecimal; 4 and 4.0 are one number."""
    text = json.dumps(_canonical(plain(value)), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _canonical(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _canonical(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return int(value)
    return value


def dumps(value: Any) -> str:
    """`value` as strict JSON, for people and for programs."""
    return json.dumps(plain(value), indent=2, allow_nan=False) + "\n"
