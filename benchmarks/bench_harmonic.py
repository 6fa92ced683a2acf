"""Sums by harmonics on the circle and on S^2 against sums over all pairs, float64."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp

import meanfield as mf

from ._contest import Contest, compiled, relative_error

FLOAT64 = True
BETA, SOME = 9.0, 256
ACCURACY = {2: 1e-12, 3: 1e-6}
TARGETS = {2: 30.0, 3: 5.0}


def contests(tiny: bool) -> Iterator[Contest]:
    """Both methods for a moderate cloud, and harmonics alone for a large one."""
    few, many = (512, 2048) if tiny else (16_384, 10**6)
    for d in (2, 3):
        engine = mf.attention.Harmonic.of(BETA, d, ACCURACY[d])
        for n in (few, many):
            yield _contest(
                n, d, engine, {"Blockwise": mf.attention.Blockwise()} if n == few else {}
            )


def _contest(n: int, d: int, engine, others: dict) -> Contest:
    x = mf.geometry.Sphere(d).sample(jax.random.key(0), n)
    exact = mf.attention.Softmax(BETA, engine=mf.attention.Blockwise())(x[:SOME], x)
    engines = {f"Harmonic (degree {engine.basis.degree})": engine} | others

    def field(engine):
        attention = mf.attention.Softmax(BETA, engine=engine)
        return lambda: compiled(lambda x: attention(x), x)

    return Contest(
        f"field, n = {n:,}, {'circle' if d == 2 else 'S^2'}",
        {name: field(engine) for name, engine in engines.items()},
        error=lambda field: relative_error(jnp.asarray(field)[:SOME], exact),
        error_is="largest distance over the largest field, on 256 tokens",
        facts={"n": n, "d": d, "beta": BETA, "dtype": "float64", "seed": 0},
        targets={"Blockwise": TARGETS[d]} if others else {},
        memory=not others,
    )
