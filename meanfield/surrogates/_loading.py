"""Surrogates from documents, those that come with the package, and several beside each other."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._checks import check_instances, check_integer
from ._parts import part as _part
from ._surrogate import Surrogate

if TYPE_CHECKING:
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
