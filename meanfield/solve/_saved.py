"""Runs in files: netCDF with its digest, and the shape of what it holds as JSON. No pickle."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

from .. import io

FORMAT = "meanfield trajectory 1"
_DEPTH = 32


def save_parts(path: str | Path, parts: Mapping[str, Any], result: diffrax.RESULTS) -> Path:
    """Writes trees of arrays by name, and how a solver ended; a file is whole or absent."""
    arrays: list[np.ndarray] = []
    shape = {name: _outline(part, arrays) for name, part in parts.items()}
    variables = {
        f"array_{k}": ([f"array_{k}_{axis}" for axis in range(a.ndim)], a)
        for k, a in enumerate(arrays)
    }
    attrs = {"format": FORMAT, "shape": json.dumps(shape), "result": _name_of(result)}
    attrs |= {f"provenance_{name}": value for name, value in io.provenance().items()}
    import xarray as xr  # takes long, and most runs are not saved

    path = Path(path)
    io.write_bytes(path, io.pack(xr.Dataset(variables, attrs=attrs)))
    return path


def load_parts(path: str | Path) -> tuple[dict[str, Any], diffrax.RESULTS]:
    """What `save_parts` was given. Raises ValueError for a file that is not such, or not whole."""
    path = Path(path)
    try:
        data = io.unpack(path.read_bytes())
        if data.attrs.get("format") != FORMAT:
            raise ValueError("no run")
        outline = json.loads(data.attrs["shape"])
        parts = {name: _filled(part, data, 0) for name, part in outline.items()}
        result = getattr(diffrax.RESULTS, _known(data.attrs["result"]))
    except (OSError, KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise ValueError(
            f"expected a run that Trajectory.save wrote, got {path} ({error}); save it again."
        ) from error
    return parts, result


def _outline(part: Any, arrays: list[np.ndarray]) -> Any:
    """A tree with the numbers of its arrays in their places; what is no array is refused."""
    if part is None:
        return None
    if isinstance(part, dict):
        return {"dict": {str(key): _outline(value, arrays) for key, value in part.items()}}
    if isinstance(part, tuple | list):
        return {type(part).__name__: [_outline(value, arrays) for value in part]}
    if not isinstance(part, jax.Array | np.ndarray | np.generic | bool | int | float):
        raise ValueError(
            f"expected arrays, tuples, lists and dicts in a run, got {type(part).__name__}; save what "
            "to_xarray() gives instead."
        )
    arrays.append(np.asarray(part))
    return len(arrays) - 1


def _filled(outline: Any, data: Any, depth: int) -> Any:
    if depth > _DEPTH:
        raise ValueError("nested too deep")
    if outline is None:
        return None
    if type(outline) is int:
        return jnp.asarray(data[f"array_{outline}"].values)
    ((kind, inner),) = outline.items()
    if kind == "dict":
        return {key: _filled(value, data, depth + 1) for key, value in inner.items()}
    parts = [_filled(value, data, depth + 1) for value in inner]
    return {"tuple": tuple(parts), "list": parts}[kind]


def _name_of(result: diffrax.RESULTS) -> str:
    return next(name for name in _names() if bool(result == getattr(diffrax.RESULTS, name)))


def _known(name: str) -> str:
    if name not in _names():
        raise ValueError(f"no result of a solver: {name[:40]}")
    return name


def _names() -> list[str]:
    return [*vars(diffrax.RESULTS)["_name_to_item"]]
