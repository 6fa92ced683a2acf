from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, Int

from ..._checks import check_scalar
from ..._typing import Points, Scalar, Weights
from ...dynamics.particles import ArcLength, GradientFlow
from ...energies import AbstractEnergy, AbstractQuantiles, Interaction
from ...geometry import Euclidean
from ...harmonics import AbstractBasis
from ...solve import simulate
from ..machinery import Claim, Study, some_of

PAPER = "Geshkovski, Koubbi, Polyanskiy, Rigollet 2024, arXiv 2410.06833"
START = np.log(2000) / np.sqrt(2000) * np.array([0, 0.25, 1, 2, 3.5])
"""The angles of the five tokens."""
PUBLISHED_ENDS = {500: 0.12237, 2000: 0.10082, 4000: 0.09238}
"""Where the published iteration ends: lr times the step at which all tokens coincide."""
PLATEAUS = (0.28, 0.44, 0.52, 1.0)
"""sum_k m_k^2 / n^2 as the clusters become {2,1,1,1}, {3,1,1}, {3,2}, {5}."""


class AngularEnergy(AbstractEnergy):
    """The energy of tokens on the circle as a function of their angles theta [n, 1].

    E(theta) = sum_ij w_i w_j e^{beta (cos(theta_i - theta_j) - 1)}

    In angles a token exerts exactly no force on itself. In ambient coordinates that force is a
    rounding error of 1e-16, which drowns the forces e^{-beta (1 - cos)} between far clusters.
    """

    beta: Scalar = eqx.field(converter=lambda b: check_scalar(b, "beta"))

    def _of_points(self, x: Points, w: Weights | None) -> Scalar:
        kernel = jnp.exp(-2 * self.beta.astype(x.dtype) * jnp.sin((x - x.T) / 2) ** 2)
        return kernel.mean() if w is None else w @ kernel @ w

    def _of_density(self, basis: AbstractBasis, coeffs: Float[Array, " k"]) -> Scalar:
        scaled = Interaction(self.beta, offset=self.beta).on_density(basis, coeffs)
        return 2 * self.beta.astype(coeffs.dtype) * scaled

    def _of_quantiles(self, domain: AbstractQuantiles, x: Float[Array, " n"]) -> Scalar:
        return self._of_points(x[:, None], jnp.asarray(domain.masses(x.shape[0]), x.dtype))


