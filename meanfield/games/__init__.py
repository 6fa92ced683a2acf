"""Several players who steer measures: exact games, equilibria, mean-field games, control."""

from typing import TYPE_CHECKING

from .._lazy import offers

if TYPE_CHECKING:
    from .control import (
        AbstractDiscord as AbstractDiscord,
        ConsensusGame as ConsensusGame,
        Matched as Matched,
        Means as Means,
        Quantiles as Quantiles,
        Steering as Steering,
        pontryagin_residual as pontryagin_residual,
        steer as steer,
    )
    from .equilibrium import (
        AbstractGame as AbstractGame,
        Equilibria as Equilibria,
        Equilibrium as Equilibrium,
        OneShot as OneShot,
        Prices as Prices,
        equilibria as equilibria,
        nash as nash,
        planner as planner,
        prices as prices,
        stackelberg as stackelberg,
    )
    from .exact import (
        AbstractPlay as AbstractPlay,
        Feedback as Feedback,
        LinearQuadratic as LinearQuadratic,
        OpenLoop as OpenLoop,
        Planner as Planner,
        UnequalLinearQuadratic as UnequalLinearQuadratic,
    )
    from .meanfield import (
        FewPlayers as FewPlayers,
        FictitiousPlay as FictitiousPlay,
        Kuramoto as Kuramoto,
        MeanFieldEquilibrium as MeanFieldEquilibrium,
        MeanFieldGame as MeanFieldGame,
        MeanFieldPath as MeanFieldPath,
        crowd_aversion as crowd_aversion,
        few_players as few_players,
        fictitious_play as fictitious_play,
        mean_field_path as mean_field_path,
    )

__getattr__, __dir__ = offers(__name__)
