"""A model of a model, as users hold it. What it needs beyond the core is imported when it is asked for."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._checks import shown
from .._shown import OneLine

if TYPE_CHECKING:
    from .runs import Model, Simulated

NEEDED = ("pydantic", "pint", "sympy", "yaml", "SALib")
DATA = Path(__file__).with_name("data")


@dataclass(frozen=True, repr=False)
class Checked(OneLine):
    """What was found in a document: a sentence for each disagreement, none where it is `ok`."""

    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.problems


class Surrogate(OneLine):
    """A document of equations that is checked, run, fitted and reported on: `mf.surrogates.load(path)`.

    - `model`: its expressions, as `load` reads them.
    """

    def __init__(self, model: "Model"):
        self.model = model

    @property
    def document(self) -> Any:
        """The sections of the document, read only."""
        return self.model.document

    @property
    def digest(self) -> str:
        """The hash of what the document says, however it is written."""
        return _part("documents").digest(self.document)

    def shown(self) -> Mapping[str, Any]:
        """What is printed of it."""
        name, kind = self.document.metadata.problem_id, self.document.modeling.model_class
        return {"problem": name, "kind": kind, "states": [*self.model.states]}

    def check(self) -> Checked:
        """Whether units agree through every equation, and fields are written as they are solved."""
        runs = _part("runs")
        units = self.document.validation.unit_consistency_check
        found = runs.problems_of(self.model) if units else []
        return Checked((*found, *runs.problems_of_fields(self.model)))

    def simulate(self, changed: Mapping[str, float] | None = None, key: Any = None) -> "Simulated":
        """A run over the independent variable: its trajectory, violations, conserved quantities.

        - `changed`: values of parameters, inputs, or states at the start, instead of the document's.
        - `key`: of the noise, if there is some; that of the document's seed by default.

        Raises ValueError where the document does not pass `check`, or names are unknown; `SolveError`
        where the numerics fail.
        """
        self._must_pass()
        return _part("runs").simulated(self.model, self._changes(changed), key)

    def _must_pass(self) -> None:
        for problem in self.check().problems:
            raise ValueError(problem)

    def _changes(self, changed: Mapping[str, float] | None) -> dict[str, float]:
        known = {*self.model.numbers, *self.model.inputs, *self.model.states}
        if changed is not None and not isinstance(changed, Mapping):
            raise ValueError(
                f"expected a dict of values by symbol, got {shown(changed)}; pass changed=dict(...)."
            )
        for name, value in dict(changed or {}).items():
            if name not in known:
                raise ValueError(
                    f"expected quantities of the document, got {name!r}; choose among {sorted(known)}."
                )
            if isinstance(value, bool | str) or not abs(float(value)) < float("inf"):
                raise ValueError(f"expected a finite number for {name}, got {value!r}; pass one.")
        return dict(changed or {})


def load(path: str | Path) -> Surrogate:
    """The surrogate that a document in JSON or YAML describes.

    `load("E1")` is one that comes with the package: see `examples`. Raises ValueError of one sentence,
    with the JSON path and the remedy, for the first thing that is wrong; without the extra
    `meanfield-jax[surrogates]` it names that.
    """
    documents = _part("documents")
    if isinstance(path, str) and path in examples():
        path = DATA / f"{path}.yaml"
    if not isinstance(path, str | Path):
        raise ValueError(
            f"expected the path of a document, got {type(path).__name__}; pass path='model.yaml'."
        )
    document = documents.parse(documents.read(path))
    documents.check_consistent(document)
    runs = _part("runs")
    model = runs.build(document)
    runs.units_of(model)
    return Surrogate(model)


def schema() -> dict[str, Any]:
    """The JSON Schema of documents, of the version that this package reads."""
    return _part("documents").schema()


def examples() -> list[str]:
    """The names of documents that come with the package, which `load` takes."""
    return sorted(path.stem for path in DATA.glob("*.yaml"))


def _part(name: str) -> Any:
    """A part of this room; ValueError, with the remedy, where what it needs is not installed."""
    for package in NEEDED:
        try:
            importlib.import_module(package)
        except ModuleNotFoundError as error:
            raise ValueError(
                f"expected the package {package} for surrogates, got none; "
                "pip install 'meanfield-jax[surrogates]'."
            ) from error
    return importlib.import_module(f".{name}", __package__)
