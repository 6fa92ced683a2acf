"""Exact W2 where plans are hard to find: points of S^2, and clusters of unequal masses, against POT."""

from collections.abc import Iterator

import jax

import meanfield as mf
from meanfield.transport import Exact, SquaredGeodesic, wasserstein

from ._contest import Contest, compiled
from .peers import pot

FLOAT64 = True


def contests(tiny: bool) -> Iterator[Contest]:
    """Even points of S^2, and ten clusters against ten others."""
    yield _sphere(100 if tiny else 1000)
    yield _clusters(*((60, 50) if tiny else (300, 280)))


def _contest(name: str, ours, theirs, facts: dict) -> Contest:
    exact = float(ours()())
    return Contest(
        name,
        {"wasserstein, Exact": ours, "POT, exact": theirs},
        error=lambda value: abs(float(value) / exact - 1),
        error_is="relative distance to the exact one of ours",
        facts={**facts, "dtype": "float64", "seed": 0},
        repeats=3,
    )


def _sphere(n: int) -> Contest:
    x, y = (mf.geometry.Sphere(3).sample(key, n) for key in jax.random.split(jax.random.key(0)))

    def ours():
        return compiled(
            lambda x, y: wasserstein(x, y, cost=SquaredGeodesic(), method=Exact()).value, x, y
        )

    theirs = lambda: pot.wasserstein(x, y, geodesic=True)
    return _contest(f"W2 on S^2, n = {n:,}", ours, theirs, {"n": n})


def _clusters(n: int, m: int) -> Contest:
    one, two = jax.random.split(jax.random.key(0))
    (x, a), (y, b) = _cloud(one, n), _cloud(two, m)

    def ours():
        return compiled(
            lambda x, y, a, b: wasserstein(x, y, a, b, method=Exact()).value, x, y, a, b
        )

    theirs = lambda: pot.wasserstein(x, y, a, b)
    facts = {"n": n, "m": m, "d": 3}
    return _contest(f"W2 of weighted clusters in R^3, n = {n}, m = {m}", ours, theirs, facts)


def _cloud(key, n: int):
    """Points about ten centres, and masses between which there is a factor of some e^4."""
    at, near, of, heavy = jax.random.split(key, 4)
    centres = jax.random.normal(at, (10, 3))
    x = centres[jax.random.randint(of, (n,), 0, 10)] + 0.05 * jax.random.normal(near, (n, 3))
    return x, jax.nn.softmax(jax.random.normal(heavy, (n,)))
