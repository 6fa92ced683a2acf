"""The gradient of a field and of a trajectory in its start, float32."""

from collections.abc import Iterator

import diffrax
import jax
import jax.numpy as jnp

import meanfield as mf

from ._contest import Contest, compiled, relative_error
from .peers import pytorch

FLOAT64 = True  # for the reference; the tokens are float32
BETA, STEP = 4.0, 0.1


def contests(tiny: bool) -> Iterator[Contest]:
    """Through one field, where blocks are summed again, and through a run of 20 Euler steps."""
    for n, steps in ((256, 1), (256, 2)) if tiny else ((8192, 1), (2048, 20)):
        yield _contest(n, steps)


def _contest(n: int, steps: int) -> Contest:
    x = mf.geometry.Sphere(3).sample(jax.random.key(0), n)
    exact = jax.jit(jax.grad(lambda x: _pattern(_euler(x, steps))))(x)
    x = x.astype(jnp.float32)
    softmax = mf.attention.Softmax(BETA, engine=mf.attention.Blockwise())
    flow = mf.dynamics.AttentionFlow(mf.geometry.Sphere(3), softmax)

    def ours(x):
        ts = jnp.array([0.0, steps * STEP], x.dtype)
        # A bound on the steps is one on the states that a gradient keeps.
        done = mf.simulate(flow, x, ts, solver=diffrax.Euler(), dt=STEP, max_steps=steps + 1)
        return done.final

    def tangent(slope):
        return mf.geometry.Sphere(3).to_tangent(x.astype(float), jnp.asarray(slope, float))

    def gradient(run):
        return lambda: compiled(jax.grad(lambda x: _pattern(run(x))), x)

    return Contest(
        f"gradient through {steps} Euler step{'s' * (steps > 1)}, n = {n:,}, d = 3",
        {
            "simulate, Blockwise": gradient(ours),
            "jax, dense": gradient(lambda x: _euler(x, steps)),
            "PyTorch, fused": lambda: pytorch.trajectory_gradient(x, BETA, STEP, steps),
        },
        # Off the sphere each extends the field in a way of its own: tangent parts agree.
        error=lambda slope: relative_error(tangent(slope), tangent(exact)),
        error_is="largest distance to float64 over the largest slope, along the sphere",
        facts={"n": n, "d": 3, "beta": BETA, "steps": steps, "dtype": "float32", "seed": 0},
        memory=("simulate, Blockwise", "jax, dense", "PyTorch, fused"),
        repeats=5,
    )


def _euler(x, steps: int):
    """Euler and renormalize, with the whole matrix at each step."""
    for _ in range(steps):
        pull = jax.nn.softmax(BETA * x @ x.T, axis=-1) @ x
        pull = pull - jnp.sum(pull * x, axis=-1, keepdims=True) * x
        x = x + STEP * pull
        x = x / jnp.linalg.norm(x, axis=-1, keepdims=True)
    return x


def _pattern(x):
    """A fixed combination of the final tokens."""
    return jnp.sum(x.ravel() * jnp.cos(jnp.arange(x.size, dtype=x.dtype)))
