"""Tokens in order: rings that unwind, and how the influence of early tokens spreads with depth."""

from ._influence import Influence as Influence
from ._twisted_rings import TwistedRings as TwistedRings
