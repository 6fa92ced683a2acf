"""Rooms offer what they say, and load it when it is used."""

import builtins
import importlib
import json
import subprocess
import sys
import threading

import pytest

import meanfield as mf
from meanfield import geometry

_RUN = """
import jax
flow = mf.dynamics.AttentionFlow(mf.geometry.Sphere(3), mf.attention.Softmax(2.0))
mf.simulate, mf.energies.Interaction, mf.observables.clusters
"""
USES = {
    "studies": ("import meanfield.studies", "jax equinox meanfield.studies.heat"),
    "surrogates": (
        "import meanfield as mf; mf.surrogates.examples; mf.simulate",
        "pydantic pint sympy SALib",
    ),
    "a run": (
        _RUN,
        "ott matplotlib xarray scipy.optimize scipy.stats meanfield.transport.barycenters",
    ),
    "one study": (
        "from meanfield.studies import PhaseDiagram",
        "ott matplotlib diffrax.x scipy.stats meanfield.games.exact meanfield.latents.models",
    ),
    "transport": (
        "mf.transport.sinkhorn.solve, mf.transport.wasserstein",
        "scipy.stats matplotlib.figure jaxopt._src",
    ),
    # What was put off is there for who asks.
    "what was put off": (
        "import matplotlib.pyplot as plt; from ott.tools import conformal; plt.figure, conformal.qmc",
        "pydantic",
    ),
}
"""What one process does in turn, and what it has not loaded by then: less is loaded before more."""


@pytest.fixture(scope="module")
def loaded():
    """By each use, which of what it need not load is there."""
    lines = ["import json, sys", "found = {}"]
    for name, (code, unused) in USES.items():
        lines += [code, f"found[{name!r}] = sorted({{*{unused.split()}}} & {{*sys.modules}})"]
    program = [sys.executable, "-c", "\n".join([*lines, "print(json.dumps(found))"])]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("use", USES)
def test_what_is_not_used_is_not_loaded(use, loaded):
    assert loaded[use] == []


def test_a_room_offers_its_names_and_nothing_else():
    offered = [name for name in dir(geometry) if not name.startswith("_")]
    assert {"Sphere", "Euclidean"} <= {*offered}
    assert not {"TYPE_CHECKING", "offers"} & {*offered}
    assert all(hasattr(geometry, name) for name in offered)
    assert geometry.Sphere is geometry.Sphere is mf.geometry.Sphere
    assert mf.landscape.clouds.__name__ == "meanfield.landscape.clouds"


def test_all_names_are_imported_with_a_star():
    found: dict = {}
    exec("from meanfield.geometry import *", found)
    assert found["Sphere"] is geometry.Sphere


def test_a_name_that_is_not_there_is_missed_as_ever():
    with pytest.raises(
        AttributeError, match=r"module 'meanfield.geometry' has no attribute 'Ball'"
    ):
        _ = geometry.Ball
    with pytest.raises(ImportError, match="cannot import name 'Ball'"):
        from meanfield.geometry import Ball  # noqa: F401
    with pytest.raises(AttributeError, match="no attribute '_base_of'"):
        _ = mf.geometry._base_of
    with pytest.raises(AttributeError, match="has no attribute 'spheres'"):
        _ = mf.spheres


def test_a_name_of_another_room_is_told_where_it_is():
    with pytest.raises(AttributeError, match=r"no attribute 'Sphere'; meanfield.geometry has it$"):
        _ = mf.Sphere
    with pytest.raises(
        AttributeError, match=r"no attribute 'Softmax'; meanfield.attention has it$"
    ):
        _ = geometry.Softmax
    # A path is no name, and to ask for one is no import that fails.
    assert not hasattr(mf, "no.such")
    assert not {"Any", "importlib"} & {*dir(mf)}


_OFFERS = """
from typing import TYPE_CHECKING
from meanfield._lazy import offers
if TYPE_CHECKING:
    from ._a import a
    from ._b import b
    from ._c import c
__getattr__, __dir__ = offers(__name__)
"""
_LOG = "import builtins, time\nbuiltins.log.append(0)\ntime.sleep(0.2)\nbuiltins.log.append(1)\n"


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A package of slow modules, which note when their import begins and when it ends."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(builtins, "log", [], raising=False)
    folder = tmp_path / "toyroom"
    folder.mkdir()
    (folder / "__init__.py").write_text(_OFFERS)
    (folder / "_a.py").write_text(f"{_LOG}a = 1")
    (folder / "_b.py").write_text(f"{_LOG}from . import a\nb = a + 1")
    (folder / "_c.py").write_text("import time\ntime.sleep(0.1)\nfrom ._b import b\nc = b + 1")
    yield importlib.import_module("toyroom"), folder
    for name in [name for name in sys.modules if name.startswith("toyroom")]:
        del sys.modules[name]


def _together(*calls):
    """What calls return that are made at once; those that wait for each other end with the tests."""
    found: dict = {}
    threads = [
        threading.Thread(target=lambda k=k, call=call: found.update({k: call()}), daemon=True)
        for k, call in enumerate(calls)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join(timeout=20)
    return [found.get(k) for k in range(len(calls))]


def test_threads_import_in_turn(toy):
    room, _ = toy
    assert _together(lambda: room.a, lambda: room.b) == [1, 2]
    assert vars(builtins)["log"] == [0, 1, 0, 1]  # each module from its begin to its end


def test_a_module_that_is_imported_by_itself_does_not_wait_for_its_turn(toy):
    room, _ = toy
    # `_c` holds the turn and waits for `_b`, which another thread imports, and which asks for a.
    calls = (lambda: room.c, lambda: importlib.import_module("toyroom._b").b)
    assert _together(*calls) == [3, 2]


def test_a_room_that_is_reloaded_offers_what_it_says_now(toy):
    room, folder = toy
    assert room.__all__ == ["a", "b", "c"]
    (folder / "__init__.py").write_text(_OFFERS.replace("c import c", "c import c as longer"))
    assert importlib.reload(room).__all__ == ["a", "b", "longer"]
