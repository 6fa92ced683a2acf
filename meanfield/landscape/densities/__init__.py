"""Growth about the uniform law, branches of stationary densities, and barriers between them."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._barrier import Barrier as Barrier, Profile as Profile, barrier as barrier
    from ._branch import Branch as Branch, branch as branch
    from ._crossing import Crossing as Crossing, crossing as crossing
    from ._density_saddle import (
        DensitySaddle as DensitySaddle,
        density_saddle as density_saddle,
    )
    from ._growth import (
        critical_noise as critical_noise,
        fastest_mode as fastest_mode,
        growth_rates as growth_rates,
    )
    from ._stationary import Stationary as Stationary, stationary as stationary
    from ._string import String as String, string as string
    from ._tricritical import tricritical_beta as tricritical_beta

__getattr__, __dir__ = offers(__name__)
