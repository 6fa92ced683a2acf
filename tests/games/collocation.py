"""Stationary games by collocation and a root finder of SciPy: what else solves them."""

import numpy as np
from numpy.polynomial import legendre
from scipy.optimize import root


class Cosines:
    """Functions on the circle as sums of cos k theta, k = 1 .. K, at equal angles."""

    def __init__(self, modes=16, points=128):
        self.angle, k = 2 * np.pi * np.arange(points) / points, np.arange(1, modes + 1)
        at = np.outer(self.angle, k)
        self.weights = np.full(points, 1 / points)
        self.values, self.slopes = np.cos(at), -k * np.sin(at)
        self.rates, self.norms = k**2, np.full(modes, 0.5)
        self.point = np.cos(self.angle)


class Legendres:
    """Zonal functions on S^2 as sums of P_k(t), k = 1 .. K, at Gauss nodes; slopes by angle."""

    def __init__(self, modes=16, points=64):
        self.point, weights = legendre.leggauss(points)
        self.weights, k = weights / 2, np.arange(1, modes + 1)
        one = np.eye(modes + 1)[1:]
        self.values = np.stack([legendre.legval(self.point, c) for c in one], axis=1)
        down = [legendre.legval(self.point, legendre.legder(c)) for c in one]
        self.slopes = -np.sqrt(1 - self.point**2)[:, None] * np.stack(down, axis=1)
        self.rates, self.norms = k * (k + 1), 1 / (2 * k + 1)


def pairs(space, strength):
    """-W*m of a law, of multipliers W_k."""
    return lambda m: (
        -space.values @ (strength * (space.values.T @ (space.weights * m)) / space.norms)
    )


def multipliers(space, profile):
    """By Funk and Hecke, of a function of the cosine."""
    return space.values.T @ (space.weights * profile(space.point))


def doubly_stochastic(space, beta):
    """g/beta of a law on the circle: e^{g + beta cos + g'} has the marginals one under it."""
    kernel = np.exp(beta * (np.cos(space.angle[:, None] - space.angle) - 1))

    def felt(m):
        g = np.zeros_like(m)
        for _ in range(60):
            g = (g - np.log(kernel @ (space.weights * m * np.exp(g)))) / 2
        return g / beta

    return felt


def law(space, v, noise):
    m = np.exp(-space.values @ v / noise)
    return m / (space.weights @ m)


def residual(space, v, felt, noise, discount=None):
    """What is left of the equation of Hamilton and Jacobi in each harmonic."""
    scale, slope = 1 if discount is None else discount, space.slopes @ v
    left = space.values @ ((discount or 0) * v + noise * space.rates * v) + slope**2 / 2
    left = left - scale * felt(law(space, v, noise))
    return space.values.T @ (space.weights * left) / space.norms


def solved(space, felt, noise, discount=None, paid=None):
    """Order, and what a player pays beyond the uniform law, of a law that is not uniform."""
    equations = lambda v: residual(space, v, felt, noise, discount)
    starts = (-noise * factor * np.eye(space.rates.size)[0] for factor in (1, 1.5, 2, 2.5, 3))
    v = next(v for s in starts if np.abs(v := root(equations, s, tol=1e-12).x).max() > 1e-3)
    assert np.abs(equations(v)).max() < 1e-10
    paid, m = felt if paid is None else paid, law(space, v, noise)
    mean = lambda f: space.weights @ (m * f)
    scale, flat = 1 if discount is None else discount, paid(np.ones_like(m)).mean()
    return mean(space.point), mean((space.slopes @ v) ** 2) / 2 + scale * (mean(paid(m)) - flat)
