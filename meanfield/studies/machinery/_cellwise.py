import abc
from dataclasses import dataclass
from typing import Any

import xarray as xr

from ._claim import Claim
from ._study import Study


@dataclass(frozen=True, kw_only=True)
class AbstractCellwiseStudy(Study):
    """A study whose claims are made of each cell by itself."""

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        each = [self.claims_at(cell, dataset.sel(cell)) for cell in self.cells()]
        return [claim for claims in each for claim in claims]

    @abc.abstractmethod
    def claims_at(self, cell: dict[str, Any], one: xr.Dataset) -> list[Claim]:
        """The claims of one cell, from its part of the result."""
