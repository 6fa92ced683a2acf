"""Equations found in measurements: of several starts they are those that made them, of one they are none."""

import itertools
import sys

import numpy as np
import pytest
from editing import edited, plain
from refusals import check_refused

from meanfield import surrogates
from meanfield.surrogates.fits import _discovery
from meanfield.surrogates.fits._discovery import _model, superfluous, typeset
from meanfield.surrogates.fits._sparse import powers_of, sparse
from meanfield.surrogates.runs import problems_of

DEPTH = np.linspace(0.0, 20.0, 41)
STARTS = (0.1, 0.3, 0.6, 1.0)
CONDITIONS = [{"id": f"from_{k}", "set": {"a": a}} for k, a in enumerate(STARTS)]


def measured(starts, seed: int, noise: float = 0.02) -> dict:
    """Attention towards .9 at the rate .4 from these starts, by number."""
    rng = np.random.default_rng(seed)
    rows = [0.9 + (STARTS[k] - 0.9) * np.exp(-0.4 * DEPTH) for k in starts]
    names = [f"from_{k}" for k in starts]
    return {
        "l": np.tile(DEPTH, len(rows)),
        "y_a": np.concatenate(rows) + noise * rng.normal(size=41 * len(rows)),
        "condition": np.repeat(names, 41),
    }


def growing(tmp_path):
    """Attention that decays to nothing, which it does not."""
    return edited(
        tmp_path,
        "E2",
        modeling__conditions=CONDITIONS,
        modeling__equations__0__rhs="-rate*a",
        input__unknowns=[{"symbol": "rate", "role": "parameter", "units": "1/layer"}],
        solution_and_analysis={},
        method_selection={"tolerance": 1e-7},
    )


@pytest.mark.slow
def test_several_starts_give_back_the_equation(tmp_path):
    pytest.importorskip("pysindy", reason="needs PySINDy: pip install 'meanfield-jax[discovery]'")
    found = growing(tmp_path).discover(
        measured((0, 1, 2), 1), measured((3,), 2), degree=2, starts=1
    )
    assert found.accepted and found.weak and found.gain > 5 * found.error
    (equation,) = found.surrogate.document.modeling.equations
    assert equation.rhs == "c_a_0 + c_a_1*a" and equation.novelty_tag == "new"
    assert found.surrogate.check().ok and found.fit.rank == 2
    for name, truth in (("c_a_0", 0.36), ("c_a_1", -0.4)):
        # four standard errors, which are below a hundredth
        assert abs(found.fit.values[name] - truth) < 4 * found.fit.errors[name] < 0.08
    assert found.equations["da/dl"].startswith("0.3") and "c_a" not in found.equations["da/dl"]


@pytest.mark.slow
def test_from_one_start_it_is_rejected(tmp_path):
    """Along one trajectory powers stand for each other, and what they say of other starts is wrong; the
    document's equation, fitted to the same data, is not."""
    pytest.importorskip("pysindy", reason="needs PySINDy: pip install 'meanfield-jax[discovery]'")
    model = edited(
        tmp_path, "E2", modeling__conditions=CONDITIONS, method_selection={"tolerance": 1e-7}
    )
    found = model.discover(measured((0,), 1), measured((2, 3), 2), degree=2, starts=1)
    assert not found.accepted


def test_the_regression_is_that_of_its_equation():
    """x' = y, y' = -4 x in units of their own: both forms give the two coefficients alone."""
    pytest.importorskip("pysindy", reason="needs PySINDy: pip install 'meanfield-jax[discovery]'")
    ts = np.linspace(3.0, 8.0, 401)
    rows = [
        np.stack([x * np.cos(2 * (ts - 3)) + y / 2 * np.sin(2 * (ts - 3)),
                  y * np.cos(2 * (ts - 3)) - 2 * x * np.sin(2 * (ts - 3))], axis=1)
        for x, y in ((50.0, 0.0), (10.0, 30.0))
    ]  # fmt: skip
    before = np.random.get_state()[1].copy()
    for weak in (False, True):
        first, second = sparse([ts, ts], rows, 2, 0.1, weak, 0)
        assert first.keys() == {(0, 1)} and second.keys() == {(1, 0)}
        # differences of order four: (2h)^4/30 = 1e-8; bumps by quadrature: about a thousandth
        rel = 2e-3 if weak else 1e-5
        assert first[0, 1] == pytest.approx(1.0, rel=rel)
        assert second[1, 0] == pytest.approx(-4.0, rel=rel)
    assert (np.random.get_state()[1] == before).all()


def test_powers_stand_in_the_order_of_degrees():
    assert powers_of(1, 2) == [(0,), (1,), (2,)]
    assert powers_of(2, 2) == [(0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2)]


def test_terms_that_do_not_pay_are_dropped_together(tmp_path):
    """y = 1 + t/2 fitted by a + b t + c t^2 + e t^3: what is dropped is what least squares of all subsets
    say by the Bayesian criterion, as the model is linear."""
    ts = np.linspace(0.0, 2.0, 30)
    y = 1 + 0.5 * ts + 0.1 * np.random.default_rng(4).normal(size=30)
    names = ("a", "b", "c", "e")
    model = plain(tmp_path, "a + b*t + c*t**2 + e*t**3", dict.fromkeys(names, 0.1))
    fit = model.fit({"t": ts, "z": y}, starts=1)
    columns = dict(zip(names, np.stack([ts**k for k in range(4)]), strict=True))

    def criterion(kept):
        design = np.stack([columns[name] for name in kept], axis=1)
        rest = y - design @ np.linalg.lstsq(design, y)[0]
        return np.sum((rest / 0.1) ** 2) + np.log(30) * len(kept)

    subsets = [s for k in range(1, 5) for s in itertools.combinations(names, k)]
    best = min(subsets, key=criterion)
    assert {*names} - superfluous(fit, 30) == {*best} == {"a", "b"}


