"""The equations of a document in the Systems Biology Markup Language, by libsbml."""

import re
from typing import Any

from ..._extras import module_of
from ..documents import Event
from ..runs import Model


def library() -> Any:
    """The package libsbml. Raises ValueError without the extra."""
    return module_of("sbml", "python-libsbml", "SBML", "libsbml")


def as_sbml(model: Model) -> str:
    """SBML of level 3, version 2: states and outputs are parameters with rules, inputs follow time.

    Raises ValueError for noise, fields and events that set inputs, and for the function step, which are left
    to others.
    """
    sbml, document = library(), model.document
    kind = document.modeling.model_class
    if kind not in ("ODE", "algebraic", "hybrid"):
        raise ValueError(
            f"expected ordinary or algebraic equations for SBML, got {kind}; drop the rest."
        )
    whole = sbml.SBMLDocument(3, 2)
    inner = whole.createModel()
    inner.setId(document.metadata.problem_id)
    events = document.modeling.events
    moved = {name for event in events for name in event.set}
    for name, value in model.numbers.items():
        _quantity(inner, name, value, name not in moved)
    rules = {v.symbol: v.value for v in document.modeling.variables if v.role == "input"}
    texts = {n: document.modeling.equations[_row(p)].rhs for n, p in model.places.items()}
    for name, text in {**rules, **texts}.items():
        _quantity(inner, name, None, False)
        rule = inner.createRateRule() if name in model.states else inner.createAssignmentRule()
        rule.setVariable(name)
        rule.setMath(_math(sbml, text, model.time))
    for row in document.modeling.initial_conditions:
        start = inner.createInitialAssignment()
        start.setSymbol(row.symbol)
        start.setMath(_math(sbml, row.value, model.time))
    for event in events:
        if set(event.set) & rules.keys():
            raise ValueError(
                f"expected events of states and parameters for SBML, got {event.id}; make it a parameter."
            )
        _add_event(sbml, inner, event, model.time)
    return sbml.writeSBMLToString(whole)


def _add_event(sbml: Any, inner: Any, event: Event, time: str) -> None:
    each = inner.createEvent()
    each.setId(event.id)
    each.setUseValuesFromTriggerTime(True)
    trigger = each.createTrigger()
    trigger.setInitialValue(True)  # what holds at the start does not begin to hold then
    trigger.setPersistent(True)
    trigger.setMath(_math(sbml, event.when or f"{time} >= {event.at!r}", time))
    for name, value in event.set.items():
        one = each.createEventAssignment()
        one.setVariable(name)
        one.setMath(_math(sbml, value, time))


def _row(path: str) -> int:
    return int(path.rsplit("[", 1)[1].rstrip("]"))


def _quantity(inner: Any, name: str, value: float | None, constant: bool) -> None:
    each = inner.createParameter()
    each.setId(name)
    each.setConstant(constant)
    if value is not None:
        each.setValue(float(value))


def _math(sbml: Any, text: str | float, time: str) -> Any:
    """The expression as libsbml reads it: ^ for powers, ln for log, and its own symbol of time."""
    text = str(text)
    if re.search(r"\bstep\s*\(", text):
        raise ValueError("expected functions of SBML, got step; write it with min and max.")
    text = re.sub(r"\blog\s*\(", "ln(", text.replace("**", "^"))
    tree = sbml.parseL3Formula(text)
    if tree is None:
        raise ValueError(f"expected an expression of SBML, got {text[:40]!r}; write it otherwise.")
    _set_time(sbml, tree, time)
    return tree


def _set_time(sbml: Any, tree: Any, time: str) -> None:
    if tree.isName() and tree.getName() == time:
        tree.setType(sbml.AST_NAME_TIME)
    for k in range(tree.getNumChildren()):
        _set_time(sbml, tree.getChild(k), time)
