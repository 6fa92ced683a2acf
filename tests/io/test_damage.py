"""What disks, people and other processes do to the files of a store."""

import contextlib
import errno
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from refusals import check_refused

from meanfield.io import Store, StoreError, plain, strip, write_bytes

IDENTITY = {"study": "toy", "fields": {"seed": 7, "beta": 4.0}, "precision": "float64"}
CELL, OTHER = {"n": 3}, {"n": 4}


def _part(x: float = 0.1) -> xr.Dataset:
    return xr.Dataset({"x": ("t", np.linspace(0.0, x, 50))}, attrs={"note": "kept"})


@pytest.fixture
def store(tmp_path) -> Store:
    store = Store(tmp_path / "out", IDENTITY)
    store.save_cell(CELL, _part())
    store.save_cell(OTHER, _part(0.2))
    store.save_result(_part(0.3))
    store.save_claims([{"name": "a", "measured": 1.25, "tolerance": 0.5, "passed": True}])
    return store


def _loads(store: Store) -> list:
    """All that a store yields, as plain values."""
    opened = Store.open(store.folder)
    found = [opened.load_cell(CELL), opened.load_cell(OTHER), opened.load_result()]
    return [*(plain(data.x.values) for data in found), opened.load_claims(), opened.identity]


def test_no_bit_flips_unseen(store):
    """Each of 100 random flips, in any file, is refused, or loads what was written: as in the header's
    record of when it was written, which no number hangs on."""
    right = _loads(store)
    rng = random.Random(0)
    files = sorted(p for p in store.folder.rglob("*") if p.is_file())
    refused = 0
    for path in files * 20:
        whole = path.read_bytes()
        bit = rng.randrange(8 * len(whole))
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        try:
            assert _loads(store) == right
            assert path.name == "study.json"
        except StoreError as error:
            assert "remove it (rm '" in str(error) or "written by something else" in str(error)
            refused += 1
        path.write_bytes(whole)
    assert refused >= 80  # every flip outside of the header


@pytest.mark.parametrize("cut", [0, 1, 100, -100, -1])
def test_no_part_of_a_file_passes_for_all_of_it(store, cut):
    path = store.folder / "result.nc"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(StoreError, match=r"truncated, damaged.*remove it \(rm '"):
        store.load_result()


def test_a_file_in_the_place_of_another_is_refused(store, tmp_path):
    """Cells, results and stores are not exchanged, though each file is whole."""
    one, two = (store._cell_path(cell) for cell in (CELL, OTHER))
    result = store.folder / "result.nc"
    other = Store(tmp_path / "other", IDENTITY | {"precision": "float32"})
    other.save_cell(CELL, _part())
    for source, target in [
        (one, two),
        (one, result),
        (result, one),
        (other._cell_path(CELL), one),
    ]:
        before = target.read_bytes()
        target.write_bytes(source.read_bytes())
        with pytest.raises(StoreError, match="a result of something else"):
            _loads(store)
        target.write_bytes(before)
    assert _loads(store)


def test_a_claim_that_was_edited_is_refused(store):
    path = store.folder / "claims.json"
    path.write_text(path.read_text().replace("1.25", "1.0"))
    with pytest.raises(StoreError, match=r"claims.json \(damaged or edited\); remove it"):
        store.load_claims()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b'{"format": "meanfield"}',
        b'{"format": "meanfield", "key": NaN}',
        b'{"format": "meanfield", "identity": [1], "key": 1e999}',
        b'{"format": "\xff"}',
        b"[" * 100_000,
        b"1" * 5000,
    ],
)
def test_the_remedy_of_a_damaged_header_works(store, text):
    header = store.folder / "study.json"
    right = _loads(store)
    header.write_bytes(text)
    for use in (Store.open, lambda folder: Store(folder, IDENTITY)):
        with pytest.raises(StoreError, match=r"study.json.*; (remove it \(rm '|choose another)"):
            use(store.folder)
    header.unlink()
    assert _loads(store) == right  # the other files tell whose they are
    with pytest.raises(StoreError, match=r"precision float64 \(now float32\)"):
        Store(store.folder, IDENTITY | {"precision": "float32"})
    assert Store(store.folder, IDENTITY).load_cell(CELL) is not None
    assert header.exists()


