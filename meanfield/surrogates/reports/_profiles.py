"""Profile likelihoods in a report: intervals, what bounds them, and curves against the threshold."""

from collections.abc import Sequence

import numpy as np

from ..fits import Profile
from ..runs import Model
from ._blocks import Block, Figure, Table, shown
from ._drawing import drawing


def profile_blocks(model: Model, profiles: Sequence[Profile]) -> list[Block]:
    """A table of all profiles, and a figure of each; nothing where there are none."""
    if not profiles:
        return []
    head = ["parameter", f"{profiles[0].level:.0%} interval by the likelihood", "what bounds it"]
    rows = [[p.symbol, " to ".join(map(shown, p.interval)), _said(p)] for p in profiles]
    return [Table(head, rows), *(_figure(model, each) for each in profiles)]


def _said(profile: Profile) -> str:
    """What decides the ends of an interval."""
    low, high = profile.interval
    none = 0.0 if profile.log else -np.inf
    ends = [*(["below"] if low == none else []), *(["above"] if high == np.inf else [])]
    across = " to ".join(map(shown, profile.searched))
    said = [f"unbounded {' and '.join(ends)}: searched {across}"] if ends else []
    said += [f"the bound of {name}" for name in profile.limited_by]
    said += [] if profile.converged else ["not all fits reached their tolerance"]
    return "; ".join(said) or "the likelihood"


def _figure(model: Model, profile: Profile) -> Figure:
    ends = profile.values[[0, -1]]
    curves = {
        "deviance": (profile.values, profile.deviances),
        "threshold": (ends, np.full(2, profile.threshold)),
    }
    axis = f"{profile.symbol} [{model.units[profile.symbol]}]"
    caption = f"{profile.symbol}: deviance where it is held, all else fitted anew"
    return Figure(drawing(curves, {}, axis, "deviance"), caption)
