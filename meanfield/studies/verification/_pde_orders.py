import itertools
from dataclasses import dataclass, field, replace
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float
from scipy.integrate import solve_ivp

from ...attention.kernels import Unnormalized
from ...dynamics.densities import FokkerPlanck
from ...harmonics import Gegenbauer
from ...measures import HeatKernel, MoebiusOrbit
from ...schemes import ScharfetterGummel
from ...solve import rollout, simulate
from ..machinery import Claim, Study, check_that, grid, some_of

ROUNDING = 1e-12
"""Errors below this are rounding: no order is read from them."""


@dataclass(frozen=True, kw_only=True)
class PdeOrders(Study):
    """How the errors of the two solvers of the mean-field equation fall with their resolution.

    - `galerkin`: the nonlinear orbit of linear attention, rho = ((1-r^2)/(1-2rt+r^2))^{d-1}, in
      degrees K: the error falls like that of the best approximation, r^K up to a power of K.
    - `step`: the implicit-explicit Runge-Kutta method KenCarp5 in fixed steps, order 5, on noisy
      attention of one bump up to the time 8 `end`, against a run of finer steps.
    - `volumes`: Scharfetter-Gummel finite volumes against the heat kernel with
      tau proportional to h^2: order 2 in the cell width h.
    - `lagged`: the same in the time step alone, on noisy attention: order 1, from differences of
      successive runs.

    The dataset has, over (method, d, level), `size` (degree, steps, cells, steps), `error` (relative,
    in L2 for `galerkin` and `step`, else in L1), `best`, the error of the best approximation for
    `galerkin`, and `order`, between a level and the one before.

    Source: Kennedy and Carpenter (2003), doi:10.1016/S0168-9274(02)00138-1; Schlichting and Seis,
    arXiv 2004.13981.
    """

    dimensions: tuple[int, ...] = (2, 3, 8, 64)
    """Ambient dimensions d."""
    degrees: tuple[int, ...] = (8, 12, 16, 24, 32)
    """Degrees K of the Galerkin method."""
    steps: tuple[int, ...] = field(default=(16, 32, 64, 128), metadata={"count": 2})
    """Steps in time, each twice the one before."""
    cells_in_space: tuple[int, ...] = field(default=(32, 64, 128, 256), metadata={"count": 2})
    """Finite volumes, each twice the one before."""
    beta: float = 2.0
    """Inverse temperature of the noisy runs."""
    noise: float = 0.2
    """Their noise, over d - 1."""
    end: float = 1.0
    """Their time at the end."""

    QUANTITIES: ClassVar = {
        "size": "resolution",
        "error": "relative error",
        "order": "order between levels",
        "best": "error of the best approximation",
        "method": "method",
    }

    def check(self) -> None:
        for name in ("steps", "cells_in_space"):
            sizes = getattr(self, name)
            twice = all(b == 2 * a for a, b in itertools.pairwise(sizes))
            check_that(twice, f"{name} each twice the one before", sizes, "pass (32, 64, 128)")

    def cells(self) -> list[dict]:
        methods = ("galerkin", "step", "volumes", "lagged")
        return grid(method=methods, d=self.dimensions)

    def compute(self, cell: dict) -> xr.Dataset:
        method = {
            "galerkin": self._galerkin,
            "step": self._step,
            "volumes": self._volumes,
            "lagged": self._lagged,
        }[cell["method"]]
        size, error, best = method(cell["d"])
        error = np.asarray(error)
        order = np.full(len(size), np.nan)
        order[1:] = -np.diff(np.log(error)) / np.diff(np.log(size))
        best = np.full(len(size), np.nan) if best is None else np.asarray(best)
        names = {"size": np.array(size, float), "error": error, "order": order, "best": best}
        return xr.Dataset(
            {name: ("level", values) for name, values in names.items()},
            {"level": np.arange(len(size))},
        )

    def tiny(self) -> "PdeOrders":
        return replace(
            self,
            dimensions=some_of(self.dimensions, (3,)),
            degrees=(16,),
            steps=(16, 32, 64),
            cells_in_space=(32, 64),
        )

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        return [self._claim(cell, dataset.sel(cell)) for cell in self.cells()]

    def _claim(self, cell: dict, one: xr.Dataset) -> Claim:
        name = f"{cell['method']}, d = {cell['d']}"
        sizes = {"galerkin": self.degrees, "volumes": self.cells_in_space}
        levels = len(sizes.get(cell["method"], self.steps))
        one = one.isel(level=slice(levels))  # other methods may have more
        seen = ~(one.error.values <= ROUNDING)  # and so is a NaN, which then fails
        if cell["method"] == "galerkin":
            # The two parts are orthogonal: 2 lets the coefficients kept err by sqrt(3) times what is
            # cut off, through which alone they err, for a time of 1/2 at slopes of order one.
            ratio = (one.error / one.best).values[seen].max(initial=0.0)
            return Claim.at_most(f"{name}: error over the best", ratio, 2, "Galerkin's method")
        # The next term of the error bends a slope by about its share: in one of the coarsest 16 steps or
        # 32 cells, below 1/10. The stiff modes of a Runge-Kutta step, noise lambda_K h > 1, err at a lower
        # order, its stage order, and fade as h falls, until rounding is met: half an order.
        expected, tolerance = {"step": (5, 0.5), "volumes": (2, 0.1), "lagged": (1, 0.1)}[
            cell["method"]
        ]
        orders = one.order.values[1:][seen[1:]]
        order = orders[-1] if orders.size else np.nan
        source = "Kennedy and Carpenter (2003)" if expected == 5 else "arXiv 2004.13981"
        return Claim.close(f"{name}: order", order, expected, tolerance, source)

    def _galerkin(self, d: int):
        # Of this size the orbit has a few dozen coefficients above rounding, whatever d is.
        r, end, errors, best = 0.4 / np.sqrt(d), 0.5, [], []
        fine = Gegenbauer(d, 2 * max(self.degrees))
        start, moved = (_moebius(fine, each) for each in (r, _radius(fine, r, end)))
        norm = jnp.linalg.norm(moved)
        for degree in self.degrees:
            basis = Gegenbauer(d, degree)
            flow = FokkerPlanck(basis, Unnormalized(0.0), 0.0)
            gap = jnp.linalg.norm(_run(flow, start[: basis.size], end, 256) - moved[: basis.size])
            tail = jnp.linalg.norm(moved[basis.size :])
            errors.append(float(jnp.hypot(gap, tail) / norm))
            best.append(float(tail / norm))
        return self.degrees, errors, best

    def _step(self, d: int):
        basis = Gegenbauer(d, max(self.degrees))
        flow = FokkerPlanck(basis, self._attention(), self.noise / (d - 1))
        start = jnp.zeros(basis.size).at[:2].set(jnp.array([1.0, 0.3]))
        exact, *found = (
            _run(flow, start, 8 * self.end, steps) for steps in (8 * self.steps[-1], *self.steps)
        )
        errors = [float(jnp.linalg.norm(c - exact) / jnp.linalg.norm(exact)) for c in found]
        return self.steps, errors, None

    def _volumes(self, d: int):
        # One relaxation time, from a heat kernel of that age.
        t, errors = 1 / (d - 1), []
        for cells in self.cells_in_space:
            steps = (cells // self.cells_in_space[0]) ** 2 * 16
            basis = Gegenbauer(d, 1)
            scheme = ScharfetterGummel(basis, None, 1.0, t / steps, cells)
            start, exact = (
                jnp.exp(HeatKernel(d, s).log_density(scheme.points)) for s in (t, 2 * t)
            )
            end = rollout(scheme, start / (scheme.weights @ start), steps).final
            errors.append(float(scheme.weights @ jnp.abs(end - exact)))
        return self.cells_in_space, errors, None

    def _lagged(self, d: int):
        basis, found = Gegenbauer(d, max(self.degrees)), []
        for steps in (*self.steps, 2 * self.steps[-1]):
            scheme = ScharfetterGummel(
                basis,
                self._attention(),
                self.noise / (d - 1),
                self.end / steps,
                self.cells_in_space[0],
            )
            start = 1 + 0.5 * scheme.points[:, 0]
            found.append(rollout(scheme, start / (scheme.weights @ start), steps).final)
        pairs = itertools.pairwise(found)
        return self.steps, [float(scheme.weights @ jnp.abs(a - b)) for a, b in pairs], None

    def _attention(self) -> Unnormalized:
        return Unnormalized(self.beta, offset=self.beta)


def _run(flow: FokkerPlanck, start: Float[Array, " k"], end: float, steps: int):
    return simulate(flow, start, jnp.array([0.0, end]), dt=end / steps).final


def _moebius(basis: Gegenbauer, r: float) -> Float[Array, " k"]:
    return basis.analyze(jnp.exp(MoebiusOrbit(basis.d, r).log_density(basis.points)))


def _radius(basis: Gegenbauer, start: float, end: float) -> float:
    """The solution of r' = (1 - r^2) m(r)/2, with m the mean of t under the orbit at r."""
    t, w = np.asarray(basis.nodes), np.asarray(basis.weights)

    def slope(_, r):
        law = ((1 - r * r) / (1 - 2 * r * t + r * r)) ** (basis.d - 1)
        return (1 - r * r) / 2 * (w @ (t * law))

    path = solve_ivp(slope, (0, end), [start], method="DOP853", rtol=1e-13, atol=1e-15)
    return float(path.y[0, -1])
