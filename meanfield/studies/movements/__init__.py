"""Minimizing movements against exact flows."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._jko_flows import JkoFlows as JkoFlows
    from ._jko_orders import JkoOrders as JkoOrders

__getattr__, __dir__ = offers(__name__)
