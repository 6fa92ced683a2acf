"""SciPy: adaptive integrators on the vectorized field, and minimizers."""

import numpy as np
from scipy.integrate import solve_ivp
from scipy.optimize import minimize

from .._contest import Work
from .numpy_loop import field


def flow(x, beta: float, end: float, tol: float, method: str = "RK45") -> Work:
    """The tokens at the end, by solve_ivp."""
    x0 = np.array(x, dtype=np.float64)

    def drift(_, flat):
        x = flat.reshape(x0.shape)
        pull = field(x, beta)
        return (pull - np.sum(pull * x, axis=-1, keepdims=True) * x).ravel()

    def run():
        out = solve_ivp(drift, (0.0, end), x0.ravel(), method=method, rtol=tol, atol=tol)
        x = out.y[:, -1].reshape(x0.shape)
        return x / np.linalg.norm(x, axis=-1, keepdims=True)

    return run


def movements(start, tau: float, steps: int) -> Work:
    """Minimizing movements of int V rho + int rho log rho in quantiles, V = x^2/2, by L-BFGS-B.

    The quantiles of equal masses increase: the unknowns are the first and the logarithms of the gaps.
    The density between two is their mass over their distance.
    """
    start = np.array(start, dtype=np.float64)
    n = len(start)

    def quantiles(z):
        return z[0] + np.concatenate([[0.0], np.cumsum(np.exp(z[1:]))])

    def value(z, before):
        x = quantiles(z)
        total = np.sum(x**2 / 2 + (x - before) ** 2 / (2 * tau)) - z[1:].sum()
        beyond = np.cumsum((x + (x - before) / tau)[::-1])[::-1]  # summed over this and later ones
        return total / n, np.concatenate([beyond[:1], beyond[1:] * np.exp(z[1:]) - 1]) / n

    def run():
        x = start
        for _ in range(steps):
            z = np.concatenate([x[:1], np.log(np.diff(x))])
            options = {"maxiter": 5000, "maxfun": 20_000, "ftol": 1e-14, "gtol": 1e-9}
            x = quantiles(minimize(value, z, (x,), "L-BFGS-B", jac=True, options=options).x)
        return x

    return run
