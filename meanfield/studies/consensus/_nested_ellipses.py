from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ...transport.barycenters import fixed_support_barycenter
from ...transport.densities import Box
from ..machinery import Claim, Study

PAPER = "Cuturi and Doucet, arXiv 1310.4375, figure 1"


@dataclass(frozen=True, kw_only=True)
class NestedEllipses(Study):
    """The Wasserstein barycenter of images of two nested ellipses, on a grid.

    Centres, axes and directions are random. The mean of the images is a blur; the barycenter is two
    nested ellipses again. Entropy blurs it by a variance of epsilon/2 in each coordinate, which
    debiasing takes off.

    The dataset has `ellipses` (image, x, y), their `mean`, and the barycenters `entropic` and `debiased`
    (x, y), densities on the unit square.

    Source: Cuturi and Doucet, arXiv 1310.4375, figure 1.
    """

    images: int = 30
    """Images."""
    cells_a_side: int = 64
    """Cells of the grid on each side of the unit square."""
    epsilon: float = 1e-3
    """Regularization, in units of the squared side."""
    width: float = 0.012
    """Half the width of a line."""

    QUANTITIES: ClassVar = {
        "ellipses": "images, as densities",
        "mean": "mean of the images",
        "entropic": "barycenter, entropic",
        "debiased": "barycenter, debiased",
    }

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        q = self.cells_a_side
        domain = Box((0.0, 0.0), (1.0, 1.0), (q, q))
        keys = jax.random.split(jax.random.key(self.seed), self.images)
        ellipses = jax.vmap(lambda key: self._image(key, domain))(keys)
        found = {
            name: fixed_support_barycenter(
                domain, ellipses, epsilon=self.epsilon, debiased=debiased, tol=1e-5
            )
            for name, debiased in (("entropic", False), ("debiased", True))
        }
        image = ("x", "y"), (q, q)
        parts = {name: (image[0], b.density.reshape(image[1])) for name, b in found.items()}
        return xr.Dataset(
            {
                "ellipses": (("image", "x", "y"), ellipses.reshape(-1, q, q)),
                "mean": (("x", "y"), ellipses.mean(axis=0).reshape(q, q)),
                "converged": ((), jnp.array([b.converged for b in found.values()]).all()),
                **parts,
            }
        )

    def _image(self, key, domain: Box):
        """Two ellipses, the smaller inside the larger, drawn with a soft pen."""
        uniform = jax.random.uniform(key, (2, 5))
        outer = _ring(domain.points, uniform[0], 0.5, 0.06, 0.22, 0.36, self.width)
        inner = _ring(domain.points, uniform[1], 0.5, 0.04, 0.07, 0.14, self.width)
        ink = outer + inner
        return ink / (domain.weights @ ink)

    def tiny(self) -> "NestedEllipses":
        return replace(self, images=4, cells_a_side=24, epsilon=6e-3, width=0.03)

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        ink = {name: _spread(dataset[name]) for name in ("mean", "entropic", "debiased")}
        each = _spread(dataset.ellipses).mean()
        blur = ink["entropic"] - ink["debiased"]
        return [
            Claim.holds("both iterations converge", dataset.converged, PAPER),
            Claim.at_most("spread of the barycenter, over the mean spread of the images",
                          ink["debiased"] / each, 1, "variance is convex along geodesics", 0.01),
            # Both coordinates gain epsilon/2; the barycenter is not normal, hence the tolerance.
            Claim.close("variance that debiasing takes off, over epsilon", blur / self.epsilon, 1,
                        0.3, "2 times epsilon/2: the kernel's variance"),
        ]  # fmt: skip


def _ring(points, uniform, middle, wander, least, most, width):
    """An ellipse of random centre, axes and direction; about as bright all along."""
    centre = middle + wander * (2 * uniform[:2] - 1)
    axes = least + (most - least) * uniform[2:4]
    angle = jnp.pi * uniform[4]
    turn = jnp.array([[jnp.cos(angle), jnp.sin(angle)], [-jnp.sin(angle), jnp.cos(angle)]])
    scaled = ((points - centre) @ turn.T) / axes
    radius = jnp.linalg.norm(scaled, axis=1)
    slope = jnp.linalg.norm(scaled / axes, axis=1) / jnp.maximum(radius, 1e-9)
    return jnp.exp(-(((radius - 1) / (slope * width)) ** 2) / 2)


def _spread(density: xr.DataArray) -> xr.DataArray:
    """The variance of a density on the unit square, the sum of both coordinates'."""
    cells = density.sizes["x"]
    at = xr.DataArray((np.arange(cells) + 0.5) / cells, dims="x")
    total = 0.0
    for axis in ("x", "y"):
        place = at.rename({"x": axis}) if axis != "x" else at
        mass = density / density.sum(("x", "y"))
        mean = (mass * place).sum(("x", "y"))
        total = total + (mass * place**2).sum(("x", "y")) - mean**2
    return total
