"""Sensitivities, bands, counterfactuals and controls, against closed forms."""

import json
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from editing import edited, plain, solved
from refusals import check_refused

from meanfield import surrogates
from meanfield.surrogates.analysis._control import _Cost, _finished, _left, _minimized
from meanfield.surrogates.fits import Fit


def algebraic(tmp_path, rhs: str, ranges: dict, samples: int, numbers=()):
    """A document of one output y of dimensionless parameters."""
    names = [*ranges, *(name for name, _ in numbers)]
    values = {**dict.fromkeys(ranges, 0.5), **dict(numbers)}
    parameters = [
        {"symbol": n, "role": "parameter", "units": "", "value": values[n]} for n in names
    ]
    equation = {
        "id": "E",
        "lhs": "y",
        "rhs": rhs,
        "mechanism_link": "a test",
        "novelty_tag": "baseline",
    }
    rows = [{"symbol": n, "low": low, "high": high} for n, (low, high) in ranges.items()]
    content = {
        "schema_version": "1.0",
        "metadata": {"problem_id": "function"},
        "input": {"problem_summary": "a function"},
        "modeling": {
            "model_class": "algebraic",
            "independent": {"symbol": "t", "units": "iteration", "stop": 1, "points": 2},
            "variables": [*parameters, {"symbol": "y", "role": "output", "units": ""}],
            "equations": [equation],
        },
        "solution_and_analysis": {
            "sensitivity": {"output": "y", "ranges": rows, "samples": samples}
        },
    }
    path = tmp_path / "function.json"
    path.write_text(json.dumps(content))
    return surrogates.load(path)


def test_sobol_indices_of_ishigami(tmp_path):
    """y = sin x1 + 7 sin^2 x2 + x3^4 sin(x1)/10 over (-pi, pi)^3: as in Ishigami and Homma (1990)."""
    a, b, pi = 7.0, 0.1, np.pi
    model = algebraic(
        tmp_path, "sin(x1) + a*sin(x2)**2 + b*x3**4*sin(x1)", dict.fromkeys(("x1", "x2", "x3"), (-pi, pi)),
        4096, [("a", a), ("b", b)],
    )  # fmt: skip
    found = model.sensitivity()
    one, two = 0.5 * (1 + b * pi**4 / 5) ** 2, a**2 / 8
    both = 8 * b**2 * pi**8 / 225
    whole = one + two + both
    # three standard errors of the estimates, which are 1/1.96 of half-widths
    for name, first, total in (("x1", one, one + both), ("x2", two, two), ("x3", 0.0, both)):
        assert abs(found.first[name] - first / whole) < 1.6 * found.first_error[name] < 0.15
        assert abs(found.total[name] - total / whole) < 1.6 * found.total_error[name] < 0.15


def test_effects_of_a_linear_function_are_its_slopes(tmp_path):
    """Variances 4/12 and 9/12 of 2 x + 3 y over the unit square; effects 2 and 3 without spread."""
    found = algebraic(tmp_path, "2*x1 + 3*x2 - 1", {"x1": (0, 1), "x2": (0, 1)}, 256).sensitivity()
    assert found.effects == pytest.approx({"x1": 2.0, "x2": 3.0})
    assert found.spread == pytest.approx({"x1": 0.0, "x2": 0.0}, abs=1e-12)
    assert found.first == pytest.approx({"x1": 4 / 13, "x2": 9 / 13}, abs=0.05)
    assert found.slopes == pytest.approx({"x1": 2.0, "x2": 3.0}) and found.value == pytest.approx(
        1.5
    )
    assert found.elasticities == pytest.approx({"x1": 2 * 0.5 / 1.5, "x2": 1.0})


def entropy(p):
    kappa, floor, gamma = p
    end = floor - gamma * 0.5 / kappa
    return end + (5 - end) * jnp.exp(-kappa * 20)


@pytest.mark.slow
def test_derivatives_are_those_of_the_closed_form():
    found = surrogates.load("E1").sensitivity("y_H")
    at = jnp.array([0.1, 0.5, 0.2])
    np.testing.assert_allclose([*found.slopes.values()], jax.grad(entropy)(at), rtol=1e-7)
    assert found.first.keys() == {"kappa", "H_min"} and found.total["kappa"] > found.total["H_min"]


def test_counterfactuals_move_as_expected_or_that_is_told(tmp_path):
    model = solved(tmp_path, "E1")
    found = {each.id: each for each in model.counterfactuals()}
    assert all(each.ok for each in found.values())
    assert found["faster"].after == pytest.approx(float(entropy([0.2, 0.5, 0.2])), abs=1e-8)
    assert found["no_surprise"].before == pytest.approx(float(entropy([0.1, 0.5, 0.2])), abs=1e-8)
    # from gamma = -0.2 on the surprise adds, and without it the entropy is lower
    assert not {e.id: e for e in model.counterfactuals({"gamma": -0.2})}["no_surprise"].ok


