from typing import Any

import equinox as eqx

from .._checks import check_instance
from .._typing import Points, Scalar, Weights
from ..energies import AbstractEnergy
from ..geometry import AbstractGeometry
from ._base import AbstractCloud, as_noise, as_weights
from ._kinds import check_geometry


class GradientFlow(AbstractCloud):
    """Steepest descent of an energy in Wasserstein space, carried by particles.

    x_i' = -P_{x_i} grad_W E(x_i) (+ sqrt(2 noise) dB_i)

    The state is the cloud [n, d]. Attention *ascends* its interaction energy, so
    `GradientFlow(Sphere(d), -Interaction(beta))` is unnormalized self-attention. With noise nu it
    descends the free energy E + nu int rho log rho.

    Source: Ambrosio, Gigli, Savare, Gradient Flows (2008), chapter 11.
    """

    geometry: AbstractGeometry
    energy: AbstractEnergy
    noise: Scalar | None = eqx.field(default=0.0, converter=as_noise)
    weights: Weights | None = eqx.field(default=None, converter=as_weights)

    def __check_init__(self):
        check_geometry(self.geometry)
        remedy = "pass -Interaction(1.0), for instance; AttentionFlow takes an attention"
        check_instance(self.energy, AbstractEnergy, "an energy", remedy)

    def field(self, t: Scalar, x: Points, args: Any) -> Points:
        return -self.energy.wasserstein_gradient(x, self.weights)
