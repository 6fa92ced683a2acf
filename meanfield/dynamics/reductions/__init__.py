"""Clouds that a few numbers describe: angles, and Gaussians by mean and covariance."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._equiangular import Equiangular as Equiangular
    from ._gaussian_flow import GaussianFlow as GaussianFlow, Normal as Normal
    from ._twisted_ring import TwistedRing as TwistedRing
    from ._two_cluster import TwoCluster as TwoCluster

__getattr__, __dir__ = offers(__name__)
