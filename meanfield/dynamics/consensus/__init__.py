"""Several models that pull at each other: the pulls, and the gates that say when."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._consensus_flow import ConsensusFlow as ConsensusFlow
    from ._gates import (
        AbstractGate as AbstractGate,
        Early as Early,
        NearSaddles as NearSaddles,
        Schedule as Schedule,
    )
    from ._models import several_models as several_models
    from ._pulls import (
        AbstractPull as AbstractPull,
        BarycenterPull as BarycenterPull,
        DebiasedPull as DebiasedPull,
        ExactPull as ExactPull,
        PairwisePull as PairwisePull,
    )

__getattr__, __dir__ = offers(__name__)