def test_netcdf_files_of_others_are_not_taken_for_cells(tmp_path):
    cells = tmp_path / "out" / "cells"
    cells.mkdir(parents=True)
    _part().to_netcdf(cells / "mine.nc", engine="h5netcdf")
    with pytest.raises(StoreError, match=r"which holds cells and 0 more; choose another folder"):
        Store(tmp_path / "out", IDENTITY)
    (cells / "notes.txt").write_text("mine")
    with pytest.raises(StoreError, match=r"holds cells/notes.txt"):
        Store(tmp_path / "out", IDENTITY)


FULL = """
import resource, sys
import numpy as np, xarray as xr
from meanfield.io import Store, StoreError
store = Store(sys.argv[1], {"study": "toy"})
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
for _ in range(2):
    try:
        store.save_cell({"n": 1}, xr.Dataset({"x": ("t", np.arange(1e5))}))
    except StoreError as error:
        print(error)
store.save_cell({"n": 2}, xr.Dataset({"x": ("t", np.arange(10.0))}))
"""


def test_a_full_disk_is_one_sentence_and_the_interpreter_lives(tmp_path):
    """A file may not grow beyond 100 kB: as on a full disk, a write stops in the middle of it."""
    pytest.importorskip("resource", reason="Windows has no such limit")
    out = tmp_path / "out"
    script = [sys.executable, "-c", FULL, str(out)]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    said = done.stdout.splitlines()
    assert len(said) == 2
    assert all("File too large); make room there or choose another folder." in s for s in said)
    assert len([p for p in out.rglob("*") if p.is_file()]) == 2  # the header and the second cell


@contextlib.contextmanager
def _nobody():
    """As a user who owns nothing, where we are root, whom permissions do not bind."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.skipif(os.name == "nt", reason="folders have no such permission")
def test_a_read_only_folder_with_an_old_temporary_is_shown(store):
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        folder = Path(place) / "out"
        store.folder.rename(folder)
        stale = folder / ".result.nc.1.tmp"
        stale.write_bytes(b"half")
        os.utime(stale, (time.time() - 7200,) * 2)
        Path(place).chmod(0o755)
        folder.chmod(0o555)
        with _nobody():
            opened = Store.open(folder)
            assert opened.load_result() is not None
            again = Store(folder, IDENTITY)  # the same run again finds all it needs
            again.save_claims(again.load_claims())
            with pytest.raises(StoreError, match=r"Permission denied.*change its permissions"):
                again.save_claims([])
        assert stale.exists()
        folder.chmod(0o755)


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_links_to_folders_are_followed_and_links_to_nothing_refused(store, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(store.folder)
    assert strip(Store(link, IDENTITY).load_result()).identical(_part(0.3))
    for name, target in [("lost", "nowhere"), ("round", "round")]:
        (tmp_path / name).symlink_to(tmp_path / target)
        with pytest.raises(StoreError, match="expected a folder"):
            Store(tmp_path / name, IDENTITY)
        with pytest.raises(StoreError, match="expected a folder"):
            Store.open(tmp_path / name)


def test_names_and_numbers_of_any_size(tmp_path):
    with pytest.raises(StoreError, match=r"name too long|cannot find"):
        Store(tmp_path / ("a" * 300), IDENTITY)
    with pytest.raises(StoreError, match=r"name too long|cannot find"):
        Store.open(tmp_path / ("a" * 300))
    write_bytes(tmp_path / ("b" * 250), b"long")  # its temporary must not be longer
    huge = {
        "study": "toy",
        "fields": {"seed": 10**30, "x": [1e308, -0.0, 5e-324, np.longdouble(2)]},
    }
    store = Store(tmp_path / "huge", huge)
    store.save_result(_part())
    assert Store.open(store.folder).load_result().attrs["seed"] == str(10**30)
    check_refused(lambda: plain({1: "a", "1": "b"}), "differ as strings")


@pytest.mark.parametrize("failure", [OSError(errno.EPERM, "no links here"), AttributeError()])
def test_a_file_system_without_links_is_claimed_too(tmp_path, monkeypatch, failure):
    def link(*_):
        raise failure

    monkeypatch.setattr(os, "link", link)
    Store(tmp_path / "out", IDENTITY)
    assert json.loads((tmp_path / "out/study.json").read_text())["identity"] == IDENTITY
    with pytest.raises(StoreError, match="holds another"):
        Store(tmp_path / "out", IDENTITY | {"precision": "float32"})
    assert len([*(tmp_path / "out").iterdir()]) == 1
