"""ott's own solvers, as its documentation calls them."""

import jax
import jax.numpy as jnp
import numpy as np
from ott.geometry import costs, pointcloud
from ott.problems.linear import linear_problem
from ott.solvers.linear import sinkhorn

from .._contest import Work, compiled


def doubly_stochastic(x, beta: float, iterations: int) -> Work:
    """Potentials f, g of the plan of kernel e^{beta <x, y>} after so many iterations, and products
    with the kernel: two an iteration, and one for the error at the end."""

    @jax.tree_util.register_pytree_node_class
    class MinusDot(costs.CostFn):
        """-<x, y>."""

        def __call__(self, x, y):
            return -jnp.vdot(x, y)

    def solve(x):
        geometry = pointcloud.PointCloud(x, x, cost_fn=MinusDot(), epsilon=1 / beta)
        problem = linear_problem.LinearProblem(geometry)
        out = sinkhorn.Sinkhorn(
            threshold=0.0,
            inner_iterations=iterations,
            min_iterations=iterations,
            max_iterations=iterations,
        )(problem)
        # ott's potentials carry the masses: f is eps log(u) of diag(u) K diag(v).
        log_n = float(np.log(x.shape[0]))
        return beta * out.f + log_n, beta * out.g + log_n, 2 * out.n_iters + 1

    return compiled(solve, x)


def wasserstein(x, y, epsilon: float, tol: float) -> Work:
    """The root of the entropic transport cost, and iterations."""

    def solve(x, y):
        geometry = pointcloud.PointCloud(x, y, epsilon=epsilon)
        out = sinkhorn.Sinkhorn(threshold=tol, max_iterations=5000)(
            linear_problem.LinearProblem(geometry)
        )
        return jnp.sqrt(out.primal_cost)

    return compiled(solve, x, y)
