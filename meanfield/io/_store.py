import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from .._door import door
from .._shown import OneLine
from ._atomic import StoreError, speaking, write_bytes, write_new
from ._folder import (
    HEADER,
    not_a_store,
    read_bytes,
    read_identity,
    recovered_identity,
    refuse_foreign,
    refuse_other,
    sweep,
    unreadable,
)
from ._identity import identity_of, other_code, stamp, work_key
from ._json import decode, digest, encode, plain, seal, unseal
from ._provenance import provenance
from ._sealed import pack, unpack


class Store(OneLine):
    """The results of one computation in one folder, each file whole or absent.

        folder/study.json            what is computed (its identity) and by which software
        folder/cells/<hash>.nc       one unit of work each, so that a killed run resumes
        folder/result.nc             all of it
        folder/claims.json           numbers held against theory

    `identity` is a mapping of plain values. The hash of what it says to compute, `key`, owns the
    folder and is repeated in every file. Its entries `code` and `software` say by which code: a cell
    or a result of another is as good as absent, and is named in `other_code`, unless `keep`. Each
    netCDF file carries its provenance (versions, commit, device, precision, time) in attributes that
    begin with `provenance_`, the identity as JSON in `identity`, its cell in `cell`, and after its end
    the SHA-256 of its bytes: a file that was damaged, or put in the place of another, is refused.

    Raises StoreError if the folder holds other things, belongs to another computation, or cannot
    be written.
    """

    @door
    def __init__(self, folder: str | Path, identity: Mapping[str, Any], keep: bool = False):
        self._set(folder, identity, keep)
        with speaking(self.folder):
            self._existed = self.folder.exists()
            self._claim()
            sweep(self.folder)

    def _set(self, folder: str | Path, identity: Mapping[str, Any], keep: bool) -> None:
        self.folder = Path(folder)
        self.identity: dict[str, Any] = plain(identity)
        self.key = work_key(self.identity)
        self.keep = keep
        self.other_code = ""
        self.reused = 0
        self._made = False
        self._sure: set[Path] = set()

    @classmethod
    def under(cls, root: str | Path, identity: Mapping[str, Any], keep: bool = False) -> "Store":
        """The store in `root/<study>-<first 12 digits of the hash>`, where many can stand."""
        name = identity.get("study", "study")
        return cls(Path(root) / f"{name}-{work_key(identity)[:12]}", identity, keep)

    @classmethod
    def open(cls, folder: str | Path) -> "Store":
        """The store that already is in `folder`, whatever it holds, by whatever code; nothing is
        written."""
        folder = Path(folder)
        identity = read_identity(folder) or recovered_identity(folder)
        if identity is None:
            raise StoreError(not_a_store(folder))
        store = cls.__new__(cls)
        store._set(folder, identity, keep=True)
        sweep(folder)
        return store

    def __contains__(self, cell: Mapping[str, Any]) -> bool:
        return self._cell_path(cell) in self._sure or self.find_cell(cell) is not None

    def shown(self) -> dict[str, Any]:
        """What is printed of it."""
        study = self.identity.get("study")
        return {"folder": str(self.folder), "study": study, "cells": self.cells()}

    def cells(self) -> int:
        """How many cells are stored."""
        return len(list((self.folder / "cells").glob("[!.]*.nc")))

    def save_cell(self, cell: Mapping[str, Any], part: xr.Dataset) -> None:
        """Stores what one cell computed."""
        data = part.assign_attrs(stamp(self.identity), cell=json.dumps(plain(cell)))
        self._write(self._cell_path(cell), pack(data))

    def find_cell(self, cell: Mapping[str, Any]) -> xr.Dataset | None:
        """What the cell computed, with the provenance in its attributes; None while it is not there."""
        path = self._cell_path(cell)
        found = self._read_dataset(path, digest(cell))
        if found is not None:
            self.reused += path not in self._sure
            self._sure.add(path)
        return found

    def load_cell(self, cell: Mapping[str, Any]) -> xr.Dataset:
        """What the cell computed. Raises StoreError while it is not there."""
        found = self.find_cell(cell)
        if found is None:
            raise StoreError(
                f"expected a stored cell, got {dict(cell)}; compute and save it first."
            )
        return found

    def save_result(self, result: xr.Dataset, identity: Mapping[str, Any] | None = None) -> None:
        """Stores the whole result; `identity` tells of other code from which parts were kept."""
        own = self.identity if identity is None else identity
        self._write(self.folder / "result.nc", pack(result.assign_attrs(stamp(own))))
        stored = read_identity(self.folder)
        if stored is not None and other_code(stored, own):
            write_bytes(self.folder / HEADER, self._header(own))

    def load_result(self) -> xr.Dataset | None:
        """The whole result with its provenance, or None while it is not there."""
        found = self._read_dataset(self.folder / "result.nc", None)
        if found is not None:
            self.reused = self.cells()
        return found

    def save_claims(self, claims: list[dict[str, Any]]) -> None:
        """Stores claims as a list of objects, each with its own hash."""
        path, content = self.folder / "claims.json", encode([seal(claim) for claim in claims])
        if read_bytes(path) != content:  # a finished folder may be read-only
            self._write(path, content)

    def load_claims(self) -> list[dict[str, Any]] | None:
        """The claims, or None while they are not there."""
        path = self.folder / "claims.json"
        content = read_bytes(path)
        if content is None:
            return None
        try:
            claims = decode(content)
            if not isinstance(claims, list) or not all(isinstance(claim, dict) for claim in claims):
                raise ValueError("not a list of claims")
            return [unseal(claim) for claim in claims]
        except ValueError as error:
            raise StoreError(unreadable(path, str(error))) from error

    def clear(self) -> None:
        """Removes all that is stored but the header."""
        with speaking(self.folder):
            files = [self.folder / "result.nc", self.folder / "claims.json"]
            for path in [*files, *(self.folder / "cells").glob("[!.]*.nc")]:
                path.unlink(missing_ok=True)
        self.other_code = ""
        self._sure.clear()

    def release(self) -> None:
        """Gives the folder back if this store made it a store and nothing was stored in it."""
        files = [self.folder / "result.nc", self.folder / "claims.json"]
        if not self._made or self.cells() or any(path.exists() for path in files):
            return
        # Another process that runs the same study claims the folder again when it writes.
        with contextlib.suppress(OSError):
            (self.folder / HEADER).unlink()
            if not self._existed:
                self.folder.rmdir()

    def _cell_path(self, cell: Mapping[str, Any]) -> Path:
        return self.folder / "cells" / f"{digest(cell)[:24]}.nc"

    def _write(self, path: Path, content: bytes) -> None:
        self._claim()
        write_bytes(path, content)

    def _claim(self) -> None:
        """Makes the folder this computation's, or sees that it is."""
        stored = read_identity(self.folder)
        if stored is None:
            refuse_foreign(self.folder, self.identity)
            if write_new(self.folder / HEADER, self._header(self.identity)):
                self._made = True
                return
            stored = read_identity(self.folder) or {}  # another process was quicker
        refuse_other(self.folder, stored, self.identity)
        if not self._made:
            self._compare(stored)

    def _header(self, identity: Mapping[str, Any]) -> bytes:
        header = {"format": "meanfield", "key": self.key, "identity": identity}
        return encode(header | {"provenance": provenance()})

    def _compare(self, stored: Mapping[str, Any]) -> bool:
        """Whether what is stored may be used; other code is remembered by its name."""
        other = other_code(stored, self.identity)
        self.other_code = other or self.other_code
        return self.keep or not other

    def _read_dataset(self, path: Path, cell: str | None) -> xr.Dataset | None:
        """The file of a cell, known by its hash, or of the result."""
        content = read_bytes(path)
        if content is None:
            return None
        try:
            data = unpack(content)
        except ValueError as error:
            raise StoreError(unreadable(path, str(error))) from error
        told = data.attrs.get("cell")
        if data.attrs.get("key") != self.key or cell != (told and digest(json.loads(told))):
            raise StoreError(unreadable(path, "a result of something else"))
        return data if self._compare(identity_of(data)) else None
