from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ...attention.kernels import Softmax
from ...dynamics.particles import AttentionFlow
from ...games.control import ConsensusGame, pontryagin_residual
from ...games.equilibrium import nash, planner
from ...geometry import Sphere
from ...measures import Uniform
from ..machinery import AbstractCellwiseStudy, Claim, some_of


@dataclass(frozen=True, kw_only=True)
class ConsensusGames(AbstractCellwiseStudy):
    """Transformers of one text on the sphere that steer toward each other, each at a cost of its own.

    Models of different temperatures start from copies of the same tokens, each off by `apart`, and
    pay for control and for the squared distance of their tokens to those of the others. By themselves
    (`nash`) they do too little; a planner makes all do more, and each would save by doing less.

    Over (who, weight, model): `cost`, what each pays, and `saving`, what it could save by its best
    response, `residual`, how far it is from the maximum principle; `stability`, by what a small change of all
    controls shrinks in a round of best responses; `together`, the sum of the costs,
    and that of models that do nothing, `idle`.
    """

    weights: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 8.0)
    """Weights of the distance, running and terminal."""
    betas: tuple[float, ...] = (1.0, 4.0, 9.0)
    """Inverse temperatures, one a model."""
    n: int = 4
    """Tokens of a model."""
    apart: float = 0.6
    """How far copies of a token are from it, in radians."""
    t_end: float = 1.0
    """How long the game lasts."""
    frames: int = 13
    """Times at which controls bend."""

    GRID: ClassVar = {"weight": "weights"}
    QUANTITIES: ClassVar = {
        "cost": "what a model pays",
        "saving": "what a model could save by itself",
        "residual": "how far from the maximum principle",
        "together": "sum of the costs",
        "idle": "sum of the costs without control",
        "contraction": "factor of a round of best responses",
        "stability": "factor of a perturbation in a round of best responses",
        "who": "models by themselves, or a planner",
        "weight": "weight of the distance",
        "temperature": "inverse temperature of a model",
        "model": "number of the model",
    }

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        sphere, made = Sphere(3), _made
        flows = [AttentionFlow(sphere, Softmax(beta)) for beta in self.betas]  # pyright: ignore[reportCallIssue]
        game = made(flows, cell["weight"])
        x0, ts = self._start(sphere), jnp.linspace(0.0, self.t_end, self.frames)
        found = {"nash": nash(game, x0, ts), "planner": planner(game, x0, ts)}
        residuals = [
            pontryagin_residual(game, one.controls, x0, ts, planned=who == "planner")
            for who, one in found.items()
        ]
        each = lambda name: np.array([getattr(one, name) for one in found.values()])
        idle = game.costs(game.blank(x0, ts), x0, ts)
        dims = ("who", "model")
        return xr.Dataset(
            {
                "cost": (dims, each("costs")),
                "saving": (dims, each("exploitability")),
                "residual": (dims, np.array(residuals)),
                "together": ("who", each("costs").sum(axis=1)),
                "converged": ("who", each("converged")),
                "idle": ((), idle.sum()),
                "contraction": ((), float(found["nash"].contraction)),
                "stability": ((), float(found["nash"].stability)),
                "temperature": ("model", np.array(self.betas)),
            },
            {"who": list(found), "model": np.arange(len(self.betas))},
        )

    def tiny(self) -> "ConsensusGames":
        kept = {"weights": some_of(self.weights, (2.0,)), "betas": some_of(self.betas, (1.0, 4.0))}
        return replace(self, **kept, n=2, frames=7)

    def claims_at(self, cell: dict[str, Any], one: xr.Dataset) -> list[Claim]:
        claims = []
        weight = cell["weight"]
        where = f"weight {weight:g}"
        alone, best = one.sel(who="nash"), one.sel(who="planner")
        share = alone.saving.max() / alone.together
        source = "what an equilibrium is"
        claims.append(Claim.at_most(f"{where}: share that one can save", share, 0, source, 1e-6))
        title, source = f"{where}: factor of perturbed play", "below 1 it comes back"
        claims.append(Claim.at_most(title, one.stability, 0, source, 0.99))
        over = best.together / alone.together
        claims.append(
            Claim.at_most(f"{where}: planner over Nash", over, 1, "a planner is best", 1e-9)
        )
        tempted = best.saving.min() / best.together
        source = "a planner's players bear the costs of others"
        claims.append(Claim.at_least(f"{where}: least temptation", tempted, 1e-5, source))
        # Kinks leave h^2 u''/(12 sqrt 5), and u'' is about (3 weight + rates of the flow)^2.
        step = self.t_end / (self.frames - 1)
        kinks = step**2 * (3 * weight + 4) / 5
        title = f"{where}: off the maximum principle"
        claims.append(
            Claim.at_most(title, one.residual.max(), 0, "Pontryagin et al. (1962)", kinks)
        )
        return claims

    def _start(self, sphere: Sphere):
        first, *keys = jax.random.split(jax.random.key(self.seed), len(self.betas) + 1)
        text = Uniform(3).sample(first, self.n)  # pyright: ignore[reportCallIssue]

        def copy(key):
            push = sphere.to_tangent(text, jax.random.normal(key, text.shape))
            return sphere.exp(
                text, self.apart * push / jnp.linalg.norm(push, axis=1, keepdims=True)
            )

        return jnp.stack([copy(key) for key in keys])


def _made(flows: list, weight: float) -> ConsensusGame:
    return ConsensusGame(flows, weight, weight)
