from collections.abc import Sequence

from ..._checks import check_instances
from .._base import AbstractParticles


def several_models(flows: Sequence[AbstractParticles]) -> tuple[AbstractParticles, ...]:
    """Two flows of clouds or more on one geometry; ValueError, with the remedy, if they are not."""
    flows = (*check_instances(flows, AbstractParticles, "flows", "pass [flow] * 3, say"),)
    if len(flows) < 2:
        raise ValueError(f"expected two flows or more, got {len(flows)}; pass [flow] * 3, say.")
    if any(flow.geometry != flows[0].geometry for flow in flows):
        raise ValueError("expected flows on one geometry, got several; make them with the same.")
    if any(getattr(getattr(f, "normalization", None), "radial", False) for f in flows):
        raise ValueError("expected flows of clouds [n, d], got radii; use PostNorm() or none.")
    return flows
