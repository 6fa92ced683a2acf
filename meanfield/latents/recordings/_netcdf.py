"""Recordings as netCDF."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from ...io import pack, provenance, unpack, write_bytes

if TYPE_CHECKING:
    from ._recording import Recording

KIND = "meanfield recording"
_AXES = "layer", "token", "dim"
_DIMS = {"states": _AXES, "mid": ("step", *_AXES[1:]), "tokens": ("token",)}


def write(recording: "Recording", path: str | Path) -> None:
    """Writes it, with its provenance and that of this process."""
    write_bytes(Path(path), pack(_dataset(recording)))


def read(content: bytes) -> dict[str, Any]:
    """The fields of what `write` wrote, or of a dataset that has `states` of the same dimensions.

    Raises ValueError for anything else.
    """
    data = unpack(content)
    if data.attrs.get("kind") != KIND:
        raise ValueError("netCDF of something else")
    if "states" not in data:
        raise ValueError("netCDF without states")
    fields: dict[str, Any] = {
        name: _exact(_ordered(data[name], axes)) for name, axes in _DIMS.items() if name in data
    }
    fields |= {"layers": data["layer"].values, "positions": data["token"].values}
    return fields | {k: _said(data.attrs.get(k), k) for k in ("model", "provenance")}


def _ordered(variable: xr.DataArray, axes: tuple[str, ...]) -> xr.DataArray:
    """The variable with its axes in this order, whichever they are stored in."""
    if {*variable.dims} != {*axes} or len(variable.dims) != len(axes):
        dims = ", ".join(map(str, variable.dims))[:60]
        raise ValueError(f"netCDF with {variable.name} along {dims}, not {', '.join(axes)}")
    return variable.transpose(*axes)


def _said(text: Any, name: str) -> Any:
    """What an attribute says in JSON."""
    try:
        return json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"netCDF whose attribute {name} is no JSON") from error


def _dataset(recording: "Recording") -> xr.Dataset:
    coords = {"layer": recording.layers, "token": recording.positions}
    parts = {"states": _plain(recording.states, _AXES)}
    if recording.mid is not None:
        parts["mid"] = _plain(recording.mid, _DIMS["mid"])
    if recording.tokens is not None:
        parts["tokens"] = xr.Variable(("token",), recording.tokens)
    origin = {**recording.provenance}
    origin |= {f"saved_{k}": v for k, v in provenance().items() if f"saved_{k}" not in origin}
    described = {"model": json.dumps(recording.model), "provenance": json.dumps(origin)}
    return xr.Dataset(parts, coords, {"kind": KIND, **described})


def _plain(array: np.ndarray, axes: tuple[str, ...]) -> xr.Variable:
    """An array in a type that netCDF has: half precision as its bits."""
    name = array.dtype.name
    bits = np.asarray(array).view(np.uint16) if array.dtype.itemsize == 2 else array
    return xr.Variable(axes, bits, {"precision": name})


def _exact(variable: xr.DataArray) -> np.ndarray:
    """What `_plain` was given."""
    name = variable.attrs.get("precision", variable.dtype.name)
    values = np.ascontiguousarray(variable.values)
    if values.dtype != np.uint16:
        return values
    import ml_dtypes

    kinds = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16}
    if not isinstance(name, str) or name not in kinds:
        raise ValueError(f"numbers in an unknown type {str(name)[:20]!r}")
    return values.view(kinds[name])
