from dataclasses import dataclass, field, replace
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, Int

from ..._typing import Points, Scalar
from ...dynamics import AbstractParticles
from ...geometry import Euclidean
from ...solve import simulate
from ..machinery import Claim, Study, check_share, check_that, order_of, some_of
from ._heat_flows import DIFFUSIVITY, MIXTURE, SOURCE, heat_attention, heat_flow, labels, residual

STABLE = 1.25
"""Steps in units of eps up to which errors are claimed to be of first order."""


@dataclass(frozen=True, kw_only=True)
class HeatLimitSteps(Study):
    """The heat flow by layers: x <- x + (dt/eps) (x - E[y | x]), one residual layer being dt = eps.

    From the mixture of `HeatLimit` with n = infinity, over (attention, eps, ratio), ratio = dt/eps:
    `error`, the distance in L2(rho) to the flow of the same eps, of order one in dt; `to_heat`, W2 to
    the heat flow; `kept`, whether all tokens keep their order, as they do in the flow; `residual`, the
    error of Sinkhorn's marginals at the end.

    At dt = eps the errors of Sinkhorn attention, -(eps/4) grad(Lap r / r) with r = rho^{1/2}, and of
    the step cancel in the first order for every rho: the layer x <- 2 x - E[y | x] is nearer to the heat
    flow than the flow that it approximates, of order two in eps (`order_layer`). About a flat density
    a wave decays at a rate of at most .736/eps (L2) and .557/eps (Sinkhorn), the maxima of
    (2/eps) z e^{-z} and (2/eps) z/(e^z + 1), so that steps are stable up to 2.7 and 3.6 eps; clouds of few
    tokens ask for less.

    Source: Agarwal, Harchaoui, Mulcahy, Pal, arXiv 2406.10823, for the convergence of this layer.
    """

    attentions: tuple[str, ...] = ("Sinkhorn", "L2")
    """Kinds of attention."""
    epsilons: tuple[float, ...] = field(default=(0.1, 0.05, 0.025), metadata={"count": 2})
    """Variances of the kernel."""
    ratios: tuple[float, ...] = (0.25, 0.5, 1.0, 1.25, 2.5)
    """Steps in units of eps, which divide the final time."""
    t_end: float = 0.5
    """Final time."""
    n: int = 240
    """Labels on the line."""

    GRID: ClassVar = {"attention": "attentions", "eps": "epsilons"}
    QUANTITIES: ClassVar = {
        "error": "L2 distance to the flow of the same eps",
        "to_heat": "W2 to the heat flow",
        "kept": "whether tokens keep their order",
        "order": "fitted order in the step",
        "order_layer": "fitted order in eps, at steps of eps",
        "residual": "error of Sinkhorn's marginals at the end",
        "ratio": "step over eps",
    }

    def check(self) -> None:
        gentle = [ratio for ratio in self.ratios if ratio <= STABLE]
        check_that(1.0 in gentle and len(gentle) > 1, f"ratios with 1 and another up to {STABLE}",
                   self.ratios, "pass (0.25, 0.5, 1.0)")  # fmt: skip
        for step in (ratio * eps for ratio in self.ratios for eps in self.epsilons):
            check_share(
                self.t_end, step, f"steps ratio * eps that divide {self.t_end}", "change t_end"
            )

    def compute(self, cell: dict) -> xr.Dataset:
        name, eps = cell["attention"], jnp.asarray(cell["eps"])
        x, w = (jnp.asarray(a) for a in labels(MIXTURE, self.n))
        law = MIXTURE.after(2 * DIFFUSIVITY[name] * self.t_end)
        heat = law.quantiles(*MIXTURE.tails(np.asarray(x)))
        flow, start = heat_flow(name, eps, Euclidean(1), w), x[:, None]
        times = jnp.asarray([0.0, self.t_end])
        exact = simulate(flow, start, times, dt=min(cell["eps"], 0.025)).final
        attention = heat_attention(name, eps, 1)
        found = []
        for ratio in self.ratios:
            step = ratio * cell["eps"]
            end, worst = _layers(
                flow, attention, w, start, jnp.asarray(step), jnp.asarray(round(self.t_end / step))
            )
            gaps = (np.sqrt(w @ (end - other) ** 2) for other in (exact[:, 0], heat))
            found.append([*map(float, gaps), bool((jnp.diff(end) > 0).all()), float(worst)])
        names = ("error", "to_heat", "kept", "residual")
        columns = zip(names, zip(*found, strict=True), strict=True)
        return xr.Dataset(
            {k: ("ratio", np.array(v)) for k, v in columns}, {"ratio": list(self.ratios)}
        )

    def assemble(self, parts: list[xr.Dataset]) -> xr.Dataset:
        whole = super().assemble(parts)
        gentle = whole.sel(ratio=whole.ratio[whole.ratio <= STABLE])
        layer = order_of(whole.eps, whole.to_heat.sel(ratio=1.0), "eps").order
        fit = order_of(gentle.ratio, gentle.error, "ratio")
        return whole.assign(fit).assign(order_layer=layer)

    def tiny(self) -> "HeatLimitSteps":
        return replace(
            self,
            attentions=some_of(self.attentions, ("Sinkhorn",)),
            epsilons=(0.1, 0.05),
            ratios=(0.25, 0.5, 1.0),
            t_end=0.4,
            n=120,
        )

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        made = []
        for cell in self.cells():
            one, title = dataset.sel(cell), f"{cell['attention']}, eps = {cell['eps']}"
            gentle = one.kept.sel(ratio=one.ratio[one.ratio <= STABLE])
            made += [
                # The next term, of order dt^2, bends the line by a few hundredths.
                Claim.close(f"{title}: order in dt", one.order, 1, 0.1, "Euler's method"),
                Claim.holds(
                    f"{title}: tokens keep their order up to 1.25 eps", gentle.all(), SOURCE
                ),
            ]
        if "Sinkhorn" in self.attentions:
            made.append(Claim.close(
                "Sinkhorn: order in eps of W2 to heat at dt = eps",
                dataset.order_layer.sel(attention="Sinkhorn"), 2, 0.25, "arXiv 2406.10823",
            ))  # fmt: skip
        worst = dataset.residual.values.max()
        return [*made, Claim.at_most("marginal error of Sinkhorn attention", worst, 1e-8, "ott")]


@eqx.filter_jit
def _layers(
    flow: AbstractParticles, attention, w, x: Points, step: Scalar, count: Int[Array, ""]
) -> tuple[Float[Array, " n"], Scalar]:
    """Tokens on the line after `count` layers, and the error of the marginals there."""

    def layer(_, x):
        return x + step * flow.drift(jnp.zeros((), x.dtype), x, None)

    x = jax.lax.fori_loop(0, count, layer, x)
    return x[:, 0], residual(attention, x, w)
