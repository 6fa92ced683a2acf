"""The document that a file in the Systems Biology Markup Language describes, read by libsbml."""

from pathlib import Path
from typing import Any

from ..._checks import shown
from ._mathematics import refused, text_of
from ._sbml import library
from ._sbml_units import units_of, units_of_time

LARGEST = 400_000
"""The most bytes of a file."""
OWN = "l3v2extendedmath"
"""What libsbml calls the mathematics of its own latest version."""
NOT_READ = {
    "FunctionDefinition": "write it out",
    "Constraint": "drop it",
}
"""Elements that have no meaning here, and what to do."""


def from_sbml(path: Path, stop: float, points: int) -> dict[str, Any]:
    """The content of a document. Raises ValueError that names the element for what it cannot say."""
    sbml = library()
    inner = _model(sbml, path)
    time = next(n for n in ("t", "time", "t_0", "time_0") if inner.getElementBySId(n) is None)
    for kind, remedy in NOT_READ.items():
        if getattr(inner, f"getNum{kind}s")():
            raise refused("parameters, species, reactions, rules and events", f"a {kind}", remedy)
    write = lambda node, where: text_of(sbml, node, time, where)
    known = [_compartment(sbml, each) for each in inner.getListOfCompartments()]
    rates, outputs = _rules(inner, write)
    rates |= _reactions(inner, write, rates)
    size = {each["symbol"]: each["value"] for each in known}
    starts = {
        each.getSymbol(): write(each.getMath(), f"initialAssignment {each.getSymbol()}")
        for each in inner.getListOfInitialAssignments()
    }
    variables, initial = _quantities(sbml, inner, rates, outputs, starts, size)
    events = [_event(sbml, each, k, write) for k, each in enumerate(inner.getListOfEvents())]
    return {
        "schema_version": "1.0",
        "metadata": {"problem_id": inner.getId() or "sbml"},
        "input": {"problem_summary": inner.getName() or path.name, "known_quantities": known},
        "modeling": {
            "model_class": "hybrid" if events else "ODE" if rates else "algebraic",
            "independent": {
                "symbol": time,
                "units": units_of_time(sbml, inner),
                "stop": stop,
                "points": points,
            },
            "variables": variables,
            "equations": _equations(rates, outputs, time),
            "initial_conditions": initial,
            "events": events,
        },
    }


def _equations(rates: dict[str, str], outputs: dict[str, str], time: str) -> list[dict[str, str]]:
    told = {"mechanism_link": "as in the file of SBML", "novelty_tag": "borrowed"}
    left = {**{n: f"d{n}/d{time}" for n in rates}, **{n: n for n in outputs}}
    return [
        {"id": f"equation_{k}", "lhs": left[n], "rhs": text, **told}
        for k, (n, text) in enumerate({**rates, **outputs}.items())
    ]


def _model(sbml: Any, path: Path) -> Any:
    try:
        text = path.read_bytes()[: LARGEST + 1].decode()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "text that is not UTF-8"
        raise ValueError(f"expected a file of SBML, got {path} ({why}); check its path.") from error
    if len(text.encode()) > LARGEST or "<!" in text.replace("<!--", ""):
        got = "a larger file" if len(text.encode()) > LARGEST else "declarations such as <!DOCTYPE"
        raise refused(f"at most {LARGEST} bytes of plain elements", got, "shorten or drop them")
    whole = sbml.readSBMLFromString(text)
    if whole.getNumErrors(sbml.LIBSBML_SEV_ERROR) + whole.getNumErrors(sbml.LIBSBML_SEV_FATAL):
        error = whole.getErrorWithSeverity(0, sbml.LIBSBML_SEV_ERROR)
        error = error or whole.getErrorWithSeverity(0, sbml.LIBSBML_SEV_FATAL)
        got = f"{error.getShortMessage().rstrip('.')} at line {error.getLine()}"
        raise refused("valid elements", got, "mend it, or write it anew")
    if whole.getModel() is None:
        raise refused("a model", "none", "check the file")
    # older levels know no packages, but libsbml gives them one for pictures
    for k in range(whole.getNumPlugins() if whole.getLevel() > 2 else 0):
        name = whole.getPlugin(k).getPackageName()
        if name != OWN and whole.getPackageRequired(name):
            raise refused("SBML without packages", f"the package {name}", "write it in the core")
    # held by the caller's frame alone, the model would lose the document that owns it
    return whole.getModel().clone()


def _compartment(sbml: Any, each: Any) -> dict[str, Any]:
    size = float(each.getSize()) if each.isSetSize() else 1.0
    if not each.getConstant() or not 0 < size < float("inf"):
        got = (
            f"the compartment {each.getId()} of {shown(size)}" if each.getConstant() else "another"
        )
        raise refused("compartments of constant size", got, "give it a size and make it constant")
    return {"symbol": each.getId(), "value": size, "units": units_of(sbml, each)}


def _rules(inner: Any, write: Any) -> tuple[dict[str, str], dict[str, str]]:
    """The right-hand sides of rules for rates, and of those that assign."""
    rates, outputs = {}, {}
    for each in inner.getListOfRules():
        if each.isAlgebraic():
            raise refused("rules for rates or values", "an algebraicRule", "solve it for a symbol")
        name, found = each.getVariable(), rates if each.isRate() else outputs
        found[name] = write(each.getMath(), f"rule of {name}")
    return rates, outputs


