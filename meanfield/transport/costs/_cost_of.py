from ..._door import door
from ...geometry import AbstractGeometry, Euclidean, Sphere
from ._costs import SquaredEuclidean, SquaredGeodesic
from ._ott import costs


@door
def cost_of(geometry: AbstractGeometry) -> SquaredEuclidean | SquaredGeodesic:
    """The squared distance of a sphere or of flat space.

    Other spaces have no closed cost here: `wasserstein` takes `cost=lambda x, y: space.distance(x, y) ** 2`.
    Raises ValueError for them.
    """
    if isinstance(geometry, Sphere):
        return SquaredGeodesic()
    if isinstance(geometry, Euclidean):
        return SquaredEuclidean()
    raise ValueError(
        f"expected tokens on a sphere or in R^d, got {geometry}; use Sphere(d) or Euclidean(d), or "
        "cost=lambda x, y: geometry.distance(x, y) ** 2 in wasserstein, a pull of your own in ConsensusFlow."
    )


def space_of(cost: costs.CostFn) -> type[Sphere] | type[Euclidean]:
    """The geometry, once it is given its dimension, of which a cost is the squared distance."""
    if isinstance(cost, SquaredGeodesic):
        return Sphere
    if isinstance(cost, SquaredEuclidean):
        return Euclidean
    raise ValueError(
        f"expected a squared distance for a barycenter, got {type(cost).__name__}; "
        "pass SquaredEuclidean() or SquaredGeodesic()."
    )
