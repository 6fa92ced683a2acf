"""Documents read from SBML: what was written is read back, and all else is refused by its element."""

import sys

import numpy as np
import pytest
from editing import edited, solved
from refusals import check_refused

from meanfield import surrogates
from meanfield.surrogates.exchange import as_sbml
from meanfield.surrogates.exchange._sbml_units import _text
from meanfield.surrogates.expressions import read_unit

HEAD = '<sbml xmlns="http://www.sbml.org/sbml/level3/version2/core" level="3" version="2"><model id="m">'
MATH = '<math xmlns="http://www.w3.org/1998/Math/MathML">{}</math>'
PLACE = '<listOfCompartments><compartment id="c" size="{}" constant="true"/></listOfCompartments>'
SPECIES = "".join(
    f'<species id="{n}" compartment="c" initialConcentration="{v}" hasOnlySubstanceUnits="false" '
    'boundaryCondition="false" constant="false"/>'
    for n, v in (("A", 2), ("B", 0.5))
)
PARAMETER = '<parameter id="{}" value="{}" constant="true"/>'
LAW = "<kineticLaw>{}</kineticLaw>"
REACTION = (
    '<reaction id="r" reversible="false"><listOfReactants><speciesReference species="A" stoichiometry="1" '
    'constant="true"/></listOfReactants><listOfProducts><speciesReference species="B" stoichiometry="2" '
    'constant="true"/></listOfProducts>{}</reaction>'
)
PRODUCT = MATH.format("<apply><times/><ci> k </ci><ci> A </ci></apply>")

ACTED = LAW.format(PRODUCT)


def file(tmp_path, *parts, head=HEAD):
    path = tmp_path / "a.xml"
    path.write_text(f"{head}{''.join(parts)}</model></sbml>")
    return path


def listed(name, *rows):
    return f"<listOf{name}>{''.join(rows)}</listOf{name}>"


def reactions(law=ACTED, size=1):
    return (
        PLACE.format(size),
        listed("Species", SPECIES),
        listed("Parameters", PARAMETER.format("k", 0.3)),
        listed("Reactions", REACTION.format(law)),
    )


@pytest.mark.parametrize("name", ["E1", pytest.param("E5", marks=pytest.mark.slow)])
def test_what_is_written_is_read_back(tmp_path, name):
    """E1 as its solution, algebraic; E5 with an event at a time: the same numbers."""
    pytest.importorskip("libsbml", reason="needs libsbml: pip install 'meanfield-jax[sbml]'")
    model = solved(tmp_path, "E1") if name == "E1" else as_parameter(tmp_path)
    path = tmp_path / "model.xml"
    path.write_text(as_sbml(model.model))
    axis = model.document.modeling.independent
    back = surrogates.from_sbml(path, axis.stop, axis.points)
    one, other = model.simulate().dataset, back.simulate().dataset
    for symbol in (*model.model.states, *model.model.outputs):
        np.testing.assert_allclose(other[symbol], one[symbol], rtol=1e-12, atol=1e-13)


def as_parameter(tmp_path):
    """E5 with its input as a parameter, which events of SBML can set."""
    content = surrogates.load("E5").document.model_dump(mode="json")
    (name,) = (v["symbol"] for v in content["modeling"]["variables"] if v["role"] == "input")
    k = next(k for k, v in enumerate(content["modeling"]["variables"]) if v["symbol"] == name)
    rows = [
        dict(u, role="parameter") if u["symbol"] == name else u
        for u in content["input"]["unknowns"]
    ]
    return edited(
        tmp_path, "E5", **{f"modeling__variables__{k}__role": "parameter", "input__unknowns": rows}
    )


def test_events_are_read_back(tmp_path):
    """One at a time and one whenever a condition begins to hold."""
    pytest.importorskip("libsbml", reason="needs libsbml: pip install 'meanfield-jax[sbml]'")
    model = as_parameter(tmp_path)
    (state, *_) = model.model.states
    later = {"id": "full", "when": f"{state} >= 0.5 + 0.1", "set": {state: f"0.5*{state}"}}
    content = model.document.model_dump(mode="json")
    model = edited(
        tmp_path,
        "E5",
        modeling__variables=content["modeling"]["variables"],
        modeling__events=[*content["modeling"]["events"], later],
        input__unknowns=content["input"]["unknowns"],
    )
    path = tmp_path / "model.xml"
    path.write_text(as_sbml(model.model))
    back = surrogates.from_sbml(path, 40.0)
    assert [at for at, _ in back.model.events] == [at for at, _ in model.model.events] != []
    for (_, one), (_, other) in zip(back.model.events, model.model.events, strict=True):
        assert {n: float(v) for n, v in one.items()} == {n: float(v) for n, v in other.items()}
    (switch,) = back.model.switches
    assert switch.id == "full" and switch.when.sign == ">=" and str(switch.when.left) == state
    assert float(switch.when.right.doit()) == 0.6 and {*switch.values} == {state}


