"""Examples with some places changed."""

import json

from meanfield import surrogates
from meanfield.surrogates._surrogate import DATA
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
