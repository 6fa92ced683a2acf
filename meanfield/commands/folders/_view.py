"""`meanfield view`: a run to look at in a browser: its picture, its claims, its tokens in motion."""

import base64
import html
import webbrowser
from collections.abc import Hashable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
import xarray as xr

from ... import viz
from ...io import Store, write_bytes
from ...studies.machinery import study_of
from .._arguments import FOLDER, parse
from .._printing import first_line
from ._pictures import save_picture
from ._plot import finished

PATH = ("time", "token", "axis")
ON_SPHERE = 1e-4


@dataclass(frozen=True)
class _ViewOptions:
    folder: Annotated[Path, tyro.conf.Positional, FOLDER]
    """Folder that `meanfield run` wrote."""
    open: tyro.conf.FlagCreatePairsOff[bool] = False
    """Open it in the browser."""
    traceback: tyro.conf.FlagCreatePairsOff[bool] = False
    """Show where an error arose."""


def view(arguments: list[str]) -> int:
    """Writes view.html into the folder of a run, and pages of its tokens over time where it has them."""
    options = parse(_ViewOptions, "meanfield view", arguments)
    folder, result = options.folder, finished(options.folder)
    picture = folder / "picture.png"
    if not picture.is_file():
        save_picture(result, picture)
    pages = _pages(result, folder)
    claims = Store.open(folder).load_claims() or []
    path = folder / "view.html"
    write_bytes(path, _document(result, picture, claims, pages).encode())
    print(path)
    if options.open:
        webbrowser.open(path.resolve().as_uri())
    return 0


def _pages(result: xr.Dataset, folder: Path) -> dict[str, str]:
    """Pages of clouds over time: what they show, and their files."""
    pages = {}
    for name, values in result.data_vars.items():
        if not {*PATH} <= {*values.dims} or "time" not in result.coords:
            continue
        first = {dim: 0 for dim in values.dims if dim not in PATH}
        one = values.isel(first).transpose(*PATH)
        x = one.values.astype(float)
        if not np.allclose(np.linalg.norm(x, axis=-1), 1, atol=ON_SPHERE):
            continue
        at = [f"{dim} = {one[dim].values[()]}" for dim in first if dim in one.coords]
        words = ", ".join([values.attrs.get("long_name", str(name)), *at])
        made = viz.page(None, result.time.values, x, values=_curves(result, first), title=words)
        path = folder / f"page_{name}.html"
        write_bytes(path, made.text.encode())
        pages[words] = path.name
    return pages


def _curves(result: xr.Dataset, at: dict[Hashable, int]) -> dict[str, np.ndarray]:
    """What a result has of each time, in the same place."""
    curves = {}
    for name, values in result.data_vars.items():
        one = values.isel({dim: k for dim, k in at.items() if dim in values.dims})
        if one.dims == ("time",) and one.dtype.kind in "iuf":
            curves[str(name)] = one.values.astype(float)
    return curves


def _document(
    result: xr.Dataset, picture: Path, claims: list[dict[str, Any]], pages: dict[str, str]
) -> str:
    study, said = str(result.attrs["study"]), html.escape
    known = study_of(study)
    told = [
        (str(name).removeprefix("provenance_"), str(value))
        for name, value in result.attrs.items()
        if str(name).startswith("provenance_")
    ]
    links = [f'<li><a href="{said(path)}">{said(words)}</a>' for words, path in pages.items()]
    parts = {
        "STUDY": said(study),
        "ABOUT": said(first_line(known)) if known else "",
        "PICTURE": base64.b64encode(picture.read_bytes()).decode(),
        "PAGES": "\n".join(links),
        "CLAIMS": "\n".join(map(_row, claims)),
        "FACTS": "\n".join(f"<dt>{said(name)}<dd>{said(value)}" for name, value in told),
    }
    pieces = (files("meanfield.commands") / "assets" / "view.html").read_text("utf-8").split("@")
    return "".join(parts.get(piece, piece) for piece in pieces)


def _row(claim: dict[str, Any]) -> str:
    measured, expected, tolerance = (
        f"{float(claim[key]):.6g}" for key in ("measured", "expected", "tolerance")
    )
    relation = "" if claim["relation"] == "==" else claim["relation"] + " "
    words = [claim["name"], measured, relation + expected, tolerance, claim["source"]]
    cells = "".join(f"<td>{html.escape(word)}" for word in words)
    passed = "yes" if claim["passed"] else '<span class="no">NO</span>'
    return f"<tr>{cells}<td>{passed}</tr>"
