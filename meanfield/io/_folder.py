"""The folder of a store: whose it is, and what lies in it."""

import contextlib
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ._atomic import StoreError, speaking
from ._identity import difference, identity_of, work_key
from ._json import decode
from ._sealed import unpack

HEADER = "study.json"
_FILES = ("result.nc", "claims.json")
_DRAWN = (".png", ".pdf", ".svg", ".html")
"""Pictures and pages of a result, which stand beside it as its `tables` do."""
_STALE = 3600.0  # seconds after which a temporary file belongs to a process that was killed


def read_bytes(path: Path) -> bytes | None:
    """The content of a file, or None if there is none. Raises StoreError if it cannot be read."""
    with speaking(path.parent):
        try:
            return path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None


def read_identity(folder: Path) -> dict[str, Any] | None:
    """The identity in the header of a store; None if there is no header.

    Raises StoreError if it is damaged, or another program's.
    """
    path = folder / HEADER
    content = read_bytes(path)
    if content is None:
        return None
    try:
        header = decode(content)
    except ValueError as error:
        raise StoreError(_damaged(path, "truncated or not JSON")) from error
    if not isinstance(header, dict) or header.get("format") != "meanfield":
        raise StoreError(
            f"expected a study.json that meanfield wrote, got {path}, written by something else; "
            "choose another folder."
        )
    identity = header.get("identity", {})
    if not _is_identity(identity) or work_key(identity) != header.get("key"):
        raise StoreError(_damaged(path, "damaged or edited"))
    return identity


def recovered_identity(folder: Path) -> dict[str, Any] | None:
    """What the other files of a store that lost its header say; None if none does."""
    for path in [folder / "result.nc", *sorted((folder / "cells").glob("[!.]*.nc"))]:
        with contextlib.suppress(ValueError):
            if (content := read_bytes(path)) is not None:
                identity = identity_of(unpack(content))
                return identity if _is_identity(identity) else None
    return None


def refuse_other(folder: Path, stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Raises StoreError unless two identities are one computation."""
    if work_key(stored) != work_key(wanted):
        raise StoreError(
            f"expected a folder of this study, got {folder}, which holds another: "
            f"{difference(stored, wanted)}; choose another folder or remove that one."
        )


def refuse_foreign(folder: Path, wanted: Mapping[str, Any]) -> None:
    """Raises StoreError unless `folder` can become the store of an identity: it is absent, empty but
    for dot files, or a store of that identity that lost its header."""
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"expected a folder, got the file {folder}; choose another folder.")
    inside = [p for p in folder.iterdir() if p.name[0] != "."] if folder.exists() else []
    if not inside or (folder / HEADER).exists():
        return
    cells = folder / "cells"
    rest = [p for p in inside if p.name not in (*_FILES, "cells")]
    strange = [p.name for p in rest if p.name != "tables" and p.suffix not in _DRAWN]
    if cells.is_dir():
        strange += [f"cells/{p.name}" for p in cells.iterdir() if p.suffix not in (".nc", ".tmp")]
    stored = None if strange else recovered_identity(folder)
    if stored is not None:
        refuse_other(folder, stored, wanted)
    elif rest or strange or any(cells.glob("*.nc")) or (folder / "result.nc").exists():
        raise StoreError(
            f"expected an empty folder or one of meanfield's, got {folder}, which holds "
            f"{sorted(strange or [p.name for p in inside])[0]} and {len(inside) - 1} more; "
            "choose another folder."
        )


def sweep(folder: Path) -> None:
    """Removes what writers that were killed long ago left behind, where it may."""
    for path in [*folder.glob(".*.tmp"), *folder.glob("cells/.*.tmp")]:
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _STALE:
                path.unlink()


def unreadable(path: Path, why: str) -> str:
    """The sentence for a file that holds something else."""
    return (
        f"expected a file that meanfield wrote, got {path} ({why}); "
        f"remove it ({_remove(path)}) and run again: only what it held is computed anew."
    )


def not_a_store(folder: Path) -> str:
    """The sentence for a folder without a header."""
    with speaking(folder):
        inside = sorted(path.parent.name for path in folder.glob(f"*/{HEADER}"))
    hint = f"name one inside it: {', '.join(inside)}" if inside else "name what `run` wrote"
    return f"expected a folder with study.json, got {folder}; {hint}."


def _damaged(path: Path, why: str) -> str:
    return (
        f"expected a study.json that meanfield wrote, got {path} ({why}); remove it "
        f"({_remove(path)}) and repeat the command: the other files tell whose they are."
    )


def _remove(path: Path) -> str:
    """The command that removes a file."""
    if os.name == "nt":
        return f'del "{path}"'
    return "rm '" + str(path).replace("'", "'\\''") + "'"


def _is_identity(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("fields", {}), dict)
