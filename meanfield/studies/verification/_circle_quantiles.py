"""Laws on the circle by quantiles, counted from the angle 0, however they are given."""

import numpy as np
from scipy.interpolate import CubicSpline

LEVELS = (np.arange(1024) + 0.5) / 1024
"""Levels of the quantiles by which laws are compared."""


def inverse(values: np.ndarray, offset: float, u: np.ndarray = LEVELS) -> np.ndarray:
    """The quantiles at levels u of a density at equispaced angles from `offset`, by its waves."""
    n = len(values)
    k = np.arange(1, min((n - 1) // 2, 64) + 1)
    waves = np.fft.rfft(values)[k] / values.sum() * np.exp(-1j * k * offset)
    angles = np.linspace(0, 2 * np.pi, 4097)
    rises = (np.exp(1j * angles[:, None] * k) - 1) / (1j * k)
    below = (angles + 2 * (rises @ waves).real) / (2 * np.pi)
    return np.interp(u, np.maximum.accumulate(below), angles)


def between(u: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The quantiles at LEVELS, counted from the angle 0, from those at u, which go round once."""
    wave = np.append(x - 2 * np.pi * u, x[0] - 2 * np.pi * u[0])
    bent = CubicSpline(np.append(u, u[0] + 1), wave, bc_type="periodic")
    fine = np.linspace(-1, 2, 3 * 4096 + 1)
    # Where the law has next to no mass the spline may turn back by a little.
    along = np.maximum.accumulate(2 * np.pi * fine + bent(fine))
    first = np.interp(0.0, along, fine)
    return np.interp(first + LEVELS, fine, along)


def shares(x: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The mass of each arc, by linear interpolation of the distribution function."""
    x = np.sort(np.mod(x, 2 * np.pi))
    x = np.concatenate([x[-1:] - 2 * np.pi, x, x[:1] + 2 * np.pi])
    steps = np.concatenate([[LEVELS[0] - 1 / len(LEVELS)], LEVELS, [1 + LEVELS[0]]])
    return np.diff(np.interp(edges, x, steps))
