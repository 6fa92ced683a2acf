"""Attention as one compiled program, which those of one structure share."""

import equinox as eqx


@eqx.filter_jit
def attend(attention, *points):
    """The field."""
    return attention(*points)
