"""A long run whose tokens merge as clusters form, against the same run without merging."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp

import meanfield as mf

from ._contest import Contest, relative_error

FLOAT64 = True
BETA, END, DISTANCE, TOL = 4.0, 200.0, 1e-3, 1e-6


def contests(tiny: bool) -> Iterator[Contest]:
    """Softmax attention on S^2; merging is a loop on the host, so that neither is jitted as a whole."""
    n, end = (16, 2.0) if tiny else (1024, END)
    sphere = mf.geometry.Sphere(3)
    flow = mf.dynamics.AttentionFlow(sphere, mf.attention.Softmax(BETA))
    x, ts = sphere.sample(jax.random.key(0), n), jnp.array([0.0, end])

    def run(**how):
        return lambda: lambda: jax.block_until_ready(mf.simulate(flow, x, ts, tol=TOL, **how).final)

    fine = mf.simulate(flow, x, ts, tol=1e-9).final
    yield Contest(
        f"merging, n = {n:,}, d = 3, T = {end:g}",
        {f"merge = {DISTANCE:g}": run(merge=DISTANCE), "no merging": run()},
        error=lambda final: relative_error(final, fine),
        error_is="largest distance of a token to a run at tolerance 1e-9 without merging",
        facts={"n": n, "d": 3, "beta": BETA, "tol": TOL, "dtype": "float64", "seed": 0},
        counts=lambda final: {"clusters": int(mf.observables.clusters(final, 0.01).count)},
        repeats=2,
    )
