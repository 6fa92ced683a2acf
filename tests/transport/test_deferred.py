"""What a library imports besides is loaded when someone asks for it."""

import importlib
import subprocess
import sys
import warnings

import pytest

from meanfield.transport.costs._deferred import deferred

SOURCE = """
import warnings
warnings.warn("I am old", DeprecationWarning)
LOADED.append(__name__)
answer = 42
"""


def test_a_module_is_loaded_at_the_first_look(tmp_path, monkeypatch):
    loaded = []
    (tmp_path / "late_one.py").write_text(f"from builtins import LOADED{SOURCE}")
    monkeypatch.setattr("builtins.LOADED", loaded, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    finders = [*sys.meta_path]
    with deferred("late_one"):
        late = importlib.import_module("late_one")
        assert importlib.import_module("json").dumps(1) == "1"
    assert sys.meta_path == finders
    assert not loaded
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert late.answer == 42
    assert loaded == ["late_one"]
    assert late.__loader__.get_source("late_one")  # as tools ask that look for its text
    del sys.modules["late_one"]


def test_a_module_that_is_not_there_is_missed_at_once():
    with deferred("late_none"), pytest.raises(ImportError):
        importlib.import_module("late_none")


@pytest.mark.slow
def test_transport_loads_neither_pictures_nor_statistics():
    """A whole process of Python: some seconds."""
    code = """
import sys
import meanfield as mf
mf.simulate, mf.studies
assert not {"scipy.stats", "matplotlib.figure", "jaxopt._src"} & {*sys.modules}
import matplotlib.pyplot as plt
from ott.tools import conformal
assert plt.figure and conformal.qmc
"""
    subprocess.run([sys.executable, "-c", code], check=True)
