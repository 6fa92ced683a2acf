import json
import re
import subprocess
import sys
from pathlib import Path

import jax
import pytest
import xarray as xr
from toys import Powers

from meanfield import studies
from meanfield.commands import _arguments, _machine, _run, main
from meanfield.commands._list import studies_of_the_sources
from meanfield.commands._printing import first_line


@pytest.fixture(autouse=True)
def settings_restored():
    names = (
        "jax_compilation_cache_dir",
        "jax_persistent_cache_min_compile_time_secs",
        "jax_enable_x64",
    )
    before = {name: jax.config.values[name] for name in names}
    yield
    for name, value in before.items():
        jax.config.update(name, value)


@pytest.fixture(autouse=True)
def toy(monkeypatch):
    monkeypatch.setattr(studies, "Powers", Powers, raising=False)
    monkeypatch.setattr(_run, "_draw", lambda *_: None)


def _complaint(capsys, *arguments) -> str:
    """The one line on the standard error of a command that is refused."""
    assert main([str(argument) for argument in arguments]) == 2
    said = capsys.readouterr().err
    assert said.startswith("meanfield: ")
    assert said.count("\n") == 1
    return said


def test_help_and_version(capsys):
    assert main(["--help"]) == 0
    assert "meanfield run STUDY" in capsys.readouterr().out
    assert main([]) == 2
    capsys.readouterr()
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("meanfield ")


def test_list_names_the_studies(capsys):
    assert main(["list"]) == 0
    listed = capsys.readouterr().out
    assert "staircase" in listed and first_line(studies.Staircase) in listed


def test_the_figures_are_called_as_the_user_called_them(capsys):
    assert main(["figures", "--help"]) == 0
    assert "usage: meanfield figures" in capsys.readouterr().out


def test_the_help_of_a_study_documents_its_fields(capsys):
    assert main(["run", "powers", "--help"]) == 0
    shown = capsys.readouterr().out
    for text in (
        "--bases",
        "Numbers to raise.",
        "--seed ",
        "--tiny",
        "--out",
        "--seeds",
        "--float32",
    ):
        assert text in shown


