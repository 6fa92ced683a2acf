"""Equations found in measurements, written back as a document, and held to data that they have not seen."""

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..documents import LONGEST, Document, check_consistent, parse
from ..expressions import PLAIN, read_unit
from ..runs import Model, build, units_of
from ._data import Series, check_apart, series_of
from ._fit import Fit, fit, log_likelihood
from ._sparse import PARTS, Powers, sparse

LONG = 50
"""Characters of a name from which on those that are made of it are made of its number."""
MOST_VARIABLES, MOST_POWERS = 200, 32
LARGEST = 1e30
NOISY = 1e-3
"""Noise above this share of the spread of what was measured spoils derivatives."""


@dataclass(frozen=True, eq=False)
class Found:
    """Equations that were found: their model, their fit, and how they compare with those of the document."""

    model: Model
    equations: dict[str, str]
    fit: Fit
    before: Fit
    gain: float
    error: float
    weak: bool


def discover(
    model: Model,
    data: Any,
    held_out: Any,
    degree: int,
    threshold: float,
    weak: bool | None,
    starts: int,
    seed: int,
) -> Found:
    """What regression finds in the data, and what it gains on what was held out; see `Surrogate.discover`."""
    series, others = series_of(model, data), series_of(model, held_out)
    rows = [_states(model, each) for each in series]
    ts = [each.ts for each in series]
    _check_varying(model, np.concatenate(rows))
    weak = _noisy(model, np.concatenate(rows)) if weak is None else weak
    _check_grid(model, ts, weak)
    _check_degree(len(model.states), degree, sum(map(len, rows)), weak)
    check_apart(series, others)
    found = sparse(ts, rows, degree, threshold, weak, seed)
    if not any(found):
        raise ValueError(
            f"expected terms of at least {threshold:g} of the largest, got none; lower threshold, or raise "
            "degree."
        )
    numbers = np.abs([c for terms in found for c in terms.values()])
    if not (np.isfinite(numbers) & (numbers > 0)).all() or numbers.max() > LARGEST:
        raise ValueError(
            "expected coefficients that a document holds, got some out of range; choose units in which "
            "states are near 1."
        )
    new = _model(model, found)
    best, count = fit(new, data, starts, seed), sum(each.size for each in rows)
    if gone := superfluous(best, count):
        new = _model(model, _without(found, best, gone))
        best = fit(new, data, starts, seed)
    before = fit(model, data, starts, seed)
    gains = _scores(new, best, held_out) - _scores(model, before, held_out)
    error = float(gains.std(ddof=1) / np.sqrt(gains.size)) if gains.size > 1 else float("inf")
    states = {f"d{name}" for name in model.states}
    rows_of = new.document.modeling.equations
    equations = {e.lhs: e.rhs for e in rows_of if e.lhs.partition("/")[0].strip() in states}
    return Found(new, equations, best, before, float(gains.mean()), error, weak)


def superfluous(fit: Fit, count: int) -> set[str]:
    """Coefficients without which the fit has the smaller Bayesian information criterion, one after another.

    Where one is dropped, the deviance rises by c^2/V, as far as it is quadratic, and the others move by
    -V_j c/V_jj. It pays where that is less than the logarithm of how many numbers were measured.
    """
    left, values = [*fit.values], np.array([*fit.values.values()])
    cov, gone = np.array(fit.covariance), set()
    while len(left) > 1:
        rise = values**2 / np.maximum(np.diag(cov), np.finfo(float).tiny)
        k = int(rise.argmin())
        if rise[k] >= np.log(count):
            break
        gone.add(left.pop(k))
        rest = np.arange(len(values)) != k
        along = cov[rest, k] / cov[k, k]
        values = values[rest] - along * values[k]
        cov = cov[np.ix_(rest, rest)] - np.outer(along, cov[k, rest])
    return gone


def _without(found: list[dict[Powers, float]], best: Fit, gone: set[str]) -> list[dict]:
    """The terms that stay, with their fitted coefficients."""
    fitted, kept = iter(best.values.items()), []
    for terms in found:
        pairs = [(powers, next(fitted)) for powers in terms]
        kept.append({powers: value for powers, (name, value) in pairs if name not in gone})
    return kept


def _model(model: Model, found: list[dict[Powers, float]]) -> Model:
    document = _document(model, found)
    check_consistent(document)
    new = build(document)
    units_of(new)
    return new


def _scores(model: Model, one: Fit, held_out: Any) -> np.ndarray:
    """The logarithms of the densities of data; of a run that fails, as of a residual of a million."""
    found = log_likelihood(model, one.values, held_out)
    return np.where(np.isfinite(found), np.maximum(found, -5e11), -5e11)


def _states(model: Model, series: Series) -> np.ndarray:
    """The measured states [T, n], in the order of the document."""
    if model.noises or model.axis is not None or not model.states:
        raise ValueError(
            "expected ordinary equations to discover, got others; measure states along one variable."
        )
    of = {str(each): name for name, each in model.measured.items() if each.is_Symbol}
    for name in model.states:
        if of.get(name) not in series.values:
            raise ValueError(
                f"expected measurements of each state, got none of {name}; add one of {name} alone."
            )
    values = np.stack([series.values[of[name]] for name in model.states], axis=1)
    if np.isnan(values).any() or len(values) < 8:
        raise ValueError(
            "expected 8 times at least with all states measured, got fewer; drop rows with gaps."
        )
    return values


def _check_varying(model: Model, values: np.ndarray) -> None:
    for name, column in zip(model.states, values.T, strict=True):
        if column.min() == column.max():
            raise ValueError(
                f"expected states that vary, got {name} of {column[0]:g} alone; measure where it moves, or "
                "make it a parameter."
            )


