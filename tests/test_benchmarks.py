"""The benchmarks' command, its table, and the README's copy of it."""

import json
from pathlib import Path

import numpy as np
import pytest
from refusals import check_refused

from benchmarks import _front, _measure, _report, _tables, _targets
from benchmarks.__main__ import main
from benchmarks._contest import Contest, Missing, need
from benchmarks._measure import measure

ROOT = Path(__file__).parents[1]


def test_the_command_times_and_keeps_what_it_has(tmp_path, capsys):
    file = tmp_path / "out.json"
    assert main(["overhead", "--tiny", "--json", str(file)]) == 0
    results = json.loads(file.read_text())
    simulate, rollout = results["cases"]["overhead"]["rows"]
    for row in (simulate, rollout):
        ours, bare = row["contenders"].values()
        assert 0 < ours["low"] <= ours["median"] <= ours["high"]
        assert bare["ratio"]["median"] > 0
        assert ours["error"] < 2e-6  # ten steps, each rounded in float32 by 1e-7 or so
    assert results["machine"]["device"] and results["cases"]["overhead"]["provenance"]["git_commit"]
    capsys.readouterr()
    assert main(["overhead", "--tiny", "--json", str(file)]) == 0
    assert "kept" in capsys.readouterr().out
    for readme in (tmp_path / "README.md", tmp_path / "benchmarks" / "README.md"):
        readme.parent.mkdir(exist_ok=True)
        readme.write_text(f"before\n{_report.BEGIN}\nold\n{_report.END}\nafter\n")
    assert main(["--json", str(file), "--tables", str(tmp_path)]) == 0
    for readme, shown in _shown(tmp_path, results):
        text = readme.read_text()
        assert shown in text and "old" not in text
        assert text.startswith("before") and text.endswith("after\n")


def test_the_readmes_show_the_committed_results():
    results = json.loads((ROOT / "benchmarks" / "results.json").read_text())
    for readme, shown in _shown(ROOT, results):
        assert f"{_report.BEGIN}\n{shown}\n{_report.END}" in readme.read_text(), readme


def _shown(folder, results):
    yield folder / "README.md", _front.brief(results)
    yield folder / "benchmarks" / "README.md", _tables.table(results)


def _results(*rows):
    """Results as the command writes them, of contests that were not run."""
    on = {"processor": "a chip", "cores": "2", "device": "1 x cpu (cpu)", "jax": "0.10.1"}
    origin = {"git_commit": "0123456789", "git_dirty": "no"}
    return {"machine": on, "cases": {"some": {"rows": rows, "provenance": origin}}}


def _timed(name, seconds, **more):
    ratio = {"median": 3.5, "low": 3.2, "high": 3.6, "rounds": 5}
    return {
        "contest": name,
        "contenders": {"ours": {"median": seconds}, "peer": {"median": 1.0, "ratio": ratio}},
        "skipped": {},
    } | more


def test_tables_say_what_was_asked_for_and_what_is_missed():
    bound = {"share_exponentials": 0.59, "share_flops": 0.2}
    limits = {"seconds": [None, 2.0], "share_exponentials": [0.5, None]}
    told = {"headline": "a sum", "targets": {"peer": 5.0}}
    row = _timed("a sum", 0.3, limits=limits, bound=bound, fraction=0.1, **told)
    plain = _timed("no target", 0.2)
    results = _results(row, plain)
    whole, short = _tables.table(results), _front.brief(results)
    assert "3.5 (3.2 to 3.6; target 5)" in whole
    assert "exp 59%, products 20%" in whole and "0.3 s, so 3 s for all" in whole
    assert "no target" in whole and "no target" not in short
    assert "1 of 3 targets are met. Missed: " in whole and "1 of 3 targets are met." in short
    assert "a sum: 3.5 times faster than peer (target 5; 30% short)" in whole
    assert "a sum: 3 s (target 2 s; 50% over)" in whole
    assert "by `make bench` on a chip, 2 cores, jax 0.10.1, at commit 0123456." in short
    dirty = {"git_commit": "fedcba9876", "git_dirty": "yes"}
    stale = _results(row, plain | {"checkout": dirty})
    assert "at commits 0123456, fedcba9+." in _front.brief(stale)
    other = results["machine"] | {"processor": "another"}
    stale["cases"]["new"] = {**results["cases"]["some"], "stamp": {"on": other}}
    said = "on a chip, 2 cores, jax 0.10.1, at commits 0123456, fedcba9+; on another, 2 cores"
    assert said in _front.brief(stale)