def _reactions(inner: Any, write: Any, rates: dict[str, str]) -> dict[str, str]:
    """The rates of species that reactions make and consume."""
    terms: dict[str, list[str]] = {}
    for each in inner.getListOfReactions():
        name, law = each.getId(), each.getKineticLaw()
        if law is None or law.getNumParameters() + law.getNumLocalParameters():
            got = "no kineticLaw" if law is None else "local parameters"
            raise refused(
                "a kineticLaw of global parameters", f"{got} in {name}", "add or move them"
            )
        speed = write(law.getMath(), f"kineticLaw of {name}")
        sides = ((-1, each.getListOfReactants()), (1, each.getListOfProducts()))
        for sign, part in ((sign, part) for sign, parts in sides for part in parts):
            count = part.getStoichiometry() if part.isSetStoichiometry() else 1.0
            if part.isSetStoichiometryMath() or part.isSetId() or not abs(count) < 1e6:
                raise refused("constant stoichiometries", f"another in {name}", "write a number")
            terms.setdefault(part.getSpecies(), []).append(f"({sign * count!r})*({speed})")
    species = {s.getId(): s for s in inner.getListOfSpecies()}
    moved = {
        name: found
        for name, found in terms.items()
        if name in species
        and not species[name].getBoundaryCondition()
        and not species[name].getConstant()
    }
    for name in moved.keys() & rates.keys():
        raise refused("one equation each", f"a rateRule and reactions of {name}", "drop one")
    return {name: _per_volume(species[name], " + ".join(found)) for name, found in moved.items()}


def _per_volume(species: Any, text: str) -> str:
    """Reactions move amounts; a species stands for its concentration but where it says otherwise."""
    if species.getHasOnlySubstanceUnits():
        return text
    return f"({text})/{species.getCompartment()}"


def _quantities(
    sbml: Any,
    inner: Any,
    rates: dict[str, str],
    outputs: dict[str, str],
    starts: dict[str, str],
    sizes: dict[str, float],
) -> tuple[list[dict], list[dict]]:
    """The variables of the document, and where states start."""
    variables, initial = [], []
    for each in [*inner.getListOfSpecies(), *inner.getListOfParameters()]:
        name = each.getId()
        role = "state" if name in rates else "output" if name in outputs else "parameter"
        unit = units_of(sbml, each)
        row = {"symbol": name, "role": role, "units": unit, "description": each.getName()}
        value = None if role == "output" else _value(each, sizes)
        if role == "parameter":
            if value is None or name in starts:
                got = f"{name} with {'an initialAssignment' if name in starts else 'none'}"
                raise refused("numbers of constants", got, "give it a value")
            row["value"] = value
        if role == "state":
            start = starts.get(name, value)
            if start is None:
                raise refused("where each state starts", f"nothing for {name}", "give it a value")
            initial.append({"symbol": name, "value": start})
        variables.append(row)
    for name in {**rates, **outputs}:
        if name not in {row["symbol"] for row in variables}:
            raise refused(
                "rules of parameters and species", f"one of {name}", "make it a parameter"
            )
    return variables, initial


def _value(each: Any, sizes: dict[str, float]) -> float | None:
    """The number of a parameter, or of a species as it is meant: its amount or its concentration."""
    if hasattr(each, "isSetInitialAmount"):
        if each.getCompartment() not in sizes:
            raise refused("a compartment of each species", f"none of {each.getId()}", "add it")
        size, amount = sizes[each.getCompartment()], each.getHasOnlySubstanceUnits()
        if each.isSetInitialConcentration():
            return float(each.getInitialConcentration()) * (size if amount else 1.0)
        if each.isSetInitialAmount():
            return float(each.getInitialAmount()) / (1.0 if amount else size)
        return None
    return float(each.getValue()) if each.isSetValue() else None


def _event(sbml: Any, each: Any, k: int, write: Any) -> dict[str, Any]:
    name, trigger = each.getId() or f"event_{k}", each.getTrigger()
    if each.isSetDelay() or each.isSetPriority() or trigger is None:
        what = "a delay" if each.isSetDelay() else "a priority" if trigger else "no trigger"
        raise refused("events with a trigger alone", f"{what} of {name}", "drop or add it")
    node = trigger.getMath()
    signs = {
        sbml.AST_RELATIONAL_GEQ: ">=",
        sbml.AST_RELATIONAL_GT: ">",
        sbml.AST_RELATIONAL_LEQ: "<=",
        sbml.AST_RELATIONAL_LT: "<",
    }
    if node is None or node.getType() not in signs or node.getNumChildren() != 2:
        raise refused("a trigger that compares two sides", f"another of {name}", "split it")
    sides = node.getChild(0), node.getChild(1)
    values = {
        one.getVariable(): write(one.getMath(), f"eventAssignment of {name}")
        for one in each.getListOfEventAssignments()
    }
    if (
        sides[0].getType() == sbml.AST_NAME_TIME
        and sides[1].isNumber()
        and ">" in signs[node.getType()]
    ):
        return {"id": name, "at": float(sides[1].getValue()), "set": values}
    left, right = (write(side, f"trigger of {name}") for side in sides)
    return {"id": name, "when": f"{left} {signs[node.getType()]} {right}", "set": values}
