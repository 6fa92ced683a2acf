import abc
from typing import Any

from jaxtyping import Array, Float, PyTree

from .._checks import LARGEST, shown
from .._door import AbstractChecked
from .._hooks import default

State = PyTree[Float[Array, "..."]]


class AbstractScheme(AbstractChecked):
    """A map from one state to the next, for `rollout`."""

    @abc.abstractmethod
    def step(self, state: State, args: Any) -> tuple[State, dict[str, Array]]:
        """The next state, and a dict of what is worth knowing of the step.

        A step that iterates says under "converged" whether it reached its tolerance: `rollout` fails
        where it did not.
        """

    @abc.abstractmethod
    def project(self, state: State) -> State:
        """The admissible state that is observed and returned."""

    @default
    def remedy(self) -> str:
        """What helps where a step fails, as the end of a sentence."""
        return "take smaller steps, or fewer"

    @abc.abstractmethod
    def check(self, state: Any) -> State:
        """A start that fits this scheme; ValueError, with the remedy, if it does not."""


def check_tolerance(tol: Any, default: str) -> float | None:
    """`tol` as a positive number that is known when the step is compiled, or None, which means `default`."""
    if tol is None:
        return None
    if isinstance(tol, bool) or not isinstance(tol, int | float) or not 0 < tol <= LARGEST:
        raise ValueError(
            f"expected tol > 0, a Python number, got {shown(tol)}; leave it out for {default}."
        )
    return float(tol)