def test_bands_of_a_linear_model_are_normal(tmp_path):
    """dH/dH_min = 1 - e^{-kappa l}: the ends of the band are 1.96 of that from the middle."""
    names = ("kappa", "H_min", "gamma")
    cov = np.diag([0.0, 0.01, 0.0])
    zero = dict.fromkeys(names, 0.0)
    fit = Fit(
        values={"kappa": 0.1, "H_min": 0.5, "gamma": 0.2}, errors=zero, intervals={}, covariance=cov, rank=3,
        unknowns=3, unidentified=(), chi2=0.0, dof=1, log_likelihood=0.0, deviances=(), quality={},
        at_bounds=(), residuals=xr.Dataset(), converged=True,
    )  # fmt: skip
    model = solved(tmp_path, "E1")
    found = model.propagate(fit, count=2000)
    width = (found.H.sel(quantile=0.975) - found.H.sel(quantile=0.025)).values
    exact = 2 * 1.96 * 0.1 * (1 - np.exp(-0.1 * found.l.values))
    # a quantile of 2000 draws has a standard error of sqrt(.025 .975/2000)/.0584 = .06 of one sigma
    np.testing.assert_allclose(width[1:], exact[1:], rtol=4 * 0.06 * np.sqrt(2) / 3.92)
    assert width[0] == pytest.approx(0.0, abs=1e-12)
    # On a scale of logarithms kappa is .1 e^{+-1.96 .3}, of a deviation of .03; at l = 1 H falls with it.
    rate = 0.1 * np.exp(0.3 * np.array([1.96, 0, -1.96]))
    end = 0.5 - 0.2 * 0.5 / rate
    exact = end + (5 - end) * np.exp(-rate)
    found = model.propagate(replace(fit, covariance=np.diag([0.03**2, 0.0, 0.0])), count=2000)
    # four of these errors, .24 of a sigma of the logarithm, and -dH/dlog(kappa) of at most 5 kappa
    off = np.abs(found.H.sel(l=1.0).values - exact)
    np.testing.assert_array_less(off, 0.24 * 0.3 * 5 * rate)


END = 10.0


def learning_rate(tmp_path, name: str):
    """The control of the learning rate, as it ships or with its solution for constant rates."""
    if name == "equation":
        return surrogates.load("learning_rate")
    decay = "exp(-2*eta*curvature*t)"
    return edited(
        tmp_path,
        "learning_rate",
        input__known_quantities=[{"symbol": "v0", "value": 1.0, "units": "weight**2"}],
        modeling__model_class="algebraic",
        modeling__variables__0__role="output",
        modeling__equations__0__lhs="v",
        modeling__equations__0__rhs=f"v0*{decay} + eta*sigma**2/(2*curvature)*(1 - {decay})",
        modeling__initial_conditions=[],
    )


@pytest.mark.parametrize("name", ["solution", pytest.param("equation", marks=pytest.mark.slow)])
def test_the_best_constant_learning_rate(tmp_path, name):
    """v(10) = e^{-20 eta} + eta/20 (1 - e^{-20 eta}) is least, .0174410, where its derivative vanishes."""
    found = learning_rate(tmp_path, name).control("eta", nodes=1)
    eta = float(found.values[0])
    assert found.converged and found.objective == pytest.approx(0.0174410, abs=5e-8)
    slope = -20 * np.exp(-20 * eta) + (1 - np.exp(-20 * eta)) / 20 + eta * np.exp(-20 * eta)
    assert abs(slope) < 1e-8


def test_constraints_cost_the_mean_of_their_squares():
    class Toy(_Cost):
        def reached(self, share):
            return share.sum(), {"one": jnp.array([0.0, 0.4]), "other": jnp.array([0.2, 0.2])}

    numbers = map(jnp.asarray, (np.zeros(2), 1.0, 3.0, 50.0, -1.0))
    toy = Toy(surrogates.load("E2").model, "a", *numbers)
    assert toy(jnp.array([0.25, 0.5])) == pytest.approx(-0.75 + 50 * (0.08 + 0.04))
    np.testing.assert_allclose(toy.course(jnp.array([0.25, 0.5])), [1.5, 2.0])


