"""The four ways of running the physics, and orders of convergence."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._four_ways import FourWays as FourWays
    from ._pde_orders import PdeOrders as PdeOrders

__getattr__, __dir__ = offers(__name__)
