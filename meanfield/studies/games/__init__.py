"""Models that steer measures against each other: exact games, equilibria, mean-field games, schedules."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._consensus_games import ConsensusGames as ConsensusGames
    from ._escaped_clusters import EscapedClusters as EscapedClusters
    from ._impatience import Impatience as Impatience
    from ._lq_games import LqGames as LqGames
    from ._many_players import ManyPlayers as ManyPlayers
    from ._mean_field_games import MeanFieldGames as MeanFieldGames
    from ._mean_field_paths import MeanFieldPaths as MeanFieldPaths
    from ._price_of_anarchy import PriceOfAnarchy as PriceOfAnarchy
    from ._protocols import Protocols as Protocols
    from ._schedules import Schedules as Schedules
    from ._steered_transformers import SteeredTransformers as SteeredTransformers

__getattr__, __dir__ = offers(__name__)
