"""All cases side by side in one run: a solver is traced and compiled once, not once a case."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from meanfield.dynamics import AbstractDynamics
from meanfield.schemes import AbstractScheme


class SideBySide(AbstractDynamics):
    """Several dynamics that do not see each other: states and args are dicts by name."""

    parts: dict[str, AbstractDynamics]

    def drift(self, t, state, args):
        return {k: part.drift(t, state[k], args[k]) for k, part in self.parts.items()}

    def project(self, state):
        return {k: part.project(state[k]) for k, part in self.parts.items()}

    def check(self, state):
        return {k: part.check(state[k]) for k, part in self.parts.items()}

    def jumps(self):
        return None


class InTurn(AbstractScheme):
    """Several schemes that do not see each other."""

    parts: dict[str, AbstractScheme]

    def step(self, state, args):
        return {k: part.step(state[k], args[k])[0] for k, part in self.parts.items()}, {}

    def project(self, state):
        return {k: part.project(state[k]) for k, part in self.parts.items()}

    def check(self, state):
        return {k: part.check(state[k]) for k, part in self.parts.items()}


def move(system, state, args, t=0.0):
    """The drift of a dynamics, or the next state of a scheme."""
    if isinstance(system, AbstractDynamics):
        return system.drift(jnp.asarray(t, jax.tree.leaves(state)[0].dtype), state, args)
    return system.step(state, args)[0]


def cast(tree: Any, dtype) -> Any:
    """A tree with its floating-point arrays in this dtype."""
    return jax.tree.map(lambda a: a.astype(dtype) if eqx.is_inexact_array(a) else a, tree)


def closeness(a: Any, b: Any) -> float:
    """The largest difference between two states, relative to the larger of 1 and their size."""
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return max(
        float(jnp.abs(p - q).max()) / max(1.0, float(jnp.abs(q).max()))
        for p, q in ((p.astype(float), q.astype(float)) for p, q in pairs)
    )
