"""Finding what is named: of a choice, in a file, or among another package's entry points."""

import difflib
import importlib.metadata
import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any


class UsageError(ValueError):
    """A command that cannot be understood."""


def load_file(path: Path) -> ModuleType:
    """The module of a Python file, which is run; ValueError if there is none, or it fails.

    It is registered under the file's name, so that the digest of a study's code finds its source. What stands
    beside it can be imported, as by a script, where nothing else has its name.
    """
    if not path.is_file():
        raise ValueError(f"expected a file, got {path}, where there is none; check its path.")
    name = path.stem
    if not name.isidentifier() or name in sys.modules:
        raise ValueError(
            f"expected a file with a name of its own, got {path.name}, which Python cannot import "
            "beside what is loaded; rename it."
        )
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None  # it ends in .py
    if (beside := str(path.resolve().parent)) not in sys.path:
        sys.path.append(beside)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ValueError(
            f"expected a file that Python can run, got {path}, which ends in "
            f"{type(error).__name__}: {error}; run python {path} to see where."
        ) from error
    return module


def announced(group: str) -> dict[str, Any]:
    """What installed packages announce in a group of entry points, by name, not yet loaded.

    A package writes into its pyproject.toml, say, [project.entry-points."meanfield.studies"] and
    decay = "theirs.studies:Decay".
    """
    return {point.name: point for point in importlib.metadata.entry_points(group=group)}


def load_announced(point: importlib.metadata.EntryPoint) -> Any:
    """What an entry point names; ValueError, with the package, if it cannot be loaded."""
    try:
        return point.load()
    except Exception as error:
        raise ValueError(
            f"expected {point.name} of an installed package to load, got {type(error).__name__}: "
            f"{error}; mend or remove {point.value.partition(':')[0]}."
        ) from error


def choose(name: str, known: Iterable[str], what: str, where: str) -> str:
    """`name` if it is known; else a UsageError that names the closest."""
    known = [*known]
    if name in known:
        return name
    parts = [one for one in known if name and name.lower() in one.lower()]
    near = difflib.get_close_matches(name, known, n=1) or parts[:3]
    hint = f"perhaps you meant {' or '.join(near)}" if near else f"see {where}"
    raise UsageError(f"expected a {what} that exists, got {name}; {hint}")
