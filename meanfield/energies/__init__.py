"""Functionals of a measure, and the gradients that they have in Wasserstein space."""

from ._base import AbstractEnergy as AbstractEnergy, Scaled as Scaled, Sum as Sum
from ._entropy import (
    Entropy as Entropy,
    fisher_information as fisher_information,
    free_energy as free_energy,
    relative_entropy as relative_entropy,
)
from ._interaction import Interaction as Interaction
from ._potential import Potential as Potential
