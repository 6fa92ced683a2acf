import dataclasses
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from refusals import check_refused
from toys import Powers

from meanfield import studies
from meanfield.io import StoreError, digest
from meanfield.studies import Claim, Study, repeat

RUN = """
import sys
sys.path.insert(0, sys.argv[1])
from toys import Powers
study = Powers(log=sys.argv[2])
study.run(study.store(sys.argv[3]))
"""


def test_a_claim_passes_within_its_tolerance_and_not_beyond():
    assert Claim.close("x", 1.0, 1.5, 0.5, "s").passed
    assert not Claim.close("x", 1.0, 1.5, 0.25, "s").passed
    assert Claim.at_most("x", 1.0, 1.0, "s").passed
    assert not Claim.at_most("x", 1.25, 1.0, "s").passed
    assert Claim.at_most("x", 1.25, 1.0, "s", tolerance=0.5).passed
    assert Claim.at_least("x", 2.0, 1.0, "s").passed
    assert not Claim.at_least("x", 0.5, 1.0, "s").passed
    assert Claim.holds("x", np.bool_(True), "s").passed
    assert not Claim.holds("x", False, "s").passed


@pytest.mark.parametrize("make", [Claim.at_most, Claim.at_least])
def test_nan_never_passes(make):
    assert not make("x", math.nan, 1.0, "s").passed
    assert not Claim.close("x", math.nan, 1.0, 1e300, "s").passed


def test_a_tolerance_from_samples_is_to_be_small_against_the_effect():
    (claim,) = Claim.telling("x", 1.1, 1.0, 0.4, "s")
    assert claim.passed and claim.tolerance == 0.4 and claim.relation == "=="
    assert not Claim.telling("x", 1.5, 1.0, 0.4, "s")[0].passed
    # Within half of the effect data without any, x = 0, would pass next to those with it.
    assert Claim.telling("x", 1.1, 1.0, 0.5, "s") == []
    assert Claim.telling("x", 0.1, 0.0, 0.2, "s", effect=-1.0)[0].passed
    assert Claim.telling("x", 0.1, 0.0, 0.2, "s") == []


@pytest.mark.parametrize("numbers", [(math.nan, 1.0, 0.1), (1.0, 1.0, math.nan)])
def test_a_nan_among_samples_is_a_claim_that_fails(numbers):
    (claim,) = Claim.telling("x", *numbers, "s")
    assert not claim.passed
    assert not Claim.holds("x", math.nan, "s").passed


def test_a_claim_without_a_tolerance_or_a_source_is_refused():
    check_refused(lambda: Claim.close("x", 1.0, 1.0, math.inf, "s"), "finite tolerance")
    check_refused(lambda: Claim.close("x", 1.0, math.nan, 1.0, "s"), "finite tolerance")
    check_refused(lambda: Claim.close("x", 1.0, 1.0, 0.0, ""), "source")
    with pytest.raises(TypeError):
        Claim("x", 1.0, 1.0, 0.0, "s", passed=True)  # pyright: ignore[reportCallIssue]


def test_cells_become_dimensions_and_the_claims_hold():
    study = Powers()
    result = study.run()
    assert result.power.dims == ("base", "exponent")
    np.testing.assert_array_equal(result.power, [[2, 4, 8], [3, 9, 27]])
    assert result.noise.dims == ("base", "exponent", "draw")
    assert isinstance(result.noise.data, np.ndarray)  # jax arrays are brought home
    assert all(claim.passed for claim in study.claims(result))
    assert study.tiny().run().power.dims == ("base", "exponent")


def test_a_result_knows_where_it_comes_from():
    attributes = Powers(seed=3).run().attrs
    assert attributes["study"] == "powers"
    assert attributes["seed"] == 3
    assert '"offset": 0.0' in attributes["identity"]
    for name in ("version_jax", "git_commit", "git_dirty", "device", "precision", "utc"):
        assert attributes[f"provenance_{name}"]


