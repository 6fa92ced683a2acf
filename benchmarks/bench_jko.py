"""Minimizing movements by quantiles, on a grid and of particles, against NumPy and SciPy."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

import meanfield as mf

from ._contest import Contest, compiled
from .peers import jko

FLOAT64 = True
TAU, STEPS, WIDTH, NARROW = 0.1, 10, 2.0, 0.5


def contests(tiny: bool) -> Iterator[Contest]:
    """Ornstein and Uhlenbeck's process, whose deviation after each step is known; then tokens."""
    yield _quantiles(*((32, 2) if tiny else (256, STEPS)))
    yield _grid(*((80, 2) if tiny else (400, STEPS)))
    yield _particles(*((8, 2) if tiny else (64, 5)))


def _deviation(start: float, steps: int) -> float:
    """After so many steps: s + tau (s - 1/s) = the one before."""
    for _ in range(steps):
        start = (start + np.sqrt(start**2 + 4 * TAU * (1 + TAU))) / (2 * (1 + TAU))
    return float(start)


def _quantiles(n: int, steps: int) -> Contest:
    energy = mf.energies.Potential(_bowl) + mf.energies.Entropy()
    scheme = mf.schemes.QuantileJKO(energy, TAU)
    levels = (jnp.arange(n) + 0.5) / n
    start = WIDTH * jax.scipy.stats.norm.ppf(levels)
    expected = _deviation(WIDTH, steps) / WIDTH
    return Contest(
        f"JKO, {steps} steps, {n:,} quantiles",
        {
            "QuantileJKO": lambda: compiled(lambda x: mf.rollout(scheme, x, steps).final, start),
            "SciPy, L-BFGS-B": lambda: jko.quantiles(start, TAU, steps),
        },
        error=lambda x: abs(_ratio(x, start) / expected - 1),
        error_is="relative error of the deviation of the middle half",
        facts={"n": n, "tau": TAU, "dtype": "float64"},
        headline=f"JKO, {steps} steps, {n:,} quantiles",
        repeats=3,
    )


def _grid(cells: int, steps: int) -> Contest:
    """Entropic transport at nu/5: ours is debiased, and so it is asked for less by less."""
    energy = mf.energies.Potential(_bowl) + mf.energies.Entropy()
    domain, epsilon = mf.transport.Box(-5.0, 5.0, cells), 0.2 if cells >= 200 else 0.8
    x, tol = domain.points[:, 0], 1e-8
    start = domain.evaluate(lambda x: jnp.exp(-(x[0] ** 2) / (2 * NARROW**2)))
    expected = _deviation(NARROW, steps)

    def ours(bias):
        scheme = mf.schemes.EntropicJKO(domain, energy, TAU, epsilon, bias=bias, tol=tol)
        return lambda: compiled(lambda rho: mf.rollout(scheme, rho, steps).final, start)

    return Contest(
        f"JKO, {steps} steps, {cells:,} cells",
        {
            "EntropicJKO, debiased": ours(mf.schemes.Debiased()),
            "EntropicJKO, biased": ours(mf.schemes.Biased()),
            "NumPy, scaling": lambda: jko.scaling(x, start, TAU, epsilon, steps, tol),
        },
        error=lambda rho: abs(float(np.sqrt(np.sum(rho * x**2) / np.sum(rho))) / expected - 1),
        error_is="relative error of the deviation; that of the biased ones is of order epsilon",
        facts={"cells": cells, "tau": TAU, "epsilon": epsilon, "tol": tol, "dtype": "float64"},
        repeats=3,
    )


def _particles(n: int, steps: int) -> Contest:
    sphere, beta = mf.geometry.Sphere(3), 4.0
    energy = -mf.energies.Interaction(beta)
    x = sphere.sample(jax.random.key(0), n)

    def ours(tol: float | None = None):
        scheme = mf.schemes.ParticleJKO(sphere, energy, TAU, tol=tol)

        def last(x):
            return mf.rollout(scheme, x, steps, observe={"x": lambda x: x}).values["x"][-2:]

        return lambda: compiled(last, x)

    def residual(pair) -> float:
        before, x = map(jnp.asarray, pair)
        pull = sphere.to_tangent(x, mf.attention.Unnormalized(beta)(x))
        left = jax.vmap(sphere.log)(x, before) + TAU * pull
        return float(jnp.linalg.norm(left, axis=1).max())

    return Contest(
        f"JKO, {steps} steps, {n:,} tokens on S^2",
        {
            "ParticleJKO, tol=3e-8": ours(3e-8),
            "ParticleJKO": ours(),
            "SciPy, L-BFGS-B": lambda: jko.particles(x, beta, TAU, steps),
        },
        error=residual,
        error_is="distance by which the last step misses Euler and Lagrange's equation",
        facts={"n": n, "d": 3, "beta": beta, "tau": TAU, "dtype": "float64", "seed": 0},
        repeats=3,
    )


def _bowl(x):
    return x[0] ** 2 / 2


def _ratio(x, start) -> float:
    """How far the middle half of the quantiles has contracted."""
    x, start = np.asarray(x), np.asarray(start)
    half = slice(len(x) // 4, -(len(x) // 4))
    return float(np.sqrt(np.sum(x[half] ** 2) / np.sum(start[half] ** 2)))
