"""A function over a grid and seeds, and the power at which it falls."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused
from scipy import stats

import meanfield as mf
from meanfield.solve import SolveError
from meanfield.solve._errors import Misstep, raise_if_failed


def test_values_stand_where_they_were_computed():
    found = mf.sweep(
        lambda key, n, kind: n + {"a": 0.1, "b": 0.2}[kind],
        {"n": [1, 2, 4], "kind": ["a", "b"]},
        seeds=[3, 5],
    )
    assert found.value.dims == ("n", "kind", "seed")
    assert float(found.value.sel(n=4, kind="b", seed=5)) == 4.2
    assert found.seed.values.tolist() == [3, 5]


def test_keys_are_those_of_the_seeds_at_every_point():
    found = mf.sweep(lambda key, n: jax.random.uniform(key), {"n": [1, 2]}, seeds=2)
    right = [float(jax.random.uniform(jax.random.key(seed))) for seed in (0, 1)]
    assert found.value.values.tolist() == [right, right]


def test_the_fit_is_the_power_with_the_interval_of_student():
    slopes = [-1.0, -1.2, -0.9, -1.1]  # of each seed, exactly

    def power(key, n, scale):
        which = int(jax.random.key_data(key)[-1])
        return -scale * n ** slopes[which]  # the sign and the scale do not matter

    found = mf.sweep(power, {"n": [2, 4, 16], "scale": [1.0, 7.0]}, seeds=4, fit="n")
    low, high = stats.t.interval(0.95, 3, np.mean(slopes), stats.sem(slopes))
    assert np.allclose(found.rate, np.mean(slopes), atol=1e-13)
    assert np.allclose(found.rate_low, low, atol=1e-13)
    assert np.allclose(found.rate_high, high, atol=1e-13)
    assert found.usable.values.tolist() == [4, 4]


def test_seeds_that_fail_or_vanish_are_not_fitted_and_counted():
    def error(key, n):
        which = int(jax.random.key_data(key)[-1])
        if which == 0 and n == 8:
            raise SolveError("the run failed")
        return {"a": 0.0 if which == 1 and n == 2 else n**-0.5, "b": n}

    found = mf.sweep(error, {"n": [2, 4, 8]}, seeds=3, fit="n")
    assert int(found.a_usable) == 1  # seed 2 alone
    assert float(found.a_rate) == pytest.approx(-0.5, abs=1e-13)
    assert np.isnan(found.a_rate_low)  # one seed tells no spread
    assert int(found.b_usable) == 2
    assert np.isnan(found.a.sel(seed=0, n=8))


def test_runs_that_fail_within_a_program_are_nan_and_other_errors_are_raised():
    def value(key, n):
        return raise_if_failed(jnp.asarray(n), jnp.asarray(n) < 2, Misstep(n, None, ""))

    found = mf.sweep(jax.jit(value), {"n": [1.0, 3.0]})
    np.testing.assert_array_equal(found.value[:, 0], [1.0, np.nan])

    def other(key, n):
        raise RuntimeError("no run")

    with pytest.raises(RuntimeError, match="no run"):
        mf.sweep(other, {"n": [1.0]})


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"grid": {}}, "expected values for each name of a grid"),
        ({"grid": {"n": []}}, "expected values for each name of a grid"),
        ({"grid": {"n": [1, 2]}, "fit": "m"}, "pass one of \\['n'\\]"),
        ({"grid": {"n": [0, 2]}, "fit": "n"}, "positive numbers"),
        ({"grid": {"n": [1]}, "seeds": [1, 1]}, "expected different seeds"),
        ({"grid": {"n": [1]}, "seeds": 0}, "seeds"),
        ({"grid": {"m": [1]}}, "of m by name, got one of .key, n.; pass lambda key, m"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        mf.sweep(lambda key, n: 1.0, **arguments)


def test_seeds_may_be_a_number_of_numpy():
    assert mf.sweep(lambda key, n: n, {"n": [1]}, np.int64(2)).seed.values.tolist() == [0, 1]


def test_what_is_no_number_is_refused():
    check_refused(lambda: mf.sweep(lambda key, n: np.ones(2), {"n": [1]}), "return one, such as x")
