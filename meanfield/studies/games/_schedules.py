from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
import xarray as xr
from scipy.integrate import quad

from ...transport.bridges import best_schedule, gaussian_bridge
from ..machinery import Claim, Study, some_of


@dataclass(frozen=True, kw_only=True)
class Schedules(Study):
    """When to be where along an optimal map, and along a Schroedinger bridge.

    The velocities of a map that stretches by `low` to `high` have a Lipschitz constant, over all times,
    of at least `lipschitz`, reached by the schedule `tau` over `s`, and of `straight` in straight time:
    the logarithm of the stretch in place of the stretch. `variance` is that of the bridge from
    N(0, 1) to N(0, high^2/10) under noise of standard deviation `spread`, and `divergence` its price.

    Source: Tsimpos, Ren, Zech, Marzouk, arXiv 2504.14425; Bunne, Hsieh, Cuturi, Krause, arXiv 2202.05722.
    """

    lows: tuple[float, ...] = (0.02, 0.05, 0.1, 0.25, 0.5)
    """Least stretches."""
    highs: tuple[float, ...] = (2.0, 3.0, 10.0)
    """Largest stretches."""
    spreads: tuple[float, ...] = (0.01, 2.0, 4.0, 8.0)
    """Standard deviations of the reference after unit time."""
    frames: int = 101
    """Times, evenly spaced."""

    GRID: ClassVar = {"high": "highs"}
    QUANTITIES: ClassVar = {
        "tau": "place on the way",
        "lipschitz": "least Lipschitz constant",
        "straight": "Lipschitz constant of straight time",
        "variance": "variance of the bridge",
        "divergence": "divergence of the bridge from the reference",
        "s": "time",
        "low": "least stretch",
        "high": "largest stretch",
        "spread": "standard deviation of the reference",
    }

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        s = jnp.linspace(0.0, 1.0, self.frames)
        made = [best_schedule(low, cell["high"]) for low in self.lows]
        bridges = [gaussian_bridge(1.0, cell["high"] ** 2 / 10, spread) for spread in self.spreads]
        variance = [[bridge.covariance(t)[0, 0] for t in s] for bridge in bridges]
        return xr.Dataset(
            {
                "tau": (("low", "s"), np.array([one(s) for one in made])),
                "lipschitz": ("low", np.array([one.lipschitz for one in made])),
                "straight": ("low", np.array([one.straight for one in made])),
                "variance": (("spread", "s"), np.array(variance)),
                "divergence": ("spread", np.array([one.divergence for one in bridges])),
            },
            {"low": list(self.lows), "spread": list(self.spreads), "s": s},
        )

    def tiny(self) -> "Schedules":
        kept = {"highs": some_of(self.highs, (10.0,)), "lows": some_of(self.lows, (0.1, 0.5))}
        return replace(self, **kept, spreads=some_of(self.spreads, (0.01, 2.0)), frames=21)

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        claims = []
        for high in self.highs:
            for low in self.lows:
                one, where = dataset.sel(high=high, low=low), f"stretches {low:g} to {high:g}"
                total = _integral(low, high)
                source = "the integral of the largest stretch, by quadrature"
                claims.append(Claim.close(f"{where}: least", one.lipschitz, total, 1e-6, source))
                steepest = np.abs(np.diff(np.log1p((high - 1) * one.tau.values))).max()
                pace = steepest * (self.frames - 1)
                title = f"{where}: the largest stretch grows no faster"
                claims.append(Claim.at_most(title, pace, total, "it is one of all", 1e-6))
            for spread in self.spreads:
                one = dataset.sel(high=high, spread=spread)
                claims.append(self._stiffness(one, high, spread))
        return claims

    def _stiffness(self, one: xr.Dataset, high: float, spread: float) -> Claim:
        """v'' = 2(A + B - 2C - s^2): a bridge of Gaussians has a variance of degree two."""
        start, end, noise = 1.0, high**2 / 10, spread**2
        cross = ((4 * start * end + noise**2) ** 0.5 - noise) / 2
        exact = start + end - 2 * cross - noise
        curve = np.polynomial.Polynomial.fit(one.s, one.variance, 2).convert().coef[2]
        name = f"to variance {end:g} under noise {spread:g}: curvature of the variance"
        # Rounding in second differences.
        return Claim.close(name, curve, exact, 1e-8, "Schroedinger bridges of Gaussians")


def _integral(low: float, high: float) -> float:
    steep = lambda t: max((high - 1) / (1 + (high - 1) * t), (1 - low) / (1 - (1 - low) * t))
    return quad(steep, 0, 1, limit=500, epsabs=1e-9)[0]
