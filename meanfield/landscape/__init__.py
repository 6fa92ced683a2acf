"""Where clouds come to rest: growth about the uniform law, branches of stationary states, saddles."""

from ._barrier import Barrier as Barrier, Profile as Profile, barrier as barrier
from ._branch import Branch as Branch, branch as branch
from ._critical_points import (
    CriticalPoints as CriticalPoints,
    critical_points as critical_points,
)
from ._crossing import Crossing as Crossing, crossing as crossing
from ._escape_time import escape_time as escape_time
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
from ._kramers import kramers_time as kramers_time
from ._least_effort import LeastEffort as LeastEffort, least_effort as least_effort
from ._passage import committor as committor, passage_time as passage_time
from ._saddle import CriticalPoint as CriticalPoint, saddle as saddle
from ._stationary import Stationary as Stationary, stationary as stationary
from ._string import String as String, string as string
from ._survival import Survival as Survival, survival as survival
from ._tricritical import tricritical_beta as tricritical_beta
