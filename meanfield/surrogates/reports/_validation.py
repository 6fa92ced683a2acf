"""The table of checks of a report."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..runs import Model


@dataclass(frozen=True)
class Check:
    """A check: what was found, what was wanted, and whether it passed."""

    what: str
    found: str
    wanted: str
    ok: bool


def validation(model: Model, found: Any) -> list[Check]:
    """Units, constraints, conserved quantities, counterfactuals, quality and rank of the fit, novelty."""
    count, checked = len(found.problems), model.document.validation.unit_consistency_check
    said = f"{count} disagreements" if checked or count else "not checked"
    rows = [Check("units", said, "none", checked and count == 0)]
    rows += [] if found.run is None else _of_run(model, found.run)
    rows += [
        Check(f"counterfactual {c.id}", f"{c.after - c.before:+.6g}", c.expect, c.ok)
        for c in found.counterfactuals
    ]
    rows += [] if found.fit is None else _of_fit(model, found.fit)
    return [*rows, *_novelty(model)]


def _of_run(model: Model, run: Any) -> Iterator[Check]:
    broken = {each.id: each for each in run.violations}
    for row in model.document.input.hard_constraints:
        each = broken.get(row.id)
        said = "kept" if each is None else f"broken by {each.size:.6g} at {each.time:g}"
        yield Check(f"constraint {row.id}", said, row.expression, each is None)
    for each in run.conserved:
        yield Check(f"conserved {each.id}", f"changes by {each.change:.2g}", "no change", each.ok)


def _of_fit(model: Model, fit: Any) -> Iterator[Check]:
    plan = model.document.validation
    for row in plan.fit_quality:
        value = fit.quality.get(row.measurement, {}).get(row.metric, float("nan"))
        ok = value <= row.threshold if row.metric == "rmse" else value >= row.threshold
        sign = "at most" if row.metric == "rmse" else "at least"
        yield Check(
            f"{row.metric} of {row.measurement}",
            f"{value:.6g}",
            f"{sign} {row.threshold:g}",
            bool(ok),
        )
    if plan.identifiability:
        whole = fit.rank == fit.unknowns
        yield Check("identifiability", f"rank {fit.rank}", f"rank {fit.unknowns}", whole)


def _novelty(model: Model) -> Iterator[Check]:
    """What is tagged borrowed or a variant cites what it is taken from; what is new was searched for."""
    part = model.document.novelty_assurance
    for each in model.document.modeling.equations:
        if each.novelty_tag == "borrowed":
            cited = len(each.evidence_citations)
            yield Check(f"{each.id} is borrowed", f"{cited} citations", "one at least", cited > 0)
        if each.novelty_tag == "new":
            count = len(part.search_queries) + len(part.prior_work)
            yield Check(
                f"{each.id} is new", f"{count} searches and works", "one at least", count > 0
            )
