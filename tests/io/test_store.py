import errno
import json
import math
import os
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from refusals import check_refused

from meanfield.io import Store, StoreError, digest, plain, provenance, strip

IDENTITY = {
    "study": "toy",
    "fields": {"seed": 7, "beta": 4.0},
    "version": "1",
    "precision": "float64",
}
CELL = {"n": 3}


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "out", IDENTITY)


def _part() -> xr.Dataset:
    return xr.Dataset(
        {"x": ("t", np.array([0.1, math.nan])), "ok": ("t", np.array([True, False]))},
        coords={"t": [0, 1], "kind": ("t", ["a", "b"])},
        attrs={"note": "kept"},
    )


def test_plain_values_and_their_hash():
    value = {
        "a": np.float32(0.5),
        "b": (np.int64(1), np.bool_(True)),
        "c": Path("x"),
        "d": math.inf,
    }
    assert plain(value) == {"a": 0.5, "b": [1, True], "c": "x", "d": "inf"}
    assert digest({"a": 4, "b": 1}) == digest({"b": 1.0, "a": 4.0})
    assert digest({"a": 4}) != digest({"a": 4.5})
    assert digest(True) != digest(1)
    check_refused(lambda: plain({"a": object()}), "convert it before")


def test_cells_come_back_as_they_were(store):
    assert CELL not in store
    store.save_cell(CELL, _part())
    assert {"n": np.int64(3)} in store
    assert store.cells() == 1
    back = store.load_cell(CELL)
    xr.testing.assert_identical(strip(back), _part())
    assert back.attrs["provenance_version_numpy"] == np.__version__
    assert back.attrs["seed"] == 7
    assert json.loads(back.attrs["identity"]) == IDENTITY


def test_the_layout_is_what_scripts_rely_on(store, tmp_path):
    store.save_cell(CELL, _part())
    store.save_result(_part())
    store.save_claims([{"name": "a", "measured": math.nan, "passed": False}])
    names = sorted(str(p.relative_to(store.folder)) for p in store.folder.rglob("*.*"))
    cell = f"cells/{digest(CELL)[:24]}.nc"
    assert names == [cell, "claims.json", "result.nc", "study.json"]
    assert json.loads((store.folder / "claims.json").read_text())[0]["measured"] == "nan"
    named = Store.under(tmp_path / "results", IDENTITY)
    assert named.folder.name == f"toy-{digest(IDENTITY)[:12]}"


def test_a_store_is_opened_again_by_anyone(store):
    assert store.load_result() is None
    assert store.load_claims() is None
    store.save_result(_part())
    again = Store.open(store.folder)
    assert again.key == store.key
    xr.testing.assert_equal(again.load_result(), _part())


def test_a_write_that_fails_leaves_the_old_file_and_no_other(store, monkeypatch):
    store.save_result(_part())

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(
            StoreError, match=r"No space left on device.*; make room there or choose"
        ):
            store.save_result(_part() * 2)
    xr.testing.assert_equal(store.load_result(), _part())
    assert sorted(p.name for p in store.folder.iterdir()) == ["result.nc", "study.json"]


def test_what_killed_writers_left_is_removed_once_it_is_old(store):
    fresh, stale = store.folder / ".result.nc.1.tmp", store.folder / ".result.nc.2.tmp"
    for path in (fresh, stale):
        path.write_bytes(b"half")
    os.utime(stale, (time.time() - 7200,) * 2)
    Store.open(store.folder)
    assert fresh.exists()
    assert not stale.exists()


def test_a_folder_of_other_things_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(StoreError, match=r"holds notes.txt and 0 more; choose another folder"):
        Store(tmp_path, IDENTITY)
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(StoreError, match="got the file"):
        Store(tmp_path / "notes.txt", IDENTITY)
    with pytest.raises(StoreError, match="choose another folder or change its permissions"):
        Store(tmp_path / "notes.txt" / "out", IDENTITY)
    with pytest.raises(StoreError, match=r"with study.json, got .*; name what `run` wrote"):
        Store.open(tmp_path)


def test_pictures_stand_beside_a_result_and_make_no_store(store, tmp_path):
    # A store that lost its header is known by its cells, whatever was drawn of it since.
    store.save_cell({"n": 1}, xr.Dataset({"x": 1.0}))
    for name in ("picture.png", "view.html"):
        (store.folder / name).write_bytes(b"drawn")
    (store.folder / "study.json").unlink()
    assert Store(store.folder, store.identity).load_cell({"n": 1}) is not None
    (tmp_path / "album").mkdir()
    (tmp_path / "album" / "holiday.png").write_bytes(b"mine")
    with pytest.raises(StoreError, match=r"holds holiday.png and 0 more; choose another folder"):
        Store(tmp_path / "album", store.identity)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": "2"}, r"version 1 \(now 2\)"),
        ({"precision": "float32"}, r"precision float64 \(now float32\)"),
        ({"fields": {"seed": 8, "beta": 4.0}}, r"seed = 7 \(now 8\)"),
        ({"seeds": 3}, r"seeds None \(now 3\)"),
        ({"more": 1}, "its identity differs"),
    ],
)
def test_a_folder_belongs_to_one_computation(store, change, message):
    with pytest.raises(StoreError, match=message):
        Store(store.folder, IDENTITY | change)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "other"}', '{"format": "meanfield"}'])
def test_a_damaged_header_is_refused(store, text):
    (store.folder / "study.json").write_text(text)
    with pytest.raises(StoreError, match=r"study\.json"):
        Store.open(store.folder)


def test_damaged_and_foreign_files_are_named_with_the_remedy(store, tmp_path):
    store.save_result(_part())
    path = store.folder / "result.nc"
    whole = path.read_bytes()
    for bad in (b"", whole[: len(whole) // 2], b"not netCDF"):
        path.write_bytes(bad)
        with pytest.raises(StoreError, match=r"result.nc .*remove it \(rm '"):
            store.load_result()
    other = Store(tmp_path / "other", IDENTITY | {"version": "2"})
    other.save_result(_part())
    path.write_bytes((other.folder / "result.nc").read_bytes())
    with pytest.raises(StoreError, match="a result of something else"):
        store.load_result()
    (store.folder / "claims.json").write_text("{}")
    with pytest.raises(StoreError, match="not a list of claims"):
        store.load_claims()


def test_provenance_is_complete():
    facts = provenance()
    versions = {name for name in facts if name.startswith("version_")}
    assert {"version_jax", "version_jaxlib", "version_diffrax", "version_ott_jax"} <= versions
    assert facts["precision"] == "float64"
    assert facts["git_dirty"] in ("yes", "no", "unknown")
    assert all(isinstance(value, str) and value for value in facts.values())