def test_what_is_best_between_bounds_is_found_on_them():
    """(s - a)^T H (s - a)/2, a = (2, .3), H = ((2, 1), (1, 2)): s_1 is held at 1, and then s_2 = .3 + 1/2."""
    bend, best = jnp.array([[2.0, 1.0], [1.0, 2.0]]), jnp.array([2.0, 0.3])
    cost = lambda s: 0.5 * (s - best) @ bend @ (s - best)
    found, left, gain = _finished(cost, jnp.array([0.9, 0.5]))
    np.testing.assert_allclose(found, [1.0, 0.8], rtol=1e-12)
    assert left < 1e-12 and gain == pytest.approx(
        float(cost(jnp.array([0.9, 0.5])) - 0.75), rel=1e-12
    )
    both, still = _minimized(cost, 2, 1e-9)
    np.testing.assert_allclose(both, [1.0, 0.8], rtol=1e-9)
    assert still
    # on a bound what points outwards does not count, and what points inwards does
    slope = jnp.array([0.5, -0.4, -0.3, 0.2])
    assert _left(slope, jnp.array([0.0, 1.0, 0.0, 1.0])) == pytest.approx(0.3)


@pytest.mark.slow
@pytest.mark.parametrize(("cap", "least"), [(20.0, 0.00990099), (2.0, 0.01004955)])
def test_the_best_course_of_the_learning_rate(tmp_path, cap, least):
    """eta = min(cap, lambda v/s^2), of Pontryagin: 1/v grows at lambda^2/s^2 = 10 where it is not capped."""
    bounds = [
        {"symbol": "eta", "role": "input", "units": "weight**2/(nat*iteration)", "bounds": [0, cap]}
    ]
    model = edited(tmp_path, "learning_rate", input__unknowns=bounds)
    # even in the logarithm of 1 + 10 t, of which 1/eta is a multiple
    nodes = np.concatenate([[0.0], (np.geomspace(1, 101, 60)[1:-1] - 1) / 10, [END]])
    found = model.control("eta", nodes)
    # A straight line misses (log 101/59)^2/8 = 8e-4 of eta at the most between nodes, in the mean half of it;
    # what is lost is of the order of the square of that, a share of some 2e-7 of the least.
    assert found.converged and least - 5e-9 < found.objective < least + 1e-8


@pytest.mark.slow
def test_a_bias_is_driven_away_at_least_cost():
    """P(T) Z(0)^2 by Riccati's equation; straight lines between nodes are off by (h k)^2/8 of the source,
    some 1e-2, and the cost by its square."""
    rho, ratio, end = 0.25, 0.1**2 / 0.1, 10.0
    k = np.hypot(rho, np.sqrt(ratio))
    least = np.sinh(k * end) / (k * np.cosh(k * end) + rho * np.sinh(k * end))
    found = surrogates.load("E5_control").control("F", nodes=9, tol=1e-6)
    assert found.converged and 0 < found.objective - least < 1e-3 * least
    assert found.values[0] == pytest.approx(-least, rel=0.02)  # -beta/price P(T) Z(0)


def test_bands_end_at_bounds(tmp_path):
    """e^{-a t} of a rate that is not negative is not above 1, though the rate is known to .02 +- .05."""
    model, ts = plain(tmp_path, "exp(-a*t)", {"a": (0.02, [0, 5])}), np.linspace(0, 1, 10)
    bands = model.propagate(model.fit({"t": ts, "z": np.exp(-0.02 * ts)}, starts=1), count=100)
    assert float(bands.y.max()) == 1.0 and float(bands.y[0, -1]) < 0.95


def test_outputs_that_are_no_numbers_have_no_indices(tmp_path):
    asked = {"output": "y", "samples": 2, "ranges": [{"symbol": "a", "low": 0, "high": 1}]}
    for rhs, words in (("log(a - 0.5) + b", "narrow them"), ("3 + 0*a*b", None)):
        made = plain(tmp_path, rhs, {"a": 1.0, "b": 1.0})
        content = made.document.model_dump(mode="json")
        content["solution_and_analysis"]["sensitivity"] = asked
        path = tmp_path / "asked.json"
        path.write_text(json.dumps(content))
        model = surrogates.load(path)
        if words:
            check_refused(model.sensitivity, words)
            continue
        found = model.sensitivity()
        assert np.isnan(found.first["a"]) and np.isnan(found.total["a"]) and found.effects["a"] == 0


def test_what_cannot_be_analysed_is_refused():
    check_refused(lambda: surrogates.load("E1").sensitivity("kappa"), "choose one")
    check_refused(lambda: surrogates.load("E2").sensitivity(), "output='H'")
    check_refused(lambda: surrogates.load("E3").sensitivity("L"), "as in E4_mean")
    check_refused(lambda: surrogates.load("E1").control("S"), "add input.objective")
    check_refused(lambda: surrogates.load("learning_rate").control("sigma"), "with bounds")
    check_refused(
        lambda: surrogates.load("learning_rate").control("eta", nodes=[1.0, 0.0]), "nodes=20"
    )
