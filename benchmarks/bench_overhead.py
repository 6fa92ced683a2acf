"""What `simulate` and `rollout` cost beyond a bare lax.scan of the same steps, n = 64."""

from collections.abc import Iterator

import diffrax
import jax
import jax.numpy as jnp

import meanfield as mf

from ._contest import Contest, compiled, relative_error

BETA, STEP, STEPS = 4.0, 0.05, 1000


def contests(tiny: bool) -> Iterator[Contest]:
    """1000 Euler steps; the target says that simulate takes at most 15 % longer."""
    n, steps = 64, 10 if tiny else STEPS
    sphere = mf.geometry.Sphere(3)
    x = sphere.sample(jax.random.key(0), n)
    flow = mf.dynamics.AttentionFlow(sphere, mf.attention.Softmax(BETA))
    ts = jnp.array([0.0, steps * STEP])
    scheme = mf.schemes.TransformerLayers(
        3, mf.attention.Softmax(BETA), mf.dynamics.PostNorm(), step_size=STEP
    )

    def simulate(x):
        return mf.simulate(flow, x, ts, solver=diffrax.Euler(), dt=STEP).final

    def scan(x, tangent=True):
        return jax.lax.scan(lambda x, _: (_euler(x, tangent), None), x, None, length=steps)[0]

    cases = {
        "simulate": (simulate, scan),
        "rollout": (lambda x: mf.rollout(scheme, x, steps).final, lambda x: scan(x, tangent=False)),
    }
    for verb, (ours, bare) in cases.items():
        exact = jax.jit(bare)(x)
        yield Contest(
            f"overhead of {verb}, n = {n}, {steps} steps",
            {verb: lambda f=ours: compiled(f, x), "lax.scan": lambda f=bare: compiled(f, x)},
            error=lambda final, exact=exact: relative_error(final, exact),
            error_is="distance to the other",
            facts={"n": n, "d": 3, "beta": BETA, "dtype": "float32", "seed": 0},
            targets={"lax.scan": 1 / 1.15} if verb == "simulate" else {},
            repeats=15,
        )


def _euler(x, tangent: bool):
    pull = jax.nn.softmax(BETA * x @ x.T, axis=-1) @ x
    if tangent:
        pull = pull - jnp.sum(pull * x, axis=-1, keepdims=True) * x
    x = x + STEP * pull
    return x / jnp.linalg.norm(x, axis=-1, keepdims=True)
