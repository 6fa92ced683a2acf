"""Interleaved timing: each round times every contender once, so that all share what disturbs them."""

import math
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from . import _bounds
from ._contest import Contest, Missing, Work, stopwatch

PAUSE = 0.2
"""Seconds in which the threads of one contender fall asleep, before the next is timed."""

WIDEST, MOST = 0.05, 15
"""The interval of an exponent that is narrow enough, and the rounds after which it is told as it is."""

SHORTEST = 0.02
"""Seconds that a sample lasts at least: shorter work is repeated within it."""


def measure(contest: Contest, rounds: int | None = None) -> dict[str, Any]:
    """Times, errors, ratios and the share of the bound of one contest, as plain values."""
    ready, skipped = _prepare(contest)
    if not ready:
        return {"contest": contest.name, "skipped": skipped}
    rows, repeats, firsts, work_of_ours = {}, {}, {}, None
    once = (rounds or contest.repeats) == 1
    for name, work in ready.items():
        first, result = stopwatch(work)  # also what warms it up
        firsts[name] = np.array([first])
        again, _ = stopwatch(work) if first < 1 else (first, None)
        repeats[name] = max(1, math.ceil(SHORTEST / max(again, 1e-9)))
        rows[name] = {"first_seconds": first} | _verdict(contest, result)
        if work_of_ours is None:
            work_of_ours = contest.work(result) if callable(contest.work) else contest.work
    samples = firsts if once else _samples(ready, repeats, rounds or contest.repeats)
    for name, row in rows.items():
        row |= _spread(samples[name])
    ours = samples[next(iter(ready))]
    for name in list(rows)[1:]:
        if contest.growth:
            rows[name]["exponent"] = _exponent(contest.growth, ready, repeats, samples, rounds)
        else:
            rows[name]["ratio"] = _spread(samples[name] / ours)
    out = _description(contest) | {"contenders": rows, "skipped": skipped}
    if work_of_ours:
        seconds = float(np.median(ours))
        out["bound"] = _bounds.bound(work_of_ours, contest.facts["dtype"], seconds)
    return out


def _description(contest: Contest) -> dict[str, Any]:
    """What a contest is, as far as it is not measured."""
    out = {"contest": contest.name, "facts": dict(contest.facts), "error_is": contest.error_is}
    limits = {what: list(limit) for what, limit in contest.limits.items()}
    out |= {"targets": dict(contest.targets), "limits": limits, "headline": contest.headline}
    out |= {"fraction": contest.fraction, "no_bound": contest.no_bound}
    out |= {"swept": contest.swept} if contest.swept else {}
    return out | ({"sweep": list(contest.sweep)} if contest.sweep else {})


def _prepare(contest: Contest) -> tuple[dict[str, Work], dict[str, str]]:
    """What can be timed here, and why the rest cannot."""
    ready, skipped = {}, {}
    for name, prepare in contest.contenders.items():
        try:
            ready[name] = prepare()
        except Missing as reason:
            skipped[name] = str(reason)
    return ready, skipped


def _verdict(contest: Contest, result: Any) -> dict[str, Any]:
    """How wrong a result is, and what it counted."""
    out: dict[str, Any] = {}
    if contest.error is not None:
        out["error"] = float(contest.error(result))
    if contest.counts is not None:
        out["counts"] = dict(contest.counts(result))
    return out


def _samples(ready: Mapping[str, Work], repeats: Mapping[str, int], rounds: int) -> dict:
    """Seconds of one run of each, a number a round."""
    samples: dict[str, list[float]] = {name: [] for name in ready}
    for _ in range(rounds):
        for name, work in ready.items():
            time.sleep(PAUSE)
            seconds, _ = stopwatch(lambda w=work, k=repeats[name]: [w() for _ in range(k)])
            samples[name].append(seconds / repeats[name])
    return {name: np.array(values) for name, values in samples.items()}


def _exponent(growth: float, ready, repeats, samples: dict, rounds: int | None) -> dict[str, float]:
    """The mean exponent over rounds, and its interval of two standard errors either way: rounds are added
    until that is under WIDEST, or MOST are done."""
    while True:
        small, large = samples.values()
        slopes = np.log(large / small) / math.log(growth)
        half = 2 * slopes.std(ddof=1) / math.sqrt(slopes.size)
        if rounds or 2 * half < WIDEST or slopes.size >= MOST:
            break
        for name, more in _samples(ready, repeats, 3).items():
            samples[name] = np.append(samples[name], more)
    mean = float(slopes.mean())
    return {"mean": mean, "low": mean - half, "high": mean + half, "rounds": slopes.size}


def _spread(values: np.ndarray) -> dict[str, float]:
    """The median, the quartiles and the least."""
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return {
        "median": middle,
        "low": low,
        "high": high,
        "least": values.min(),
        "rounds": values.size,
    }
