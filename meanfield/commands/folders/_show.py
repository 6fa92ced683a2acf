"""`meanfield show`: what a run left in a folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
import xarray as xr

from ...io import Store
from .._arguments import FOLDER, parse
from .._printing import print_claims, print_facts


@dataclass(frozen=True)
class _ShowOptions:
    folder: Annotated[Path, tyro.conf.Positional, FOLDER]
    """Folder that `meanfield run` wrote."""
    traceback: tyro.conf.FlagCreatePairsOff[bool] = False
    """Show where an error arose."""


def show(arguments: list[str]) -> int:
    """Shows what a run left in a folder."""
    options = parse(_ShowOptions, "meanfield show", arguments)
    store = Store.open(options.folder)
    result = store.load_result()
    facts = {k: str(v) for k, v in store.identity.items() if not isinstance(v, dict)}
    facts |= {k: str(v) for k, v in store.identity.get("fields", {}).items()}
    print_facts(facts)
    if result is None:
        print(f"not finished: {store.cells()} cells are stored; run it again with --out to resume")
        return 0
    print_facts({k.removeprefix("provenance_"): str(v) for k, v in _origin(result).items()})
    print_facts({str(k): _describe(v) for k, v in result.variables.items()})
    print_claims(store.load_claims() or [])
    return 0


def _origin(result: xr.Dataset) -> dict[str, Any]:
    shown = ("provenance_", "cells_computed")
    return {str(k): v for k, v in result.attrs.items() if str(k).startswith(shown)}


def _describe(variable: xr.Variable) -> str:
    sizes = ", ".join(f"{name}: {size}" for name, size in variable.sizes.items())
    return f"{variable.dtype} ({sizes}) {variable.attrs.get('long_name', '')}".rstrip()
