"""The phase diagram of arXiv 2312.10794, figure 3, at d = 128: many small clouds over time and beta."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

import meanfield as mf

from ._contest import Contest, compiled
from .peers import numpy_loop

FLOAT64 = True
N, D, DELTA, END = 32, 128, 1e-3, 30.0


def contests(tiny: bool) -> Iterator[Contest]:
    """A column of it: 64 starts to T = 30 at one beta. The whole has 1,024 starts and 40 columns."""
    starts, end = (4, 1.0) if tiny else (64, END)
    sphere = mf.geometry.Sphere(D)
    x = sphere.sample(jax.random.key(0), starts * N).reshape(starts, N, D)
    beta, ts = 4.0, jnp.linspace(0.0, end, 31)
    flow = mf.dynamics.AttentionFlow(sphere, mf.attention.Softmax(beta))

    def met(x):
        return (jnp.sum(x[0::2] * x[1::2], axis=-1) >= 1 - DELTA).mean()

    def column(x):
        def run(x0):
            return mf.simulate(flow, x0, ts, observe={"met": met}, tol=1e-4).values["met"]

        return jax.lax.map(run, x, batch_size=min(16, starts)).mean(axis=0)[-1]

    def tokens(x):
        pairs = np.sum(x[:, 0::2] * x[:, 1::2], axis=-1)
        return (pairs >= 1 - DELTA).mean()

    def loop():
        run = numpy_loop.euler(x, beta, 0.1, round(end / 0.1))
        return lambda: tokens(run())

    exact = float(jax.jit(column)(x))
    yield Contest(
        f"phase diagram, a column, d = {D}, {starts} starts",
        {"simulate": lambda: compiled(column, x), "NumPy, Euler at 0.1": loop},
        error=lambda share: abs(float(share) - exact),
        error_is="distance of the final probability to ours",
        facts={"n": N, "d": D, "beta": beta, "dtype": "float64", "seed": 0},
        repeats=3,
    )
