"""Measurements to fit: from CSV files, tables, labelled datasets or dicts of arrays."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..._checks import shown
from ..expressions import ExpressionError, read_unit
from ..runs import Model


@dataclass(frozen=True, eq=False)
class Series:
    """The measurements of one condition: at times [T], values [T] by symbol, NaN where there is none; of a
    field at places `xs` [T] too. Those of the same numbers are equal, and share compiled programs."""

    condition: str
    ts: np.ndarray
    values: dict[str, np.ndarray]
    xs: np.ndarray | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Series) and self._numbers == other._numbers

    def __hash__(self) -> int:
        return hash(self._numbers)

    @property
    def layout(self) -> "Series":
        """Where something was measured, without what: programs are compiled for it, and get values beside."""
        blank = {name: np.where(np.isfinite(a), 0.0, np.nan) for name, a in self.values.items()}
        return replace(self, values=blank)

    @property
    def _numbers(self) -> tuple:
        arrays = {"": self.ts, " ": self.xs, **self.values}
        held = {name: None if a is None else a.tobytes() for name, a in arrays.items()}
        return self.condition, *held.items()


def series_of(model: Model, data: Any) -> list[Series]:
    """The measurements in data of any kind that is taken, one series a condition.

    - the path of a CSV file, or a `pandas.DataFrame`: a column of the independent variable by its symbol,
      of a field one of its axis, one of each measurement by its own, and perhaps one called condition;
    - an `xarray.Dataset` with these as variables along the independent variable, perhaps along condition too;
    - a dict of arrays with the same names.

    Raises ValueError for what is none of these, has none of the measurements, or other conditions.
    """
    table = _table(model, data)
    names = [name for name in model.measured if name in table]
    axes = [model.time] if model.axis is None else [model.time, model.axis]
    if any(axis not in table for axis in axes) or not names:
        wanted, got = ", ".join([*axes, *model.measured]), ", ".join(map(str, table.columns))
        got = got if len(got) <= 60 else f"{got[:57]}..."
        raise ValueError(f"expected data of {wanted}, got {got or 'none'}; name them so.")
    if not len(table):
        raise ValueError("expected rows of data, got none; add what was measured.")
    if twice := [n for n in (*axes, *names) if [*table.columns].count(n) > 1]:
        raise ValueError(f"expected one column of {twice[0]}, got several; drop or rename them.")
    table = table.sort_values(model.time, kind="stable")
    if "condition" not in table:
        return [_series(model, "", table, names)]
    known = {each.id for each in model.document.modeling.conditions}
    found = {str(each): part for each, part in table.groupby("condition", sort=True)}
    if strange := [name for name in found if name not in known]:
        raise ValueError(
            f"expected conditions of the document, got {strange[0]}; add it to modeling.conditions."
        )
    return [_series(model, name, part, names) for name, part in found.items()]


def check_apart(data: list[Series], held_out: list[Series]) -> None:
    """Raises ValueError for a condition of which the same numbers are fitted and held out."""
    if same := [one for one in held_out if one in data]:
        name = f" of {same[0].condition}" if same[0].condition else ""
        raise ValueError(
            f"expected data in held_out that were not fitted, got the same numbers{name} in both; hold out "
            "others."
        )


def _table(model: Model, data: Any) -> pd.DataFrame:
    if isinstance(data, str | Path):
        return _read(Path(data))
    if isinstance(data, pd.DataFrame):
        return data
    if isinstance(data, xr.Dataset):
        names = [name for name in model.measured if name in data]
        if model.time not in data.dims:
            raise ValueError(
                f"expected a dataset along {model.time}, got {list(data.dims)}; rename its dimension."
            )
        if model.time not in data.coords:
            raise ValueError(
                f"expected numbers of {model.time} in the dataset, got none; assign its coordinate."
            )
        _check_units(model, data, names)
        return data[names].to_dataframe().reset_index()
    if isinstance(data, Mapping):
        try:
            return pd.DataFrame({str(name): np.asarray(each) for name, each in data.items()})
        except ValueError as error:
            raise ValueError(
                "expected arrays of one length, got several; pass one number for each time."
            ) from error
    raise ValueError(
        f"expected data to fit, got {type(data).__name__}; pass the path of a CSV file, a dict of arrays, "
        "a pandas.DataFrame or an xarray.Dataset."
    )


def _check_units(model: Model, data: xr.Dataset, names: list[str]) -> None:
    """Refuses what says that it has another unit; what says none, or one in other words, is taken."""
    base = (*model.document.modeling.base_units,)
    wanted = {each.symbol: each.units for each in model.document.modeling.measurements}
    for name in names:
        said = data[name].attrs.get("units")
        try:
            unit = read_unit(said if isinstance(said, str) else "", base)
        except ExpressionError:
            continue
        if unit.powers and not unit.same(read_unit(wanted[name], base)):
            raise ValueError(
                f"expected {name} in {wanted[name] or 'no unit'}, got {shown(said)} by its attribute units; "
                "convert it."
            )


def _read(path: Path) -> pd.DataFrame:
    try:
        table, head = pd.read_csv(path), pd.read_csv(path, header=None, nrows=1)
        return table.set_axis(head.iloc[0].astype(str).str.strip().tolist(), axis=1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "no table"
        raise ValueError(f"expected a CSV file, got {path} ({why}); check its path.") from error


def _series(model: Model, condition: str, table: pd.DataFrame, names: list[str]) -> Series:
    if any(np.iscomplexobj(table[name]) for name in (model.time, *names)):
        raise ValueError("expected real numbers in data, got complex ones; pass their real parts.")
    try:
        ts = table[model.time].to_numpy(float)
        values = {name: table[name].to_numpy(float) for name in names}
        xs = None if model.axis is None else table[model.axis].to_numpy(float)
    except (ValueError, TypeError) as error:
        raise ValueError(
            "expected numbers in data, got text; drop or convert those rows."
        ) from error
    axis = model.document.modeling.independent
    if not np.isfinite(ts).all() or ts.min() < axis.start:
        raise ValueError(
            f"expected times from {axis.start:g} on in {model.time}, got others; drop those rows."
        )
    if model.document.modeling.model_class != "algebraic" and ts.max() == axis.start:
        raise ValueError(
            f"expected a row beyond {model.time} = {axis.start:g}, where all starts, got none; add what was "
            "measured later."
        )
    for name, each in values.items():
        if np.isinf(each).any() or np.isnan(each).all():
            raise ValueError(f"expected finite numbers in {name}, got others; drop those rows.")
    domain = model.document.modeling.domain
    if (
        domain is not None
        and xs is not None
        and not ((xs >= domain.start) & (xs <= domain.stop)).all()
    ):
        raise ValueError(
            f"expected {domain.symbol} from {domain.start:g} to {domain.stop:g}, got others; drop those rows."
        )
    return Series(condition, ts, values, xs)
