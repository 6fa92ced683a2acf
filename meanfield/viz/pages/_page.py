"""A run as one self-contained page: no library, no network."""

import html
import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._checks import check_positive, shown
from ..._door import door
from .._inputs import Real
from ..clouds import NEAR
from ._scene import cloud_of, scene

SCRIPTS = ("data", "view", "ball", "plots", "main")
"""In the order in which they need each other."""
HEIGHT = 760
"""Of a page in a notebook, in pixels."""


class Page:
    """A page that turns, plays and tells: `text` is all of it. A notebook shows it as it is."""

    def __init__(self, text: str):
        self.text = text

    def save(self, path: str | Path) -> Path:
        """The file that the page was written to."""
        path = Path(path)
        path.write_text(self.text, encoding="utf-8")
        return path

    def __repr__(self) -> str:
        return f"Page({len(self.text.encode()) / 1000:.0f} kB)"

    def _repr_html_(self) -> str:
        inner = html.escape(self.text, quote=True)
        return (
            f'<iframe srcdoc="{inner}" style="width:100%;height:{HEIGHT}px;border:0" '
            'sandbox="allow-scripts allow-downloads" title="tokens over time"></iframe>'
        )


@door
def page(
    source: Any,
    ts: Any = None,
    x: ArrayLike | None = None,
    values: Mapping[str, ArrayLike] | None = None,
    merges: Any = None,
    w: ArrayLike | None = None,
    models: Any = None,
    near: Real = NEAR,
    title: str = "tokens",
    facts: str = "",
) -> Page:
    """A page of tokens over time, to turn, to play and to look into: one file for any browser.

        page("run.html", ts, x, values={"energy": energy}, merges=run.merges)
        page(run, "run.html")      # with "x" among what the run observed
        page(None, ts, x)          # in a notebook, no file

    - `source`: the file to write, None for none, or a run: then `ts` is the file or None, the tokens are
      `run.values["x"]`, and curves are its other observables.
    - `ts` [T], increasing; `x` [T, n, d], unit vectors: a circle for d = 2, a globe for d = 3, and for
      more dimensions a ball over principal axes, with the share of the second moment that each holds.
    - `values`: curves [T], and what tokens can be coloured by [T, n].
    - `merges`: the merge tree of the run; `w` [n]: masses, equal ones by default.
    - `models` [n]: of which model each token is, as integers or names, to colour by.
    - `near`: the angle within which tokens are one disc, of area proportional to its mass.
    - `title`, `facts`: the words above: what is seen, and how it was made.

    Positions are kept to sixteen bits, and of more tokens than can be told apart some are drawn,
    chosen at random, which the page says. It asks for nothing outside: its policy allows no address.

    Raises ValueError for shapes that do not fit, points off the sphere, times that do not increase,
    and merges of other tokens.
    """
    path = source
    if hasattr(source, "ts") and hasattr(source, "values"):
        path, ts, x, values, merges = _of_run(source, ts, values, merges)
    if path is not None and not isinstance(path, str | Path):
        raise ValueError(
            f"expected a file or a run, got {shown(path)}; pass page('run.html', ts, x)."
        )
    if ts is None or x is None:
        raise ValueError("expected times and tokens, got none; pass page('run.html', ts, x).")
    cloud = cloud_of(ts, x, w)
    near = float(check_positive(near, "near"))
    shown_data = scene(cloud, near, merges, models, values or {})
    made = Page(_filled(shown_data | {"near": near, "facts": facts}, title))
    if path is not None:
        made.save(path)
    return made


def _of_run(run: Any, path: Any, values: Any, merges: Any) -> tuple[Any, ...]:
    if "x" not in run.values:
        raise ValueError(
            "expected a run that observed its tokens, got none named x; simulate with "
            "observe={'x': lambda x: x}."
        )
    x = np.asarray(run.values["x"])
    kinds = (x.shape[:1], x.shape[:2])
    own = {
        name: value
        for name, value in run.values.items()
        if name != "x" and hasattr(value, "shape") and tuple(value.shape) in kinds
    }
    merges = getattr(run, "merges", None) if merges is None else merges
    return path, run.ts, x, own | dict(values or {}), merges


def _filled(data: dict[str, Any], title: str) -> str:
    """The page with everything in it. `<` in the data would end its element."""
    folder = files("meanfield.viz.pages") / "assets"
    parts = {
        "TITLE": html.escape(title),
        "STYLE": (folder / "page.css").read_text("utf-8"),
        "SCRIPT": "\n".join((folder / f"{name}.js").read_text("utf-8") for name in SCRIPTS),
        "DATA": json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c"),
    }
    pieces = (folder / "page.html").read_text("utf-8").split("@")
    return "".join(parts.get(piece, piece) for piece in pieces)
