import contextlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from ._atomic import StoreError, speaking, write_atomically
from ._json import digest, dumps, plain
from ._provenance import provenance

_PREFIX = "provenance_"
_STALE = 3600.0  # seconds after which a temporary file belongs to a process that was killed


class Store:
    """The results of one computation in one folder, each file whole or absent.

        folder/study.json            what is computed (its identity) and by which software
        folder/cells/<hash>.nc       one unit of work each, so that a killed run resumes
        folder/result.nc             all of it
        folder/claims.json           numbers held against theory

    `identity` is a mapping of plain values; its hash, `key`, owns the folder and is repeated in
    every file. Each netCDF file carries its provenance (versions, commit, device, precision, time)
    in attributes that begin with `provenance_`, and the identity as JSON in `identity`.

    Raises StoreError if the folder holds other things, belongs to another computation, or cannot
    be written.
    """

    def __init__(self, folder: str | Path, identity: Mapping[str, Any]):
        self.folder = Path(folder)
        self.identity: dict[str, Any] = plain(identity)
        self.key = digest(identity)
        with speaking(self.folder):
            known = self._is_known()
            if not known:
                _refuse_foreign(self.folder)
                known = self._is_known()  # another process may have been quicker
            if known:
                self._check_owner()
            self._sweep()
        if not known:
            header = {"format": "meanfield", "key": self.key, "identity": self.identity}
            write_json(self.folder / "study.json", header | {"provenance": provenance()})

    @classmethod
    def under(cls, root: str | Path, identity: Mapping[str, Any]) -> "Store":
        """The store in `root/<study>-<first 12 digits of the hash>`, where many can stand."""
        name = identity.get("study", "study")
        return cls(Path(root) / f"{name}-{digest(identity)[:12]}", identity)

    @classmethod
    def open(cls, folder: str | Path) -> "Store":
        """The store that already is in `folder`, whatever it holds."""
        folder = Path(folder)
        if not (folder / "study.json").exists():
            raise StoreError(_not_a_store(folder))
        return cls(folder, _read_header(folder / "study.json")["identity"])

    def __contains__(self, cell: Mapping[str, Any]) -> bool:
        return self._cell_path(cell).exists()

    def cells(self) -> int:
        """How many cells are stored."""
        return len(list((self.folder / "cells").glob("[!.]*.nc")))

    def save_cell(self, cell: Mapping[str, Any], part: xr.Dataset) -> None:
        """Stores what one cell computed."""
        self._write_dataset(self._cell_path(cell), part, {"cell": json.dumps(plain(cell))})

    def load_cell(self, cell: Mapping[str, Any]) -> xr.Dataset:
        """What the cell computed, with the provenance in its attributes."""
        return self._read_dataset(self._cell_path(cell))

    def save_result(self, result: xr.Dataset) -> None:
        """Stores the whole result."""
        self._write_dataset(self.folder / "result.nc", result, {})

    def load_result(self) -> xr.Dataset | None:
        """The whole result with its provenance, or None while it is not there."""
        path = self.folder / "result.nc"
        return self._read_dataset(path) if path.exists() else None

    def save_claims(self, claims: list[dict[str, Any]]) -> None:
        """Stores claims as a list of objects."""
        write_json(self.folder / "claims.json", claims)

    def load_claims(self) -> list[dict[str, Any]] | None:
        """The claims, or None while they are not there."""
        path = self.folder / "claims.json"
        if not path.exists():
            return None
        claims = _read_json(path)
        if not isinstance(claims, list) or not all(isinstance(claim, dict) for claim in claims):
            raise StoreError(_unreadable(path, "not a list of claims"))
        return claims

    def _cell_path(self, cell: Mapping[str, Any]) -> Path:
        return self.folder / "cells" / f"{digest(cell)[:24]}.nc"

    def _write_dataset(self, path: Path, data: xr.Dataset, attributes: dict[str, str]) -> None:
        data = data.assign_attrs(stamp(self.identity) | attributes)
        write_atomically(path, lambda temporary: data.to_netcdf(temporary, engine="h5netcdf"))

    def _read_dataset(self, path: Path) -> xr.Dataset:
        try:
            data = xr.load_dataset(path, engine="h5netcdf")
        except Exception as error:  # HDF5 has no one class of error for a damaged file
            raise StoreError(_unreadable(path, "truncated or not netCDF")) from error
        if data.attrs.get("key") != self.key:
            raise StoreError(_unreadable(path, "a result of something else"))
        return data

    def _is_known(self) -> bool:
        return (self.folder / "study.json").exists()

    def _check_owner(self) -> None:
        header = _read_header(self.folder / "study.json")
        if header["key"] != self.key:
            raise StoreError(
                f"expected a folder of this study, got {self.folder}, which holds another: "
                f"{_difference(header['identity'], self.identity)}; "
                "choose another folder or remove that one."
            )

    def _sweep(self) -> None:
        """Removes what writers that were killed long ago left behind."""
        for path in [*self.folder.glob(".*.tmp"), *self.folder.glob("cells/.*.tmp")]:
            with contextlib.suppress(FileNotFoundError):  # its writer may be done by now
                if time.time() - path.stat().st_mtime > _STALE:
                    path.unlink()


