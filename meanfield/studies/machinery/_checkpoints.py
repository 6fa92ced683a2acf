from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..._typing import Points
from ...attention.kernels import AbstractAttention, Unnormalized
from ...dynamics.particles import AttentionFlow, PostNorm
from ...geometry import Sphere
from ...schemes import AbstractScheme, TransformerLayers
from ...solve import rollout, simulate
from ._study import Study


@dataclass(frozen=True, kw_only=True)
class AbstractCheckpointStudy(Study):
    """A study of tokens on the sphere at evenly spaced times, in one of two modes.

    `faithful` takes the layers x <- N(x + h f(x)) of published codes, whose step for unnormalized
    attention is h = .1/max(sqrt(beta) e^{beta - 1/2}, 1), or a little less, so that steps end at the
    checkpoints; otherwise the flow that they approximate is integrated adaptively.
    """

    end: float = 30.0
    """Final time."""
    checkpoints: int = 150
    """Times after the start at which tokens are looked at, evenly spaced."""
    faithful: bool = False
    """Take the layers x <- N(x + h f(x)) of the published code; by default adaptive Tsit5."""
    substeps: int = 2
    """Layers between two checkpoints, where faithful: h = .1 at the published size."""
    tol: float = 1e-4
    """Tolerance of the adaptive integrator."""

    def times(self) -> jax.Array:
        """The start and the checkpoints."""
        return jnp.linspace(0.0, self.end, self.checkpoints + 1)

    def step(self) -> float:
        """The step h of the layers."""
        return self.end / (self.checkpoints * self.substeps)

    def integrator(self) -> str:
        """The mode, as figures name it."""
        return f"layers, step {self.step():.3g}" if self.faithful else f"Tsit5, tol {self.tol:.0e}"

    def layers_between(self, attention: AbstractAttention) -> jax.Array | int:
        """The number of layers from one checkpoint to the next."""
        if not isinstance(attention, Unnormalized):
            return self.substeps
        stiffness = jnp.sqrt(attention.beta) * jnp.exp(attention.beta - 0.5)
        published = 0.1 / jnp.maximum(stiffness, 1)
        published = published * jnp.exp(attention.offset)  # which makes time run slower
        return jnp.ceil(self.end / self.checkpoints / published)

    def follow(
        self, attention: AbstractAttention, x: Points, observe: dict[str, Callable]
    ) -> tuple[dict[str, Any], jax.Array]:
        """What is observed at `times()`, and whether the run ended well."""
        if self.faithful:
            count = self.layers_between(attention)
            step = self.end / self.checkpoints / count
            layers = TransformerLayers(x.shape[-1], attention, PostNorm(), step)
            path = rollout(
                _Several(layers, count), x, self.checkpoints, observe=observe, throw=False
            )
            return path.values, path.ok
        flow = AttentionFlow(Sphere(x.shape[-1]), attention)
        path = simulate(flow, x, self.times(), observe=observe, tol=self.tol, throw=False)
        return path.values, path.ok


class _Several(AbstractScheme):
    """Several steps of a scheme as one: their number need not be known when it is compiled."""

    scheme: AbstractScheme
    count: jax.Array | int

    def step(self, state: Points, args: Any) -> tuple[Points, dict[str, jax.Array]]:
        return jax.lax.fori_loop(
            0, jnp.asarray(self.count, int), lambda _, x: self.scheme.step(x, args)[0], state
        ), {}

    def project(self, state: Points) -> Points:
        return self.scheme.project(state)

    def check(self, state: Any) -> Points:
        return self.scheme.check(state)


@dataclass(frozen=True, kw_only=True)
class AbstractDiagramStudy(AbstractCheckpointStudy):
    """A map over time and inverse temperature of how often two tokens have met."""

    betas: int = 90
    """Inverse temperatures, evenly spaced."""
    beta_min: float = 0.1
    """The smallest of them."""
    beta_max: float = 9.0
    """The largest of them."""
    delta: float = 1e-3
    """Tokens have met when <x_1, x_2> >= 1 - delta."""
    chunk: int = 15
    """Inverse temperatures a cell."""

    def sweep(self, name: str, values: tuple) -> list[dict[str, Any]]:
        """A cell for each value and chunk of the inverse temperatures."""
        chunks = range(0, self.betas, self.chunk)
        return [{name: value, "first": first} for value in values for first in chunks]

    def inverse_temperatures(self, first: int) -> np.ndarray:
        """Those of the chunk that begins with this number."""
        betas = np.linspace(self.beta_min, self.beta_max, self.betas)
        return betas[first : first + self.chunk]
