"""Results of other code are named, and computed again unless they are asked to be kept."""

import json
import subprocess

import pytest
import xarray as xr
from refusals import check_refused
from toys import Powers

from meanfield import studies
from meanfield.commands import main
from meanfield.io import _provenance, digest, identity_of, work_key
from meanfield.studies.machinery import _study


@pytest.fixture
def edit(monkeypatch):
    """Call it as if the toy study's code had been edited, or numpy replaced."""
    monkeypatch.setattr(studies, "Powers", Powers, raising=False)

    def edit(code: str = "edited", offset: float = 1.0) -> None:
        compute = Powers.compute
        monkeypatch.setattr(_study, "code_digest", lambda kind: code)
        monkeypatch.setattr(Powers, "compute", lambda self, cell: compute(self, cell) + offset)

    return edit


def _run(tmp_path, *flags) -> int:
    return main(["run", "powers", "--tiny", "--out", str(tmp_path / "out"), "--no-picture", *flags])


def _powers(tmp_path) -> list[float]:
    result = xr.load_dataset(tmp_path / "out/result.nc", engine="h5netcdf")
    return result.power.values.ravel().tolist()


def test_what_makes_other_numbers_is_part_of_the_identity(monkeypatch):
    identity = Powers().identity()
    assert {"python", "jax", "jaxlib", "numpy", "scipy", "diffrax", "ott-jax"} <= set(
        identity["software"]
    )
    assert len(identity["code"]) == 16
    monkeypatch.setattr(_provenance, "version", lambda package: "9")
    other = Powers().identity()
    assert digest(other) != digest(identity)
    assert work_key(other) == work_key(identity)  # the folder stays the same


def test_after_an_edit_all_is_named_and_computed_again(tmp_path, capsys, edit):
    _run(tmp_path)
    assert _powers(tmp_path) == [2, 4, 8]
    edit()
    capsys.readouterr()
    assert _run(tmp_path) == 1  # the claims of the edited code fail
    said = capsys.readouterr()
    assert "are of other code, code " in said.err
    assert "(now edited): computed again; --keep would use them" in said.err
    assert "reused" not in said.out
    assert _powers(tmp_path) == [3, 5, 9]
    assert _run(tmp_path) == 1
    said = capsys.readouterr()
    assert said.err == ""
    assert "reused 3 stored cells" in said.out


def test_cells_of_an_edited_study_do_not_mix_with_old_ones(tmp_path, edit):
    """The run was killed after its cells, before its result."""
    _run(tmp_path)
    (tmp_path / "out/result.nc").unlink()
    edit()
    _run(tmp_path)
    assert _powers(tmp_path) == [3, 5, 9]


def test_what_is_kept_is_named_and_never_taken_for_new(tmp_path, capsys, edit):
    _run(tmp_path)
    old = identity_of(xr.load_dataset(tmp_path / "out/result.nc", engine="h5netcdf"))["code"]
    edit()
    assert _run(tmp_path, "--keep") == 0
    assert "kept, as --keep asks" in capsys.readouterr().err
    assert _powers(tmp_path) == [2, 4, 8]
    (tmp_path / "out/result.nc").unlink()
    sorted((tmp_path / "out/cells").iterdir())[0].unlink()
    _run(tmp_path, "--keep")  # two cells of the old code, one of the new
    assert len({*_powers(tmp_path)} & {3, 5, 9}) == 1
    result = xr.load_dataset(tmp_path / "out/result.nc", engine="h5netcdf")
    assert set(identity_of(result)["code"].split(" and ")) == {old, "edited"}
    assert result.attrs["cells_computed_with"].count("numpy") == 2
    _run(tmp_path)  # without --keep the mixture is not taken
    assert _powers(tmp_path) == [3, 5, 9]


