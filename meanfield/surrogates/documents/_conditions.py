"""Whether starts, ends, classes, changes and questions of a document fit its variables."""

from collections.abc import Iterable, Iterator
from typing import Any

from ._sections import Document

Fault = tuple[str, str, str, str]
"""What was expected, at which path, what was found, and the remedy."""
SECTIONS = (
    "problem", "novelty", "variables", "equations", "method", "results", "fit", "sensitivity",
    "counterfactuals", "validation", "prior work", "assumptions",
)  # fmt: skip
"""The sections that a report can have."""
SETTABLE = ("parameter", "input", "state")


def twice(names: Iterable[tuple[str, str]], what: str) -> Iterator[Fault]:
    """Names that stand twice in a list."""
    seen: set[str] = set()
    for path, name in names:
        if name in seen:
            yield f"each {what} once", path, f"{name} again", "rename or drop one"
        seen.add(name)


def starts(document: Document) -> Iterator[Fault]:
    """Each state has one start."""
    modeling = document.modeling
    rows = [
        (f"$.modeling.initial_conditions[{i}].symbol", r.symbol)
        for i, r in enumerate(modeling.initial_conditions)
    ]
    yield from twice(rows, "initial condition")
    states = [v.symbol for v in modeling.variables if v.role == "state"]
    for path, name in rows:
        if name not in states:
            yield "the start of a state", path, name, f"choose among {', '.join(states) or 'none'}"
    for name in states:
        if name not in {each for _, each in rows}:
            path = "$.modeling.initial_conditions"
            yield (
                "a start of each state",
                path,
                f"none of {name}",
                f"add one with the symbol {name}",
            )


def ends(document: Document) -> Iterator[Fault]:
    """Each field on an interval has ends."""
    modeling, path = document.modeling, "$.modeling.boundary_conditions"
    rows, interval = (
        modeling.boundary_conditions,
        modeling.domain is not None and modeling.domain.kind == "interval",
    )
    states = [v.symbol for v in modeling.variables if v.role == "state"]
    yield from twice(
        [(f"{path}[{i}].symbol", r.symbol) for i, r in enumerate(rows)], "boundary condition"
    )
    if rows and not interval:
        yield "no boundary conditions but on an interval", path, f"{len(rows)}", "drop them"
    for i, row in enumerate(rows):
        if row.symbol not in states:
            yield "the ends of a field", f"{path}[{i}].symbol", row.symbol, "name a state"
        given = row.start is not None, row.stop is not None
        if row.kind == "fixed" and not all(given):
            yield "start and stop of fixed ends", f"{path}[{i}]", "one or none", "add both values"
        if row.kind == "no-flux" and any(given):
            yield "no values without flux", f"{path}[{i}]", "some", "drop start and stop"
    for name in states if interval else []:
        if name not in {row.symbol for row in rows}:
            yield "ends of each field", path, f"none of {name}", "add no-flux or fixed ones"


def classes(document: Document) -> Iterator[Fault]:
    """The class of the model is that of what it holds."""
    modeling = document.modeling
    kind, path = modeling.model_class, "$.modeling.model_class"
    states = any(v.role == "state" for v in modeling.variables)
    noisy = any(e.noise is not None for e in modeling.equations)
    facts = {
        "a domain": (modeling.domain is not None, kind == "PDE", "PDE"),
        "noise": (noisy, kind == "SDE", "SDE"),
        "events": (bool(modeling.events), kind == "hybrid", "hybrid"),
        "states": (states, kind != "algebraic", "other than algebraic"),
    }
    for what, (there, wanted, name) in facts.items():
        if there and not wanted:
            yield f"the class {name} with {what}", path, kind, f"change it, or drop {what}"
        if wanted and not there:
            yield f"{what} in the class {kind}", path, "none", f"add {what}, or change the class"
    if document.method_selection.stiff and (noisy or any(e.when for e in modeling.events)):
        what = "noise" if noisy else "an event by a condition"
        remedy = "set it to false, or give events a time"
        yield "equations without noise or conditions", "$.method_selection.stiff", what, remedy
    if noisy and document.method_selection.step is None:
        yield (
            "a step for noise",
            "$.method_selection.step",
            "none",
            "add it, as a hundredth of the time",
        )


def changes(document: Document) -> Iterator[Fault]:
    """What events, conditions and counterfactuals set can be set."""
    modeling, roles = document.modeling, {v.symbol: v.role for v in document.modeling.variables}
    axis, times = modeling.independent, set()
    changes: list[tuple[str, Any]] = []
    for i, event in enumerate(modeling.events):
        path = f"$.modeling.events[{i}]"
        if (event.at is None) == (event.when is None):
            yield "a time at or a condition when", path, "both or none", "give one of them"
        if event.at is not None and (not axis.start < event.at < axis.stop or event.at in times):
            yield "a time of its own within the run", f"{path}.at", f"{event.at:g}", "move it"
        times.add(event.at)
        for name in event.set if event.when is not None else []:
            if roles.get(name) == "input":
                at = f"{path}.set.{name}"
                yield "states or parameters set by a condition", at, name, "make it a parameter"
        changes.append((path, event.set))
    changes += [(f"$.modeling.conditions[{i}]", c.set) for i, c in enumerate(modeling.conditions)]
    rows = document.solution_and_analysis.counterfactuals
    changes += [
        (f"$.solution_and_analysis.counterfactuals[{i}]", c.set) for i, c in enumerate(rows)
    ]
    for path, values in changes:
        if not values:
            yield "something that changes", f"{path}.set", "nothing", "name a quantity"
        for name in values:
            if roles.get(name) not in SETTABLE:
                at = f"{path}.set.{name}"
                yield "a parameter, an input or a state", at, name, "choose among the variables"


def asked(document: Document) -> Iterator[Fault]:
    """What is asked for exists."""
    analysis, roles = (
        document.solution_and_analysis,
        {v.symbol: v.role for v in document.modeling.variables},
    )
    measured = {m.symbol for m in document.modeling.measurements}
    outputs = {name for name, role in roles.items() if role in ("state", "output")} | measured
    wanted = [
        (f"$.solution_and_analysis.counterfactuals[{i}].output", c.output)
        for i, c in enumerate(analysis.counterfactuals)
    ]
    if analysis.sensitivity is not None:
        wanted.append(("$.solution_and_analysis.sensitivity.output", analysis.sensitivity.output))
        for i, row in enumerate(analysis.sensitivity.ranges):
            path = f"$.solution_and_analysis.sensitivity.ranges[{i}]"
            if roles.get(row.symbol) != "parameter":
                yield "a parameter to vary", f"{path}.symbol", row.symbol, "choose a parameter"
            if row.low >= row.high:
                yield "low < high", path, f"[{row.low:g}, {row.high:g}]", "swap them"
    for path, name in wanted:
        if name not in outputs:
            yield "a state, an output or a measurement", path, name, "choose one of these"
    for i, row in enumerate(document.validation.fit_quality):
        if row.measurement not in measured:
            path = f"$.validation.fit_quality[{i}].measurement"
            yield "a measurement", path, row.measurement, "choose one of modeling.measurements"
    for i, name in enumerate(document.output_contract.sections):
        if name not in SECTIONS:
            yield (
                "a section of a report",
                f"$.output_contract.sections[{i}]",
                repr(name),
                f"choose among {', '.join(SECTIONS)}",
            )
