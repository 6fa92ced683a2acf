"""py-pde: finite differences on grids, compiled by numba."""

from .._contest import Work, need


def circle(cells: int, noise: float, end: float) -> Work:
    """d_t rho = noise rho'' + (rho V')', V = cos(theta), from 1 + cos(theta)/2, on a periodic grid."""
    need("pde", "py-pde")
    import numpy as np
    import pde

    grid = pde.CartesianGrid([[0, 2 * np.pi]], cells, periodic=True)
    start = pde.ScalarField.from_expression(grid, "1 + 0.5 * cos(x)")
    # Written out, since V' = -sin(x).
    equation = pde.PDE({"c": f"{noise} * laplace(c) - d_dx(c * sin(x))"})

    def run():
        out = equation.solve(
            start, t_range=end, dt=1e-4, adaptive=True, solver="runge-kutta", tracker=None
        )
        return np.asarray(out.data)

    return run
