"""The density of infinitely many tokens, by its harmonics."""

from ._fokker_planck import FokkerPlanck as FokkerPlanck
from ._imex import AbstractImex as AbstractImex
