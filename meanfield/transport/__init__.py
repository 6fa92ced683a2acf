"""Optimal transport between clouds and between densities; all Sinkhorn iterations are ott's."""

from typing import TYPE_CHECKING

from .._lazy import offers

if TYPE_CHECKING:
    from .barycenters import (
        Barycenter as Barycenter,
        FixedSupportBarycenter as FixedSupportBarycenter,
        GaussianBarycenter as GaussianBarycenter,
        QuantileBarycenter as QuantileBarycenter,
        barycenter as barycenter,
        barycenter_displacement as barycenter_displacement,
        consensus_displacement as consensus_displacement,
        disagreement as disagreement,
        fixed_support_barycenter as fixed_support_barycenter,
        gaussian_barycenter as gaussian_barycenter,
        quantile_barycenter as quantile_barycenter,
    )
    from .bridges import (
        BestSchedule as BestSchedule,
        GaussianBridge as GaussianBridge,
        best_schedule as best_schedule,
        gaussian_bridge as gaussian_bridge,
    )
    from .costs import (
        Coupling as Coupling,
        DotProduct as DotProduct,
        SquaredEuclidean as SquaredEuclidean,
        SquaredGeodesic as SquaredGeodesic,
        cost_of as cost_of,
        point_geometry as point_geometry,
        symmetric_root as symmetric_root,
    )
    from .densities import (
        AbstractDomain as AbstractDomain,
        Accuracy as Accuracy,
        Box as Box,
        Effort as Effort,
        GeodesicGrid as GeodesicGrid,
        HeatGrid as HeatGrid,
        filled as filled,
        proximal_step as proximal_step,
        self_potential as self_potential,
    )
    from .distances import (
        AbstractMethod as AbstractMethod,
        Divergence as Divergence,
        Entropic as Entropic,
        Exact as Exact,
        Matching as Matching,
        Transport as Transport,
        displacement as displacement,
        gromov_wasserstein as gromov_wasserstein,
        plan_displacement as plan_displacement,
        sinkhorn_divergence as sinkhorn_divergence,
        wasserstein as wasserstein,
    )
    from .exact import (
        bures as bures,
        gaussian_wasserstein as gaussian_wasserstein,
        wasserstein_circle as wasserstein_circle,
        wasserstein_line as wasserstein_line,
    )
    from .sequences import (
        AdaptedTransport as AdaptedTransport,
        adapted_chains as adapted_chains,
        adapted_empirical as adapted_empirical,
        adapted_gaussian as adapted_gaussian,
        adapted_rate as adapted_rate,
        adapted_wasserstein as adapted_wasserstein,
        gaussian_knothe_rosenblatt as gaussian_knothe_rosenblatt,
        knothe_rosenblatt as knothe_rosenblatt,
        structural_covariance as structural_covariance,
    )
    from .sinkhorn import Solution as Solution, solve as solve

__getattr__, __dir__ = offers(__name__)