def _noisy(model: Model, values: np.ndarray) -> bool:
    """Whether the noise, of the values or of their logarithms, is large against how they vary."""
    noises = {str(model.measured[m.symbol]): m.noise for m in model.document.modeling.measurements}
    rows = [noises[name] for name in model.states]
    of_logs = np.array([each.kind == "lognormal" for each in rows])
    sizes = np.array([each.size for each in rows]) * np.where(
        of_logs, np.abs(values).mean(axis=0), 1
    )
    spread = np.abs(values).max(axis=0)
    spread = spread * (values / spread).std(axis=0)
    return bool((sizes > NOISY * spread).any())


def _check_degree(states: int, degree: int, rows: int, weak: bool) -> None:
    if degree > MOST_POWERS or (weak and degree == 0):
        remedy = "pass weak=False" if weak and degree == 0 else "lower it"
        least = 1 if weak else 0
        raise ValueError(
            f"expected a degree from {least} to {MOST_POWERS}, got {degree}; {remedy}."
        )
    count = math.comb(states + degree, states)
    if count >= rows:
        raise ValueError(
            f"expected fewer powers than rows, got {count} of degree {degree} or less for {rows}; lower "
            "degree, or measure more."
        )


def _check_grid(model: Model, ts: list[np.ndarray], weak: bool) -> None:
    if any((np.diff(each) <= 0).any() for each in ts):
        raise ValueError(
            "expected one row for each time, got repeated times; name their condition."
        )
    if weak and any(each.shape != ts[0].shape or not np.allclose(each, ts[0]) for each in ts):
        raise ValueError(
            f"expected the same {model.time} in all conditions for the weak form, got others; "
            "pass weak=False, or drop rows."
        )
    length, gap = ts[0][-1] - ts[0][0], np.diff(ts[0]).max()
    if weak and gap * 2 * PARTS > length * (1 + 1e-9):
        raise ValueError(
            f"expected steps of {length / (2 * PARTS):.3g} in {model.time} or less for the weak form, got "
            f"{gap:.3g}; pass weak=False, or measure more often."
        )


def _document(model: Model, found: list[dict[Powers, float]]) -> Document:
    """The document with these equations, tagged as new, and their coefficients as unknowns."""
    content = model.document.model_dump(mode="json")
    modeling, unknowns = content["modeling"], []
    for i, (name, terms) in enumerate(zip(model.states, found, strict=True)):
        parts = []
        for k, (powers, value) in enumerate(terms.items()):
            symbol = _free_name(f"c_{name if len(name) <= LONG else i}_{k}", content)
            units = _units(model, name, powers)
            row = {"symbol": symbol, "role": "parameter", "units": units}
            unknowns.append(row)
            modeling["variables"].append(
                {**row, "value": value, "description": f"coefficient in d{name}/d{model.time}"}
            )
            factors = [
                f"{s}**{p}" if p > 1 else s for s, p in zip(model.states, powers, strict=True) if p
            ]
            parts.append("*".join([symbol, *factors]))
        row = next(
            e for e in modeling["equations"] if e["lhs"].replace(" ", "").startswith(f"d{name}/")
        )
        rhs = " + ".join(parts) or "0"
        _check_short(rhs, modeling["variables"])
        row |= {"rhs": rhs, "novelty_tag": "new", "evidence_citations": []}
        row["mechanism_link"] = "none: found by sparse regression"
    content["input"]["unknowns"] = [
        u for u in content["input"]["unknowns"] if u["role"] != "parameter"
    ] + unknowns
    content["solution_and_analysis"] = {}
    content["metadata"]["problem_id"] = f"{content['metadata']['problem_id'][:LONG]}_found"
    content["method_selection"]["problem_type"] = "discovery"
    return parse(content)


def _check_short(rhs: str, variables: list[dict[str, Any]]) -> None:
    """Refuses what no document holds."""
    if len(rhs) > LONGEST or len(variables) > MOST_VARIABLES:
        raise ValueError(
            f"expected few terms, got equations of {len(variables)} quantities and {len(rhs)} characters; "
            "raise threshold, or lower degree."
        )


def _free_name(name: str, content: dict) -> str:
    taken = {v["symbol"] for v in content["modeling"]["variables"]}
    taken |= {k["symbol"] for k in content["input"]["known_quantities"]}
    taken |= {m["symbol"] for m in content["modeling"]["measurements"]}
    taken |= {content["modeling"]["independent"]["symbol"]}
    while name in taken:
        name += "_"
    return name


def _units(model: Model, state: str, powers: Powers) -> str:
    """The units of the coefficient of a power in the equation of a state."""
    base = (*model.document.modeling.base_units,)
    below = [(model.units[model.time], 1)]
    below += [(model.units[n], p) for n, p in zip(model.states, powers, strict=True) if p]
    plain = lambda text: read_unit(text, base) == PLAIN
    top = "1" if plain(model.units[state]) else f"({model.units[state]})"
    text = top + "".join(f"/({u})**{p}" for u, p in below if not plain(u))
    return "dimensionless" if text == "1" else text


def typeset(equations: dict[str, str], values: dict[str, float]) -> dict[str, str]:
    """The equations with their fitted numbers, for reading."""
    number = lambda name: f"{values[name[0]]:.6g}" if name[0] in values else name[0]
    written = {left: re.sub(r"\w+", number, right) for left, right in equations.items()}
    return {left: right.replace("+ -", "- ") for left, right in written.items()}
