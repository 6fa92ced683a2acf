from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import xarray as xr
from jaxtyping import Array

from ..._typing import Points
from ...geometry import Sphere
from ...measures import Mixture, VonMisesFisher
from ...transport.barycenters import barycenter
from ...transport.costs import SquaredGeodesic
from ..machinery import Claim, Study

MERIDIANS = "zonal laws move along meridians: polar angles average"
KARCHER = "Karcher (1977)"


@dataclass(frozen=True, kw_only=True)
class SphereBarycenters(Study):
    """Free-support Wasserstein barycenters on S^2, against those known: zonal laws and three points.

    Between a ring and two clusters, and between two shapes about one axis (a ring and a cluster), where
    the barycenter is known: mass moves along meridians, and the polar angles of the barycenter average
    those of the two laws. The barycenter of three points is their Karcher mean.

    The dataset has `shapes` and `zonal` (weight, token, axis), the barycenters in which the second law
    has that weight, and `angle` (weight), the mean polar angle of the zonal ones.

    Source: zonal laws are ours; Karcher (1977), doi:10.1002/cpa.3160300502, for points.
    """

    weights: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)
    """Weights of the second law."""
    n: int = 160
    """Points."""
    epsilon: float = 0.1
    """Regularization, in squared radians."""

    QUANTITIES: ClassVar = {
        "shapes": "barycenters of a ring and two clusters",
        "zonal": "barycenters of a ring and a cluster",
        "angle": "mean polar angle, zonal [rad]",
        "karcher": "distance to the Karcher mean of three points [rad]",
        "weight": "weight of the second law",
    }

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        keys = jax.random.split(jax.random.key(self.seed), 4)
        pole = jnp.array([0.0, 0.0, 1.0])
        sides = jnp.array([[1.0, 0.7, -0.2], [0.5, -1.0, -0.3]])
        pair = [VonMisesFisher(side / jnp.linalg.norm(side), 40.0) for side in sides]
        ring = self._ring(keys[0])
        clusters = Mixture(pair, jnp.array([0.5, 0.5])).sample(keys[1], self.n)
        heap = VonMisesFisher(pole, 30.0).sample(keys[2], self.n)
        found = {"shapes": self._between(ring, clusters), "zonal": self._between(ring, heap)}
        angle = jnp.arccos(jnp.clip(found["zonal"][..., 2], -1, 1)).mean(axis=1)
        return xr.Dataset(
            {
                **{name: (("weight", "token", "axis"), x) for name, x in found.items()},
                "angle": ("weight", angle),
                "karcher": ((), _karcher_error()),
            },
            {"weight": list(self.weights)},
        )

    def _ring(self, key) -> Points:
        wobble = 0.06 * jax.random.normal(key, (self.n,))
        around = 2 * jnp.pi * jnp.arange(self.n, dtype=float) / self.n
        polar = 0.9 + wobble
        return jnp.stack(
            [
                jnp.sin(polar) * jnp.cos(around),
                jnp.sin(polar) * jnp.sin(around),
                jnp.cos(polar),
            ],
            axis=1,
        )

    def _between(self, x: Points, y: Points) -> Array:
        """The barycenters of two clouds at each weight, each started from the one before."""
        found, start = [], x
        for weight in self.weights:
            pair = jnp.array([1 - weight, weight])
            start = barycenter(
                jnp.stack([x, y]), pair, cost=SquaredGeodesic(), epsilon=self.epsilon, start=start
            ).points
            found.append(start)
        return jnp.stack(found)

    def tiny(self) -> "SphereBarycenters":
        return replace(self, weights=(0.0, 0.5, 1.0), n=24)

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        angle = dataset.angle
        ends = float(angle[0]), float(angle[-1])
        claims = [
            # The clouds are samples, not quite symmetric about the axis.
            Claim.close(f"mean polar angle at weight {w:g}", angle.sel(weight=w),
                        (1 - w) * ends[0] + w * ends[1], 0.02, MERIDIANS)
            for w in self.weights[1:-1]
        ]  # fmt: skip
        # Steps of 1e-9 are left.
        return [*claims, Claim.at_most("three points: distance to the Karcher mean",
                                       dataset.karcher, 0, KARCHER, 1e-8)]  # fmt: skip


def _karcher_error():
    """The distance of the barycenter of three points to their Karcher mean."""
    points = Sphere(3).project(jnp.array([[1.0, 0.2, 0.1], [0.2, 1.0, 0.0], [0.0, 0.3, 1.0]]))
    weights, cost = jnp.array([0.2, 0.3, 0.5]), SquaredGeodesic()
    found = barycenter(points[:, None], weights, cost=cost, epsilon=0.1, tol=1e-10)
    return Sphere(3).distance(found.points[0], cost.barycenter(weights, points)[0])
