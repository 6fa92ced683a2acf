import os
import warnings
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


def _name(path: Path) -> str:
    return path.name


@pytest.mark.slow  # half a minute or more each; that their calls fit is held by test_prose.py
@pytest.mark.parametrize("path", NOTEBOOKS, ids=_name)
def test_a_notebook_runs_anywhere(path, tmp_path, monkeypatch):
    # The kernel is a program of its own: it must find the repository, and show no window.
    monkeypatch.setenv("PYTHONPATH", str(path.parents[1]), prepend=os.pathsep)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of jupyter and zmq, which are not ours
        from nbclient import NotebookClient

        notebook = nbformat.read(path, as_version=4)
        settings = {"resources": {"metadata": {"path": str(tmp_path)}}, "timeout": 300}
        NotebookClient(notebook, kernel_name="python3", **settings).execute()
    assert not [c for c in notebook.cells if c.cell_type == "code" and c.execution_count is None]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=_name)
def test_a_notebook_is_committed_without_outputs(path):
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=_name)
def test_a_notebook_ends_in_exercises_with_what_to_expect(path):
    last = nbformat.read(path, as_version=4).cells[-1].source
    assert last.startswith("## Exercises")
    assert 2 <= last.count("\n1. ") + last.count("\n2. ") + last.count("\n3. ") <= 3
    assert last.count("*Expect ") == last.count("\n1. ") + last.count("\n2. ") + last.count("\n3. ")
