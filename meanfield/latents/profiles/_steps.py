"""What is measured between a layer and the next."""

import itertools

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..._typing import Points
from ...geometry import Sphere
from ...observables import gaussian_information
from ...transport import Coupling, Exact, SquaredGeodesic, wasserstein
from ..recordings import Recording

NAMES = {
    "wasserstein": "geodesic W2 distance of the directions, exact",
    "displacement": "root mean square angle between a token and itself",
    "identity": "share of tokens that the optimal assignment leaves to themselves",
    "speed": "mean length of the increments",
    "turning": "mean angle between a token and itself",
    "growth": "mean change of the lengths",
    "information": "mutual information of a coordinate with itself, normal, nats",
    "autocorrelation": "mean cosine of an increment and the one before",
    "attention_write": "mean length of what attention adds over that of the states",
    "mlp_write": "mean length of what the MLP adds over that of the states",
    "write_cosine": "mean cosine of what attention and the MLP add",
}
"""Quantities of one number a step; the first step has no increment before it. Those of writes need
the states in the middle of layers."""


def of_steps(text: Recording) -> dict[str, np.ndarray]:
    """The quantities above of one text, each [step]."""
    clouds = [text.cloud(entry) for entry in range(len(text.states))]
    moves = [_of_move(x, y) for x, y in itertools.pairwise(clouds)]
    found = {name: np.array([float(move[name]) for move in moves]) for name in moves[0]}
    found |= _transported(clouds)
    found["autocorrelation"] = _autocorrelation(text)
    return found | (_writes(text) if text.mid is not None else {})


@eqx.filter_jit
def _of_move(x: Points, y: Points) -> dict[str, Array]:
    before, after = (jnp.linalg.norm(z, axis=1) for z in (x, y))
    angle = Sphere(x.shape[1]).distance(x / before[:, None], y / after[:, None])
    return {
        "displacement": jnp.sqrt(jnp.mean(angle**2)),
        "turning": angle.mean(),
        "speed": jnp.linalg.norm(y - x, axis=1).mean(),
        "growth": (after - before).mean(),
        "information": gaussian_information(x, y),
    }


def _transported(clouds: list[Points]) -> dict[str, np.ndarray]:
    units = [Sphere(x.shape[1]).project(x) for x in clouds]
    found = [
        wasserstein(u, v, cost=SquaredGeodesic(), method=Exact())
        for u, v in itertools.pairwise(units)
    ]
    return {
        "wasserstein": np.array([float(one.value) for one in found]),
        "identity": np.array([_share_of_identity(one.solution) for one in found]),
    }


def _share_of_identity(coupling) -> float:
    assert isinstance(coupling, Coupling)
    return float(coupling.mass[coupling.rows == coupling.columns].sum())


def _autocorrelation(text: Recording) -> np.ndarray:
    """Of each step with the one before; NaN for the first."""
    moves = np.asarray(text.increments())
    cosines = [_cosine(a, b).mean() for a, b in itertools.pairwise(moves)]
    return np.array([np.nan, *cosines])


def _writes(text: Recording) -> dict[str, np.ndarray]:
    assert text.mid is not None
    found = []
    for entry, mid in enumerate(np.asarray(text.mid, text.dtype)):
        x, y = (np.asarray(text.cloud(e)) for e in (entry, entry + 1))
        size = np.linalg.norm(x, axis=1)
        parts = [np.linalg.norm(z, axis=1) / size for z in (mid - x, y - mid)]
        found.append([parts[0].mean(), parts[1].mean(), _cosine(mid - x, y - mid).mean()])
    columns = np.array(found).T
    return dict(zip(("attention_write", "mlp_write", "write_cosine"), columns, strict=True))


def _cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of each row; NaN where one is 0."""
    sizes = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.where(sizes > 0, (a * b).sum(axis=1) / np.where(sizes > 0, sizes, 1), np.nan)
