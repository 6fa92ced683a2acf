"""What a library imports besides is loaded when someone asks for it."""

import importlib
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

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


def test_threads_see_a_module_that_is_whole(tmp_path, monkeypatch):
    """Who looks while another loads waits for it; what is set before stays."""
    (tmp_path / "late_whole.py").write_text("import time\ntime.sleep(0.05)\nanswer = old = 42\n")
    monkeypatch.syspath_prepend(tmp_path)
    with deferred("late_whole"):
        late = importlib.import_module("late_whole")
    with ThreadPoolExecutor(3) as pool:
        assert [*pool.map(lambda _: late.answer, range(3))] == 3 * [42]
    del sys.modules["late_whole"]
    with deferred("late_whole"):
        late = importlib.import_module("late_whole")
    late.old = 1
    assert late.old == 1 and type(late) is type(sys)
    del sys.modules["late_whole"]


def test_a_module_that_fails_says_so_at_each_look(tmp_path, monkeypatch):
    (tmp_path / "late_ill.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with deferred("late_ill"):
        ill = importlib.import_module("late_ill")
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            _ = ill.answer
    del sys.modules["late_ill"]


def test_a_module_that_is_not_there_is_missed_at_once():
    with deferred("late_none"), pytest.raises(ImportError):
        importlib.import_module("late_none")