def test_run_and_show(capsys, tmp_path):
    out = tmp_path / "out"
    assert main(["run", "powers", "--bases", "2", "--exponents", "2", "3", "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "arithmetic" in shown
    claims = json.loads((out / "claims.json").read_text())
    names = {"name", "measured", "expected", "tolerance", "source", "passed"}
    assert all(names <= claim.keys() for claim in claims)
    assert [claim["relation"] for claim in claims] == ["==", "<="]
    assert all(claim["passed"] for claim in claims)
    assert xr.load_dataset(out / "result.nc", engine="h5netcdf").power.values.tolist() == [[4, 8]]
    assert main(["show", str(out)]) == 0
    shown = capsys.readouterr().out
    for text in ("powers", "version_jax", "float64 (base: 1, exponent: 2)", "2^2 at most"):
        assert text in shown
    assert main(["run", "powers", "--bases", "2", "--exponents", "2", "3", "--out", str(out)]) == 0
    assert "reused 2 stored cells" in capsys.readouterr().out


def test_a_claim_that_fails_is_the_exit_status(capsys, tmp_path):
    assert main(["run", "powers", "--offset", "1", "--tiny", "--out", str(tmp_path / "out")]) == 1
    assert "NO" in capsys.readouterr().out


def test_a_panel_of_ascii_is_one_sentence_too():
    panel = " Value error\n -----\n  Error parsing --n: wrong.\n  -----\n  More\n"
    said = _arguments._sentence(panel, "meanfield")
    assert said == "Error parsing --n: wrong; see meanfield --help"


def test_what_was_left_out_is_asked_for_in_words(capsys):
    for command in ("export", "show", "plot", "view"):
        assert main([command]) == 2
        said = "meanfield: expected DIR, folder that `meanfield run` wrote, got none; see meanfield"
        assert capsys.readouterr().err == f"{said} {command} --help\n"
    assert main(["record"]) == 2
    said = capsys.readouterr().err
    assert (
        "expected --weights PATH, a .gguf file" in said
        and ", and --text FILE ..., files of" in said
    )


def test_fields_that_are_set_stay_so_in_a_tiny_study(tmp_path):
    out = tmp_path / "out"
    assert main(["run", "powers", "--bases", "2", "5", "--tiny", "--out", str(out)]) == 0
    with xr.open_dataset(out / "result.nc", engine="h5netcdf") as result:
        assert result.base.values.tolist() == [2, 5]
        # and the folder is what the site says of it
        told = Path(__file__).parents[2].joinpath(".docs", "files.md").read_text(encoding="utf-8")
        assert [
            name for name in re.findall(r'result\.attrs\["(\w+)"\]', told) if name in result.attrs
        ]
    names = {*re.findall(r"^\| `([\w/*.]+\.\w+)` \|", told, re.M)} - {
        "picture.png"
    }  # none is drawn here
    assert len(names) > 3 and [name for name in names if not [*out.glob(name)]] == []


def test_seeds_and_the_folder_by_default(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["run", "powers", "--tiny", "--seeds", "2", "--seed", "3"]) == 0
    (folder,) = (tmp_path / "results").iterdir()
    assert folder.name.startswith("powers-")
    assert "seed 4: 2^2" in (folder / "claims.json").read_text()


def test_bad_input_is_one_sentence(capsys, tmp_path):
    assert "perhaps you meant powers" in _complaint(capsys, "run", "power")
    assert "see meanfield list" in _complaint(capsys, "run", "zzz")
    assert "perhaps you meant doctor" in _complaint(capsys, "docter")
    assert "--offset" in _complaint(capsys, "run", "powers", "--offsett", "3")
    assert "--offset" in _complaint(capsys, "run", "powers", "--offset", "three")
    assert "stray" in _complaint(capsys, "run", "powers", "stray")
    assert "at least one seed" in _complaint(capsys, "run", "powers", "--seeds", 0)
    assert "distinct cells" in _complaint(
        capsys, "run", "powers", "--bases", "2", "2", "--out", tmp_path / "out"
    )
    assert "meanfield show --help" in _complaint(capsys, "show")


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (("normalization", "--normalizations", "Pre", "Foo"), "'Mix'], got 'Foo'; choose from"),
        (("growth_rates", "--attentions", "foo"), "'noisy USA'], got 'foo'"),
        (("depth", "--normalizations", "nGPT"), "among ['Post', 'Pre', 'Peri']"),
        (("published_clusters", "--beta", 5, 6), "among [5.0, 7.0], got 6.0"),
        (("clustering", "--realizations", 0), "pass realizations=2"),
        (("mean_field_limit", "--sizes", 32, 64, -1), "pass sizes=1"),
        (("phase_transition", "--n", -1), "pass n=0"),
        (("staircase", "--lr", 0), "pass lr=1e-05"),
    ],
)
def test_fields_that_a_study_cannot_have_are_one_sentence(capsys, tmp_path, arguments, remedy):
    assert remedy in _complaint(capsys, "run", *arguments, "--out", tmp_path / "out")


def test_what_nobody_thought_of_is_one_sentence_too(capsys, tmp_path, monkeypatch):
    def compute(self, cell):
        raise KeyError("Foo")

    monkeypatch.setattr(Powers, "compute", compute)
    arguments = ["run", "powers", "--tiny", "--out", str(tmp_path / "out")]
    assert "KeyError: 'Foo' (--traceback shows where)" in _complaint(capsys, *arguments)
    with pytest.raises(KeyError):
        main([*arguments, "--traceback"])


