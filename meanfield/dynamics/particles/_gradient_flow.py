from typing import Any

import equinox as eqx

from ..._typing import Points, Scalar, Weights
from ...energies import AbstractEnergy
from ...geometry import AbstractGeometry
from .._base import AbstractCloud, as_noise, as_weights


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

    def field(self, t: Scalar, x: Points, args: Any) -> Points:
        return -self.energy.wasserstein_gradient(x, self.weights)
