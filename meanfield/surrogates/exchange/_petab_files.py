"""The files of a problem of PEtab 1, as rows of text that know where they stand."""

import csv
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..documents import read

LARGEST = 50_000_000
"""The most bytes of a table."""
COLUMNS = {
    "parameter": ("parameterId", "parameterScale", "lowerBound", "upperBound", "estimate"),
    "condition": ("conditionId",),
    "observable": ("observableId", "observableFormula", "noiseFormula"),
    "measurement": ("observableId", "simulationConditionId", "measurement", "time"),
}
"""The tables, and the columns that each must have."""


@dataclass(frozen=True)
class Row:
    """A row of a table, counted from 1 below its head: text by column, empty where there is none."""

    file: str
    number: int
    cells: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")

    def wrong(self, expected: str, got: str, remedy: str) -> ValueError:
        """The sentence about what is wrong with it."""
        place = f"{self.file}, row {self.number}"
        return ValueError(f"expected {expected} in {place}, got {got[:60]}; {remedy}.")

    def one_of(self, column: str, known: tuple[str, ...]) -> str:
        """A word in a column; the first that is known where there is none."""
        found = self[column] or known[0]
        if found not in known:
            raise self.wrong(f"{column} of {', '.join(known)}", found, "choose one of these")
        return found

    def number_in(self, column: str, endless: bool = False) -> float:
        """A number in a column, finite but where it may be `endless`."""
        text = self[column]
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if math.isnan(value) or "_" in text or (math.isinf(value) and not endless):
            remedy = "write a number" if text else f"fill {column}"
            raise self.wrong(f"a number for {column}", text or "none", remedy)
        return value

    def without(self, *columns: str) -> None:
        """Raises ValueError where a column has something that is not read."""
        for column in columns:
            if self[column]:
                raise self.wrong(f"no {column}, which is not read,", self[column], "drop it")


@dataclass(frozen=True)
class Tables:
    """The rows of the tables of a problem, and the file of its model."""

    model: Path
    parameter: list[Row]
    condition: list[Row]
    observable: list[Row]
    measurement: list[Row]


def read_tables(path: Path) -> Tables:
    """The problem that a folder's problem.yaml, or the YAML at this path, names.

    Raises ValueError, with the file and the row, for what is missing or no table.
    """
    place = path / "problem.yaml" if path.is_dir() else path
    content = read(place)
    version, problems = str(content.get("format_version")), content.get("problems")
    if version.partition(".")[0] != "1":
        raise _unlike(place, "format_version: 1", version, "write the tables of PEtab 1")
    if not isinstance(problems, list) or len(problems) != 1 or not isinstance(problems[0], dict):
        raise _unlike(place, "one problem under problems", "another number", "split the file")
    named = {"parameter_files": content.get("parameter_file"), **problems[0]}
    models = _files(place, named, "sbml_files")
    if len(models) != 1:
        raise _unlike(place, "one of sbml_files", str(len(models)), "name a single model")
    rows = {
        kind: [
            row for file in _files(place, named, f"{kind}_files") for row in read_rows(file, kind)
        ]
        for kind in COLUMNS
    }
    return Tables(models[0], **rows)


def _unlike(place: Path, expected: str, got: str, remedy: str) -> ValueError:
    return ValueError(f"expected {expected} in {place.name}, got {got[:60]}; {remedy}.")


def _files(place: Path, named: dict[str, Any], key: str) -> list[Path]:
    """The files under a key, which lie beside the YAML or below it."""
    names = named.get(key)
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise _unlike(place, f"names of files for {key}", "none", "add them")
    found, inside = [place.parent / name for name in names], place.parent.resolve()
    for name, file in zip(names, found, strict=True):
        if not file.resolve().is_relative_to(inside):
            raise _unlike(place, f"{key} beside it", name, "copy the file there")
    return found


def read_rows(file: Path, kind: str) -> list[Row]:
    """The rows of a table. Raises ValueError for what is none, or lacks columns."""
    try:
        if file.stat().st_size > LARGEST:
            raise _unlike(file, f"at most {LARGEST} bytes", "more", "split the table")
        lines = [*csv.reader(file.read_text("utf-8-sig").splitlines(), delimiter="\t")]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        why = getattr(error, "strerror", None) or "no text"
        raise ValueError(
            f"expected a table of PEtab, got {file} ({why}); check its path."
        ) from error
    head = [name.strip() for name in lines[0]] if lines else []
    for column in COLUMNS[kind]:
        if head.count(column) != 1:
            got = "several" if column in head else "none"
            raise _unlike(file, f"one column {column}", got, "separate columns by tabs")
    rows = []
    for number, cells in enumerate(lines[1:], 1):
        row = Row(file.name, number, {n: c.strip() for n, c in zip(head, cells, strict=False)})
        if any(row.cells.values()):
            if len(cells) != len(head):
                raise row.wrong(f"{len(head)} cells", str(len(cells)), "fill or drop some")
            rows.append(row)
    return rows
