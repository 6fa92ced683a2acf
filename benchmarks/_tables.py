"""All results as a table, with what is missed; `_front.py` has the few that the README shows."""

from collections.abc import Iterator
from typing import Any

from ._machine import describe
from ._targets import Verdict, amount, duration, exponents, slopes, verdicts, whole

Row = dict[str, Any]


def table(results: Row) -> str:
    """Everything in Markdown: one line for each contest and peer, with the commit it was measured at."""
    head = ["case", "ours", "against", "times faster", "error: ours, theirs"]
    head += ["share of this machine's rate", "commit"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for case in results["cases"].values():
        lines += ["| " + " | ".join(cells) + " |" for cells in rows(case)]
    return "\n".join([*lines, "", _missed(results), "", origin(results)])


def rows(case: Row) -> Iterator[list[str]]:
    """The cells of each line of a benchmark."""
    for contest in case["rows"]:
        if "contenders" in contest and "sweep" not in contest:
            commit = _commit(case, contest)
            yield from ([*cells, commit] for cells in _contest(contest))
    asked = {(v.contest, v.against): f"; {v.asked()}" for v in slopes(case)}
    commit = ", ".join(sorted({_commit(case, row) for row in case["rows"]}))
    for name, who, sizes, exponent in exponents(case):
        span = f"{name}, {sizes[0]:,.0f} to {sizes[-1]:,.0f}"
        slope = f"exponent {exponent:.2f}{asked.get((name, who), '')}"
        yield [span, who, "", slope, "", "", commit]


def timed(results: Row) -> Iterator[Row]:
    """The contests of all benchmarks."""
    for case in results["cases"].values():
        yield from (row for row in case["rows"] if "contenders" in row)


def _contest(contest: Row) -> Iterator[list[str]]:
    (ours, mine), *others = contest["contenders"].items()
    share = shares(contest)
    first = f"{ours}: {described(contest, mine)}"
    targets = {v.against: v for v in verdicts(contest) if v.quantity == "ratio"}
    grown = {v.against: v for v in verdicts(contest) if v.quantity == "exponent"}
    if not others:
        yield [contest["contest"], first, "", "", error_of(mine), share]
    for peer, row in others:
        errors = ", ".join(filter(None, (error_of(mine), error_of(row))))
        theirs = f"{peer}: {described(contest, row)}"
        shown = (
            _ratio(row["ratio"], targets.get(peer))
            if "ratio" in row
            else _slope(row, grown.get(peer))
        )
        yield [contest["contest"], first, theirs, shown, errors, share]


def _ratio(ratio: Row, verdict: Verdict | None) -> str:
    """The median, its quartiles and what was asked for."""
    notes = [] if ratio["rounds"] == 1 else [f"{ratio['low']:.3g} to {ratio['high']:.3g}"]
    notes += [verdict.asked()] if verdict else []
    return f"{ratio['median']:.3g}" + (f" ({'; '.join(notes)})" if notes else "")


def _slope(row: Row, verdict: Verdict | None) -> str:
    """An exponent, its interval and what was asked for."""
    told = "exponent {mean:.2f} ({low:.2f} to {high:.2f}, {rounds} rounds".format(**row["exponent"])
    return told + (f"; {verdict.asked()})" if verdict else ")")


def described(contest: Row, row: Row) -> str:
    """Time, counts and memory of a contender."""
    parts = [duration(row["median"])]
    if contest.get("fraction", 1.0) != 1.0:
        parts.append(f"so {duration(whole(contest, row))} for all")
    parts += [f"{value:.3g} {name}" for name, value in row.get("counts", {}).items()]
    if row.get("peak_megabytes") is not None:
        parts.append(amount("peak_megabytes", row["peak_megabytes"]))
    return ", ".join(parts)


def shares(contest: Row, silent: bool = False) -> str:
    """The shares of the rates of this machine, apart; or why there are none."""
    if "bound" not in contest:
        return "" if silent else contest.get("no_bound", "")
    names = {"share_exponentials": "exp", "share_flops": "products"}
    shares = (f"{n} {contest['bound'][k]:.0%}" for k, n in names.items() if k in contest["bound"])
    return ", ".join(shares)


def error_of(row: Row) -> str:
    """The error of a contender, if there is one."""
    return f"{row['error']:.0e}" if "error" in row else ""


def _missed(results: Row) -> str:
    """Which targets are missed, and by how much."""
    missed = [v.missed() for v in asked(results) if not v.met]
    return met(results) + (f" Missed: {'. '.join(missed)}." if missed else "")


def asked(results: Row) -> list[Verdict]:
    """All that the design asks for, beside what was measured."""
    found = [v for contest in timed(results) for v in verdicts(contest)]
    return found + [v for case in results["cases"].values() for v in slopes(case)]


def met(results: Row) -> str:
    """How many targets are met."""
    found = asked(results)
    return f"{sum(v.met for v in found)} of {len(found)} targets are met."


def origin(results: Row) -> str:
    """Where, and at which commits; + marks a tree with changes."""
    found: dict[str, set[str]] = {}
    for case in results["cases"].values():
        where = describe(case.get("stamp", {}).get("on", results["machine"]))
        found.setdefault(where, set()).update(_commit(case, row) for row in case["rows"])
    parts = [
        f"on {where}, at {'commit' if len(commits) == 1 else 'commits'} {', '.join(sorted(commits))}"
        for where, commits in sorted(found.items())
    ]
    return f"Measured by `make bench` {'; '.join(parts)}."


def _commit(case: Row, row: Row) -> str:
    origin = case["provenance"] | row.get("checkout", {})
    return origin["git_commit"][:7] + "+" * (origin["git_dirty"] != "no")
