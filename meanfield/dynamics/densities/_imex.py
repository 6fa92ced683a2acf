import abc
from typing import Any

from ..._typing import Coefficients, Scalar
from .._base import AbstractDynamics


class AbstractImex(AbstractDynamics):
    """A field with a stiff linear part that is diagonal: c' = explicit(t, c) - damping * c.

    `simulate` takes the damping implicitly, so that it does not limit the step.
    """

    @abc.abstractmethod
    def explicit(self, t: Scalar, state: Coefficients, args: Any) -> Coefficients:
        """The part of the drift that is not stiff."""

    @abc.abstractmethod
    def damping(self, dtype) -> Coefficients:
        """The rate at which each coefficient decays on its own."""

    def decay(self, t: Scalar, state: Coefficients, args: Any) -> Coefficients:
        """The stiff part of the drift: -damping * c."""
        return -self.damping(state.dtype) * state

    def drift(self, t: Scalar, state: Coefficients, args: Any) -> Coefficients:
        return self.explicit(t, state, args) + self.decay(t, state, args)
