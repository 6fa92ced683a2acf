from collections.abc import Callable
from typing import ClassVar

import diffrax
import jax

from ._diagonal_newton import DiagonalNewton


def _hermite(*, t0, t1, y0, y1, k) -> diffrax.ThirdOrderHermitePolynomialInterpolation:
    """The cubic with the values and slopes at both ends of a step."""
    whole = jax.tree.map(lambda explicit, implicit: explicit + implicit, *k)
    return diffrax.ThirdOrderHermitePolynomialInterpolation.from_k(
        t0=t0, t1=t1, y0=y0, y1=y1, k=whole
    )


class _KenCarp5(diffrax.KenCarp5):
    """diffrax's method with an interpolant of its own, for diffrax's is of double precision only."""

    interpolation_cls: ClassVar[Callable] = staticmethod(_hermite)  # pyright: ignore


def implicit_explicit() -> diffrax.AbstractSolver:
    """Kennedy and Carpenter's method of order 5 with a diagonal implicit part.

    Between steps it interpolates by a cubic, so that runs stop where they are saved.
    Source: Kennedy, Carpenter (2003), doi:10.1016/S0168-9274(02)00138-1.
    """
    return _KenCarp5(root_finder=DiagonalNewton())
