from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..._door import door
from ..._typing import Labels, Points, Weights
from ...geometry import AbstractGeometry
from .._cloud_checks import masses, on_geometry
from ._chain import groups, heavy


@door
def abstraction_error(
    move: Callable,
    x: Points,
    labels: Labels,
    w: Weights | None = None,
    geometry: AbstractGeometry | None = None,
) -> Float[Array, " k"]:
    """How far "clusters as tokens" is from a model of the tokens: the defect of the commuting square.

        error_I = distance( tau(move(x, w))_I,  move(tau(x), W)_I )

    tau replaces each group by one token at its center of mass, projected on the geometry, of its whole mass.
    One way round the square moves all tokens and then groups them, the other moves the groups as tokens.
    0 for groups of coincident tokens; else it grows with the width of the groups.

    - `move(x, w)`: a cloud [n, d] of masses w [n], moved: any number of points. Along a run, for example
      `lambda x, w: mf.simulate(flow(w), x, ts).final`, with `flow` that makes a dynamics of masses.
    - `labels` [n]: equal for tokens of one group; known, not traced. `w`: uniform if None.
    - `geometry`: the unit sphere if None, with great-circle distances in radians.

    Returns the error of each group [k], in the order of labels. Raises ValueError for labels that do not fit,
    groups without mass, and a `move` that does not return a cloud of the shape that it got. Source:
    Rubenstein et al., Causal consistency of structural equation models, UAI 2017, arXiv 1707.00819.
    """
    x, geometry = on_geometry(x, geometry)
    k, at = groups(labels, len(x))
    w = masses(w, x)
    members = jnp.asarray(at == np.arange(k)[:, None]).astype(x.dtype) * w
    mass = heavy(members.sum(axis=1), "labels")
    share = members / mass[:, None]
    below = geometry.project(share @ _moved(move, x, w))
    above = _moved(move, geometry.project(share @ x), mass)
    return geometry.distance(below, above)


def _moved(move: Callable, x: Points, w: Weights) -> Points:
    found = move(x, w)
    if not isinstance(found, jax.Array) or found.shape != x.shape:
        raise ValueError(
            f"expected move to return a cloud of shape {list(x.shape)}, got "
            f"{list(getattr(found, 'shape', []))}; pass move(x, w) -> x."
        )
    return found