def test_what_was_found_is_a_document_with_units(tmp_path):
    model = _model(edited(tmp_path, "E1").model, [{(0,): 0.5, (1,): -0.1, (2,): 0.01}])
    assert not problems_of(model)
    (equation,) = model.document.modeling.equations
    assert equation.rhs == "c_H_0 + c_H_1*H + c_H_2*H**2" and equation.novelty_tag == "new"
    assert [model.numbers[f"c_H_{k}"] for k in range(3)] == [0.5, -0.1, 0.01]
    assert [u.symbol for u in model.document.input.unknowns] == ["c_H_0", "c_H_1", "c_H_2"]
    shown = typeset({"dH/dl": equation.rhs}, {f"c_H_{k}": v for k, v in enumerate((0.5, -0.1, 2))})
    # a name within another is another
    assert typeset({"x": "c_x_1*c_x_10 + c_x_0"}, {"c_x_1": 3.0, "c_x_0": 1e-5}) == {
        "x": "3*c_x_10 + 1e-05"
    }
    assert shown == {"dH/dl": "0.5 - 0.1*H + 2*H**2"}


def test_names_of_coefficients_clash_with_none(tmp_path):
    """Of a state whose name is as long as can be, in a document that has one of them, and along another."""
    name, along = "a" * 60, {"symbol": "c_0_1", "units": "layer", "stop": 20, "points": 21}
    model = edited(
        tmp_path,
        "E2",
        metadata__problem_id="p" * 60,
        modeling__independent=along,
        modeling__variables=[
            {"symbol": name, "role": "state", "units": "dimensionless"},
            {"symbol": "c_0_0", "role": "parameter", "units": "1/layer", "value": 0.4},
        ],
        modeling__equations__0__lhs=f"d{name}/dc_0_1",
        modeling__equations__0__rhs=f"-c_0_0*{name}",
        modeling__initial_conditions__0__symbol=name,
        modeling__measurements__0__expression=name,
        input={"problem_summary": ""},
        solution_and_analysis={},
    )
    found = _model(model.model, [{(0,): 0.5, (1,): -0.1}])
    (equation,) = found.document.modeling.equations
    assert equation.rhs == f"c_0_0_ + c_0_1_*{name}"
    assert found.document.metadata.problem_id == "p" * 50 + "_found"


def test_data_of_which_no_regression_tells_are_refused(tmp_path, monkeypatch):
    """What libraries would answer with a number, or an error of their own."""
    model, data = edited(tmp_path, "E2", modeling__conditions=CONDITIONS), measured((0, 1), 1)
    held = measured((3,), 2)
    ask = lambda changed, **kinds: lambda: model.discover({**data, **changed}, held, **kinds)
    check_refused(
        lambda: model.discover(data, {n: v[41:] for n, v in data.items()}), "from_1 in both"
    )
    check_refused(ask({"y_a": np.full(82, 0.5)}), "make it a parameter")
    check_refused(ask({"y_a": np.where(np.arange(82) == 3, np.nan, data["y_a"])}), "with gaps")
    check_refused(ask({}, degree=0), "pass weak=False")
    check_refused(ask({}, degree=33, weak=False), "lower it")
    check_refused(ask({}, weak="yes"), "pass None")
    few = {name: each[::5] for name, each in measured((0,), 1).items()}
    check_refused(lambda: model.discover(few, data), "measure more often")
    check_refused(lambda: model.discover(few, data, degree=9, weak=False), "lower degree")
    gone = np.r_[0:8, 20:41]  # bumps of an eighth of the run would have nothing to be seen by
    gap = {name: each[gone] for name, each in measured((0,), 1).items()}
    check_refused(lambda: model.discover(gap, data), "measure more often")
    for found, words in (([{}], "lower threshold"), ([{(1,): 1e40}], "choose units")):
        monkeypatch.setattr(_discovery, "sparse", lambda *_, found=found: found)
        check_refused(ask({}), words)
    terms = {(k,): 1.0 for k in range(33)}
    monkeypatch.setattr(_discovery, "LONGEST", 200)
    monkeypatch.setattr(_discovery, "sparse", lambda *_: [terms])
    check_refused(ask({}, degree=32), "raise threshold, or lower degree")


def test_states_far_from_one_are_scaled():
    """Their squares are out of range, and the equation x' = -x is the same."""
    pytest.importorskip("pysindy", reason="needs PySINDy: pip install 'meanfield-jax[discovery]'")
    ts = np.linspace(0.0, 4.0, 101)
    for size in (1e200, 1e-200):
        (terms,) = sparse([ts], [size * np.exp(-ts)[:, None]], 1, 0.1, False, 0)
        assert terms == {(1,): pytest.approx(-1.0, rel=1e-5)}


def test_what_cannot_be_discovered_is_refused(tmp_path, monkeypatch):
    model, data = edited(tmp_path, "E2", modeling__conditions=CONDITIONS), measured((0, 1), 1)
    short = {name: each[:5] for name, each in data.items()}
    check_refused(lambda: model.discover(short, data), "8 times at least")
    uneven = {name: each[:-1] for name, each in data.items()}
    check_refused(lambda: model.discover(uneven, data), "weak=False")
    other = edited(tmp_path, "E2", modeling__measurements__0__expression="2*a")
    plain = {"l": DEPTH, "y_a": DEPTH}
    check_refused(lambda: other.discover(plain, plain), "each state")
    check_refused(lambda: surrogates.load("E3").discover(plain, plain), "name them so")
    monkeypatch.setitem(sys.modules, "pysindy", None)
    check_refused(lambda: model.discover(data, measured((3,), 2)), "meanfield-jax[discovery]")
