"""A model of a model, as users hold it. What it needs beyond the core is imported when it is asked for."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._checks import check_integer, check_key, check_nonnegative, check_positive, shown
from .._shown import OneLine
from ._found import Checked, Discovered
from ._parts import part as _part, path_of as _path_of

if TYPE_CHECKING:
    from .analysis import Control, Counterfactual, Sensitivity
    from .fits import Fit, Posterior, Profile
    from .runs import Model, Simulated


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
        return self.model.digest

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

    def profile(
        self,
        symbol: str,
        data: Any,
        fit: "Fit | None" = None,
        level: float = 0.95,
        points: int = 15,
    ) -> "Profile":
        """The profile likelihood of one parameter, with the interval that follows by Wilks' theorem.

            {c : 2 max log L - 2 max log L(parameter = c) <= chi2_1(level)}

        For a linear model with normal noise it is that of standard errors; elsewhere it need not be
        symmetric, and where data do not determine the parameter it has no end.

        - `symbol`: a parameter among the unknowns. `data`: as in `fit`.
        - `fit`: what `fit` found in these data, which is done first by default.
        - `level`: how often the interval shall cover. `points`: so many of the curve over the interval.

        Source: Wilks, Ann. Math. Stat. 9 (1938) 60; Raue et al., Bioinformatics 25 (2009) 1923.
        """
        self._must_pass()
        fits, points = _part("fits"), check_integer(points, "points", 2)
        names = fits.unknowns_of(self.model).names
        if symbol not in names:
            raise ValueError(
                f"expected an unknown of {sorted(names)}, got {shown(symbol)}; pass one."
            )
        if not check_positive(level, "level", "pass level=0.95") < 1:
            raise ValueError(f"expected a level below 1, got {level}; pass level=0.95.")
        found = self.fit(data) if fit is None else fit
        if not isinstance(found, fits.Fit) or {*found.values} != {*names}:
            raise ValueError(
                f"expected a fit of this document, got {shown(fit)}; pass fit=surrogate.fit(data), or none."
            )
        return fits.profile(self.model, symbol, data, found, level, points)

    def posterior(
        self,
        data: Any,
        key: Any,
        chains: int = 4,
        draws: int = 1000,
        warmup: int = 1000,
    ) -> "Posterior":
        """Draws of the parameters among the unknowns from their law, given measurements.

            p(parameters | data) ~ likelihood(data | parameters) prior(parameters)

        The likelihood is that of `fit`. The prior is even between the bounds of each parameter, on a log
        scale in its logarithm; without bounds it is even everywhere, and what data do not determine then has
        no law.
        Needs the extra `meanfield-jax[posterior]`.

        - `data`: as in `fit`. `key`: a random key, of where the chains start and how they move.
        - `chains`: so many, 2 at least, each from the best fit near a start of its own. `draws` of each,
          after as many as `warmup`, in which it is found how parameters vary together.

        A draw of p parameters runs the model some 4 p times: of E1, an ordinary equation of which three
        unknowns are one too many for the data, a minute at most. Where that is too long, loosen
        `method_selection.tolerance`, or make known what `fit` says is not determined.
        Look at `converged` first. Raises ValueError for data that do not fit the document.

        Source: Neal, Ann. Statist. 31 (2003) 705, of slices along random lines, as in blackjax; Vehtari et
        al., Bayesian Anal. 16 (2021) 667, of the criteria of convergence.
        """
        self._must_pass()
        counts = check_integer(chains, "chains", 2), check_integer(draws, "draws", 8)
        warmup, key = check_integer(warmup, "warmup", 1), check_key(key)
        return _part("fits").posterior(self.model, data, key, *counts, warmup)

    def discover(
        self,
        data: Any,
        held_out: Any,
        degree: int = 3,
        threshold: float = 0.1,
        weak: bool | None = None,
        starts: int = 2,
        seed: int = 0,
    ) -> Discovered:
        """Equations of the states found in their measurements, as powers of states with few terms.

            dx/dt = sum_p c_p x^p

        Sparse regression chooses the terms, a fit as in `fit` the coefficients, and held-out data decide
        whether they are `accepted` in place of the document's equations. From a single start they seldom
        should be: many equations share one trajectory. Needs the extra `meanfield-jax[discovery]`.

        - `data`, `held_out`: as in `fit`, of all states, under several conditions.
        - `degree`: of the powers. `threshold`: smaller coefficients are dropped, as a share of the largest.
        - `weak`: whether to integrate against bumps instead of differentiating, as is done by default
          where the document's noise is above a thousandth of how much the states vary.
        - `starts`, `seed`: of the fits, and of where the bumps lie.

        Source: Brunton, Proctor and Kutz, PNAS 113 (2016) 3932; Messenger and Bortz (2021), arXiv 2005.04339.
        """
        self._must_pass()
        degree, starts = check_integer(degree, "degree", 0), check_integer(starts, "starts")
        if weak is not None and not isinstance(weak, bool):
            raise ValueError(
                f"expected weak to be true, false or none, got {shown(weak)}; pass None."
            )
        seed, fits = check_integer(seed, "seed", 0), _part("fits")
        share = float(check_nonnegative(threshold, "threshold"))
        found = fits.discover(self.model, data, held_out, degree, share, weak, starts, seed)
        return Discovered(
            Surrogate(found.model),
            fits.typeset(found.equations, found.fit.values),
            found.fit,
            found.before,
            found.gain,
            found.error,
            found.weak,
        )

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
        `seed` of its parameters, between their bounds. What the fit does not determine stays as it is."""
        count, seed = check_integer(count, "count", 2), check_integer(seed, "seed", 0)
        return _part("analysis").propagate(self.model, fit, count, seed)

    def control(
        self, symbol: str, nodes: Any = 20, penalty: float = 1e3, tol: float = 1e-8
    ) -> "Control":
        """The course of an input, within its bounds, by which the document's objective at the end is best.

        - `symbol`: an input among the unknowns, with bounds.
        - `nodes`: how many evenly spaced points it is given at, straight lines between them, or their times;
          one node is a constant.
        - `penalty`: of the mean square of what breaks a constraint. `tol`: the largest slope that is left, by
          shares of what is between the bounds; on a bound only a slope inwards counts.
        """
        self._must_pass()
        return _part("analysis").control(self.model, symbol, nodes, penalty, tol)

    def report(self, path: str | Path, data: Any = None, seed: int = 0) -> Path:
        """A report of all that the document asks, as .md or .html by the suffix of the path, and the same
        for the same document and data: it has no date, and begins with the document's hash.

        - `data`: to fit first, as in `fit`; `seed` of whatever is drawn.
        """
        path = _path_of(path, "path")
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

    def export(self, folder: str | Path, data: Any) -> Path:
        """A folder with the problem as PEtab's tables and, of ordinary equations, model.xml in SBML, which
        needs the extra `meanfield-jax[sbml]`; `data` as in `fit`."""
        folder, exchange = _path_of(folder, "folder"), _part("exchange")
        text = exchange.as_sbml(self.model)
        exchange.write_tables(self.model, data, folder)
        (folder / "model.xml").write_text(text, encoding="utf-8")
        return folder

    def imported(self, folder: str | Path) -> Any:
        """The measurements of a folder of PEtab's tables, as `fit` takes them; `from_petab` reads all of it.

        Raises ValueError, with the file and the row, for what is wrong in measurements.tsv."""
        return _part("exchange").read_measurements(self.model, _path_of(folder, "folder"))

    def _findings(self, data: Any, seed: int) -> Any:
        findings, problems = _part("reports").Findings, self.check().problems
        if problems:
            return findings(problems)
        fit = None if data is None else self.fit(data, seed=seed)
        values = {} if fit is None else fit.values
        asked = self.document.solution_and_analysis
        sensitivity = None if asked.sensitivity is None else self.sensitivity(seed=seed)
        wanted = [] if fit is None or not self.document.validation.identifiability else fit.values
        profiles = tuple(self.profile(name, data, fit) for name in wanted)
        others = self.counterfactuals(values)
        return findings((), self.simulate(values), fit, sensitivity, others, profiles)

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
