"""Ten minimizing movements of a density on the line, against SciPy's minimizer of the same functional."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

import meanfield as mf

from ._contest import Contest, compiled
from .peers import scipy_integrators

FLOAT64 = True
TAU, STEPS, WIDTH = 0.1, 10, 2.0


def contests(tiny: bool) -> Iterator[Contest]:
    """The Ornstein-Uhlenbeck process, where the deviation after each step is known."""
    n, steps = (32, 2) if tiny else (256, STEPS)
    energy = mf.energies.Potential(_bowl) + mf.energies.Entropy()
    scheme = mf.schemes.QuantileJKO(energy, TAU)
    levels = (jnp.arange(n) + 0.5) / n
    start = WIDTH * jax.scipy.stats.norm.ppf(levels)
    deviation = WIDTH
    for _ in range(steps):  # s + tau (s - 1/s) = the one before
        deviation = (deviation + np.sqrt(deviation**2 + 4 * TAU * (1 + TAU))) / (2 * (1 + TAU))
    expected = float(deviation) / WIDTH
    yield Contest(
        f"JKO, {steps} steps, {n:,} quantiles",
        {
            "QuantileJKO": lambda: compiled(lambda x: mf.rollout(scheme, x, steps).final, start),
            "SciPy, L-BFGS-B": lambda: scipy_integrators.movements(start, TAU, steps),
        },
        error=lambda x: abs(_ratio(x, start) / expected - 1),
        error_is="relative error of the deviation of the middle half",
        facts={"n": n, "tau": TAU, "dtype": "float64"},
        repeats=3,
    )


def _bowl(x):
    return x[0] ** 2 / 2


def _ratio(x, start) -> float:
    """How far the middle half of the quantiles has contracted."""
    x, start = np.asarray(x), np.asarray(start)
    half = slice(len(x) // 4, -(len(x) // 4))
    return float(np.sqrt(np.sum(x[half] ** 2) / np.sum(start[half] ** 2)))
