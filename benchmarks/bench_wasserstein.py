"""W2 between clouds: exact on the circle and by assignment, and entropic, against POT, ott, GeomLoss."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp

import meanfield as mf
from meanfield.transport import Entropic, Exact, SquaredGeodesic, wasserstein

from ._contest import Contest, compiled
from .peers import geomloss, ott_solvers, pot

FLOAT64 = True


def contests(tiny: bool) -> Iterator[Contest]:
    """On the circle by sorting, in R^3 by assignment, and in R^3 by Sinkhorn's iteration."""
    yield _circle(*((200, 200) if tiny else (20_000, 20_000)))
    yield _circle(*((200, 190) if tiny else (20_000, 19_000)))
    yield _cloud(100 if tiny else 1000)


def _circle(n: int, m: int) -> Contest:
    turns = jnp.sort(jax.random.beta(jax.random.key(0), 2.0, 5.0, (2, n)))
    turns = turns[0], turns[1, :m]
    x, y = (jnp.stack([jnp.cos(2 * jnp.pi * u), jnp.sin(2 * jnp.pi * u)], axis=1) for u in turns)
    exact = float(wasserstein(x, y, cost=SquaredGeodesic(), method=Exact()).value)
    return Contest(
        f"W2 on the circle, n = {n:,}" + (f", m = {m:,}" if m < n else ""),
        {
            "wasserstein": lambda: compiled(
                lambda x, y: wasserstein(x, y, cost=SquaredGeodesic()).value, x, y
            ),
            "POT": lambda: _radians(pot.circle(*turns)),
        },
        error=lambda value: abs(float(value) / exact - 1),
        error_is="relative distance to the exact one of ours",
        facts={"n": n, "m": m, "dtype": "float64", "seed": 0},
        repeats=3,
    )


def _cloud(n: int) -> Contest:
    one, two = jax.random.split(jax.random.key(0))
    x = mf.measures.Gaussian(jnp.zeros(3), jnp.eye(3)).sample(one, n)
    y = mf.measures.Gaussian(jnp.ones(3), 0.5 * jnp.eye(3)).sample(two, n)
    exact = float(wasserstein(x, y, method=Exact()).value)
    epsilon, tol = 0.05, 1e-4

    def ours(method):
        return lambda: compiled(lambda x, y: wasserstein(x, y, method=method).value, x, y)

    return Contest(
        f"W2 in R^3, n = {n:,}",
        {
            "wasserstein, Exact": ours(Exact()),
            "POT, exact": lambda: pot.wasserstein(x, y),
            "wasserstein, Entropic": ours(Entropic(epsilon, tol=tol)),
            "ott, Sinkhorn": lambda: ott_solvers.wasserstein(x, y, epsilon, tol),
            "GeomLoss, Sinkhorn": lambda: geomloss.wasserstein(x, y, epsilon),
        },
        error=lambda value: abs(float(value) / exact - 1),
        error_is="relative distance to the exact one",
        facts={"n": n, "d": 3, "epsilon": epsilon, "tol": tol, "dtype": "float64", "seed": 0},
        repeats=3,
    )


def _radians(work):
    """A distance in turns as one in radians."""
    return lambda: 2 * jnp.pi * work()
