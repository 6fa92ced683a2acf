"""Studies and figures of other people: files that are named, and entry points."""

import inspect
import sys
import textwrap
from importlib.metadata import EntryPoint

import pytest

from meanfield.commands import _finding, _studies, main
from meanfield.studies.machinery import _study

STUDY = '''
from dataclasses import dataclass, replace
import xarray as xr
from meanfield.studies import Claim, Study

@dataclass(frozen=True, kw_only=True)
class Halving(Study):
    """Half of a number."""
    x: float = 3.0
    """The number."""

    def cells(self):
        return [{"k": k} for k in (1, 2)]

    def compute(self, cell):
        return xr.Dataset({"y": ((), self.x / 2 ** cell["k"])})

    def tiny(self):
        return replace(self)

    def claims(self, dataset):
        return [Claim.close("y", float(dataset.y[1]), self.x / 4, 0.0, "arithmetic")]
'''
FIGURE = '''
"""Two halves."""
import matplotlib.pyplot as plt
from halving_of_mine import Halving

STUDIES = {"halves": Halving()}

def draw(results):
    fig, ax = plt.subplots()
    ax.plot(results["halves"].k, results["halves"].y)
    return fig
'''


@pytest.fixture
def study(tmp_path, monkeypatch):
    path = tmp_path / "halving_of_mine.py"
    path.write_text(STUDY)
    yield path
    for name in ("halving_of_mine", "figure_of_mine"):
        sys.modules.pop(name, None)


def test_a_study_of_a_file_runs_and_is_stored(study, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["run", str(study), "--x", "5", "--out", str(out), "--float32"]) == 0
    assert "results in" in capsys.readouterr().out
    assert {path.name for path in out.iterdir()} >= {"study.json", "result.nc", "claims.json"}
    sys.modules.pop("halving_of_mine")
    study.write_text(STUDY.replace("2 ** cell", "2.0 ** cell"))  # another code: computed again
    assert main(["run", str(study), "--x", "5", "--out", str(out), "--float32"]) == 0
    assert "of other code" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text, reason",
    [
        ("1 / 0", "ZeroDivisionError"),
        ("x = 1", "expected one study"),
        ("def", "SyntaxError"),
    ],
)
def test_files_that_hold_no_study_are_refused(text, reason, tmp_path, capsys):
    path = tmp_path / "no_study_of_mine.py"
    path.write_text(text)
    assert main(["run", str(path)]) == 2
    assert reason in capsys.readouterr().err
    sys.modules.pop("no_study_of_mine", None)


def test_a_file_that_is_missing_or_takes_a_name_is_refused(tmp_path, capsys):
    assert main(["run", str(tmp_path / "none.py")]) == 2
    assert "none.py" in capsys.readouterr().err
    (tmp_path / "json.py").write_text("")
    assert main(["run", str(tmp_path / "json.py")]) == 2
    assert "rename it" in capsys.readouterr().err


def test_other_packages_announce_studies(study, monkeypatch, capsys):
    monkeypatch.syspath_prepend(study.parent)
    points = [
        EntryPoint("halving", "halving_of_mine:Halving", "meanfield.studies"),
        EntryPoint("broken", "halving_of_mine:Missing", "meanfield.studies"),
        EntryPoint("none", "halving_of_mine:STUDY", "meanfield.studies"),
    ]
    monkeypatch.setattr(_finding.importlib.metadata, "entry_points", lambda group: points)
    assert main(["list"]) == 0
    assert "of halving_of_mine" in capsys.readouterr().out
    assert _studies.study_named("halving").name() == "halving"
    with pytest.raises(ValueError, match="expected broken of an installed package to load"):
        _studies.study_named("broken")


def example(module, begin: str, end: str) -> str:
    """The lines of a module's docstring from the one that begins so to the one before that begins so."""
    lines = inspect.getdoc(module).splitlines()
    first, last = (
        next(k for k, line in enumerate(lines) if line.strip().startswith(w)) for w in (begin, end)
    )
    return textwrap.dedent("\n".join(lines[first:last]))


def test_the_examples_of_the_documents_run_outside_of_the_package(tmp_path, monkeypatch):
    import paper_figs.__main__

    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "decay_of_mine.py").write_text(example(_study, "import xarray", "As `my_study.py`"))
    figure = example(paper_figs, '"""Exponential', "In a file of your own")
    own = figure.replace("from meanfield.studies import", "from decay_of_mine import")
    (tmp_path / "figure_of_decay.py").write_text(own)
    try:
        assert main(["run", "decay_of_mine.py", "--rate", "2", "--out", "out", "--no-picture"]) == 0
        sys.modules.pop("decay_of_mine")
        assert paper_figs.__main__.main(["figure_of_decay.py", "--tiny", "--out", "figures"]) == 0
    finally:
        for name in ("decay_of_mine", "figure_of_decay"):
            sys.modules.pop(name, None)
    assert (tmp_path / "figures" / "figure_of_decay.png").is_file() and own != figure


def test_a_figure_of_a_file_is_drawn(study, tmp_path, monkeypatch):
    from paper_figs.__main__ import main as figures

    monkeypatch.setattr(sys, "path", [*sys.path])
    path = tmp_path / "figure_of_mine.py"
    path.write_text(FIGURE)
    out = tmp_path / "out"
    assert figures([str(path), "--out", str(out)]) == 0
    assert (out / "figure_of_mine.png").is_file()
    sys.modules.pop("figure_of_mine")
    path.write_text("STUDIES = {}")
    assert figures([str(path), "--out", str(out)]) == 2


def test_a_part_of_a_name_is_understood():
    for name, hint in (("stair", "perhaps you meant 2410_staircase"), ("zzz", "see the list")):
        with pytest.raises(ValueError, match=hint):
            _finding.choose(name, ["2410_staircase", "2606_bifurcation"], "figure", "the list")
