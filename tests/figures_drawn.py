"""The figures of papers, those that are drawn in every run of the tests, and the studies in them."""

import importlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from types import ModuleType

from meanfield.studies import available

FOLDER = Path(__file__).parents[1] / "paper_figs"
FIGURES = sorted(path.stem for path in FOLDER.glob("fig_*.py"))
KEPT = Path(__file__).with_name("kept_results")
LONG = sorted(path.stem for path in KEPT.glob("*.zip"))
"""A minute each, for studies that no fast test shares with them: drawn from results that are kept."""


def module(name: str) -> ModuleType:
    """The module of a figure."""
    return importlib.import_module(f"paper_figs.{name}")


@cache
def drawn() -> frozenset[str]:
    """The names of studies whose claims are held where a figure of theirs is drawn."""
    return shown_in(name for name in FIGURES if name not in LONG)


def shown_in(figures: Iterable[str]) -> frozenset[str]:
    """The names of the studies of these figures."""
    kinds = {type(study) for name in figures for study in module(name).STUDIES.values()}
    return frozenset(name for name, kind in available().items() if kind in kinds)