def test_random_keys_depend_on_the_seed_and_the_cell_and_not_on_the_order():
    few, many = Powers(bases=(3.0,)).run(), Powers().run()
    np.testing.assert_array_equal(few.noise.sel(base=3.0), many.noise.sel(base=3.0))
    other = Powers(seed=1, bases=(3.0,)).run()
    assert (few.noise != other.noise).all()
    assert len(np.unique(many.noise)) == many.noise.size


def _key(**fields) -> str:
    return digest(Powers(**fields).identity())


def test_equal_fields_are_one_computation():
    assert _key(bases=(2, 3)) == _key()  # 2 == 2.0
    assert _key(seed=1) != _key()
    assert _key(bases=(np.float64(2), np.float64(3))) == _key()


def test_what_is_stored_is_read_and_not_computed(tmp_path):
    study = Powers(log=str(tmp_path / "log"))
    first = study.run(study.store(tmp_path / "out"))
    (tmp_path / "out/result.nc").rename(tmp_path / "once.nc")
    from_cells = study.run(study.store(tmp_path / "out"))
    from_result = study.run(study.store(tmp_path / "out"))
    xr.testing.assert_equal(first, from_cells)
    xr.testing.assert_equal(first, from_result)
    assert first.attrs.keys() == from_result.attrs.keys()
    assert len((tmp_path / "log").read_text().split()) == 6


def test_a_killed_run_resumes_with_nothing_lost_and_nothing_computed_twice(tmp_path):
    log, out = tmp_path / "log", tmp_path / "out"
    script = [sys.executable, "-c", RUN, str(Path(__file__).parents[1]), str(log), str(out)]
    killed = subprocess.run(script, env=os.environ | {"TOY_DIES_AT": "4"}, check=False)
    assert killed.returncode == -9
    kept = log.read_text().split()[:-1]  # the last one died before it was stored
    assert len(list((out / "cells").glob("*.nc"))) == len(kept) == 3
    log.write_text("")
    study = Powers(log=str(log))
    resumed = study.run(study.store(out))
    again = log.read_text().split()
    assert not set(again) & set(kept)
    assert len(again) + len(kept) == 6
    xr.testing.assert_equal(resumed, dataclasses.replace(study, log="").run())


def test_the_store_of_another_study_is_refused(tmp_path):
    with pytest.raises(ValueError, match="store of this study"):
        Powers().run(Powers(seed=1).store(tmp_path / "out"))
    with pytest.raises(StoreError, match=r"seed = 1 \(now 0\); choose another folder"):
        Powers().store(tmp_path / "out")


def test_seeds_stand_along_a_dimension_and_each_makes_its_claims(tmp_path):
    study = repeat(Powers(seed=5), 2)
    result = study.run(study.store(tmp_path / "out"))
    assert result.seed.values.tolist() == [5, 6]
    xr.testing.assert_equal(result.noise.sel(seed=6, drop=True), Powers(seed=6).run().noise)
    names = [claim.name for claim in study.claims(result)]
    assert names == ["seed 5: 2^2", "seed 5: 2^2 at most", "seed 6: 2^2", "seed 6: 2^2 at most"]
    assert study.store(root=tmp_path).folder.name.startswith("powers-")
    assert repeat(Powers(), 1) == Powers()
    check_refused(lambda: repeat(Powers(), 0), "at least one seed")


def test_repeated_or_missing_cells_are_refused():
    check_refused(Powers(exponents=(2, 2)).run, "distinct cells")
    check_refused(lambda: Powers(bases=()), "bases to have 1 or more values, got 0")


def test_studies_are_found_by_their_public_names(monkeypatch):
    assert "powers" not in studies.available()
    monkeypatch.setattr(studies, "Powers", Powers, raising=False)
    found = studies.available()
    assert found["powers"] is Powers
    assert all(issubclass(study, Study) and study.name() == name for name, study in found.items())


@pytest.mark.parametrize(
    ("name", "snake"),
    [("RenyiCentres", "renyi_centres"), ("JKOFlow", "jko_flow"), ("Phase2D", "phase2_d")],
)
def test_names_are_in_snake_case(name, snake):
    assert type(name, (Powers,), {}).name() == snake
