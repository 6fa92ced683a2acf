"""Examples with some places changed."""

import json

from meanfield import surrogates
from meanfield.surrogates._loading import DATA
from meanfield.surrogates.documents import read


def edited(tmp_path, name: str, **changes):
    """An example with some places changed, by their path with __ for dots."""
    content = read(DATA / f"{name}.yaml")
    for place, value in changes.items():
        *parents, last = (int(k) if k.isdigit() else k for k in place.split("__"))
        inner = content
        for key in parents:
            inner = inner[key]
        inner[last] = value
    path = tmp_path / f"{name}.json"
    path.write_text(json.dumps(content))
    return surrogates.load(path)


def solved(tmp_path, name: str, **changes):
    """E1 or E2 with its solution as an algebraic equation, which compiles in no time."""
    rhs = {
        "E1": "H_min - gamma*S/kappa + (H0 - H_min + gamma*S/kappa)*exp(-kappa*l)",
        "E2": "a_eq + (a0 - a_eq)*exp(-rate*l)",
    }
    symbol = {"E1": "H", "E2": "a"}[name]
    places = {
        "modeling__model_class": "algebraic",
        "modeling__variables__0__role": "output",
        "modeling__equations__0__lhs": symbol,
        "modeling__equations__0__rhs": rhs[name],
        "modeling__initial_conditions": [],
    }
    if name == "E2":
        known = [{"symbol": "a0", "value": 0.1, "units": "dimensionless"}]
        places |= {
            "input__known_quantities": known,
            "solution_and_analysis__counterfactuals__1__set": {"a_eq": 0.95},
        }
    return edited(tmp_path, name, **places, **changes)


def plain(tmp_path, rhs: str, unknowns: dict, method: dict | None = None, **modeling):
    """A document of one output y of a dimensionless time t and of these unknowns, measured with noise .1;
    an unknown is its value, or that with its bounds."""
    pairs = {n: each if isinstance(each, tuple) else (each, None) for n, each in unknowns.items()}
    rows = [
        {"symbol": n, "role": "parameter", "units": "", "bounds": bounds}
        for n, (_, bounds) in pairs.items()
    ]
    variables = [
        {"symbol": n, "role": "parameter", "units": "", "value": value}
        for n, (value, _) in pairs.items()
    ]
    equation = {"id": "E", "lhs": "y", "rhs": rhs, "mechanism_link": "", "novelty_tag": "baseline"}
    measured = {"symbol": "z", "expression": "y", "units": "", "noise": {"size": 0.1}}
    content = {
        "schema_version": "1.0",
        "metadata": {"problem_id": "plain"},
        "input": {"problem_summary": "a function", "unknowns": rows},
        "modeling": {
            "model_class": "algebraic",
            "independent": {"symbol": "t", "units": "", "stop": 1, "points": 2},
            "variables": [*variables, {"symbol": "y", "role": "output", "units": ""}],
            "equations": [equation],
            "measurements": [measured],
            **modeling,
        },
        "method_selection": method or {},
    }
    path = tmp_path / "plain.json"
    path.write_text(json.dumps(content))
    return surrogates.load(path)
