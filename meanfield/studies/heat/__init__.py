"""The heat equation as a limit of attention."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._heat import Heat as Heat
    from ._heat_kernel_clouds import HeatKernelClouds as HeatKernelClouds
    from ._heat_limit import HeatLimit as HeatLimit
    from ._heat_limit_coupling import HeatLimitCoupling as HeatLimitCoupling
    from ._heat_limit_particles import HeatLimitParticles as HeatLimitParticles
    from ._heat_limit_steps import HeatLimitSteps as HeatLimitSteps

__getattr__, __dir__ = offers(__name__)
