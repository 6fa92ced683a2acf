from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import xarray as xr

from ..._door import door
from ._claim import Claim
from ._study import Study

_MOST_CELLS = 100_000  # one file each


@dataclass(frozen=True, kw_only=True)
class _Repeated(Study):
    """One study at several seeds, along the dimension `seed`; each has its own cells and claims."""

    study: Study
    seeds: int

    def cells(self) -> list[dict[str, Any]]:
        return [{"seed": one.seed, "cell": cell} for one in self._each() for cell in one.cells()]

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        return replace(self.study, seed=cell["seed"]).compute(cell["cell"])

    def assemble(self, parts: list[xr.Dataset]) -> xr.Dataset:
        rest = iter(parts)
        wholes = [
            one.assemble([next(rest) for _ in one.cells()]).assign_coords(seed=one.seed)
            for one in self._each()
        ]
        return xr.concat(
            wholes, "seed", data_vars="all", coords="minimal", compat="override", join="outer"
        )

    def tiny(self) -> "_Repeated":
        return replace(self, study=self.study.tiny())

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        return [
            replace(claim, name=f"seed {one.seed}: {claim.name}")
            for one in self._each()
            for claim in one.claims(dataset.sel(seed=one.seed, drop=True))
        ]

    def quantities(self) -> Mapping[str, str]:
        return self.study.quantities()

    def identity(self) -> dict[str, Any]:
        return self.study.identity() | {"seeds": self.seeds}

    def _each(self) -> list[Study]:
        first = self.study.seed
        return [replace(self.study, seed=seed) for seed in range(first, first + self.seeds)]


@door
def repeat(study: Study, seeds: int) -> Study:
    """`study` at the seeds study.seed, ..., study.seed + seeds - 1, along a dimension `seed`.

    Claims are made at each seed. Raises ValueError if seeds < 1, or if there are more cells than a
    folder can hold; 1 gives the study itself.
    """
    if seeds < 1:
        raise ValueError(f"expected at least one seed, got {seeds}; pass 1 or more.")
    if seeds > 1 and seeds * len(study.cells()) > _MOST_CELLS:
        raise ValueError(
            f"expected at most {_MOST_CELLS} cells, got {seeds} seeds of {len(study.cells())} each; "
            f"pass at most {_MOST_CELLS // len(study.cells())} seeds."
        )
    return study if seeds == 1 else _Repeated(seed=study.seed, study=study, seeds=seeds)
