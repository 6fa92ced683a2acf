"""Workers take whole files: programs of a file would else be compiled by each of them."""

from units import unit


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
