"""Optimal transport between clouds and between densities; all Sinkhorn iterations are ott's."""

from ._costs import SquaredEuclidean as SquaredEuclidean, SquaredGeodesic as SquaredGeodesic
from ._matrix_root import symmetric_root as symmetric_root
