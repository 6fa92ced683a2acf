"""A report of a document: what it says, what was run and fitted, and what of it holds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sympy

from ..analysis import Counterfactual, Sensitivity
from ..documents import SECTIONS, digest
from ..fits import Fit, Profile
from ..runs import Model, Simulated
from ._blocks import Block, Figure, Formula, Heading, Paragraph, Points, Table, shown
from ._drawing import drawing
from ._profiles import profile_blocks
from ._validation import validation


@dataclass(frozen=True)
class Findings:
    """What was found of a model: problems of its units alone, or runs and what follows from them."""

    problems: tuple[str, ...]
    run: Simulated | None = None
    fit: Fit | None = None
    sensitivity: Sensitivity | None = None
    counterfactuals: tuple[Counterfactual, ...] = field(default_factory=tuple)
    profiles: tuple[Profile, ...] = field(default_factory=tuple)


def blocks_of(model: Model, found: Findings) -> list[Block]:
    """The report: the sections of the output contract in its order, or all."""
    document = model.document
    head: list[Block] = [
        Heading(document.metadata.title or document.metadata.problem_id, 1),
        Paragraph(f"Problem {document.metadata.problem_id}, document {digest(document)}."),
    ]
    wanted: Sequence[str] = document.output_contract.sections or SECTIONS
    for name in wanted:
        inner = WRITERS[name](model, found)
        if inner:
            head += [Heading(name.capitalize()), *inner]
        elif document.output_contract.sections:
            head += [Heading(name.capitalize()), Paragraph("There is none.")]
    return head


def _problem(model: Model, found: Findings) -> list[Block]:
    part = model.document.input
    notes = model.document.metadata.notes
    texts = [part.problem_summary, part.scope_objective, part.mechanistic_notes, notes]
    rows = [[each.id, each.expression, each.description] for each in part.hard_constraints]
    blocks: list[Block] = [Paragraph(text) for text in texts if text]
    blocks += [Table(["constraint", "expression", "meaning"], rows)] if rows else []
    return blocks + ([Points(part.soft_preferences)] if part.soft_preferences else [])


def _novelty(model: Model, found: Findings) -> list[Block]:
    part, equations = model.document.novelty_assurance, model.document.modeling.equations
    rows = [
        [e.id, e.novelty_tag, e.mechanism_link, ", ".join(e.evidence_citations)] for e in equations
    ]
    blocks: list[Block] = [Paragraph(part.statement)] if part.statement else []
    blocks.append(Table(["equation", "tag", "mechanism", "citations"], rows))
    queries = [f"searched for: {query}" for query in part.search_queries]
    return blocks + ([Points(queries)] if queries else [])


def _variables(model: Model, found: Findings) -> list[Block]:
    modeling, rows = model.document.modeling, []
    axes = [("independent", modeling.independent), ("axis", modeling.domain)]
    for role, axis in axes:
        if axis is not None:
            rows.append([axis.symbol, role, axis.units, f"{axis.start:g} to {axis.stop:g}", ""])
    for known in model.document.input.known_quantities:
        rows.append([known.symbol, "known", known.units, shown(known.value), known.description])
    for each in modeling.variables:
        value = shown(each.value) if isinstance(each.value, float | int) else each.value or ""
        rows.append([each.symbol, each.role, each.units, value, each.description])
    return [Table(["symbol", "role", "units", "value", "meaning"], rows)]


def _equations(model: Model, found: Findings) -> list[Block]:
    time, blocks = sympy.Symbol(model.time), []
    for name, expression in model.rates.items():
        left = sympy.Derivative(sympy.Symbol(name), time, evaluate=False)
        noise = model.noises.get(name)
        if noise is not None:
            rate = sympy.Derivative(sympy.Symbol(f"B_{name}"), time, evaluate=False)
            noisy = sympy.Mul(noise, rate, evaluate=False)
            expression = sympy.Add(expression, noisy, evaluate=False)
        blocks.append(Formula(left, expression))
    blocks += [Formula(sympy.Symbol(name), each) for name, each in model.outputs.items()]
    starts = [
        f"{row.symbol} starts from {row.value}"
        for row in model.document.modeling.initial_conditions
    ]
    ends = [f"{row.symbol}: {row.kind} ends" for row in model.document.modeling.boundary_conditions]
    events = [f"{e.id} {_when(e)}: {_sets(e.set)}" for e in model.document.modeling.events]
    return [*blocks, Points([*starts, *ends, *events])] if starts or ends or events else blocks


def _when(event: Any) -> str:
    return f"whenever {event.when}" if event.at is None else f"at {event.at:g}"


def _sets(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in values.items())


def _method(model: Model, found: Findings) -> list[Block]:
    method = model.document.method_selection
    points = [f"{each.name}: {each.justification}" for each in method.chosen_methods]
    if model.noises:
        points.append(
            f"Euler-Maruyama, steps of {method.step:g}, {method.paths} paths, seed {method.seed}"
        )
    elif model.states:
        kind = "implicit steps" if method.stiff else "steps"
        points.append(f"adaptive {kind} at a tolerance of {method.tolerance:g}")
    return [Points(points)] if points else []


def _results(model: Model, found: Findings) -> list[Block]:
    if found.problems:
        return [Points(found.problems)]
    if found.run is None:
        return []
    data, blocks = found.run.values, _happened(model, found.run)
    ts = data[model.time].values
    for name in (*model.states, *model.outputs):
        values, label = data[name].values, f"{name} [{model.units[name]}]"
        curves = _curves(model, name, ts, values)
        across = model.axis if model.axis is not None else model.time
        units = model.units[across]
        blocks.append(
            Figure(
                drawing(curves, {}, f"{across} [{units}]", label), f"{name} in {model.units[name]}"
            )
        )
    return blocks


def _happened(model: Model, run: Simulated) -> list[Block]:
    """When conditions began to hold: the first ten times."""
    if not run.events:
        return []
    first = ", ".join(f"{each.id} at {shown(each.time)}" for each in run.events[:10])
    more = f", and {len(run.events) - 10} more" if len(run.events) > 10 else ""
    return [Points([f"{len(run.events)} events: {first}{more}"])]


def _curves(model: Model, name: str, ts: np.ndarray, values: np.ndarray) -> dict[str, Any]:
    """A state over time; the mean and the quartiles of its paths; a field at the start, middle and end."""
    if values.ndim == 1:
        return {name: (ts, values)}
    if model.axis is None:
        low, middle, high = np.quantile(values, [0.25, 0.5, 0.75], axis=1)
        rows = {
            "mean": values.mean(axis=1),
            "lower quartile": low,
            "median": middle,
            "upper quartile": high,
        }
        return {label: (ts, row) for label, row in rows.items()}
    domain = model.document.modeling.domain
    assert domain is not None
    x = np.linspace(domain.start, domain.stop, domain.cells + 1)
    middles = (x[1:] + x[:-1]) / 2
    return {
        f"{model.time} = {ts[k]:g}": (middles, values[k]) for k in (0, len(ts) // 2, len(ts) - 1)
    }


def _fit(model: Model, found: Findings) -> list[Block]:
    fit = found.fit
    if fit is None:
        return []
    rows = [
        [name, shown(value), shown(fit.errors[name]), " to ".join(map(shown, fit.intervals[name]))]
        for name, value in fit.values.items()
    ]
    facts = [
        f"rank {fit.rank} of {fit.unknowns} unknowns",
        f"chi-squared {shown(fit.chi2)} with {fit.dof} degrees of freedom",
        f"logarithm of the likelihood {shown(fit.log_likelihood)}",
        *(f"not determined together: {_direction(each)}" for each in fit.unidentified),
        *(f"{name} ended on a bound" for name in fit.at_bounds),
        *([] if fit.converged else ["the fit did not reach its tolerance"]),
    ]
    blocks: list[Block] = [
        Table(["parameter", "value", "standard error", "95 % interval"], rows),
        Points(facts),
    ]
    table = fit.residuals
    units = {each.symbol: each.units for each in model.document.modeling.measurements}
    for name in fit.quality:
        part = table.isel(row=np.flatnonzero(table.measurement.values == name))
        ts, order = part.time.values, np.argsort(part.time.values, kind="stable")
        curve = {"predicted": (ts[order], part.predicted.values[order])}
        spots = {"measured": (ts, part.measured.values)}
        axis = f"{model.time} [{model.units[model.time]}]"
        label = f"{name} [{units[name]}]"
        blocks.append(Figure(drawing(curve, spots, axis, label), f"{name}: measured and predicted"))
        rest = {"residual": (ts, part.measured.values - part.predicted.values)}
        zero = {"zero": (ts[order][[0, -1]], np.zeros(2))}
        blocks.append(Figure(drawing(zero, rest, axis, label), f"{name}: residuals"))
    return blocks + profile_blocks(model, found.profiles)


def _direction(parts: dict[str, float]) -> str:
    return ", ".join(f"{name} by {shown(value)}" for name, value in parts.items())


def _sensitivity(model: Model, found: Findings) -> list[Block]:
    part = found.sensitivity
    if part is None:
        return []
    local = [[n, shown(v), shown(part.elasticities[n])] for n, v in part.slopes.items()]
    blocks: list[Block] = [
        Paragraph(f"Of {part.output} at the end, which is {shown(part.value)}."),
        Table(["parameter", "derivative", "elasticity"], local),
    ]
    rows = [
        [n, *(shown(each[n]) for each in (part.first, part.total, part.effects, part.spread))]
        for n in part.first
    ]
    head = ["parameter", "Sobol, first", "Sobol, total", "Morris, mean", "Morris, spread"]
    return blocks + ([Table(head, rows)] if rows else [])


def _counterfactuals(model: Model, found: Findings) -> list[Block]:
    rows = [
        [c.id, c.output, shown(c.before), shown(c.after), c.expect, "yes" if c.ok else "no"]
        for c in found.counterfactuals
    ]
    return (
        [Table(["change", "output", "before", "after", "expected", "so it is"], rows)]
        if rows
        else []
    )


def _validation(model: Model, found: Findings) -> list[Block]:
    rows = validation(model, found)
    cells = [[row.what, row.found, row.wanted, "yes" if row.ok else "no"] for row in rows]
    return [Table(["check", "found", "wanted", "passed"], cells)]


def _prior_work(model: Model, found: Findings) -> list[Block]:
    works = model.document.novelty_assurance.prior_work
    lines = [f"{w.id}: {w.authors} ({w.year or 'undated'}), {w.title}, {w.link}" for w in works]
    return [Points(lines)] if lines else []


def _assumptions(model: Model, found: Findings) -> list[Block]:
    lines = model.document.modeling.assumptions
    return [Points(lines)] if lines else []


WRITERS: dict[str, Callable[[Model, Findings], list[Block]]] = {
    "problem": _problem,
    "novelty": _novelty,
    "variables": _variables,
    "equations": _equations,
    "method": _method,
    "results": _results,
    "fit": _fit,
    "sensitivity": _sensitivity,
    "counterfactuals": _counterfactuals,
    "validation": _validation,
    "prior work": _prior_work,
    "assumptions": _assumptions,
}
"""What writes each section."""
