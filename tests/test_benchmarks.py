"""The benchmarks' command, its table, and the README's copy of it."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import _report
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
        assert ours["error"] < 1e-13  # ten steps, rounded
    assert results["machine"]["device"] and results["cases"]["overhead"]["provenance"]["git_commit"]
    capsys.readouterr()
    assert main(["overhead", "--tiny", "--json", str(file)]) == 0
    assert "kept" in capsys.readouterr().out
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{_report.BEGIN}\nold\n{_report.END}\nafter\n")
    assert main(["--json", str(file), "--readme", str(readme)]) == 0
    text = readme.read_text()
    assert _report.table(results) in text and "old" not in text
    assert text.startswith("before") and text.endswith("after\n")


def test_the_readme_shows_the_committed_results():
    file, text = ROOT / "benchmarks" / "results.json", (ROOT / "README.md").read_text()
    assert file.exists() == (_report.BEGIN in text)
    if file.exists():
        assert _report.table(json.loads(file.read_text())) in text


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
    ((name, who, sizes, slope),) = _report.exponents({"rows": rows})
    assert (name, who, list(sizes)) == ("over n", "f", [1, 2, 4])
    assert slope == pytest.approx(2)


def test_bad_input_is_one_sentence(tmp_path, capsys):
    assert main(["fields"]) == 2
    assert "perhaps you meant field" in capsys.readouterr().err
    readme = tmp_path / "README.md"
    readme.write_text("no markers")
    with pytest.raises(ValueError, match="add them"):
        _report.insert(readme, {"cases": {}, "machine": {}})
