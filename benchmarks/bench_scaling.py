"""How time grows with tokens, dimension, beta, degree and clouds, and memory with tokens, with exponents."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp

import meanfield as mf
from meanfield.attention import Blockwise, Harmonic, Softmax

from ._contest import Contest, Work, compiled

FLOAT64 = True
BETA = 9.0
EXPONENTS = {
    "exponent: Blockwise": (1.9, 2.1),
    "exponent: Harmonic, circle": (0.9, 1.1),
    "exponent: Harmonic, S^2": (0.9, 1.1),
}
LINEAR = {f"exponent: {who}": (None, 1.05) for who in ("Blockwise", "its gradient", "Harmonic")}
SPHERE = mf.geometry.Sphere(3)


def contests(tiny: bool) -> Iterator[Contest]:
    """One sweep for each variable, of three sizes at least."""
    few = slice(2 if tiny else None)
    shrink = 16 if tiny else 1
    yield from _over_n(few, shrink)
    for d in (16, 64, 256, 1024, 4096)[few]:
        yield _fields("time over d", "d", d, {"Blockwise": (Blockwise(), d, 4096 // shrink, BETA)})
    for beta in (1.0, 16.0, 256.0)[few]:
        circle, blocks = Harmonic.of(beta, 2), Blockwise()
        several = {
            "Harmonic, circle": (circle, 2, 10**5 // shrink, beta),
            "Blockwise": (blocks, 2, 4096 // shrink, beta),
        }
        yield _fields("time over beta", "beta", beta, several)
    for degree in (16, 64, 256)[few]:
        basis = Harmonic(mf.harmonics.Fourier(degree))
        several = {"Harmonic, circle": (basis, 2, 10**5 // shrink, BETA)}
        yield _fields("time over K", "K", degree, several)
    for clouds in (10**3, 10**4, 10**5)[few]:
        yield _ensemble(clouds // 100 if tiny else clouds)
    for degree in (4, 8) if tiny else (32, 64, 128, 256, 512):
        yield _density(degree)
    for n in (8192, 16_384, 32_768, 65_536, 131_072)[few]:
        yield _memory(n)


def _over_n(few: slice, shrink: int) -> Iterator[Contest]:
    for n in (8192, 16_384, 32_768, 65_536, 131_072)[few]:
        yield _fields("time over n", "n", n, {"Blockwise": (Blockwise(), 3, n // shrink, BETA)})
    circle, sphere = Harmonic.of(BETA, 2), Harmonic.of(BETA, 3, 1e-6)
    for n in (10**5, 3 * 10**5, 10**6, 3 * 10**6)[few]:
        several = {
            "Harmonic, circle": (circle, 2, n // shrink, BETA),
            "Harmonic, S^2": (sphere, 3, n // shrink, BETA),
        }
        yield _fields("time over n", "n", n, several)


def _fields(name: str, variable: str, value: float, several: dict) -> Contest:
    return Contest(
        name,
        {who: lambda a=arguments: field(*a) for who, arguments in several.items()},
        facts={variable: value},
        limits=EXPONENTS if variable == "n" else {},
        sweep=(variable, value),
        repeats=3,
    )


def field(engine, d: int, n: int, beta: float) -> Work:
    """The field of uniform tokens: on the circle by harmonics in float64, else in float32."""
    dtype = float if d == 2 and isinstance(engine, Harmonic) else jnp.float32
    x = mf.geometry.Sphere(d).sample(jax.random.key(0), n).astype(dtype)
    attention = Softmax(beta, engine=engine)
    return compiled(lambda x: attention(x), x)


def ensemble(clouds: int, n: int = 32) -> Work:
    """Runs to t = 1 of many clouds at once."""
    flow, ts = mf.dynamics.AttentionFlow(SPHERE, Softmax(BETA)), jnp.array([0.0, 1.0], jnp.float32)
    x = SPHERE.sample(jax.random.key(0), clouds * n).astype(jnp.float32)
    run = jax.vmap(lambda x: mf.simulate(flow, x, ts, dt=0.5, throw=False).final)
    return compiled(run, x.reshape(clouds, n, 3))


def _ensemble(clouds: int, n: int = 32) -> Contest:
    return Contest(
        "time over clouds",
        {f"simulate, n = {n}, 2 steps": lambda: ensemble(clouds, n)},
        facts={"n": n, "d": 3, "beta": BETA, "dtype": "float32", "clouds": clouds},
        sweep=("clouds", clouds),
        repeats=3,
    )


def density(basis) -> Work:
    """A step of a density on S^2 under attention and noise."""
    solver, ts = mf.solve.ExponentialRK4(), jnp.array([0.0, 0.01])
    flow = mf.dynamics.FokkerPlanck(basis, Softmax(4.0), 0.2)
    start = basis.analyze(1 + 0.5 * basis.nodes.reshape(len(basis.nodes), -1)[:, -1])
    run = lambda c: mf.simulate(flow, c, ts, dt=0.01, solver=solver, throw=False).final
    return compiled(run, start)


def _density(degree: int) -> Contest:
    """One step of a density on S^2 under attention and noise: zonal, and of all harmonics up to 256, whose
    tables take 1.6 GB at 512, and compiling with them several times that."""
    bases = {"FokkerPlanck, zonal": mf.harmonics.Gegenbauer(3, degree)}
    if degree <= 256:
        bases["FokkerPlanck, S^2"] = mf.harmonics.SphericalHarmonics(degree)
    return Contest(
        "time over degree",
        {name: lambda b=basis: density(b) for name, basis in bases.items()},
        facts={"degree": degree, "beta": 4.0, "noise": 0.2, "dtype": "float64"},
        sweep=("degree", degree),
        repeats=3,
    )


def _memory(n: int) -> Contest:
    """What a compiled program says that it takes: nothing is run."""
    attention = {"Blockwise": (Softmax(BETA, engine=Blockwise()), 3)}
    attention["Harmonic"] = Softmax(BETA, engine=Harmonic.of(BETA, 2)), 2

    def needed(function, d: int) -> Work:
        shape = jax.ShapeDtypeStruct((n, d), jnp.float32)
        used = jax.jit(function).lower(shape).compile().memory_analysis()
        parts = (used.temp_size_in_bytes, used.argument_size_in_bytes, used.output_size_in_bytes)
        return lambda: sum(parts) / 1e6

    def slope(x):
        return jnp.sum(attention["Blockwise"][0](x) ** 2)

    several = {who: lambda a=a, d=d: needed(lambda x: a(x), d) for who, (a, d) in attention.items()}
    return Contest(
        "memory over n",
        several | {"its gradient": lambda: needed(jax.grad(slope), 3)},
        facts={"n": n, "beta": BETA, "dtype": "float32"},
        limits=LINEAR,
        sweep=("n", n),
        swept="megabytes",
        counts=lambda megabytes: {"megabytes": megabytes},
        repeats=1,
    )
