"""Doubly stochastic attention to the same error of its marginals, and its gradient, beta = 9."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

import meanfield as mf
from meanfield.attention import Blockwise, Dense, Sinkhorn

from ._contest import Contest, compiled, relative_error
from .peers import ott_solvers, pot

FLOAT64 = True  # for the errors; the tokens are float32
BETA, TOL = 9.0, 1e-6
PRODUCTS = "products with the kernel"


def contests(tiny: bool) -> Iterator[Contest]:
    """The symmetric iteration, dense and by blocks, against alternating updates; then gradients."""
    n = 128 if tiny else 4096
    yield _plan(mf.geometry.Sphere(3).sample(jax.random.key(0), n))
    for d in (3, 64):
        yield _gradient(mf.geometry.Sphere(d).sample(jax.random.key(0), n // 4))


def _plan(x) -> Contest:
    """The others are told how many iterations take them below the error that ours ends with."""
    n, narrow = len(x), x.astype(jnp.float32)

    def potentials(x, engine):
        solution = Sinkhorn(BETA, tol=TOL, engine=engine).solve(x)
        # Besides one an iteration: one for the start, two for the error of both marginals at the end.
        return solution.f, solution.g, solution.iterations + 3

    def ours(engine):
        return lambda: compiled(lambda x: potentials(x, engine), narrow)

    aim = _error(x, jax.jit(lambda x: potentials(x, Blockwise()))(narrow))
    count = int(_iterations(x, aim))
    return Contest(
        f"Sinkhorn attention, n = {n:,}, d = 3",
        {
            "Sinkhorn, dense": ours(Dense()),
            "Sinkhorn, Blockwise": ours(Blockwise()),
            "ott, dense": lambda: ott_solvers.doubly_stochastic(narrow, BETA, count),
            "POT, log": lambda: pot.doubly_stochastic(narrow, BETA, count, log_domain=True),
            "POT": lambda: pot.doubly_stochastic(narrow, BETA, count),
        },
        error=lambda result: _error(x, result),
        error_is="sum of the absolute errors of the rows and columns of the plan, in float64",
        facts={"n": n, "d": 3, "beta": BETA, "tol": TOL, "dtype": "float32", "seed": 0},
        no_bound="the kernel is kept, and its products wait for memory",
        targets={"ott, dense": 2.0, "POT, log": 15.0},
        limits={f"{PRODUCTS}: ott, dense": (7.0, None)},
        counts=lambda result: {PRODUCTS: int(result[2])},
        headline=f"Sinkhorn attention, n = {n:,}, d = 3",
        memory=("Sinkhorn, dense", "Sinkhorn, Blockwise", "ott, dense"),
        repeats=3,
    )


def _gradient(x) -> Contest:
    """By the implicit function theorem, against derivatives through each of 40 iterations."""
    pattern = jnp.cos(jnp.arange(x.size, dtype=float)).reshape(x.shape)

    def gradient(field):
        return jax.grad(lambda x: jnp.sum(field(x) * pattern.astype(x.dtype)))

    def ours(engine):
        attention = Sinkhorn(BETA, tol=TOL, engine=engine)
        return lambda: compiled(gradient(lambda x: attention(x)), x.astype(jnp.float32))

    exact = jax.jit(gradient(lambda x: _unrolled(x, 100)))(x)
    through = gradient(lambda x: _unrolled(x, 40))
    return Contest(
        f"Sinkhorn attention, gradient, n = {len(x):,}, d = {x.shape[1]}",
        {
            "Sinkhorn, dense": ours(Dense()),
            "Sinkhorn, Blockwise": ours(Blockwise()),
            "jax, through 40 iterations": lambda: compiled(through, x.astype(jnp.float32)),
        },
        error=lambda slope: relative_error(slope, exact),
        error_is="largest distance to float64 through 100 iterations, over the largest slope",
        facts={
            "n": len(x),
            "d": x.shape[1],
            "beta": BETA,
            "tol": TOL,
            "dtype": "float32",
            "seed": 0,
        },
        memory=("Sinkhorn, dense", "Sinkhorn, Blockwise", "jax, through 40 iterations"),
        repeats=3,
    )


def _unrolled(x, count: int):
    """The field as one writes it: alternating log-sum-exps, rows last."""
    logits = BETA * x @ x.T
    f = g = jnp.zeros_like(x[:, 0])
    lse = jax.scipy.special.logsumexp
    for _ in range(count):
        g = -lse(logits + f[:, None], axis=0)
        f = -lse(logits + g[None, :], axis=1)
    return jnp.exp(f[:, None] + g[None, :] + logits) @ x


@jax.jit
def _iterations(x, aim):
    """Alternating updates, rows last, that bring the error of the columns to `aim`."""
    kernel, mass = jnp.exp(BETA * (x @ x.T - 1)), 1 / len(x)

    def step(state):
        u, _, count = state
        v = mass / (kernel.T @ u)
        u = mass / (kernel @ v)
        return u, jnp.abs(v * (kernel.T @ u) - mass).sum(), count + 1

    start = jnp.ones_like(x[:, 0]), jnp.inf, 0
    return jax.lax.while_loop(lambda state: state[1] > aim, step, start)[2]


@jax.jit
def _marginals(x, f, g):
    n = x.shape[0]
    plan = jnp.exp(f[:, None] + g[None, :] + BETA * x @ x.T) / n**2
    return plan.sum(axis=0), plan.sum(axis=1)


def _error(x, result) -> float:
    """From potentials relative to the kernel e^{beta <x, y>} and to masses 1/n."""
    sums = _marginals(x, *(jnp.asarray(part, float) for part in result[:2]))
    return float(sum(np.abs(np.asarray(s) - 1 / len(x)).sum() for s in sums))
