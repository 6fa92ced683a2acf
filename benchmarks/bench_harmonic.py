"""Sums by harmonics against sums over all pairs: on the circle in float64, on S^2 in both."""

from collections.abc import Iterator
from dataclasses import replace

import jax

import meanfield as mf

from ._contest import Contest, compiled, relative_error
from .peers import numpy_loop

FLOAT64 = True
BETA, SOME = 9.0, 64
ACCURACY = {2: 1e-12, 3: 1e-6}
NAME = {2: "circle", 3: "S^2"}
RATIO, SECONDS = {2: 30.0, 3: 5.0}, {2: 0.3, 3: 1.0}
WHY = "none: no exponentials, no products"


def contests(tiny: bool) -> Iterator[Contest]:
    """Both methods for a moderate cloud, and harmonics alone for a large one."""
    few, many = (512, 2048) if tiny else (16_384, 10**6)
    for d, dtype in ((2, "float64"), (3, "float32"), (3, "float64")):
        for n in (few, many):
            contest = _contest(n, d, dtype, n == many)
            if (d, dtype) == (3, "float64"):  # beside the one that was asked for
                yield contest
            else:
                headline = f"Harmonic, circle, n = {few:,}; n = {many:,}" if d == 2 else ""
                yield replace(contest, headline=headline, **_asked(d, n == many))


def _asked(d: int, alone: bool) -> dict:
    """The targets of one contest."""
    limits = {"error": (None, ACCURACY[d])}
    if alone:
        return {"limits": limits | {"seconds": (None, SECONDS[d])}}
    return {"limits": limits, "targets": {"Blockwise": RATIO[d]}}


def _contest(n: int, d: int, dtype: str, alone: bool) -> Contest:
    x = mf.geometry.Sphere(d).sample(jax.random.key(0), n).astype(dtype)
    exact = numpy_loop.rows(x, BETA, SOME)
    harmonic = mf.attention.Harmonic.of(BETA, d, ACCURACY[d])
    engines = {f"Harmonic (degree {harmonic.basis.degree})": harmonic}
    engines |= {} if alone else {"Blockwise": mf.attention.Blockwise()}

    def field(engine):
        attention = mf.attention.Softmax(BETA, engine=engine)
        return lambda: compiled(lambda x: attention(x), x)

    return Contest(
        f"field, n = {n:,}, {NAME[d]}, {dtype}",
        {name: field(engine) for name, engine in engines.items()},
        error=lambda field: relative_error(field[:SOME], exact),
        error_is=f"largest distance to NumPy's float64 over the largest field, on {SOME} tokens",
        facts={"n": n, "d": d, "beta": BETA, "dtype": dtype, "seed": 0},
        no_bound=WHY,
        memory=tuple(engines) if alone else (),
        repeats=5,
    )
