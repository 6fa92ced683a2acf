"""A toy study, whose answers are known and which writes down what it computes."""

import os
import signal
from dataclasses import dataclass, replace
from pathlib import Path

import jax
import xarray as xr

from meanfield.studies import Claim, Study


@dataclass(frozen=True, kw_only=True)
class Powers(Study):
    """Powers of numbers, base^exponent.

    A second paragraph that `meanfield list` leaves out.
    """

    bases: tuple[float, ...] = (2.0, 3.0)
    """Numbers to raise."""
    exponents: tuple[int, ...] = (1, 2, 3)
    """Exponents; one cell a pair."""
    offset: float = 0.0
    """Added to every power, to spoil the claim."""
    log: str = ""
    """File in which computed cells are written down."""

    def cells(self) -> list[dict]:
        return [{"base": b, "exponent": e} for b in self.bases for e in self.exponents]

    def compute(self, cell: dict) -> xr.Dataset:
        if self.log:
            self._write_down(cell)
        power = cell["base"] ** cell["exponent"] + self.offset
        noise = jax.random.normal(self.key(cell), (2,))
        return xr.Dataset({"power": ((), power), "noise": ("draw", noise)}, {"draw": [0, 1]})

    def _write_down(self, cell: dict) -> None:
        with Path(self.log).open("a") as file:
            file.write(f"{cell['base']}^{cell['exponent']}\n")
        if len(Path(self.log).read_text().split()) == int(os.environ.get("TOY_DIES_AT", 0)):
            os.kill(os.getpid(), signal.SIGKILL)

    def tiny(self) -> "Powers":
        return replace(self, bases=self.bases[:1])

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        square = dataset.power.sel(base=2.0, exponent=2)
        return [
            Claim.close("2^2", square, 4, 0, "arithmetic"),
            Claim.at_most("2^2 at most", square, 4, "arithmetic"),
        ]
