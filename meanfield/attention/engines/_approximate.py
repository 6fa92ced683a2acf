import abc

import equinox as eqx
from jaxtyping import Array, Float

from ..._typing import Masses, Points, Sources
from ._base import AbstractEngine
from ._exponential_sum import ExponentialSum, PosesSums, check_poses_sums


class AbstractApproximate(AbstractEngine):
    """An engine that knows how far the softmax field of its sums may be off."""

    @abc.abstractmethod
    def field_error(self, problem: ExponentialSum) -> Float[Array, " n"]:
        """|F - F_exact|/|F_exact| at each query: a bound or a standard error, as the engine says."""

    def relative_error(
        self,
        attention: PosesSums,
        x: Points,
        y: Sources | None = None,
        w: Masses | None = None,
    ) -> Float[Array, " n"]:
        """The same for the tokens x [n, d] that an attention moves, and y [m, d] of masses w [m]."""
        return _field_error(self, check_poses_sums(attention).problem(x, y, w))


@eqx.filter_jit
def _field_error(engine: AbstractApproximate, problem: ExponentialSum) -> Float[Array, " n"]:
    """As one program: one after the other, its operations take seconds to compile."""
    return engine.field_error(problem)
