"""The four ways of running the physics, and orders of convergence."""

from ._four_ways import FourWays as FourWays
from ._pde_orders import PdeOrders as PdeOrders
