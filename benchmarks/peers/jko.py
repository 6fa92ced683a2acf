"""Minimizing movements as one writes them in NumPy and SciPy."""

import numpy as np
from scipy.optimize import minimize

from .._contest import Work


def quantiles(start, tau: float, steps: int) -> Work:
    """Minimizing movements of int V rho + int rho log rho in quantiles, V = x^2/2, by L-BFGS-B.

    The quantiles of equal masses increase: the unknowns are the first and the logarithms of the gaps.
    The density between two is their mass over their distance.
    """
    start = np.array(start, dtype=np.float64)
    n = len(start)

    def positions(z):
        return z[0] + np.concatenate([[0.0], np.cumsum(np.exp(z[1:]))])

    def value(z, before):
        x = positions(z)
        total = np.sum(x**2 / 2 + (x - before) ** 2 / (2 * tau)) - z[1:].sum()
        beyond = np.cumsum((x + (x - before) / tau)[::-1])[::-1]  # summed over this and later ones
        return total / n, np.concatenate([beyond[:1], beyond[1:] * np.exp(z[1:]) - 1]) / n

    def run():
        x = start
        for _ in range(steps):
            z = np.concatenate([x[:1], np.log(np.diff(x))])
            options = {"maxiter": 5000, "maxfun": 20_000, "ftol": 1e-14, "gtol": 1e-9}
            x = positions(minimize(value, z, (x,), "L-BFGS-B", jac=True, options=options).x)
        return x

    return run


def scaling(x, start, tau: float, epsilon: float, steps: int, tol: float) -> Work:
    """Minimizing movements of int V rho + int rho log rho on a grid x [q], V = x^2/2, by scaling.

    Each step's plan is diag(a) K diag(b), K = e^{-|x - y|^2/(2 tau epsilon)}, with the rows of the old
    density and columns m that minimize <m, V + log(m/h)> + epsilon KL(m | K^T a).
    Source: Peyre (2015), doi:10.1137/15M1010087.
    """
    x, width = np.array(x), float(x[1] - x[0])
    kernel = np.exp(-((x[:, None] - x) ** 2) / (2 * tau * epsilon))
    start = np.array(start) * width

    def run():
        masses = start
        for _ in range(steps):
            rows, b, off = masses, np.ones_like(masses), np.inf
            while off > tol:
                a = rows / (kernel @ b)
                seen = kernel.T @ a
                logs = epsilon * np.log(seen) + np.log(width) - 1 - x**2 / 2
                masses = np.exp(logs / (1 + epsilon))
                b = masses / seen
                off = np.abs(a * (kernel @ b) - rows).sum()
        return masses / width

    return run


def particles(x, beta: float, tau: float, steps: int) -> Work:
    """Minimizing movements of -1/(2 beta) mean e^{beta <x_i, x_j>} on the sphere: the last two clouds.

    The unknowns are points of R^d, of which the directions count.
    """
    start = np.array(x)
    n = len(start)

    def value(flat, before):
        u = flat.reshape(start.shape)
        size = np.linalg.norm(u, axis=1, keepdims=True)
        x = u / size
        weights = np.exp(beta * x @ x.T)
        cosine = np.clip(np.sum(x * before, axis=1), -1, 1)
        angle = np.arccos(cosine)
        slope = -weights @ x / n**2 - before / np.sinc(angle / np.pi)[:, None] / (tau * n)
        slope = (slope - np.sum(slope * x, axis=1, keepdims=True) * x) / size
        return -weights.mean() / (2 * beta) + np.mean(angle**2) / (2 * tau), slope.ravel()

    def run():
        before = x = start
        for _ in range(steps):
            before = x
            options = {"maxiter": 5000, "ftol": 1e-15, "gtol": 1e-10}
            u = minimize(value, x.ravel(), (before,), "L-BFGS-B", jac=True, options=options).x
            u = u.reshape(start.shape)
            x = u / np.linalg.norm(u, axis=1, keepdims=True)
        return before, x

    return run
