"""What no single part of a document can say: that symbols, equations and conditions fit together."""

import keyword
from collections.abc import Iterator

from ._conditions import Fault, asked, changes, classes, ends, starts, twice
from ._modeling import Domain, Independent, defined_by
from ._read import DocumentError, refusal
from ._sections import Document

RESERVED = [
    "exp",
    "log",
    "sqrt",
    "sin",
    "cos",
    "tan",
    "atan",
    "sinh",
    "cosh",
    "tanh",
    "abs",
    "min",
    "max",
    "step",
    "d",
    "path",
    "condition",
]


def check_consistent(document: Document) -> None:
    """Raises DocumentError, with its path, for the first thing that does not fit to another."""
    for expected, path, got, remedy in _found(document):
        raise DocumentError(refusal(expected, path, got, remedy))


def _found(document: Document) -> Iterator[Fault]:
    yield from _symbols(document)
    yield from _axes(document)
    yield from _values(document)
    yield from _unknowns(document)
    yield from _equations(document)
    yield from _undefined(document)
    yield from starts(document)
    yield from ends(document)
    yield from classes(document)
    yield from changes(document)
    yield from asked(document)


def _symbols(document: Document) -> Iterator[Fault]:
    modeling = document.modeling
    named = [
        (f"$.input.known_quantities[{i}].symbol", k.symbol)
        for i, k in enumerate(document.input.known_quantities)
    ]
    named += [
        (f"$.modeling.variables[{i}].symbol", v.symbol) for i, v in enumerate(modeling.variables)
    ]
    named += [("$.modeling.independent.symbol", modeling.independent.symbol)]
    if modeling.domain is not None:
        named += [("$.modeling.domain.symbol", modeling.domain.symbol)]
    measured = [
        (f"$.modeling.measurements[{i}].symbol", m.symbol)
        for i, m in enumerate(modeling.measurements)
    ]
    for path, name in named + measured:
        if keyword.iskeyword(name) or name in RESERVED:
            yield "a symbol that means nothing else", path, name, f"rename it, as {name}_0"
    yield from twice(named + measured, "symbol")
    lists = {
        "$.modeling.equations": modeling.equations,
        "$.modeling.events": modeling.events,
        "$.modeling.conserved": modeling.conserved,
        "$.modeling.conditions": modeling.conditions,
        "$.input.hard_constraints": document.input.hard_constraints,
        "$.solution_and_analysis.counterfactuals": document.solution_and_analysis.counterfactuals,
        "$.novelty_assurance.prior_work": document.novelty_assurance.prior_work,
    }
    for path, rows in lists.items():
        yield from twice([(f"{path}[{i}].id", row.id) for i, row in enumerate(rows)], "id")


def _axes(document: Document) -> Iterator[Fault]:
    axes = {"independent": document.modeling.independent, "domain": document.modeling.domain}
    for name, axis in axes.items():
        if axis is not None and axis.stop <= axis.start:
            yield "stop > start", f"$.modeling.{name}.stop", f"{axis.stop:g}", "raise it"
        elif axis is not None and _merged(axis):
            path, remedy = f"$.modeling.{name}.stop", "raise it, or choose other units"
            yield "points that differ by more than rounding", path, f"{axis.stop:g}", remedy


def _merged(axis: Independent | Domain) -> bool:
    """Whether neighbouring points are the same but for rounding."""
    count = axis.cells if isinstance(axis, Domain) else axis.points - 1
    gap = (axis.stop - axis.start) / count
    return gap < 1e-30 or gap < 1e-12 * max(abs(axis.start), abs(axis.stop))


def _values(document: Document) -> Iterator[Fault]:
    for i, v in enumerate(document.modeling.variables):
        path = f"$.modeling.variables[{i}].value"
        if v.role == "parameter" and not isinstance(v.value, float | int):
            got = "none" if v.value is None else repr(v.value)
            yield "a number for a parameter", path, got, "give one, from which a fit starts too"
        if v.role == "input" and v.value is None:
            yield "a number or an expression for an input", path, "none", "give one"
        if v.role == "state" and v.value is not None:
            yield "no value of a state", path, str(v.value), "move it to initial_conditions"
        if v.role == "output" and v.value is not None:
            yield "no value of an output", path, str(v.value), "move it to an equation"


def _unknowns(document: Document) -> Iterator[Fault]:
    variables = {v.symbol: v for v in document.modeling.variables}
    rows = document.input.unknowns
    yield from twice(
        [(f"$.input.unknowns[{i}].symbol", u.symbol) for i, u in enumerate(rows)], "unknown"
    )
    for i, u in enumerate(rows):
        path, variable = f"$.input.unknowns[{i}]", variables.get(u.symbol)
        if variable is None:
            yield (
                "an unknown that is a variable",
                f"{path}.symbol",
                u.symbol,
                "add it to the variables",
            )
            continue
        if u.role != variable.role:
            yield f"the role {variable.role}", f"{path}.role", u.role, "say the same in both places"
        if u.units != variable.units:
            yield (
                f"the units {variable.units}",
                f"{path}.units",
                u.units,
                "say the same in both places",
            )
        if u.bounds is None:
            continue
        low, high = u.bounds
        if low >= high:
            yield "bounds that increase", f"{path}.bounds", f"[{low:g}, {high:g}]", "swap them"
        if u.scale == "log" and low <= 0:
            yield (
                "positive bounds on a log scale",
                f"{path}.bounds",
                f"{low:g}",
                "raise the lower one",
            )
        value = variable.value
        if isinstance(value, float | int) and not low <= value <= high:
            got = f"the value {value:g} outside of them"
            yield "bounds around the value", f"{path}.bounds", got, "widen them"


def _equations(document: Document) -> Iterator[Fault]:
    modeling = document.modeling
    roles = {v.symbol: v.role for v in modeling.variables}
    cited, along, defined = (
        {w.id for w in document.novelty_assurance.prior_work},
        modeling.independent.symbol,
        [],
    )
    for i, each in enumerate(modeling.equations):
        path, symbol = f"$.modeling.equations[{i}]", defined_by(each.lhs)
        role = roles.get(symbol)
        wanted = f"d{symbol}/d{along}" if role == "state" else symbol
        if role not in ("state", "output"):
            yield (
                "a state or an output on the left",
                f"{path}.lhs",
                each.lhs,
                f"write dH/d{along}, or an output",
            )
        elif "".join(each.lhs.split()) != wanted:
            yield f"the left side {wanted}", f"{path}.lhs", each.lhs, "write it so"
        if each.noise is not None and role != "state":
            yield "noise of states alone", f"{path}.noise", each.lhs, "drop it"
        for k, citation in enumerate(each.evidence_citations):
            if citation not in cited:
                at = f"{path}.evidence_citations[{k}]"
                yield (
                    "the id of a prior work",
                    at,
                    citation,
                    "add it to novelty_assurance.prior_work",
                )
        defined.append((f"{path}.lhs", symbol))
    yield from twice(defined, "left side")


def _undefined(document: Document) -> Iterator[Fault]:
    """States and outputs without an equation."""
    defined = {defined_by(each.lhs) for each in document.modeling.equations}
    for i, v in enumerate(document.modeling.variables):
        if v.role in ("state", "output") and v.symbol not in defined:
            path, got = f"$.modeling.variables[{i}].symbol", f"none of {v.symbol}"
            yield f"an equation of each {v.role}", path, got, "add one to the equations"
