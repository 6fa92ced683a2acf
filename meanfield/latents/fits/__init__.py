"""Drift and noise of the step from a layer to the next, fitted to recordings."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._families import (
        AbstractFamily as AbstractFamily,
        AttentionPotential as AttentionPotential,
        Constant as Constant,
        Linear as Linear,
        Quadratic as Quadratic,
        Writes as Writes,
    )
    from ._fit import DriftFit as DriftFit, fit_drift as fit_drift, fit_drifts as fit_drifts
    from ._lines_of_thought import lines_of_thought as lines_of_thought
    from ._regimes import fit_regimes as fit_regimes

__getattr__, __dir__ = offers(__name__)
