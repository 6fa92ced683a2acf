"""Surrogates from documents, those that come with the package, and several beside each other."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._checks import check_instances, check_integer, check_positive
from ._parts import part as _part, path_of as _path_of
from ._surrogate import Surrogate

if TYPE_CHECKING:
    from pandas import DataFrame

    from .fits import Compared

DATA = Path(__file__).with_name("data")


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
    return _surrogate(documents.read(path))


def _surrogate(content: dict[str, Any]) -> Surrogate:
    documents = _part("documents")
    document = documents.parse(content)
    documents.check_consistent(document)
    runs = _part("runs")
    model = runs.build(document)
    runs.units_of(model)
    return Surrogate(model)


def from_sbml(path: str | Path, stop: float, points: int = 101) -> Surrogate:
    """The surrogate that a file in the Systems Biology Markup Language describes.

    Parameters, species in compartments of constant size, reactions with kinetic laws, rules for rates and
    values, and events whose triggers compare two sides are read, with the units that the file says. Where
    these do not agree, or some are missing, units are not checked, and `metadata.notes` says where they
    first differ. Needs the extra `meanfield-jax[sbml]`.

    - `path`: of the file. `stop`: the time at which runs end, saved at so many even `points` from 0 on.

    Raises ValueError that names the element for all else. What `Surrogate.export` writes is read back.

    Source: Hucka et al., Bioinformatics 19 (2003) 524, as in libsbml.
    """
    stop = float(check_positive(stop, "stop", "pass stop=10.0"))
    points, place = check_integer(points, "points", 2), _path_of(path, "path")
    return _checked_where_units_agree(_part("exchange").from_sbml(place, stop, points))


def _checked_where_units_agree(content: dict[str, Any]) -> Surrogate:
    found = _surrogate(content)
    problems = found.check().problems
    if not problems:
        return found
    content["validation"] = {"unit_consistency_check": False}
    content["metadata"]["notes"] = f"Units are not checked: {problems[0]}"
    return _surrogate(content)


def from_petab(path: str | Path, points: int = 101) -> "tuple[Surrogate, DataFrame]":
    """The surrogate and the measurements, as `fit` takes them, of a problem in tables of PEtab 1.

        model, data = mf.surrogates.from_petab("problem")
        model.fit(data)

    Of the tables: which parameters are estimated, their values, scales and bounds, what is observed with
    normal noise of known size, on a linear or a logarithmic scale, what conditions set to which number, and
    measurements, again and again at a time if they were. The model as by `from_sbml`, up to the last time.
    Priors, noise that is estimated, and equilibration before a run are refused. Needs the extra
    `meanfield-jax[sbml]`.

    - `path`: of a folder with problem.yaml, or of such a file. `points`: even, to be saved, from 0 on.

    Raises ValueError that names the file and the row for what is wrong. What `Surrogate.export` writes is
    read back, without units.

    Source: Schmiester et al., PLoS Comput. Biol. 17 (2021) e1008646.
    """
    points, place = check_integer(points, "points", 2), _path_of(path, "path")
    content, data = _part("exchange").from_petab(place, points)
    return _checked_where_units_agree(content), data


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
