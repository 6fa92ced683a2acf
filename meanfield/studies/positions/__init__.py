"""Tokens in order: rings that unwind, what early tokens tell the last one, sinks and their absence."""

from ._causeformer import Causeformer as Causeformer
from ._influence import Influence as Influence
from ._twisted_rings import TwistedRings as TwistedRings
