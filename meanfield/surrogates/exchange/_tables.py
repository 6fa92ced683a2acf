"""A problem as the tables of PEtab 1: parameters, conditions, observables and measurements.

Source: Schmiester et al., PLoS Comput. Biol. 17 (2021) e1008646.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from ..fits import series_of
from ..runs import Model
from ._petab import data_of
from ._petab_files import read_rows

PLAIN = "as_it_is"
"""The name of the condition of a document that has none."""
FILES = {
    "measurements": "measurements.tsv",
    "observables": "observables.tsv",
    "conditions": "conditions.tsv",
    "parameters": "parameters.tsv",
}
SCALES = {"linear": "lin", "log": "log"}


def write_tables(model: Model, data: Any, folder: Path) -> None:
    """The tables of a problem, and the file problem.yaml that names them and model.xml."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = {
        "measurements": _measurements(model, data),
        "observables": _observables(model),
        "conditions": _conditions(model),
        "parameters": _parameters(model),
    }
    for name, table in tables.items():
        table.to_csv(folder / FILES[name], sep="\t", index=False)
    problem = {
        "format_version": 1,
        "parameter_file": FILES["parameters"],
        "problems": [
            {
                "sbml_files": ["model.xml"],
                **{f"{k[:-1]}_files": [FILES[k]] for k in FILES if k != "parameters"},
            }
        ],
    }
    (folder / "problem.yaml").write_text(yaml.safe_dump(problem, sort_keys=False))


def _measurements(model: Model, data: Any) -> pd.DataFrame:
    rows = []
    for series in series_of(model, data):
        for name, values in series.values.items():
            known = np.isfinite(values)
            rows += [
                (name, series.condition or PLAIN, t, value)
                for t, value in zip(series.ts[known], values[known], strict=True)
            ]
    return pd.DataFrame(
        rows, columns=["observableId", "simulationConditionId", "time", "measurement"]
    )


def _observables(model: Model) -> pd.DataFrame:
    rows = [
        {
            "observableId": each.symbol,
            "observableFormula": each.expression.replace("**", "^"),
            "observableTransformation": "log" if each.noise.kind == "lognormal" else "lin",
            "noiseFormula": each.noise.size,
            "noiseDistribution": "normal",
        }
        for each in model.document.modeling.measurements
    ]
    return pd.DataFrame(rows)


def _estimated(model: Model) -> dict[str, str]:
    """What unknowns are called in the tables: by another name where a condition sets one, as PEtab has it."""
    conditions, taken = model.document.modeling.conditions, {*model.numbers, *model.inputs}
    moved = {name for each in conditions for name in each.set}
    names = {}
    for each in model.document.input.unknowns:
        name = each.symbol
        while name in moved or (name != each.symbol and name in taken):
            name = f"{name}_free"
        names[each.symbol] = name
    return names


def _conditions(model: Model) -> pd.DataFrame:
    """A row for each condition; what one of them does not set stays as in the model."""
    conditions, names = model.document.modeling.conditions, _estimated(model)
    moved = {name for each in conditions for name in each.set}
    left = {name: also for name, also in names.items() if name in moved}
    rows = [{"conditionId": each.id, **left, **each.set} for each in conditions]
    return pd.DataFrame([{"conditionId": PLAIN, **left}, *rows])


def _parameters(model: Model) -> pd.DataFrame:
    names = _estimated(model)
    rows = [
        {
            "parameterId": names[each.symbol],
            "parameterScale": SCALES[each.scale],
            "lowerBound": each.bounds[0] if each.bounds else -np.inf,
            "upperBound": each.bounds[1] if each.bounds else np.inf,
            "nominalValue": model.numbers[each.symbol],
            "estimate": 1,
        }
        for each in model.document.input.unknowns
        if each.role == "parameter"
    ]
    return pd.DataFrame(rows)


def read_measurements(model: Model, folder: Path) -> pd.DataFrame:
    """The measurements of PEtab's tables as `fit` takes them: a row for each condition and time."""
    rows = read_rows(folder / FILES["measurements"], "measurement")
    conditions = {PLAIN, *(each.id for each in model.document.modeling.conditions)}
    table = data_of(rows, model.time, {*model.measured}, conditions)
    return table.drop(columns="condition") if (table.condition == PLAIN).all() else table
