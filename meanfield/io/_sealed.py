"""Datasets as bytes that tell whether they are still what was written."""

import hashlib
from io import BytesIO

import xarray as xr

_MARK = b"\nmeanfield sha256 "


def pack(data: xr.Dataset) -> bytes:
    """`data` as netCDF (HDF5), and after its end, where readers of HDF5 do not look, its SHA-256.

    It is made in memory: HDF5 that meets a full disk leaves files that it can neither write nor
    close, and takes the interpreter with it.
    """
    content = bytes(data.to_netcdf(engine="h5netcdf"))
    return content + _seal(content)


def unpack(packed: bytes) -> xr.Dataset:
    """What `pack` was given, from its `packed` bytes. Raises ValueError, before anything is parsed, if a
    bit has changed."""
    size = packed.rfind(_MARK)
    content = packed[: max(size, 0)]
    if size < 0 or packed[size:] != _seal(content):
        raise ValueError("truncated, damaged, or not written by this version")
    try:
        return xr.load_dataset(BytesIO(content), engine="h5netcdf")
    except Exception as error:  # HDF5 has no one class of error
        raise ValueError("not netCDF") from error


def _seal(content: bytes) -> bytes:
    return _MARK + hashlib.sha256(content).hexdigest().encode() + b"\n"
