"""A model of a model, as users hold it. What it needs beyond the core is imported when it is asked for."""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._checks import check_instances, check_integer, shown
from .._shown import OneLine

if TYPE_CHECKING:
    from .analysis import Control, Counterfactual, Sensitivity
    from .fits import Compared, Fit
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

    def fit(self, data: Any, starts: int = 4, seed: int = 0) -> "Fit":
        """The parameters among the unknowns, fitted to measurements by maximum likelihood.

        - `data`: the path of a CSV file with columns named by the symbols of the independent variable and of
          the measurements, perhaps with one called condition; or the same as a `pandas.DataFrame`, an
          `xarray.Dataset` or a dict of arrays. What is NaN was not measured.
        - `starts`: from where the search begins: the document's values, then others, drawn by `seed`.

        Standard errors are those of the curvature at the best fit, for noise of the size in the document;
        where the Jacobian has not full rank, `unidentified` says which directions nothing determines.
        Raises ValueError for data that do not fit the document, and a document with nothing to fit.

        Source: Levenberg-Marquardt as in optimistix; Seber and Wild, Nonlinear Regression (1989), section 5.
        """
        self._must_pass()
        starts, seed = check_integer(starts, "starts"), check_integer(seed, "seed", 0)
        return _part("fits").fit(self.model, data, starts, seed)

    def sensitivity(self, output: str | None = None, seed: int = 0) -> "Sensitivity":
        """How much an output at the end depends on each parameter: derivatives, and over the ranges of the
        document Sobol's indices and Morris' effects, from points drawn by `seed`.

        - `output`: a state, an output or a measurement; the document's by default.
        """
        self._must_pass()
        seed = check_integer(seed, "seed", 0)
        return _part("analysis").sensitivity(self.model, output, seed)

    def counterfactuals(
        self, changed: Mapping[str, float] | None = None
    ) -> "tuple[Counterfactual, ...]":
        """What the document's counterfactuals do to outputs at the end, and whether that was expected;
        `changed` as in `simulate`, before them."""
        self._must_pass()
        return _part("analysis").counterfactuals(self.model, self._changes(changed))

    def propagate(self, fit: "Fit", count: int = 1000, seed: int = 0) -> Any:
        """An `xarray.Dataset` of medians and 95 % bands of what follows from a `fit`, over `count` draws by
        `seed` of its parameters. What the fit does not determine stays as it is."""
        count, seed = check_integer(count, "count", 2), check_integer(seed, "seed", 0)
        return _part("analysis").propagate(self.model, fit, count, seed)

    def control(
        self, symbol: str, nodes: Any = 20, penalty: float = 1e3, tol: float = 1e-6
    ) -> "Control":
        """The course of an input, within its bounds, by which the document's objective at the end is best.

        - `symbol`: an input among the unknowns, with bounds.
        - `nodes`: how many evenly spaced points it is given at, straight lines between them, or their times;
          one node is a constant.
        - `penalty`: of the mean square of what breaks a constraint. `tol`: the
          largest slope that is left, by Newton's method within a region of trust.
        """
        self._must_pass()
        return _part("analysis").control(self.model, symbol, nodes, penalty, tol)

    def report(self, path: str | Path, data: Any = None, seed: int = 0) -> Path:
        """A report of all that the document asks, as .md or .html by the suffix of the path, and the same
        for the same document and data: it has no date, and begins with the document's hash.

        - `data`: to fit first, as in `fit`; `seed` of whatever is drawn.
        """
        path = Path(path)
        if path.suffix not in (".md", ".html"):
            raise ValueError(
                f"expected a path that ends in .md or .html, got {path.name!r}; rename it."
            )
        reports, found = _part("reports"), self._findings(data, seed)
        blocks = reports.blocks_of(self.model, found)
        title = self.document.metadata.title or self.document.metadata.problem_id
        text = (
            reports.as_markdown(blocks) if path.suffix == ".md" else reports.as_html(blocks, title)
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def _findings(self, data: Any, seed: int) -> Any:
        findings, problems = _part("reports").Findings, self.check().problems
        if problems:
            return findings(problems)
        fit = None if data is None else self.fit(data, seed=seed)
        values = {} if fit is None else fit.values
        asked = self.document.solution_and_analysis
        sensitivity = None if asked.sensitivity is None else self.sensitivity(seed=seed)
        return findings((), self.simulate(values), fit, sensitivity, self.counterfactuals(values))

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


def compare(
    surrogates: Sequence[Surrogate], train: Any, held_out: Any, starts: int = 4, seed: int = 0
) -> "list[Compared]":
    """The surrogates, fitted to one set of data and ranked by the likelihood of another, the best first.

    - `train`, `held_out`: data as in `Surrogate.fit`, of the same measurements for all; `starts`, `seed` as
      there. Each has its `score`, the mean logarithm of the density of what was held out, and how far it
      is `behind` the best, with the standard error of that difference.
    """
    remedy = "pass surrogates=[load('E1'), load('E1_adding')]"
    models = check_instances(surrogates, Surrogate, "surrogates", remedy)
    starts, seed = check_integer(starts, "starts"), check_integer(seed, "seed", 0)
    return _part("fits").compare([each.model for each in models], train, held_out, starts, seed)


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
