import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ..._checks import check_dimension, check_integer, check_known
from ..._door import door
from ..._shown import AbstractShown
from ..._typing import Key
from ...energies import AbstractEnergy
from ...geometry import Sphere
from .._precision import in_double
from ._few_modes import search_few
from ._saddle import check_count
from ._search import CriticalPoint, search
from ._symmetries import symmetries

_SAME = 1e-6
"""The difference, in energy and in rates, relative to the largest, up to which two states are one."""


class CriticalPoints(AbstractShown):
    """The stationary clouds that a search found, up to rotations, reflections and permutations.

    By `index`, then by `energy`: `x` [m, n, d]; `energy`, `index`, `orbit`, `residual` [m]; `rates`
    [m, n(d-1)], or fewer, descending: the first is the rate of escape; `found` [m]: from how many starts,
    times indices, each was reached.
    """

    x: Float[Array, "m n d"]
    energy: Float[Array, " m"]
    index: Int[Array, " m"]
    rates: Float[Array, "m modes"]
    orbit: Int[Array, " m"]
    residual: Float[Array, " m"]
    found: Int[Array, " m"]


@door
@in_double
def critical_points(
    energy: AbstractEnergy,
    n: int,
    d: int,
    key: Key,
    starts: int = 32,
    *,
    count: int | None = None,
    max_steps: int = 300,
) -> CriticalPoints:
    """The stationary clouds of n equal tokens on S^{d-1}: `saddle` from random starts, for each index.

    Two states of the same energy and spectrum count as one: it is computed in float64, as rounding of
    float32 tells them apart. In every second start some tokens coincide. Of n = 4 on S^2 under
    `-Interaction(beta)` there are one cluster, of index 0, up to the tetrahedron, of index 5. How often
    each was `found` says how complete the list is likely to be: raise `starts` until nothing new comes.
    A search costs `starts` * n(d-1) runs of at most `max_steps` steps, each with a dense Hessian.

    - `count`: how many rates to find, as of `saddle`, from products with the Hessian alone; of the indices
      those below it are searched for, one run after the other.

    Raises ValueError for n < 2 or d < 2, a count of n(d-1)/5 or more, and under jit.
    Source: Yin, Wang, Chen, Zhang, Zhang, Phys. Rev. Lett. 124 (2020) 090601, for solution landscapes.
    """
    n, d = check_integer(n, "n", 2), check_dimension(d, 2)
    check_known((energy, key), "an energy and a key", "call critical_points outside of jax.jit")
    starts = check_integer(starts, "starts")
    max_steps = check_integer(max_steps, "max_steps")
    count = None if count is None else check_count(count, d, n * (d - 1))
    sphere, size = Sphere(d), n * (d - 1)
    clouds = jax.vmap(lambda k: sphere.sample(k, n))(jax.random.split(key, starts))
    # Tokens that coincide stay so: every second start looks among clusters, which are rarely met.
    labels = jax.random.randint(jax.random.fold_in(key, 1), (starts, n), 0, n)
    labels = jnp.where(jnp.arange(starts)[:, None] % 2 == 0, jnp.arange(n), labels)
    clouds = jnp.take_along_axis(clouds, labels[:, :, None], axis=1)
    algebra = symmetries(energy, n, d)
    # Rotations are never among the directions in which the energy falls, and a rate below 0 is to be seen.
    turns = _turns(algebra, d)
    indices = jnp.arange(size - turns + 1 if count is None else count - turns)
    found = _searches(energy, clouds, algebra, indices, count, max_steps)
    return _distinct(found)


def _turns(algebra: Float[Array, "s d d"], d: int) -> int:
    """The least number of directions that rotations of any cloud take: of a pair of antipodes, d - 1."""
    return d - 1 if len(algebra) == d * (d - 1) // 2 else 0


@eqx.filter_jit
def _searches(energy, clouds, algebra, indices, count: int | None, max_steps: int) -> CriticalPoint:
    """Searches from each cloud for each index, [indices * starts]."""
    w = jnp.full(clouds.shape[1], 1 / clouds.shape[1], clouds.dtype)
    if count is None:
        from_cloud = lambda index, x: search(energy, x, w, algebra, index, max_steps)
        run = jax.vmap(jax.vmap(from_cloud, (None, 0)), (0, None))
    else:
        few = lambda index, x: search_few(energy, x, w, algebra, index, count, max_steps)
        run = lambda indices, clouds: jax.lax.map(
            lambda index: jax.lax.map(lambda x: few(index, x), clouds), indices
        )
    return jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:]), run(indices, clouds))


def _distinct(found: CriticalPoint) -> CriticalPoints:
    """One of each, on the host: of several with the same energy and rates, that with the least residual."""
    parts = {
        name: np.asarray(getattr(found, name))[np.asarray(found.converged)]
        for name in ("x", "energy", "index", "rates", "orbit", "residual")
    }
    order = np.lexsort((parts["residual"], parts["energy"], parts["index"]))
    parts = {name: values[order] for name, values in parts.items()}
    kept: list[int] = []
    count: list[int] = []
    for i in range(len(order)):
        before = [j for j, k in enumerate(kept) if alike(parts, i, k)]
        if before:
            count[before[0]] += 1
        else:
            kept.append(i)
            count.append(1)
    chosen = {name: jnp.asarray(values[kept]) for name, values in parts.items()}
    return CriticalPoints(found=jnp.asarray(count, int), **chosen)


def alike(parts: dict[str, np.ndarray], i: int, k: int) -> bool:
    """Whether two states are one: the same index, energy and rates."""
    scales = (np.abs(parts[name][k]).max() for name in ("energy", "rates"))
    gaps = (np.abs(parts[name][i] - parts[name][k]).max() for name in ("energy", "rates"))
    same = parts["index"][i] == parts["index"][k]
    return bool(same) and all(g <= _SAME * s for g, s in zip(gaps, scales, strict=True))
