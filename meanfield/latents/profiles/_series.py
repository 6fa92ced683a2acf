"""What is measured of the states of tokens as series over layers."""

import math

import jax.numpy as jnp
import numpy as np

from ...observables import rotations
from ..recordings import Recording

NAMES = {
    "rotations": "rotations of (value, change) of a coordinate over the layers, in the mean",
    "rotations_signs": "the same with increments of random signs",
    "rotations_walk": "the same of a random walk with increments of the same sizes",
    "rotations_white": "the same of white noise, (layers - 3)/(4 sqrt 2)",
}
"""Quantities of one number a text; those after the first are nulls."""


def of_series(text: Recording, seed: int) -> dict[str, float]:
    """The quantities above of one text of four layers or more; none for fewer."""
    states = np.asarray(text.states, text.dtype)
    if len(states) < 4:
        return {}
    rng = np.random.default_rng(seed)
    moves = np.diff(states, axis=0)
    signs = rng.choice(np.array([-1, 1], states.dtype), moves.shape)
    sizes = np.sqrt((moves**2).mean(axis=(1, 2), keepdims=True))
    walk = sizes * rng.standard_normal(moves.shape, np.float32).astype(states.dtype)
    series = {"": states, "_signs": _summed(states, signs * moves), "_walk": _summed(states, walk)}
    found = {f"rotations{name}": _turns(values) for name, values in series.items()}
    return found | {"rotations_white": (len(states) - 3) / (4 * math.sqrt(2))}


def _summed(states: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """The series that starts as the states do and makes other moves."""
    return np.cumsum(np.concatenate([states[:1], moves]), axis=0)


def _turns(states: np.ndarray) -> float:
    return float(rotations(jnp.moveaxis(jnp.asarray(states), 0, -1)).mean())
