"""Steps of tokens on the sphere, as they are fitted: in double precision, on the host."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from ..._typing import Points
from ...geometry import Sphere
from ..recordings import Recording


@dataclasses.dataclass(frozen=True)
class Step:
    """One step of one text: directions x [n, d], tangent increments u = log_x(x'), and what belongs to it.

    `time` is the number of layers between, `writes` what attention and the MLP add to the states over the
    lengths of these, None where that is not recorded; `text` tells texts apart.
    """

    x: Float[np.ndarray, "n d"]
    u: Float[np.ndarray, "n d"]
    time: float
    writes: tuple[Float[np.ndarray, "n d"], Float[np.ndarray, "n d"]] | None
    text: int


def steps_of(texts: list[Recording], layer: int | None) -> list[Step]:
    """All steps of the texts, or those from one layer alone."""
    first = texts[0].layers.tolist()
    if layer is not None and layer not in first[:-1]:
        raise ValueError(
            f"expected a layer with another one after it, among {first[:-1]}, got {layer}; "
            "leave it out for all steps."
        )
    entries = range(len(first) - 1) if layer is None else [first.index(layer)]
    if not entries:
        raise ValueError("expected two layers or more, got one; record another layer.")
    return [_step(text, entry, k) for k, text in enumerate(texts) for entry in entries]


def step_from(text: Recording, layer: int | None) -> Recording:
    """The recording of the step from a layer alone; of all for None, and where there is no such layer."""
    if layer not in text.layers[:-1]:
        return text
    entry = text.layers.tolist().index(layer)
    return dataclasses.replace(
        text,
        states=text.states[entry : entry + 2],
        mid=None if text.mid is None else text.mid[entry : entry + 1],
        layers=text.layers[entry : entry + 2],
    )


def _step(text: Recording, entry: int, number: int) -> Step:
    before, after = (np.asarray(text.states[k], float) for k in (entry, entry + 1))
    sizes = [np.linalg.norm(z, axis=1)[:, None] for z in (before, after)]
    if any((size == 0).any() for size in sizes):
        raise ValueError("expected nonzero states, got a zero; drop those tokens with .drop.")
    x, y = before / sizes[0], after / sizes[1]
    u = np.asarray(_log(jnp.asarray(x, text.dtype), jnp.asarray(y, text.dtype)), float)
    if ((x * y).sum(axis=1) < 0)[~u.any(axis=1)].any():
        raise ValueError(
            "expected steps of less than half a circle, got a state that is turned round; drop that token."
        )
    writes = None
    if text.mid is not None:
        mid = np.asarray(text.mid[entry], float)
        writes = (mid - before) / sizes[0], (after - mid) / sizes[0]
    time = float(text.layers[entry + 1] - text.layers[entry])
    return Step(x, u, time, writes, number)


@jax.jit
def _log(x: Points, y: Points) -> Points:
    return Sphere(x.shape[1]).log(x, y)
