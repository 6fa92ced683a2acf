"""Workers take whole files: programs of a file would else be compiled by each of them."""

from units import ordered, unit


def test_a_file_is_one_unit_and_of_long_ones_each_parameter_is():
    assert (
        unit("tests/a/test_b.py::test_c[d]")
        == unit("tests/a/test_b.py::test_e")
        == "tests/a/test_b.py"
    )
    figure = "tests/test_figures.py::test_{}[{}]"
    assert unit(figure.format("drawn", "one")) == unit(figure.format("labelled", "one"))
    assert unit(figure.format("drawn", "one")) != unit(figure.format("drawn", "two"))
    assert unit("tests/test_figures.py::test_c") != unit("tests/test_figures.py::test_d")


def test_long_units_are_first_and_large_ones_before_small():
    names = ["a/test_a.py::x", "a/test_b.py::x", "a/test_b.py::y", "test_figures.py::t[one]"]
    names += ["contracts/test_wrong_arguments.py::t[one]", "a/test_b.py::z"]
    assert ordered(names) == [4, 3, 1, 2, 5, 0]
