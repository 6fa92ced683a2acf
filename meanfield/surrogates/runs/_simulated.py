"""A run of a document: its trajectory with units, and what of its constraints was not kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import xarray as xr

from ..._checks import check_key
from ..._shown import OneLine
from ..documents import digest
from ..expressions import Relation
from ._fields import centres, width
from ._model import Model
from ._run import Run, evaluate, solve, solve_noisy, times
from ._scales import sizes_of

ROUNDING = 1e-12


@dataclass(frozen=True, repr=False)
class Violation(OneLine):
    """A constraint that was not kept: by at most `size`, at `time`, and at which share of saved states."""

    id: str
    time: float
    size: float
    share: float


@dataclass(frozen=True, repr=False)
class Kept(OneLine):
    """A conserved quantity: its largest change relative to its size, and whether that is tolerated."""

    id: str
    change: float
    ok: bool


@dataclass(frozen=True, repr=False)
class Happened(OneLine):
    """An event whose condition began to hold, and at which time."""

    id: str
    time: float


@dataclass(frozen=True, repr=False)
class Simulated(OneLine):
    """A run: `values` of states, outputs and measurements without noise; `violations` of constraints, as
    seen at the saved times; `conserved` quantities; `events` by conditions; `ok`: whether all were kept."""

    values: xr.Dataset
    violations: tuple[Violation, ...]
    conserved: tuple[Kept, ...]
    events: tuple[Happened, ...] = ()

    @property
    def dataset(self) -> xr.Dataset:
        """The `values`, by the name that they had before."""
        return self.values

    @property
    def ok(self) -> bool:
        """Whether all constraints and conserved quantities were kept."""
        return not self.violations and all(each.ok for each in self.conserved)


def simulated(model: Model, values: Mapping[str, Any], key: Any = None) -> Simulated:
    """The run of a model where these quantities differ from what the document says."""
    ts = times(model)
    if model.noises:
        method = model.document.method_selection
        key = jax.random.key(method.seed) if key is None else check_key(key)
        run = solve_noisy(model, values, ts, method.paths, key)
    else:
        run = solve(model, values, ts, {})
        check_sizes(model, run)
    violations = [
        found
        for name, relation in model.constraints.items()
        if (found := _violation(model, run, name, relation))
    ]
    kept = [_kept(model, run, name) for name in model.conserved]
    events = [
        Happened(model.switches[k].id, float(t))
        for t, k in zip(np.asarray(run.times), np.asarray(run.which), strict=True)
        if k >= 0
    ]
    return Simulated(_values(model, run), tuple(violations), tuple(kept), tuple(events))


def check_sizes(model: Model, run: Run) -> None:
    """Refuses states that the tolerance, which is relative to their sizes, leaves without three digits; what
    is rounding of others is zero."""
    if not model.states:
        return
    most = np.abs(np.asarray(run.states)).max(axis=(0, *range(2, run.states.ndim)))
    tolerance, rounding = model.document.method_selection.tolerance, ROUNDING * most.max()
    for name, size, found in zip(model.states, sizes_of(model), most, strict=True):
        if rounding < found < 1e3 * tolerance * size:
            raise ValueError(
                f"expected states that the tolerance resolves, got {name} of at most {found:.2g} after a "
                "start from rest; choose smaller units of it."
            )


def _values(model: Model, run: Run) -> xr.Dataset:
    document, modeling = model.document, model.document.modeling
    domain = modeling.domain
    across = [domain.symbol] if domain is not None else ["path"] if model.noises else []
    symbols = {**model.outputs, **model.measured}
    arrays = dict(zip(model.states, np.moveaxis(np.asarray(run.states), 1, 0), strict=True))
    arrays |= {name: np.asarray(each) for name, each in evaluate(model, run, symbols).items()}
    labels = {v.symbol: v.description for v in modeling.variables}
    units = model.units | {m.symbol: m.units for m in modeling.measurements}
    coords = {model.time: (model.time, run.ts, {"units": units[model.time]})}
    if domain is not None:
        coords[domain.symbol] = (
            domain.symbol,
            np.asarray(centres(domain)),
            {"units": domain.units},
        )
    variables = {
        name: (
            [model.time, *across],
            each,
            {"units": units[name], "long_name": labels.get(name) or name},
        )
        for name, each in arrays.items()
    }
    attrs = {"problem_id": document.metadata.problem_id, "document": digest(document)}
    return xr.Dataset(variables, coords, attrs)


def _violation(model: Model, run: Run, name: str, relation: Relation) -> Violation | None:
    excess = np.asarray(evaluate(model, run, {name: relation.excess})[name])
    rows = {row.id: row for row in model.document.input.hard_constraints}
    broken = ~(excess <= rows[name].tolerance)  # NaN is not
    if relation.sign in ("<", ">"):
        broken |= excess == 0
    if not broken.any():
        return None
    flat = np.where(broken, np.nan_to_num(excess, nan=np.inf), -np.inf).reshape(len(run.ts), -1)
    worst = int(flat.max(axis=1).argmax())
    return Violation(name, float(run.ts[worst]), float(flat[worst].max()), float(broken.mean()))


def _kept(model: Model, run: Run, name: str) -> Kept:
    """In a field the integral of the expression over the axis is what is conserved."""
    domain = model.document.modeling.domain
    found = np.asarray(evaluate(model, run, {name: model.conserved[name]})[name])
    if domain is not None:
        found = found.sum(axis=1) * width(domain)
    size = np.maximum(np.abs(found).max(axis=0), np.finfo(float).tiny)
    change = float((np.abs(found - found[0]) / size).max())
    rows = {row.id: row for row in model.document.modeling.conserved}
    return Kept(name, change, bool(change <= rows[name].tolerance))
