from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._typing import Scalar, Weights
from ..geometry import AbstractGeometry
from ._base import AbstractParticles, State


class Sum(AbstractParticles):
    """Several flows of the same tokens at once: drifts add, and so do strengths of noise.

    Made by `flow + other`. The first term gives the geometry, the weights and the form of the state.
    Raises ValueError if the terms live on different geometries.
    """

    terms: tuple[AbstractParticles, ...]

    def __check_init__(self):
        if any(term.geometry != self.terms[0].geometry for term in self.terms):
            raise ValueError(
                "expected flows on one geometry, got several; make them with the same."
            )

    @property
    def geometry(self) -> AbstractGeometry:
        return self.terms[0].geometry

    @property
    def weights(self) -> Weights | None:
        return self.terms[0].weights

    @property
    def noise(self) -> Scalar | None:
        strengths = [term.noise for term in self.terms if term.noise is not None]
        return sum(strengths[1:], start=strengths[0]) if strengths else None

    def drift(self, t: Scalar, state: State, args: Any) -> State:
        drifts = [term.drift(t, state, args) for term in self.terms]
        return jax.tree.map(lambda *each: sum(each[1:], start=each[0]), *drifts)

    def project(self, state: State) -> State:
        return self.terms[0].project(state)

    def check(self, state: Any) -> State:
        for term in self.terms:
            state = term.check(state)
        return state

    def jumps(self) -> Float[Array, " jumps"] | None:
        times = [each for each in (term.jumps() for term in self.terms) if each is not None]
        return jnp.concatenate(times) if times else None

    def reweight(self, weights: Weights) -> "Sum":
        terms = tuple(term.reweight(weights) for term in self.terms)
        return Sum(terms)
