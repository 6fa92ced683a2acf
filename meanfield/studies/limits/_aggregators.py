from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ...attention.kernels import Softmax
from ...dynamics.particles import AttentionFlow
from ...geometry import Sphere
from ...observables import abstraction_error, coarse_chain, effective_information
from ..machinery import Claim, Study, check_that, order_of, some_of

MASS = "exactly lumpable: under the masses of clusters nothing is gained"
KNOWN = {"micro": 0.1864754, "macro_even": 0.2243400}
"""Bits of two clusters of 3 and 9 tokens at overlap .3, beta = 2."""


@dataclass(frozen=True, kw_only=True)
class Aggregators(Study):
    """Clusters as tokens: the effective information of attention, and what aggregation loses.

    Attention among two clusters of coincident tokens at an overlap is a Markov chain. `micro` is its
    effective information in bits under even interventions on tokens, `macro_mass` that of the chain of
    the two clusters under their masses, and `macro_even` that under even interventions on clusters, which
    may be more: an "emergence" that is of the law of interventions alone. `defect` is the error of
    "clusters as tokens" after a step of attention, where each cluster is spread over a width: it is of
    second order in the width.

    Source: Hoel, Albantakis, Tononi, PNAS 110 (2013) 19790; Rubenstein et al., arXiv 1707.00819.
    """

    beta: tuple[float, ...] = (0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0)
    """Inverse temperatures."""
    sizes: tuple[int, int] = (3, 9)
    """Tokens of the two clusters."""
    overlap: float = 0.3
    """Their inner product."""
    widths: tuple[float, ...] = (0.1, 0.05, 0.025, 0.0125)
    """Spreads of the clusters [rad]."""
    step: float = 0.2
    """Time of a layer."""

    GRID: ClassVar = {"beta": "beta"}
    QUANTITIES: ClassVar = {
        "micro": "effective information of tokens [bit]",
        "macro_mass": "effective information of clusters, by mass [bit]",
        "macro_even": "effective information of clusters, evenly [bit]",
        "by_formula": "effective information of clusters, by mass, closed form [bit]",
        "lumping": "how far members of a cluster differ in where they attend",
        "defect": "error of clusters as tokens after a step [rad]",
        "width": "spread of the clusters [rad]",
        "beta": "beta",
    }

    def check(self) -> None:
        check_that(-1 < self.overlap < 1, "-1 < overlap < 1", self.overlap, "pass overlap=0.3")

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        beta = cell["beta"]
        attention, labels = Softmax(beta), jnp.asarray(np.repeat([0, 1], self.sizes))
        x = self._cloud(0.0)
        matrix = attention.weights(x)
        coarse = coarse_chain(matrix, labels)
        defects = [self._defect(attention, labels, width) for width in self.widths]
        return xr.Dataset(
            {
                "micro": ((), effective_information(matrix)),
                "macro_mass": ((), effective_information(coarse.matrix, coarse.masses)),
                "macro_even": ((), effective_information(coarse.matrix)),
                "by_formula": ((), _two_states(self.sizes, beta, self.overlap)),
                "lumping": ((), coarse.error),
                "defect": ("width", defects),
            },
            {"width": list(self.widths)},
        )

    def _cloud(self, width: float):
        """Two clusters on S^2, each of members of one fixed shape at a spread."""
        angle = float(np.arccos(self.overlap))
        centers = jnp.array([[1.0, 0, 0], [np.cos(angle), np.sin(angle), 0]])
        at = jnp.repeat(centers, np.array(self.sizes), axis=0, total_repeat_length=sum(self.sizes))
        shape = jax.random.normal(jax.random.key(self.seed), at.shape)
        sphere = Sphere(3)
        return sphere.exp(at, width * sphere.to_tangent(at, shape))

    def _defect(self, attention: Softmax, labels, width: float) -> float:
        sphere, zero = Sphere(3), jnp.array(0.0)

        def move(x, w):
            speed = AttentionFlow(sphere, attention, weights=w).drift(zero, x, None)
            return sphere.exp(x, self.step * speed)

        return float(abstraction_error(move, self._cloud(width), labels).max())

    def tiny(self) -> "Aggregators":
        return replace(self, beta=some_of(self.beta, (2.0,)))

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        source = "Hoel, Albantakis, Tononi 2013"
        gaps = {
            "clusters by mass off tokens": dataset.macro_mass - dataset.micro,
            "clusters by mass off the closed form": dataset.macro_mass - dataset.by_formula,
            "members of a cluster differ": dataset.lumping,
        }
        # Sums of some hundred terms of order one.
        claims = [
            Claim.close(name, np.abs(gap).max(skipna=False), 0, 1e-13, MASS)
            for name, gap in gaps.items()
        ]
        if (self.sizes, self.overlap) == ((3, 9), 0.3) and 2.0 in self.beta:
            at = dataset.sel(beta=2.0)
            claims += [
                Claim.close(f"{name}, beta=2", at[name], value, 5e-8, source)
                for name, value in KNOWN.items()
            ]
        for beta in self.beta:
            fit = order_of(dataset.width, dataset.defect.sel(beta=beta), "width")
            # Third derivatives, over three, of members up to three spreads away: smaller by the width, times
            # the slope beta of logits or the curvature, 1.
            slack = (1 + beta) * max(self.widths)
            name = f"order of clusters as tokens in their width, beta={beta:g}"
            if slack < 0.5:
                claims.append(Claim.close(name, fit.order, 2, slack, "means of smooth functions"))
        return claims


def _two_states(sizes: tuple[int, int], beta: float, overlap: float) -> float:
    """Effective information in bits of two coincident clusters, under their masses."""
    own, other = np.exp(beta), np.exp(beta * overlap)
    a, b = sizes
    stay = np.array([a * own / (a * own + b * other), a * other / (a * other + b * own)])
    masses = np.array(sizes) / (a + b)
    mean = masses @ stay
    each = stay * np.log2(stay / mean) + (1 - stay) * np.log2((1 - stay) / (1 - mean))
    return float(masses @ each)
