"""Tokens that carry a position: limits on rings and lines of places."""

from ._harmonic_map import HarmonicMapFlow as HarmonicMapFlow
