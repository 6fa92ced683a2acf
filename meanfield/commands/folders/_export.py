"""`meanfield export`: a result as tidy tables, for other tools."""

import csv
import io
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import tyro
import xarray as xr

from ...io import write_bytes
from .._arguments import FOLDER, called, parse
from .._finding import UsageError
from ._plot import finished


@dataclass(frozen=True)
class _ExportOptions:
    folder: Annotated[Path, tyro.conf.Positional, FOLDER]
    """Folder that `meanfield run` wrote."""
    csv: tyro.conf.FlagCreatePairsOff[bool] = False
    """Tables as CSV: the default."""
    parquet: tyro.conf.FlagCreatePairsOff[bool] = False
    """Tables as Parquet, with units in the metadata of columns (the extra `parquet`)."""
    out: Annotated[Path | None, called("DIR")] = None
    """Folder for the tables; by default tables/ in the folder."""
    traceback: tyro.conf.FlagCreatePairsOff[bool] = False
    """Show where an error arose."""


def export(arguments: list[str]) -> int:
    """Writes a result as tables: a row an observation, all digits, and columns.csv, what columns are."""
    options = parse(_ExportOptions, "meanfield export", arguments)
    result, out = finished(options.folder), options.out or options.folder / "tables"
    kinds = {"csv": options.csv or not options.parquet, "parquet": options.parquet}
    tables = tables_of(result)
    content = {
        f"{name}.{kind}": _WRITERS[kind](table, result)
        for name, table in tables.items()
        for kind, wanted in kinds.items()
        if wanted
    }
    content["columns.csv"] = _columns(tables, result)
    for name, whole in content.items():
        write_bytes(out / name, whole)
        print(out / name)
    return 0


def tables_of(result: xr.Dataset) -> dict[str, pd.DataFrame]:
    """Variables that share their dimensions, a table each, named by these; a row a combination.

    A dimension without a coordinate is numbered from 0. What has no dimension is the table `numbers`.
    """
    groups: dict[tuple[Hashable, ...], list[Hashable]] = {}
    for name, values in result.data_vars.items():
        groups.setdefault(values.dims, []).append(name)
    return {
        "_".join(map(str, dims)) or "numbers": _table(result[names], dims)
        for dims, names in groups.items()
    }


def _table(part: xr.Dataset, dims: tuple[Hashable, ...]) -> pd.DataFrame:
    part = part.drop_vars([name for name in part.coords if name not in dims])
    if not dims:
        return pd.DataFrame({str(name): [values.values[()]] for name, values in part.items()})
    # A coordinate that no variable has the name of; a variable may be named as a dimension is not.
    places = {dim: np.arange(part.sizes[dim]) for dim in dims if dim not in part.coords}
    return part.assign_coords(places).to_dataframe(dim_order=[*dims]).reset_index()


def _csv(table: pd.DataFrame, result: xr.Dataset) -> bytes:
    # Python's own digits: the least that give the same number back.
    return table.to_csv(index=False, lineterminator="\n").encode()


def _parquet(table: pd.DataFrame, result: xr.Dataset) -> bytes:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError as error:
        raise UsageError(
            f"expected the extra parquet, got no {error.name}; do pip install 'meanfield-jax[parquet]'"
        ) from error
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    fields = [
        field.with_metadata({k: str(v) for k, v in _told(str(field.name), result).items()})
        for field in arrow.schema
    ]
    arrow = arrow.cast(pa.schema(fields, metadata={"study": str(result.attrs["study"])}))
    whole = io.BytesIO()
    pq.write_table(arrow, whole)
    return whole.getvalue()


def _told(name: str, result: xr.Dataset) -> dict[str, Any]:
    attrs = result[name].attrs if name in result.variables else {}
    return {
        "long_name": attrs.get("long_name", f"number of the {name}"),
        "units": attrs.get("units", ""),
    }


def _columns(tables: dict[str, pd.DataFrame], result: xr.Dataset) -> bytes:
    """The dictionary of all columns: table, name, what it is, unit."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["table", "column", "long_name", "units"])
    for table, rows in tables.items():
        for column in rows.columns:
            writer.writerow([table, column, *_told(str(column), result).values()])
    return out.getvalue().encode()


_WRITERS = {"csv": _csv, "parquet": _parquet}
