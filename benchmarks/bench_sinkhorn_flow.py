"""Trajectories of Sinkhorn attention: potentials carried along, against found anew every time."""

import dataclasses
from collections.abc import Iterator

import jax
import jax.numpy as jnp

import meanfield as mf
from meanfield.attention import Sinkhorn
from meanfield.dynamics import AttentionFlow, SinkhornFlow

from ._contest import Contest, compiled, relative_error

FLOAT64 = True
BETA, END, TOL = 4.0, 1.0, 1e-5


def contests(tiny: bool) -> Iterator[Contest]:
    """With query and key, where iterations alternate, and without, where they are symmetric."""
    n, end = (16, 0.2) if tiny else (512, END)
    matrices = jax.random.normal(jax.random.key(1), (2, 3, 3)) / 3**0.5
    yield _contest(n, end, Sinkhorn(BETA, *matrices), "with query and key")
    yield _contest(n, end, Sinkhorn(BETA), "symmetric")


def _contest(n: int, end: float, attention: Sinkhorn, kind: str) -> Contest:
    sphere = mf.geometry.Sphere(3)
    x, ts = sphere.sample(jax.random.key(0), n), jnp.linspace(0.0, end, 6)
    warm, cold = SinkhornFlow(sphere, attention), AttentionFlow(sphere, attention)
    # Two products an iteration where it alternates, and its error each tenth; one where it is
    # symmetric. Then the last rows and the error of both marginals; the cold one has a start.
    each, more = (2.1, 3) if attention.query is not None else (1, 2)

    def run(flow, iterations, start: int):
        def go(x):
            done = mf.simulate(flow, x, ts, tol=TOL, observe={"iterations": iterations})
            mean = jnp.mean(done.values["iterations"].astype(float))
            final = done.final[0] if isinstance(done.final, tuple) else done.final
            return final, each * mean + more + start

        return go

    anew = run(cold, lambda x: attention.solve(x).iterations, 1)
    carried = run(warm, warm.iterations, 0)
    close = AttentionFlow(sphere, dataclasses.replace(attention, tol=1e-10))
    fine = jax.jit(lambda x: mf.simulate(close, x, ts, dt=end / 50).final)(x)
    return Contest(
        f"Sinkhorn trajectory, {kind}, n = {n:,}, d = 3, T = {end:g}",
        {
            "SinkhornFlow": lambda: compiled(carried, x),
            "AttentionFlow": lambda: compiled(anew, x),
        },
        error=lambda result: relative_error(result[0], fine),
        error_is="largest distance of a token to 50 steps of plans at tolerance 1e-10",
        facts={
            "n": n,
            "d": 3,
            "beta": BETA,
            "tol": TOL,
            "dtype": "float64",
            "products": "of Sinkhorn's iteration; SinkhornFlow's linear systems take about six more",
        },
        counts=lambda result: {"products a right-hand side": float(result[1])},
        repeats=2,
    )
