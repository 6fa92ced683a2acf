"""The results as tables: a short one of what the design asks for, and all of them."""

from collections.abc import Iterable, Iterator
from typing import Any

from ._machine import describe
from ._targets import Verdict, amount, duration, exponents, slopes, verdicts, whole

Row = dict[str, Any]


def brief(results: Row) -> str:
    """The contests with a headline in Markdown, the exponents, and the targets that are missed."""
    lines = ["| case | ours | times faster than | error |", "|---|---|---|---|"]
    groups: dict[str, list[Row]] = {}
    for contest in _timed(results):
        asked = contest.get("targets") or contest.get("limits")
        headline = contest.get("headline") or (contest["contest"] if asked else "")
        if headline and "sweep" not in contest:
            groups.setdefault(headline, []).append(contest)
    for headline, group in groups.items():
        cells = (_line(map(part, group)) for part in (_ours, _faster, _wrong))
        lines.append("| " + " | ".join([headline, *cells]) + " |")
    asked = [v for case in results["cases"].values() for v in slopes(case)]
    if asked:
        fitted = (f"{v.against} {v.measured:.2f} ({v.asked()})" for v in asked)
        lines += ["", f"Exponents of time over n: {'; '.join(fitted)}."]
    return "\n".join([*lines, "", _missed(results), "", _origin(results)])


def table(results: Row) -> str:
    """Everything in Markdown: one line for each contest and peer, with the commit it was measured at."""
    head = ["case", "ours", "against", "times faster", "error: ours, theirs"]
    head += ["share of this machine's rate", "commit"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for case in results["cases"].values():
        lines += ["| " + " | ".join(cells) + " |" for cells in rows(case)]
    return "\n".join([*lines, "", _origin(results)])


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


def _timed(results: Row) -> Iterator[Row]:
    for case in results["cases"].values():
        yield from (row for row in case["rows"] if "contenders" in row)


def _contest(contest: Row) -> Iterator[list[str]]:
    (ours, mine), *others = contest["contenders"].items()
    share = _shares(contest)
    first = f"{ours}: {_facts(contest, mine)}"
    targets = {v.against: v for v in verdicts(contest) if v.quantity == "ratio"}
    if not others:
        yield [contest["contest"], first, "", "", _error(mine), share]
    for peer, row in others:
        errors = ", ".join(filter(None, (_error(mine), _error(row))))
        theirs = f"{peer}: {_facts(contest, row)}"
        shown = _ratio(row["ratio"], targets.get(peer))
        yield [contest["contest"], first, theirs, shown, errors, share]


def _ratio(ratio: Row, verdict: Verdict | None) -> str:
    """The median, its quartiles and what was asked for."""
    notes = [] if ratio["rounds"] == 1 else [f"{ratio['low']:.3g} to {ratio['high']:.3g}"]
    notes += [verdict.asked()] if verdict else []
    return f"{ratio['median']:.3g}" + (f" ({'; '.join(notes)})" if notes else "")


def _facts(contest: Row, row: Row) -> str:
    """Time, counts and memory of a contender."""
    parts = [duration(row["median"])]
    if contest.get("fraction", 1.0) != 1.0:
        parts.append(f"so {duration(whole(contest, row))} for all")
    parts += [f"{value:.3g} {name}" for name, value in row.get("counts", {}).items()]
    if row.get("peak_megabytes") is not None:
        parts.append(amount("peak_megabytes", row["peak_megabytes"]))
    return ", ".join(parts)


def _ours(contest: Row) -> str:
    """The first contender, beside what was asked of it."""
    row = next(iter(contest["contenders"].values()))
    parts = [_facts(contest, row), *filter(None, [_shares(contest, silent=True)])]
    limits = [v for v in verdicts(contest) if v.quantity != "ratio"]
    asked = [v.asked() if v.quantity == "seconds" else _limit(v) for v in limits]
    return ", ".join(parts) + (f" ({'; '.join(asked)})" if asked else "")


def _limit(verdict: Verdict) -> str:
    """What is asked of a quantity that is named before."""
    names = {"peak_megabytes": "", "share_exponentials": " of exp", "share_flops": " of products"}
    if verdict.quantity in names:
        return f"{verdict.asked()}{names[verdict.quantity]}"
    what = f"{verdict.quantity} of {verdict.against}" if verdict.against else verdict.quantity
    return f"{what}: {amount(verdict.quantity, verdict.measured)}, {verdict.asked()}"


def _faster(contest: Row) -> str:
    """The ratios with a target, or else all."""
    _, *others = contest["contenders"]
    asked = {v.against: v for v in verdicts(contest) if v.quantity == "ratio"}
    shown = []
    for peer in asked or others:
        target = f" ({asked[peer].asked()})" if peer in asked else ""
        shown.append(f"{peer}: {contest['contenders'][peer]['ratio']['median']:.3g}{target}")
    return "; ".join(shown)


def _wrong(contest: Row) -> str:
    """The error of ours, and of those that it is compared with."""
    own, *others = contest["contenders"].values()
    worst = [row["error"] for row in others if "error" in row]
    if not worst or "error" not in own:
        return _error(own)
    return f"{_error(own)}, theirs up to {max(worst):.0e}"


def _line(parts: Iterable[str]) -> str:
    return "; ".join(filter(None, parts))


def _shares(contest: Row, silent: bool = False) -> str:
    """The shares of the rates of this machine, apart; or why there are none."""
    if "bound" not in contest:
        return "" if silent else contest.get("no_bound", "")
    names = {"share_exponentials": "exp", "share_flops": "products"}
    shares = (f"{n} {contest['bound'][k]:.0%}" for k, n in names.items() if k in contest["bound"])
    return ", ".join(shares)


def _error(row: Row) -> str:
    return f"{row['error']:.0e}" if "error" in row else ""


def _missed(results: Row) -> str:
    """Which targets are missed, and by how much."""
    found = [v for contest in _timed(results) for v in verdicts(contest)]
    found += [v for case in results["cases"].values() for v in slopes(case)]
    missed = [v.missed() for v in found if not v.met]
    if not missed:
        return f"All {len(found)} targets are met."
    return (
        f"{len(found) - len(missed)} of {len(found)} targets are met. Missed: {'. '.join(missed)}."
    )


def _origin(results: Row) -> str:
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