def test_reactions_are_rates(tmp_path):
    """A -> 2 B at k A: A = 2 e^{-k t}, and 2 A + B is kept."""
    pytest.importorskip("libsbml", reason="needs libsbml: pip install 'meanfield-jax[sbml]'")
    model = surrogates.from_sbml(file(tmp_path, *reactions()), 2.0, 3)
    assert model.document.modeling.equations[0].rhs == "((-1.0)*((k*A)))/c"
    assert model.document.metadata.notes == ""  # all is without units
    found = model.simulate().dataset
    np.testing.assert_allclose(found.A, 2 * np.exp(-0.3 * found.t), rtol=1e-9)
    np.testing.assert_allclose(2 * found.A + found.B, 4.5, rtol=1e-12)


def test_reactions_move_amounts(tmp_path):
    """In a volume of 2 concentrations change half as fast, amounts as they are moved."""
    pytest.importorskip("libsbml", reason="needs libsbml: pip install 'meanfield-jax[sbml]'")
    place, species, *rest = reactions(size=2)
    amounts = species.replace('SubstanceUnits="false"', 'SubstanceUnits="true"', 1)  # of A alone
    model = surrogates.from_sbml(file(tmp_path, place, amounts, *rest), 2.0, 2)
    equations = {each.lhs: each.rhs for each in model.document.modeling.equations}
    assert equations == {"dA/dt": "(-1.0)*((k*A))", "dB/dt": "((2.0)*((k*A)))/c"}
    starts = {row.symbol: row.value for row in model.document.modeling.initial_conditions}
    assert starts == {"A": 4.0, "B": 0.5} and model.model.numbers["c"] == 2.0


UNITS = (
    '<unitDefinition id="flow"><listOfUnits><unit kind="litre" exponent="1" scale="0" multiplier="1"/>'
    '<unit kind="second" exponent="-1" scale="0" multiplier="60"/></listOfUnits></unitDefinition>'
)


def test_units_are_read(tmp_path):
    """Moles, litres and minutes: a litre is .001 m^3, and a litre a minute 1/60000 of a m^3/s."""
    pytest.importorskip("libsbml", reason="needs libsbml: pip install 'meanfield-jax[sbml]'")
    units = 'substanceUnits="mole" extentUnits="mole" timeUnits="minute" volumeUnits="litre"'
    head = HEAD.replace('<model id="m">', f'<model id="m" {units}>')
    minute = UNITS.partition("<unit ")[0].replace("flow", "minute")
    minute += '<unit kind="second" exponent="1" scale="0" multiplier="60"/>'
    place, species, parameters, rest = reactions()
    place = place.replace("/>", ' spatialDimensions="3"/>')
    flow = parameters.replace('id="k"', 'id="k" units="flow"')
    definitions = listed("UnitDefinitions", UNITS, f"{minute}</listOfUnits></unitDefinition>")
    path = file(tmp_path, definitions, place, species, flow, rest, head=head)
    model = surrogates.from_sbml(path, 2.0, 2)
    found = {v.symbol: v.units for v in model.document.modeling.variables}
    assert model.check().ok and model.document.validation.unit_consistency_check
    assert model.document.modeling.independent.units == "60*second"
    assert read_unit(found["A"]).same(read_unit("1000*mole/meter**3"))
    assert read_unit(found["k"]).factor == pytest.approx(1 / 60_000, rel=1e-11)
    loose = file(tmp_path, definitions, place, species, parameters, rest, head=head)
    model = surrogates.from_sbml(loose, 2.0, 2)
    assert not model.document.validation.unit_consistency_check
    assert model.document.metadata.notes.startswith("Units are not checked: expected ")


