"""Equilibria of any game that has costs: Nash, planner, Stackelberg."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._equilibria import Equilibria as Equilibria, equilibria as equilibria
    from ._game import AbstractGame as AbstractGame, check_controls as check_controls
    from ._nash import (
        Equilibrium as Equilibrium,
        minimized as minimized,
        nash as nash,
        planner as planner,
    )
    from ._one_shot import OneShot as OneShot
    from ._prices import Prices as Prices, prices as prices
    from ._stackelberg import stackelberg as stackelberg

__getattr__, __dir__ = offers(__name__)
