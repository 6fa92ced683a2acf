"""Profile likelihoods: of linear models, of those that nothing determines, and against scipy."""

import jax.numpy as jnp
import numpy as np
import pytest
from editing import plain, solved
from refusals import check_refused
from scipy import optimize, stats

from meanfield.surrogates.documents import Unknown
from meanfield.surrogates.fits._noisy import Optimum
from meanfield.surrogates.fits._profiles import Walk, _root

TS = np.linspace(0.0, 2.0, 12)
Y = 1.0 + 0.5 * TS + 0.1 * np.random.default_rng(1).normal(size=12)
LINE = {"t": TS, "z": Y}


def test_of_a_line_it_is_that_of_standard_errors(tmp_path):
    """y = a + b t with normal noise: the deviance is ((c - b)/error)^2, its ends 1.96 errors away."""
    model = plain(tmp_path, "a + b*t", {"a": 0.0, "b": (0.2, [-5.0, 5.0])})
    found = model.profile("b", LINE, points=5)
    design = np.stack([np.ones(12), TS], axis=1)
    best = np.linalg.lstsq(design, Y)[0]
    error = 0.1 * np.sqrt(np.linalg.inv(design.T @ design)[1, 1])
    # fits stop at 1e-9 of themselves, and the root at less
    wide = stats.norm.ppf(0.975) * error
    np.testing.assert_allclose(found.interval, [best[1] - wide, best[1] + wide], rtol=1e-6)
    np.testing.assert_allclose(
        found.deviances, ((found.values - best[1]) / error) ** 2, rtol=1e-5, atol=1e-7
    )
    # the other follows: the mean of the residuals
    np.testing.assert_allclose(found.others["a"], Y.mean() - found.values * TS.mean(), rtol=1e-6)
    assert found.converged and found.determined
    narrow = model.profile("b", LINE, model.fit(LINE, starts=1), level=0.5, points=2)
    assert narrow.interval[1] - best[1] == pytest.approx(stats.norm.ppf(0.75) * error, rel=1e-5)


def test_what_nothing_determines_has_no_ends(tmp_path):
    """(a + b) t has the sum alone: flat, wherever a is held."""
    found = plain(tmp_path, "(a + b)*t", {"a": 0.1, "b": 0.1}).profile("a", LINE, points=3)
    assert found.interval == (-np.inf, np.inf) and not found.determined and found.converged
    assert found.searched[0] < -1e5 and found.searched[1] > 1e5 and found.deviances.max() < 1e-4
    positive = plain(tmp_path, "a*b*t", {"a": (1.0, [0.1, 10.0]), "b": 1.0})
    inside = positive.profile("a", LINE, points=3)
    assert inside.interval == (-np.inf, np.inf)
    np.testing.assert_allclose(inside.searched, [0.1, 10.0])


def test_a_bound_of_another_parameter_that_decides_an_end_is_told(tmp_path):
    """Of a + b the mean m is known: with b in [0, 1] the ends of a are m - 1.96 e - 1 and m + 1.96 e."""
    found = plain(tmp_path, "a + b", {"a": 0.5, "b": (0.5, [0.0, 1.0])}).profile("a", LINE)
    wide = stats.norm.ppf(0.975) * 0.1 / np.sqrt(12)
    # the bound is come near to within e^-12 of its width
    np.testing.assert_allclose(found.interval, [Y.mean() - wide - 1, Y.mean() + wide], atol=1e-4)
    assert found.limited_by == ("b",) and not found.determined


def test_ends_on_a_log_scale_are_where_scipy_finds_them(tmp_path):
    """The attention a_eq + (a0 - a_eq) e^{-rate l}, with its end fitted anew at each rate."""
    depth = np.arange(8.0)
    noise = 0.02 * np.random.default_rng(3).normal(size=8)
    data = {"l": depth, "y_a": 0.9 - 0.8 * np.exp(-0.4 * depth) + noise}
    found = solved(tmp_path, "E2").profile("rate", data, points=3)
    assert found.determined

    def squares(end, rate):
        rest = data["y_a"] - end - (0.1 - end) * np.exp(-rate * depth)
        return float(np.sum((rest / 0.02) ** 2))

    def least(rate):
        return optimize.minimize_scalar(squares, args=(rate,), bracket=(0.5, 1.0), tol=1e-12).fun

    best = optimize.minimize_scalar(least, bracket=(0.2, 0.5), tol=1e-12).fun
    for end in found.interval:
        assert least(end) - best == pytest.approx(stats.chi2(1).ppf(0.95), rel=1e-5)
    # it is steeper towards slow rates
    middle = found.values[1]
    assert found.deviances[0] == pytest.approx(found.threshold, rel=1e-5)
    assert middle == pytest.approx(np.sqrt(found.interval[0] * found.interval[1]))


def test_a_better_fit_is_told_from_one_at_its_tolerance():
    """In shares of the deviance of the fit, here 100: 1e-5 of it."""
    for below, right in ((5e-4, True), (2e-3, False)):
        walk, end = object.__new__(Walk), jnp.zeros(1)
        walk.row, walk.best = Unknown(symbol="b", role="parameter", units=""), 100.0
        walk.free, walk.ok = end, True
        found = Optimum(end, jnp.asarray(50 - below / 2), jnp.asarray(True))
        walk.solve = lambda value, free, found=found: found
        assert walk.deviance(0.5) == 0 and walk.ok == right


def test_an_end_is_found_where_searches_do_not_repeat():
    """As in single precision: at the same position another search ends a little above."""

    class Rough(Walk):
        def __init__(self):
            self.searched = 0

        def deviance(self, position: float) -> float:
            self.searched += 1
            return position**2 + (1e-3 if self.searched > 1 else 0.0)

    assert _root(Rough(), (2.0, 3.9999), (3.0, 9.0), 4.0) == pytest.approx(2.0, abs=1e-3)


def test_what_has_no_profile_is_refused(tmp_path):
    model = plain(tmp_path, "a*t", {"a": 0.1})
    check_refused(lambda: model.profile("b", LINE), "an unknown of")
    check_refused(lambda: model.profile("a", LINE, fit=3), "fit=surrogate.fit(data)")
    check_refused(lambda: model.profile("a", LINE, level=1.0), "level=0.95")
