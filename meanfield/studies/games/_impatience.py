from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
import xarray as xr
from scipy.special import ive

from ...attention.kernels import Unnormalized
from ...games.meanfield import MeanFieldGame
from ...harmonics import Gegenbauer
from ...landscape.densities import critical_noise
from ..machinery import Claim, Study, check_that, some_of

FLOW = float("inf")


@dataclass(frozen=True, kw_only=True)
class Impatience(Study):
    """Attention flow is the impatient limit of a mean-field game: where clusters form, over the discount.

    Players who discount the future at rate r cluster below the noise nu with

        nu (1 + nu lambda_k/r) = W_k,    W_k = I_k(beta)/beta on the circle

    for unnormalized attention: at small r they wait, for tomorrow counts as much; as r -> infinity they
    follow the gradient of what they feel now, which is the attention flow, with nu = W_1.

    Over (discount): `critical`, that noise; over (discount, order), `noise` along the branch of
    clusters, order being the length of the mean.
    """

    discounts: tuple[float, ...] = (0.1, 0.3, 1.0, 3.0, 10.0, 100.0, 1000.0)
    """Rates at which the future is discounted."""
    beta: float = 1.0
    """Inverse temperature."""
    orders: int = 19
    """Orders along a branch, from .02 and .04 to .9."""
    degree: int = 24
    """Of the harmonics."""

    GRID: ClassVar = {"discount": "discounts"}
    QUANTITIES: ClassVar = {
        "critical": "noise below which clusters form",
        "flow": "the same of the attention flow",
        "noise": "noise of a state of this order",
        "discount": "rate at which the future is discounted",
        "order": "length of the mean",
        "found": "whether the branch was found",
    }

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        made: Any = MeanFieldGame
        basis = Gegenbauer(2, self.degree)  # pyright: ignore[reportCallIssue]
        attention = Unnormalized(self.beta)  # pyright: ignore[reportCallIssue]
        game = made(basis, attention, 0.3, cell["discount"])
        orders = np.append([0.02, 0.04], np.linspace(0.1, 0.9, self.orders - 2))
        found = game.branch(jnp.asarray(orders))
        return xr.Dataset(
            {
                "critical": ((), game.critical_noise()),
                "flow": ((), critical_noise(attention, 2)),
                "noise": ("order", np.where(found.converged, found.noise, np.nan)),
                "found": ("order", found.converged),
            },
            {"order": orders},
        )

    def check(self) -> None:
        check_that(self.orders >= 4, "orders >= 4", self.orders, "pass orders=19")

    def tiny(self) -> "Impatience":
        return replace(self, discounts=some_of(self.discounts, (1.0, 10.0)), orders=6, degree=16)

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        strength = ive(1, self.beta) * np.exp(self.beta) / self.beta
        source = "linearization: noise (1 + noise/discount) = I_1(beta)/beta"
        claims = [
            Claim.close("the flow", dataset.flow.values.max(), strength, 1e-10, "arXiv 2604.16288")
        ]
        for r in self.discounts:
            one = dataset.sel(discount=r)
            exact = (np.sqrt(1 + 4 * strength / r) - 1) * r / 2
            # Cancellation of 4/r.
            small = 1e-10 + 1e-15 * r**2
            title = f"discount {r:g}: threshold"
            claims.append(Claim.close(title, one.critical, exact, small, source))
            # noise = critical - c order^2 + ..., from .02 and .04.
            begin = (4 * one.noise[0] - one.noise[1]) / 3
            title = f"discount {r:g}: where the branch begins"
            claims.append(Claim.close(title, begin, exact, 1e-5 * exact, source))
            title = f"discount {r:g}: share of the branch that was found"
            claims.append(Claim.at_least(title, one.found.mean(), 1, "implicit function theorem"))
        return claims
