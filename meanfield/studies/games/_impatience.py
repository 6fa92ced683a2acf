from dataclasses import dataclass, replace
from functools import cache
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
import xarray as xr
from scipy.special import ive

from ...attention.kernels import Sinkhorn, Softmax, Unnormalized
from ...games.meanfield import MeanFieldGame
from ...harmonics import Gegenbauer
from ...landscape.densities import branch
from ..machinery import Claim, Study, check_that, some_of

KERNELS = {"unnormalized": Unnormalized, "softmax": Softmax, "sinkhorn": Sinkhorn}
POINTS = 40
"""Of a branch of the flow, at most."""


@dataclass(frozen=True, kw_only=True)
class Impatience(Study):
    """Attention flow is the impatient limit of a mean-field game: where clusters form, over the discount.

    Players who discount the future at rate r cluster below the noise nu with

        nu (1 + nu lambda_k/r) = W_k,    W_k = I_k(beta)/beta on the circle

    for unnormalized attention, q_k/beta for softmax, with q_k = I_k(beta)/I_0(beta), and
    q_k/(beta (1 + q_k)) where Sinkhorn makes it doubly stochastic: at small r they wait, for tomorrow counts
    as much; as r -> infinity they follow the gradient of what they feel now, which is the attention flow,
    with nu = W_1.

    Over (kernel, discount): `critical`, that noise; over (kernel, discount, order), `noise` along the
    branch of clusters, order being the length of the mean. `flow_noise` and `flow_order` are the
    branch of stationary densities of the flow itself, and `flow` the noise where it begins: what a
    polynomial in order^2 through four of them says of order 0, without linear theory.
    """

    kernels: tuple[str, ...] = ("unnormalized", "softmax", "sinkhorn")
    """Kinds of attention: unnormalized, softmax, sinkhorn."""
    discounts: tuple[float, ...] = (0.1, 0.3, 1.0, 3.0, 10.0, 100.0, 1000.0)
    """Rates at which the future is discounted."""
    beta: float = 1.0
    """Inverse temperature."""
    orders: int = 19
    """Orders along a branch, from .02 and .04 to .9."""
    degree: int = 24
    """Of the harmonics."""

    GRID: ClassVar = {"kernel": "kernels", "discount": "discounts"}
    QUANTITIES: ClassVar = {
        "critical": "noise below which clusters form",
        "flow": "the same of the attention flow, from its branch",
        "flow_noise": "noise along the branch of the attention flow",
        "flow_order": "length of the mean along the branch of the attention flow",
        "noise": "noise of a state of this order",
        "kernel": "kind of attention",
        "discount": "rate at which the future is discounted",
        "order": "length of the mean",
        "point": "point of the branch of the attention flow",
        "found": "whether the branch was found",
    }

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        made: Any = MeanFieldGame
        basis = Gegenbauer(2, self.degree)  # pyright: ignore[reportCallIssue]
        attention = KERNELS[cell["kernel"]](self.beta)  # pyright: ignore[reportCallIssue]
        game = made(basis, attention, 0.3, cell["discount"])
        orders = np.append([0.02, 0.04], np.linspace(0.1, 0.9, self.orders - 2))
        found = game.branch(jnp.asarray(orders))
        flow_noise, flow_order = _flow(cell["kernel"], self.beta, self.degree)
        return xr.Dataset(
            {
                "critical": ((), game.critical_noise()),
                "flow": ((), _start(flow_noise, flow_order)),
                "flow_noise": ("point", flow_noise),
                "flow_order": ("point", flow_order),
                "noise": ("order", np.where(found.converged, found.noise, np.nan)),
                "found": ("order", found.converged),
            },
            {"order": orders},
        )

    def check(self) -> None:
        check_that(self.orders >= 4, "orders >= 4", self.orders, "pass orders=19")
        fits = {*self.kernels} <= {*KERNELS}
        check_that(fits, f"kernels among {[*KERNELS]}", self.kernels, "choose from these")

    def tiny(self) -> "Impatience":
        few = some_of(self.discounts, (1.0, 10.0))
        return replace(self, kernels=self.kernels[:1], discounts=few, orders=6, degree=16)

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        return [
            c for kernel in self.kernels for c in self._claims(dataset.sel(kernel=kernel), kernel)
        ]

    def _claims(self, dataset: xr.Dataset, kernel: str) -> list[Claim]:
        strength = _strength(kernel, self.beta)
        # Of the polynomial the next term is the product of four squares of orders up to .25.
        title, flow = f"{kernel}: where the branch of the flow begins", dataset.flow.values.max()
        claims = [Claim.close(title, flow, strength, 1e-7, "arXiv 2604.16288")]
        source = "linearization: noise (1 + noise/discount) = W_1"
        for r in self.discounts:
            one, where = dataset.sel(discount=r), f"{kernel}, discount {r:g}"
            exact = (np.sqrt(1 + 4 * strength / r) - 1) * r / 2
            # Cancellation of 4/r.
            small = 1e-10 + 1e-15 * r**2
            claims.append(Claim.close(f"{where}: threshold", one.critical, exact, small, source))
            # noise = critical - c order^2 + ..., from .02 and .04.
            begin = (4 * one.noise[0] - one.noise[1]) / 3
            title = f"{where}: where the branch begins"
            claims.append(Claim.close(title, begin, exact, 1e-5 * exact, source))
            title = f"{where}: share of the branch that was found"
            claims.append(Claim.at_least(title, one.found.mean(), 1, "implicit function theorem"))
        return claims


def _strength(kernel: str, beta: float) -> float:
    """W_1 on the circle."""
    ratio = ive(1, beta) / ive(0, beta)
    return {
        "unnormalized": ive(1, beta) * np.exp(beta) / beta,
        "softmax": ratio / beta,
        "sinkhorn": ratio / (beta * (1 + ratio)),
    }[kernel]


@cache
def _flow(kernel: str, beta: float, degree: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise and order of stationary densities of the flow, after the uniform one; NaN beyond the last."""
    found = branch(KERNELS[kernel](beta), 2, degree=degree, until=0.3, points=POINTS + 1)  # pyright: ignore[reportCallIssue]
    ends = np.full((2, POINTS), np.nan)
    ends[:, : len(found.noise) - 1] = found.noise[1:], found.order[1:]
    return ends[0], ends[1]


def _start(noise: np.ndarray, order: np.ndarray) -> float:
    """The noise at order 0, by a polynomial in order^2."""
    return float(np.linalg.solve(np.vander(order[:4] ** 2), noise[:4])[-1])