def test_the_least_ratios_to_what_others_wrote_are_told():
    ratios = {"NumPy": 0.5, "NumPy, faster": 0.25, "another of ours": 0.1}
    contenders = {
        name: {"median": 1.0, "ratio": {"median": ratio, "low": ratio, "high": ratio, "rounds": 3}}
        for name, ratio in ratios.items()
    }
    lost = _timed("a loss", 1.0) | {"contenders": {"ours": {"median": 1.0}, **contenders}}
    won = _timed("a win", 1.0)
    assert "slowest: a loss, 0.25 times NumPy, faster. 0 of" in _front.brief(_results(lost, won))


def test_exponents_are_held_against_what_they_should_be():
    limits = {"exponent: ours": [1.9, 2.1]}
    rows = [
        _timed("time over n", n**2.5, sweep=["n", n], limits=limits) for n in (10.0, 100.0, 1000.0)
    ]
    whole = _tables.table(_results(*rows))
    assert "exponent 2.50; target 1.9 to 2.1" in whole
    assert "exponent 2.5 (target 1.9 to 2.1; 19% over)" in whole


def test_a_contest_without_a_peer_says_so_and_ratios_are_against_the_first():
    def absent():
        need("a_package_that_nobody_has")

    contest = Contest(
        "sums",
        {"ours": lambda: lambda: np.ones(3), "same": lambda: lambda: np.ones(3), "absent": absent},
        error=lambda result: float(result.sum() - 3),
        counts=lambda result: {"numbers": result.size},
    )
    row = measure(contest, rounds=2)
    assert row["contenders"]["ours"]["error"] == 0
    assert row["contenders"]["ours"]["counts"] == {"numbers": 3}
    assert "not installed" in row["skipped"]["absent"]
    assert "ratio" in row["contenders"]["same"] and "ratio" not in row["contenders"]["ours"]
    with pytest.raises(Missing):
        absent()


def test_two_sizes_in_turn_give_an_exponent_whose_interval_is_made_narrow(monkeypatch):
    small, large = np.array([1.0, 1.0, 2.0]), np.array([16.0, 16.4, 31.0])
    slopes = np.log(large / small) / np.log(4)
    told = _measure._exponent(4, {}, {}, {"n = 10": small, "n = 40": large}, rounds=3)
    assert told["mean"] == pytest.approx(slopes.mean())
    assert told["high"] - told["low"] == pytest.approx(4 * slopes.std(ddof=1) / np.sqrt(3))
    steady = {"n = 10": np.ones(3), "n = 40": np.full(3, 16.0)}
    monkeypatch.setattr(_measure, "_samples", lambda *_: steady)
    wild = {"n = 10": small, "n = 40": large * [1.0, 1.1, 0.95]}
    known = _measure._exponent(4, {}, {}, wild, rounds=None)
    assert known["high"] - known["low"] < 0.05 and 3 < known["rounds"] < _measure.MOST
    row = _timed("exponent in n", 1.0, limits={"exponent: n = 40": [0.9, 1.1]})
    row["contenders"] = {"n = 10": {"median": 1.0}, "n = 40": {"median": 16.0, "exponent": told}}
    whole = _tables.table(_results(row))
    assert "exponent 2.00 (1.97 to 2.02, 3 rounds; target 0.9 to 1.1)" in whole
    assert "0 of 1 targets" in whole


def test_exponents_are_slopes_in_logarithms():
    rows = [
        {
            "contest": "over n",
            "sweep": ["n", n],
            "skipped": {},
            "contenders": {"f": {"median": n**2}},
        }
        for n in (1.0, 2.0, 4.0)
    ]
    ((name, who, sizes, slope),) = _targets.exponents({"rows": rows})
    assert (name, who, list(sizes)) == ("over n", "f", [1, 2, 4])
    assert slope == pytest.approx(2)
    for row in rows:  # or of a count
        row["swept"], row["contenders"]["f"]["counts"] = "MB", {"MB": row["sweep"][1]}
    assert next(_targets.exponents({"rows": rows}))[-1] == pytest.approx(1)


def test_bad_input_is_one_sentence(tmp_path, capsys):
    assert main(["fields"]) == 2
    assert "perhaps you meant field" in capsys.readouterr().err
    readme = tmp_path / "README.md"
    readme.write_text("no markers")
    check_refused(lambda: _report.insert(readme, "text"), "add them")
