"""The exact solutions and the errors that the orders of minimizing movements are made of, without runs."""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from scipy.special import ndtri

from meanfield.energies._split_entropy import split_entropy
from meanfield.studies import JkoOrders
from meanfield.studies.movements import _jko_orders as module

U = (np.arange(33) + 0.5) / 33


def flowed(scheme, start, steps):
    """The exact flow for the time of all steps, from N(1, 1/4) or from Barenblatt's profile at 1."""
    t, x = float(scheme.tau) * steps, np.asarray(start)
    if type(scheme.energy).__name__ == "InternalEnergy":
        end = x * (1 + t) ** (1 / 3)  # it keeps its shape
    else:
        end = np.exp(-t) + 2 * (x - 1) * np.sqrt(1 - 0.75 * np.exp(-2 * t))
    return SimpleNamespace(final=jnp.asarray(end))


@pytest.mark.parametrize(
    "method",
    [
        "quantiles, tau",
        "porous medium, tau",
        "second order, tau",
        "second order, porous medium, tau",
    ],
)
def test_runs_go_to_the_time_one_and_exact_ones_do_not_err(method, monkeypatch):
    kinds = []

    def run(scheme, start, steps):
        assert (np.diff(start) > 0).all()
        assert "porous" in method or float(split_entropy(scheme.energy)[0]) == 1
        kinds.append((type(scheme).__name__, steps, float(scheme.tau)))
        return SimpleNamespace(final=flowed(scheme, start, steps).final + shift)

    monkeypatch.setattr(module, "rollout", run)
    shift = 0.0
    assert module._in_tau(method, 20) < 1e-12
    shift = np.where(np.arange(33) % 2, 0.3, -0.1)
    # 16 of 33 quantiles are off by .3, 17 by .1.
    expected = np.sqrt((16 * 0.09 + 17 * 0.01) / 33)
    assert module._in_tau(method, 20) == pytest.approx(expected, rel=1e-9)
    name = "SecondOrderJKO" if method.startswith("second") else "QuantileJKO"
    assert kinds == [(name, 20, 0.05)] * 2


def test_barenblatt_spreads_as_its_density_says():
    # The distribution function of t^(-1/3) (C - x^2 t^(-2/3)/12)_+, C^(3/2) = (3/4)/sqrt(12).
    for t in (1.0, 2.0):
        x = module._barenblatt(t, U)
        c = (0.75 / np.sqrt(12)) ** (2 / 3)
        z = x / t ** (1 / 3)
        edge = np.sqrt(12 * c)
        np.testing.assert_allclose(c * (z + edge) - (z**3 + edge**3) / 36, U, atol=1e-12)


def test_exact_movements_are_minimizers():
    # Of (m' - m)^2/(2 tau) + m'^2/2, and of (s' - s)^2/(2 tau) + s'^2/2 - log s'.
    m, s = module._movements(0.3, 1)
    assert (m - 1) / 0.3 + m == pytest.approx(0, abs=1e-12)
    assert (s - 0.5) / 0.3 + s - 1 / s == pytest.approx(0, abs=1e-12)
    twice, spread = module._movements(0.3, 2)
    assert (twice - m) / 0.3 + twice == pytest.approx(0, abs=1e-12)
    assert (spread - s) / 0.3 + spread - 1 / spread == pytest.approx(0, abs=1e-12)


def test_potentials_are_those_of_the_equations():
    # Ornstein-Uhlenbeck drifts by -x, which takes the well x^2/2.
    assert module._well(np.array([3.0])) == 4.5
    assert float(module._bump(jnp.array([0.5]))) == pytest.approx(0.125 + np.exp(-0.25))


def test_a_recursion_is_compared_with_exact_movements(monkeypatch):
    def movements(scheme, start, steps):
        m, s = module._movements(float(scheme.tau), steps)
        return SimpleNamespace(final=m + s * 2 * (start - 1) + shift)

    monkeypatch.setattr(module, "rollout", movements)
    shift = 0.0
    assert module._recursion(9) < 1e-12
    shift = -0.2
    assert module._recursion(9) == pytest.approx(0.2, rel=1e-12)


def test_means_and_deviations_of_a_density(monkeypatch):
    def normal(scheme, start, steps):
        m, s = laws[float(scheme.tau) * steps, float(scheme.epsilon)]
        x = scheme.domain.points[:, 0]
        # The start is exp(-(x - 1)^2/(2 s^2)) with s = 1/2.
        share = np.asarray(
            start / start.max()
        )  # a cell has its middle at the mean but for half of one
        np.testing.assert_allclose(share, np.exp(-2 * (x - 1) ** 2), atol=2 * (5 / 240) ** 2)
        law = jnp.exp(-((x - m) ** 2) / (2 * s**2))
        return SimpleNamespace(final=law / (scheme.domain.weights @ law))

    laws = {(1.0, 0.4): (0.3, 0.8)}
    monkeypatch.setattr(module, "rollout", normal)
    # The midpoint rule is exact to the tail beyond 5, 5.9 deviations away: 4e-9 of the mass, of x^2 1e-7.
    assert module._entropic(10, 0.4, (0.3, 0.8)) < 2e-7
    assert module._entropic(10, 0.4, (0.6, 0.4)) == pytest.approx(0.5, abs=2e-7)


