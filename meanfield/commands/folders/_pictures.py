"""The picture of a run: a figure of a paper where one shows this study alone, else a panel a variable."""

import importlib
import io
from pathlib import Path
from types import ModuleType
from typing import Any

import xarray as xr

from ... import viz
from ...io import write_bytes
from .._finding import UsageError

KINDS = ("png", "pdf", "svg")


def paper_figures() -> Any:
    """The command of the figures; UsageError where they are not installed."""
    try:
        return importlib.import_module("paper_figs.__main__")
    except ModuleNotFoundError as error:
        raise UsageError(
            f"expected the figures of papers beside meanfield, got no {error.name}; install the "
            "whole package, pip install meanfield-jax"
        ) from error


def save_picture(result: xr.Dataset, path: Path, figure: str | None = None) -> str:
    """Draws a result into a file, by a figure of this name or the one that fits; says which."""
    if path.suffix[1:] not in KINDS:
        raise UsageError(
            f"expected a picture that ends in .png, .pdf or .svg, got {path.name}; rename it"
        )
    figures, study = paper_figures(), str(result.attrs["study"])
    name, module = _fitting(figures, study) if figure is None else figures.figure_named(figure)
    with figures.styled():
        if module is None:
            drawn, what = viz.overview(result, _title(result)), "a panel a variable"
        else:
            labels = _labels(module, study, name)
            drawn, what = module.draw(dict.fromkeys(labels, result)), f"the figure {name}"
        content = io.BytesIO()
        about = _about(figures.facts_of({study: result}), path)
        drawn.savefig(content, format=path.suffix[1:], metadata=about)
    write_bytes(path, content.getvalue())
    return what


def _fitting(figures: Any, study: str) -> tuple[str, ModuleType | None]:
    """The figure that shows one result of this study and nothing else, if there is one."""
    for name, module in figures.figures_that_name(study).items():
        if [one.name() for one in module.STUDIES.values()] == [study]:
            return name, module
    return "", None


def _labels(module: ModuleType, study: str, name: str) -> list[str]:
    """The labels under which a figure asks for this study, if it asks for nothing else."""
    asked = {label: one.name() for label, one in module.STUDIES.items()}
    if len(asked) != 1 or set(asked.values()) != {study}:
        needs = ", ".join(f"{label} ({kind})" for label, kind in asked.items())
        raise UsageError(
            f"expected a figure of one result of {study}, got {name}, which shows {needs}; run "
            f"meanfield figures {name.removeprefix('fig_')}"
        )
    return list(asked)


def _title(result: xr.Dataset) -> str:
    """The study, and what of it was one number: its dimensions of length 1."""
    single = [
        f"{dim} = {result[dim].values[0]}"
        for dim, size in result.sizes.items()
        if size == 1 and dim in result.coords
    ]
    return ": ".join(filter(None, (str(result.attrs["study"]), ", ".join(single))))


def _about(facts: dict[str, str], path: Path) -> dict[str, Any]:
    text = "; ".join(f"{name} {value}" for name, value in facts.items())
    if path.suffix == ".png":
        return {"Title": path.name, **facts}
    if path.suffix == ".pdf":
        return {"Title": path.name, "Creator": "meanfield", "Subject": text}
    return {"Title": path.name, "Creator": "meanfield", "Description": text}
