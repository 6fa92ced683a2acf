"""Phase transitions with noise."""

from ._density_film import DensityFilm as DensityFilm
from ._free_energy_rates import FreeEnergyRates as FreeEnergyRates
from ._phase_transition import PhaseTransition as PhaseTransition
