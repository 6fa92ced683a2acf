"""The heat equation as a limit of attention."""

from ._heat import Heat as Heat
from ._heat_kernel_clouds import HeatKernelClouds as HeatKernelClouds
from ._heat_limit import HeatLimit as HeatLimit
from ._heat_limit_coupling import HeatLimitCoupling as HeatLimitCoupling
from ._heat_limit_particles import HeatLimitParticles as HeatLimitParticles
from ._heat_limit_steps import HeatLimitSteps as HeatLimitSteps
