"""Doubly stochastic attention to the same error of its marginals, n = 4,096, beta = 9."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

import meanfield as mf
from meanfield.attention import Blockwise, Dense, Sinkhorn

from ._contest import Contest, compiled
from .peers import ott_solvers, pot

FLOAT64 = True
BETA, TOL = 9.0, 1e-6


def contests(tiny: bool) -> Iterator[Contest]:
    """The symmetric iteration, dense and by blocks, against alternating updates."""
    n = 128 if tiny else 4096
    x = mf.geometry.Sphere(3).sample(jax.random.key(0), n)

    def ours(engine):
        def potentials(x):
            solution = Sinkhorn(BETA, tol=TOL, engine=engine).solve(x)
            return solution.f, solution.g, solution.iterations

        return lambda: compiled(potentials, x)

    def products(result) -> dict[str, float]:
        return {"products with the kernel": int(result[2])}

    yield Contest(
        f"Sinkhorn attention, n = {n:,}, d = 3",
        {
            "Sinkhorn, dense": ours(Dense()),
            "Sinkhorn, Blockwise": ours(Blockwise()),
            "ott, dense": lambda: ott_solvers.doubly_stochastic(x, BETA, TOL),
            "POT, log": lambda: pot.doubly_stochastic(x, BETA, TOL, log_domain=True),
            "POT": lambda: pot.doubly_stochastic(x, BETA, TOL),
        },
        error=lambda result: _error(x, result),
        error_is="sum of the absolute errors of the rows and columns of the plan",
        facts={"n": n, "d": 3, "beta": BETA, "tol": TOL, "dtype": "float64", "seed": 0},
        targets={"ott, dense": 2.0, "POT, log": 15.0},
        counts=products,
        repeats=3,
    )


@jax.jit
def _marginals(x, f, g):
    n = x.shape[0]
    plan = jnp.exp(f[:, None] + g[None, :] + BETA * x @ x.T) / n**2
    return plan.sum(axis=0), plan.sum(axis=1)


def _error(x, result) -> float:
    """From potentials relative to the kernel e^{beta <x, y>} and to masses 1/n."""
    sums = _marginals(x, *(jnp.asarray(part) for part in result[:2]))
    return float(sum(np.abs(np.asarray(s) - 1 / len(x)).sum() for s in sums))
