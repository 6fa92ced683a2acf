"""Games of infinitely many players: stationary equilibria, their thresholds and branches."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._crowd_aversion import crowd_aversion as crowd_aversion
    from ._few_players import FewPlayers as FewPlayers, few_players as few_players
    from ._fictitious_play import (
        FictitiousPlay as FictitiousPlay,
        fictitious_play as fictitious_play,
    )
    from ._horizon import MeanFieldPath as MeanFieldPath
    from ._kuramoto import Kuramoto as Kuramoto
    from ._mean_field_equilibrium import MeanFieldEquilibrium as MeanFieldEquilibrium
    from ._mean_field_game import MeanFieldGame as MeanFieldGame
    from ._path import mean_field_path as mean_field_path

__getattr__, __dir__ = offers(__name__)