@pytest.mark.parametrize(
    ("unit", "text"),
    [
        ('kind="second" exponent="-1" scale="0" multiplier="1"', "second**(-1)"),
        ('kind="mole" exponent="2" scale="-3" multiplier="5"', "2.5e-05*mole**(2)"),
    ],
)
def test_factors_and_scales_of_units(unit, text):
    sbml = pytest.importorskip("libsbml", reason="needs libsbml: pip install 'meanfield-jax[sbml]'")
    own = f'<unitDefinition id="u"><listOfUnits><unit {unit}/></listOfUnits></unitDefinition>'
    whole = sbml.readSBMLFromString(f"{HEAD}{listed('UnitDefinitions', own)}</model></sbml>")
    found = _text(sbml, whole.getModel().getUnitDefinition("u"))
    assert read_unit(found).same(read_unit(text)) and found == text


def test_level_2_is_read_as_level_3(tmp_path):
    """Its references have no constant, and its time is in seconds where it does not say."""
    pytest.importorskip("libsbml", reason="needs libsbml: pip install 'meanfield-jax[sbml]'")
    head = '<sbml xmlns="http://www.sbml.org/sbml/level2/version4" level="2" version="4"><model id="m">'
    old = [each.replace(' constant="true"/></listOf', "/></listOf") for each in reactions()[3:]]
    known = [*reactions()[:3], *old]
    one, other = (
        surrogates.from_sbml(file(tmp_path, *parts, head=first), 2.0, 2).document.modeling
        for parts, first in ((reactions(), HEAD), (known, head))
    )
    assert one.equations == other.equations and one.variables[2:] == other.variables[2:]
    assert one.initial_conditions == other.initial_conditions
    assert (one.independent.units, other.independent.units) == ("", "second")


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        (reactions(size=0), "compartment c of 0"),
        (reactions(law=""), "no kineticLaw in r"),
        (
            reactions(LAW.format(MATH.format("<apply><factorial/><ci> A </ci></apply>"))),
            "factorial in the kineticLaw of r",
        ),
        (reactions(LAW.format(MATH.format("<cn> 1e999 </cn>"))), "invalid floating-point"),
        (
            reactions(
                LAW.format(MATH.format("<apply><minus/>" * 70 + "<ci> A </ci>" + "</apply>" * 70))
            ),
            "more than 60 operations",
        ),
        (tuple(each.replace('"c"', '"exp"') for each in reactions()), "rename it"),
        (reactions()[1:], "none of A"),
        ((listed("Parameters", '<parameter id="k" constant="true"/>'),), "k with none"),
        (
            (
                listed("Parameters", '<parameter id="k" value="1" constant="false"/>'),
                listed("Rules", f"<algebraicRule>{MATH.format('<ci> k </ci>')}</algebraicRule>"),
            ),
            "an algebraicRule",
        ),
        (
            (
                listed(
                    "FunctionDefinitions",
                    f'<functionDefinition id="f">{MATH.format("<lambda><cn> 1 </cn></lambda>")}'
                    "</functionDefinition>",
                ),
            ),
            "a FunctionDefinition",
        ),
        (("<unknown/>",), "at line 2"),
        (("<", "&boom;"), "at line 2"),
    ],
)
def test_what_is_not_read_is_named(tmp_path, parts, words):
    pytest.importorskip("libsbml", reason="needs libsbml: pip install 'meanfield-jax[sbml]'")
    check_refused(lambda: surrogates.from_sbml(file(tmp_path, *parts), 1.0), words)


def test_hostile_files_of_sbml_are_refused(tmp_path, monkeypatch):
    pytest.importorskip("libsbml", reason="needs libsbml: pip install 'meanfield-jax[sbml]'")
    bomb = '<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;&b;">]>'
    check_refused(lambda: surrogates.from_sbml(file(tmp_path, head=bomb + HEAD), 1.0), "<!DOCTYPE")
    large = file(tmp_path, " " * 500_000)
    check_refused(lambda: surrogates.from_sbml(large, 1.0), "shorten or drop")
    check_refused(lambda: surrogates.from_sbml(tmp_path / "none.xml", 1.0), "check its path")
    monkeypatch.setitem(sys.modules, "libsbml", None)
    check_refused(lambda: surrogates.from_sbml(large, 1.0), "meanfield-jax[sbml]")
