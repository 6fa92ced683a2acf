"""The exact solutions and the errors that the orders of solvers are made of, without long runs."""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from meanfield.dynamics import FokkerPlanck
from meanfield.harmonics import Gegenbauer
from meanfield.studies import PdeOrders
from meanfield.studies.verification import _pde_orders as module

BASIS = Gegenbauer(2, 24)
R = 0.4 / np.sqrt(2)


class Kernel:
    """The heat kernel of S^2 as a series of Legendre polynomials."""

    def __init__(self, d, s):
        assert d == 3
        k = np.arange(30)
        self.series = (2 * k + 1) * np.exp(-k * (k + 1) * s)

    def log_density(self, x):
        return jnp.log(np.polynomial.legendre.legval(np.asarray(x[:, 0]), self.series))


def radius(r, end):
    """On the circle the mean of the orbit at r is r: r' = r (1 - r^2)/2."""
    tangent = r / np.sqrt(1 - r**2) * np.exp(end / 2)
    return tangent / np.sqrt(1 + tangent**2)


def test_the_orbit_on_the_circle_has_a_closed_form():
    assert module._radius(BASIS, R, 0.5) == pytest.approx(radius(R, 0.5), rel=1e-11)
    # The Poisson kernel 1 + 2 sum r^k cos(k theta), in orthonormal waves; aliases are of r^48.
    exact = np.append(1.0, np.sqrt(2) * R ** np.arange(1, 25))
    np.testing.assert_allclose(module._moebius(BASIS, R), exact, atol=1e-13)


def test_the_error_of_a_degree_is_that_of_what_is_kept_and_of_what_is_not(monkeypatch):
    off = 1e-3
    ran = []

    def run(flow, start, end, steps):
        r = radius(R, end)
        kept = np.append(1.0, np.sqrt(2) * r ** np.arange(1, flow.basis.size))
        np.testing.assert_allclose(start[1], np.sqrt(2) * R, rtol=1e-12)
        ran.append((len(start), float(flow.attention.beta), float(flow.noise)))
        return jnp.asarray(kept).at[1].add(off)

    monkeypatch.setattr(module, "_run", run)
    degrees, errors, best = PdeOrders(degrees=(8, 12))._galerkin(2)
    assert degrees == (8, 12) and ran == [(9, 0.0, 0.0), (13, 0.0, 0.0)]
    r = radius(R, 0.5)
    square = 1 + 2 * sum(r ** (2 * k) for k in range(1, 25))
    for k, error, least in zip(degrees, errors, best, strict=True):
        tail = 2 * sum(r ** (2 * j) for j in range(k + 1, 25))
        assert least == pytest.approx(np.sqrt(tail / square), rel=1e-7)
        assert error == pytest.approx(np.sqrt((tail + off**2) / square), rel=1e-9)


def test_runs_take_fixed_steps(monkeypatch):
    seen = {}

    def flow(dynamics, start, ts, dt):
        seen.update(ts=ts.tolist(), dt=float(dt))
        return SimpleNamespace(final=start)

    monkeypatch.setattr(module, "simulate", flow)
    module._run(FokkerPlanck(BASIS, None, 1.0), jnp.ones(BASIS.size), 2.0, 16)
    assert seen == {"ts": [0.0, 2.0], "dt": 0.125}


def test_steps_in_time_are_compared_with_eight_times_as_many(monkeypatch):
    ran = []

    def run(flow, start, end, steps):
        ran.append(steps)
        assert end == 4.0 and float(flow.noise) == 0.1
        assert float(flow.attention.beta) == float(flow.attention.offset) == 2.0
        return jnp.zeros_like(start).at[0].set(4.0).at[1].add(3.0).at[2].add(10.0 / steps)

    monkeypatch.setattr(module, "_run", run)
    study = PdeOrders(steps=(16, 32), noise=0.2, end=0.5, degrees=(8,))
    sizes, errors, _ = study._step(3)
    assert sizes == (16, 32) and ran == [256, 16, 32]
    norm = np.sqrt(25 + (10 / 256) ** 2)
    np.testing.assert_allclose(errors, [(10 / k - 10 / 256) / norm for k in sizes], rtol=1e-12)


def test_cells_are_compared_with_the_heat_kernel_of_twice_the_age(monkeypatch):
    taken = []

    def exact(scheme, start, steps):
        taken.append((steps, float(scheme.tau)))
        assert float(scheme.weights @ start) == pytest.approx(1, rel=1e-12)
        law = Kernel(3, 0.5 + steps * float(scheme.tau))
        off = jnp.exp(law.log_density(scheme.points)) + 0.2 * jnp.sign(scheme.points[:, 0])
        return SimpleNamespace(final=off)

    monkeypatch.setattr(module, "HeatKernel", Kernel)
    monkeypatch.setattr(module, "rollout", exact)
    study = PdeOrders(cells_in_space=(32, 64))
    sizes, errors, _ = study._volumes(3)
    # Four times the steps for twice the cells.
    assert sizes == (32, 64) and taken == [(16, 1 / 32), (64, 1 / 128)]
    np.testing.assert_allclose(errors, 0.2, rtol=1e-9)


def test_steps_that_lag_are_compared_with_twice_as_many(monkeypatch):
    def exact(scheme, start, steps):
        assert float(scheme.tau) * steps == pytest.approx(0.5)
        assert float(scheme.noise) == 0.1 and len(start) == 32
        np.testing.assert_allclose(start, 1 + 0.5 * scheme.points[:, 0], rtol=1e-12)
        return SimpleNamespace(final=start + jnp.sign(scheme.points[:, 0]) / steps)

    monkeypatch.setattr(module, "rollout", exact)
    study = PdeOrders(steps=(16, 32), cells_in_space=(32, 64), end=0.5, noise=0.2, degrees=(8,))
    sizes, errors, _ = study._lagged(3)
    assert sizes == (16, 32)
    np.testing.assert_allclose(errors, [1 / 32, 1 / 64], rtol=1e-12)


def test_orders_are_slopes_of_logarithms(monkeypatch):
    study = PdeOrders(steps=(16, 32, 64))
    monkeypatch.setattr(
        PdeOrders, "_step", lambda self, d: (self.steps, [d * k**-5.0 for k in self.steps], None)
    )
    found = study.compute({"method": "step", "d": 3})
    np.testing.assert_allclose(found["order"][1:], 5.0, rtol=1e-12)
    assert np.isnan(found["order"][0]) and np.isnan(found["best"]).all()
    assert found["size"].values.tolist() == [16, 32, 64]


@pytest.mark.parametrize(
    ("method", "measured", "passed"),
    [("galerkin", 1.5, True), ("step", 4.8, True), ("volumes", 2.3, False), ("lagged", 1.05, True)],
)
def test_claims_are_of_what_is_above_rounding(method, measured, passed):
    three = {"degrees": (8, 12, 16), "cells_in_space": (32, 64, 128)}
    study = PdeOrders(dimensions=(3,), steps=(16, 32, 64, 128), **three)
    # The last level of all is below rounding, or of other methods.
    last = 1.0 if method == "galerkin" else 1e-13
    data = {
        "error": [1e-2, 1e-3, 3e-4, last],
        "best": [1e-2, 1e-3, 2e-4, 1e-2],
        "order": [np.nan, 3.0, measured, 9.0],
    }
    one = xr.Dataset({name: ("level", values) for name, values in data.items()})
    claim = study._claim({"method": method, "d": 3}, one)
    assert claim.measured == pytest.approx(measured) and claim.passed is passed
    expected = {"galerkin": 2, "step": 5, "volumes": 2, "lagged": 1}[method]
    assert claim.expected == expected