def test_other_versions_are_other_code(tmp_path, capsys, monkeypatch, edit):
    edit("same", 0.0)
    _run(tmp_path)
    version = _provenance.version
    monkeypatch.setattr(_provenance, "version", lambda p: "0.1" if p == "jax" else version(p))
    capsys.readouterr()
    _run(tmp_path)
    assert "other code, jax " in (said := capsys.readouterr()).err
    assert "(now 0.1): computed again" in said.err


def test_fresh_computes_all_again(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(studies, "Powers", Powers, raising=False)
    log = tmp_path / "log"
    for flags, computed in [((), 3), ((), 3), (("--fresh",), 6)]:
        assert _run(tmp_path, "--log", str(log), *flags) == 0
        assert len(log.read_text().split()) == computed
    capsys.readouterr()
    for other in ("--keep", "--distributed"):
        with monkeypatch.context() as patch:
            patch.setattr("meanfield.commands._run.prepare", lambda *_: None)
            patch.setattr("jax.distributed.shutdown", lambda: None)
            assert _run(tmp_path, "--log", str(log), "--fresh", other) == 2
        assert "expected --fresh without --keep or --distributed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (("powers", "--seeds", "1000000000"), "pass at most 16666 seeds"),
        (("powers", "--seed", "4294967296"), "expected 0 <= seed < 2**32, got a huge integer"),
        (("powers", "--seed", "-1"), "expected 0 <= seed < 2**32, got -1; pass seed=0"),
        (("powers", "--seed", "4294967295", "--seeds", "2"), "expected 0 <= seed < 2**32"),
        (
            ("powers", "--offset", "nan"),
            "expected a finite number >= 0 for offset, got nan; pass offset=0.0",
        ),
        (("powers", "--bases", "2", "inf"), "expected a finite number > 0 for bases, got inf"),
        (("staircase", "--lr", "nan"), "expected a finite number > 0 for lr"),
        (("powers", "--bases", "2", "2"), "distinct cells"),
    ],
)
def test_a_run_that_cannot_begin_claims_no_folder(tmp_path, monkeypatch, capsys, arguments, remedy):
    monkeypatch.setattr(studies, "Powers", Powers, raising=False)
    out = tmp_path / "out"
    assert main(["run", *arguments, "--out", str(out)]) == 2
    assert remedy in capsys.readouterr().err
    assert not out.exists()


def test_a_run_that_fails_at_once_gives_the_folder_back(tmp_path, monkeypatch):
    """What only the first cell finds out; a folder that was there stays, empty."""
    out = tmp_path / "out"
    out.mkdir()

    def compute(self, cell):
        assert (out / "study.json").exists()
        raise ValueError("expected another base")

    study = Powers()
    store = study.store(out)
    with monkeypatch.context() as patch:
        patch.setattr(Powers, "compute", compute)
        check_refused(lambda: study.run(store), "another base")
    assert [*out.iterdir()] == []
    study.run(store)  # the store claims it again
    assert json.loads((out / "study.json").read_text())["key"] == store.key


def test_the_remedies_of_damaged_files_work_from_the_shell(tmp_path, monkeypatch, capsys):
    """Each remedy is followed to the letter: the command is run that the message names."""
    monkeypatch.setattr(studies, "Powers", Powers, raising=False)
    assert _run(tmp_path) == 0
    out = tmp_path / "out"
    for name in ("study.json", "result.nc", "claims.json", next((out / "cells").iterdir())):
        path = out / name
        if path.parent.name == "cells":
            (out / "result.nc").unlink()
        path.write_bytes(path.read_bytes()[:40])
        capsys.readouterr()
        command = main(["show", str(out)]) if path.parent == out else _run(tmp_path)
        assert command == 2
        said = capsys.readouterr().err
        subprocess.run(said.partition("remove it (")[2].partition(")")[0], shell=True, check=True)
        assert not path.exists()
        if name == "study.json":
            assert main(["show", str(out)]) == 0
        assert _run(tmp_path) == 0
        assert main(["show", str(out)]) == 0
