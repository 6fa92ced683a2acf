"""Functionals of a measure, and the gradients that they have in Wasserstein space."""

from ._base import AbstractEnergy as AbstractEnergy, Scaled as Scaled, Sum as Sum
from ._interaction import Interaction as Interaction
from ._potential import Potential as Potential
