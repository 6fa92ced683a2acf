"""What the reduction of escape times to the mean resultant leaves out, on the circle."""

import numpy as np
from jaxtyping import Float
from scipy.integrate import cumulative_trapezoid
from scipy.interpolate import CubicSpline

from ...landscape.densities import Barrier, growth_rates

MODES = 14
"""Harmonics: those of e^{5 cos} beyond weigh 1e-6 of the first."""
SEEN_LATE = 0.877
"""By how many standard deviations of a step the largest of the averages of two places of a random walk
lies below that of the Brownian motion through it, in the mean. Of the places themselves it is .583."""


def lasting(wall: Barrier, n: int, target: float, dt: float) -> float:
    """The mean escape time of `escape_time` on the circle, with what that leaves out to leading order.

        T = lag int_0^b dr/(D p) int_0^r p - 1/(2 nu),    p = r C(r) e^{-n F*(r)/nu}

    - C(r) is the volume in which the other harmonics fluctuate about the density of mean r, of order one
      whatever n, and `lag` says how much later they let clouds go (`Held`).
    - Runs start from uniform tokens, whose r^2 is 1/n, and not from 0.
    - Runs by the steps of Leimkuhler and Matthews, averages of two places of a Brownian motion, are looked
      at after each: they pass b when that has passed a place beyond.

    What is left is of order 1/n.
    """
    noise = float(wall.noise)
    order, free, mobility = (
        np.asarray(part) for part in (wall.profile.order, wall.profile.free_energy, wall.profile.mobility)
    )  # fmt: skip
    degrees = np.arange(1, MODES + 1)
    strengths = np.asarray(growth_rates(wall.attention, 2, 0.0, MODES))[1:] / degrees**2
    held, moving = Held(2 * strengths / noise), CubicSpline(order, mobility)
    step = np.sqrt(2 * noise / n * float(moving(target)) * dt)
    x = np.linspace(0, target + SEEN_LATE * step, 4001)[1:]
    level = CubicSpline(order, n * free - held.volumes(order))(x)
    p = x * np.exp(level.min() - level)
    inner = p[0] * x[0] / 2 + cumulative_trapezoid(p, x, initial=0)
    rate = n / noise * inner / (p * moving(x))
    whole = np.trapezoid(rate, x) + rate[0] * x[0] / 2
    return float(whole * held.lag(float(wall.saddle)) - 1 / (2 * noise))


class Held:
    """The densities of least free energy whose mean cosine is held, and what fluctuates about them.

        F/nu = int rho log rho - 1/2 sum_k pull_k |m_k|^2,    m_k = int e^{i k angle} rho

    - `pull` [K]: of harmonics 1 .. K, in units of the noise.
    """

    def __init__(self, pull: Float[np.ndarray, " K"]):
        self.pull, angles = pull, 2 * np.pi * np.arange(256) / 256
        waves = np.outer(np.arange(1, len(pull) + 1), angles)
        self.cos, self.sin = np.cos(waves), np.sin(waves)

    def masses(self, orders: Float[np.ndarray, " m"]) -> list[np.ndarray]:
        """The masses of 256 angles at ascending orders, from 0 or near it in steps of few hundredths."""
        z, found = np.zeros_like(self.pull), []
        for r in orders:
            for _ in range(12):  # Newton's method for m_2 .. m_K, and for what holds the first
                mass = self._mass(r, z)
                means = self.cos @ mass
                cov = self._covariance(self.cos, mass)
                slopes = np.column_stack([cov[:, 1:] * self.pull[1:], cov[:, 0]])
                slopes[1:, :-1] -= np.eye(len(z) - 1)
                z = z + np.linalg.solve(slopes, np.append(r, z[:-1]) - means)
            found.append(self._mass(r, z))
        return found

    def volumes(self, orders: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
        """log C less that of the first order: C^-2 = prod of var m_1 det(1 - cov(m | m_1) pull), k > 1,
        over cosines and sines: n F/nu has curvatures n (cov^-1 - pull), and m a density det(cov)^-1/2."""
        logs = []
        for mass in self.masses(orders):
            covs = [self._covariance(waves, mass) for waves in (self.cos, self.sin)]
            logs.append(-sum(self._log_variance(cov) for cov in covs) / 2)
        return np.array(logs) - logs[0]

    def lag(self, saddle: float) -> float:
        """The rate at which a saddle would be left along r alone, over that at which it is: 1 or more.

        Near it m' = -noise A H m, with A_jk = int of the slopes of both cosines and H the curvatures.
        """
        steps = np.linspace(0, saddle, 1 + int(np.ceil(saddle / 0.02)))
        mass = self.masses(steps)[-1]
        slopes = np.arange(1, len(self.pull) + 1)[:, None] * self.sin
        mobility = (slopes * mass) @ slopes.T
        curvature = np.linalg.inv(self._covariance(self.cos, mass)) - np.diag(self.pull)
        alone = mobility[0, 0] / np.linalg.inv(curvature)[0, 0]
        return float(alone / np.linalg.eigvals(mobility @ curvature).real.min())

    def _mass(self, r: float, z: np.ndarray) -> np.ndarray:
        logs = (self.pull * np.append(r, z[:-1])) @ self.cos + z[-1] * self.cos[0]
        mass = np.exp(logs - logs.max())
        return mass / mass.sum()

    @staticmethod
    def _covariance(waves: np.ndarray, mass: np.ndarray) -> np.ndarray:
        return (waves * mass) @ waves.T - np.outer(waves @ mass, waves @ mass)

    def _log_variance(self, cov: np.ndarray) -> float:
        rest = cov[1:, 1:] - np.outer(cov[1:, 0], cov[0, 1:]) / cov[0, 0]
        stiff = np.eye(len(rest)) - rest * self.pull[1:]
        return float(np.log(cov[0, 0]) + np.linalg.slogdet(stiff)[1])
