"""Fields on intervals and rings: order, conservation, and what their ends do.

In space alone: the right-hand side is linear, du/dt = A u + b, and its exponential is exact in time.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from editing import edited
from scipy.linalg import expm

from meanfield import surrogates
from meanfield.surrogates.runs._flow import rates
from meanfield.surrogates.runs._run import arguments, start_of

NO_FLUX = [{"symbol": "u", "kind": "no-flux"}]
FIXED = [{"symbol": "u", "kind": "fixed", "start": 1.0, "stop": 3.0}]
D, C, T = 0.3, 0.7, 0.5


def linear(model):
    """The matrix and the constant part of the right-hand side, and the start."""
    args = arguments(model)
    start = start_of(model, args)
    field = lambda u: rates(model, jnp.asarray(0.0), u[None], args)[0]
    slopes, rest = jax.jit(lambda u: (jax.jacfwd(field)(u), field(0 * u)))(start[0])
    return np.asarray(slopes), np.asarray(rest), np.asarray(start[0])


def after(model, t: float) -> np.ndarray:
    """The field at a time: exp(At) u0 + the integral of exp(As) b."""
    a, b, u = linear(model)
    whole = np.zeros((len(u) + 1, len(u) + 1))
    whole[:-1, :-1], whole[:-1, -1] = a, b
    return (expm(whole * t) @ np.append(u, 1.0))[:-1]


def ring(x, t):
    return 2 + np.exp(-D * (2 * np.pi) ** 2 * t) * np.sin(2 * np.pi * (x - C * t))


def closed(x, t):
    return 2 + np.exp(-D * np.pi**2 * t) * np.cos(np.pi * x)


def held(x, t):
    return 1 + 2 * x + np.exp(-D * np.pi**2 * t) * np.sin(np.pi * x)


FLOW, SPREADING = "D*d(d(u, x), x) - d(c*u, x)", "d(D*d(u, x), x)"
CASES = {
    "ring": ("ring", [], FLOW, "2 + sin(2*3.141592653589793*x/one)", ring),
    "outside of the flux": ("ring", [], "d(D*d(u, x), x) - c*d(u, x)",
                            "2 + sin(2*3.141592653589793*x/one)", ring),
    "no flux": ("interval", NO_FLUX, SPREADING, "2 + cos(3.141592653589793*x/one)", closed),
    "fixed": ("interval", FIXED, SPREADING, "1 + 2*x/one + sin(3.141592653589793*x/one)", held),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_fields_are_of_second_order(tmp_path, case):
    kind, ends, rhs, start, exact = CASES[case]
    errors = []
    for cells in (16, 32, 64):
        model = edited(
            tmp_path,
            "context_diffusion",
            modeling__domain={
                "symbol": "x",
                "units": "token",
                "kind": kind,
                "stop": 1.0,
                "cells": cells,
            },
            modeling__boundary_conditions=ends,
            modeling__equations__0__rhs=rhs,
            modeling__initial_conditions__0__value=f"({start})/one",
            input__known_quantities=[{"symbol": "one", "value": 1.0, "units": "token"}],
            modeling__variables__1__value=D,
            modeling__variables__2__value=C,
        )
        assert model.check().ok
        x = (np.arange(cells) + 0.5) / cells
        errors.append(np.abs(after(model.model, T) - exact(x, T)).max())
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    # h^2 with corrections of relative order h^2 k^2: below .1 from 16 cells on
    np.testing.assert_allclose(orders, 2.0, atol=0.1)
    assert errors[-1] < 2e-3  # k^4 D t h^2/12 e^{-D k^2 t}: 1e-3 at most


def test_a_run_keeps_what_cannot_leave_and_moves_as_the_matrix_says():
    model = surrogates.load("context_diffusion")
    found = model.simulate()
    assert found.ok and found.conserved[0].change < 1e-12
    np.testing.assert_allclose(found.dataset.u[-1], after(model.model, 4.0), atol=1e-8)
    # the mean drifts at c, while little has come to the ends
    x, u = found.dataset.x.values, found.dataset.u.values
    centre = (u * x).sum(axis=1) / u.sum(axis=1)
    assert centre[2] - centre[0] == pytest.approx(0.5 * 1.0, abs=2e-3)


def test_through_open_ends_something_leaves_and_that_is_told(tmp_path):
    ends = [{"symbol": "u", "kind": "fixed", "start": 0.0, "stop": 0.0}]
    model = edited(tmp_path, "context_diffusion", modeling__boundary_conditions=ends)
    a, _, u = linear(model.model)
    assert (
        (a.sum(axis=0)[[0, -1]] < 0).all()
        and abs(a.sum(axis=0)[8:-8]).max() < 1e-12
        and u.min() >= 0
    )


def test_without_flux_only_divergences_are_taken(tmp_path):
    for rhs in ("c*d(u, x)*u/u", "-u*d(u, x)*c/u", "d(u, x)**2*c/d(u, x)"):
        problems = (
            edited(tmp_path, "context_diffusion", modeling__equations__0__rhs=rhs).check().problems
        )
        assert any("a divergence of fluxes" in each for each in problems), rhs
    for rhs in ("-c*d(u, x)", "D*d(d(u, x), x) + c*u/centre", "-(d(c*u, x) - d(D*d(u, x), x))"):
        assert edited(tmp_path, "context_diffusion", modeling__equations__0__rhs=rhs).check().ok, (
            rhs
        )
