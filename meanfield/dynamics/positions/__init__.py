"""Tokens that carry a position: limits on rings and lines of places."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._harmonic_map import HarmonicMapFlow as HarmonicMapFlow

__getattr__, __dir__ = offers(__name__)
