"""Valid calls of models as data."""

from pathlib import Path

import numpy as np

from catalogue.entry import Later, entry
from catalogue.scratch import scratch
from meanfield import surrogates
from meanfield.surrogates.exchange import write_tables

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
OTHERS = {**DATA, "y_a": DATA["y_a"][::-1].copy()}
COUNTS = {"starts": "count", "seed": None}
# What was exchanged with others, as tables alone.
FOLDER = scratch()
write_tables(MODEL.model, DATA, FOLDER)

ENTRIES = [
    entry("surrogates.examples"),
    entry("surrogates.schema"),
    entry("surrogates.load", path="E1", kinds_={"path": "field"}),
    entry(
        "surrogates.from_sbml",
        path=FOLDER / "model.xml",
        stop=1.0,
        points=2,
        kinds_={"path": "field", "points": None},
    ),
    entry("surrogates.from_petab", path=FOLDER, points=2, kinds_={"path": "field", "points": None}),
    entry(
        "surrogates.compare",
        surrogates=[EQUATIONS],
        train=DATA,
        held_out=OTHERS,
        starts=1,
        seed=0,
        kinds_={**COUNTS},
    ),
    entry(
        "surrogates.Surrogate.fit",
        EQUATIONS.fit,
        data=DATA,
        starts=1,
        seed=0,
        kinds_={"data": "field", **COUNTS},
    ),
    entry(
        "surrogates.Surrogate.posterior",
        EQUATIONS.posterior,
        data=DATA,
        key=None,
        chains=2,
        draws=8,
        warmup=1,
        kinds_={"data": "field", "key": None},
    ),
    entry(
        "surrogates.Surrogate.profile",
        EQUATIONS.profile,
        symbol="rate",
        data=DATA,
        fit=None,
        level=0.95,
        points=3,
        kinds_={"data": "field", "fit": "field", "level": "positive", "points": None},
        fine_={("fit", "None")},
    ),
    entry(
        "surrogates.Surrogate.discover",
        MODEL.discover,
        data=DATA,
        held_out=OTHERS,
        degree=1,
        threshold=0.1,
        starts=1,
        seed=0,
        kinds_={"data": "field", **COUNTS},
        fine_={("degree", "zero")},
    ),
    entry(
        "surrogates.Surrogate.export",
        MODEL.export,
        folder=FOLDER / "exported",
        data=DATA,
        kinds_={"data": "field"},
        fine_={("folder", "text")},
    ),
    entry("surrogates.Surrogate.imported", MODEL.imported, folder=FOLDER),
    entry(
        "surrogates.Surrogate.report",
        EQUATIONS.report,
        path=FOLDER / "report.md",
        data=None,
        seed=0,
        kinds_={"path": "field", "data": "field", "seed": None},
    ),
    entry(
        "surrogates.Surrogate.sensitivity",
        EQUATIONS.sensitivity,
        output="a",
        seed=0,
        kinds_={"seed": None},
    ),
    entry(
        "surrogates.Surrogate.control",
        surrogates.load("learning_rate").control,
        symbol="eta",
        nodes=1,
        penalty=1e3,
        tol=1e-8,
        kinds_={"penalty": "nonnegative"},
    ),
    entry(
        "surrogates.Surrogate.propagate",
        EQUATIONS.propagate,
        fit=Later(lambda: EQUATIONS.fit(DATA, 1)),
        count=2,
        seed=0,
        kinds_={"fit": "field", "seed": None},
    ),
    entry("surrogates.Surrogate.counterfactuals", EQUATIONS.counterfactuals),
    entry("surrogates.Surrogate.check", MODEL.check),
    entry(
        "surrogates.Surrogate.simulate",
        MODEL.simulate,
        changed={"rate": 0.5},
        key=None,
        kinds_={"key": None},
        fine_={("changed", "None")},
    ),
]
