"""A barycenter of four Gaussian clouds in the plane, with free points, against POT's."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from meanfield.transport import Exact, barycenter

from ._contest import Contest, compiled
from .peers import pot

FLOAT64 = True
DEVIATIONS = (0.5, 1.0, 1.5, 2.0)
MEANS = ((-3.0, 0.0), (3.0, 0.0), (0.0, 3.0), (0.0, -3.0))


def contests(tiny: bool) -> Iterator[Contest]:
    """The barycenter of isotropic laws has their mean deviation."""
    n, epsilon = 16 if tiny else 128, 0.5
    clouds = _clouds(n)
    start, mean = clouds[1] - clouds[1].mean(axis=0), float(np.mean(DEVIATIONS))

    def ours(**options):
        find = lambda clouds: barycenter(clouds, start=start, **options).points
        return lambda: compiled(find, clouds)

    def deviation(points) -> float:
        return abs(float(np.sqrt(np.var(points, axis=0).mean())) / mean - 1)

    error_is = "relative error of the deviation, against the mean of the four"
    facts = {"n": n, "d": 2, "dtype": "float64", "seed": 0}
    yield Contest(
        f"exact barycenter of 4 clouds, n = {n:,}",
        {
            "barycenter, Exact": ours(method=Exact(), tol=1e-4),
            "POT, exact": lambda: pot.barycenter(clouds, start, None),
        },
        error=deviation,
        error_is=error_is,
        facts=facts,
        repeats=3,
    )
    yield Contest(
        f"barycenter of 4 clouds, n = {n:,}",
        {
            "barycenter": ours(epsilon=epsilon, tol=1e-2),
            "POT, Sinkhorn": lambda: pot.barycenter(clouds, start, epsilon),
        },
        error=deviation,
        error_is=error_is,
        facts=facts | {"epsilon": epsilon},
        repeats=1,
    )


def _clouds(n: int) -> jax.Array:
    """Isotropic clouds [4, n, 2], whose moments are made exact, so that those of the barycenter are known."""
    noise = jax.random.normal(jax.random.key(0), (len(MEANS), n, 2))
    noise = noise - noise.mean(axis=1, keepdims=True)
    roots = jax.vmap(lambda a: jnp.linalg.cholesky(jnp.linalg.inv(a.T @ a / n)))(noise)
    clouds = jnp.asarray(DEVIATIONS)[:, None, None] * noise @ roots
    return clouds + jnp.asarray(MEANS)[:, None, :]
