"""Minimizing movements against exact flows."""

from ._jko_flows import JkoFlows as JkoFlows
from ._jko_orders import JkoOrders as JkoOrders
