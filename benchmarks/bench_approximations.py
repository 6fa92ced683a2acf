"""One softmax field by random batches, landmarks and random features, with their errors, d = 16."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp

import meanfield as mf
from meanfield.attention import Blockwise, Nystrom, RandomBatch, RandomFeatures, Softmax

from ._contest import Contest, compiled, relative_error
from .peers import numpy_loop

FLOAT64 = True  # for the reference; the tokens are float32
BETA, D, SOME = 1.0, 16, 256


def contests(tiny: bool) -> Iterator[Contest]:
    """Ratios below 1 are gains over the exact sum: errors beside them are those that were asked for."""
    n = 512 if tiny else 16_384
    x = mf.geometry.Sphere(D).sample(jax.random.key(0), n)
    exact = numpy_loop.rows(x, BETA, SOME)
    x = x.astype(jnp.float32)
    key = jax.random.key(1)
    engines = {
        "RandomBatch, 256": RandomBatch(256, key),
        "RandomBatch, 4096": RandomBatch(min(4096, n), key),
        "Nystrom, 64": Nystrom(64, key),
        "Nystrom, 128": Nystrom(128, key),
        "RandomFeatures, 256": RandomFeatures(256, key),
        "RandomFeatures, 1024": RandomFeatures(1024, key),
    }

    def field(engine):
        attention = Softmax(BETA, engine=engine)
        return lambda: compiled(lambda x: attention(x), x)

    estimates = {who: _estimate(engine, x) for who, engine in engines.items()}
    yield Contest(
        f"approximate field, n = {n:,}, d = {D}, beta = {BETA:g}",
        {name: field(engine) for name, engine in ({"Blockwise": Blockwise()} | engines).items()},
        error=lambda field: relative_error(field[:SOME], exact),
        error_is=f"largest distance to NumPy's float64 over the largest field, on {SOME} tokens",
        facts={
            "n": n,
            "d": D,
            "beta": BETA,
            "dtype": "float32",
            "seed": 0,
            "their own estimates, the median over tokens": estimates,
        },
        repeats=3,
    )


def _estimate(engine, x) -> float:
    """What an approximation says of itself: a standard error, or, for landmarks, a bound."""
    error = jax.jit(lambda x: engine.relative_error(Softmax(BETA), x[:SOME], x))(x)
    return float(jnp.median(error))
