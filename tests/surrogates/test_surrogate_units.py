"""Units go through every equation: bits are not nats, layers not iterations, and functions take numbers."""

import pytest
import yaml
from refusals import check_refused

from meanfield import surrogates
from meanfield.surrogates._loading import DATA
from meanfield.surrogates.expressions import (
    PLAIN,
    ExpressionError,
    check_same,
    read_expression,
    read_unit,
    unit_of,
)

UNITS = {k: read_unit(v) for k, v in {"H": "bit", "L": "nat", "k": "1/layer", "r": "1/iteration",
         "t": "second", "ms": "millisecond", "n": "", "D": "bit**2/layer"}.items()}  # fmt: skip


def unit(text: str):
    return unit_of(read_expression(text, UNITS), UNITS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("k*H", "bit/layer"),
        ("-k*(H - H)", "bit/layer"),
        ("D/H", "bit/layer"),
        ("sqrt(D*k)", "bit/layer"),
        ("H**2*k**2/H", "bit/layer**2"),
        ("exp(-H/H)", "dimensionless"),
        ("max(H, 0) + 0", "bit"),
        ("abs(-H)", "bit"),
        ("step(H)*H", "bit"),
        ("n**n + 2*n", "dimensionless"),
        ("t*t/ms", "1000*second"),
    ],
)
def test_units_are_those_of_hand(text, expected):
    wanted = (
        read_unit("second").__mul__(read_unit("")) if "1000" in expected else read_unit(expected)
    )
    found = unit(text)
    assert found.powers == wanted.powers
    # a second is 1000 ms: s*s/ms = 1000 s
    assert found.factor == pytest.approx(1000.0 if "1000" in expected else wanted.factor)


@pytest.mark.parametrize(
    ("text", "first", "second"),
    [
        ("H + L", "H in bit", "L in nat"),
        ("k*H - r*H", "H*k in bit/layer", "-H*r in bit/iteration"),
        ("H + 1", "H in bit", "1 without a unit"),
        ("t + ms", "t in second", "ms in 0.001 second"),
        ("max(H, L)", "H in bit", "L in nat"),
    ],
)
def test_terms_of_different_units_are_both_named(text, first, second):
    with pytest.raises(ExpressionError) as error:
        unit(text)
    assert first in str(error.value) and second in str(error.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("exp(H)", "the argument of exp without a unit, got H in bit"),
        ("log(L)", "the argument of log"),
        ("tanh(k)", "the argument of tanh"),
        ("2**H", "an exponent without a unit"),
        ("H**n", "the base of a varying exponent"),
    ],
)
def test_functions_take_numbers(text, words):
    with pytest.raises(ExpressionError, match=words):
        unit(text)


@pytest.mark.parametrize(
    "text", ["bit + nat", "-2*bit", "0*bit", "parsec", "exp(bit)", "bit**nat", "a.b"]
)
def test_other_units_are_refused(text):
    with pytest.raises(ExpressionError):
        read_unit(text)


def test_units_of_a_document_of_ones_own():
    assert read_unit("weight/iteration", ("weight",)).powers[1][0] == "weight"
    check_same("a", read_unit("1/layer"), "b", read_unit("layer**-1"), "one unit")
    assert read_unit("-") == PLAIN
    litre = read_unit("0.001*mole/meter**3")
    assert litre.factor == 0.001 and litre.powers == read_unit("mole/meter**3").powers
    assert not litre.same(read_unit("mole/meter**3"))


def test_a_dropped_gamma_is_caught_with_the_terms_that_differ():
    (problem,) = surrogates.load("fault_units").check().problems
    assert "$.modeling.equations[0].rhs" in problem
    assert "(-kappa)*(H - H_min) in bit/layer and -S in bit" in problem
    assert "a factor in 1/layer is missing" in problem
    check_refused(surrogates.load("fault_units").simulate, "a factor in 1/layer")


CHANGES = {
    "a rate": (
        "{symbol: kappa, role: parameter, units: 1/layer",
        "units: 1/iteration",
        "equations[0].rhs",
    ),
    "the start": (
        "{symbol: H0, value: 5.0, units: bit",
        "units: nat",
        "initial_conditions[0].value",
    ),
    "a measurement": ("expression: H, units: bit", "units: nat", "measurements[0].expression"),
    "a constraint": (
        "expression: H >= 0",
        "expression: H >= kappa",
        "hard_constraints[0].expression",
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_units_are_checked_wherever_something_is_computed(tmp_path, what):
    text, (old, new, place) = (DATA / "E1.yaml").read_text(), CHANGES[what]
    key = new.partition(":")[0]
    head = old.rpartition(f"{key}:")[0]
    assert old in text
    path = tmp_path / "a.yaml"
    path.write_text(text.replace(old, head + new))
    assert yaml.safe_load(path.read_text())
    if what == "a rate":  # the unknown of that name says its unit too
        path.write_text(path.read_text().replace("- " + head + "units: 1/layer", "- " + head + new))
    problems = surrogates.load(path).check().problems
    assert any(place in problem for problem in problems), problems