def test_folders_that_cannot_be_used_are_one_sentence(capsys, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    assert "notes.txt" in _complaint(capsys, "run", "powers", "--out", tmp_path)
    assert "Not a directory" in _complaint(
        capsys, "run", "powers", "--out", tmp_path / "notes.txt" / "out"
    )
    # A kernel's own folder, in which not even root may write.
    refused = _complaint(capsys, "run", "powers", "--out", "/proc/meanfield")
    assert "/proc/meanfield" in refused and "choose another" in refused
    assert "study.json" in _complaint(capsys, "show", tmp_path)
    out = tmp_path / "out"
    assert main(["run", "powers", "--tiny", "--out", str(out)]) == 0
    capsys.readouterr()
    assert "seed = 0 (now 1)" in _complaint(
        capsys, "run", "powers", "--tiny", "--seed", 1, "--out", out
    )
    (out / "result.nc").write_bytes((out / "result.nc").read_bytes()[:100])
    assert "remove it (rm" in _complaint(capsys, "run", "powers", "--tiny", "--out", out)
    assert "remove it (rm" in _complaint(capsys, "show", out)


def test_the_place_of_an_error_is_shown_on_demand(tmp_path):
    with pytest.raises(ValueError, match="distinct cells"):
        main(["run", "powers", "--bases", "2", "2", "--traceback", "--out", str(tmp_path / "out")])


def test_an_interrupted_run_says_what_is_kept_and_is_shown(capsys, tmp_path, monkeypatch):
    compute = Powers.compute

    def interrupted(self, cell):
        if cell["exponent"] == 3:
            raise KeyboardInterrupt
        return compute(self, cell)

    monkeypatch.setattr(Powers, "compute", interrupted)
    assert main(["run", "powers", "--tiny", "--out", str(tmp_path / "out")]) == 130
    assert "finished cells are kept" in capsys.readouterr().err
    assert main(["show", str(tmp_path / "out")]) == 0
    assert "not finished: 2 cells" in capsys.readouterr().out


def test_progress_counts_cells_and_time(capsys):
    study = Powers().tiny()
    study.run(progress=True)
    count = len(study.cells())
    said = capsys.readouterr().err
    assert f"{count}/{count} cells" in said
    assert "0:00:0" in said


def test_a_flag_is_known_by_the_name_that_it_has_in_other_studies():
    kind, arguments = _run._renamed, ["--beta", "4", "--n=8", "--beta-min", "1", "--out", "beta"]
    fields = {"betas", "n"}
    renamed = ["--betas", "4", "--n=8", "--beta-min", "1", "--out", "beta"]
    assert kind(arguments, fields) == renamed
    assert kind(["--betas=4"], {"beta"}) == ["--beta=4"]
    assert kind(["--beta", "4"], {"beta", "betas"}) == ["--beta", "4"]
    assert kind(["--noises", "4"], {"beta"}) == ["--noises", "4"]


def test_doctor_reports_and_refuses_a_jax_that_is_wrong(capsys, monkeypatch):
    assert main(["doctor"]) == 0
    shown = capsys.readouterr().out
    for text in ("jaxlib", "float64", "compile_cache", "memory", "jit_equals_eager", "cpu"):
        assert text in shown
    monkeypatch.setattr(_machine, "WRONG_JAX", (jax.__version__,))
    assert main(["doctor"]) == 1
    assert "do not trust" in capsys.readouterr().out
    assert "jax issue 39103" in _complaint(capsys, "run", "powers", "--tiny")


def test_the_cache_is_where_the_user_keeps_caches_or_nowhere(tmp_path, monkeypatch):
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert _machine.cache_folder() == tmp_path / "meanfield" / "jax"
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert _machine.cache_folder() is None
    _machine.prepare()


def test_float32_is_a_flag():
    _machine.prepare(float32=True)
    assert Powers().identity()["precision"] == "float32"


def test_the_list_needs_no_import_of_what_it_lists():
    # Studies of tests stand in no source of the room.
    known = {
        name: first_line(study)
        for name, study in studies.available().items()
        if study.__module__.startswith("meanfield.")
    }
    assert studies_of_the_sources() == known
    code = "import sys, meanfield.commands as c; c.main(['list']); sys.exit('jax' in sys.modules)"
    program = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(program, capture_output=True, text=True)
    assert done.returncode == 0 and "staircase" in done.stdout
    assert "powers" not in done.stdout and not done.stderr  # a toy of the tests
