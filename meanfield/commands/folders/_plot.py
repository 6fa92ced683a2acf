"""`meanfield plot`: what a run left in a folder, as a picture."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
import xarray as xr

from ...io import Store
from .._arguments import FOLDER, called, parse
from .._finding import UsageError
from ._pictures import paper_figures, save_picture


@dataclass(frozen=True)
class _PlotOptions:
    folder: Annotated[Path, tyro.conf.Positional, FOLDER]
    """Folder that `meanfield run` wrote."""
    figure: Annotated[str | None, called("NAME")] = None
    """A figure of a paper that shows this study alone (`meanfield figures --list`), or a file, my_figure.py;
    by default the one that fits, else a panel a variable."""
    out: Annotated[Path | None, called("FILE")] = None
    """The picture, F.png, F.pdf or F.svg; by default picture.png in the folder."""
    traceback: tyro.conf.FlagCreatePairsOff[bool] = False
    """Show where an error arose."""


def plot(arguments: list[str]) -> int:
    """Draws what a run left in a folder."""
    options = parse(_PlotOptions, "meanfield plot", arguments)
    path = options.out or options.folder / "picture.png"
    what = save_picture(finished(options.folder), path, options.figure)
    print(f"{what} in {path}")
    return 0


def figures(arguments: list[str]) -> int:
    """Draws the figures of papers, as `python -m paper_figs` does."""
    return paper_figures().main(arguments, "meanfield figures")


def finished(folder: Path) -> xr.Dataset:
    """The result in a folder; UsageError while a run has not finished."""
    store = Store.open(folder)
    result = store.load_result()
    if result is None:
        raise UsageError(
            f"expected a finished run, got {folder} with {store.cells()} cells; resume it by the same "
            "command with --out"
        )
    return result
