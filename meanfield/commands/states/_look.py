"""`meanfield look`: what there is to see in an array of hidden states, for whoever has nothing else."""

import csv
import io
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
import xarray as xr
from rich.table import Table

from ... import viz
from ...io import pack, write_bytes
from ...latents import load, profile
from .._arguments import called, parse
from .._finding import UsageError
from .._machine import prepare
from .._printing import console

SHOWN = {
    "entropy": "entropy",
    "entropy_matched": "of matched vMF",
    "alignment": "alignment",
    "effective_rank": "eff. rank",
    "dimension": "dimension",
    "radius": "radius",
    "wasserstein": "W2 to next",
    "identity": "identity",
    "speed": "speed",
    "autocorrelation": "autocorr.",
    "information": "information",
}
"""The columns of the table that is printed."""
PANELS = {
    "cap entropy [nats] (uniform 0)": {"entropy": "tokens", "entropy_matched": "matched vMF"},
    "entropy about the mean [nats]": {"entropy_centred": ""},
    "mean inner product": {"alignment": "raw", "alignment_centred": "centred"},
    "effective rank": {"effective_rank": ""},
    "intrinsic dimension": {"dimension": ""},
    "radius": {"radius": ""},
    "interaction energy": {"energy": "beta"},
    "clusters at an angle [rad]": {"clusters": "scale"},
    "angle to the next layer [rad]": {"displacement": "tokens", "wasserstein": "W2"},
    "identity is optimal": {"identity": ""},
    "length of increments": {"speed": ""},
    "increments, cosine with last": {"autocorrelation": ""},
    "information on the next layer [nats]": {"information": ""},
}
"""The panels of the figure: quantities and labels of curves, or along what there are several."""


@dataclass(frozen=True)
class _LookOptions:
    files: Annotated[tuple[Path, ...], tyro.conf.Positional, called("FILE ...")]
    """Hidden states, one text a file: .npy, .npz, .safetensors, or recordings in .nc."""
    axes: Annotated[str | None, called("NAMES")] = None
    """The axes of an array in their order, such as "layer token dim"; of recordings they are known."""
    name: Annotated[str | None, called("NAME")] = None
    """Which array, where a file has several."""
    out: Path = Path("look")
    """Folder for profile.csv, profile.nc and profile.png."""
    traceback: tyro.conf.FlagCreatePairsOff[bool] = False
    """Show where an error arose."""


def look(arguments: list[str]) -> int:
    """Shows what hidden states do over the layers: a table, and a CSV file and a figure in a folder."""
    options = parse(_LookOptions, "meanfield look", arguments)
    if not options.files:
        raise UsageError("expected a file of hidden states, got none; see meanfield look --help")
    prepare()
    start = time.monotonic()
    report = profile([load(path, options.axes, options.name) for path in options.files])
    options.out.mkdir(parents=True, exist_ok=True)
    write_bytes(options.out / "profile.csv", table(report).encode())
    write_bytes(options.out / "profile.nc", pack(report))
    picture = io.BytesIO()
    viz.small_multiples(panels(report)).savefig(picture, format="png", dpi=150)
    write_bytes(options.out / "profile.png", picture.getvalue())
    console().print(_printed(report))
    _say(report)
    print(f"results in {options.out}, after {time.monotonic() - start:.0f} s")
    return 0


def table(report: xr.Dataset) -> str:
    """A profile as CSV: a row a layer, and the step from it on; means and ends of intervals."""
    rows = columns(report)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["layer", *rows])
    for k, layer in enumerate(report.layer.values):
        cells = [values[k] if k < len(values) else float("nan") for values in rows.values()]
        writer.writerow([layer, *("" if np.isnan(cell) else f"{cell:.8g}" for cell in cells)])
    return out.getvalue()


def columns(report: xr.Dataset) -> dict[str, np.ndarray]:
    """What a profile has of each layer or step, by name."""
    found = {}
    for name, values in report.data_vars.items():
        if "text" in values.dims or not {"layer", "step"} & {*values.dims}:
            continue
        swept = [dim for dim in ("beta", "scale") if dim in values.dims]
        if not swept:
            found[str(name)] = values.values
            continue
        for value in report[swept[0]].values:
            found[f"{name}({swept[0]}={value:g})"] = values.sel({swept[0]: value}).values
    return found


def panels(report: xr.Dataset) -> dict[str, dict[str, np.ndarray]]:
    """The curves of the figure."""
    drawn = {
        title: curve
        for title, names in PANELS.items()
        if (
            curve := {
                k: v for name, label in names.items() for k, v in _curves(report, name, label)
            }
        )
    }
    return drawn


def _curves(report: xr.Dataset, name: str, label: str) -> list[tuple[str, np.ndarray]]:
    if name not in report:
        return []
    if label in report.dims:
        along = report[label].values
        return [(f"{label} {v:g}", _curve(report.sel({label: v}), name)) for v in along]
    return [(label, _curve(report, name))]


def _curve(report: xr.Dataset, name: str) -> np.ndarray:
    parts = [report[name]] + [report[name + e] for e in ("_low", "_high") if name + e in report]
    at = report[name].coords[str(report[name].dims[0])]
    return np.stack([at.values, *(part.values for part in parts)], axis=1).astype(float)


def _printed(report: xr.Dataset) -> Table:
    names = [name for name in SHOWN if name in report]
    shown = Table("layer", *(SHOWN[name] for name in names))
    for k, layer in enumerate(report.layer.values):
        cells = [report[name].values[k] if k < report[name].size else np.nan for name in names]
        shown.add_row(str(layer), *("" if np.isnan(c) else f"{c:.4g}" for c in cells))
    return shown


def _say(report: xr.Dataset) -> None:
    facts: dict[str, Any] = {
        "texts, tokens, dimensions": f"{report.texts}, {report.n} distinct, {report.d}",
        "left out": f"{float(report.sinks):.1%} as attention sinks, "
        f"{float(report.duplicates):.1%} as duplicates",
        "uniform reference": f"{float(report.entropy_uniform):.3g} "
        f"+- {float(report.entropy_uniform_error):.2g}",
    }
    if "rotations" in report:
        nulls = ", ".join(
            f"{float(report[f'rotations_{k}']):.3g} ({words})"
            for k, words in (("signs", "random signs"), ("walk", "walk"), ("white", "white noise"))
        )
        facts["rotations"] = f"{float(report.rotations):.3g}; nulls {nulls}"
    for name, fact in facts.items():
        print(f"{name}: {fact}")
