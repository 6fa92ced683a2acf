import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ..._checks import check_choice, shown
from ..._memory import available_memory
from ..formats import read_safetensors
from ._netcdf import read
from ._recording import Recording
from ._sources import from_arrays

ENDINGS = (".nc", ".npy", ".npz", ".safetensors")


def load(path: str | Path, axes: str | None = None, name: str | None = None) -> Recording:
    """A recording from a file: `.nc` that `Recording.save` wrote, or an array in `.npy`, `.npz` or
    `.safetensors`.

    Arrays need `axes`, such as "layer token dim" (see `from_arrays`), and `name` if there are several
    (by default "states", or the only one); ids are those named "tokens". `.npy` and `.safetensors`
    stay in the file, so that one that is larger than memory is read a layer at a time (`.cloud(l)`).

    Raises ValueError for another ending, a file that is not whole, and as `from_arrays` does.
    """
    path = _existing(path)
    if path.suffix == ".nc":
        return Recording(**_netcdf(path))
    if axes is None:
        raise ValueError(
            f"expected axes for an array, got none for {path.name}; pass axes='layer token dim', say."
        )
    found = _arrays(path)
    states = found[_chosen(found, name, path)]
    return from_arrays(states, axes, tokens=found.get("tokens"), model=path.stem)


def _existing(path: str | Path) -> Path:
    if not isinstance(path, str | Path):
        raise ValueError(f"expected a path, got {shown(path)}; pass the name of a file.")
    path = Path(path)
    check_choice(path.suffix, ENDINGS, f"the ending of {path.name}")
    if not path.is_file():
        raise ValueError(f"expected a file, got {path}, which is none; look at its name.")
    return path


def _netcdf(path: Path) -> dict[str, Any]:
    try:
        return read(path.read_bytes())
    except (ValueError, KeyError) as error:
        raise ValueError(
            f"expected a recording in {path.name}, got a file that is {error}; save it again, or pass "
            "its array to from_arrays."
        ) from error


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file by name, those of one file each under the name states."""
    if path.suffix == ".safetensors":
        return read_safetensors(path)
    try:
        if path.suffix == ".npy":
            return {"states": np.load(path, mmap_mode="r", allow_pickle=False)}
        with zipfile.ZipFile(path) as archive:
            size = sum(info.file_size for info in archive.infolist())
        if size > available_memory():
            raise ValueError(f"{size} bytes, more than this machine has")
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, OSError, zipfile.BadZipFile, MemoryError, EOFError, KeyError) as error:
        raise ValueError(
            f"expected arrays of numbers in {path.name}, got a file that numpy refuses "
            f"({' '.join(str(error).split())[:80]}); save it again with numpy.save."
        ) from error


def _chosen(found: dict[str, np.ndarray], name: str | None, path: Path) -> str:
    alone = next(iter(found)) if len(found) == 1 else "states"
    wanted = alone if name is None else name
    if wanted not in found:
        raise ValueError(
            f"expected an array {wanted!r} in {path.name}, got {shown(sorted(found))}; pass name=... "
            "for one of them."
        )
    return wanted
