"""Phase transitions with noise."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._density_film import DensityFilm as DensityFilm
    from ._free_energy_rates import FreeEnergyRates as FreeEnergyRates
    from ._phase_transition import PhaseTransition as PhaseTransition

__getattr__, __dir__ = offers(__name__)
