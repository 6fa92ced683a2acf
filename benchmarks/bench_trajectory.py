"""Whole runs to T = 30 at beta = 9: adaptive steps against the papers' Euler steps and SciPy's."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

import meanfield as mf

from ._contest import Contest, compiled, relative_error
from .peers import numpy_loop, scipy_integrators

FLOAT64 = True
BETA, END, STEP = 9.0, 30.0, 0.1
FINE = 1e-10


def contests(tiny: bool) -> Iterator[Contest]:
    """A small cloud, where SciPy can follow, and a large one."""
    yield _contest(16 if tiny else 256, 1.0 if tiny else END, 3, scipy=True)
    if not tiny:
        yield _contest(4096, END, 1, scipy=False)


def _contest(n: int, end: float, repeats: int, scipy: bool) -> Contest:
    x = mf.geometry.Sphere(3).sample(jax.random.key(0), n)
    ts = jnp.array([0.0, end])
    exact: dict[str, np.ndarray] = {}

    def run(tol):
        flow = mf.dynamics.AttentionFlow(mf.geometry.Sphere(3), mf.attention.Softmax(BETA))

        def go(x):
            done = mf.simulate(flow, x, ts, tol=tol)
            return done.final, done.stats["rhs"]

        return go

    def error(result) -> float:
        if not exact:  # once, and only by the process that times
            exact["x"] = np.asarray(jax.jit(run(FINE))(x)[0])
        return relative_error(result[0] if isinstance(result, tuple) else result, exact["x"])

    contenders = {
        "simulate, Tsit5 at 1e-6": lambda: compiled(run(1e-6), x),
        "NumPy, Euler at 0.1": lambda: numpy_loop.euler(x, BETA, STEP, round(end / STEP)),
    }
    if scipy:
        contenders["SciPy, RK45 at 1e-6"] = lambda: scipy_integrators.flow(x, BETA, end, 1e-6)
    return Contest(
        f"trajectory, n = {n:,}, d = 3, T = {end:g}",
        contenders,
        error=error,
        error_is=f"largest distance of a token to a run at tolerance {FINE:g}",
        facts={"n": n, "d": 3, "beta": BETA, "end": end, "dtype": "float64", "seed": 0},
        # Each right-hand side: of n^2/2 pairs, an exponential, a product of d and two of d + 1 columns.
        work=lambda result: {
            "exponentials": int(result[1]) * n * n / 2,
            "flops": int(result[1]) * n * n * (3 * 3 + 2),
        },
        targets={} if scipy else {"NumPy, Euler at 0.1": 5.0},
        counts=_sides,
        headline="" if scipy else f"trajectory, n = {n:,}, d = 3, T = {end:g}",
        repeats=repeats,
    )


def _sides(result) -> dict[str, float]:
    """Right-hand sides, where they are told."""
    return {"right-hand sides": int(result[1])} if isinstance(result, tuple) else {}
