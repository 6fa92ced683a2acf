"""How cost grows with the number of tokens, the dimension, beta and the degree, with exponents."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp

import meanfield as mf
from meanfield.attention import Blockwise, Harmonic, Softmax

from ._contest import Contest, compiled

FLOAT64 = True
BETA = 9.0
EXPONENTS = {
    "exponent: Blockwise": (1.9, 2.1),
    "exponent: Harmonic, circle": (0.9, 1.1),
    "exponent: Harmonic, S^2": (0.9, 1.1),
}


def contests(tiny: bool) -> Iterator[Contest]:
    """One sweep for each variable."""
    shrink = 16 if tiny else 1
    for n in (8192, 16_384, 32_768, 65_536, 131_072)[: 2 if tiny else 5]:
        yield _contest("time over n", "n", n, {"Blockwise": (Blockwise(), 3, n // shrink, BETA)})
    circle, sphere = Harmonic.of(BETA, 2), Harmonic.of(BETA, 3, 1e-6)
    for n in (10**5, 3 * 10**5, 10**6, 3 * 10**6)[: 2 if tiny else 4]:
        several = {
            "Harmonic, circle": (circle, 2, n // shrink, BETA),
            "Harmonic, S^2": (sphere, 3, n // shrink, BETA),
        }
        yield _contest("time over n", "n", n, several)
    for d in (16, 64, 256, 512)[: 2 if tiny else 4]:
        yield _contest("time over d", "d", d, {"Blockwise": (Blockwise(), d, 4096 // shrink, BETA)})
    for beta in (1.0, 16.0, 256.0)[: 2 if tiny else 3]:
        circle, blocks = Harmonic.of(beta, 2), Blockwise()
        several = {
            "Harmonic, circle": (circle, 2, 10**5 // shrink, beta),
            "Blockwise": (blocks, 2, 4096 // shrink, beta),
        }
        yield _contest("time over beta", "beta", beta, several)
    for degree in (16, 64, 256)[: 2 if tiny else 3]:
        basis = Harmonic(mf.harmonics.Fourier(degree))
        several = {"Harmonic, circle": (basis, 2, 10**5 // shrink, BETA)}
        yield _contest("time over K", "K", degree, several)


def _contest(name: str, variable: str, value: float, several: dict) -> Contest:
    def field(engine, d, n, beta):
        dtype = float if d == 2 and isinstance(engine, Harmonic) else jnp.float32
        x = mf.geometry.Sphere(d).sample(jax.random.key(0), n).astype(dtype)
        attention = Softmax(beta, engine=engine)
        return compiled(lambda x: attention(x), x)

    return Contest(
        name,
        {who: lambda a=arguments: field(*a) for who, arguments in several.items()},
        facts={variable: value},
        limits=EXPONENTS if variable == "n" else {},
        sweep=(variable, value),
        repeats=3,
    )
