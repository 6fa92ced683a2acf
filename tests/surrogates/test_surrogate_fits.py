"""Fits against independent ones, what they do not determine, and the coverage of their intervals."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from editing import edited, solved
from refusals import check_refused
from scipy import optimize, stats

from meanfield import surrogates
from meanfield.surrogates.fits import log_likelihood, series_of
from meanfield.surrogates.fits._fit import jacobian, optimum
from meanfield.surrogates.fits._identifiability import determined
from meanfield.surrogates.fits._residuals import unknowns_of

DEPTH = np.arange(21.0)


def attention(depth, rate, end):
    return end + (0.1 - end) * np.exp(-rate * depth)


def entropy(depth, kappa=0.1, floor=0.5, gamma=0.2, surprise=0.5):
    end = floor - gamma * surprise / kappa
    return end + (5 - end) * np.exp(-kappa * depth)


NOISE = 0.02 * np.random.default_rng(5).normal(size=21)
ATTENTION = {"l": DEPTH, "y_a": attention(DEPTH, 0.4, 0.9) + NOISE}


@pytest.mark.parametrize(
    "made", [solved, pytest.param(edited, marks=pytest.mark.slow)], ids=["solution", "equation"]
)
def test_a_fit_is_that_of_scipy(tmp_path, made, programs):
    found = made(tmp_path, "E2").fit(ATTENTION, starts=2)
    programs.clear()  # nor do the same document, read again, and other values have some of their own
    other = made(tmp_path, "E2").fit({**ATTENTION, "y_a": ATTENTION["y_a"] + 0.01}, starts=2)
    assert programs == [] and other.values["a_eq"] > found.values["a_eq"] + 0.005
    sigma = np.full(21, 0.02)
    theta, cov = optimize.curve_fit(
        attention,
        DEPTH,
        ATTENTION["y_a"],
        [0.3, 0.8],
        sigma,
        absolute_sigma=True,
        ftol=1e-14,
        xtol=1e-14,
    )
    # two minimizers that stop at 1e-8 or less, from derivatives by differences in scipy's
    np.testing.assert_allclose([*found.values.values()], theta, rtol=1e-6)
    np.testing.assert_allclose([*found.errors.values()], np.sqrt(np.diag(cov)), rtol=1e-4)
    rest = ATTENTION["y_a"] - attention(DEPTH, *theta)
    assert found.chi2 == pytest.approx(np.sum((rest / 0.02) ** 2), rel=1e-8)
    assert found.log_likelihood == pytest.approx(stats.norm(0, 0.02).logpdf(rest).sum(), rel=1e-8)
    assert (found.rank, found.dof, found.unidentified, found.converged) == (2, 19, (), True)
    assert found.quality["y_a"]["rmse"] == pytest.approx(np.sqrt(np.mean(rest**2)), rel=1e-6)
    # symmetric in the logarithm of the rate, and in the equilibrium itself
    low, high = found.intervals["rate"]
    assert np.sqrt(low * high) == pytest.approx(theta[0], rel=1e-6)
    assert sum(found.intervals["a_eq"]) / 2 == pytest.approx(theta[1], rel=1e-6)
    np.testing.assert_allclose(found.deviances, found.chi2, rtol=1e-6)


@pytest.mark.parametrize(
    "made", [solved, pytest.param(edited, marks=pytest.mark.slow)], ids=["solution", "equation"]
)
def test_what_one_run_does_not_determine_is_told(tmp_path, made):
    """E1 has kappa and kappa H_min - gamma S alone: along dH_min : dgamma = S : kappa nothing changes."""
    found = made(tmp_path, "E1").fit({"l": DEPTH, "y_H": entropy(DEPTH) + NOISE}, starts=1)
    assert (found.rank, found.unknowns) == (2, 3)
    (direction,) = found.unidentified
    assert direction.keys() == {"H_min", "gamma"} and direction["H_min"] == 1.0
    assert direction["gamma"] == pytest.approx(found.values["kappa"] / 0.5, rel=1e-5)
    assert found.errors["kappa"] < 0.01 and np.isinf([found.errors[n] for n in direction]).all()


def test_conditions_with_other_surprises_determine_it(tmp_path):
    """Runs without noise at S = 1/2 and 2 give back all three, from the solution as an algebraic equation."""
    conditions = [{"id": "calm", "set": {"S": 0.5}}, {"id": "busy", "set": {"S": 2.0}}]
    rows = []
    for each in conditions:
        values = entropy(DEPTH, surprise=each["set"]["S"])
        rows.append(pd.DataFrame({"l": DEPTH, "y_H": values, "condition": each["id"]}))
    found = solved(
        tmp_path, "E1", modeling__conditions=conditions, modeling__variables__1__value=0.15
    ).fit(pd.concat(rows), starts=1)
    assert found.rank == 3 and not found.unidentified
    np.testing.assert_allclose([*found.values.values()], [0.1, 0.5, 0.2], rtol=1e-6)


def test_directions_are_those_of_the_null_space():
    """Columns c, 2c and a third: 2 of the first and -1 of the second change nothing."""
    model = surrogates.load("E1").model
    slopes = np.array([[1.0, 2.0, 0.0], [2.0, 4.0, 1.0], [3.0, 6.0, 0.0]])
    found = determined(unknowns_of(model), np.array([1.0, 1.0, 1.0]), slopes)
    assert found.rank == 2
    (direction,) = found.unidentified
    assert direction == pytest.approx({"kappa": 1.0, "H_min": -0.5})
    # the third is what the second row determines beside the others: variance 1 + (2/norm^2 ...)
    across = np.linalg.inv(slopes[:, [0, 2]].T @ slopes[:, [0, 2]])
    assert (
        found.errors[2] == pytest.approx(np.sqrt(across[1, 1])) and np.isinf(found.errors[:2]).all()
    )
    one = determined(unknowns_of(model), np.array([1.0, 1.0, 1.0]), np.array([[2.0, 0.0, 0.0]]))
    assert one.rank == 1 and one.errors.tolist() == [0.5, np.inf, np.inf]
    # a value that rounding leaves of 0 is measured by its bounds, 10 of H_min, as 0 is
    for value in (0.0, 4e-16):
        there = determined(
            unknowns_of(model), np.array([1.0, value, 1.0]), np.diag([10.0, 0.1, 1.0])
        )
        assert there.rank == 3 and there.errors.tolist() == pytest.approx([0.1, 10.0, 1.0])
    # what is rounding of runs in single precision determines nothing there
    small = np.diag([1.0, 1e-4, 1e-7])
    ranks = [
        determined(unknowns_of(model), np.ones(3), small.astype(dtype)).rank
        for dtype in ("float32", "float64")
    ]
    assert ranks == [1, 2]


def test_data_are_taken_from_files_tables_and_datasets(tmp_path):
    model, path = surrogates.load("E2").model, tmp_path / "data.csv"
    table = pd.DataFrame(ATTENTION).sample(frac=1.0, random_state=0)
    table.to_csv(path, index=False)
    labelled = xr.Dataset({"y_a": ("l", ATTENTION["y_a"])}, {"l": DEPTH})
    for data in (path, str(path), table, labelled, ATTENTION):
        (series,) = series_of(model, data)
        np.testing.assert_allclose(series.ts, DEPTH)
        np.testing.assert_allclose(series.values["y_a"], ATTENTION["y_a"], rtol=1e-15)


def test_what_was_fitted_is_not_held_out():
    model = surrogates.load("E2")
    check_refused(
        lambda: surrogates.compare([model], ATTENTION, dict(ATTENTION)), "hold out others"
    )


def test_the_same_numbers_are_the_same_to_programs():
    """What is compiled is compiled for a layout, of times and holes: another value is no other one."""
    model = surrogates.load("E2").model
    (one,), (same,) = series_of(model, ATTENTION), series_of(model, pd.DataFrame(ATTENTION))
    assert one == same and hash(one) == hash(same) and unknowns_of(model) == unknowns_of(model)
    assert hash(unknowns_of(model)) == hash(unknowns_of(model))
    for name in ATTENTION:
        moved = {**ATTENTION, name: ATTENTION[name] + 1e-3}
        other = series_of(model, moved)[0]
        assert other != one and (other.layout == one.layout) == (name == "y_a")
    (hole,) = series_of(model, {**ATTENTION, "y_a": np.where(DEPTH > 1, ATTENTION["y_a"], np.nan)})
    assert hole.layout != one.layout and set(one.layout.values["y_a"]) == {0}
    assert unknowns_of(surrogates.load("E1").model) != unknowns_of(model)
    assert surrogates.load("E2").model == model != surrogates.load("E1").model
    assert hash(surrogates.load("E2").model) == hash(model)


def test_likelihoods_are_those_of_scipy(tmp_path):
    values = {"rate": 0.4, "a_eq": 0.9}
    guess = attention(DEPTH, 0.4, 0.9)
    found = log_likelihood(surrogates.load("E2").model, values, ATTENTION)
    np.testing.assert_allclose(found, stats.norm(guess, 0.02).logpdf(ATTENTION["y_a"]), rtol=1e-6)
    noise = {"kind": "lognormal", "size": 0.3}
    model = edited(tmp_path, "E2", modeling__measurements__0__noise=noise).model
    found = log_likelihood(model, values, ATTENTION)
    wanted = stats.lognorm(0.3, scale=guess).logpdf(ATTENTION["y_a"])
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_what_cannot_be_fitted_is_refused(tmp_path):
    model = surrogates.load("E2")
    check_refused(lambda: model.fit(3), "the path of a CSV file")
    check_refused(lambda: model.fit({"x": [1.0]}), "name them so")
    check_refused(lambda: model.fit({"l": [0.0, 1.0], "y_a": [1.0]}), "one number for each time")
    check_refused(lambda: model.fit({"l": [-1.0], "y_a": [1.0]}), "drop those rows")
    check_refused(lambda: model.fit({"l": [1.0], "y_a": [np.inf]}), "drop those rows")
    check_refused(lambda: model.fit({"l": [0.0], "y_a": [1.0]}), "measured later")
    check_refused(lambda: model.fit({"l": ["a"], "y_a": [1.0]}), "convert those rows")
    check_refused(
        lambda: model.fit({"l": [1.0], "y_a": [1.0], "condition": ["b"]}), "modeling.conditions"
    )
    check_refused(lambda: model.fit(tmp_path / "none.csv"), "check its path")
    check_refused(lambda: model.fit(ATTENTION, starts=0), "starts=1")
    check_refused(lambda: surrogates.load("E3").fit(ATTENTION), "input.unknowns")


@pytest.mark.slow
def test_intervals_cover_the_truth_as_often_as_they_say():
    """400 repetitions: of 400 intervals of 95 % between 372 and 388 cover with probability .93."""
    model = surrogates.load("E2").model
    unknowns, (series,) = unknowns_of(model), series_of(model, ATTENTION)
    noise = 0.02 * jax.random.normal(jax.random.key(7), (400, 21))
    values = {"y_a": jnp.asarray(attention(DEPTH, 0.4, 0.9)) + noise}
    start = jnp.asarray(unknowns.free([0.3, 0.8]))
    found = jax.vmap(lambda v: optimum(model, unknowns, [series], start, [v]))(values)
    assert bool(found.ok.all())
    theta = jax.vmap(unknowns.natural)(found.free)
    _, slopes = jax.vmap(lambda p, v: jacobian(model, unknowns, [series], p, [v]))(theta, values)
    inside = np.zeros(2)
    for one, slope in zip(np.asarray(theta), np.asarray(slopes), strict=True):
        intervals = determined(unknowns, one, slope).intervals
        inside += [
            low <= truth <= high for (low, high), truth in zip(intervals, (0.4, 0.9), strict=True)
        ]
    assert (inside >= 0.93 * 400).all() and (inside <= 0.97 * 400).all(), inside / 400


@pytest.mark.slow
def test_held_out_entropies_choose_the_sign_that_made_them(tmp_path):
    """With a surprise that fades over the layers the two signs differ; constant ones the floor would hide."""
    places = {
        "modeling__variables__4__value": "S0*exp(-l/depth)",
        "input__known_quantities": [
            {"symbol": "H0", "value": 5.0, "units": "bit"},
            {"symbol": "S0", "value": 8.0, "units": "bit"},
            {"symbol": "depth", "value": 4.0, "units": "layer"},
        ],
    }
    models = [edited(tmp_path, name, **places) for name in ("E1", "E1_adding")]
    rng = np.random.default_rng(2)
    truth = models[1].simulate().dataset.H.values
    train, held_out = ({"l": DEPTH, "y_H": truth + 0.02 * rng.normal(size=21)} for _ in range(2))
    best, other = surrogates.compare(models, train, held_out, starts=2)
    assert best.problem == "E1_adding" and best.behind == 0
    assert other.behind > 3 * other.error > 0