@dataclass(frozen=True, kw_only=True)
class Staircase(Study):
    """The energy of five tokens on the circle climbs by steps, in a rescaled time.

    E(theta) = 1/n^2 sum_ij e^{beta (cos(theta_i - theta_j) - 1)} is ascended at the speed ln(beta) in
    the norm of R^n; plateaus are sum_k m_k^2/n^2 over the sizes m_k of clusters. Two modes:

    - `faithful_...`: the published iteration theta += lr ln(beta) g/|g|, g = grad E / 2, in which
      tokens closer than 1e-3 are joined while |g| < 1e-5; energies at every tenth step.
    - accurate: the same flow by `ArcLength` with adaptive steps and merging at 1e-6.

    Source: Geshkovski, Koubbi, Polyanskiy, Rigollet, arXiv 2410.06833, and its authors' code.
    """

    beta: tuple[float, ...] = (500.0, 1000.0, 1500.0, 2000.0, 3000.0, 4000.0)
    """Inverse temperatures."""
    lr: float = 1e-5
    """Step of the published iteration, in rescaled time."""
    rescaled_time: float = 0.13
    """Rescaled time at which to stop; all tokens have merged by .12237 if beta >= 500."""

    GRID: ClassVar = {"beta": "beta"}
    QUANTITIES: ClassVar = {
        "energy": "energy",
        "faithful_energy": "energy, published steps",
        "merged": "rescaled time of a merge",
        "plateau": "energy at that merge",
        "s": "rescaled time",
        "step": "rescaled time, published steps",
    }

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        steps = round(self.rescaled_time / self.lr)
        energies, end = _published(
            jnp.asarray(START), jnp.asarray(cell["beta"]), jnp.asarray(self.lr), steps
        )
        return self._accurate(cell["beta"]).assign(
            faithful_energy=("step", energies[::10], {"long_name": "energy"}),
            faithful_end=((), self.lr * int(end), {"long_name": "rescaled time of the last merge"}),
            step=self.lr * np.arange(0, steps, 10),
        )

    def _accurate(self, beta: float) -> xr.Dataset:
        energy = AngularEnergy(beta)
        speed = np.log(beta) / np.sqrt(START.size)  # ArcLength takes the mean over tokens
        flow = ArcLength(GradientFlow(Euclidean(1), -energy), speed)
        s = jnp.linspace(0.0, self.rescaled_time, 131)
        # A loose tolerance lets pairs step to and fro about their collision without merging.
        run = simulate(
            flow, jnp.asarray(START)[:, None], s, merge=1e-6, tol=1e-8,
            observe={"energy": jax.tree_util.Partial(_energy_of, energy), "clock": _clock},
        )  # fmt: skip
        assert run.merges is not None
        levels = np.asarray(run.values["energy"])
        merged, late = run.merges.time, np.full(START.size - 1 - run.merges.time.size, np.nan)
        return xr.Dataset(
            {
                "energy": ("s", levels),
                "clock": ("s", run.values["clock"], {"long_name": "time of the flow"}),
                "merged": ("event", np.append(merged, late)),
                "plateau": ("event", np.append(levels[np.searchsorted(s, merged)], late)),
                "rhs": ((), run.stats["rhs"], {"long_name": "right-hand sides"}),
            },
            {"s": s},
        )

    def tiny(self) -> "Staircase":
        return replace(self, beta=some_of(self.beta, (2000.0,)))

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        claims = [claim for beta in self.beta for claim in self._ends(dataset.sel(beta=beta))]
        largest = max(self.beta)
        at = dataset.sel(beta=largest)
        # At beta = 2000, just after a merge, other pairs add e^{-beta (1 - cos .13)} = 5e-8 at most.
        for value, level in zip(at.plateau.values, PLATEAUS, strict=True):
            name = f"plateau {level}, beta={largest:g}"
            claims.append(Claim.close(name, value, level, 1e-4, f"{PAPER}: sum m_k^2/n^2"))
        # Second-nearest pairs move by e^{-beta (cos g - cos g')}, which is 1e-3 at beta = 2000.
        length, expected = float(at.merged[-1]) * np.log(largest), limit_length(START)
        name = f"length of the path, beta={largest:g}"
        source = "beta -> infinity: the closest clusters collide, one pair after the other"
        return [*claims, Claim.close(name, length, expected, 1e-3 * expected, source)]

    def _ends(self, at: xr.Dataset) -> list[Claim]:
        beta, faithful, claims = float(at.beta), float(at.faithful_end), []
        if self.lr == 1e-5 and (published := PUBLISHED_ENDS.get(round(beta))):
            # half a unit of the last digit
            name, source = f"end of the published iteration, beta={beta:g}", f"{PAPER}, code"
            claims.append(Claim.close(name, faithful, published, 5e-6, source))
        # The iteration steps to and fro about each of four collisions before it joins the tokens.
        name, source = f"end by arc length, beta={beta:g}", "the published iteration as lr -> 0"
        return [*claims, Claim.close(name, at.merged[-1], faithful, 5 * self.lr, source)]


def limit_length(angles: Float[np.ndarray, " n"]) -> float:
    """Length in R^n of the path on which the closest clusters collide one after the other.

    Masses m and m' at a distance g meet at their mean: a length g sqrt(m m'/(m + m')).
    """
    places, sizes, length = list(np.sort(angles)), [1] * len(angles), 0.0
    while len(places) > 1:
        k = int(np.argmin(np.diff(places)))
        gap, (a, b) = places[k + 1] - places[k], sizes[k : k + 2]
        length += gap * np.sqrt(a * b / (a + b))
        places[k : k + 2] = [places[k] + gap * b / (a + b)]
        sizes[k : k + 2] = [a + b]
    return float(length)


@partial(jax.jit, static_argnums=3)
def _published(
    theta: Float[Array, " n"], beta: Scalar, lr: Scalar, steps: int
) -> tuple[Float[Array, " steps"], Int[Array, ""]]:
    """Energies of the published iteration, and the number of steps at which all tokens coincide."""
    number = jnp.arange(theta.size)

    def step(theta, _):
        gaps = theta[:, None] - theta
        kernel = jnp.exp(beta * (jnp.cos(gaps) - 1))
        gradient = -(jnp.sin(gaps) * kernel).mean(axis=1) / theta.size
        size = jnp.linalg.norm(gradient)
        moved = theta + lr * jnp.log(beta) * gradient / jnp.where(size > 0, size, 1)
        joined = moved
        for j in range(theta.size):
            near = (jnp.abs(joined - joined[j]) < 1e-3) & (number > j)
            joined = jnp.where(near, joined[j], joined)
        return jnp.where(size < 1e-5, joined, moved), (kernel.mean(), size > 0)

    _, (energies, moving) = jax.lax.scan(step, theta, length=steps)
    return energies, moving.sum()


def _energy_of(energy: AngularEnergy, state) -> Scalar:
    return energy(state[0])


def _clock(state) -> Scalar:
    return state[1]
