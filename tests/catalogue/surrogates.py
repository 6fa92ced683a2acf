"""Valid calls of models as data."""

from pathlib import Path

import numpy as np

from catalogue.entry import entry
from catalogue.scratch import scratch
from meanfield import surrogates

MODEL = surrogates.load("E2")
# The same with its solution, which compiles in no time.
SHIPPED = Path(surrogates.__file__).with_name("data") / "E2.yaml"
SOLVED = scratch() / "solved.yaml"
SOLVED.write_text(
    SHIPPED.read_text()
    .replace("class: ODE", "class: algebraic")
    .replace("symbol: a, role: state", "symbol: a, role: output")
    .replace("da/dl", "a")
    .replace("-rate*(a - a_eq)", "a_eq - 0.8*exp(-rate*l)")
    .replace("  initial_conditions:\n    - {symbol: a, value: 0.1}\n", "")
    .replace("set: {a: 1.0}", "set: {a_eq: 1.0}")
)
EQUATIONS = surrogates.load(SOLVED)
DEPTH = np.arange(6.0)
DATA = {"l": DEPTH, "y_a": 0.9 - 0.8 * np.exp(-0.4 * DEPTH) + 0.01 * np.cos(9 * DEPTH)}
COUNTS = {"starts": "count", "seed": None}

ENTRIES = [
    entry("surrogates.examples", single_=None),
    entry("surrogates.schema", single_=None),
    entry("surrogates.load", path="E1", single_=None, kinds_={"path": "field"}),
    entry(
        "surrogates.compare",
        surrogates=[EQUATIONS],
        train=DATA,
        held_out=DATA,
        starts=1,
        seed=0,
        single_=None,
        kinds_={"surrogates": "field", "train": "field", "held_out": "field", **COUNTS},
    ),
    entry(
        "surrogates.Surrogate.fit",
        EQUATIONS.fit,
        data=DATA,
        starts=1,
        seed=0,
        single_=None,
        kinds_={"data": "field", **COUNTS},
    ),
    entry(
        "surrogates.Surrogate.profile",
        EQUATIONS.profile,
        symbol="rate",
        data=DATA,
        fit=None,
        level=0.95,
        points=3,
        single_=None,
        kinds_={
            "symbol": "field",
            "data": "field",
            "fit": "field",
            "level": "positive",
            "points": None,
        },
        fine_={("fit", "None")},
    ),
    entry("surrogates.Surrogate.counterfactuals", EQUATIONS.counterfactuals, single_=None),
    entry("surrogates.Surrogate.check", MODEL.check, single_=None),
    entry(
        "surrogates.Surrogate.simulate",
        MODEL.simulate,
        changed={"rate": 0.5},
        key=None,
        single_=None,
        kinds_={"changed": "field", "key": None},
        fine_={("changed", "None")},
    ),
]
MADE_BY = {"surrogates.Surrogate": "surrogates.load"}
