"""Problems that others wrote as tables of PEtab 1: what is sought, measured, and under which conditions.

Source: Schmiester et al., PLoS Comput. Biol. 17 (2021) e1008646.
"""

import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from ._from_sbml import from_sbml
from ._petab_files import Row, Tables, read_tables

SCALES = {"lin": "linear", "log": "log", "log10": "log"}
UNIT_OF_LOGS = {"lin": 1.0, "log": 1.0, "log10": math.log(10.0)}
"""What the size of a noise is multiplied by, as a document has natural logarithms."""
PRIORS = "objectivePriorType", "objectivePriorParameters"
OVERRIDES = "preequilibrationConditionId", "observableParameters", "noiseParameters"
NOT_VALUES = "conditionId", "conditionName"


def from_petab(path: Path, points: int) -> tuple[dict[str, Any], pd.DataFrame]:
    """The content of a document up to the last time of the tables, and the measurements."""
    tables = read_tables(path)
    last = max(tables.measurement, key=lambda row: row.number_in("time"), default=None)
    if last is None or last.number_in("time") <= 0:
        raise ValueError(
            "expected measurements of PEtab after time 0, got none; add what was measured later."
        )
    return problem_of(from_sbml(tables.model, last.number_in("time"), points), tables)


def problem_of(content: dict[str, Any], tables: Tables) -> tuple[dict[str, Any], pd.DataFrame]:
    """The content of a document with what the tables say of it, and the measurements as `fit` takes them.

    Raises ValueError, with the file and the row, for what is wrong or not read.
    """
    modeling = {**content["modeling"], "variables": [*content["modeling"]["variables"]]}
    numbers = {k["symbol"]: k["value"] for k in content["input"].get("known_quantities", [])}
    columns = _columns(tables, {v["symbol"] for v in modeling["variables"]})
    unknowns = _unknowns(tables.parameter, modeling["variables"], numbers, columns)
    free = {row["symbol"] for row in unknowns}
    numbers |= {
        v["symbol"]: v["value"]
        for v in modeling["variables"]
        if v["role"] == "parameter" and v["symbol"] not in free
    }
    modeling["measurements"] = _measurements(tables.observable, modeling["variables"], numbers)
    sizes = {row["noiseFormula"] for row in tables.observable}
    conditions = _conditions(tables.condition, modeling["variables"], numbers, columns, sizes)
    symbols = {each["symbol"] for each in modeling["measurements"]}
    data = data_of(tables.measurement, modeling["independent"]["symbol"], symbols, {*conditions})
    if all(not conditions[name] for name in data.condition.unique()):
        data = data.drop(columns="condition")
    elif empty := [name for name in data.condition.unique() if not conditions[name]]:
        held = next((v for v in modeling["variables"] if v["symbol"] in numbers), None)
        if held is None:
            row = next(r for r in tables.condition if r["conditionId"] == empty[0])
            raise row.wrong("a condition that sets something", empty[0], "set a constant to itself")
        conditions |= {name: {held["symbol"]: held["value"]} for name in empty}
    modeling["conditions"] = [{"id": name, "set": s} for name, s in conditions.items() if s]
    return {
        **content,
        "input": {**content["input"], "unknowns": unknowns},
        "modeling": modeling,
    }, data


def _named(rows: Iterable[Row], column: str) -> dict[str, Row]:
    """The rows by what stands in a column, once each."""
    found: dict[str, Row] = {}
    for row in rows:
        if not re.fullmatch(r"[A-Za-z]\w{0,59}", row[column], re.ASCII):
            got = row[column] or "none"
            raise row.wrong(f"{column} of letters, digits and _", got, "rename it")
        if row[column] in found:
            raise row.wrong(f"each {column} once", f"{row[column]} again", "drop or rename it")
        found[row[column]] = row
    return found


def _columns(tables: Tables, symbols: set[str]) -> dict[str, str]:
    """The quantities for which estimated parameters stand in conditions, each in one column alone: none
    that is one of the model's symbols, which would be two quantities in one."""
    sought = {row["parameterId"] for row in tables.parameter if row["estimate"] == "1"}
    found: dict[str, str] = {}
    for row in tables.condition:
        for column, text in row.cells.items():
            if column in NOT_VALUES or text not in sought:
                continue
            if text in symbols and text != column:
                remedy = "give what is estimated here a name that the model has not"
                raise row.wrong(f"a number or a parameter of its own for {column}", text, remedy)
            if found.setdefault(text, column) != column:
                raise row.wrong("a parameter in one column", f"{text} in two", "use two parameters")
    if len({*found.values()}) < len(found):
        column = next(c for c in found.values() if [*found.values()].count(c) > 1)
        row = tables.condition[0]
        raise row.wrong("one estimated parameter a column", f"several in {column}", "fit one")
    return found


