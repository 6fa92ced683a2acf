"""Models compared by the likelihood of data that they were not fitted to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..._shown import OneLine
from ..runs import Model
from ._data import check_apart, series_of
from ._fit import Fit, fit, log_likelihood


@dataclass(frozen=True, repr=False)
class Compared(OneLine):
    """A model on held-out data: the mean logarithm of their density, by how much it falls behind the best
    model, with the standard error of that difference, and the fit to the other data."""

    problem: str
    score: float
    behind: float
    error: float
    fit: Fit


def compare(
    models: Sequence[Model], train: Any, held_out: Any, starts: int, seed: int
) -> list[Compared]:
    """The models, the best first."""
    check_apart(series_of(models[0], train), series_of(models[0], held_out))
    fits = [fit(model, train, starts, seed) for model in models]
    scores = [log_likelihood(m, f.values, held_out) for m, f in zip(models, fits, strict=True)]
    if len({each.size for each in scores}) > 1:
        raise ValueError(
            "expected models of the same measurements, got others; measure the same in each."
        )
    best = max(scores, key=lambda each: each.mean())
    rows = [
        Compared(
            model.document.metadata.problem_id,
            float(score.mean()),
            float((best - score).mean()),
            float((best - score).std(ddof=1) / np.sqrt(score.size))
            if score.size > 1
            else float("inf"),
            one,
        )
        for model, score, one in zip(models, scores, fits, strict=True)
    ]
    return sorted(rows, key=lambda row: row.behind)