def test_distances_between_clouds_of_a_run_and_of_the_flow(monkeypatch):
    seen = {}

    def flow(dynamics, x, ts, tol):
        seen["flow"] = float(dynamics.attention.beta), ts.tolist()
        return SimpleNamespace(final=x)

    def turned(scheme, x, steps):
        seen["run"] = float(scheme.tau), steps
        y = np.cross(x, [1.0, 2.0, 3.0])
        y = y / np.linalg.norm(y, axis=1, keepdims=True)
        angle = np.where(np.arange(8) < 4, 0.3, 0.1)[:, None]
        return SimpleNamespace(final=jnp.asarray(np.cos(angle) * x + np.sin(angle) * y))

    monkeypatch.setattr(module, "simulate", flow)
    monkeypatch.setattr(module, "rollout", turned)
    assert module._particles(20) == pytest.approx(np.sqrt(0.05), rel=1e-10)
    assert seen == {"flow": (2.0, [0.0, 1.0]), "run": (0.05, 20)}


@pytest.mark.parametrize("method", ["quantiles, N", "porous medium, N", "graded quantiles, N"])
def test_laws_of_a_third_of_the_quantiles_are_compared_at_equal_levels(method, monkeypatch):
    study = JkoOrders(quantiles=(33, 99, 297))

    def exact(scheme, start, steps):
        assert (np.diff(start) > 0).all()
        n = len(start)
        line = ndtri(scheme.domain.levels(n))  # linear in the coordinate of interpolation
        # Off at the ends as well, which only W2 counts.
        return SimpleNamespace(final=line + (1 / n**2 if graded else (1 + (n == 33)) * line / n**2))

    graded = method.startswith("graded")
    monkeypatch.setattr(module, "rollout", exact)
    found = study._in_number(method)
    if graded:  # a shift by 1/n^2 - 1/(3n)^2
        expected = [8 / 9 / n**2 for n in (33, 99)]
    else:  # the farthest level between 1/10 and 9/10
        last = [ndtri(max(u for u in (np.arange(n) + 0.5) / n if u < 0.9)) for n in (33, 99)]
        expected = [last[0] * (2 - 1 / 9) / 33**2, last[1] * 8 / 9 / 99**2]
    np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_orders_are_slopes_of_logarithms(monkeypatch):
    study = JkoOrders(steps=(10, 20, 80), epsilons=(0.8, 0.2), quantiles=(33, 99, 297))
    monkeypatch.setattr(module, "_in_tau", lambda method, steps: 3 * steps**-2.0)
    monkeypatch.setattr(module, "_entropic", lambda steps, e, law: e**3 * steps * law[0])
    monkeypatch.setattr(module, "_recursion", lambda n: n**-1.5)
    monkeypatch.setattr(JkoOrders, "_in_number", lambda self, method: [1.0, 1 / 9])
    found = study.compute({"scheme": "particles, tau"})
    np.testing.assert_allclose(found["order"][1:], [2.0, 2.0], rtol=1e-12)
    assert found["size"].values.tolist() == [10, 20, 80] and np.isnan(found["order"][0])
    found = study.compute({"scheme": "entropic, epsilon"})
    np.testing.assert_allclose(found["order"][1:], 3.0, rtol=1e-12)
    np.testing.assert_allclose(found["size"], [1.25, 5.0], rtol=1e-12)
    np.testing.assert_allclose(found["error"][0], 0.8**3 * 10 / 1.1**10, rtol=1e-12)
    found = study.compute({"scheme": "exact quantiles"})
    np.testing.assert_allclose(found["order"][1:], 1.5, rtol=1e-12)
    found = study.compute({"scheme": "quantiles, N"})
    assert found["size"].values.tolist() == [33, 99]
    np.testing.assert_allclose(found["order"][1:], 2.0, rtol=1e-12)


def test_claims_are_of_the_last_order_above_rounding():
    names = ("exact quantiles", "quantiles, tau", "second order, tau", "entropic, epsilon")
    study = JkoOrders(methods=names)
    error = [[1e-13, 2e-11, 1e-12], [0.1, 0.05, 0.02], [1e-9, 1e-10, 1e-12], [0.4, 0.1, 0.02]]
    order = [[np.nan, 1.0, 1.0], [np.nan, 1.0, 1.3], [np.nan, 2.05, 6.0], [np.nan, 2.0, 2.15]]
    data = {"error": (("scheme", "level"), error), "order": (("scheme", "level"), order)}
    claims = {c.name: c for c in study.claims(xr.Dataset(data, {"scheme": list(names)}))}
    assert claims["exact quantiles: error"].measured == 2e-11
    assert claims["exact quantiles: error"].passed
    assert not claims["quantiles, tau: order"].passed  # 1.3 is not 1
    assert claims["second order, tau: order"].measured == 2.05
    assert claims["second order, tau: order"].passed
    assert claims["entropic, epsilon: order"].passed
    assert claims["entropic: error at the last"].measured == 0.02
    assert not claims["entropic: error at the last"].passed
