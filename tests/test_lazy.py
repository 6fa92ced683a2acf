"""Rooms offer what they say, and load it when it is used."""

import subprocess
import sys

import pytest

import meanfield as mf
from meanfield import geometry

_RUN = """
import sys
import jax
import meanfield as mf
flow = mf.dynamics.AttentionFlow(mf.geometry.Sphere(3), mf.attention.Softmax(2.0))
mf.simulate, mf.energies.Interaction, mf.observables.clusters
"""


@pytest.mark.parametrize(
    ("code", "unused"),
    [
        (_RUN, "ott matplotlib xarray scipy.optimize scipy.stats meanfield.transport.barycenters"),
        ("import meanfield.studies", "jax equinox meanfield.studies.heat"),
        (
            "from meanfield.studies import PhaseDiagram",
            "ott matplotlib diffrax.x scipy.stats meanfield.games.exact meanfield.latents.models",
        ),
    ],
    ids=["a run", "studies", "one study"],
)
def test_what_is_not_used_is_not_loaded(code, unused):
    told = f"{code}\nimport sys\nprint(*sorted({{*{unused.split()}}} & {{*sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


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
