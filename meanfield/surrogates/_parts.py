"""Parts of this room, imported when they are asked for, as they need more than the core."""

import importlib
from pathlib import Path
from typing import Any

from .._checks import shown

NEEDED = ("pydantic", "pint", "sympy", "yaml", "SALib")


def part(name: str) -> Any:
    """A part of this room; ValueError, with the remedy, where what it needs is not installed."""
    for package in NEEDED:
        try:
            importlib.import_module(package)
        except ModuleNotFoundError as error:
            raise ValueError(
                f"expected the package {package} for surrogates, got none; "
                "pip install 'meanfield-jax[surrogates]'."
            ) from error
    return importlib.import_module(f".{name}", __package__)


def path_of(path: Any, name: str) -> Path:
    """A path, from text or as it is."""
    if not isinstance(path, str | Path):
        raise ValueError(f"expected a path for {name}, got {shown(path)}; pass its name as text.")
    return Path(path)
