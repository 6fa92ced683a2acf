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

    The unknowns are the quantiles of equal masses; the density between two is their mass over their
    distance, and the two tails keep the width of the last gaps.
    """
    start = np.array(start, dtype=np.float64)

    def value(x, before):
        gaps = np.diff(x)
        if gaps.min() <= 0:
            return np.inf, np.zeros_like(x)
        slope = np.zeros_like(x)
        slope[1:] -= 1 / gaps
        slope[:-1] += 1 / gaps
        total = np.sum(x**2 / 2 + (x - before) ** 2 / (2 * tau)) - np.log(gaps).sum()
        return total / len(x), (x + (x - before) / tau + slope) / len(x)

    def run():
        x = start
        for _ in range(steps):
            options = {"maxiter": 5000, "maxfun": 20_000, "ftol": 1e-14, "gtol": 1e-9}
            x = minimize(value, x, (x,), "L-BFGS-B", jac=True, options=options).x
        return x

    return run
