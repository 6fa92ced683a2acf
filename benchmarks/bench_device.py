"""What an accelerator asks to know: the best block, precision against error, launches, what `throw` costs."""

from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np

import meanfield as mf
from meanfield.attention import Blockwise, Dense, Fused, Softmax

from ._contest import Contest, Work, compiled, relative_error

FLOAT64 = True
BETA, SOME = 4.0, 128
BLOCKS = (256, 512, 1024, 2048, 4096)
PRECISIONS = ("highest", "high", "default")
"""Of products of float32: as float32; in three products of bfloat16, or as TF32; as the device likes."""
LAUNCHES = ("fusion", "dot", "custom-call", "while", "conditional", "call")


def contests(tiny: bool) -> Iterator[Contest]:
    """Blocks and precisions of one field, and 1,000 short steps with and without the call of the host."""
    large = 2**9 if tiny else 2**14 if jax.default_backend() == "cpu" else 2**17
    for d in (3, 64):
        yield _blocks(large, d)
    yield _precisions(2**9 if tiny else 2**12)
    yield _throw(10 if tiny else 1000)


def _cloud(n: int, d: int, seed: int = 0):
    """Tokens in float64, and as they are summed."""
    x = mf.geometry.Sphere(d).sample(jax.random.key(seed), n)
    return x, x.astype(jnp.float32)


def _error(x, field: Callable) -> Callable:
    """The largest distance to the field in float64, of some tokens, over the largest field."""
    exact = np.asarray(field(x[:SOME], x))
    return lambda result: relative_error(jax.device_get(result)[0][:SOME], exact)


def _blocks(n: int, d: int) -> Contest:
    x, single = _cloud(n, d)
    engines = {f"Blockwise({block})": Blockwise(block) for block in BLOCKS}
    if d <= 16 and jax.default_backend() != "cpu":
        engines |= {"Fused": Fused()}
    return Contest(
        f"side of blocks, n = {n:,}, d = {d}",
        {
            name: lambda e=e: _counted(Softmax(BETA, engine=e), single)
            for name, e in engines.items()
        },
        error=_error(x, Softmax(BETA, engine=Blockwise())),
        error_is="largest distance to float64 over the largest field",
        facts={"n": n, "d": d, "beta": BETA, "dtype": "float32", "seed": 0},
        work={"exponentials": n * n / 2, "flops": n * n * (3 * d + 2)},
        counts=lambda result: {"launches": result[1]},
        repeats=3,
    )


def _precisions(n: int, d: int = 64) -> Contest:
    x, single = _cloud(n, d)

    def rounded(precision: str) -> Work:
        with jax.default_matmul_precision(precision):
            return _counted(Softmax(BETA, engine=Dense()), single)

    return Contest(
        f"precision of products, n = {n:,}, d = {d}",
        {precision: lambda p=precision: rounded(p) for precision in PRECISIONS},
        error=_error(x, Softmax(BETA)),
        error_is="largest distance to float64 over the largest field",
        facts={"n": n, "d": d, "beta": BETA, "dtype": "float32", "seed": 0},
        work={"exponentials": n * n, "flops": 4 * n * n * d},
    )


def _throw(steps: int, n: int = 256) -> Contest:
    _, x = _cloud(n, 3)
    flow = mf.dynamics.AttentionFlow(mf.geometry.Sphere(3), Softmax(BETA))
    ts = jnp.array([0.0, 0.01 * steps], jnp.float32)

    def run(throw: bool) -> Work:
        return compiled(lambda x: mf.simulate(flow, x, ts, dt=0.01, throw=throw).final, x)

    return Contest(
        f"the call of the host, n = {n}, {steps} steps",
        {f"simulate, throw={throw}": lambda t=throw: run(t) for throw in (False, True)},
        facts={"n": n, "d": 3, "beta": BETA, "dtype": "float32", "seed": 0},
    )


def _counted(attention: Softmax, x) -> Work:
    """The field, and the operations of its program, those in loops once."""
    program = jax.jit(lambda x: attention(x)).lower(x).compile()
    lines = program.as_text().splitlines()
    launches = sum(any(f" {name}(" in line for name in LAUNCHES) for line in lines)
    return lambda: (jax.block_until_ready(program(x)), launches)
