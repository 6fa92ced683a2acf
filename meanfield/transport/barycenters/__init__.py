"""Barycenters of clouds, densities, Gaussians and quantiles, and consensus among them."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._clouds import Barycenter as Barycenter, barycenter as barycenter
    from ._consensus import (
        barycenter_displacement as barycenter_displacement,
        consensus_displacement as consensus_displacement,
        disagreement as disagreement,
    )
    from ._densities import (
        FixedSupportBarycenter as FixedSupportBarycenter,
        fixed_support_barycenter as fixed_support_barycenter,
    )
    from ._gaussians import (
        GaussianBarycenter as GaussianBarycenter,
        gaussian_barycenter as gaussian_barycenter,
    )
    from ._quantiles import (
        QuantileBarycenter as QuantileBarycenter,
        quantile_barycenter as quantile_barycenter,
    )

__getattr__, __dir__ = offers(__name__)
