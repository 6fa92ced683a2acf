"""Valid calls of models as data."""

from catalogue.entry import entry
from meanfield import surrogates

MODEL = surrogates.load("E2")

ENTRIES = [
    entry("surrogates.examples", single_=None),
    entry("surrogates.schema", single_=None),
    entry("surrogates.load", path="E1", single_=None, kinds_={"path": "field"}),
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