def write_json(path: Path, value: Any) -> None:
    """Writes plain values as JSON, atomically."""
    text = dumps(value)
    write_atomically(path, lambda temporary: temporary.write_text(text))


def stamp(identity: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes by which a dataset tells what it is and how it was computed."""
    own: dict[str, Any] = {"key": digest(identity), "identity": json.dumps(plain(identity))}
    fields = identity.get("fields")
    if isinstance(fields, dict) and isinstance(fields.get("seed"), int):
        own["seed"] = fields["seed"]
    return own | {_PREFIX + name: value for name, value in provenance().items()}


def strip(data: xr.Dataset) -> xr.Dataset:
    """`data` without the attributes that a store added."""
    own = ("key", "identity", "seed", "cell")
    bare = data.copy()
    bare.attrs = {
        name: value
        for name, value in data.attrs.items()
        if name not in own and not str(name).startswith(_PREFIX)
    }
    return bare


def _refuse_foreign(folder: Path) -> None:
    """Raises StoreError unless `folder` can become a store: absent, or empty but for dot files."""
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"expected a folder, got the file {folder}; choose another folder.")
    names = [p.name for p in folder.iterdir() if p.name[0] != "."] if folder.exists() else []
    if names and "study.json" not in names:
        raise StoreError(
            f"expected an empty folder or one of meanfield's, got {folder}, which holds "
            f"{sorted(names)[0]} and {len(names) - 1} more; choose another folder."
        )


def _not_a_store(folder: Path) -> str:
    inside = sorted(path.parent.name for path in folder.glob("*/study.json"))
    hint = f"name one inside it: {', '.join(inside)}" if inside else "name what `run` wrote"
    return f"expected a folder with study.json, got {folder}; {hint}."


def _unreadable(path: Path, why: str) -> str:
    return (
        f"expected a file that meanfield wrote, got {path} ({why}); "
        f"remove it (rm '{path}') and run again: only what it held is computed anew."
    )


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise StoreError(_unreadable(path, "truncated or not JSON")) from error


def _read_header(path: Path) -> dict[str, Any]:
    header = _read_json(path)
    ours = isinstance(header, dict) and header.get("format") == "meanfield"
    if not ours or digest(header.get("identity")) != header.get("key"):
        raise StoreError(
            f"expected a study.json that meanfield wrote, got {path}, written by something else or "
            "edited; choose another folder."
        )
    return header


def _difference(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """The first level at which two identities differ, in words."""
    for name in ("study", "version", "precision", "seeds", "fields"):
        old, new = stored.get(name), wanted.get(name)
        if digest(old) == digest(new):
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            names = [k for k in {**old, **new} if digest(old.get(k)) != digest(new.get(k))]
            return ", ".join(f"{k} = {old.get(k)} (now {new.get(k)})" for k in names)
        return f"{name} {old} (now {new})"
    return "its identity differs"
