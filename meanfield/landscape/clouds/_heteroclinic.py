import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ..._checks import check_integer, check_known
from ..._door import door
from ..._shown import AbstractShown
from ..._typing import Key, Points, Scalar
from ...energies import AbstractEnergy
from ...geometry import Sphere
from .._precision import in_double
from ._critical_points import CriticalPoints, alike
from ._descent import Descent, descent
from ._hessian import frames
from ._search import CriticalPoint, curved, roots, search
from ._stabilizer import fixed_by, kept_by, symmetry
from ._symmetries import symmetries

_AWAY = 1e-3
"""How far from a saddle an orbit begins, in the metric of weights."""
_TRIES = 4
"""How many choices of symmetries are tried for one that some direction down has."""


class HeteroclinicGraph(AbstractShown):
    """Which stationary clouds lead to which, by orbits of steepest descent.

    `states`: the m clouds; `orbits` [m, m]: how many orbits left state i, the row, and came to state j,
    the column; `lost` [m]: how many of those that left ended at none of the states.
    """

    states: CriticalPoints
    orbits: Int[Array, "m m"]
    lost: Int[Array, " m"]


@door
@in_double
def heteroclinic_graph(
    energy: AbstractEnergy,
    states: CriticalPoints,
    key: Key,
    directions: int = 16,
    *,
    max_steps: int = 1000,
) -> HeteroclinicGraph:
    """The graph of stationary clouds: an edge for orbits of steepest descent from one to another.

        x' = -grad E(x),    x(0) = saddle + 1e-3 u,    u in the span of the directions in which E falls

    in the metric sum_i |v_i|^2/n, `GradientFlow` of n equal tokens. From a saddle of index 1 there are two
    orbits, u = +-v. From one of higher index u are all eigenvectors, both ways, and `directions` random
    ones. Nearly all orbits end at a minimum: these u are symmetric under one or two random symmetries
    of the saddle (permutations with rotations or reflections), which descent keeps, so that they end at
    saddles between, too. An orbit has come to a state when its speed is 1e-6
    of the largest rate; Newton's method finds which, up to rotations, reflections and permutations, by
    energy and spectrum.

    - `states`: what `critical_points` found; those that lack among them leave orbits `lost`.
    - `directions`: none that is missing from the graph is proved not to exist; raise it for more.
    - `max_steps`: the most steps of an orbit, of .03 in the metric; some hundred are usual.

    Of three tokens on the circle under `-Interaction(beta)` triangles lead to pairs with a third opposite
    and to one cluster, pairs to one cluster.

    Raises ValueError where a state is not stationary under this energy, and under jit.
    Source: Conley, Isolated Invariant Sets and the Morse Index (1978), for connecting orbits.
    """
    check_known((energy, states, key), "states", "call heteroclinic_graph outside of jax.jit")
    directions = check_integer(directions, "directions")
    max_steps = check_integer(max_steps, "max_steps")
    algebra = symmetries(energy, *states.x.shape[1:])
    known, down = _at_rest(energy, states.x, states.index, algebra)
    if not bool(known.converged.all()):
        i = int(jnp.argmin(known.converged))
        raise ValueError(
            f"expected stationary clouds of this energy, got state {i}, which is none of index "
            f"{int(states.index[i])}; pass critical_points(energy, ...) of the same energy."
        )
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)).ravel().tolist())
    value = functools.partial(_energy, energy)
    starts = [
        (i, start, fixed)
        for i in range(len(known.x))
        for start, fixed in _starts(
            np.asarray(known.x[i]), np.asarray(down[i]), int(known.index[i]), directions, value, rng
        )
    ]
    count = len(known.x)
    orbits, left = np.zeros((count, count), int), np.zeros(count, int)
    if starts:
        origins, clouds, projections = zip(*starts, strict=True)
        run = _descents(energy, jnp.stack(clouds), jnp.stack(projections), algebra, max_steps)
        np.add.at(left, np.array(origins), 1)
        for i, j in zip(origins, _names(run, known), strict=True):
            if j is not None:
                orbits[i, j] += 1
    return HeteroclinicGraph(states, jnp.asarray(orbits), jnp.asarray(left - orbits.sum(axis=1)))


@eqx.filter_jit
def _energy(energy: AbstractEnergy, x: Points) -> Scalar:
    return energy(x)


@eqx.filter_jit
def _at_rest(energy, x, index, algebra) -> tuple[CriticalPoint, Float[Array, "m n d k"]]:
    """The states to rounding, and the eigenvectors of their Hessians, those that fall most first."""

    def one(x, index):
        w = jnp.full(len(x), 1 / len(x), x.dtype)
        found = search(energy, x, w, algebra, index, 20)
        bases = frames(found.x)
        _, matrix, stiff = curved(energy, found.x, w, bases, algebra)
        vectors = jnp.linalg.eigh(matrix + stiff)[1] / roots(w, x)[:, None]
        vectors = vectors.reshape(len(x), -1, len(matrix))
        near = jnp.linalg.norm(found.x - x, axis=1).max() <= _AWAY
        found = eqx.tree_at(lambda f: f.converged, found, found.converged & near)
        return found, jnp.einsum("ndu,nuk->ndk", bases, vectors, precision="highest")

    return jax.lax.map(lambda pair: one(*pair), (x, index))


def _starts(x: np.ndarray, down: np.ndarray, index: int, directions: int, value, rng):
    """Clouds beside a saddle, each with the projection to those that have the same symmetries."""
    n, d = x.shape
    whole = np.eye(n * d).reshape(n, d, n, d)
    for k in range(index):
        for sign in (1, -1):
            yield _beside(x, sign * down[..., k]), whole
    for _ in range(directions if index > 1 else 0):
        yield _symmetric_start(x, down[..., :index], value, rng)


def _symmetric_start(x: np.ndarray, down: np.ndarray, value, rng) -> tuple[np.ndarray, np.ndarray]:
    """A random direction down that symmetries keep; any one, where those that are tried keep none."""
    n, d = x.shape
    u = down @ rng.standard_normal(down.shape[-1])
    for _ in range(_TRIES):
        pairs = [symmetry(x, rng) for _ in range(rng.integers(1, 3))]
        cloud = np.asarray(Sphere(d).sample(jax.random.key(int(rng.integers(2**31))), n))
        if kept_by(value, pairs, cloud):
            fixed = fixed_by(pairs, n, d).reshape(n, d, n, d)
            along = np.einsum("ndme,me->nd", fixed, u)
            if np.linalg.norm(along) > 1e-3 * np.linalg.norm(u):
                return _beside(x, along), fixed
    return _beside(x, u), np.eye(n * d).reshape(n, d, n, d)


def _beside(x: np.ndarray, u: np.ndarray) -> np.ndarray:
    cloud = x + _AWAY * u / np.sqrt((u**2).sum() / len(x))
    return cloud / np.linalg.norm(cloud, axis=1, keepdims=True)


@eqx.filter_jit
def _descents(energy, clouds, projections, algebra, max_steps: int) -> Descent:
    run = lambda x, fixed: descent(energy, x, fixed, algebra, max_steps)
    return jax.vmap(run)(clouds, projections)


def _names(run: Descent, known: CriticalPoint) -> list[int | None]:
    """Which of the states each orbit came to."""
    names = "energy", "index", "rates"
    both = {name: np.concatenate([getattr(known, name), getattr(run.end, name)]) for name in names}
    count = len(known.x)
    return [
        next((k for k in range(count) if arrived and alike(both, count + i, k)), None)
        for i, arrived in enumerate(np.asarray(run.arrived))
    ]
