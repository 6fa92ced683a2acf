"""Laws to sample, with their densities and entropies.

On the sphere a density is taken with respect to the normalized uniform measure, so that the uniform
law has log density 0 and entropy 0, and every other entropy is negative. On R^d it is taken with
respect to Lebesgue measure. `entropy()` is -int rho log rho in both cases.
"""

from typing import TYPE_CHECKING

from .._lazy import offers

if TYPE_CHECKING:
    from ._base import AbstractMeasure as AbstractMeasure
    from ._gaussian import Gaussian as Gaussian
    from ._heat_kernel import (
        BrownianAngle as BrownianAngle,
        HeatKernel as HeatKernel,
        brownian_angle as brownian_angle,
    )
    from ._mixture import Mixture as Mixture
    from ._moebius import MoebiusOrbit as MoebiusOrbit
    from ._particles import particles as particles
    from ._uniform import Uniform as Uniform
    from ._von_mises_fisher import VonMisesFisher as VonMisesFisher

__getattr__, __dir__ = offers(__name__)
