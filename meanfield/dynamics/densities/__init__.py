"""The density of infinitely many tokens, by its harmonics."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._fokker_planck import FokkerPlanck as FokkerPlanck
    from ._imex import AbstractImex as AbstractImex

__getattr__, __dir__ = offers(__name__)
