"""One softmax field by blocks, n = 16,384, d = 3, 16, 128, float32."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp

import meanfield as mf

from ._contest import Contest, compiled, relative_error
from .peers import keops, numpy_loop, pytorch

FLOAT64 = True  # for the reference; the tokens are float32
BETA, SOME = 4.0, 256
TARGETS = {3: (5.0, 3.0), 16: (3.0, 1.1), 128: (1.7, 1.7)}
LIMITS = {
    3: {"share_exponentials": (0.5, None), "peak_megabytes": (None, 10.0)},
    128: {"share_flops": (0.75, None)},
}


def contests(tiny: bool) -> Iterator[Contest]:
    """A contest for each dimension."""
    n = 512 if tiny else 16_384
    for d, (dense, fused) in TARGETS.items():
        x = mf.geometry.Sphere(d).sample(jax.random.key(0), n)
        exact = mf.attention.Softmax(BETA, engine=mf.attention.Dense())(x[:SOME], x)
        x = x.astype(jnp.float32)
        yield Contest(
            f"field, n = {n:,}, d = {d}",
            contenders(x, d),
            error=lambda field, exact=exact: relative_error(field[:SOME], exact),
            error_is="largest distance to float64 over the largest field",
            facts={"n": n, "d": d, "beta": BETA, "dtype": "float32", "seed": 0},
            # Of the n^2/2 pairs: an exponential, a product of d and two of d + 1 columns.
            work={"exponentials": n * n / 2, "flops": n * n * (3 * d + 2)},
            targets={"jax, dense": dense, "PyTorch, fused": fused},
            limits=LIMITS.get(d, {}),
            memory=("Blockwise", "jax, dense", "PyTorch, fused") if d == 3 else (),
            headline=f"field, n = {n:,}, d = {d}" if d == 3 else "",
            repeats=5,
        )


def contenders(x, d: int) -> dict:
    """Blocks against whole matrices, and against what others fuse.

    Between tokens and themselves logits are symmetric, and blocks computed once. With query and key they
    are not: identities give the same field without that gain.
    """
    engine = mf.attention.Blockwise()
    blocks = mf.attention.Softmax(BETA, engine=engine)
    general = mf.attention.Softmax(BETA, jnp.eye(d), jnp.eye(d), engine=engine)
    out = {
        "Blockwise": lambda: compiled(lambda x: blocks(x), x),
        "jax, dense": lambda: compiled(dense, x),
        "PyTorch, fused": lambda: pytorch.attention(x, BETA),
        "NumPy": lambda: numpy_loop.attention(x, BETA),
    }
    if d == 3:  # KeOps unrolls over d, and takes 50 times as long at d = 16
        out["Blockwise, query and key"] = lambda: compiled(lambda x: general(x), x)
        out["KeOps"] = lambda: keops.attention(x, BETA)
    return out


def dense(x):
    """Attention as one writes it in jax."""
    return jax.nn.softmax(BETA * x @ x.T, axis=-1) @ x
