"""Laws of sequences, compared by couplings that do not look ahead."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._adapted import (
        AdaptedTransport as AdaptedTransport,
        adapted_wasserstein as adapted_wasserstein,
        knothe_rosenblatt as knothe_rosenblatt,
    )
    from ._chains import adapted_chains as adapted_chains
    from ._empirical import adapted_empirical as adapted_empirical, adapted_rate as adapted_rate
    from ._gaussians import (
        adapted_gaussian as adapted_gaussian,
        gaussian_knothe_rosenblatt as gaussian_knothe_rosenblatt,
        structural_covariance as structural_covariance,
    )

__getattr__, __dir__ = offers(__name__)
