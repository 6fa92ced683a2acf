"""Distances, divergences and displacements between clouds."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._displacement import (
        MAX_ITERATIONS as MAX_ITERATIONS,
        RELATIVE_EPSILON as RELATIVE_EPSILON,
        certified as certified,
        check_epsilon as check_epsilon,
        conditional_mean as conditional_mean,
        displacement as displacement,
        own_mean as own_mean,
        plan_displacement as plan_displacement,
        regularization as regularization,
    )
    from ._divergence import Divergence as Divergence, sinkhorn_divergence as sinkhorn_divergence
    from ._entropic import Entropic as Entropic, solve_small as solve_small
    from ._exact import Exact as Exact
    from ._gromov import Matching as Matching, gromov_wasserstein as gromov_wasserstein
    from ._transport import AbstractMethod as AbstractMethod, Transport as Transport
    from ._wasserstein import check_cloud as check_cloud, wasserstein as wasserstein

__getattr__, __dir__ = offers(__name__)
