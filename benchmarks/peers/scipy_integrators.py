"""SciPy: adaptive integrators on the vectorized field."""

import numpy as np
from scipy.integrate import solve_ivp

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
