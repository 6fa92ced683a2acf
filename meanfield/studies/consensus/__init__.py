"""Several models and the barycenter of their clouds."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._barycenter_drift import BarycenterDrift as BarycenterDrift
    from ._consensus_threshold import ConsensusThreshold as ConsensusThreshold
    from ._gating import Gating as Gating
    from ._least_effort import LeastEffort as LeastEffort
    from ._minibatch import Minibatch as Minibatch
    from ._nested_ellipses import NestedEllipses as NestedEllipses
    from ._one_push import OnePush as OnePush
    from ._sphere_barycenters import SphereBarycenters as SphereBarycenters

__getattr__, __dir__ = offers(__name__)
