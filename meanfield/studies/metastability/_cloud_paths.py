from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from scipy.optimize import root

from ...energies import AbstractEnergy, Interaction, Potential
from ...landscape.clouds import cloud_string, saddle
from ..machinery import AbstractCellwiseStudy, Claim, check_that, some_of

WELL = 2 * np.pi / 3
LEGS = "first", "second", "together"
ANGLES = np.linspace(-0.7, WELL + 0.7, 71)
GRADIENT = "zeros of the gradient in two angles"


@dataclass(frozen=True, kw_only=True)
class CloudPaths(AbstractCellwiseStudy):
    """How two tokens that attract each other go from one well on the circle to the next.

        E = -(cos 3 t_1 + cos 3 t_2)/6 - pull E_beta,    E_beta with e^{beta (cos(t_1 - t_2) - 1)}

    One by one, in two legs, or together over a saddle 2/3 high: of index 1 where `pull` > 3, which is -U''
    at the top, and else of index 2, so that no minimum-energy path goes there. `height` is that of the
    saddle to which the string's highest image climbed, `energy` that of the landscape.

    Source: E, Ren, Vanden-Eijnden, J. Chem. Phys. 126 (2007) 164103, for the string.
    """

    pull: tuple[float, ...] = (0.5, 3.5)
    """Strengths of attraction; other than 3."""
    beta: float = 1.0
    """Inverse temperature."""
    images: int = 33
    """Clouds along each path."""

    GRID: ClassVar = {"pull": "pull"}
    QUANTITIES: ClassVar = {
        "pull": "strength of attraction",
        "energy": "energy",
        "path": "angle of a token along the path [rad]",
        "along": "energy along the path",
        "arc": "length of the path so far, in W2 [rad]",
        "height": "height of the saddle",
        "top": "angle of a token at the saddle [rad]",
        "found": "whether a saddle of index 1 was found on the path",
        "leg": "path",
        "image": "image",
        "token": "token",
        "other": "angle of the other token [rad]",
    }

    def check(self) -> None:
        check_that(min(self.pull) >= 0, "pull >= 0", min(self.pull), "pass pull=(0.5,)")
        check_that(3.0 not in self.pull, "pull other than 3", self.pull, "pass pull=(0.5, 3.5)")

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        energy = _energy(cell["pull"], self.beta)
        rest = [saddle(energy, _cloud(t), 0).x for t in ((0, 0), (WELL, 0), (WELL, WELL))]
        w = jnp.full(2, 0.5)
        legs = [
            cloud_string(energy, rest[i], rest[j], w, images=self.images, time=60.0)
            for i, j in ((0, 1), (1, 2), (0, 2))
        ]
        path = np.stack([_angles(leg.x) for leg in legs])
        return xr.Dataset(
            {
                "energy": (("angle", "other"), _landscape(energy)),
                "path": (("leg", "image", "token"), path),
                "along": (("leg", "image"), np.stack([leg.energy for leg in legs])),
                "arc": (("leg", "image"), np.stack([leg.arc for leg in legs])),
                "height": ("leg", np.array([leg.height for leg in legs])),
                "top": (("leg", "token"), np.stack([_angles(leg.saddle.x) for leg in legs])),
                "found": ("leg", np.array([leg.converged for leg in legs])),
            },
            {"angle": ANGLES, "other": ANGLES, "leg": list(LEGS), "image": range(self.images)},
        )

    def tiny(self) -> "CloudPaths":
        return replace(self, pull=some_of(self.pull, (3.5,)), images=9)

    def claims_at(self, cell: dict[str, Any], at: xr.Dataset) -> list[Claim]:
        pull = cell["pull"]
        claims = []
        legs = {"first": ((0.0, 0.0), (WELL / 2, 0.0)), "second": ((WELL, 0.0), (WELL, WELL / 2))}
        for leg, (start, top) in legs.items():
            exact = self._value(pull, top) - self._value(pull, start)
            name = f"height of the {leg} leg, pull={pull:g}"
            # Newton's method on both sides; heights are stationary.
            claims.append(Claim.close(name, at.height.sel(leg=leg), exact, 1e-10, GRADIENT))
        name, source = f"a saddle of index 1 together, pull={pull:g}", "curvature 3 against pull"
        both = at.sel(leg="together")
        claims.append(Claim.holds(name, bool(both.found) == (pull > 3), source))
        if pull > 3:
            name = f"height together, pull={pull:g}"
            claims.append(Claim.close(name, both.height, 2 / 3, 1e-10, "cos 0 - cos pi over 3"))
        return claims

    def _value(self, pull: float, guess: tuple[float, float]) -> float:
        """The energy at the zero of its gradient near a guess."""

        def slopes(t):
            away = np.sin(t[1] - t[0]) * np.exp(self.beta * (np.cos(t[1] - t[0]) - 1))
            return np.sin(3 * np.array(t)) + pull / 2 * away * np.array([-1, 1])

        t = root(slopes, guess, tol=1e-13).x
        kernel = np.exp(self.beta * (np.cos(t[0] - t[1]) - 1))
        return -np.cos(3 * t).mean() / 3 - pull * (1 + kernel) / (4 * self.beta)


def _energy(pull: float, beta: float) -> AbstractEnergy:
    return Potential(_wells) + pull * -Interaction(beta, offset=beta)


def _wells(x):
    return -(4 * x[0] ** 3 - 3 * x[0]) / 3


def _cloud(t) -> jax.Array:
    t = jnp.asarray(t, float)
    return jnp.stack([jnp.cos(t), jnp.sin(t)], axis=-1)


def _angles(x) -> np.ndarray:
    return np.arctan2(np.asarray(x)[..., 1], np.asarray(x)[..., 0])


def _landscape(energy: AbstractEnergy) -> np.ndarray:
    pairs = np.stack(np.meshgrid(ANGLES, ANGLES, indexing="ij"), axis=-1).reshape(-1, 2)
    values = jax.lax.map(energy, _cloud(pairs))
    return np.asarray(values).reshape(ANGLES.size, ANGLES.size)
