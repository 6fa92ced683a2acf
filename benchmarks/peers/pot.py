"""POT, Python Optimal Transport."""

import numpy as np

from .._contest import Work, need


def doubly_stochastic(x, beta: float, iterations: int, log_domain: bool = False) -> Work:
    """Potentials f, g of the plan of kernel e^{beta <x, y>} after so many iterations, and products
    with the kernel: two an iteration, and one for every tenth, whose error POT looks at."""
    need("ot", "POT")
    import ot

    x = np.array(x)
    n = len(x)
    masses = np.full(n, 1 / n, x.dtype)
    method = "sinkhorn_log" if log_domain else "sinkhorn"

    def run():
        _, log = ot.sinkhorn(
            masses, masses, -x @ x.T, 1 / beta, method, iterations, 0.0, log=True, warn=False
        )
        if log_domain:
            f, g = log["log_u"], log["log_v"]
        else:
            f, g = np.log(log["u"]), np.log(log["v"])
        return f + np.log(n), g + np.log(n), 2 * iterations + -(-iterations // 10)

    return run


def wasserstein(x, y, a=None, b=None, geodesic: bool = False) -> Work:
    """The exact distance by the network simplex, straight or along the sphere."""
    need("ot", "POT")
    import ot

    x, y = np.array(x), np.array(y)
    a = np.full(len(x), 1 / len(x)) if a is None else np.array(a)
    b = np.full(len(y), 1 / len(y)) if b is None else np.array(b)
    cost = (lambda: np.arccos(np.clip(x @ y.T, -1, 1)) ** 2) if geodesic else lambda: ot.dist(x, y)
    return lambda: np.sqrt(ot.emd2(a, b, cost()))


def circle(u, v) -> Work:
    """The exact distance on the circle, of angles in turns."""
    need("ot", "POT")
    import ot

    u, v = np.array(u), np.array(v)
    return lambda: np.sqrt(ot.wasserstein_circle(u, v, p=2)[0])


def barycenter(clouds, start, epsilon: float | None) -> Work:
    """Free support: by Sinkhorn plans, or by exact ones."""
    need("ot", "POT")
    import ot

    clouds = [np.array(cloud) for cloud in clouds]
    masses = [np.full(len(cloud), 1 / len(cloud)) for cloud in clouds]
    start = np.array(start)
    if epsilon is None:
        return lambda: ot.lp.free_support_barycenter(clouds, masses, start, stopThr=1e-4)
    solve = ot.bregman.free_support_sinkhorn_barycenter
    return lambda: solve(clouds, masses, start, reg=epsilon, stopThr=1e-4)
