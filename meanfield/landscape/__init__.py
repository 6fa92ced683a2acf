"""Where clouds come to rest: growth about the uniform law, branches of stationary states, saddles."""

from ._branch import Branch as Branch, branch as branch
from ._crossing import Crossing as Crossing, crossing as crossing
from ._growth import (
    critical_noise as critical_noise,
    fastest_mode as fastest_mode,
    growth_rates as growth_rates,
)
from ._hessian import (
    escape_rates as escape_rates,
    hessian as hessian,
    hessian_index as hessian_index,
)
from ._least_effort import LeastEffort as LeastEffort, least_effort as least_effort
from ._stationary import Stationary as Stationary, stationary as stationary
from ._tricritical import tricritical_beta as tricritical_beta