def _unknowns(
    rows: list[Row],
    variables: list[dict[str, Any]],
    numbers: dict[str, float],
    columns: dict[str, str],
) -> list[dict[str, Any]]:
    """The parameters that are estimated. Values go into the variables, or, of those that the model has not,
    into the numbers."""
    places, found = {v["symbol"]: k for k, v in enumerate(variables)}, []
    for name, row in _named(rows, "parameterId").items():
        row.without(*PRIORS)
        sought = row.one_of("estimate", ("0", "1")) == "1"
        name = columns.get(name, name)
        scale = SCALES[row.one_of("parameterScale", (*SCALES,))]
        if name not in places:
            if sought:
                remedy = "estimate parameters of the model alone, or set estimate to 0"
                raise row.wrong("a parameter of the model", name, remedy)
            numbers[name] = row.number_in("nominalValue")
            continue
        variable = variables[places[name]]
        if variable["role"] != "parameter":
            raise row.wrong("a parameter", f"the {variable['role']} {name}", "drop the row")
        if row["nominalValue"] or not sought:
            variables[places[name]] = variable | {"value": row.number_in("nominalValue")}
        if sought:
            unknown = {"symbol": name, "role": "parameter", "units": variable["units"]}
            bounds = _bounds(row, scale, variables[places[name]]["value"])
            found.append({**unknown, "bounds": bounds, "scale": scale})
    return found


def _bounds(row: Row, scale: str, value: float) -> list[float] | None:
    """Both bounds, or none where neither is there."""
    low, high = (row.number_in(name, endless=True) for name in ("lowerBound", "upperBound"))
    none = (-math.inf, 0.0) if scale == "log" else (-math.inf,)
    if low in none and high == math.inf:
        return None
    if not -math.inf < low < high < math.inf:
        raise row.wrong("two bounds that increase, or none", f"{low:g} and {high:g}", "give both")
    if scale == "log" and low <= 0:
        raise row.wrong("a positive lowerBound on a log scale", f"{low:g}", "raise it")
    if not low <= value <= high:
        raise row.wrong("a nominalValue between the bounds", f"{value:g}", "widen them")
    return [low, high]


def _measurements(
    rows: list[Row], variables: list[dict[str, Any]], numbers: dict[str, float]
) -> list[dict[str, Any]]:
    units, found = {v["symbol"]: v["units"] for v in variables}, []
    for name, row in _named(rows, "observableId").items():
        row.one_of("noiseDistribution", ("normal",))
        kind = row.one_of("observableTransformation", (*UNIT_OF_LOGS,))
        size = numbers.get(row["noiseFormula"])
        if size is None:
            size = row.number_in("noiseFormula")
        if not size > 0:
            raise row.wrong("noise of a positive size", f"{size:g}", "raise it")
        formula = re.sub(r"\bln\s*\(", "log(", row["observableFormula"].replace("^", "**"))
        if not formula:
            raise row.wrong("an observableFormula", "none", "write what is observed")
        noise = {
            "kind": "normal" if kind == "lin" else "lognormal",
            "size": size * UNIT_OF_LOGS[kind],
        }
        unit = units.get(formula, "")
        found.append({"symbol": name, "expression": formula, "units": unit, "noise": noise})
    return found


def _conditions(
    rows: list[Row],
    variables: list[dict[str, Any]],
    numbers: dict[str, float],
    columns: dict[str, str],
    sizes: set[str],
) -> dict[str, dict[str, float]]:
    """What each condition sets: parameters, or where states start. What stands in `columns` is estimated
    and stays, in which nothing may be left out; `sizes` of noise are those of all conditions."""
    settable = {v["symbol"] for v in variables if v["role"] in ("parameter", "input", "state")}
    found: dict[str, dict[str, float]] = {}
    for name, row in _named(rows, "conditionId").items():
        found[name] = {}
        for column, text in row.cells.items():
            if column in NOT_VALUES or text in columns:
                continue
            if text.lower() in ("", "nan"):
                if column in columns.values():  # else it would be what others estimate
                    raise row.wrong(f"a value for {column}", "none", "fill it as in other rows")
                continue
            if column in sizes:
                remedy = "write a number for noiseFormula"
                raise row.wrong("noise of one size in all conditions", column, remedy)
            if column not in settable:
                raise row.wrong("parameters or states as columns", column, "drop the column")
            value = numbers.get(text)
            found[name][column] = row.number_in(column) if value is None else value
    return found


def data_of(rows: list[Row], time: str, symbols: set[str], conditions: set[str]) -> pd.DataFrame:
    """A row for each condition and time, and one more wherever something was measured again."""
    found: dict[tuple[str, float, int], dict[str, float]] = {}
    for row in rows:
        row.without(*OVERRIDES)
        name, condition = row["observableId"], row["simulationConditionId"]
        if name not in symbols:
            raise row.wrong("an observableId of the observables", name or "none", "add it there")
        if condition not in conditions:
            got = condition or "none"
            raise row.wrong("a simulationConditionId of the conditions", got, "add it there")
        at, again = row.number_in("time"), 0
        while name in found.get((condition, at, again), {}):
            again += 1
        found.setdefault((condition, at, again), {})[name] = row.number_in("measurement")
    if not found:
        raise ValueError("expected rows of measurements, got none; add what was measured.")
    keys, values = zip(*sorted(found.items()), strict=True)
    table = pd.DataFrame([{name: each.get(name) for name in sorted(symbols)} for each in values])
    table = table.astype(float).dropna(axis=1, how="all")
    table.insert(0, time, [at for _, at, _ in keys])
    return table.assign(condition=[condition for condition, _, _ in keys])
