"""Plain values and the hash that names a computation."""

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .._door import door
from ._atomic import write_bytes

# Beyond it, not every integer is a float.
_EXACT = 2**53


def plain(value: Any) -> Any:
    """`value` in the types of JSON: numpy numbers, arrays, tuples, paths and dataclasses converted.

    JSON has no infinity and no NaN: they become the strings 'inf', '-inf' and 'nan'.
    Raises ValueError for anything else.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, np.floating):  # of which the longest knows no Python number of its own
        return plain(float(value))
    if isinstance(value, np.generic | np.ndarray):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return _plain_mapping(value)
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


def _plain_mapping(value: Mapping) -> dict[str, Any]:
    named = {str(name): plain(item) for name, item in value.items()}
    if len(named) < len(value):
        raise ValueError(
            f"expected keys that differ as strings, got {[*value]}; rename one before it is stored."
        )
    return named


def digest(value: Any) -> str:
    """The SHA-256 of `value` as canonical JSON, in hexadecimal; 4 and `4.0` are one number."""
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


def encode(value: Any) -> bytes:
    """`value` as strict JSON, for people and for programs."""
    return (json.dumps(plain(value), indent=2, allow_nan=False) + "\n").encode()


@door
def write_json(path: Path, value: Any) -> None:
    """Writes plain values as JSON, atomically."""
    write_bytes(path, encode(value))


def decode(content: bytes) -> Any:
    """What `encode` was given. Raises ValueError if it is not strict JSON in UTF-8."""
    try:
        return json.loads(content.decode(), parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def seal(value: dict[str, Any]) -> dict[str, Any]:
    """`value` with its hash as the entry `sha256`."""
    return value | {"sha256": digest(value)}


def unseal(value: dict[str, Any]) -> dict[str, Any]:
    """What `seal` was given. Raises ValueError if it has changed."""
    bare = {name: item for name, item in value.items() if name != "sha256"}
    if value.get("sha256") != digest(bare):
        raise ValueError("damaged or edited")
    return bare
