"""Models whose flows are steered: games of consensus, and certificates that controls are optimal."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._consensus_game import ConsensusGame as ConsensusGame
    from ._discords import (
        AbstractDiscord as AbstractDiscord,
        Matched as Matched,
        Means as Means,
        Quantiles as Quantiles,
    )
    from ._pontryagin import pontryagin_residual as pontryagin_residual
    from ._steer import Steering as Steering, steer as steer

__getattr__, __dir__ = offers(__name__)
