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
    fields: dict[str, Any] = {
        name: _exact(data[name]) for name in ("states", "mid", "tokens") if name in data
    }
    fields |= {"layers": data["layer"].values, "positions": data["token"].values}
    return fields | {k: json.loads(data.attrs[k]) for k in ("model", "provenance")}


def _dataset(recording: "Recording") -> xr.Dataset:
    coords = {"layer": recording.layers, "token": recording.positions}
    parts = {"states": _plain(recording.states, _AXES)}
    if recording.mid is not None:
        parts["mid"] = _plain(recording.mid, ("step", *_AXES[1:]))
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
    if name not in kinds:
        raise ValueError(f"numbers in an unknown type {name!r}")
    return values.view(kinds[name])
