"""What the README shows of the results: a few contests, and where we are slowest."""

from collections.abc import Iterable
from typing import Any

from ._tables import described, error_of, met, origin, shares, timed
from ._targets import Verdict, amount, verdicts

Row = dict[str, Any]

OTHERS = "jax", "lax", "exponax", "NumPy", "SciPy", "PyTorch", "KeOps", "POT", "ott", "GeomLoss"
"""First words of the names of contenders that are not ours."""
SLOWEST = 3


def brief(results: Row) -> str:
    """The contests with a headline in Markdown, the least ratios, and how many targets are met."""
    lines = ["| case | ours | times faster than | error |", "|---|---|---|---|"]
    groups: dict[str, list[Row]] = {}
    for contest in timed(results):
        if contest.get("headline") and "sweep" not in contest:
            groups.setdefault(contest["headline"], []).append(contest)
    for headline, group in groups.items():
        cells = (_line(map(part, group)) for part in (_ours, _faster, _wrong))
        lines.append("| " + " | ".join([headline, *cells]) + " |")
    said = " ".join(filter(None, [_slowest(results), met(results), origin(results)]))
    return "\n".join([*lines, "", said])


def _slowest(results: Row) -> str:
    """The contests with the least ratios to a peer, one each."""
    least: dict[str, tuple[float, str]] = {}
    for contest in timed(results):
        ratios = [
            (row["ratio"]["median"], peer)
            for peer, row in contest["contenders"].items()
            if "ratio" in row and peer.startswith(OTHERS)
        ]
        if ratios and "sweep" not in contest:
            least[contest["contest"]] = min(ratios)
    worst = sorted(least.items(), key=lambda item: item[1])[:SLOWEST]
    told = "; ".join(f"{case}, {ratio:.2g} times {peer}" for case, (ratio, peer) in worst)
    return f"Where we are slowest: {told}." if told else ""


def _ours(contest: Row) -> str:
    """The first contender, beside what was asked of it."""
    row = next(iter(contest["contenders"].values()))
    parts = [described(contest, row), *filter(None, [shares(contest, silent=True)])]
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
        return error_of(own)
    return f"{error_of(own)}, theirs up to {max(worst):.0e}"


def _line(parts: Iterable[str]) -> str:
    return "; ".join(filter(None, parts))
